//! Table `log_chunk`: the log of a build in compressed pieces.
//!
//! What is in a piece is the business of the writer ([`crate::build_log`]); here a piece is bytes with the numbers of
//! its first and last line. A piece with `dropped` stands for lines that were thrown away between head and tail.

use sqlx::{PgExecutor, PgTransaction};

use super::Result;
use super::jobs::Claim;
use crate::model::BuildId;

/// One piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Number of its first line, counted from 1.
    pub first_seq: i64,
    /// Number of its last line.
    pub last_seq: i64,
    /// Bytes of text, before compression.
    pub bytes: i64,
    /// Its lines were thrown away; `data` is empty.
    pub dropped: bool,
    /// The lines, compressed.
    pub data: Vec<u8>,
}

/// Appends a piece. `false`: the claim is lost, nothing was written.
pub async fn append(tx: &mut PgTransaction<'_>, claim: &Claim, build: BuildId, chunk: &Chunk) -> Result<bool> {
    let done = sqlx::query!(
        "insert into log_chunk (build_id, first_seq, last_seq, bytes, dropped, data)
         select $3, $4, $5, $6, $7, $8 from (select 1 from job where id = $1 and fence = $2 for share) held",
        claim.job,
        claim.fence.0,
        build.0,
        chunk.first_seq,
        chunk.last_seq,
        chunk.bytes,
        chunk.dropped,
        chunk.data,
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!("update build set log_lines = $2 where id = $1", build.0, chunk.last_seq)
        .execute(&mut **tx)
        .await?;
    Ok(true)
}

/// Throws away the pieces from `first_seq` to `last_seq` (whole pieces) and leaves one mark in their place.
pub async fn drop_range(
    tx: &mut PgTransaction<'_>,
    claim: &Claim,
    build: BuildId,
    first_seq: i64,
    last_seq: i64,
) -> Result<bool> {
    let held = sqlx::query_scalar!(
        "select 1 from job where id = $1 and fence = $2 for share",
        claim.job,
        claim.fence.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    if held.is_none() {
        return Ok(false);
    }
    let bytes = sqlx::query_scalar!(
        r#"with gone as (
               delete from log_chunk where build_id = $1 and first_seq >= $2 and last_seq <= $3 returning bytes
           ) select coalesce(sum(bytes), 0)::bigint as "bytes!" from gone"#,
        build.0,
        first_seq,
        last_seq,
    )
    .fetch_one(&mut **tx)
    .await?;
    sqlx::query!(
        "insert into log_chunk (build_id, first_seq, last_seq, bytes, dropped, data) values ($1, $2, $3, $4, true, '')",
        build.0,
        first_seq,
        last_seq,
        bytes,
    )
    .execute(&mut **tx)
    .await?;
    Ok(true)
}

/// The pieces that hold lines after `after`, in order, at most `limit` of them.
pub async fn read(db: impl PgExecutor<'_>, build: BuildId, after: i64, limit: i64) -> Result<Vec<Chunk>> {
    sqlx::query_as!(
        Chunk,
        "select first_seq, last_seq, bytes, dropped, data from log_chunk
         where build_id = $1 and last_seq > $2 order by first_seq limit $3",
        build.0,
        after,
        limit,
    )
    .fetch_all(db)
    .await
}

/// The numbers and sizes of all pieces: what a worker needs to go on with a log that another began.
pub async fn outline(db: impl PgExecutor<'_>, build: BuildId) -> Result<Vec<Chunk>> {
    sqlx::query_as!(
        Chunk,
        r#"select first_seq, last_seq, bytes, dropped, ''::bytea as "data!" from log_chunk
           where build_id = $1 order by first_seq"#,
        build.0,
    )
    .fetch_all(db)
    .await
}
