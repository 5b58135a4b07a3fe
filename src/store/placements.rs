//! Table `placement`: which digest is in which environment, and was.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::{Result, decode};
use crate::model::{BuildId, Digest, ProjectPath, PromotionId};

/// A digest in a data centre of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Name of the environment.
    pub environment: String,
    /// Name of the data centre.
    pub data_centre: String,
    /// Name of the application.
    pub application: String,
    /// Path of its project.
    pub project: ProjectPath,
    /// What is there.
    pub digest: Digest,
    /// The build that made it.
    pub build: BuildId,
    /// `repository:tag`.
    pub reference: String,
    /// What brought it.
    pub promotion: PromotionId,
    /// Who asked for that.
    pub by: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when; `None`: it is there now.
    pub until: Option<DateTime<Utc>>,
}

struct Row {
    environment: String,
    data_centre: String,
    application: String,
    project_path: String,
    digest: String,
    build_id: i64,
    reference: String,
    promotion_id: i64,
    requested_by: String,
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

impl Row {
    fn placement(self) -> Result<Placement> {
        Ok(Placement {
            environment: self.environment,
            data_centre: self.data_centre,
            application: self.application,
            project: decode("promotion.project_path", &self.project_path)?,
            digest: decode("placement.digest", &self.digest)?,
            build: BuildId(self.build_id),
            reference: self.reference,
            promotion: PromotionId(self.promotion_id),
            by: self.requested_by,
            since: self.since,
            until: self.until,
        })
    }
}

/// What arrives.
#[derive(Debug, Clone)]
pub struct Arrived<'a> {
    /// Name of the environment.
    pub environment: &'a str,
    /// Name of the data centre.
    pub data_centre: &'a str,
    /// Name of the application.
    pub application: &'a str,
    /// What.
    pub digest: &'a Digest,
    /// The build that made it.
    pub build: BuildId,
    /// `repository:tag`.
    pub reference: &'a str,
    /// What brings it.
    pub promotion: PromotionId,
}

/// The digest takes the place of what is there; nothing changes if it is there already.
pub async fn place(db: &mut PgConnection, new: &Arrived<'_>) -> Result<()> {
    sqlx::query!(
        "update placement set until = now()
         where environment = $1 and data_centre = $2 and application = $3 and until is null and digest <> $4",
        new.environment,
        new.data_centre,
        new.application,
        new.digest.as_str(),
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into placement (environment, data_centre, application, digest, build_id, reference, promotion_id)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (environment, data_centre, application) where until is null do nothing",
        new.environment,
        new.data_centre,
        new.application,
        new.digest.as_str(),
        new.build.0,
        new.reference,
        new.promotion.0,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What is where now: all applications, or one.
pub async fn now(db: impl PgExecutor<'_>, application: Option<&str>) -> Result<Vec<Placement>> {
    let rows = sqlx::query_as!(
        Row,
        "select p.environment, p.data_centre, p.application, p.digest, p.build_id, p.reference, p.promotion_id,
                r.project_path, r.requested_by, p.since, p.until
         from placement p join promotion r on r.id = p.promotion_id
         where p.until is null and ($1::text is null or p.application = $1)
         order by p.application, p.environment, p.data_centre",
        application,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::placement).collect()
}

/// What is in one environment now.
pub async fn in_environment(db: impl PgExecutor<'_>, environment: &str) -> Result<Vec<Placement>> {
    let rows = sqlx::query_as!(
        Row,
        "select p.environment, p.data_centre, p.application, p.digest, p.build_id, p.reference, p.promotion_id,
                r.project_path, r.requested_by, p.since, p.until
         from placement p join promotion r on r.id = p.promotion_id
         where p.until is null and p.environment = $1
         order by p.application, p.data_centre",
        environment,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::placement).collect()
}

/// What is and was in one environment, oldest first.
pub async fn ever_in(db: impl PgExecutor<'_>, environment: &str) -> Result<Vec<Placement>> {
    let rows = sqlx::query_as!(
        Row,
        "select p.environment, p.data_centre, p.application, p.digest, p.build_id, p.reference, p.promotion_id,
                r.project_path, r.requested_by, p.since, p.until
         from placement p join promotion r on r.id = p.promotion_id
         where p.environment = $1 order by p.id",
        environment,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::placement).collect()
}

/// Where an application was and is, newest first.
pub async fn history(db: impl PgExecutor<'_>, application: &str, limit: i64) -> Result<Vec<Placement>> {
    let rows = sqlx::query_as!(
        Row,
        "select p.environment, p.data_centre, p.application, p.digest, p.build_id, p.reference, p.promotion_id,
                r.project_path, r.requested_by, p.since, p.until
         from placement p join promotion r on r.id = p.promotion_id
         where p.application = $1 order by p.id desc limit $2",
        application,
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::placement).collect()
}

/// The times in which a digest was, and is, in an environment: data centre, begin, end.
pub async fn times(
    db: impl PgExecutor<'_>,
    digest: &Digest,
    environment: &str,
) -> Result<Vec<(String, DateTime<Utc>, Option<DateTime<Utc>>)>> {
    let rows = sqlx::query!(
        "select data_centre, since, until from placement where digest = $1 and environment = $2 order by id",
        digest.as_str(),
        environment,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.data_centre, row.since, row.until))
        .collect())
}

/// What was in an environment before what is there now: the newest digest there that is another one and that nobody
/// rejected. Of several data centres, the one that changed last decides.
pub async fn before_now(
    db: impl PgExecutor<'_>,
    application: &str,
    environment: &str,
) -> Result<Option<(Digest, BuildId)>> {
    let row = sqlx::query!(
        "select digest, build_id from placement p
         where application = $1 and environment = $2 and until is not null
           and not exists (select from placement n where n.application = $1 and n.environment = $2 and n.until is null
                           and n.digest = p.digest)
           and not exists (select from rejection r where r.digest = p.digest)
         order by until desc, id desc limit 1",
        application,
        environment,
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| Ok((decode("placement.digest", &row.digest)?, BuildId(row.build_id))))
        .transpose()
}
