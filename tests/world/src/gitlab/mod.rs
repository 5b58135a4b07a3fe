//! A stand-in for GitLab: its HTTP API as far as the product calls it, real Git over smart HTTP, and its webhooks.
//!
//! It holds to what real instances do where that hurts (400 on a repeated status, 404 on an unknown commit, 403 for a
//! token without the right, lost and late refs), keeps what it was told, and fails when told to. It runs inside a test,
//! or as a process of its own by `world gitlab`, driven over `/-/control/` then.

mod api;
mod change;
mod control;
mod merge;
mod repository;
mod smart_http;
mod state;
mod webhook;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use tokio::task::JoinHandle;

pub use change::OpenMr;
pub use merge::{Pushed, Strategy};
pub use repository::Edit;
use state::State;
pub use state::{Access, Failure, Hook, Mr, Note, Project, Seen, Status, User};
pub use webhook::{Answer, Event, Webhook};

/// A running stand-in; clones are the same one.
#[derive(Debug, Clone)]
pub struct GitLab {
    shared: Shared,
    address: SocketAddr,
    server: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// The state behind its lock, which is never held over an await.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state readable, and a test's own message is the one to see.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GitLab {
    /// Starts one on a loopback port (0 picks a free one); repositories are kept in `dir`.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(dir: &Path, port: u16) -> Result<Self> {
        std::fs::create_dir_all(dir.join("repositories"))?;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
        let address = listener.local_addr()?;
        let word = crate::process::random_word;
        // Real tokens begin so; secret scanners and people know them by it.
        let (api, git) = (format!("glpat-{}", &word()?[..20]), format!("glpat-{}", &word()?[..20]));
        let state = State::new(dir.to_owned(), format!("http://{address}"), api, git);
        let gitlab = Self {
            shared: Shared(Arc::new(Mutex::new(state))),
            address,
            server: Arc::default(),
        };
        gitlab.serve(listener);
        Ok(gitlab)
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// For `PRIVATE-TOKEN`.
    #[must_use]
    pub fn api_token(&self) -> String {
        self.shared.lock().api_token.clone()
    }

    /// The password for Git, with any user name.
    #[must_use]
    pub fn git_token(&self) -> String {
        self.shared.lock().git_token.clone()
    }

    /// The port is closed: connections are refused, as when GitLab is down.
    pub async fn go_down(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            server.abort();
            // Cancelled is what we asked for.
            let _ = server.await;
        }
    }

    /// Listens again on the same port after [`GitLab::go_down`].
    ///
    /// # Errors
    /// If the port was taken meanwhile.
    pub async fn come_back(&self) -> Result<()> {
        let listener = tokio::net::TcpListener::bind(self.address)
            .await
            .context("the port was taken meanwhile")?;
        self.serve(listener);
        Ok(())
    }

    /// The next `times` requests whose path begins with `path` are answered with `status`.
    pub fn fail(&self, path: &str, status: u16, times: u32) {
        self.fail_only(Failure {
            method: None,
            path: path.to_owned(),
            status,
            times,
        });
    }

    /// The same for one method, like `POST`.
    pub fn fail_only(&self, failure: Failure) {
        self.shared.lock().failures.push(failure);
    }

    /// No more failures as told.
    pub fn fail_no_more(&self) {
        self.shared.lock().failures.clear();
    }

    /// What the API token may do from now on (at first: scope `api`, maintainer).
    pub fn set_access(&self, access: Access) {
        self.shared.lock().access = access;
    }

    /// Every status row, oldest first.
    #[must_use]
    pub fn statuses(&self) -> Vec<Status> {
        self.shared.lock().statuses.clone()
    }

    /// Every note, oldest first.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        self.shared.lock().notes.clone()
    }

    /// Every webhook, oldest first.
    #[must_use]
    pub fn hooks(&self) -> Vec<Hook> {
        self.shared.lock().hooks.clone()
    }

    /// Every request so far, of the API and of Git.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// Git requests with a wrong password. After 30 real GitLab locks the address out for an hour, and so does this.
    #[must_use]
    pub fn failed_git_logins(&self) -> u32 {
        self.shared.lock().failed_git_logins
    }

    /// Waits until the server ends, for the process that is nothing else.
    pub async fn wait(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            // It ends by being aborted or not at all.
            let _ = server.await;
        }
    }

    fn serve(&self, listener: tokio::net::TcpListener) {
        let router = api::router(self.clone());
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }
}
