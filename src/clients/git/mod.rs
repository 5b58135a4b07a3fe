//! Git: brings a merge request's head and its target branch into a mirror, merges them there and writes the result to a directory.
//!
//! libgit2 does the protocol and the objects, the application's HTTP client the connection (`transport`). All of it blocks, so
//! each call runs on a blocking thread and ends when its future is dropped or its token cancelled. One mirror has one writer at a
//! time, over all processes that share the disk (`lock`).
//!
//! The address is always `<base>/<project>.git`, never one that a payload names, and the token goes out once per request, as a
//! header: not in an address, not in an error, not to another server.

mod error;
mod exchange;
mod links;
mod lock;
mod merge;
mod mirror;
mod pack;
mod progress;
mod refs;
mod transport;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use reqwest::{Client, ClientBuilder, Url};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

pub use error::{GitError, GitErrorKind};
pub use merge::{COMMITS, Merged};
pub use tree::Checkout;

use crate::model::{Commit, ProjectId, ProjectPath, Sha};
use exchange::Exchange;
use lock::{Lock, Mode};
use mirror::{Mirror, Received, Want};
use progress::Progress;

/// What the client must know.
#[derive(Debug, Clone)]
pub struct GitOptions {
    /// Directory of the mirrors, absolute; made when missing.
    pub mirrors: PathBuf,
    /// User name that goes with the token: any for a personal, project or group token, `oauth2` for an OAuth token, its own for a
    /// deploy token.
    pub username: String,
    /// The token; needs `read_repository`.
    pub token: SecretString,
    /// Address of GitLab, for example `https://gitlab.example.com`; may have a path.
    pub base_url: String,
    /// Time to reach the server.
    pub connect_timeout: Duration,
    /// Time in which the server must send something, the first answer included.
    pub read_timeout: Duration,
}

/// The client; cheap to clone.
#[derive(Debug, Clone)]
pub struct Git {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    mirrors: PathBuf,
    base: Url,
    token: SecretString,
    authorization: HeaderValue,
    http: Client,
}

/// What a fetch brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Head of the merge request, as the server has it now: to be compared with the one that was announced. Without a merge
    /// request the tip of the branch.
    pub head: Sha,
    /// Tip of the target branch.
    pub target_tip: Sha,
    /// Bytes that came over the wire, the list of refs included.
    pub received_bytes: u64,
    /// Objects that came over the wire; 0 when all were there.
    pub objects: usize,
}

