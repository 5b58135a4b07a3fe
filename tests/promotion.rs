//! A digest on its way through the environments: the real service, and a real registry for each data centre.

mod decisions;
mod feedback;
mod inventory;
mod races;
mod scene;
mod trail;
mod way;
