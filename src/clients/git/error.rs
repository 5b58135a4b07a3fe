//! What can go wrong with Git, sorted by what the caller does about it: wait, stop asking, tell the developer, tell the administrator.

use std::error::Error as _;
use std::io;
use std::path::Path;

/// What to do about a [`GitError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitErrorKind {
    /// The server did not answer, or not with Git's protocol: worth another try later.
    Unreachable,
    /// The server refused the token. Not to be retried: GitLab bans an address for an hour after 30 refusals in 3 minutes.
    Refused,
    /// The project, the branch or the commit does not exist, or the token may not see it.
    NotFound,
    /// The project's tree cannot be written out (too large, forbidden names): the project's fault.
    BadTree,
    /// This machine is at fault: disk full, a damaged mirror, wrong options.
    Local,
    /// The caller's token was cancelled.
    Cancelled,
}

/// An error of Git: where (address without credentials, or path), what, and what to do next.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{place}: {cause}")]
pub struct GitError {
    kind: GitErrorKind,
    place: String,
    cause: String,
    disk_full: bool,
    damaged: bool,
}

impl GitError {
    /// What to do about it.
    pub fn kind(&self) -> GitErrorKind {
        self.kind
    }

    /// Is a disk (or a quota) full? Then other builds on this machine will fail as well.
    pub fn disk_full(&self) -> bool {
        self.disk_full
    }

    /// Is the mirror itself broken, so that fetching it anew would help?
    pub(super) fn damaged(&self) -> bool {
        self.damaged
    }

    pub(super) fn new(kind: GitErrorKind, place: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            kind,
            place: place.into(),
            cause: cause.into(),
            disk_full: false,
            damaged: false,
        }
    }

    pub(super) fn cancelled(place: impl Into<String>) -> Self {
        Self::new(GitErrorKind::Cancelled, place, "cancelled")
    }

    /// An error of the file system.
    pub(super) fn io(path: &Path, doing: &str, error: &io::Error) -> Self {
        let cause = format!("cannot {doing}: {error}");
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        Self::local(path.display().to_string(), cause, full)
    }

    /// An error of libgit2 in the mirror at `path`.
    ///
    /// libgit2 keeps no error number, only the text of `strerror`, so that a full disk is known by its words.
    pub(super) fn libgit2(path: &Path, doing: &str, error: &git2::Error) -> Self {
        use git2::ErrorClass as Class;
        let message = error.message();
        let place = path.display().to_string();
        let cause = format!("cannot {doing}: {message}");
        let full = message.contains("No space left on device") || message.contains("Disk quota exceeded");
        let mut result = Self::local(place, cause, full);
        let broken = matches!(
            error.class(),
            Class::Odb
                | Class::Zlib
                | Class::Object
                | Class::Tree
                | Class::Reference
                | Class::Repository
                | Class::Config
                | Class::Sha1
        ) || message.contains("missing delta bases")
            || message.contains("packfile");
        result.damaged = broken && !full;
        result
    }

    /// An error of the connection to `url`.
    pub(super) fn http(url: &str, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut cause = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            let text = inner.to_string();
            if !cause.contains(&text) {
                cause = format!("{cause}: {text}");
            }
            source = inner.source();
        }
        if error.is_timeout() {
            cause = format!("the Git server kept silent until the time limit ({cause})");
        }
        Self::new(GitErrorKind::Unreachable, url, cause)
    }

    /// An answer with an HTTP status that is no success; `said` is the first line of its body, may be empty.
    pub(super) fn status(url: &str, status: reqwest::StatusCode, said: &str) -> Self {
        let (kind, what) = match status.as_u16() {
            401 | 403 => (
                GitErrorKind::Refused,
                "the Git server refused the token: check gitlab.token, it needs read_repository",
            ),
            404 => (
                GitErrorKind::NotFound,
                "the Git server knows no such project: it was moved or deleted, or the token may not see it",
            ),
            _ => (GitErrorKind::Unreachable, "the Git server could not serve the request"),
        };
        let said = if said.is_empty() {
            String::new()
        } else {
            format!("; it said: {said}")
        };
        Self::new(kind, url, format!("{what} (HTTP {status}{said})"))
    }

    fn local(place: String, cause: String, disk_full: bool) -> Self {
        let cause = if disk_full {
            format!("the disk is full, free some space ({cause})")
        } else {
            cause
        };
        Self {
            disk_full,
            ..Self::new(GitErrorKind::Local, place, cause)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_known_by_number_and_by_words() {
        let path = Path::new("mirrors/7.git");
        let by_number = GitError::io(path, "write a file", &io::Error::from_raw_os_error(28));
        let by_words = GitError::libgit2(
            path,
            "fetch",
            &git2::Error::new(
                git2::ErrorCode::GenericError,
                git2::ErrorClass::Os,
                "cannot extend packfile 'x': No space left on device",
            ),
        );
        for error in [by_number, by_words] {
            assert!(error.disk_full(), "{error}");
            assert!(!error.damaged(), "{error}");
            assert_eq!(error.kind(), GitErrorKind::Local);
            assert!(
                error.to_string().starts_with("mirrors/7.git: the disk is full"),
                "{error}"
            );
        }
        let other = GitError::io(path, "write a file", &io::Error::from_raw_os_error(13));
        assert!(!other.disk_full(), "{other}");
    }

    #[test]
    fn the_status_decides_whether_asking_again_makes_sense() {
        for (status, kind) in [
            (401, GitErrorKind::Refused),
            (403, GitErrorKind::Refused),
            (404, GitErrorKind::NotFound),
            (429, GitErrorKind::Unreachable),
            (500, GitErrorKind::Unreachable),
            (503, GitErrorKind::Unreachable),
        ] {
            let status = reqwest::StatusCode::from_u16(status).expect("a status");
            let error = GitError::status("https://gitlab.example.com/a/b.git", status, "sorry");
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains("it said: sorry"), "{error}");
        }
    }
}
