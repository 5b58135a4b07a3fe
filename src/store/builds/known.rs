//! What the builds know of their merge request: all that intake looks at before it decides.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use sqlx::types::Json;

use crate::model::{BuildId, BuildState, DeliveryId, MergeRequest, Person, ProjectId, Sha};
use crate::store::trunk;
use crate::store::{Result, decode};

/// What intake must know of an earlier build of the same merge request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub id: BuildId,
    /// The commit that it built.
    pub head: Sha,
    /// The branch that it was merged into.
    pub target_branch: String,
    /// Was the merge request a draft?
    pub draft: bool,
    /// Where it is.
    pub state: BuildState,
    /// The tip that it was merged with, if it came that far, or that was seen before.
    pub target_tip: Option<Sha>,
    /// Who ended it, if somebody did.
    pub ended_by: Option<String>,
    /// Is a worker at it that was asked to stop?
    pub stopping: bool,
}

/// Row of [`Known`].
struct KnownRow {
    id: i64,
    head: String,
    target_branch: String,
    draft: bool,
    state: String,
    target_tip: Option<String>,
    seen_tip: String,
    ended_by: Option<String>,
    stopping: bool,
}

impl KnownRow {
    fn known(self) -> Result<Known> {
        let tip = self.target_tip.unwrap_or(self.seen_tip);
        Ok(Known {
            id: BuildId(self.id),
            head: decode("build.head", &self.head)?,
            target_branch: self.target_branch,
            draft: self.draft,
            state: decode("build.state", &self.state)?,
            target_tip: Some(tip)
                .filter(|tip| !tip.is_empty())
                .map(|tip| decode("build.target_tip", &tip))
                .transpose()?,
            ended_by: self.ended_by,
            stopping: self.stopping,
        })
    }
}

/// The builds of a merge request, newest first.
pub async fn of_merge_request(db: impl PgExecutor<'_>, project: ProjectId, iid: i64) -> Result<Vec<Known>> {
    let rows = sqlx::query_as!(
        KnownRow,
        r#"select b.id, head, target_branch, draft, state, target_tip, seen_tip, ended_by,
                  (j.cancel is not null and j.fence is not null) as "stopping!"
           from build b left join job j on j.lane = 'build' and j.subject = b.id::text
           where project_id = $1 and iid = $2 order by b.id desc"#,
        project.0,
        iid,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(KnownRow::known).collect()
}

/// The builds of this tip of a target branch, and those of other tips that have not ended, newest first.
pub async fn of_tip(db: impl PgExecutor<'_>, project: ProjectId, branch: &str, tip: &Sha) -> Result<Vec<Known>> {
    let rows = sqlx::query_as!(
        KnownRow,
        r#"select b.id, head, target_branch, draft, state, target_tip, seen_tip, ended_by,
                  (j.cancel is not null and j.fence is not null) as "stopping!"
           from build b left join job j on j.lane = 'build' and j.subject = b.id::text
           where project_id = $1 and target_branch = $2 and iid is null
             and (head = $3 or state in ('queued', 'running')) order by b.id desc"#,
        project.0,
        branch,
        tip.as_str(),
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(KnownRow::known).collect()
}

/// Is there a build of this commit whose status is to stand there? Not a fork's, which tells the fork, none that somebody
/// stopped, and of a push none that came to nothing.
pub async fn is_built(db: impl PgExecutor<'_>, project: ProjectId, commit: &Sha) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from build where project_id = $1 and head = $2
                          and (merge_request ->> 'source_project_id')::bigint = project_id
                          and state not in ('superseded', 'cancelled')
                          and (iid is not null or state not in ('failed', 'errored'))) as "there!""#,
        project.0,
        commit.as_str(),
    )
    .fetch_one(db)
    .await
}

/// The builds of the same merge request, or of the same push; newest first.
pub async fn alike(db: impl PgExecutor<'_>, mr: &MergeRequest) -> Result<Vec<Known>> {
    match mr.iid {
        Some(iid) => of_merge_request(db, mr.project_id, iid).await,
        None => of_tip(db, mr.project_id, &mr.target_branch, &mr.head).await,
    }
}

/// The build that the newest delivery stands for which arrived after `at`, `except` not counted: what came before it
/// is of yesterday. A push to the trunk may stand for a merge request's build as well, but tells nothing of where the merge
/// request is.
pub async fn of_later_delivery(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    iid: i64,
    at: DateTime<Utc>,
    except: Option<DeliveryId>,
) -> Result<Option<BuildId>> {
    let id = sqlx::query_scalar!(
        "select b.id from build b join delivery d on d.build_id = b.id
         where b.project_id = $1 and b.iid = $2 and d.received_at > $3 and d.id is distinct from $4
           and d.event is distinct from 'Push Hook'
         order by d.received_at desc, d.id desc limit 1",
        project.0,
        iid,
        at,
        except.map(|id| id.0),
    )
    .fetch_optional(db)
    .await?;
    Ok(id.map(BuildId))
}

/// Who opened the merge request, as an earlier build knew it: not every event tells.
pub async fn known_author(db: impl PgExecutor<'_>, project: ProjectId, iid: i64) -> Result<Option<Person>> {
    let author = sqlx::query_scalar!(
        r#"select merge_request -> 'author' as "author!: Json<Person>" from build
           where project_id = $1 and iid = $2 and merge_request -> 'author' ->> 'username' <> ''
           order by id desc limit 1"#,
        project.0,
        iid,
    )
    .fetch_optional(db)
    .await?;
    Ok(author.map(|author| author.0))
}

/// Serialises all decisions over one merge request until the end of the transaction.
pub async fn lock_merge_request(db: impl PgExecutor<'_>, project: ProjectId, iid: i64) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('merge_request:' || $1::bigint || '!' || $2::bigint, 0))",
        project.0,
        iid,
    )
    .fetch_one(db)
    .await?;
    Ok(())
}

/// Serialises all decisions over what a build is of, a merge request or a trunk, until the end of the transaction.
pub async fn lock(db: impl PgExecutor<'_>, mr: &MergeRequest) -> Result<()> {
    match mr.iid {
        Some(iid) => lock_merge_request(db, mr.project_id, iid).await,
        None => trunk::lock(db, mr.project_id, &mr.target_branch).await,
    }
}
