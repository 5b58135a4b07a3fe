//! What was chosen for a build, and why: the column `build.choices`.

use sqlx::PgExecutor;
use sqlx::types::Json;

use super::Result;
use super::jobs::Claim;
use crate::model::{BuildId, Choice, ProjectPath};

/// Writes all choices so far; `false`: the claim is lost.
pub async fn record(db: impl PgExecutor<'_>, claim: &Claim, id: BuildId, choices: &[Choice]) -> Result<bool> {
    let done = sqlx::query!(
        "update build set choices = $4
         from (select 1 from job where id = $1 and fence = $2 for share) held where id = $3",
        claim.job,
        claim.fence.0,
        id.0,
        Json(choices) as _,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The choices of the newest build of a project before this one that came to choose; none if there is no such build.
pub async fn before(db: impl PgExecutor<'_>, project: &ProjectPath, id: BuildId) -> Result<Vec<Choice>> {
    let choices = sqlx::query_scalar!(
        r#"select choices as "choices: Json<Vec<Choice>>" from build
           where project_path = $1 and id < $2 and choices <> '[]' order by id desc limit 1"#,
        project.as_str(),
        id.0
    )
    .fetch_optional(db)
    .await?;
    Ok(choices.map(|choices| choices.0).unwrap_or_default())
}

/// The choices of a build; none for one that is unknown or did not come that far.
pub async fn of_build(db: impl PgExecutor<'_>, id: BuildId) -> Result<Vec<Choice>> {
    let choices = sqlx::query_scalar!(
        r#"select choices as "choices: Json<Vec<Choice>>" from build where id = $1"#,
        id.0
    )
    .fetch_optional(db)
    .await?;
    Ok(choices.map(|choices| choices.0).unwrap_or_default())
}
