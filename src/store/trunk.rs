//! Table `trunk`: the tips of the target branches, and which build is the image of which of them.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::{Result, decode};
use crate::model::{BuildId, DeliveryId, Digest, ProjectId, ProjectPath, Sha};

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

/// A tip as a push, or GitLab when it was asked, told of it.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// The project.
    pub project: ProjectId,
    /// The branch.
    pub branch: &'a str,
    /// Its commit.
    pub tip: &'a Sha,
    /// The tree of that commit.
    pub tree: &'a Sha,
    /// Login name of who pushed, empty if nobody knows.
    pub pushed_by: &'a str,
    /// When it was told.
    pub at: DateTime<Utc>,
    /// By which delivery.
    pub delivery: Option<DeliveryId>,
}

/// Serialises all decisions over a trunk, and the ends of its builds, until the end of the transaction: so a build that
/// ends and a push that comes never miss each other.
pub async fn lock(db: impl PgExecutor<'_>, project: ProjectId, branch: &str) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('trunk:' || $1::bigint || ':' || $2::text, 0))",
        project.0,
        branch,
    )
    .fetch_one(db)
    .await?;
    Ok(())
}

/// Writes down that the branch is at this tip. One that was there before counts from now on, unless this is the older news.
pub async fn see(db: impl PgExecutor<'_>, seen: &Seen<'_>) -> Result<()> {
    sqlx::query!(
        "insert into trunk (project_id, branch, tip, tree, pushed_by, at, delivery_id) values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (project_id, branch, tip) do update
             set at = excluded.at, delivery_id = coalesce(excluded.delivery_id, trunk.delivery_id)
             where trunk.at < excluded.at",
        seen.project.0,
        seen.branch,
        seen.tip.as_str(),
        seen.tree.as_str(),
        seen.pushed_by,
        seen.at,
        seen.delivery.map(|id| id.0),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes down that a build is the image of a tip; gives the tip's row. `None`: the tip has its image already.
pub async fn record(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    branch: &str,
    tip: &Sha,
    tree: &Sha,
    build: BuildId,
    pushed_by: &str,
) -> Result<Option<i64>> {
    sqlx::query_scalar!(
        "insert into trunk (project_id, branch, tip, tree, build_id, pushed_by) values ($1, $2, $3, $4, $5, $6)
         on conflict (project_id, branch, tip) do update set build_id = excluded.build_id where trunk.build_id is null
         returning id",
        project.0,
        branch,
        tip.as_str(),
        tree.as_str(),
        build.0,
        pushed_by,
    )
    .fetch_optional(db)
    .await
}

/// A tip that has got its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Its row.
    pub id: i64,
    /// The branch.
    pub branch: String,
    /// Its commit.
    pub tip: Sha,
    /// Its tree.
    pub tree: Sha,
    /// Login name of who pushed it, may be empty.
    pub pushed_by: String,
}

/// A build has passed: it is the image of the tips that have none and whose tree it built. Under [`lock`].
pub async fn settle(db: impl PgExecutor<'_>, build: BuildId) -> Result<Vec<Settled>> {
    let rows = sqlx::query!(
        "update trunk t set build_id = b.id from build b
         where b.id = $1 and t.build_id is null and t.project_id = b.project_id and t.branch = b.target_branch
             and t.tree = b.merge_tree
         returning t.id, t.branch, t.tip, t.tree, t.pushed_by",
        build.0,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Settled {
                id: row.id,
                branch: row.branch,
                tip: decode("trunk.tip", &row.tip)?,
                tree: decode("trunk.tree", &row.tree)?,
                pushed_by: row.pushed_by,
            })
        })
        .collect()
}

/// A build has ended: the delivery to be looked at again, if the newest tip of its target branch still has neither an image
/// nor a build of its own. Under [`lock`].
pub async fn to_look_at_again(db: impl PgExecutor<'_>, build: BuildId) -> Result<Option<DeliveryId>> {
    let id = sqlx::query_scalar!(
        r#"select t.delivery_id as "delivery!: uuid::Uuid" from build b
           cross join lateral (select * from trunk t where t.project_id = b.project_id and t.branch = b.target_branch
                               order by t.at desc limit 1) t
           where b.id = $1 and t.build_id is null and t.delivery_id is not null
             and not exists (select from build own where own.project_id = t.project_id and own.target_branch = t.branch
                             and own.head = t.tip and own.iid is null and own.state <> 'superseded')"#,
        build.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(id.map(DeliveryId))
}

/// What GitLab shows of a tip by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The project.
    pub project: ProjectId,
    /// The branch.
    pub branch: String,
    /// Its commit.
    pub tip: Sha,
    /// The build that is its image.
    pub build: BuildId,
    /// Was GitLab told of it, or has it refused for good?
    pub told: bool,
}

/// A tip by its row, as soon as it has an image.
pub async fn shown(db: impl PgExecutor<'_>, id: i64) -> Result<Option<Shown>> {
    let row = sqlx::query!(
        r#"select project_id, branch, tip, build_id as "build!", told_at is not null as "told!" from trunk
           where id = $1 and build_id is not null"#,
        id,
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        Ok(Shown {
            project: ProjectId(row.project_id),
            branch: row.branch,
            tip: decode("trunk.tip", &row.tip)?,
            build: BuildId(row.build),
            told: row.told,
        })
    })
    .transpose()
}

