//! Lines of the audit trail: who ordered what, from where, on what grounds.

use serde_json::Value;
use sqlx::PgConnection;

use super::error::Result;
use crate::model::Actor;
use crate::model::audit::Decision;
use crate::store::audit;

/// Writes an order down. Call it last in the transaction that carries the order out: other orders wait from here on.
pub(super) async fn note(
    db: &mut PgConnection,
    actor: &Actor,
    action: &str,
    subject: &str,
    grounds: Value,
) -> Result<()> {
    let decision = Decision {
        actor: actor.person(),
        address: Some(&actor.address),
        action,
        subject,
        grounds,
    };
    audit::append(db, &decision).await?;
    Ok(())
}
