//! Table `api_token`: who may use the API. Only hashes are kept: the tokens are 256 random bits, so a plain SHA-256
//! cannot be guessed backwards.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::PgExecutor;

use super::Result;

/// A token without its secret.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its name: who did what is told by it.
    pub name: String,
    /// May it change something?
    pub may_write: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used (to a minute).
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was made invalid.
    pub revoked_at: Option<DateTime<Utc>>,
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// Keeps a new token. `false`: the name is taken.
pub async fn create(db: impl PgExecutor<'_>, name: &str, secret: &str, may_write: bool) -> Result<bool> {
    let done = sqlx::query!(
        "insert into api_token (name, sha256, may_write) values ($1, $2, $3) on conflict (name) do nothing",
        name,
        hash(secret),
        may_write,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The valid token with this secret; notes its use.
pub async fn find(db: impl PgExecutor<'_> + Copy, secret: &str) -> Result<Option<Token>> {
    let sha256 = hash(secret);
    let token = sqlx::query_as!(
        Token,
        "select name, may_write, created_at, last_used_at, revoked_at from api_token
         where sha256 = $1 and revoked_at is null",
        sha256,
    )
    .fetch_optional(db)
    .await?;
    if token.is_some() {
        sqlx::query!(
            "update api_token set last_used_at = now()
             where sha256 = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')",
            sha256,
        )
        .execute(db)
        .await?;
    }
    Ok(token)
}

/// All tokens by name.
pub async fn list(db: impl PgExecutor<'_>) -> Result<Vec<Token>> {
    sqlx::query_as!(
        Token,
        "select name, may_write, created_at, last_used_at, revoked_at from api_token order by name"
    )
    .fetch_all(db)
    .await
}

/// Makes a token invalid. `false`: there is none of this name.
pub async fn revoke(db: impl PgExecutor<'_>, name: &str) -> Result<bool> {
    let done = sqlx::query!(
        "update api_token set revoked_at = coalesce(revoked_at, now()) where name = $1",
        name
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
