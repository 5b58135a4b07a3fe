//! What the handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::wake::Hub;

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The database.
    pub pool: PgPool,
    /// The configuration.
    pub config: Arc<Config>,
    /// Who waits for news.
    pub hub: Arc<Hub>,
    /// Cancelled when the process stops: live streams end then.
    pub stop: CancellationToken,
    migrated: Arc<AtomicBool>,
}

impl AppState {
    /// Before the migrations are done.
    pub fn new(pool: PgPool, config: Arc<Config>, hub: Arc<Hub>, stop: CancellationToken) -> Self {
        Self {
            pool,
            config,
            hub,
            stop,
            migrated: Arc::default(),
        }
    }

    /// The schema is up to date.
    pub fn set_migrated(&self) {
        self.migrated.store(true, Ordering::Release);
    }

    /// Is the schema up to date?
    pub fn is_migrated(&self) -> bool {
        self.migrated.load(Ordering::Acquire)
    }
}
