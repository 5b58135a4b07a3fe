//! A build's image becomes that of a tip.

use std::time::Duration;

use serde_json::json;
use sqlx::PgConnection;

use crate::intake::apply::tell;
use crate::intake::error::IntakeError;
use crate::model::audit::Decision;
use crate::model::{BuildId, Sha};
use crate::store::jobs::{self, Lane};
use crate::store::notices::Subject;
use crate::store::trunk::{self, Seen};
use crate::store::{Result, audit, builds, images};

/// A push found a tree that was tested.
pub(super) async fn record(
    db: &mut PgConnection,
    seen: &Seen<'_>,
    build: BuildId,
) -> std::result::Result<(), IntakeError> {
    let Seen {
        project,
        branch,
        tip,
        tree,
        pushed_by,
        ..
    } = *seen;
    let Some(id) = trunk::record(&mut *db, project, branch, tip, tree, build, pushed_by).await? else {
        return Ok(());
    };
    tell(db, Subject::Tip(id)).await?;
    if let Some(record) = builds::get(&mut *db, build).await?
        && let Some(note) = Subject::note(&record.build.merge_request)
    {
        tell(db, note).await?;
    }
    write_down(db, branch, tip, tree, build, pushed_by).await?;
    Ok(())
}

/// A build has ended, with an image if it `passed`: the tips that were waiting for it get theirs; if the newest one goes
/// without, its push is looked at again. Part of the transaction that writes the end, and best the last one, because others
/// wait for the audit trail. Gives whether there is something to do in the lane `intake`.
///
/// # Errors
/// The database.
pub async fn settle(db: &mut PgConnection, build: BuildId, passed: bool) -> Result<bool> {
    let settled = if passed {
        trunk::settle(&mut *db, build).await?
    } else {
        Vec::new()
    };
    let again = trunk::to_look_at_again(&mut *db, build).await?;
    if let Some(delivery) = again {
        jobs::enqueue(&mut *db, Lane::Intake, &delivery.to_string(), "", Duration::ZERO).await?;
    }
    for tip in settled {
        jobs::enqueue(
            &mut *db,
            Lane::Notify,
            &Subject::Tip(tip.id).to_string(),
            "",
            Duration::ZERO,
        )
        .await?;
        write_down(db, &tip.branch, &tip.tip, &tip.tree, build, &tip.pushed_by).await?;
    }
    Ok(again.is_some())
}

async fn write_down(
    db: &mut PgConnection,
    branch: &str,
    tip: &Sha,
    tree: &Sha,
    build: BuildId,
    pushed_by: &str,
) -> Result<()> {
    let Some(record) = builds::get(&mut *db, build).await? else {
        return Ok(());
    };
    let Some(image) = images::of_build(&mut *db, build).await? else {
        return Ok(());
    };
    let mr = &record.build.merge_request;
    let decision = Decision {
        actor: if pushed_by.is_empty() { "seaworthy" } else { pushed_by },
        address: None,
        action: if mr.is_trunk() { "trunk.built" } else { "trunk.tested" },
        subject: image.pushed.digest.as_str(),
        grounds: json!({
            "project": mr.project.as_str(), "branch": branch, "tip": tip.as_str(), "tree": tree.as_str(), "build": build.0,
        }),
    };
    audit::append(db, &decision).await?;
    Ok(())
}
