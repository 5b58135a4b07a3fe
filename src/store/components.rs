//! Tables `component`, `image_component` and `sbom`: what is in the images.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::{Result, decode};
use crate::model::{BuildId, Component, Digest, ProjectPath};

/// A library with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub id: i32,
    /// What it is.
    pub component: Component,
}

/// An image that holds some library.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The build that made it.
    pub build: BuildId,
    /// Name of the application.
    pub application: String,
    /// Path of the project.
    pub project: ProjectPath,
    /// Its name with tag.
    pub reference: String,
    /// Its digest.
    pub digest: Digest,
    /// When it reached the registry.
    pub pushed_at: DateTime<Utc>,
    /// Numbers of the libraries that were asked for and that it holds.
    pub components: Vec<i32>,
    /// Environments that it was promoted into and is in now.
    pub environments: Vec<String>,
}

/// Gives each of these libraries its number. They have to be sorted and each there once, so that two transactions that
/// insert the same ones wait for each other instead of for ever.
pub async fn number(db: &mut PgConnection, components: &[&Component]) -> Result<Vec<Known>> {
    let column = |part: fn(&Component) -> &str| components.iter().map(|c| part(c).to_owned()).collect::<Vec<_>>();
    let (groups, artifacts) = (column(|c| &c.group), column(|c| &c.artifact));
    let (versions, packages) = (column(|c| &c.version), column(|c| &c.package));
    sqlx::query!(
        "insert into component (group_id, artifact, version, package)
         select g, a, v, p from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as u (g, a, v, p)
         on conflict do nothing",
        &groups,
        &artifacts,
        &versions,
        &packages,
    )
    .execute(&mut *db)
    .await?;
    let rows = sqlx::query_as!(
        Row,
        "select c.id, c.group_id, c.artifact, c.version, c.package
         from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as u (g, a, v, p)
         join component c on c.artifact = a and c.group_id = g and c.version = v and c.package = p",
        &groups,
        &artifacts,
        &versions,
        &packages,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Row::known).collect())
}

struct Row {
    id: i32,
    group_id: String,
    artifact: String,
    version: String,
    package: String,
}

impl Row {
    fn known(self) -> Known {
        Known {
            id: self.id,
            component: Component {
                group: self.group_id,
                artifact: self.artifact,
                version: self.version,
                package: self.package,
            },
        }
    }
}

/// All libraries with one of these artifactIds.
pub async fn with_artifacts(db: impl PgExecutor<'_>, artifacts: &[String]) -> Result<Vec<Known>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, group_id, artifact, version, package from component where artifact = any($1) order by id",
        artifacts,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Row::known).collect())
}

/// Writes down what an image holds; the caller's transaction holds the fence and has written the image.
pub async fn attach(db: &mut PgConnection, build: BuildId, ids: &[i32]) -> Result<()> {
    sqlx::query!(
        "insert into image_component (component_id, build_id) select id, $1 from unnest($2::int[]) as u (id)",
        build.0,
        ids,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The libraries of an image.
pub async fn of_image(db: impl PgExecutor<'_>, build: BuildId) -> Result<Vec<Component>> {
    let rows = sqlx::query_as!(
        Row,
        "select c.id, c.group_id, c.artifact, c.version, c.package from image_component i
         join component c on c.id = i.component_id where i.build_id = $1 order by c.group_id, c.artifact, c.version",
        build.0,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.known().component).collect())
}

/// Keeps the bill of materials of an image; `document` is what the registry has, `compressed` the same by zlib.
pub async fn keep_document(
    db: impl PgExecutor<'_>,
    build: BuildId,
    sha256: &Digest,
    bytes: usize,
    compressed: &[u8],
) -> Result<()> {
    sqlx::query!(
        "insert into sbom (build_id, sha256, bytes, document) values ($1, $2, $3, $4)",
        build.0,
        sha256.as_str(),
        i32::try_from(bytes).unwrap_or(i32::MAX),
        compressed,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The bill of materials of an image, compressed by zlib, with the digest of the document.
pub async fn document(db: impl PgExecutor<'_>, build: BuildId) -> Result<Option<(Digest, Vec<u8>)>> {
    let row = sqlx::query!("select sha256, document from sbom where build_id = $1", build.0)
        .fetch_optional(db)
        .await?;
    row.map(|row| Ok((decode("sbom.sha256", &row.sha256)?, row.document)))
        .transpose()
}

/// How many images hold one of these libraries, and the newest of them, at most `limit` (at least 1); with `projects`
/// only theirs.
pub async fn holders(
    db: impl PgExecutor<'_>,
    ids: &[i32],
    projects: Option<&[String]>,
    limit: i64,
) -> Result<(i64, Vec<Holder>)> {
    let rows = sqlx::query!(
        r#"with held as materialized
               (select build_id from image_component c where component_id = any($1)
                and ($3::text[] is null or exists
                     (select 1 from build b where b.id = c.build_id and b.project_path = any($3)))
                group by build_id)
           select (select count(*) from held) as "total!", i.build_id, i.application, b.project_path, i.reference,
                  i.digest, i.pushed_at,
                  array(select component_id from image_component c
                        where c.build_id = i.build_id and c.component_id = any($1) order by 1) as "components!",
                  array(select distinct p.environment from placement p
                        where p.digest = i.digest and p.until is null order by 1) as "environments!"
           from (select build_id from held order by build_id desc limit $2) newest
           join image i on i.build_id = newest.build_id
           join build b on b.id = newest.build_id
           order by i.build_id desc"#,
        ids,
        limit,
        projects as Option<&[String]>,
    )
    .fetch_all(db)
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    let holders = rows.into_iter().map(|row| {
        Ok(Holder {
            build: BuildId(row.build_id),
            application: row.application,
            project: decode("build.project_path", &row.project_path)?,
            reference: row.reference,
            digest: decode("image.digest", &row.digest)?,
            pushed_at: row.pushed_at,
            components: row.components,
            environments: row.environments,
        })
    });
    Ok((total, holders.collect::<Result<_>>()?))
}

/// How many images hold at least one of these libraries.
pub async fn count_holders(db: impl PgExecutor<'_>, ids: &[i32]) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from
           (select build_id from image_component where component_id = any($1) group by build_id) held"#,
        ids,
    )
    .fetch_one(db)
    .await
}
