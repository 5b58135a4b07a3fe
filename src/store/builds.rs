//! Table `build` with its commits: from the intent to the end.

mod known;
mod look;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use sqlx::types::Json;

use super::jobs::Claim;
use super::{Result, decode};
use crate::model::{
    Build, BuildId, BuildState, Commit, Finding, MergeRequest, ProjectPath, Sha, TestReport, Trigger, WarCheck,
};

pub use known::{
    Known, alike, is_built, known_author, lock, lock_merge_request, of_later_delivery, of_merge_request, of_tip,
};
pub use look::{Status, authors, commits_like, of_commit, project, status};

/// A build before it is stored.
#[derive(Debug, Clone)]
pub struct NewBuild<'a> {
    /// The merge request as it is now.
    pub merge_request: &'a MergeRequest,
    /// Name of its pipeline.
    pub pipeline: &'a str,
    /// What makes it.
    pub trigger: Trigger,
    /// `Queued`, or `AwaitingApproval` for a fork.
    pub state: BuildState,
    /// The target's tip where it was asked for.
    pub seen_tip: Option<&'a Sha>,
    /// Who asked for it.
    pub requested_by: Option<&'a str>,
}

/// Stores a build. `None`: the same intent is already there.
pub async fn create(db: impl PgExecutor<'_>, new: &NewBuild<'_>) -> Result<Option<BuildId>> {
    let mr = new.merge_request;
    let id = sqlx::query_scalar!(
        "insert into build (project_id, project_path, iid, head, target_branch, draft, seen_tip, merge_request,
                            pipeline, trigger, requested_by, state)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         on conflict do nothing
         returning id",
        mr.project_id.0,
        mr.project.as_str(),
        mr.iid,
        mr.head.as_str(),
        mr.target_branch,
        mr.draft,
        new.seen_tip.map(Sha::as_str).unwrap_or_default(),
        Json(mr) as _,
        new.pipeline,
        new.trigger.as_str(),
        new.requested_by,
        new.state.as_str(),
    )
    .fetch_optional(db)
    .await?;
    Ok(id.map(BuildId))
}

/// Ends a build that nobody works on (it waits for approval or a worker). `false`: it is in another state.
pub async fn end_waiting(db: impl PgExecutor<'_>, id: BuildId, state: BuildState, by: &str) -> Result<bool> {
    let ended = sqlx::query_scalar!(
        r#"with idle as (
               select b.id from build b left join job j on j.lane = 'build' and j.subject = b.id::text
               where b.id = $1 and b.state in ('awaiting_approval', 'queued', 'running') and j.fence is null
               for update of b
           ), gone as (
               delete from job using idle where lane = 'build' and subject = idle.id::text and fence is null
           ), ended as (
               update build set state = $2, ended_by = $3, finished_at = now() from idle
               where build.id = idle.id returning build.id
           )
           select count(*) as "count!" from ended"#,
        id.0,
        state.as_str(),
        by,
    )
    .fetch_one(db)
    .await?;
    Ok(ended == 1)
}

