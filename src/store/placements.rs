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

/// Which placements are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// In this environment.
    pub environment: Option<&'a str>,
    /// Of this application.
    pub application: Option<&'a str>,
    /// Of this digest.
    pub digest: Option<&'a Digest>,
    /// Only what is there now.
    pub now: bool,
}

/// Placements, oldest first.
pub async fn list(db: impl PgExecutor<'_>, filter: Filter<'_>) -> Result<Vec<Placement>> {
    let rows = sqlx::query_as!(
        Row,
        "select p.environment, p.data_centre, p.application, p.digest, p.build_id, p.reference, p.promotion_id,
                r.project_path, r.requested_by, p.since, p.until
         from placement p join promotion r on r.id = p.promotion_id
         where ($1::text is null or p.environment = $1) and ($2::text is null or p.application = $2)
           and ($3::text is null or p.digest = $3) and (not $4 or p.until is null)
         order by p.id",
        filter.environment,
        filter.application,
        filter.digest.map(Digest::as_str),
        filter.now,
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

/// What a rollback puts back, and what it takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// The newest digest there: in one data centre at least.
    pub now: Digest,
    /// The digest that was there before it.
    pub before: Digest,
    /// The build that made that.
    pub build: BuildId,
}

/// What was in an environment before the newest digest there: the one that left last. One that somebody rejected, or that was
/// itself rolled back, is passed over. While data centres differ, the one that changed last decides, so that what has arrived
/// half is taken away again.
pub async fn before_now(db: impl PgExecutor<'_>, application: &str, environment: &str) -> Result<Option<Before>> {
    let row = sqlx::query!(
        "select newest.digest as now, p.digest, p.build_id
         from (select digest from placement where application = $1 and environment = $2 and until is null
               order by since desc, id desc limit 1) newest
         join placement p on p.application = $1 and p.environment = $2 and p.until is not null and p.digest <> newest.digest
         where not exists (select from rejection r where r.digest = p.digest)
           and not exists (select from promotion r where r.kind = 'rollback' and r.state = 'done' and r.application = $1
                           and r.environment = $2 and r.replaces = p.digest)
         order by p.until desc, p.id desc limit 1",
        application,
        environment,
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        Ok(Before {
            now: decode("placement.digest", &row.now)?,
            before: decode("placement.digest", &row.digest)?,
            build: BuildId(row.build_id),
        })
    })
    .transpose()
}
