//! What is known to be wrong with an image, from the tables that know it.

use sqlx::PgExecutor;
use sqlx::types::Json;

use super::{Result, decode};
use crate::model::{BuildId, Level, WarCheck};

/// Known vulnerabilities of the libraries in an image, as of now: name and level, if anybody has said one.
pub async fn vulnerabilities(db: impl PgExecutor<'_>, build: BuildId) -> Result<Vec<(String, Option<Level>)>> {
    let rows = sqlx::query!(
        "select distinct a.id, a.level from image_component c
         join component_advisory m on m.component_id = c.component_id
         join advisory a on a.id = m.advisory_id
         where c.build_id = $1 and not a.withdrawn order by a.id",
        build.0,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let level = row.level.map(|level| decode("advisory.level", &level)).transpose()?;
            Ok((row.id, level))
        })
        .collect()
}

/// What the WAR check of a build said.
pub async fn war_check(db: impl PgExecutor<'_>, build: BuildId) -> Result<Option<WarCheck>> {
    let check = sqlx::query_scalar!(
        r#"select war_check as "war_check: Json<WarCheck>" from build where id = $1"#,
        build.0
    )
    .fetch_optional(db)
    .await?;
    Ok(check.flatten().map(|Json(check)| check))
}
