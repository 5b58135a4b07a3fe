//! Table `job`: what is still to be done.
//!
//! A claim is short: one statement takes a job with a lease and a new fence. Whoever works renews the lease by
//! [`heartbeat`]; each later write carries the [`Claim`], and a claim whose fence is no longer the job's changes
//! nothing. A lease that ran out is claimed again like a fresh job, counted as a failure: a job that kills its workers
//! must end some day.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use sqlx::postgres::types::PgInterval;

use super::Result;
use crate::model::{BuildId, Fence};

/// The kinds of work, each with workers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Interpreting deliveries; the subject is a delivery's id.
    Intake,
    /// Running builds; the subject is a build's number.
    Build,
    /// Telling people and GitLab; the subject is a [`super::notices::Subject`].
    Notify,
    /// Promotions; the subject is a promotion's number.
    Promote,
}

impl Lane {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Build => "build",
            Self::Notify => "notify",
            Self::Promote => "promote",
        }
    }
}

/// The right to work on a job, until somebody else gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub job: i64,
    /// The token that each write carries.
    pub fence: Fence,
    /// What to work on.
    pub subject: String,
    /// How many attempts ended by the world's fault, a dead worker included.
    pub failures: i32,
}

/// What a heartbeat learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beat {
    /// The job is still ours.
    Held,
    /// Still ours, and somebody wants it stopped.
    Cancel {
        /// The state that the work shall end in.
        state: String,
        /// Who wants so.
        by: String,
    },
    /// The lease ran out and another has it, or it is gone.
    Lost,
}

fn interval(duration: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
    }
}

/// Puts a job in, due after `delay`. If it is there already, it is only made due earlier; if it is being worked on, it
/// is done once more afterwards.
pub async fn enqueue(
    db: impl PgExecutor<'_>,
    lane: Lane,
    subject: &str,
    fair_key: &str,
    delay: Duration,
) -> Result<()> {
    sqlx::query!(
        "insert into job (lane, subject, fair_key, run_at) values ($1, $2, $3, now() + $4)
         on conflict (lane, subject) do update set
             again = job.fence is not null,
             run_at = case when job.fence is null then least(job.run_at, excluded.run_at) else job.run_at end",
        lane.as_str(),
        subject,
        fair_key,
        interval(delay),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes the next job of the lane. Builds are shared out between projects: the one with the fewest running builds is
/// next, among equals the one that began its last build the longest time ago.
pub async fn claim(db: impl PgExecutor<'_>, lane: Lane, worker: &str, lease: Duration) -> Result<Option<Claim>> {
    let row = match lane {
        Lane::Build => {
            sqlx::query_as!(
                ClaimRow,
                r#"with next as (
                   select id from job j
                   where lane = 'build' and run_at <= now() and (fence is null or leased_until < now())
                   order by (select count(*) from job r where r.lane = 'build' and r.fence is not null
                                 and r.leased_until >= now() and r.fair_key = j.fair_key),
                            (select max(started_at) from build b where b.project_path = j.fair_key) nulls first,
                            id
                   limit 1 for update skip locked
               )
               update job set fence = nextval('job_fence'), worker = $1, leased_until = now() + $2,
                              failures = failures + case when fence is null then 0 else 1 end
               from next where job.id = next.id
               returning job.id, fence as "fence!", subject, failures"#,
                worker,
                interval(lease),
            )
            .fetch_optional(db)
            .await?
        }
        Lane::Intake | Lane::Notify | Lane::Promote => {
            sqlx::query_as!(
                ClaimRow,
                r#"with next as (
                   select id from job
                   where lane = $3 and run_at <= now() and (fence is null or leased_until < now())
                   order by run_at, id limit 1 for update skip locked
               )
               update job set fence = nextval('job_fence'), worker = $1, leased_until = now() + $2,
                              failures = failures + case when fence is null then 0 else 1 end
               from next where job.id = next.id
               returning job.id, fence as "fence!", subject, failures"#,
                worker,
                interval(lease),
                lane.as_str(),
            )
            .fetch_optional(db)
            .await?
        }
    };
    Ok(row.map(|row| Claim {
        job: row.id,
        fence: Fence(row.fence),
        subject: row.subject,
        failures: row.failures,
    }))
}

struct ClaimRow {
    id: i64,
    fence: i64,
    subject: String,
    failures: i32,
}

