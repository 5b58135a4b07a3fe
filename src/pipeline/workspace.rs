//! Directories of running builds: one an attempt, named so that its owner is known, removed at its end.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::BuildId;

/// The place where the directories are.
#[derive(Debug, Clone)]
pub struct Workspaces(PathBuf);

/// The directory of one attempt.
#[derive(Debug, Clone)]
pub struct Workspace(PathBuf);

impl Workspaces {
    /// Below the storage directory; made when missing.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(storage: &Path) -> io::Result<Self> {
        let directory = storage.join("work");
        std::fs::create_dir_all(&directory)?;
        Ok(Self(std::fs::canonicalize(directory)?))
    }

    /// An empty directory for this attempt.
    ///
    /// # Errors
    /// The disk is full or refuses.
    pub async fn create(&self, build: BuildId, attempt: i32) -> io::Result<Workspace> {
        let directory = self.0.join(format!("{build}-{attempt}"));
        remove(&directory).await?;
        tokio::fs::create_dir_all(&directory).await?;
        Ok(Workspace(directory))
    }

    /// Removes the directory of this attempt; not there is success.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn remove(&self, build: BuildId, attempt: i32) -> io::Result<()> {
        remove(&self.0.join(format!("{build}-{attempt}"))).await
    }

    /// The directories of all attempts that are on this disk.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn list(&self) -> io::Result<Vec<(BuildId, i32, Workspace)>> {
        let mut found = Vec::new();
        let mut entries = tokio::fs::read_dir(&self.0).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name();
            let owner = name.to_str().and_then(|name| {
                let (build, attempt) = name.split_once('-')?;
                Some((BuildId(build.parse().ok()?), attempt.parse().ok()?))
            });
            if let Some((build, attempt)) = owner {
                found.push((build, attempt, Workspace(entry.path())));
            }
        }
        Ok(found)
    }
}

impl Workspace {
    /// Where the merge result is checked out.
    pub fn source(&self) -> PathBuf {
        self.0.join("source")
    }

    /// Where the results of the build container are put.
    pub fn results(&self) -> PathBuf {
        self.0.join("results")
    }

    /// Where test reports are put, empty: those of a run of Maven that went on are fetched again.
    ///
    /// # Errors
    /// The disk is full or refuses.
    pub async fn empty_reports(&self) -> io::Result<PathBuf> {
        let directory = self.results().join("reports");
        remove(&directory).await?;
        tokio::fs::create_dir_all(&directory).await?;
        Ok(directory)
    }

    /// Removes the directory with everything in it.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn remove(&self) -> io::Result<()> {
        remove(&self.0).await
    }
}

async fn remove(directory: &Path) -> io::Result<()> {
    match tokio::fs::remove_dir_all(directory).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