/// Lets a fork's build run. `false`: it does not wait for approval (any more).
pub async fn approve(db: impl PgExecutor<'_>, id: BuildId, by: &str) -> Result<bool> {
    let done = sqlx::query!(
        "update build set state = 'queued', approved_by = $2 where id = $1 and state = 'awaiting_approval'",
        id.0,
        by,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A worker begins: the attempt is counted, earlier traces of this build's attempt are reset. `None`: the claim is lost
/// or the build has already ended.
pub async fn begin(db: impl PgExecutor<'_>, claim: &Claim, id: BuildId, worker: &str) -> Result<Option<Build>> {
    let row = sqlx::query_as!(
        BuildRow,
        r#"update build set state = 'running', attempt = attempt + 1, worker = $4, started_at = clock_timestamp(),
                  error = null, tests = null, remarks = '[]', choices = '[]', war_check = null
           from (select 1 from job where id = $1 and fence = $2 for share) held
           where id = $3 and state in ('queued', 'running')
           returning id, merge_request as "merge_request: Json<MergeRequest>", pipeline, trigger, state, attempt,
                     target_tip, merge_tree, finding as "finding: Json<Finding>", error, worker, ended_by, requested_by,
                     approved_by, log_lines, tests as "tests: Json<TestReport>",
                     remarks as "remarks: Json<Vec<Finding>>", war_check as "war_check: Json<WarCheck>", created_at, started_at, finished_at"#,
        claim.job,
        claim.fence.0,
        id.0,
        worker,
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| row.record().map(|record| record.build)).transpose()
}

/// What checkout found.
pub async fn record_source(
    db: impl PgExecutor<'_>,
    claim: &Claim,
    id: BuildId,
    target_tip: &Sha,
    merge_tree: Option<&Sha>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update build set target_tip = $4, merge_tree = $5
         from (select 1 from job where id = $1 and fence = $2 for share) held where id = $3",
        claim.job,
        claim.fence.0,
        id.0,
        target_tip.as_str(),
        merge_tree.map(Sha::as_str),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The commits between target and head, in place of any that an earlier attempt left.
pub async fn record_commits(db: impl PgExecutor<'_>, claim: &Claim, id: BuildId, commits: &[Commit]) -> Result<()> {
    let text = |f: fn(&Commit) -> &str| commits.iter().map(|commit| f(commit).to_owned()).collect::<Vec<_>>();
    sqlx::query!(
        "with held as (select 1 from job where id = $1 and fence = $2 for share)
         insert into build_commit
             (build_id, position, sha, subject, author_name, author_email, committer_email, authored_at)
         select $3, n - 1, sha, subject, name, mail, committer, at
         from held, unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[]) with ordinality
             as u (sha, subject, name, mail, committer, at, n)
         on conflict (build_id, position) do update set sha = excluded.sha, subject = excluded.subject,
             author_name = excluded.author_name, author_email = excluded.author_email,
             committer_email = excluded.committer_email, authored_at = excluded.authored_at",
        claim.job,
        claim.fence.0,
        id.0,
        &text(|c| c.sha.as_str()),
        &text(|c| &c.subject),
        &text(|c| &c.author_name),
        &text(|c| &c.author_email),
        &text(|c| &c.committer_email),
        &commits.iter().map(|c| c.authored_at).collect::<Vec<_>>(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What the unit tests said, and findings that do not end the build.
pub async fn record_tests(
    db: impl PgExecutor<'_>,
    claim: &Claim,
    id: BuildId,
    report: &TestReport,
    remarks: &[Finding],
) -> Result<bool> {
    let done = sqlx::query!(
        "update build set tests = $4, remarks = $5
         from (select 1 from job where id = $1 and fence = $2 for share) held where id = $3",
        claim.job,
        claim.fence.0,
        id.0,
        Json(report) as _,
        Json(remarks) as _,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What the WAR check said.
pub async fn record_war_check(db: impl PgExecutor<'_>, claim: &Claim, id: BuildId, check: &WarCheck) -> Result<bool> {
    let done = sqlx::query!(
        "update build set war_check = $4
         from (select 1 from job where id = $1 and fence = $2 for share) held where id = $3",
        claim.job,
        claim.fence.0,
        id.0,
        Json(check) as _,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Adds findings that do not end the build to those that [`record_tests`] wrote.
pub async fn add_remarks(db: impl PgExecutor<'_>, claim: &Claim, id: BuildId, remarks: &[Finding]) -> Result<bool> {
    let done = sqlx::query!(
        "update build set remarks = remarks || $4
         from (select 1 from job where id = $1 and fence = $2 for share) held where id = $3",
        claim.job,
        claim.fence.0,
        id.0,
        Json(remarks) as _,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The world was at fault; the build goes back to the queue (the caller gives the job back in the same transaction).
pub async fn wait_again(db: impl PgExecutor<'_>, id: BuildId, error: Option<&str>) -> Result<()> {
    sqlx::query!(
        "update build set state = 'queued', error = coalesce($2, error) where id = $1 and state = 'running'",
        id.0,
        error,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes the end. The caller ends the job in the same transaction, which makes the fence hold.
pub async fn finish(
    db: impl PgExecutor<'_>,
    id: BuildId,
    state: BuildState,
    finding: Option<&Finding>,
    error: Option<&str>,
    ended_by: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "update build set state = $2, finding = $3, error = $4, ended_by = $5, finished_at = clock_timestamp()
         where id = $1",
        id.0,
        state.as_str(),
        finding.map(Json) as _,
        error,
        ended_by,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A build with everything that its row knows.
#[derive(Debug, Clone)]
pub struct BuildRecord {
    /// The build.
    pub build: Build,
    /// What the tests said, if it came that far.
    pub tests: Option<TestReport>,
    /// Findings that did not end it.
    pub remarks: Vec<Finding>,
    /// What the WAR check said, if it came that far.
    pub war_check: Option<WarCheck>,
    /// Who stopped it.
    pub ended_by: Option<String>,
    /// Who asked for it.
    pub requested_by: Option<String>,
    /// Who let it run.
    pub approved_by: Option<String>,
    /// Number of the last line of its log.
    pub log_lines: i64,
}

struct BuildRow {
    id: i64,
    merge_request: Json<MergeRequest>,
    pipeline: String,
    trigger: String,
    state: String,
    attempt: i32,
    target_tip: Option<String>,
    merge_tree: Option<String>,
    finding: Option<Json<Finding>>,
    error: Option<String>,
    worker: Option<String>,
    ended_by: Option<String>,
    requested_by: Option<String>,
    approved_by: Option<String>,
    log_lines: i64,
    tests: Option<Json<TestReport>>,
    remarks: Json<Vec<Finding>>,
    war_check: Option<Json<WarCheck>>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl BuildRow {
    fn record(self) -> Result<BuildRecord> {
        let sha = |column, text: Option<String>| text.map(|text| decode(column, &text)).transpose();
        Ok(BuildRecord {
            build: Build {
                id: BuildId(self.id),
                merge_request: self.merge_request.0,
                pipeline: self.pipeline,
                trigger: decode("build.trigger", &self.trigger)?,
                state: decode("build.state", &self.state)?,
                attempt: self.attempt,
                target_tip: sha("build.target_tip", self.target_tip)?,
                merge_tree: sha("build.merge_tree", self.merge_tree)?,
                finding: self.finding.map(|finding| finding.0),
                error: self.error,
                worker: self.worker,
                created_at: self.created_at,
                started_at: self.started_at,
                finished_at: self.finished_at,
            },
            tests: self.tests.map(|tests| tests.0),
            remarks: self.remarks.0,
            war_check: self.war_check.map(|check| check.0),
            ended_by: self.ended_by,
            requested_by: self.requested_by,
            approved_by: self.approved_by,
            log_lines: self.log_lines,
        })
    }
}

/// One build.
pub async fn get(db: impl PgExecutor<'_>, id: BuildId) -> Result<Option<BuildRecord>> {
    let row = sqlx::query_as!(
        BuildRow,
        r#"select id, merge_request as "merge_request: Json<MergeRequest>", pipeline, trigger, state, attempt,
                  target_tip, merge_tree, finding as "finding: Json<Finding>", error, worker, ended_by, requested_by,
                  approved_by, log_lines, tests as "tests: Json<TestReport>",
                  remarks as "remarks: Json<Vec<Finding>>", war_check as "war_check: Json<WarCheck>", created_at, started_at, finished_at
           from build where id = $1"#,
        id.0,
    )
    .fetch_optional(db)
    .await?;
    row.map(BuildRow::record).transpose()
}

/// Which builds a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this project.
    pub project: Option<ProjectPath>,
    /// Only in this state.
    pub state: Option<BuildState>,
    /// Only of this merge request.
    pub iid: Option<i64>,
    /// Only whose head or one of whose commits begins so.
    pub commit: Option<String>,
    /// Only older than this one (paging).
    pub before: Option<BuildId>,
}

/// Builds, newest first; with `projects` only theirs.
pub async fn list(
    db: impl PgExecutor<'_>,
    filter: &Filter,
    projects: Option<&[String]>,
    limit: i64,
) -> Result<Vec<BuildRecord>> {
    let rows = sqlx::query_as!(
        BuildRow,
        r#"select id, merge_request as "merge_request: Json<MergeRequest>", pipeline, trigger, state, attempt,
                  target_tip, merge_tree, finding as "finding: Json<Finding>", error, worker, ended_by, requested_by,
                  approved_by, log_lines, tests as "tests: Json<TestReport>",
                  remarks as "remarks: Json<Vec<Finding>>", war_check as "war_check: Json<WarCheck>", created_at, started_at, finished_at
           from build
           where ($1::text is null or project_path = $1)
             and ($2::text is null or state = $2)
             and ($3::bigint is null or iid = $3)
             and ($4::text is null or starts_with(head, $4)
                  or exists (select 1 from build_commit c where c.build_id = build.id and starts_with(c.sha, $4)))
             and ($5::bigint is null or id < $5)
             and ($6::text[] is null or project_path = any($6))
           order by id desc limit $7"#,
        filter.project.as_ref().map(ProjectPath::as_str),
        filter.state.map(BuildState::as_str),
        filter.iid,
        filter.commit,
        filter.before.map(|id| id.0),
        projects as Option<&[String]>,
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(BuildRow::record).collect()
}

/// The commits of a build, newest first.
pub async fn commits(db: impl PgExecutor<'_>, id: BuildId) -> Result<Vec<Commit>> {
    let rows = sqlx::query!(
        "select sha, subject, author_name, author_email, committer_email, authored_at from build_commit
         where build_id = $1 order by position",
        id.0,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Commit {
                sha: decode("build_commit.sha", &row.sha)?,
                subject: row.subject,
                author_name: row.author_name,
                author_email: row.author_email,
                committer_email: row.committer_email,
                authored_at: row.authored_at,
            })
        })
        .collect()
}
