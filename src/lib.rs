//! Seaworthy: a merge request becomes a tested, self-describing image in the QA registry, and a mail.

pub mod ansi;
pub mod maven;
pub mod model;
