//! One client per outside system: concrete structs with an injected address, tested against the real thing. They know
//! nothing of stages, queue or database.

pub mod certificates;
pub mod engine;
pub mod git;
pub mod gitlab;
pub mod http;
pub mod mailer;
pub mod openid;
pub mod registry;
