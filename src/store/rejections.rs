//! Table `rejection`: images that somebody said no to.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::{Result, decode};
use crate::model::{Category, Digest};

/// A rejection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Of which image.
    pub digest: Digest,
    /// Name of the application.
    pub application: String,
    /// The furthest environment that it had reached.
    pub environment: String,
    /// Who.
    pub person: String,
    /// What was wrong.
    pub category: Category,
    /// In words.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Writes a rejection down.
pub async fn insert(db: impl PgExecutor<'_>, new: &Rejection, address: &str) -> Result<()> {
    sqlx::query!(
        "insert into rejection (digest, application, environment, person, address, category, reason)
         values ($1, $2, $3, $4, $5, $6, $7)",
        new.digest.as_str(),
        new.application,
        new.environment,
        new.person,
        address,
        new.category.as_str(),
        new.reason,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The rejections of an image, oldest first.
pub async fn of_digest(db: impl PgExecutor<'_>, digest: &Digest) -> Result<Vec<Rejection>> {
    let rows = sqlx::query!(
        "select digest, application, environment, person, category, reason, at from rejection
         where digest = $1 order by id",
        digest.as_str(),
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Rejection {
                digest: decode("rejection.digest", &row.digest)?,
                application: row.application,
                environment: row.environment,
                person: row.person,
                category: decode("rejection.category", &row.category)?,
                reason: row.reason,
                at: row.at,
            })
        })
        .collect()
}
