//! What a build takes as it was once: column `build.pins`.

use sqlx::PgExecutor;
use sqlx::types::Json;

use super::Result;
use crate::model::{BuildId, Pins};

/// Pins a build that has not begun.
pub async fn set(db: impl PgExecutor<'_>, id: BuildId, pins: &Pins) -> Result<()> {
    sqlx::query!("update build set pins = $2 where id = $1", id.0, Json(pins) as _)
        .execute(db)
        .await?;
    Ok(())
}

/// The pins of a build; `None` if it takes everything as it is.
pub async fn of_build(db: impl PgExecutor<'_>, id: BuildId) -> Result<Option<Pins>> {
    let row = sqlx::query_scalar!(r#"select pins as "pins: Json<Pins>" from build where id = $1"#, id.0)
        .fetch_optional(db)
        .await?;
    Ok(row.flatten().map(|Json(pins)| pins))
}
