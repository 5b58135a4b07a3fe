//! Tables `promotion`, `promotion_approval` and `promotion_copy`: a digest on its way into an environment.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::jobs::Claim;
use super::{Result, decode};
use crate::model::{BuildId, Digest, ProjectPath, PromotionId, PromotionKind, PromotionState};

/// A promotion as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// Its number.
    pub id: PromotionId,
    /// Forward or back.
    pub kind: PromotionKind,
    /// Name of the application.
    pub application: String,
    /// Path of its project.
    pub project: ProjectPath,
    /// The build that made the image.
    pub build: BuildId,
    /// What is copied.
    pub digest: Digest,
    /// Name of the environment that it goes to.
    pub environment: String,
    /// `repository@digest` that it was read from, once it was.
    pub source: Option<String>,
    /// The digest that was there when it was asked for.
    pub replaces: Option<Digest>,
    /// Who asked for it.
    pub requested_by: String,
    /// On what grounds.
    pub reason: String,
    /// Where it is.
    pub state: PromotionState,
    /// What it waits for, or what went wrong.
    pub why: Option<String>,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When the copy last began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A promotion before it is stored.
#[derive(Debug, Clone)]
pub struct NewPromotion<'a> {
    /// Forward or back.
    pub kind: PromotionKind,
    /// Name of the application.
    pub application: &'a str,
    /// Path of its project.
    pub project: &'a ProjectPath,
    /// The build that made the image.
    pub build: BuildId,
    /// What is copied.
    pub digest: &'a Digest,
    /// Where to.
    pub environment: &'a str,
    /// The digest that is there now.
    pub replaces: Option<&'a Digest>,
    /// Who asks.
    pub requested_by: &'a str,
    /// On what grounds.
    pub reason: &'a str,
}

/// Somebody who said yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Login name.
    pub person: String,
    /// Mail address, if it is known.
    pub email: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// How far the copy to one data centre is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyRow {
    /// Name of the data centre.
    pub data_centre: String,
    /// `repository:tag` there.
    pub reference: String,
    /// `waiting`, `copying`, `there` or `failed`.
    pub state: String,
    /// Bytes of blobs in all.
    pub total: i64,
    /// Of them, sent by this promotion.
    pub sent: i64,
    /// Of them, were there or were mounted.
    pub skipped: i64,
    /// What went wrong.
    pub error: Option<String>,
    /// When this was written.
    pub at: DateTime<Utc>,
}

struct Row {
    id: i64,
    kind: String,
    application: String,
    project_path: String,
    build_id: i64,
    digest: String,
    environment: String,
    source: Option<String>,
    replaces: Option<String>,
    requested_by: String,
    reason: String,
    state: String,
    why: Option<String>,
    requested_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl Row {
    fn promotion(self) -> Result<Promotion> {
        Ok(Promotion {
            id: PromotionId(self.id),
            kind: decode("promotion.kind", &self.kind)?,
            application: self.application,
            project: decode("promotion.project_path", &self.project_path)?,
            build: BuildId(self.build_id),
            digest: decode("promotion.digest", &self.digest)?,
            environment: self.environment,
            source: self.source,
            replaces: self
                .replaces
                .map(|digest| decode("promotion.replaces", &digest))
                .transpose()?,
            requested_by: self.requested_by,
            reason: self.reason,
            state: decode("promotion.state", &self.state)?,
            why: self.why,
            requested_at: self.requested_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
        })
    }
}

/// Stores a promotion. `None`: another one of this application is on its way into this environment.
pub async fn create(db: impl PgExecutor<'_>, new: &NewPromotion<'_>) -> Result<Option<PromotionId>> {
    let id = sqlx::query_scalar!(
        "insert into promotion (kind, application, project_path, build_id, digest, environment, replaces,
                                requested_by, reason, state)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting')
         on conflict (application, environment) where state in ('waiting', 'copying') do nothing
         returning id",
        new.kind.as_str(),
        new.application,
        new.project.as_str(),
        new.build.0,
        new.digest.as_str(),
        new.environment,
        new.replaces.map(Digest::as_str),
        new.requested_by,
        new.reason,
    )
    .fetch_optional(db)
    .await?;
    Ok(id.map(PromotionId))
}

/// The promotion of this number.
pub async fn get(db: impl PgExecutor<'_>, id: PromotionId) -> Result<Option<Promotion>> {
    let row = sqlx::query_as!(
        Row,
        "select id, kind, application, project_path, build_id, digest, environment, source, replaces, requested_by,
                reason, state, why, requested_at, started_at, finished_at
         from promotion where id = $1",
        id.0,
    )
    .fetch_optional(db)
    .await?;
    row.map(Row::promotion).transpose()
}

/// The same, and nobody else changes it until the end of the transaction.
pub async fn locked(db: &mut PgConnection, id: PromotionId) -> Result<Option<Promotion>> {
    sqlx::query!("select id from promotion where id = $1 for update", id.0)
        .fetch_optional(&mut *db)
        .await?;
    get(db, id).await
}

/// Which promotions are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this application.
    pub application: Option<String>,
    /// Into this environment.
    pub environment: Option<String>,
    /// In this state.
    pub state: Option<PromotionState>,
    /// Only such as wait or are copied.
    pub active: bool,
    /// Of this digest.
    pub digest: Option<Digest>,
    /// Older than this one.
    pub before: Option<PromotionId>,
}