/// GitLab was told of a tip, or refused for good.
pub async fn set_told(db: impl PgExecutor<'_>, id: i64, refused: Option<&str>) -> Result<()> {
    sqlx::query!(
        "update trunk set told_at = now(), refused = $2 where id = $1",
        id,
        refused
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Tips whose image is this build and whose status GitLab refused for good: branch, commit, and why.
pub async fn refused_of_build(db: impl PgExecutor<'_>, build: BuildId) -> Result<Vec<(String, Sha, String)>> {
    let rows = sqlx::query!(
        r#"select branch, tip, refused as "refused!" from trunk where build_id = $1 and refused is not null order by at"#,
        build.0,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.branch, decode("trunk.tip", &row.tip)?, row.refused)))
        .collect()
}

/// The image of a tip, if it has one.
pub async fn image(db: impl PgExecutor<'_>, project: ProjectId, branch: &str, tip: &Sha) -> Result<Option<BuildId>> {
    let id = sqlx::query_scalar!(
        r#"select build_id as "build!" from trunk
           where project_id = $1 and branch = $2 and tip = $3 and build_id is not null"#,
        project.0,
        branch,
        tip.as_str(),
    )
    .fetch_optional(db)
    .await?;
    Ok(id.map(BuildId))
}

/// A merge request's build that has not looked at the source yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The build.
    pub build: BuildId,
    /// Number of its merge request.
    pub iid: i64,
    /// The commit that it will merge.
    pub head: Sha,
}

/// The newest builds for this branch whose tree is not known yet, at most `limit`.
pub async fn waiting(db: impl PgExecutor<'_>, project: ProjectId, branch: &str, limit: i64) -> Result<Vec<Waiting>> {
    let rows = sqlx::query!(
        r#"select id, iid as "iid!", head from build
           where project_id = $1 and target_branch = $2 and state in ('queued', 'running') and iid is not null
             and merge_tree is null order by id desc limit $3"#,
        project.0,
        branch,
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Waiting {
                build: BuildId(row.id),
                iid: row.iid,
                head: decode("build.head", &row.head)?,
            })
        })
        .collect()
}

/// The oldest build that will be the image of a tip if it passes: one that builds the tip itself or its tree, or one of
/// `alike`, of which it is known otherwise that they will.
pub async fn under_way(db: impl PgExecutor<'_>, seen: &Seen<'_>, alike: &[BuildId]) -> Result<Option<BuildId>> {
    let alike: Vec<i64> = alike.iter().map(|build| build.0).collect();
    let id = sqlx::query_scalar!(
        "select b.id from build b left join job j on j.lane = 'build' and j.subject = b.id::text
         where b.project_id = $1 and b.target_branch = $2 and b.state in ('queued', 'running') and j.cancel is null
           and (b.merge_tree = $3 or (b.iid is null and b.head = $4) or (b.id = any($5) and b.merge_tree is null))
         order by b.id limit 1",
        seen.project.0,
        seen.branch,
        seen.tree.as_str(),
        seen.tip.as_str(),
        &alike,
    )
    .fetch_optional(db)
    .await?;
    Ok(id.map(BuildId))
}

/// What is known of a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its newest tip.
    pub tip: Sha,
    /// Is there nothing to be done about it? It has an image or a build of its own, or it is the first one, and nobody told of it.
    pub settled: bool,
}

/// The newest tip of a trunk, if one was ever seen.
pub async fn known(db: impl PgExecutor<'_>, project: ProjectId, branch: &str) -> Result<Option<Known>> {
    let row = sqlx::query!(
        r#"select t.tip, (t.build_id is not null
                  or (t.delivery_id is null
                      and not exists (select from trunk o where o.project_id = $1 and o.branch = $2 and o.tip <> t.tip))
                  or exists (select from build own where own.project_id = $1 and own.target_branch = $2
                             and own.head = t.tip and own.iid is null and own.state <> 'superseded')) as "settled!"
           from trunk t where t.project_id = $1 and t.branch = $2 order by t.at desc limit 1"#,
        project.0,
        branch,
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        Ok(Known {
            tip: decode("trunk.tip", &row.tip)?,
            settled: row.settled,
        })
    })
    .transpose()
}

/// The branches of a project that something was built for in the last ninety days.
pub async fn branches(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        "select distinct target_branch from build
         where project_id = $1 and created_at > now() - interval '90 days' order by target_branch",
        project.0,
    )
    .fetch_all(db)
    .await
}

/// The tip before this one that has an image: what the commits of a trunk's build are counted from.
pub async fn before(db: impl PgExecutor<'_>, project: ProjectId, branch: &str, tip: &Sha) -> Result<Option<Sha>> {
    let found = sqlx::query_scalar!(
        "select tip from trunk
         where project_id = $1 and branch = $2 and tip <> $3 and build_id is not null
           and at < coalesce((select at from trunk where project_id = $1 and branch = $2 and tip = $3), now())
         order by at desc limit 1",
        project.0,
        branch,
        tip.as_str(),
    )
    .fetch_optional(db)
    .await?;
    found.map(|tip| decode("trunk.tip", &tip)).transpose()
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
        r#"select distinct t.build_id as "build!" from trunk t
         join trunk newest on newest.build_id = $2 and newest.project_id = t.project_id and newest.branch = t.branch
         join trunk oldest on oldest.build_id = $1 and oldest.project_id = t.project_id and oldest.branch = t.branch
         where t.build_id is not null and t.at > oldest.at and t.at < newest.at"#,
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
