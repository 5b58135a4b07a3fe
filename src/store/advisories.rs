//! Tables `advisory`, `advisory_package`, `component_advisory` and `advisory_import`: known vulnerabilities.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};

use super::{Result, decode};
use crate::model::{Advisory, Affected, Level};

/// Taken shared by whoever writes libraries down, alone by whoever imports advisories: each sees all that the other did.
const LOCK: i64 = 0x5ea3_0001;

/// One library of one advisory that was not withdrawn.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The advisory's name.
    pub id: String,
    /// Its other names.
    pub aliases: Vec<String>,
    /// One line, may be empty.
    pub summary: String,
    /// How bad.
    pub level: Option<Level>,
    /// Which versions of which library.
    pub affected: Affected,
}

/// A library has a vulnerability.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    /// Number of the library.
    pub component: i32,
    /// Name of the advisory.
    pub advisory: String,
    /// In which version it is mended.
    pub fixed_in: Option<String>,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Where the advisories came from.
    pub source: String,
    /// How many of Maven's libraries were in it.
    pub read: i32,
    /// How many were new, or newer than before.
    pub changed: i32,
    /// How many images have a vulnerability that they were not known to have before.
    pub affected: i32,
    /// When.
    pub at: DateTime<Utc>,
}

/// Until the end of the transaction, no import writes.
pub async fn hold_imports_off(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock_shared($1)", LOCK)
        .execute(db)
        .await?;
    Ok(())
}

/// Until the end of the transaction, nobody else imports, and nobody writes libraries down.
pub async fn import_alone(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1)", LOCK)
        .execute(db)
        .await?;
    Ok(())
}

/// Writes advisories, each name once in the list; returns the names of those that are new or newer than what was there.
pub async fn put(db: &mut PgConnection, advisories: &[Advisory]) -> Result<Vec<String>> {
    let ids: Vec<String> = advisories.iter().map(|a| a.id.clone()).collect();
    let aliases: Vec<String> = advisories.iter().map(|a| a.aliases.join(" ")).collect();
    let summaries: Vec<String> = advisories.iter().map(|a| a.summary.clone()).collect();
    let levels: Vec<Option<String>> = advisories
        .iter()
        .map(|a| a.level.map(|level| level.to_string()))
        .collect();
    let modified: Vec<DateTime<Utc>> = advisories.iter().map(|a| a.modified).collect();
    let withdrawn: Vec<bool> = advisories.iter().map(|a| a.withdrawn).collect();
    let changed = sqlx::query_scalar!(
        r#"insert into advisory (id, aliases, summary, level, modified, withdrawn)
           select id, string_to_array(aliases, ' '), summary, level, modified, withdrawn
           from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bool[])
                as u (id, aliases, summary, level, modified, withdrawn)
           on conflict (id) do update set aliases = excluded.aliases, summary = excluded.summary, level = excluded.level,
               modified = excluded.modified, withdrawn = excluded.withdrawn, imported_at = now()
           where advisory.modified < excluded.modified
           returning id"#,
        &ids,
        &aliases,
        &summaries,
        &levels as &[Option<String>],
        &modified,
        &withdrawn,
    )
    .fetch_all(&mut *db)
    .await?;
    sqlx::query!("delete from advisory_package where advisory_id = any($1)", &changed)
        .execute(&mut *db)
        .await?;
    let is_changed: std::collections::HashSet<&str> = changed.iter().map(String::as_str).collect();
    let (mut of, mut positions, mut artifacts, mut affected) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for advisory in advisories
        .iter()
        .filter(|advisory| is_changed.contains(advisory.id.as_str()))
    {
        for (position, entry) in (0i16..).zip(&advisory.affected) {
            of.push(advisory.id.clone());
            positions.push(position);
            artifacts.push(entry.artifact.clone());
            affected.push(Json(entry));
        }
    }
    sqlx::query!(
        "insert into advisory_package (advisory_id, position, artifact, affected)
         select * from unnest($1::text[], $2::smallint[], $3::text[], $4::jsonb[])",
        &of,
        &positions,
        &artifacts,
        &affected as &[Json<&Affected>],
    )
    .execute(db)
    .await?;
    Ok(changed)
}

