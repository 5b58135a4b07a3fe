//! Table `project`: the projects that are ours to watch.

use std::time::Duration;

use sqlx::PgExecutor;

use super::{Result, decode};
use crate::model::{ProjectId, ProjectPath};

/// Remembers the project, under its newest path.
pub async fn remember(db: impl PgExecutor<'_>, id: ProjectId, path: &ProjectPath) -> Result<()> {
    sqlx::query!(
        "insert into project (id, path) values ($1, $2)
         on conflict (id) do update set path = excluded.path where project.path <> excluded.path",
        id.0,
        path.as_str(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes the projects whose turn it is to be compared with GitLab; with several processes each project is taken by one.
pub async fn take_due(db: impl PgExecutor<'_>, every: Duration) -> Result<Vec<(ProjectId, ProjectPath)>> {
    let rows = sqlx::query!(
        "update project set polled_at = now()
         where id in (select id from project
                      where polled_at is null or polled_at < now() - make_interval(secs => $1)
                      order by id for update skip locked)
         returning id, path",
        every.as_secs_f64(),
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| Ok((ProjectId(row.id), decode("project.path", &row.path)?)))
        .collect()
}

/// Paths of the known projects, in their order, at most `limit`.
pub async fn paths(db: impl PgExecutor<'_>, limit: i64) -> Result<Vec<String>> {
    sqlx::query_scalar!("select path from project order by path limit $1", limit)
        .fetch_all(db)
        .await
}
