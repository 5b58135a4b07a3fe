//! Table `build_stage`: when each stage of each attempt began and how it ended.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::jobs::Claim;
use super::{Result, decode};
use crate::model::{BuildId, Stage, StageState};

/// One stage of one attempt.
#[derive(Debug, Clone)]
pub struct StageRecord {
    /// Of which attempt.
    pub attempt: i32,
    /// Which.
    pub stage: Stage,
    /// How far.
    pub state: StageState,
    /// The outcome in a few words.
    pub note: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Notes that the stage begins.
pub async fn begin(db: impl PgExecutor<'_>, claim: &Claim, build: BuildId, attempt: i32, stage: Stage) -> Result<bool> {
    let position = Stage::ALL.iter().position(|s| *s == stage).unwrap_or_default() as i16;
    let done = sqlx::query!(
        "insert into build_stage (build_id, attempt, stage, position, state)
         select $3, $4, $5, $6, 'running' from (select 1 from job where id = $1 and fence = $2 for share) held
         on conflict (build_id, attempt, stage) do nothing",
        claim.job,
        claim.fence.0,
        build.0,
        attempt,
        stage.as_str(),
        position,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes how the stage ended.
pub async fn end(
    db: impl PgExecutor<'_>,
    claim: &Claim,
    build: BuildId,
    attempt: i32,
    stage: Stage,
    state: StageState,
    note: Option<&str>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update build_stage set state = $6, note = $7, finished_at = clock_timestamp()
         from (select 1 from job where id = $1 and fence = $2 for share) held
         where build_id = $3 and attempt = $4 and stage = $5",
        claim.job,
        claim.fence.0,
        build.0,
        attempt,
        stage.as_str(),
        state.as_str(),
        note,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the stages that a dead worker left running.
pub async fn abandon(db: impl PgExecutor<'_>, build: BuildId, before_attempt: i32, state: StageState) -> Result<()> {
    sqlx::query!(
        "update build_stage set state = $3, finished_at = clock_timestamp()
         where build_id = $1 and attempt < $2 and state = 'running'",
        build.0,
        before_attempt,
        state.as_str(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// All stages of a build, attempt by attempt in the order of the road.
pub async fn of_build(db: impl PgExecutor<'_>, build: BuildId) -> Result<Vec<StageRecord>> {
    let rows = sqlx::query!(
        "select attempt, stage, state, note, started_at, finished_at from build_stage
         where build_id = $1 order by attempt, position",
        build.0,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(StageRecord {
                attempt: row.attempt,
                stage: decode("build_stage.stage", &row.stage)?,
                state: decode("build_stage.state", &row.state)?,
                note: row.note,
                started_at: row.started_at,
                finished_at: row.finished_at,
            })
        })
        .collect()
}

/// The stages of the newest attempt of each of these builds, in the order of the road.
pub async fn newest_of_builds(db: impl PgExecutor<'_>, builds: &[BuildId]) -> Result<Vec<(BuildId, StageRecord)>> {
    let ids: Vec<i64> = builds.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        "select s.build_id, s.attempt, s.stage, s.state, s.note, s.started_at, s.finished_at
         from build_stage s join build b on b.id = s.build_id and b.attempt = s.attempt
         where s.build_id = any ($1) order by s.build_id, s.position",
        &ids,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let record = StageRecord {
                attempt: row.attempt,
                stage: decode("build_stage.stage", &row.stage)?,
                state: decode("build_stage.state", &row.state)?,
                note: row.note,
                started_at: row.started_at,
                finished_at: row.finished_at,
            };
            Ok((BuildId(row.build_id), record))
        })
        .collect()
}
