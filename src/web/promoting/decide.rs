//! Saying yes, no, stop or go on.

use serde_json::json;
use sqlx::PgConnection;

use super::find::{find, known_environment};
use super::{enqueue, no_promotion, said, tell, wake};
use crate::definition::FIRST;
use crate::gates::{candidate, gather, is_author};
use crate::model::{Actor, Category, Digest, Permission, PromotionId, PromotionKind, PromotionState};
use crate::store::jobs::{self, Lane};
use crate::store::placements;
use crate::store::promotions::{self, Promotion};
use crate::store::rejections::{self, Rejection};
use crate::wake::Event;
use crate::web::error::{Error, Result};
use crate::web::people::{Caller, authorise};
use crate::web::state::AppState;
use crate::web::trail::note;

/// Says yes to the digest of this promotion.
pub(in crate::web) async fn approve(state: &AppState, caller: &Caller, id: PromotionId) -> Result<()> {
    let mut tx = state.pool.begin().await?;
    let promotion = locked(&mut tx, id).await?;
    let actor = authorise(caller, Permission::ApprovePromotion, Some(&promotion.project))?;
    if promotion.state != PromotionState::Waiting {
        return Err(Error::Conflict(format!(
            "promotion {id} does not wait for approval: it is {}",
            promotion.state
        )));
    }
    let environments = state.definitions.environments();
    let environment = known_environment(environments, &promotion.environment)?;
    let role = environment.gates.approved_by;
    if !actor.is(role) {
        return Err(Error::Forbidden(format!(
            "promotions into {} are approved by a {role}, which {actor} is not for {}",
            environment.title, promotion.project
        )));
    }
    let name = actor.person();
    if name == promotion.requested_by {
        return Err(Error::Forbidden(format!(
            "{name} asked for promotion {id}: somebody else has to approve it"
        )));
    }
    let candidate = candidate(&mut tx, promotion.build)
        .await?
        .ok_or_else(|| Error::Internal(format!("the image of promotion {id} is gone")))?;
    let facts = gather(&mut tx, &state.definitions, environment, &candidate, Some(id)).await?;
    let email = actor.email.as_deref();
    if promotion.kind == PromotionKind::Promotion && is_author(&facts, name, email) {
        return Err(Error::Forbidden(format!(
            "{name} wrote a commit that promotion {id} brings: somebody else has to approve it"
        )));
    }
    if !promotions::approve(&mut *tx, id, name, email, &actor.address).await? {
        return Err(Error::Conflict(format!("{name} has already approved promotion {id}")));
    }
    enqueue(&mut tx, id).await?;
    let grounds = json!({"digest": promotion.digest, "environment": promotion.environment, "email": email});
    note(
        &mut tx,
        &actor,
        "promotion.approve",
        &format!("promotion {id}"),
        grounds,
    )
    .await?;
    tx.commit().await?;
    wake(state, id);
    Ok(())
}

/// Gives a promotion up. What is being copied is stopped; what has arrived stays recorded.
pub(in crate::web) async fn cancel(
    state: &AppState,
    caller: &Caller,
    id: PromotionId,
    reason: &str,
) -> Result<PromotionState> {
    let mut tx = state.pool.begin().await?;
    let promotion = locked(&mut tx, id).await?;
    let actor = authorise(caller, Permission::SteerPromotion, Some(&promotion.project))?;
    let reason = said(reason, "giving up")?;
    if promotion.state.is_final() && !promotion.state.is_unfinished() {
        return Err(Error::Conflict(format!(
            "promotion {id} has ended: it is {}",
            promotion.state
        )));
    }
    let ended = stop(&mut tx, &promotion, PromotionState::Cancelled, &actor, reason).await?;
    let grounds = json!({"digest": promotion.digest, "environment": promotion.environment, "reason": reason});
    note(&mut tx, &actor, "promotion.cancel", &format!("promotion {id}"), grounds).await?;
    tx.commit().await?;
    state.hub.tell(Event::CancelPromotion(id));
    wake(state, id);
    Ok(if ended {
        PromotionState::Cancelled
    } else {
        promotion.state
    })
}

