//! The merge of a merge request, computed in the mirror: what would be on the target branch afterwards is what gets built.
//!
//! GitLab's own `refs/merge-requests/<iid>/merge` is not used, as it is written only by GitLab's mergeability check and does not
//! follow the target branch (gitlab-ce#47110).

use std::path::Path;

use git2::{Commit as GitCommit, Oid, Repository, Signature, Sort, Time};

use super::mirror::{Mirror, sha};
use super::{GitError, GitErrorKind};
use crate::model::{Commit, Sha};

/// So many commits of a merge request are recorded at most, the newest.
pub const COMMITS: usize = 250;

/// How a merge ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// It can be merged.
    Tree {
        /// The tree to build.
        tree: Sha,
        /// Commit of that tree: the head where the target can be moved forward to it, the target's tip where the head is already
        /// in it, else a merge commit that exists in the mirror only. Same head and target give the same commit.
        commit: Sha,
        /// Commits that are in the head and not in the target, newest first, [`COMMITS`] at most.
        commits: Vec<Commit>,
    },
    /// It cannot: both sides changed these files, sorted.
    Conflict {
        /// Paths in the repository.
        files: Vec<String>,
    },
    /// It cannot: head and target have no commit in common.
    Unrelated,
}

/// Merges `head` into `target` without touching any ref.
pub(super) fn merge(mirror: &Mirror, head: &Sha, target: &Sha) -> Result<Merged, GitError> {
    let repository = mirror.open()?;
    let head = commit(&repository, mirror, head)?;
    let target = commit(&repository, mirror, target)?;
    compute(&repository, &head, &target).map_err(|e| mirror.error("merge", &e))
}

/// The commits from `since` to `head`, or `head` alone.
pub(super) fn since(mirror: &Mirror, head: &Sha, since: Option<&Sha>) -> Result<Vec<Commit>, GitError> {
    let repository = mirror.open()?;
    let head = commit(&repository, mirror, head)?;
    // One that a forced push took away and that never came here counts as none.
    let since = since.and_then(|since| commit(&repository, mirror, since).ok());
    let failed = |e: git2::Error| mirror.error("list commits", &e);
    let found = match &since {
        Some(since) => commits(&repository, &head, since).map_err(failed)?,
        None => Vec::new(),
    };
    Ok(if found.is_empty() { vec![told(&head)] } else { found })
}

/// Finds a commit in the mirror. One that a ref names and that is missing all the same is a damage: libgit2 passes over a pack
/// that it cannot open.
pub(super) fn commit<'r>(repository: &'r Repository, mirror: &Mirror, id: &Sha) -> Result<GitCommit<'r>, GitError> {
    let wanted = oid(&mirror.repository, id)?;
    repository.find_commit(wanted).map_err(|e| {
        if e.code() == git2::ErrorCode::NotFound && !named(repository, wanted) {
            GitError::new(
                GitErrorKind::NotFound,
                mirror.repository.display().to_string(),
                format!("commit {id} is not in the mirror: fetch it first"),
            )
        } else {
            mirror.error("read a commit", &e)
        }
    })
}

fn named(repository: &Repository, id: Oid) -> bool {
    repository
        .references()
        .is_ok_and(|mut refs| refs.any(|r| r.is_ok_and(|r| r.target() == Some(id))))
}

/// Our id as one of libgit2.
pub(super) fn oid(place: &Path, id: &Sha) -> Result<Oid, GitError> {
    Oid::from_str(id.as_str()).map_err(|_| {
        GitError::new(
            GitErrorKind::Local,
            place.display().to_string(),
            format!("{id} is an id of SHA-256: such repositories cannot be built yet"),
        )
    })
}

fn compute(repository: &Repository, head: &GitCommit<'_>, target: &GitCommit<'_>) -> Result<Merged, git2::Error> {
    let base = match repository.merge_base(head.id(), target.id()) {
        Ok(base) => base,
        Err(e) if e.code() == git2::ErrorCode::NotFound => return Ok(Merged::Unrelated),
        Err(e) => return Err(e),
    };
    let (tree, commit) = if base == target.id() {
        (head.tree_id(), head.id())
    } else if base == head.id() {
        (target.tree_id(), target.id())
    } else {
        let mut index = repository.merge_commits(target, head, None)?;
        if index.has_conflicts() {
            return Ok(Merged::Conflict {
                files: conflicts(&index)?,
            });
        }
        let tree = index.write_tree_to(repository)?;
        (tree, write(repository, tree, target, head)?)
    };
    Ok(Merged::Tree {
        tree: sha(tree),
        commit: sha(commit),
        commits: commits(repository, head, target)?,
    })
}

fn conflicts(index: &git2::Index) -> Result<Vec<String>, git2::Error> {
    let mut files = Vec::new();
    for conflict in index.conflicts()? {
        let conflict = conflict?;
        for side in [conflict.our, conflict.their, conflict.ancestor] {
            files.extend(side.map(|entry| String::from_utf8_lossy(&entry.path).into_owned()));
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// The merge commit: its date is the younger parent's, not the clock's, so that the same merge is the same commit.
fn write(repository: &Repository, tree: Oid, target: &GitCommit<'_>, head: &GitCommit<'_>) -> Result<Oid, git2::Error> {
    let seconds = head.time().seconds().max(target.time().seconds());
    let who = Signature::new("Seaworthy", "seaworthy@localhost", &Time::new(seconds, 0))?;
    let message = format!("Merge {} into {}\n", head.id(), target.id());
    let tree = repository.find_tree(tree)?;
    repository.commit(None, &who, &who, &message, &tree, &[target, head])
}

fn commits(repository: &Repository, head: &GitCommit<'_>, target: &GitCommit<'_>) -> Result<Vec<Commit>, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
    walk.push(head.id())?;
    walk.hide(target.id())?;
    let mut commits = Vec::new();
    for id in walk.take(COMMITS) {
        commits.push(told(&repository.find_commit(id?)?));
    }
    Ok(commits)
}

fn told(commit: &GitCommit<'_>) -> Commit {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let author = commit.author();
    Commit {
        sha: sha(commit.id()),
        subject: text(commit.summary_bytes().unwrap_or_default()),
        author_name: text(author.name_bytes()),
        author_email: text(author.email_bytes()),
        committer_email: text(commit.committer().email_bytes()),
        authored_at: author.when().seconds(),
    }
}
