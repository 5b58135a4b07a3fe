//! What a build takes as it was once, not as it is now.

use serde::{Deserialize, Serialize};

use super::{Digest, Sha};

/// What moves between two builds of one commit, held at what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// The commit of the target branch that the head is merged with.
    pub target_tip: Sha,
    /// The digest of the base image.
    pub base: Digest,
}
