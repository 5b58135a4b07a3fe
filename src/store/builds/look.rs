//! Looking at builds without reading them whole: for live streams and for questions by commit.

use std::collections::BTreeSet;

use sqlx::PgExecutor;

use crate::model::{BuildId, BuildState, ProjectPath, Sha};
use crate::store::{Result, decode};

/// The part of a build that a stream looks at again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Where it is in its life.
    pub state: BuildState,
    /// Its attempt.
    pub attempt: i32,
}

/// Where a build is. `None`: there is no such build.
pub async fn status(db: impl PgExecutor<'_>, id: BuildId) -> Result<Option<Status>> {
    let row = sqlx::query!("select state, attempt from build where id = $1", id.0)
        .fetch_optional(db)
        .await?;
    row.map(|row| {
        Ok(Status {
            state: decode("build.state", &row.state)?,
            attempt: row.attempt,
        })
    })
    .transpose()
}

/// Commits that begin with these digits, heads of builds and what they bring along; at most `limit`.
pub async fn commits_like(db: impl PgExecutor<'_>, digits: &str, limit: i64) -> Result<Vec<Sha>> {
    let rows = sqlx::query_scalar!(
        r#"select sha as "sha!" from (
               select head as sha from build where starts_with(head, $1)
               union select sha from build_commit where starts_with(sha, $1)
           ) known order by sha limit $2"#,
        digits,
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.iter().map(|sha| decode("build.head", sha)).collect()
}

/// The newest builds that have this commit as head or bring it along.
pub async fn of_commit(db: impl PgExecutor<'_>, commit: &Sha, limit: i64) -> Result<Vec<BuildId>> {
    let ids = sqlx::query_scalar!(
        r#"select id as "id!" from (
               select id from build where head = $1 union select build_id from build_commit where sha = $1
           ) found order by id desc limit $2"#,
        commit.as_str(),
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(BuildId).collect())
}

/// Who wrote these builds: mail addresses of the authors of their commits, login and mail address of whoever opened the
/// merge request; in lower case.
pub async fn authors(db: impl PgExecutor<'_>, builds: &[BuildId]) -> Result<BTreeSet<String>> {
    let ids: Vec<i64> = builds.iter().map(|build| build.0).collect();
    let names = sqlx::query_scalar!(
        r#"select lower(author_email) as "name!" from build_commit where build_id = any($1)
           union select lower(merge_request -> 'author' ->> 'username') from build
               where id = any($1) and merge_request -> 'author' ->> 'username' <> ''
           union select lower(merge_request -> 'author' ->> 'email') from build
               where id = any($1) and merge_request -> 'author' ->> 'email' <> ''"#,
        &ids,
    )
    .fetch_all(db)
    .await?;
    Ok(names.into_iter().collect())
}

/// The project of a build.
pub async fn project(db: impl PgExecutor<'_>, id: BuildId) -> Result<Option<ProjectPath>> {
    let path = sqlx::query_scalar!("select project_path from build where id = $1", id.0)
        .fetch_optional(db)
        .await?;
    path.map(|path| decode("build.project_path", &path)).transpose()
}
