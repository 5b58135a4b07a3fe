//! The conversation with the Git server about one repository: each request carries the credentials, is sent once, ends when the
//! caller cancels, and its failures become [`GitError`]s with the address in them.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{GitError, GitErrorKind};

/// GitLab and proxies treat unknown clients worse than Git itself; the form is the one of Git (`git/…`).
const AGENT: &str = concat!("git/2.0 (seaworthy ", env!("CARGO_PKG_VERSION"), ")");
const REFS: &str = "application/x-git-upload-pack-advertisement";
const PACK: &str = "application/x-git-upload-pack-result";
/// Bytes of an error's body that are looked at.
const SAID: usize = 1024;

/// One conversation.
#[derive(Debug)]
pub(super) struct Exchange {
    http: Client,
    authorization: HeaderValue,
    token: SecretString,
    /// The repository, without credentials; changes when the server redirects to another path of its own.
    repository: Mutex<Url>,
    cancel: CancellationToken,
    runtime: Handle,
    received: AtomicU64,
    failure: Mutex<Option<GitError>>,
}

/// Follows redirects inside one server only: the credentials go with them.
pub(super) fn bound_redirects(http: ClientBuilder) -> ClientBuilder {
    http.redirect(redirect::Policy::custom(|attempt| {
        let origin = attempt.url().origin();
        let from = attempt.previous().first().map(Url::origin);
        if from.as_ref() != Some(&origin) {
            let to = origin.ascii_serialization();
            attempt.error(format!(
                "it redirects to {to}, which may not get the token: if that is the right server, set gitlab.url to it"
            ))
        } else if attempt.previous().len() > 5 {
            attempt.error("it redirects in circles")
        } else {
            attempt.follow()
        }
    }))
}

impl Exchange {
    pub(super) fn new(
        http: Client,
        authorization: HeaderValue,
        token: SecretString,
        repository: Url,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            http,
            authorization,
            token,
            repository: Mutex::new(repository),
            cancel,
            runtime: Handle::current(),
            received: AtomicU64::new(0),
            failure: Mutex::new(None),
        }
    }

    /// Address of the repository, without credentials.
    pub(super) fn place(&self) -> String {
        self.repository().to_string()
    }

    /// Bytes of bodies that came so far.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Has the caller lost interest?
    pub(super) fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Keeps the error that libgit2 cannot carry.
    pub(super) fn fail(&self, error: GitError) {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
    }

    /// The error that was kept.
    pub(super) fn failure(&self) -> Option<GitError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Runs one of the futures below from libgit2's thread.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Asks for the list of refs (gitprotocol-http(5), "Discovering References").
    pub(super) async fn refs(&self) -> Result<Response, GitError> {
        let url = format!(
            "{}/info/refs?service=git-upload-pack",
            self.place().trim_end_matches('/')
        );
        let response = self.send(self.http.get(url), REFS).await?;
        self.follow(response.url());
        Ok(response)
    }

    /// Asks for objects (gitprotocol-http(5), "Smart Service git-upload-pack").
    pub(super) async fn pack(&self, body: Vec<u8>) -> Result<Response, GitError> {
        let url = format!("{}/git-upload-pack", self.place().trim_end_matches('/'));
        let request = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/x-git-upload-pack-request")
            .body(body);
        self.send(request, PACK).await
    }

    /// The next part of a body; `None` at its end.
    pub(super) async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, GitError> {
        let chunk = self.unless_cancelled(response.chunk()).await?;
        let chunk = chunk.map_err(|e| GitError::http(&self.place(), e))?;
        if let Some(bytes) = &chunk {
            self.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Ok(chunk)
    }

    async fn send(&self, request: RequestBuilder, expected: &str) -> Result<Response, GitError> {
        let request = request
            .header(AUTHORIZATION, &self.authorization)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, expected);
        let response = self.unless_cancelled(request.send()).await?;
        let mut response = response.map_err(|e| GitError::http(&self.place(), e))?;
        if !response.status().is_success() {
            let said = self.first_line(&mut response).await;
            return Err(GitError::status(&self.place(), response.status(), &said));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
        if kind.is_none_or(|kind| !kind.starts_with(expected)) {
            return Err(GitError::new(
                GitErrorKind::Unreachable,
                self.place(),
                format!(
                    "the answer is not Git's (content type {:?}): check gitlab.url and what stands between",
                    kind.unwrap_or("missing")
                ),
            ));
        }
        Ok(response)
    }

    /// What the server says to a person, printable and without the token, should it repeat it.
    async fn first_line(&self, response: &mut Response) -> String {
        let mut body = Vec::new();
        while let Ok(Some(bytes)) = self.chunk(response).await {
            body.extend_from_slice(&bytes);
            if body.len() >= SAID {
                body.truncate(SAID);
                break;
            }
        }
        let text = String::from_utf8_lossy(&body).replace(self.token.expose_secret(), "[REDACTED]");
        let line = text.lines().next().unwrap_or_default().trim();
        if line.starts_with('<') {
            return String::new();
        }
        line.chars().filter(|c| !c.is_control()).take(200).collect()
    }

    async fn unless_cancelled<T>(&self, future: impl Future<Output = T>) -> Result<T, GitError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(GitError::cancelled(self.place())),
            done = future => Ok(done),
        }
    }

    fn follow(&self, answered: &Url) {
        if let Some(path) = answered.path().strip_suffix("/info/refs") {
            self.repository().set_path(path);
        }
    }

    fn repository(&self) -> std::sync::MutexGuard<'_, Url> {
        self.repository.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
