//! One mirror, one writer: a lock on a file beside the mirror, which holds between threads and between processes alike and
//! which the kernel lets go of when its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::GitError;

/// How often a taken lock is tried again: short against a fetch, long against the call itself.
const RETRY: Duration = Duration::from_millis(20);

/// Who else may have the lock at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nobody: refs and packs are changed.
    Exclusive,
    /// Other readers. Adding single objects counts as reading, as Git writes each under its own name at once.
    Shared,
}

/// The lock; let go of when dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock on `path`, a file that is made when missing and never removed (removing it would let two in).
    pub(super) async fn take(path: &Path, mode: Mode, cancel: &CancellationToken) -> Result<Self, GitError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(|e| GitError::io(path, "open the mirror's lock", &e))?;
        loop {
            let tried = match mode {
                Mode::Exclusive => file.try_lock(),
                Mode::Shared => file.try_lock_shared(),
            };
            match tried {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(e)) => {
                    return Err(GitError::io(path, "lock the mirror", &e));
                }
                Err(TryLockError::WouldBlock) => {}
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(GitError::cancelled(path.display().to_string())),
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_writer_keeps_all_others_out_and_readers_only_writers() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("7.lock");
        let go = CancellationToken::new();
        let stop = CancellationToken::new();
        stop.cancel();

        let writer = Lock::take(&path, Mode::Exclusive, &go).await.expect("free");
        for mode in [Mode::Exclusive, Mode::Shared] {
            let error = Lock::take(&path, mode, &stop).await.expect_err("taken");
            assert_eq!(error.kind(), super::super::GitErrorKind::Cancelled);
        }
        drop(writer);

        let _reader = Lock::take(&path, Mode::Shared, &go).await.expect("free");
        Lock::take(&path, Mode::Shared, &stop).await.expect("readers share");
        Lock::take(&path, Mode::Exclusive, &stop)
            .await
            .expect_err("a reader is there");
    }
}