/// Promotions, newest first.
pub async fn list(db: impl PgExecutor<'_>, filter: &Filter, limit: i64) -> Result<Vec<Promotion>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, kind, application, project_path, build_id, digest, environment, source, replaces, requested_by,
                reason, state, why, requested_at, started_at, finished_at
         from promotion
         where ($1::text is null or application = $1) and ($2::text is null or environment = $2)
           and ($3::text is null or state = $3) and ($4::text is null or digest = $4) and ($5::bigint is null or id < $5)
           and (not $6 or state in ('waiting', 'copying'))
         order by id desc limit $7",
        filter.application,
        filter.environment,
        filter.state.map(PromotionState::as_str),
        filter.digest.as_ref().map(Digest::as_str),
        filter.before.map(|id| id.0),
        filter.active,
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::promotion).collect()
}

/// The promotion of this application that is on its way into this environment.
pub async fn active(db: impl PgExecutor<'_>, application: &str, environment: &str) -> Result<Option<Promotion>> {
    let filter = Filter {
        application: Some(application.to_owned()),
        environment: Some(environment.to_owned()),
        active: true,
        ..Filter::default()
    };
    Ok(list(db, &filter, 1).await?.pop())
}

/// Another project whose application has the same name and was promoted: its path. By the project's number, since paths
/// change.
pub async fn namesake(db: impl PgExecutor<'_>, application: &str, build: BuildId) -> Result<Option<String>> {
    sqlx::query_scalar!(
        "select other.project_path from promotion p
         join build other on other.id = p.build_id
         join build ours on ours.id = $2
         where p.application = $1 and other.project_id <> ours.project_id order by p.id desc limit 1",
        application,
        build.0,
    )
    .fetch_optional(db)
    .await
}

/// Writes down where the digest was read from.
pub async fn set_source(db: impl PgExecutor<'_>, id: PromotionId, source: &str) -> Result<()> {
    sqlx::query!("update promotion set source = $2 where id = $1", id.0, source)
        .execute(db)
        .await?;
    Ok(())
}

/// Says yes. `false`: this person has already done so.
pub async fn approve(
    db: impl PgExecutor<'_>,
    id: PromotionId,
    person: &str,
    email: Option<&str>,
    address: &str,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into promotion_approval (promotion_id, person, email, address) values ($1, $2, $3, $4)
         on conflict do nothing",
        id.0,
        person,
        email,
        address,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Who said yes, in the order in which they did.
pub async fn approvals(db: impl PgExecutor<'_>, id: PromotionId) -> Result<Vec<Approval>> {
    sqlx::query_as!(
        Approval,
        "select person, email, at from promotion_approval where promotion_id = $1 order by at, person",
        id.0,
    )
    .fetch_all(db)
    .await
}

/// Moves a promotion on, in a transaction that holds its lock.
pub async fn set_state(
    db: impl PgExecutor<'_>,
    id: PromotionId,
    state: PromotionState,
    why: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "update promotion set state = $2, why = $3,
                started_at = case when $2 = 'copying' then clock_timestamp() else started_at end,
                finished_at = case when $2 in ('waiting', 'copying') then null else clock_timestamp() end
         where id = $1",
        id.0,
        state.as_str(),
        why,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends what is half done of this application in this environment, because something else takes its place.
pub async fn give_up_unfinished(
    db: impl PgExecutor<'_>,
    application: &str,
    environment: &str,
    because: &str,
) -> Result<()> {
    sqlx::query!(
        "update promotion set state = 'cancelled', why = $3
         where application = $1 and environment = $2 and state in ('partial', 'failed')",
        application,
        environment,
        because,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes down how far a copy is; nothing if the claim is lost.
pub async fn set_copy(db: impl PgExecutor<'_>, claim: &Claim, id: PromotionId, copy: &CopyRow) -> Result<bool> {
    let done = sqlx::query!(
        "insert into promotion_copy (promotion_id, data_centre, reference, state, total, sent, skipped, error)
         select $3, $4, $5, $6, $7, $8, $9, $10 from job where id = $1 and fence = $2
         on conflict (promotion_id, data_centre) do update set
             reference = excluded.reference, state = excluded.state, total = excluded.total, sent = excluded.sent,
             skipped = excluded.skipped, error = excluded.error, at = now()",
        claim.job,
        claim.fence.0,
        id.0,
        copy.data_centre,
        copy.reference,
        copy.state,
        copy.total,
        copy.sent,
        copy.skipped,
        copy.error,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The copies of a promotion, by data centre.
pub async fn copies(db: impl PgExecutor<'_>, id: PromotionId) -> Result<Vec<CopyRow>> {
    sqlx::query_as!(
        CopyRow,
        "select data_centre, reference, state, total, sent, skipped, error, at from promotion_copy
         where promotion_id = $1 order by data_centre",
        id.0,
    )
    .fetch_all(db)
    .await
}

/// Promotions of this digest that have not ended, or have ended half.
pub async fn unfinished_of(db: impl PgExecutor<'_>, digest: &Digest) -> Result<Vec<PromotionId>> {
    let ids = sqlx::query_scalar!(
        "select id from promotion where digest = $1 and state in ('waiting', 'copying', 'partial', 'failed') order by id",
        digest.as_str(),
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(PromotionId).collect())
}
