//! One client per outside system. They know nothing of stages, queue or database.

pub mod certificates;
pub mod gitlab;
pub mod http;
