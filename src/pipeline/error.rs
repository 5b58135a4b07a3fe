//! How a stage ends other than well.

use crate::clients::engine::{BuildError, EngineError, FilesError};
use crate::clients::git::{GitError, GitErrorKind};
use crate::clients::gitlab::GitLabError;
use crate::clients::registry::RegistryError;
use crate::model::Finding;

/// Not an image.
#[derive(Debug)]
pub enum StageError {
    /// The project is at fault: shown to its author, never tried again.
    Failed(Box<Finding>),
    /// The world is at fault.
    World(WorldError),
    /// GitLab says that the merge request has moved on: a newer build will come.
    Superseded(String),
    /// Somebody asked for it, or the worker stops: the run's token is cancelled.
    Stopped,
}

/// What the world did wrong: where, what, and whether waiting may help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WorldError {
    /// With the address and the cause.
    pub message: String,
    /// Is another attempt worth it? A refused password does not mend itself.
    pub try_again: bool,
}

impl StageError {
    /// The world's fault, to be tried again.
    pub fn world(message: impl Into<String>) -> Self {
        Self::World(WorldError {
            message: message.into(),
            try_again: true,
        })
    }

    /// The world's fault, which trying again does not mend.
    pub fn broken_world(message: impl Into<String>) -> Self {
        Self::World(WorldError {
            message: message.into(),
            try_again: false,
        })
    }
}

impl From<Finding> for StageError {
    fn from(finding: Finding) -> Self {
        Self::Failed(Box::new(finding))
    }
}

impl From<EngineError> for StageError {
    fn from(error: EngineError) -> Self {
        Self::World(WorldError {
            try_again: error.is_transient(),
            message: error.to_string(),
        })
    }
}

impl From<RegistryError> for StageError {
    fn from(error: RegistryError) -> Self {
        Self::World(WorldError {
            try_again: error.is_transient(),
            message: error.to_string(),
        })
    }
}

impl From<GitLabError> for StageError {
    fn from(error: GitLabError) -> Self {
        Self::World(WorldError {
            try_again: error.is_transient(),
            message: error.to_string(),
        })
    }
}

impl From<GitError> for StageError {
    fn from(error: GitError) -> Self {
        match error.kind() {
            GitErrorKind::Cancelled => Self::Stopped,
            GitErrorKind::BadTree => Finding::new(
                "bad-tree",
                format!("The repository cannot be checked out: {error}"),
                "Look at the named path in the repository; it is not what a Java web application holds.",
            )
            .into(),
            GitErrorKind::Unreachable | GitErrorKind::Local => Self::world(error.to_string()),
            // GitLab hands the refs of a merge request out a little later than the hook.
            GitErrorKind::NotFound => Self::world(error.to_string()),
            GitErrorKind::Refused => Self::broken_world(error.to_string()),
        }
    }
}

impl From<FilesError> for StageError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::Refused { .. } => Finding::new(
                "files-refused",
                format!("A file of the project is refused: {error}"),
                "Remove it, or replace the link by the file itself.",
            )
            .into(),
            FilesError::Io { .. } => Self::world(format!("the worker's disk: {error}")),
            FilesError::Engine(error) => error.into(),
        }
    }
}

impl From<BuildError> for StageError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Dockerfile(message) => Finding::new(
                "image-build",
                "The engine could not build the image from the generated Dockerfile",
                "The project cannot mend this: tell the platform team, who own the stack and its template.",
            )
            .with_detail([message])
            .into(),
            BuildError::Engine(error) => error.into(),
        }
    }
}

impl From<sqlx::Error> for StageError {
    fn from(error: sqlx::Error) -> Self {
        Self::world(format!("Postgres: {error}"))
    }
}

impl From<std::io::Error> for StageError {
    fn from(error: std::io::Error) -> Self {
        Self::world(format!("the worker's disk: {error}"))
    }
}
