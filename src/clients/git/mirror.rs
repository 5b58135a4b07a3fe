//! The bare mirror of one project on the worker's disk: `<project id>.git`, with a lock file beside it.
//!
//! It holds full history, as a shallow one would give wrong merges, and only the refs that were asked for: the heads of merge
//! requests under GitLab's own names, target branches under `refs/targets/`, their slashes escaped so that a branch `a` that was
//! deleted never stands in the way of a new `a/b`. Nothing collects garbage in it; what lies scattered is packed (`pack`). A mirror
//! is a cache: a broken one is thrown away and fetched again.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use git2::{AutotagOption, FetchOptions, FetchPrune, Oid, RemoteCallbacks, Repository};

use super::exchange::Exchange;
use super::pack;
use super::progress::Progress;
use super::transport::Route;
use super::{GitError, GitErrorKind};
use crate::model::{ProjectId, Sha};

/// Where refs land until it is known that all of them came.
const INCOMING: &str = "refs/seaworthy/incoming";

/// Where a mirror and what belongs to it lies.
#[derive(Debug, Clone)]
pub(super) struct Mirror {
    /// The bare repository.
    pub repository: PathBuf,
    /// The file whose lock guards it.
    pub lock: PathBuf,
    /// Exists after somebody found the repository broken while only reading.
    damaged: PathBuf,
}

/// One ref to fetch.
#[derive(Debug, Clone)]
pub(super) struct Want {
    /// Its name on the server, or the id of a commit.
    pub remote: String,
    /// Its name in the mirror.
    pub local: String,
    /// What to say when the server has none.
    pub missing: String,
}

/// What a fetch brought.
#[derive(Debug)]
pub(super) struct Received {
    /// One for each [`Want`], in their order.
    pub tips: Vec<Sha>,
    /// Objects that came over the wire.
    pub objects: usize,
}

impl Mirror {
    pub(super) fn of(mirrors: &Path, project: ProjectId) -> Self {
        Self {
            repository: mirrors.join(format!("{project}.git")),
            lock: mirrors.join(format!("{project}.lock")),
            damaged: mirrors.join(format!("{project}.damaged")),
        }
    }

    /// Opens it for reading; one that was never fetched is an error.
    pub(super) fn open(&self) -> Result<Repository, GitError> {
        if !self.repository.exists() {
            return Err(GitError::new(
                GitErrorKind::NotFound,
                self.repository.display().to_string(),
                "there is no mirror of this project yet: fetch comes first",
            ));
        }
        Repository::open_bare(&self.repository).map_err(|e| self.error("open the mirror", &e))
    }

    /// An error of libgit2 in this mirror.
    pub(super) fn error(&self, doing: &str, error: &git2::Error) -> GitError {
        GitError::libgit2(&self.repository, doing, error)
    }

    /// Remembers a damage that a reader met, so that the next fetch starts afresh.
    pub(super) fn note(&self, error: &GitError) {
        if error.damaged() {
            tracing::warn!(mirror = %self.repository.display(), %error, "the mirror is damaged, the next fetch makes it anew");
            if let Err(e) = fs::write(&self.damaged, error.to_string()) {
                tracing::warn!(file = %self.damaged.display(), error = %e, "cannot note the damage");
            }
        }
    }

    /// Fetches `wants`, all or none; the caller holds the exclusive lock. A damaged mirror is made anew, once.
    pub(super) fn fetch(
        &self,
        exchange: &Arc<Exchange>,
        wants: &[Want],
        progress: &mut Progress,
    ) -> Result<Received, GitError> {
        if self.damaged.exists() {
            self.discard("a build found it damaged")?;
        }
        let received = match self.fetch_once(exchange, wants, progress) {
            Err(error) if error.damaged() => {
                self.discard(&error.to_string())?;
                progress.restart();
                self.fetch_once(exchange, wants, progress)
            }
            done => done,
        }?;
        if let Err(error) = self.tidy(exchange, progress)
            && !exchange.cancelled()
        {
            // What was fetched is there all the same.
            tracing::warn!(mirror = %self.repository.display(), %error, "the mirror was not packed; tried again at the next fetch");
            self.note(&error);
        }
        Ok(received)
    }

