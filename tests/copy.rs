//! Copying images between real registries, and between a real one and a proxy that lies, breaks off or is slow.

mod faults;
pub mod image;
mod killed;
mod listing;
mod proxy;
mod refusals;
mod several;
mod tls;
mod tokens;
mod whole;
