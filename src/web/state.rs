//! What every handler shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::definition::{Definitions, People};
use crate::sign_in::SignIn;
use crate::store::PgPool;
use crate::wake::Hub;

/// Streams that are open at once in one process: each asks the database once a second, so their number has an end.
const STREAMS: usize = 1000;

/// Cheap to clone; one a process.
#[derive(Debug, Clone)]
pub struct AppState {
    /// The database.
    pub pool: PgPool,
    /// The configuration.
    pub config: Arc<Config>,
    /// Who has which role.
    pub people: Arc<People>,
    /// Sign-in at a provider; none if none is configured.
    pub sign_in: Option<SignIn>,
    /// Environments and pipelines.
    pub definitions: Arc<Definitions>,
    /// Wake-ups: orders are told there, streams listen.
    pub hub: Arc<Hub>,
    /// The process stops: streams end.
    pub stop: CancellationToken,
    pub(super) streams: Arc<Semaphore>,
    migrated: Arc<AtomicBool>,
}

impl AppState {
    /// The state before the database was looked at; [`AppState::set_migrated`] makes it ready.
    pub fn new(pool: PgPool, config: Arc<Config>, hub: Arc<Hub>, stop: CancellationToken) -> Self {
        Self {
            pool,
            config,
            people: Arc::default(),
            sign_in: None,
            definitions: Arc::default(),
            hub,
            stop,
            streams: Arc::new(Semaphore::new(STREAMS)),
            migrated: Arc::default(),
        }
    }

    /// The same with these grants; without, only tokens may anything.
    #[must_use]
    pub fn with_people(mut self, people: People) -> Self {
        self.people = Arc::new(people);
        self
    }

    /// The same with sign-in at a provider.
    #[must_use]
    pub fn with_sign_in(mut self, sign_in: Option<SignIn>) -> Self {
        self.sign_in = sign_in;
        self
    }

    /// The same with these definitions; without, there is QA alone.
    #[must_use]
    pub fn with_definitions(mut self, definitions: Arc<Definitions>) -> Self {
        self.definitions = definitions;
        self
    }

    /// The schema is up to date: `/readyz` may say so.
    pub fn set_migrated(&self) {
        self.migrated.store(true, Ordering::Release);
    }

    pub(super) fn is_migrated(&self) -> bool {
        self.migrated.load(Ordering::Acquire)
    }

    /// The address of a path as people reach it.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.config.server.public_url.trim_end_matches('/'))
    }
}
