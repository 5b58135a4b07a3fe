//! A WAR against the standards of the house: one pass over its files and libraries gives a report of the rules it breaks.
//!
//! The rules themselves are `model::rule`; how serious each is and what is waived comes from the pipeline. Own code and
//! configuration (`WEB-INF/classes`, descriptors, jars that the same build made) are read for what is written in them;
//! other people's libraries are judged by name, version and class names alone, because what stands in them cannot be
//! mended by the project. What is read was written by somebody else: every file and archive has limits.

mod classes;
mod collector;
mod credentials;
mod libraries;
mod library;
mod logging;
mod names;
mod statements;
mod values;
mod walk;

pub use credentials::{secret_by_name, secrets_by_form};
pub use walk::{CheckError, check};

use std::collections::BTreeSet;
use std::path::Path;

use crate::maven::WarLimits;
use crate::model::ServletApi;

/// What is checked, and what it will run on.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The WAR.
    pub file: &'a Path,
    /// File names of jars that the same build made.
    pub siblings: &'a BTreeSet<String>,
    /// The generation that the stack serves.
    pub servlet: ServletApi,
    /// Major version of the Java that runs it.
    pub jdk: u8,
    /// Where the stack lets logs be written, for example `/var/log/tomcat`.
    pub log_directory: &'a str,
    /// What an archive may be.
    pub limits: WarLimits,
}

#[cfg(test)]
mod tests;
