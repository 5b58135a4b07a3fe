//! The software bill of materials of a WAR: every jar in it, the libraries in each jar, and the document that says so.
//!
//! [`read`](read()) looks into a WAR, [`Sbom::document`] writes CycloneDX. What is found depends on the bytes of the WAR alone,
//! so the same WAR gives the same document on every worker.

mod cyclonedx;
mod identify;
mod manifest;
mod pack;
mod read;

pub use cyclonedx::{BadDocument, MEDIA_TYPE};
pub use pack::{compress, decompress};
pub use read::{Limits, SbomError, read};

use crate::model::{Component, Digest, War};

/// All libraries of a WAR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sbom {
    /// File name of the WAR, for example `shop.war`.
    pub name: String,
    /// Its checksum.
    pub war: Digest,
    /// By path, then by coordinates.
    pub entries: Vec<Entry>,
}

/// A library at its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Where its jar is, for example `WEB-INF/lib/app.jar!/lib/inner.jar`.
    pub path: String,
    /// What it is.
    pub component: Component,
    /// On what grounds.
    pub evidence: Evidence,
    /// SHA-256 of the jar, in hexadecimal digits.
    pub sha256: String,
    /// SHA-1 of the jar, by which the repositories know it.
    pub sha1: String,
    /// Why the jar was not looked into, a sentence.
    pub note: Option<String>,
}

/// How a library was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// By a `pom.properties`, which Maven wrote.
    PomProperties,
    /// By the manifest, with the file name.
    Manifest,
    /// By the file name alone.
    FileName,
}

impl Sbom {
    /// Of this WAR, with what [`read`](read()) found in it.
    pub fn new(war: &War, entries: Vec<Entry>) -> Self {
        Self {
            name: war.path.rsplit('/').next().unwrap_or(&war.path).to_owned(),
            war: war.sha256.clone(),
            entries,
        }
    }

    /// The libraries without their places, sorted, each once.
    pub fn components(&self) -> Vec<&Component> {
        let mut all: Vec<&Component> = self.entries.iter().map(|entry| &entry.component).collect();
        all.sort();
        all.dedup();
        all
    }
}
