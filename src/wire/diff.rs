//! What changes from one image to another.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{BuildId, Digest, Level, ProjectPath, Sha};

/// `GET /api/diff?from=…&to=…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// The one image.
    pub from: Side,
    /// The other.
    pub to: Side,
    /// Commits that `to` brings, newest first; those of the builds of the trunk in between too.
    pub commits: Vec<BroughtCommit>,
    /// Libraries that differ, by name.
    pub libraries: Vec<LibraryChange>,
    /// Labels that differ, by name. Those that say nothing but when and by whom are left out.
    pub labels: Vec<LabelChange>,
    /// The Dockerfiles as a unified diff; empty if they are equal.
    pub dockerfile: String,
    /// What their layers weigh; `None` if one of the images is older than the record of layers.
    pub layers: Option<LayerDiff>,
    /// Findings that came or went, the worst first.
    pub findings: Vec<FindingChange>,
}

/// One of the two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Its digest.
    pub digest: Digest,
    /// Path of its project.
    pub project: ProjectPath,
    /// The build that made it.
    pub build: BuildId,
    /// Its commit.
    pub head: Sha,
    /// Its base image.
    pub base: String,
    /// Size of the WAR in it, in bytes.
    pub war_bytes: i64,
    /// When it reached the QA registry.
    pub pushed_at: DateTime<Utc>,
}

/// The layers of both images, each counted once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerDiff {
    /// How many layers both have.
    pub shared: usize,
    /// Their size in bytes, packed.
    pub shared_bytes: u64,
    /// Those that only one of the two has, the lowest first; what went before what came.
    pub changes: Vec<LayerChange>,
}

/// A layer that only one of the two has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerChange {
    /// Digest of the packed layer.
    pub digest: Digest,
    /// Its size in bytes, packed.
    pub bytes: u64,
    /// The instruction that made it.
    pub made_by: String,
    /// It came; otherwise it went.
    pub new: bool,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BroughtCommit {
    /// Its id.
    pub sha: Sha,
    /// Address of its page.
    pub url: String,
    /// First line of its message.
    pub subject: String,
    /// Name of its author.
    pub author: String,
    /// The build that it came with.
    pub build: BuildId,
}

/// A library that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibraryChange {
    /// `group:artifact`.
    pub name: String,
    /// Its versions before; none: it was added.
    pub from: Vec<String>,
    /// Its versions afterwards; none: it was removed.
    pub to: Vec<String>,
}

/// A label that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelChange {
    /// Its name.
    pub name: String,
    /// Its value before.
    pub from: Option<String>,
    /// Its value afterwards.
    pub to: Option<String>,
}

/// A finding that came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingChange {
    /// Advisory, or rule of the WAR check.
    pub name: String,
    /// How bad.
    pub level: Level,
    /// Is it new in `to`? Else it is gone.
    pub new: bool,
}