/// How long until the next job of the lane is due, if there is one that nobody works on.
pub async fn next_due(db: impl PgExecutor<'_>, lane: Lane) -> Result<Option<Duration>> {
    let seconds = sqlx::query_scalar!(
        "select extract(epoch from min(case when fence is null then run_at else leased_until end) - now())::float8
         from job where lane = $1",
        lane.as_str(),
    )
    .fetch_one(db)
    .await?;
    Ok(seconds.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
}

/// Renews the lease and learns in the same statement whether the job shall stop or is lost.
pub async fn heartbeat(db: impl PgExecutor<'_>, claim: &Claim, lease: Duration) -> Result<Beat> {
    let row = sqlx::query!(
        "update job set leased_until = now() + $3 where id = $1 and fence = $2 returning cancel, cancel_by",
        claim.job,
        claim.fence.0,
        interval(lease),
    )
    .fetch_optional(db)
    .await?;
    Ok(match row {
        None => Beat::Lost,
        Some(row) => match row.cancel {
            Some(state) => Beat::Cancel {
                state,
                by: row.cancel_by.unwrap_or_default(),
            },
            None => Beat::Held,
        },
    })
}

/// Ends the job, or puts it back where it was asked for once more. `false`: the claim was lost; the caller's
/// transaction must be rolled back.
pub async fn finish(db: impl PgExecutor<'_>, claim: &Claim) -> Result<bool> {
    let ended = sqlx::query_scalar!(
        r#"with held as (select id, again from job where id = $1 and fence = $2 for update),
                requeued as (
                    update job set fence = null, worker = null, leased_until = null, again = false, failures = 0,
                                   run_at = now()
                    from held where job.id = held.id and held.again
                ),
                deleted as (delete from job using held where job.id = held.id and not held.again)
           select count(*) as "count!" from held"#,
        claim.job,
        claim.fence.0,
    )
    .fetch_one(db)
    .await?;
    Ok(ended == 1)
}

/// Puts the job back for another attempt after `delay`, counted as a failure of the world.
pub async fn retry(db: impl PgExecutor<'_>, claim: &Claim, error: &str, delay: Duration) -> Result<bool> {
    let done = sqlx::query!(
        "update job set fence = null, worker = null, leased_until = null, failures = failures + 1, again = false,
                        last_error = $3, run_at = now() + $4
         where id = $1 and fence = $2",
        claim.job,
        claim.fence.0,
        error,
        interval(delay),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts the job back uncounted, due after `delay`: the worker stops, or only a moment is missing. If it was asked for once
/// more meanwhile, it is due at once.
pub async fn hand_back(db: impl PgExecutor<'_>, claim: &Claim, delay: Duration) -> Result<bool> {
    let done = sqlx::query!(
        "update job set fence = null, worker = null, leased_until = null, again = false,
                        run_at = case when again then now() else now() + $3 end
         where id = $1 and fence = $2",
        claim.job,
        claim.fence.0,
        interval(delay),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Asks the worker that has this build to stop it. `false`: nobody is working on it.
pub async fn request_cancel(db: impl PgExecutor<'_>, build: BuildId, state: &str, by: &str) -> Result<bool> {
    request_stop(db, Lane::Build, &build.to_string(), state, by).await
}

/// Asks the worker that has this job to stop it. `false`: nobody is working on it.
pub async fn request_stop(db: impl PgExecutor<'_>, lane: Lane, subject: &str, state: &str, by: &str) -> Result<bool> {
    let done = sqlx::query!(
        "update job set cancel = $3, cancel_by = $4 where lane = $1 and subject = $2 and fence is not null",
        lane.as_str(),
        subject,
        state,
        by,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Does somebody want this job stopped? The state that the work shall end in, and who wants so.
pub async fn asked(db: impl PgExecutor<'_>, claim: &Claim) -> Result<Option<(String, String)>> {
    let row = sqlx::query!(
        r#"select cancel as "cancel!", coalesce(cancel_by, '') as "by!" from job
           where id = $1 and fence = $2 and cancel is not null"#,
        claim.job,
        claim.fence.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| (row.cancel, row.by)))
}

/// What is still to be done for a build.
#[derive(Debug, Clone)]
pub struct BuildJob {
    /// When it is due, if no worker has it.
    pub due_at: Option<DateTime<Utc>>,
    /// Who wants it stopped.
    pub cancel_by: Option<String>,
}

/// The job of a build, as long as it has one.
pub async fn of_build(db: impl PgExecutor<'_>, build: BuildId) -> Result<Option<BuildJob>> {
    sqlx::query_as!(
        BuildJob,
        r#"select case when fence is null then run_at end as due_at,
                  case when fence is not null and cancel is not null then coalesce(cancel_by, '') end as cancel_by
           from job where lane = 'build' and subject = $1"#,
        build.to_string(),
    )
    .fetch_optional(db)
    .await
}

/// Builds that a living worker has in hand, with their attempts: whatever else is found on an engine is left over.
pub async fn living_builds(db: impl PgExecutor<'_>) -> Result<Vec<(BuildId, i32)>> {
    let rows = sqlx::query!(
        "select b.id, b.attempt from build b join job j on j.lane = 'build' and j.subject = b.id::text
         where j.fence is not null and j.leased_until >= now()",
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (BuildId(row.id), row.attempt)).collect())
}

/// Jobs of a lane that wait or run: for `/readyz` and the tests.
pub async fn count(db: impl PgExecutor<'_>, lane: Lane) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from job where lane = $1"#, lane.as_str())
        .fetch_one(db)
        .await
}
