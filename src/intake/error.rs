//! What keeps a delivery from being decided: always the world's fault, never the body's. It is tried again.

use crate::model::BuildId;
use crate::store::StoreError;

/// Error of an outside system, in its own words.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no decision yet.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The database is away.
    #[error("the delivery could not be decided: {0}")]
    Store(#[from] StoreError),
    /// GitLab is away.
    #[error("GitLab could not be asked for the tip of branch {branch}: {source}")]
    Tip {
        /// Which branch.
        branch: String,
        /// Why not.
        source: Source,
    },
    /// GitLab is away.
    #[error("GitLab could not be asked for the open merge requests: {0}")]
    List(#[source] Source),
    /// The same commit's build is just being stopped; it takes some seconds.
    #[error("build {0} of the same commit is just being stopped; the delivery is decided when it has ended")]
    Stopping(BuildId),
    /// Something made the same build at the same moment.
    #[error("the same build was made at the same moment by somebody else; the delivery is decided again")]
    Raced,
    /// Another worker has the job; nothing was changed.
    #[error("the delivery is in the hands of another worker; nothing was changed")]
    Lost,
    /// A job of another lane.
    #[error("the job's subject {0:?} is not the id of a delivery: a mistake of this program")]
    NotADelivery(String),
}

impl IntakeError {
    /// Is this only a matter of seconds, and nobody's fault? Then it should be tried again after one of them.
    pub fn is_brief(&self) -> bool {
        matches!(self, Self::Stopping(_) | Self::Raced)
    }
}