impl Git {
    /// Checks the options and makes the directory of the mirrors.
    ///
    /// `http` brings company CA and proxy; time limits and the rule for redirects (inside the same server only) are set here. A
    /// crypto provider of rustls must be installed.
    pub fn new(options: GitOptions, http: ClientBuilder) -> Result<Self, GitError> {
        let base = base(&options.base_url)?;
        let refuse = |place: &str, why: &str| Err(GitError::new(GitErrorKind::Local, place.to_owned(), why));
        if options.username.is_empty() || options.username.contains(':') {
            return refuse(
                base.as_str(),
                "the user name for Git must not be empty nor hold a colon",
            );
        }
        let mirrors = options.mirrors;
        if !mirrors.is_absolute() {
            return refuse(
                &mirrors.display().to_string(),
                "the directory of the mirrors must be an absolute path",
            );
        }
        std::fs::create_dir_all(&mirrors)
            .map_err(|e| GitError::io(&mirrors, "make the directory of the mirrors", &e))?;
        transport::register()?;
        let http = exchange::bound_redirects(http)
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.read_timeout)
            .build()
            .map_err(|e| GitError::http(base.as_str(), e))?;
        let pair = format!("{}:{}", options.username, options.token.expose_secret());
        let mut authorization =
            HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).expect("base64 is fit for a header");
        authorization.set_sensitive(true);
        Ok(Self {
            inner: Arc::new(Inner {
                mirrors,
                base,
                token: options.token,
                authorization,
                http,
            }),
        })
    }

    /// Says which libgit2 is built in, after a file was written to the mirrors' directory and removed again. For the server see
    /// [`Git::ls_remote`].
    pub async fn check(&self) -> Result<String, GitError> {
        let probe = self.inner.mirrors.join(".check");
        let written = tokio::fs::write(&probe, b"seaworthy").await;
        written.map_err(|e| GitError::io(&probe, "write to the directory of the mirrors", &e))?;
        let removed = tokio::fs::remove_file(&probe).await;
        removed.map_err(|e| GitError::io(&probe, "remove a file of our own", &e))?;
        Ok(version())
    }

    /// What `reference` (whole name, for example `refs/heads/main` or `HEAD`) points at on the server; `None` when it has none.
    pub async fn ls_remote(&self, project: &ProjectPath, reference: &str) -> Result<Option<Sha>, GitError> {
        let exchange = self.exchange(project, &CancellationToken::new())?;
        let mut response = exchange.refs().await?;
        let mut list = Vec::new();
        while let Some(bytes) = exchange.chunk(&mut response).await? {
            list.extend_from_slice(&bytes);
        }
        refs::find(&list, reference).map_err(|cause| GitError::new(GitErrorKind::Unreachable, exchange.place(), cause))
    }

    /// Brings the merge request's head, if there is one, and its target branch into the project's mirror; only what is missing
    /// is transferred.
    ///
    /// `on_progress` gets lines for the log. Cancelling `cancel` ends it at once, even while the server keeps silent. A damaged
    /// mirror, and what a process left that died in the middle, is mended on the way.
    pub async fn fetch(
        &self,
        project: &ProjectPath,
        project_id: ProjectId,
        iid: Option<i64>,
        target_branch: &str,
        cancel: &CancellationToken,
        on_progress: impl FnMut(String) + Send + 'static,
    ) -> Result<Fetched, GitError> {
        let branch = format!("refs/heads/{target_branch}");
        if !git2::Reference::is_valid_name(&branch) {
            return Err(GitError::new(
                GitErrorKind::NotFound,
                self.url(project)?.as_str(),
                format!("{target_branch:?} cannot be the name of a branch"),
            ));
        }
        let mut wants = vec![Want {
            local: mirror::target_ref(target_branch),
            missing: format!("there is no branch {target_branch}: was it deleted?"),
            remote: branch,
        }];
        wants.extend(iid.map(|iid| {
            let head = format!("refs/merge-requests/{iid}/head");
            Want {
                local: head.clone(),
                missing: format!(
                    "there is no {head}: GitLab removes it 14 days after the merge request was merged or closed"
                ),
                remote: head,
            }
        }));
        let (received, bytes) = self.receive(project, project_id, wants, cancel, on_progress).await?;
        let tip = |tip: Option<&Sha>| {
            tip.expect("a fetch returns one tip for each ref that was wanted")
                .clone()
        };
        Ok(Fetched {
            head: tip(received.tips.last()),
            target_tip: tip(received.tips.first()),
            received_bytes: bytes,
            objects: received.objects,
        })
    }

    /// Brings one commit by its id, where no ref leads to it (yet); `false` when the server does not know it or hands out refs only.
    pub async fn fetch_sha(
        &self,
        project: &ProjectPath,
        project_id: ProjectId,
        sha: &Sha,
        cancel: &CancellationToken,
    ) -> Result<bool, GitError> {
        if self.has_commit(project_id, sha).await? {
            return Ok(true);
        }
        let want = Want {
            remote: sha.to_string(),
            local: format!("refs/commits/{sha}"),
            missing: format!("commit {sha} did not come"),
        };
        match self.receive(project, project_id, vec![want], cancel, |_| {}).await {
            Ok(_) => Ok(true),
            Err(error) if mirror::commit_withheld(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Is this commit in the project's mirror?
    pub async fn has_commit(&self, project_id: ProjectId, sha: &Sha) -> Result<bool, GitError> {
        let sha = sha.clone();
        let found = self
            .read(project_id, &CancellationToken::new(), move |mirror, _| {
                merge::commit(&mirror.open()?, mirror, &sha).map(drop)
            })
            .await;
        match found {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == GitErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Merges `head` into `target_tip`, both fetched before. Changes no ref; doing it again gives the same.
    pub async fn merge(&self, project_id: ProjectId, head: &Sha, target_tip: &Sha) -> Result<Merged, GitError> {
        let (head, target) = (head.clone(), target_tip.clone());
        self.read(project_id, &CancellationToken::new(), move |mirror, _| {
            merge::merge(mirror, &head, &target)
        })
        .await
    }

    /// The commits that are in `head` and not in `since`, newest first, [`COMMITS`] at most; only `head` where there is no
    /// such commit, or none in between. Fetched before.
    pub async fn commits(
        &self,
        project_id: ProjectId,
        head: &Sha,
        since: Option<&Sha>,
    ) -> Result<Vec<Commit>, GitError> {
        let (head, since) = (head.clone(), since.cloned());
        self.read(project_id, &CancellationToken::new(), move |mirror, _| {
            merge::since(mirror, &head, since.as_ref())
        })
        .await
    }

    /// Writes a tree to `into`, an absolute path of a directory that is missing or empty. After an error or a cancellation the
    /// directory is half full: the caller removes it.
    pub async fn checkout(
        &self,
        project_id: ProjectId,
        tree: &Sha,
        into: &Path,
        cancel: &CancellationToken,
    ) -> Result<Checkout, GitError> {
        let (tree, into) = (tree.clone(), into.to_owned());
        self.read(project_id, cancel, move |mirror, cancel| {
            tree::checkout(mirror, &tree, &into, cancel)
        })
        .await
    }

    async fn receive(
        &self,
        project: &ProjectPath,
        project_id: ProjectId,
        wants: Vec<Want>,
        cancel: &CancellationToken,
        on_progress: impl FnMut(String) + Send + 'static,
    ) -> Result<(Received, u64), GitError> {
        let mirror = Mirror::of(&self.inner.mirrors, project_id);
        let lock = Lock::take(&mirror.lock, Mode::Exclusive, cancel).await?;
        let cancel = cancel.child_token();
        let exchange = Arc::new(self.exchange(project, &cancel)?);
        let _stop = cancel.drop_guard();
        blocking(move || {
            let _lock = lock;
            let mut progress = Progress::new(on_progress);
            let received = mirror.fetch(&exchange, &wants, &mut progress)?;
            Ok((received, exchange.received()))
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        project_id: ProjectId,
        cancel: &CancellationToken,
        work: impl FnOnce(&Mirror, &CancellationToken) -> Result<T, GitError> + Send + 'static,
    ) -> Result<T, GitError> {
        let mirror = Mirror::of(&self.inner.mirrors, project_id);
        let lock = Lock::take(&mirror.lock, Mode::Shared, cancel).await?;
        let cancel = cancel.child_token();
        let _stop = cancel.clone().drop_guard();
        blocking(move || {
            let _lock = lock;
            work(&mirror, &cancel).inspect_err(|error| mirror.note(error))
        })
        .await
    }

    fn exchange(&self, project: &ProjectPath, cancel: &CancellationToken) -> Result<Exchange, GitError> {
        Ok(Exchange::new(
            self.inner.http.clone(),
            self.inner.authorization.clone(),
            self.inner.token.clone(),
            self.url(project)?,
            cancel.clone(),
        ))
    }

    fn url(&self, project: &ProjectPath) -> Result<Url, GitError> {
        let base = self.inner.base.as_str().trim_end_matches('/');
        let url = format!("{base}/{project}.git");
        Url::parse(&url).map_err(|e| GitError::new(GitErrorKind::Local, url, e.to_string()))
    }
}

/// The libgit2 that is built in, for example `libgit2 1.9.7`.
pub fn version() -> String {
    let (major, minor, patch) = git2::Version::get().libgit2_version();
    format!("libgit2 {major}.{minor}.{patch}")
}

fn base(text: &str) -> Result<Url, GitError> {
    // The text itself is not repeated: somebody may have put a password into it.
    let refuse = |why: String| GitError::new(GitErrorKind::Local, "gitlab.url", why);
    let url = Url::parse(text).map_err(|e| refuse(format!("not an address: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse(format!(
            "the scheme must be https or http, not {}",
            url.scheme()
        )));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse(
            "credentials do not belong into the address: use gitlab.token".to_owned(),
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it must end with the path".to_owned()));
    }
    Ok(url)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GitError> + Send + 'static,
) -> Result<T, GitError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(GitError::cancelled("the service stops")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_without_credentials_only() {
        for good in ["https://gitlab.example.com", "http://gitlab:8080/git/"] {
            base(good).expect("a good address");
        }
        for bad in [
            "gitlab.example.com",
            "ssh://gitlab.example.com",
            "https://bob:canary-secret@gitlab.example.com",
            "https://gitlab.example.com?x=1",
        ] {
            let error = base(bad).expect_err("a bad address");
            assert!(!error.to_string().contains("canary-secret"), "{error}");
        }
    }
}
