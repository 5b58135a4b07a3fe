//! Real Git for the stand-in's repositories: bare on disk, changed through throw-away clones.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use super::merge::Strategy;
use super::state::User;
use crate::process::run;

/// A path in the repository and its new content.
pub type Edit<'a> = (&'a str, &'a str);

/// Runs git in a repository, away from the machine's own configuration.
pub(crate) async fn git(folder: &Path, words: &[&str]) -> Result<String> {
    let mut command = command();
    command.arg("-C").arg(folder).args(words);
    Ok(run(&mut command).await?.trim_end().to_owned())
}

/// Whether git succeeds.
pub(crate) async fn git_says_yes(folder: &Path, words: &[&str]) -> bool {
    git(folder, words).await.is_ok()
}

/// Makes a bare repository whose first commit holds the files of a folder.
pub(crate) async fn create(bare: &Path, files: &Path, branch: &str, author: &User) -> Result<()> {
    init(bare, branch).await?;
    let clone = Clone::new(bare.parent().context("a repository at the root")?)?;
    git(clone.path(), &["init", "-q", "-b", branch]).await?;
    let mut copy = Command::new("cp");
    copy.arg("-a").arg("--").arg(files.join(".")).arg(clone.path());
    run(&mut copy)
        .await
        .with_context(|| format!("cannot read the files of {}", files.display()))?;
    commit(clone.path(), "First version", author).await?;
    let target = bare.display().to_string();
    git(
        clone.path(),
        &["push", "-q", &target, &format!("HEAD:refs/heads/{branch}")],
    )
    .await?;
    Ok(())
}

/// Makes a fork: a bare copy.
pub(crate) async fn fork(from: &Path, to: &Path, branch: &str) -> Result<()> {
    init(to, branch).await?;
    git(
        to,
        &["fetch", "-q", &from.display().to_string(), "+refs/heads/*:refs/heads/*"],
    )
    .await?;
    Ok(())
}

/// Commits edits on `branch`, which is made from `from` if that is given, and returns the new tip.
pub(crate) async fn change(
    bare: &Path,
    branch: &str,
    from: Option<&str>,
    edits: &[Edit<'_>],
    message: &str,
    author: &User,
) -> Result<String> {
    let clone = Clone::new(bare.parent().context("a repository at the root")?)?;
    let source = bare.display().to_string();
    let base = from.unwrap_or(branch);
    git(clone.path(), &["clone", "-q", "--branch", base, &source, "."]).await?;
    for (path, content) in edits {
        let file = clone.path().join(path);
        std::fs::create_dir_all(file.parent().context("an edit of the root")?)?;
        std::fs::write(&file, content).with_context(|| format!("cannot write {path}"))?;
    }
    commit(clone.path(), message, author).await?;
    git(
        clone.path(),
        &["push", "-q", "--force", &source, &format!("HEAD:refs/heads/{branch}")],
    )
    .await?;
    git(clone.path(), &["rev-parse", "HEAD"]).await
}

/// Merges a ref into a branch, and returns the branch's new tip.
pub(crate) async fn merge(
    bare: &Path,
    branch: &str,
    head: &str,
    strategy: Strategy,
    message: &str,
    by: &User,
) -> Result<String> {
    let clone = Clone::new(bare.parent().context("a repository at the root")?)?;
    let source = bare.display().to_string();
    git(clone.path(), &["clone", "-q", "--branch", branch, &source, "."]).await?;
    git(clone.path(), &["fetch", "-q", "origin", &format!("{head}:merged")]).await?;
    git(clone.path(), &["config", "user.name", &by.name]).await?;
    git(clone.path(), &["config", "user.email", &by.email]).await?;
    match strategy {
        Strategy::MergeCommit => {
            git(clone.path(), &["merge", "-q", "--no-ff", "-m", message, "merged"]).await?;
        }
        Strategy::FastForward => {
            git(clone.path(), &["merge", "-q", "--ff-only", "merged"]).await?;
        }
        Strategy::Squash => {
            git(clone.path(), &["merge", "-q", "--squash", "merged"]).await?;
            commit(clone.path(), message, by).await?;
        }
        Strategy::Rebase => {
            git(clone.path(), &["rebase", "-q", "--force-rebase", branch, "merged"]).await?;
        }
    }
    git(
        clone.path(),
        &["push", "-q", &source, &format!("HEAD:refs/heads/{branch}")],
    )
    .await?;
    git(clone.path(), &["rev-parse", "HEAD"]).await
}

/// Sets `refs/merge-requests/<iid>/head` in the target to the tip of the source's branch, as GitLab does before the hook.
pub(crate) async fn set_head(target: &Path, source: &Path, branch: &str, iid: u64) -> Result<()> {
    let spec = format!("+refs/heads/{branch}:refs/merge-requests/{iid}/head");
    git(target, &["fetch", "-q", &source.display().to_string(), &spec]).await?;
    Ok(())
}

fn command() -> Command {
    let mut command = Command::new("git");
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE");
    command
}

async fn init(bare: &Path, branch: &str) -> Result<()> {
    std::fs::create_dir_all(bare)?;
    git(bare, &["init", "-q", "--bare", "-b", branch]).await?;
    // As GitLab sets it: a commit can be fetched by its SHA.
    git(bare, &["config", "uploadpack.allowAnySHA1InWant", "true"]).await?;
    git(bare, &["config", "gc.auto", "0"]).await?;
    Ok(())
}

async fn commit(folder: &Path, message: &str, author: &User) -> Result<()> {
    git(folder, &["add", "--all"]).await?;
    let name = format!("user.name={}", author.name);
    let email = format!("user.email={}", author.email);
    git(
        folder,
        &[
            "-c",
            &name,
            "-c",
            &email,
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            message,
        ],
    )
    .await?;
    Ok(())
}

/// A folder for one change, removed afterwards.
struct Clone(tempfile::TempDir);

impl Clone {
    fn new(beside: &Path) -> Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix(".clone-").tempdir_in(beside)?))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Where a project's repository stands.
pub(crate) fn place(root: &Path, project: &str) -> PathBuf {
    root.join("repositories").join(format!("{project}.git"))
}