    /// Packs what many fetches and merges left.
    fn tidy(&self, exchange: &Exchange, progress: &mut Progress) -> Result<(), GitError> {
        let Some(scattered) = pack::due(self)? else {
            return Ok(());
        };
        progress.say(format!("packing the mirror: {scattered}"));
        let began = Instant::now();
        pack::pack(self, &scattered, || !exchange.cancelled())?;
        tracing::info!(mirror = %self.repository.display(), took = ?began.elapsed(), "packed: {scattered}");
        Ok(())
    }

    fn fetch_once(
        &self,
        exchange: &Arc<Exchange>,
        wants: &[Want],
        progress: &mut Progress,
    ) -> Result<Received, GitError> {
        let repository = self.open_or_create()?;
        let incoming = |n: usize| format!("{INCOMING}/{n}");
        for n in 0..wants.len() {
            forget(&repository, &incoming(n)).map_err(|e| self.error("clean up refs", &e))?;
        }
        let specs: Vec<String> = wants
            .iter()
            .enumerate()
            .map(|(n, want)| format!("+{}:{}", want.remote, incoming(n)))
            .collect();
        let objects = self.download(&repository, exchange, &specs, progress)?;

        let mut tips = Vec::new();
        for (n, want) in wants.iter().enumerate() {
            let tip = match repository.refname_to_id(&incoming(n)) {
                Ok(tip) => tip,
                Err(e) if e.code() == git2::ErrorCode::NotFound => {
                    let missing = want.missing.as_str();
                    return Err(GitError::new(GitErrorKind::NotFound, exchange.place(), missing));
                }
                Err(e) => return Err(self.error("read a fetched ref", &e)),
            };
            // libgit2 asks for nothing that it believes to have: see that it has it.
            repository
                .find_commit(tip)
                .and_then(|commit| commit.tree())
                .map_err(|e| self.error("read a fetched commit", &e))?;
            tips.push(tip);
        }
        for (n, (want, tip)) in wants.iter().zip(&tips).enumerate() {
            repository
                .reference(&want.local, *tip, true, "fetch")
                .map_err(|e| self.error("write a ref", &e))?;
            forget(&repository, &incoming(n)).map_err(|e| self.error("clean up refs", &e))?;
        }
        Ok(Received {
            tips: tips.into_iter().map(sha).collect(),
            objects,
        })
    }

    fn download(
        &self,
        repository: &Repository,
        exchange: &Arc<Exchange>,
        specs: &[String],
        progress: &mut Progress,
    ) -> Result<usize, GitError> {
        let route = Route::open(Arc::clone(exchange));
        let mut remote = repository
            .remote_anonymous(&route.url())
            .map_err(|e| self.error("prepare the fetch", &e))?;
        let progress = RefCell::new(progress);
        let mut callbacks = RemoteCallbacks::new();
        callbacks.transfer_progress(|stats| {
            let (done, total) = (stats.received_objects(), stats.total_objects());
            progress.borrow_mut().objects(done, total, exchange.received());
            !exchange.cancelled()
        });
        callbacks.sideband_progress(|words| {
            progress.borrow_mut().server(words);
            !exchange.cancelled()
        });
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(callbacks)
            .prune(FetchPrune::Off)
            .download_tags(AutotagOption::None)
            .update_fetchhead(false);
        let fetched = remote.fetch(specs, Some(&mut options), Some("fetch"));
        match fetched {
            Ok(()) => Ok(remote.stats().received_objects()),
            Err(error) => Err(self.fetch_error(exchange, &error)),
        }
    }

