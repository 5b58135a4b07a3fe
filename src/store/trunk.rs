//! Table `trunk`: which build is the image of which tip of a target branch.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::{Result, decode};
use crate::model::{BuildId, Digest, ProjectId, ProjectPath, Sha};

/// A tip of a target branch, and its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// The branch.
    pub branch: String,
    /// Its commit.
    pub tip: Sha,
    /// When it became that.
    pub at: DateTime<Utc>,
}

/// Writes down that a build is the image of a tip. `false`: the tip has its image already.
pub async fn record(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    branch: &str,
    tip: &Sha,
    tree: &Sha,
    build: BuildId,
    pushed_by: &str,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into trunk (project_id, branch, tip, tree, build_id, pushed_by) values ($1, $2, $3, $4, $5, $6)
         on conflict (project_id, branch, tip) do nothing",
        project.0,
        branch,
        tip.as_str(),
        tree.as_str(),
        build.0,
        pushed_by,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The newest build that passed with this tree on its way into this branch.
pub async fn tested(db: impl PgExecutor<'_>, project: ProjectId, branch: &str, tree: &Sha) -> Result<Option<BuildId>> {
    let id = sqlx::query_scalar!(
        "select b.id from build b join image i on i.build_id = b.id
         where b.project_id = $1 and b.target_branch = $2 and b.merge_tree = $3 and b.state = 'passed'
         order by b.id desc limit 1",
        project.0,
        branch,
        tree.as_str(),
    )
    .fetch_optional(db)
    .await?;
    Ok(id.map(BuildId))
}

/// The tips that a build is the image of, oldest first.
pub async fn of_build(db: impl PgExecutor<'_>, build: BuildId) -> Result<Vec<Trunk>> {
    let rows = sqlx::query!(
        "select branch, tip, at from trunk where build_id = $1 order by at",
        build.0
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Trunk {
                branch: row.branch,
                tip: decode("trunk.tip", &row.tip)?,
                at: row.at,
            })
        })
        .collect()
}

/// Is this a branch that something was built for?
pub async fn is_target(db: impl PgExecutor<'_>, project: ProjectId, branch: &str) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from build where project_id = $1 and target_branch = $2) as "known!""#,
        project.0,
        branch,
    )
    .fetch_one(db)
    .await
}

/// The builds whose images the trunk had after `since` and before `to`: what a promotion of `to` brings besides itself. None
/// if nothing is known of `since`.
pub async fn builds_between(db: impl PgExecutor<'_>, since: Option<BuildId>, to: BuildId) -> Result<Vec<BuildId>> {
    let ids = sqlx::query_scalar!(
        "select distinct t.build_id from trunk t
         join trunk newest on newest.build_id = $2 and newest.project_id = t.project_id and newest.branch = t.branch
         join trunk oldest on oldest.build_id = $1 and oldest.project_id = t.project_id and oldest.branch = t.branch
         where t.at > oldest.at and t.at < newest.at",
        since.map(|build| build.0),
        to.0,
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(BuildId).collect())
}

/// The newest image of the trunk of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// Name of the application.
    pub application: String,
    /// Path of its project.
    pub project: ProjectPath,
    /// The image.
    pub digest: Digest,
    /// The build that made it.
    pub build: BuildId,
    /// `repository:tag` in the QA registry.
    pub reference: String,
    /// Who pushed the tip.
    pub pushed_by: String,
    /// When it became the trunk's.
    pub at: DateTime<Utc>,
}

/// The newest image of the trunk of each application, by name.
pub async fn newest(db: impl PgExecutor<'_>) -> Result<Vec<Newest>> {
    let rows = sqlx::query!(
        "select distinct on (i.application) i.application, b.project_path, i.digest, i.build_id, i.reference, t.pushed_by,
                t.at
         from trunk t join image i on i.build_id = t.build_id join build b on b.id = t.build_id
         order by i.application, t.at desc",
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Newest {
                application: row.application,
                project: decode("build.project_path", &row.project_path)?,
                digest: decode("image.digest", &row.digest)?,
                build: BuildId(row.build_id),
                reference: row.reference,
                pushed_by: row.pushed_by,
                at: row.at,
            })
        })
        .collect()
}
