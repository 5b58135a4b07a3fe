//! Table `delivery`: what GitLab sent, as it came, and what was decided of it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{Result, StoreError};
use crate::model::{BuildId, DeliveryId};

/// A delivery before it is stored.
#[derive(Debug)]
pub struct NewDelivery<'a> {
    /// Its address.
    pub id: DeliveryId,
    /// The sender's own key, the same for a resend.
    pub key: Option<&'a str>,
    /// `X-Gitlab-Event`.
    pub event: Option<&'a str>,
    /// Headers without secrets: an object of texts.
    pub headers: &'a Value,
    /// The body, byte by byte.
    pub body: &'a [u8],
}

/// A stored delivery.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its address.
    pub id: DeliveryId,
    /// The sender's own key.
    pub key: Option<String>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// `X-Gitlab-Event`.
    pub event: Option<String>,
    /// Headers without secrets.
    pub headers: Value,
    /// The body; empty in lists.
    pub body: Vec<u8>,
    /// `build`, `ignored`, or not yet interpreted.
    pub decision: Option<String>,
    /// Why, for people.
    pub reason: Option<String>,
    /// The build that it made or that already stood for it.
    pub build_id: Option<i64>,
    /// When it was interpreted.
    pub decided_at: Option<DateTime<Utc>>,
}

/// Stores deliveries, each with its job, in one transaction, and gives the address of each. A delivery whose key or
/// address is known already (also from earlier in `new`) stores nothing and gets the address of the first.
pub async fn insert(db: impl PgExecutor<'_> + Copy, new: &[NewDelivery<'_>]) -> Result<Vec<DeliveryId>> {
    let ids: Vec<Uuid> = new.iter().map(|delivery| delivery.id.0).collect();
    let keys: Vec<Option<&str>> = new.iter().map(|delivery| delivery.key).collect();
    let events: Vec<Option<&str>> = new.iter().map(|delivery| delivery.event).collect();
    let headers: Vec<&Value> = new.iter().map(|delivery| delivery.headers).collect();
    let bodies: Vec<&[u8]> = new.iter().map(|delivery| delivery.body).collect();
    // Of several events of one merge request the order decides: each gets a time of its own, and jobs in that order.
    let stored = sqlx::query_scalar!(
        r#"with fresh as (
               insert into delivery (id, key, received_at, event, headers, body)
               select id, key, clock_timestamp(), event, headers, body
               from unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::bytea[])
                    as new (id, key, event, headers, body)
               on conflict do nothing returning id
           ), queued as (
               insert into job (lane, subject) select 'intake', id::text from fresh order by id
           )
           select id as "id!" from fresh"#,
        &ids,
        &keys as &[Option<&str>],
        &events as &[Option<&str>],
        &headers as &[&Value],
        &bodies as &[&[u8]],
    )
    .fetch_all(db)
    .await?;
    let stored: HashSet<Uuid> = stored.into_iter().collect();
    if stored.len() == new.len() {
        return Ok(ids.into_iter().map(DeliveryId).collect());
    }
    let known = sqlx::query!(
        "select id, key from delivery where id = any($1) or key = any($2)",
        &ids,
        &keys as &[Option<&str>],
    )
    .fetch_all(db)
    .await?;
    let first_of = |delivery: &NewDelivery<'_>| {
        let of_key = known
            .iter()
            .find(|row| row.key.is_some() && row.key.as_deref() == delivery.key);
        let of_id = || known.iter().find(|row| row.id == delivery.id.0);
        // Neither: the row that stood in the way was deleted in between; the next try stores this one.
        let row = of_key.or_else(of_id).ok_or(StoreError::RowNotFound)?;
        Ok(DeliveryId(row.id))
    };
    new.iter().map(first_of).collect()
}

/// One delivery with its body.
pub async fn get(db: impl PgExecutor<'_>, id: DeliveryId) -> Result<Option<Delivery>> {
    sqlx::query_as!(
        Delivery,
        r#"select id as "id: Uuid", key, received_at, event, headers, body, decision, reason, build_id, decided_at
           from delivery where id = $1"#,
        id.0,
    )
    .fetch_optional(db)
    .await
}

/// The newest deliveries, without their bodies; `ignored` chooses by decision.
pub async fn list(db: impl PgExecutor<'_>, decision: Option<&str>, limit: i64) -> Result<Vec<Delivery>> {
    sqlx::query_as!(
        Delivery,
        r#"select id as "id: Uuid", key, received_at, event, headers, ''::bytea as "body!", decision, reason,
                  build_id, decided_at
           from delivery where $1::text is null or decision = $1 order by id desc limit $2"#,
        decision,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Which deliveries a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only with this decision: `build`, `ignored`, or `waiting` for those that are not yet interpreted.
    pub decision: Option<String>,
    /// Only older than this one (paging).
    pub before: Option<DeliveryId>,
}

/// A page of deliveries, newest first, without their bodies.
pub async fn page(db: impl PgExecutor<'_>, filter: &Filter, limit: i64) -> Result<Vec<Delivery>> {
    sqlx::query_as!(
        Delivery,
        r#"select id as "id: Uuid", key, received_at, event, headers, ''::bytea as "body!", decision, reason,
                  build_id, decided_at
           from delivery
           where ($1::text is null or coalesce(decision, 'waiting') = $1) and ($2::uuid is null or id < $2)
           order by id desc limit $3"#,
        filter.decision,
        filter.before.map(|id| id.0),
        limit,
    )
    .fetch_all(db)
    .await
}

/// Writes what was decided.
pub async fn decide(
    db: impl PgExecutor<'_>,
    id: DeliveryId,
    decision: &str,
    reason: &str,
    build: Option<BuildId>,
) -> Result<()> {
    sqlx::query!(
        "update delivery set decision = $2, reason = $3, build_id = $4, decided_at = now() where id = $1",
        id.0,
        decision,
        reason,
        build.map(|b| b.0),
    )
    .execute(db)
    .await?;
    Ok(())
}

impl From<Uuid> for DeliveryId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}