/// What is known of libraries with these artifactIds, withdrawn advisories apart.
pub async fn with_artifacts(db: impl PgExecutor<'_>, artifacts: &[String]) -> Result<Vec<Entry>> {
    let rows = sqlx::query!(
        r#"select a.id, a.aliases, a.summary, a.level, p.affected as "affected: Json<Affected>"
           from advisory_package p join advisory a on a.id = p.advisory_id
           where p.artifact = any($1) and not a.withdrawn
           order by a.id, p.position"#,
        artifacts,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Entry {
                id: row.id,
                aliases: row.aliases,
                summary: row.summary,
                level: row.level.map(|level| decode("advisory.level", &level)).transpose()?,
                affected: row.affected.0,
            })
        })
        .collect()
}

/// Adds matches; returns the libraries of those that were not there.
pub async fn add_matches(db: impl PgExecutor<'_>, matches: &[Match]) -> Result<Vec<i32>> {
    let components: Vec<i32> = matches.iter().map(|m| m.component).collect();
    let advisories: Vec<String> = matches.iter().map(|m| m.advisory.clone()).collect();
    let fixed: Vec<Option<String>> = matches.iter().map(|m| m.fixed_in.clone()).collect();
    sqlx::query_scalar!(
        "insert into component_advisory (component_id, advisory_id, fixed_in)
         select * from unnest($1::int[], $2::text[], $3::text[])
         on conflict do nothing returning component_id",
        &components,
        &advisories,
        &fixed as &[Option<String>],
    )
    .fetch_all(db)
    .await
}

/// Takes away the matches of these advisories, apart from the ones that hold.
pub async fn drop_matches(db: impl PgExecutor<'_>, advisories: &[String], holding: &[Match]) -> Result<()> {
    let components: Vec<i32> = holding.iter().map(|m| m.component).collect();
    let names: Vec<String> = holding.iter().map(|m| m.advisory.clone()).collect();
    let fixed: Vec<Option<String>> = holding.iter().map(|m| m.fixed_in.clone()).collect();
    sqlx::query!(
        "with holding (component_id, advisory_id, fixed_in) as (select * from unnest($2::int[], $3::text[], $4::text[])),
              mended as (update component_advisory c set fixed_in = h.fixed_in from holding h
                         where c.component_id = h.component_id and c.advisory_id = h.advisory_id
                           and c.fixed_in is distinct from h.fixed_in)
         delete from component_advisory c where c.advisory_id = any($1)
            and not exists (select from holding h
                            where h.component_id = c.component_id and h.advisory_id = c.advisory_id)",
        advisories,
        &components,
        &names,
        &fixed as &[Option<String>],
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes down that an import took place.
pub async fn log_import(
    db: impl PgExecutor<'_>,
    source: &str,
    read: usize,
    changed: usize,
    affected: i64,
) -> Result<()> {
    let whole = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    sqlx::query!(
        "insert into advisory_import (source, read, changed, affected) values ($1, $2, $3, $4)",
        source,
        whole(read),
        whole(changed),
        i32::try_from(affected).unwrap_or(i32::MAX),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The last imports, newest first.
pub async fn imports(db: impl PgExecutor<'_>, limit: i64) -> Result<Vec<Import>> {
    sqlx::query_as!(
        Import,
        "select source, read, changed, affected, at from advisory_import order by id desc limit $1",
        limit,
    )
    .fetch_all(db)
    .await
}

/// An advisory that some image is affected by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Its name.
    pub id: String,
    /// Its other names.
    pub aliases: Vec<String>,
    /// How bad.
    pub level: Option<Level>,
    /// One line.
    pub summary: String,
    /// How many images hold a library that has it.
    pub images: i64,
}

/// Number of advisories that were not withdrawn, and those that images are affected by, the worst first.
pub async fn open(db: &mut PgConnection, limit: i64) -> Result<(i64, Vec<Open>)> {
    let count = sqlx::query_scalar!(r#"select count(*) as "count!" from advisory where not withdrawn"#)
        .fetch_one(&mut *db)
        .await?;
    let rows = sqlx::query!(
        r#"select a.id, a.aliases, a.level, a.summary, count(distinct i.build_id) as "images!"
           from component_advisory c
           join advisory a on a.id = c.advisory_id and not a.withdrawn
           join image_component i on i.component_id = c.component_id
           group by a.id
           order by array_position(array['critical', 'high', 'medium', 'low'], a.level) nulls last, 5 desc, a.id
           limit $1"#,
        limit,
    )
    .fetch_all(db)
    .await?;
    let open = rows.into_iter().map(|row| {
        Ok(Open {
            id: row.id,
            aliases: row.aliases,
            level: row.level.map(|level| decode("advisory.level", &level)).transpose()?,
            summary: row.summary,
            images: row.images,
        })
    });
    Ok((count, open.collect::<Result<_>>()?))
}
