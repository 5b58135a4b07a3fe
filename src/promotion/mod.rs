//! The second recipe: a digest that was tested goes into the next environment, and stays the same digest. Read
//! [`Promoter::run`].
//!
//! Every step may be done twice: whoever takes a promotion over from a dead worker begins at the top, finds in the
//! registries what is there, and writes down what it found. What is copied is the digest that was asked for and approved;
//! no tag is read on the way.

mod begin;
mod carry;
mod end;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::clients::registry::Registry;
use crate::definition::Definitions;
use crate::model::PromotionId;
use crate::store::StoreError;
use crate::store::jobs::Claim;
use crate::wake::Hub;

/// The actor of what the service does by itself, in the audit trail.
pub const SERVICE: &str = "seaworthy";

/// Whoever promotes; one a process.
#[derive(Clone)]
pub struct Promoter {
    /// The database.
    pub pool: PgPool,
    /// Who waits for news.
    pub hub: Arc<Hub>,
    /// The environments.
    pub definitions: Arc<Definitions>,
    /// All registries.
    pub registry: Registry,
}

/// One attempt at one promotion.
pub struct Run<'a> {
    /// Which.
    pub id: PromotionId,
    /// The right to write.
    pub claim: &'a Claim,
    /// Somebody wants it stopped, or the process stops.
    pub cancel: &'a CancellationToken,
}

/// What becomes of the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The promotion has ended, and the job with it.
    Ended,
    /// Nothing is to be done any more, or before somebody orders something.
    Asleep,
    /// The gates are to be looked at again then.
    Until(DateTime<Utc>),
    /// A gate is closed, and nobody can say when it opens.
    Later,
    /// The process stops: somebody else goes on.
    HandBack,
    /// Another worker has it.
    Lost,
}

impl Promoter {
    /// The road of a promotion.
    ///
    /// # Errors
    /// The database is away. What a registry does wrong is written down with the promotion.
    pub async fn run(&self, run: &Run<'_>) -> Result<Outcome, StoreError> {
        let order = match self.begin(run).await? {
            Ok(order) => order,
            Err(outcome) => return Ok(outcome),
        };
        let (arrivals, source) = self.carry(run, &order).await;
        self.end(run, &order, &arrivals, source).await
    }
}
