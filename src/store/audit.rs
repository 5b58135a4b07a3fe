//! Table `audit`: who decided what. It only grows.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::model::audit::{AuditRow, Decision, GENESIS};

/// Writes a decision down, in the transaction that carries it out. Call it last: whoever else decides something waits from
/// here to the end of the transaction.
pub async fn append(db: &mut PgConnection, decision: &Decision<'_>) -> Result<i64> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('audit', 0))")
        .fetch_one(&mut *db)
        .await?;
    let now = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(&mut *db)
        .await?;
    let last = sqlx::query!("select seq, hash from audit order by seq desc limit 1")
        .fetch_optional(&mut *db)
        .await?;
    let (last, previous) = last.map_or((0, GENESIS.to_owned()), |row| (row.seq, row.hash));
    let mut row = AuditRow {
        seq: last + 1,
        at: micros(now),
        actor: decision.actor.to_owned(),
        address: decision.address.map(str::to_owned),
        action: decision.action.to_owned(),
        subject: decision.subject.to_owned(),
        grounds: decision.grounds.to_string(),
        previous,
        hash: String::new(),
    };
    row.hash = row.computed();
    sqlx::query!(
        "insert into audit (seq, at, actor, address, action, subject, grounds, previous, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        row.seq,
        row.at,
        row.actor,
        row.address,
        row.action,
        row.subject,
        row.grounds,
        row.previous,
        row.hash,
    )
    .execute(db)
    .await?;
    Ok(row.seq)
}

/// As Postgres keeps it.
fn micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

/// Rows behind this one, in order.
pub async fn after(db: impl PgExecutor<'_>, seq: i64, limit: i64) -> Result<Vec<AuditRow>> {
    sqlx::query_as!(
        AuditRow,
        "select seq, at, actor, address, action, subject, grounds, previous, hash from audit
         where seq > $1 order by seq limit $2",
        seq,
        limit,
    )
    .fetch_all(db)
    .await
}

/// The rows about something, newest first.
pub async fn about(db: impl PgExecutor<'_>, subject: &str, limit: i64) -> Result<Vec<AuditRow>> {
    sqlx::query_as!(
        AuditRow,
        "select seq, at, actor, address, action, subject, grounds, previous, hash from audit
         where subject = $1 order by seq desc limit $2",
        subject,
        limit,
    )
    .fetch_all(db)
    .await
}
