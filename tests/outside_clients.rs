//! The clients of the outside systems against the real thing, or a server that speaks the protocol, and what
//! `seaworthy check` and `seaworthy connect` make of them.

mod fake;
mod gitlab;
mod http;
pub mod mailer;
mod referrers;
mod registry;
pub mod verbs;