/// Has the rest of a promotion copied that ended half.
pub(in crate::web) async fn resume(state: &AppState, caller: &Caller, id: PromotionId) -> Result<()> {
    let mut tx = state.pool.begin().await?;
    let promotion = locked(&mut tx, id).await?;
    let actor = authorise(caller, Permission::SteerPromotion, Some(&promotion.project))?;
    if !promotion.state.is_unfinished() {
        return Err(Error::Conflict(format!(
            "promotion {id} cannot be resumed: it is {}, and only a partial or a failed one has something left to do",
            promotion.state
        )));
    }
    if let Some(other) = promotions::active(&mut *tx, &promotion.application, &promotion.environment).await? {
        return Err(Error::Conflict(format!(
            "promotion {} of {} is on its way into {}: wait for its end",
            other.id, other.application, other.environment
        )));
    }
    promotions::set_state(&mut *tx, id, PromotionState::Waiting, Some("resumed")).await?;
    enqueue(&mut tx, id).await?;
    let grounds = json!({"digest": promotion.digest, "environment": promotion.environment, "was": promotion.why});
    note(&mut tx, &actor, "promotion.resume", &format!("promotion {id}"), grounds).await?;
    tx.commit().await?;
    wake(state, id);
    Ok(())
}

/// Says no to an image, for ever: what is on its way is stopped.
pub(in crate::web) async fn reject(
    state: &AppState,
    caller: &Caller,
    what: &str,
    category: Category,
    reason: &str,
) -> Result<Digest> {
    let mut tx = state.pool.begin().await?;
    let candidate = find(&mut tx, what).await?;
    let actor = authorise(caller, Permission::RejectImage, Some(&candidate.project))?;
    let reason = said(reason, "a rejection")?;
    let filter = placements::Filter {
        digest: Some(&candidate.image.digest),
        now: true,
        ..Default::default()
    };
    let reached = placements::list(&mut *tx, filter).await?;
    let furthest = state
        .definitions
        .environments()
        .iter()
        .rev()
        .find(|environment| {
            reached
                .iter()
                .any(|placement| placement.environment == environment.name)
        })
        .map_or(FIRST, |environment| environment.name.as_str());
    let rejection = Rejection {
        digest: candidate.image.digest.clone(),
        application: candidate.application.clone(),
        environment: furthest.to_owned(),
        person: actor.person().to_owned(),
        category,
        reason: reason.to_owned(),
        at: crate::store::now(&mut *tx).await?,
    };
    let stopped = promotions::unfinished_of(&mut *tx, &candidate.image.digest).await?;
    for id in &stopped {
        let promotion = locked(&mut tx, *id).await?;
        stop(&mut tx, &promotion, PromotionState::Rejected, &actor, reason).await?;
    }
    rejections::insert(&mut *tx, &rejection, &actor.address).await?;
    let grounds = json!({
        "application": candidate.application, "environment": furthest, "category": category, "reason": reason,
        "promotions": stopped,
    });
    note(
        &mut tx,
        &actor,
        "image.reject",
        candidate.image.digest.as_str(),
        grounds,
    )
    .await?;
    tx.commit().await?;
    for id in stopped {
        state.hub.tell(Event::CancelPromotion(id));
        wake(state, id);
    }
    Ok(candidate.image.digest)
}

/// Ends a promotion at once where nobody copies, else asks the worker to. `true`: at once.
async fn stop(
    tx: &mut PgConnection,
    promotion: &Promotion,
    state: PromotionState,
    actor: &Actor,
    reason: &str,
) -> Result<bool> {
    let subject = promotion.id.to_string();
    let by = actor.person();
    // What waits is looked at under the lock that we hold; what is copied is known to its worker alone.
    let copying = promotion.state == PromotionState::Copying;
    if copying && jobs::request_stop(&mut *tx, Lane::Promote, &subject, state.as_str(), by).await? {
        return Ok(false);
    }
    let why = format!("{by}: {reason}");
    promotions::set_state(&mut *tx, promotion.id, state, Some(&why)).await?;
    tell(&mut *tx, promotion.id).await?;
    Ok(true)
}

async fn locked(db: &mut PgConnection, id: PromotionId) -> Result<Promotion> {
    promotions::locked(db, id).await?.ok_or_else(|| no_promotion(id))
}