    /// The exchange knows best why a fetch ended; after it, damage and disk; what is left is the server's.
    fn fetch_error(&self, exchange: &Exchange, error: &git2::Error) -> GitError {
        if exchange.cancelled() {
            return GitError::cancelled(exchange.place());
        }
        if let Some(failure) = exchange.failure() {
            return failure;
        }
        let local = self.error("fetch", error);
        if local.disk_full() || local.damaged() || error.class() == git2::ErrorClass::Os {
            return local;
        }
        GitError::new(
            GitErrorKind::Unreachable,
            exchange.place(),
            format!("the Git server's answer was no good: {}", error.message().trim_end()),
        )
    }

    fn open_or_create(&self) -> Result<Repository, GitError> {
        if self.repository.exists() {
            self.sweep()
                .map_err(|e| GitError::io(&self.repository, "remove what a dead fetch left", &e))?;
            return self.open();
        }
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).mkpath(true).external_template(false);
        Repository::init_opts(&self.repository, &options).map_err(|e| self.error("make the mirror", &e))
    }

    /// Removes locks and half-written files: under the exclusive lock nobody alive can own them.
    fn sweep(&self) -> io::Result<()> {
        let at = |path: &str| self.repository.join(path);
        sweep(&at(""), &|name| name.ends_with(".lock"), false)?;
        sweep(&at("refs"), &|name| name.ends_with(".lock"), true)?;
        // Names of git_futils_mktmp in libgit2, and of Git itself.
        sweep(&at("objects"), &|name| name.starts_with("tmp_"), false)?;
        let packs = at("objects/pack");
        let half_pack = |name: &str| {
            name.starts_with("tmp_")
                || name.starts_with("pack_git2_")
                || name.ends_with(".lock")
                // The pack went first, the index was to follow.
                || name.ends_with(".idx") && !packs.join(name).with_extension("pack").exists()
        };
        sweep(&packs, &half_pack, false)
    }

    fn discard(&self, why: &str) -> Result<(), GitError> {
        tracing::warn!(mirror = %self.repository.display(), why, "throwing a damaged mirror away, it is fetched anew");
        for path in [&self.repository, &self.damaged] {
            let removed = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
            match removed {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(GitError::io(path, "remove the damaged mirror", &e));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Name in the mirror of a target branch.
pub(super) fn target_ref(branch: &str) -> String {
    format!("refs/targets/{}", branch.replace('%', "%25").replace('/', "%2F"))
}

/// Does this error of a fetch by id say that the server will not hand the commit out?
///
/// Git says "not our ref" where its version lets it, else its answer (a 200) ends without a word.
pub(super) fn commit_withheld(error: &GitError) -> bool {
    let text = error.to_string();
    [
        "not our ref",
        "cannot fetch a specific object",
        "could not read from remote repository",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// libgit2's id as one of ours.
pub(super) fn sha(id: Oid) -> Sha {
    id.to_string()
        .parse()
        .expect("libgit2 writes ids in hexadecimal and no object has the zero id")
}

fn forget(repository: &Repository, name: &str) -> Result<(), git2::Error> {
    match repository.find_reference(name) {
        Ok(mut reference) => reference.delete(),
        Err(e) if e.code() == git2::ErrorCode::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

fn sweep(dir: &Path, dead: &dyn Fn(&str) -> bool, deep: bool) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    for entry in entries {
        let entry = entry?;
        let is_dir = entry.file_type()?.is_dir();
        if is_dir && deep {
            sweep(&entry.path(), dead, deep)?;
        } else if !is_dir && entry.file_name().to_str().is_some_and(dead) {
            tracing::info!(file = %entry.path().display(), "removing what a dead fetch left");
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_branches_never_stand_in_each_others_way() {
        assert_eq!(target_ref("main"), "refs/targets/main");
        assert_eq!(target_ref("a/b"), "refs/targets/a%2Fb");
        assert_ne!(target_ref("a%2Fb"), target_ref("a/b"));
        assert!(git2::Reference::is_valid_name(&target_ref("release/1.x")));
    }
}
