//! Table `delivery`: what GitLab sent, as it came, and what was decided of it.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Result;
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

/// Stores the delivery and its job in one statement (one round trip, one transaction). A delivery with a key that is
/// already known stores nothing and gives the address of the first.
pub async fn insert(db: impl PgExecutor<'_> + Copy, new: &NewDelivery<'_>) -> Result<DeliveryId> {
    let stored = sqlx::query_scalar!(
        r#"with fresh as (
               insert into delivery (id, key, event, headers, body) values ($1, $2, $3, $4, $5)
               on conflict (key) do nothing returning id
           ), queued as (
               insert into job (lane, subject) select 'intake', id::text from fresh
           )
           select id as "id!" from fresh"#,
        new.id.0,
        new.key,
        new.event,
        new.headers,
        new.body,
    )
    .fetch_optional(db)
    .await?;
    if let Some(id) = stored {
        return Ok(DeliveryId(id));
    }
    let first = sqlx::query_scalar!("select id from delivery where key = $1", new.key)
        .fetch_one(db)
        .await?;
    Ok(DeliveryId(first))
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
