//! The image on its way: described, built, pushed. Each step takes the one before, so that the order type-checks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Digest, DockerfileException};

/// A rendered Dockerfile with what it was rendered from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dockerfile {
    /// The whole text as it is given to the engine.
    pub text: String,
    /// SHA-256 of `text`.
    pub sha256: Digest,
    /// Name of the stack, for example `tomcat10`.
    pub stack: String,
    /// The base image as it was asked for, for example `docker.io/library/tomcat:10.1-jdk17-temurin`.
    pub base_name: String,
    /// Digest that the base's tag had.
    pub base_digest: Digest,
    /// Is it hand-written, and who allowed that?
    #[serde(default)]
    pub exception: Option<DockerfileException>,
    /// Labels of the image, the ones with chunks of the Dockerfile included.
    pub labels: BTreeMap<String, String>,
}

/// An image on the engine, not yet in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltImage {
    /// The engine's id: digest of the image's configuration.
    pub id: Digest,
    /// Its name with tag, for example `registry.example.com/qa/basket:mr-7-da156088-12`.
    pub reference: String,
}

/// An image in the QA registry, digest read back from there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushedImage {
    /// Its name with tag.
    pub reference: String,
    /// Digest of its manifest: what is promoted later.
    pub digest: Digest,
}

/// A layer of an image, as the registry has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageLayer {
    /// Digest of the packed layer.
    pub digest: Digest,
    /// Its size, packed.
    pub bytes: u64,
    /// The instruction that made it, from the image's history; empty where the history tells nothing.
    pub made_by: String,
}

impl PushedImage {
    /// The name that can never mean another image: `repository@sha256:…`.
    pub fn pinned(&self) -> String {
        format!("{}@{}", self.repository(), self.digest)
    }

    /// Its name without the tag.
    pub fn repository(&self) -> &str {
        self.parts().0
    }

    /// Its tag.
    pub fn tag(&self) -> &str {
        self.parts().1
    }

    /// `host:port/path:tag`: the colon behind the last slash begins the tag.
    fn parts(&self) -> (&str, &str) {
        match self.reference.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (&self.reference, "latest"),
        }
    }
}
