//! Seaworthy: a merge request becomes a tested, self-describing image in the QA registry, and a mail.

pub mod clients;
pub mod config;
pub mod model;
