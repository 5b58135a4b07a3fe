//! What is known to be wrong with an image, from the tables that know it.

use sqlx::PgExecutor;
use sqlx::types::Json;

use super::{Result, decode};
use crate::model::{BuildId, Component, Level, WarCheck};

/// A known vulnerability of a library in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vulnerability {
    /// Name of the advisory.
    pub id: String,
    /// The same with its other names: a waiver may use any.
    pub names: Vec<String>,
    /// How bad, if anybody has said so.
    pub level: Option<Level>,
    /// The library.
    pub component: Component,
}

/// Known vulnerabilities of the libraries in an image, as of now.
pub async fn vulnerabilities(db: impl PgExecutor<'_>, build: BuildId) -> Result<Vec<Vulnerability>> {
    let rows = sqlx::query!(
        "select a.id, a.aliases, a.level, l.group_id, l.artifact, l.version, l.package from image_component c
         join component l on l.id = c.component_id
         join component_advisory m on m.component_id = c.component_id
         join advisory a on a.id = m.advisory_id
         where c.build_id = $1 and not a.withdrawn order by a.id, l.id",
        build.0,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let mut names = row.aliases;
            names.push(row.id.clone());
            Ok(Vulnerability {
                id: row.id,
                names,
                level: row.level.map(|level| decode("advisory.level", &level)).transpose()?,
                component: Component {
                    group: row.group_id,
                    artifact: row.artifact,
                    version: row.version,
                    package: row.package,
                },
            })
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
