//! What the figures of quality are made of, read from the tables that record it.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::{Result, decode};
use crate::model::{Category, Digest, PromotionKind};

/// An image: digest, application, stack, base, when it was pushed and merged.
pub type ProducedRow = (Digest, String, String, String, DateTime<Utc>, Option<DateTime<Utc>>);
/// A promotion that is done: digest, what it replaced, kind, application, environment, end.
pub type MovedRow = (Digest, Option<Digest>, PromotionKind, String, String, DateTime<Utc>);
/// A rejection: digest, category, time.
pub type RejectedRow = (Digest, Category, DateTime<Utc>);

/// Every digest once, as it was first pushed.
pub async fn produced(db: impl PgExecutor<'_>) -> Result<Vec<ProducedRow>> {
    let rows = sqlx::query!(
        r#"select distinct on (i.digest) i.digest, i.application, i.stack, i.base_name, i.pushed_at,
                  (select min(t.at) from trunk t where t.build_id = i.build_id) as merged_at
           from image i order by i.digest, i.pushed_at"#
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let digest = decode("image.digest", &row.digest)?;
            Ok((
                digest,
                row.application,
                row.stack,
                row.base_name,
                row.pushed_at,
                row.merged_at,
            ))
        })
        .collect()
}

/// Promotions and rollbacks that are done, by their ends.
pub async fn moved(db: impl PgExecutor<'_>) -> Result<Vec<MovedRow>> {
    let rows = sqlx::query!(
        r#"select digest, replaces, kind, application, environment, finished_at as "finished_at!"
           from promotion where state = 'done' and finished_at is not null order by finished_at, id"#
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let replaced = row
                .replaces
                .map(|digest| decode("promotion.replaces", &digest))
                .transpose()?;
            Ok((
                decode("promotion.digest", &row.digest)?,
                replaced,
                decode("promotion.kind", &row.kind)?,
                row.application,
                row.environment,
                row.finished_at,
            ))
        })
        .collect()
}

/// All rejections.
pub async fn rejected(db: impl PgExecutor<'_>) -> Result<Vec<RejectedRow>> {
    let rows = sqlx::query!("select digest, category, at from rejection order by id")
        .fetch_all(db)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok((
                decode("rejection.digest", &row.digest)?,
                decode("rejection.category", &row.category)?,
                row.at,
            ))
        })
        .collect()
}
