//! What the builds know of their merge request: all that intake looks at before it decides.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use sqlx::types::Json;

use crate::model::{BuildId, BuildState, DeliveryId, Person, ProjectId, Sha};
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

/// The builds of a merge request, newest first.
pub async fn of_merge_request(db: impl PgExecutor<'_>, project: ProjectId, iid: i64) -> Result<Vec<Known>> {
    let rows = sqlx::query!(
        r#"select b.id, head, target_branch, draft, state, target_tip, seen_tip, ended_by,
                  (j.cancel is not null and j.fence is not null) as "stopping!"
           from build b left join job j on j.lane = 'build' and j.subject = b.id::text
           where project_id = $1 and iid = $2 order by b.id desc"#,
        project.0,
        iid,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let tip = row.target_tip.unwrap_or(row.seen_tip);
            Ok(Known {
                id: BuildId(row.id),
                head: decode("build.head", &row.head)?,
                target_branch: row.target_branch,
                draft: row.draft,
                state: decode("build.state", &row.state)?,
                target_tip: Some(tip)
                    .filter(|tip| !tip.is_empty())
                    .map(|tip| decode("build.target_tip", &tip))
                    .transpose()?,
                ended_by: row.ended_by,
                stopping: row.stopping,
            })
        })
        .collect()
}

/// The build that the newest delivery stands for which arrived after `at`, `except` not counted: what came before it
/// is of yesterday.
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
