//! Asking for a promotion or a rollback.

use serde_json::json;

use super::find::{Outlook, find, known_environment, look};
use super::{enqueue, said, wake};
use crate::definition::Environment;
use crate::gates::{Candidate, candidate};
use crate::model::promotion::{Verdict, verdict};
use crate::model::{Actor, Digest, GateKind, Permission, PromotionId, PromotionKind};
use crate::store::placements;
use crate::store::promotions::{self, NewPromotion, Promotion};
use crate::web::error::{Error, Result};
use crate::web::people::{Caller, authorise};
use crate::web::state::AppState;
use crate::web::trail::note;

/// Asks for a promotion. Every gate but the approvals has to be open.
pub(in crate::web) async fn request(
    state: &AppState,
    caller: &Caller,
    what: &str,
    environment: &str,
    reason: &str,
) -> Result<PromotionId> {
    let mut tx = state.pool.begin().await?;
    let candidate = find(&mut tx, what).await?;
    let actor = authorise(caller, Permission::RequestPromotion, Some(&candidate.project))?;
    let reason = said(reason, "a promotion")?;
    let outlook = look(state, &mut tx, candidate, environment, PromotionKind::Promotion).await?;
    create(state, tx, &actor, outlook, PromotionKind::Promotion, reason).await
}

/// Puts the digest back that was there before.
pub(in crate::web) async fn roll_back(
    state: &AppState,
    caller: &Caller,
    application: &str,
    environment: &str,
    reason: &str,
) -> Result<PromotionId> {
    let mut tx = state.pool.begin().await?;
    let Some(back) = placements::before_now(&mut *tx, application, environment).await? else {
        known_environment(state.definitions.environments(), environment)?;
        return Err(Error::Conflict(format!(
            "{application} has had no other image in {environment} that was neither rejected nor rolled back: there is nothing \
             to go back to; promote a good image instead"
        )));
    };
    let candidate = candidate(&mut tx, back.build).await?.ok_or_else(|| {
        Error::Internal(format!(
            "{} was placed and its build {} is gone",
            back.before, back.build
        ))
    })?;
    let actor = authorise(caller, Permission::RollBack, Some(&candidate.project))?;
    let reason = said(reason, "a rollback")?;
    let mut outlook = look(state, &mut tx, candidate, environment, PromotionKind::Rollback).await?;
    outlook.replaces = Some(back.now);
    create(state, tx, &actor, outlook, PromotionKind::Rollback, reason).await
}

async fn create(
    state: &AppState,
    mut tx: sqlx::PgTransaction<'_>,
    actor: &Actor,
    outlook: Outlook,
    kind: PromotionKind,
    reason: &str,
) -> Result<PromotionId> {
    let Outlook {
        candidate,
        environment,
        gates,
        replaces,
    } = outlook;
    if replaces.as_ref() == Some(&candidate.image.digest) {
        return Err(Error::Conflict(format!(
            "{} is in {} already",
            short(&candidate.image.digest),
            environment.title
        )));
    }
    if let Verdict::Closed | Verdict::Until(_) = verdict(&gates) {
        let closed = gates
            .iter()
            .filter(|gate| !gate.open && gate.gate != GateKind::Approvals);
        let sentences: Vec<&str> = closed.map(|gate| gate.why.as_str()).collect();
        return Err(Error::Conflict(format!(
            "{} cannot go to {}: {}",
            short(&candidate.image.digest),
            environment.title,
            sentences.join("; ")
        )));
    }
    if let Some(other) = promotions::namesake(&mut *tx, &candidate.application, candidate.build).await? {
        return Err(Error::Conflict(format!(
            "the application of {other} is called {} too and was promoted before: two projects cannot share a name in the \
             environments. Rename the project {} in GitLab and build it again",
            candidate.application, candidate.project
        )));
    }
    let new = NewPromotion {
        kind,
        application: &candidate.application,
        project: &candidate.project,
        build: candidate.build,
        digest: &candidate.image.digest,
        environment: &environment.name,
        replaces: replaces.as_ref(),
        requested_by: actor.person(),
        reason,
    };
    let Some(id) = promotions::create(&mut *tx, &new).await? else {
        let other = promotions::active(&mut *tx, &candidate.application, &environment.name).await?;
        return Err(in_the_way(other, &candidate, &environment));
    };
    enqueue(&mut tx, id).await?;
    let action = format!("{kind}.request");
    let grounds = json!({
        "digest": candidate.image.digest, "application": candidate.application, "environment": environment.name,
        "replaces": replaces, "reason": reason, "gates": gates,
    });
    note(&mut tx, actor, &action, &format!("promotion {id}"), grounds).await?;
    tx.commit().await?;
    wake(state, id);
    Ok(id)
}

fn in_the_way(other: Option<Promotion>, candidate: &Candidate, environment: &Environment) -> Error {
    let Some(other) = other else {
        return Error::Conflict("another promotion came in between and has ended; look, and ask again".to_owned());
    };
    let same = match other.digest == candidate.image.digest {
        true => "of this very digest ",
        false => "",
    };
    Error::Conflict(format!(
        "promotion {} {same}is on its way into {} (asked for by {}, {}): {}",
        other.id,
        environment.title,
        other.requested_by,
        other.state,
        match other.kind {
            PromotionKind::Rollback => "wait for its end",
            PromotionKind::Promotion => "wait for its end, or cancel it first",
        }
    ))
}

fn short(digest: &Digest) -> &str {
    &digest.as_str()[..19]
}
