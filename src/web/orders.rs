//! What people order: rebuild, cancel, approve, replay. Each is authorised here, where the project is known, and is one
//! transaction that leaves rows and jobs; the work is done by workers, who are woken after the commit.

use std::time::Duration;

use serde_json::json;
use sqlx::PgTransaction;

use super::error::{Error, Result};
use super::people::{Caller, authorise};
use super::state::AppState;
use super::trail::note;
use crate::model::{BuildId, BuildState, DeliveryId, MergeRequest, Permission, Pins, Trigger};
use crate::store::builds::{self, BuildRecord, NewBuild};
use crate::store::jobs::{self, Lane};
use crate::store::notices::Subject;
use crate::store::{StoreError, deliveries, pins};
use crate::wake::Event;

/// What came of a wish to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// It waited and has ended.
    AtOnce,
    /// Its worker was asked to stop it.
    Asked,
}

/// Builds the same commit again, with a number of its own; with `pins` from what it was built from then.
pub(super) async fn rebuild(state: &AppState, id: BuildId, caller: &Caller, pins: Option<&Pins>) -> Result<BuildId> {
    let mut tx = state.pool.begin().await?;
    let record = locked(&mut tx, id).await?;
    let mr = &record.build.merge_request;
    let actor = authorise(caller, Permission::OrderBuild, Some(&mr.project))?;
    let by = actor.name.as_str();
    match record.build.state {
        BuildState::AwaitingApproval => {
            return Err(Error::Conflict(format!(
                "build {id} has not run yet: it waits for approval, approve it"
            )));
        }
        BuildState::Queued | BuildState::Running => {
            return Err(Error::Conflict(format!(
                "build {id} is still {}: wait for its end, or cancel it first",
                record.build.state
            )));
        }
        _ => {}
    }
    let living = builds::alike(&mut *tx, mr)
        .await?
        .into_iter()
        .find(|known| known.head == mr.head && !known.state.is_final());
    if let Some(other) = living {
        return Err(Error::Conflict(format!(
            "build {} is already at commit {}: it is {}",
            other.id,
            mr.head.short(),
            words(other.state)
        )));
    }
    let fork = mr.from_fork();
    let new = NewBuild {
        merge_request: mr,
        pipeline: &record.build.pipeline,
        trigger: Trigger::Person,
        state: if fork {
            BuildState::AwaitingApproval
        } else {
            BuildState::Queued
        },
        seen_tip: None,
        requested_by: Some(by),
    };
    let made = builds::create(&mut *tx, &new)
        .await?
        .ok_or_else(|| Error::Internal(format!("a rebuild of {id} met the intent of another build")))?;
    if let Some(pins) = pins {
        pins::set(&mut *tx, made, pins).await?;
    }
    // That it was ordered is the approval, and it is recorded as one.
    if fork {
        authorise(caller, Permission::ApproveFork, Some(&mr.project))?;
    }
    if fork && !builds::approve(&mut *tx, made, by).await? {
        return Err(Error::Internal(format!(
            "build {made} was just made and cannot be approved"
        )));
    }
    queue(&mut tx, made, mr).await?;
    tell(&mut tx, made, mr).await?;
    let grounds = json!({"of": id, "project": mr.project, "head": mr.head, "pins": pins});
    note(&mut tx, &actor, "build.rebuild", &format!("build {made}"), grounds).await?;
    tx.commit().await?;
    wake(state, made, &[Event::Job(Lane::Build), Event::Job(Lane::Notify)]);
    tracing::info!(build = %made, of = %id, by, address = actor.address, "rebuild ordered");
    Ok(made)
}

/// Ends a build: one that waits at once, one that runs by asking its worker.
pub(super) async fn cancel(state: &AppState, id: BuildId, caller: &Caller) -> Result<Cancelled> {
    let mut tx = state.pool.begin().await?;
    let record = locked(&mut tx, id).await?;
    let actor = authorise(
        caller,
        Permission::OrderBuild,
        Some(&record.build.merge_request.project),
    )?;
    let by = actor.name.as_str();
    if record.build.state.is_final() {
        return Err(already_ended(id, record.build.state));
    }
    // A worker may take or give back the build between the two statements, hence the second round.
    let mut done = None;
    for _ in 0..2 {
        if builds::end_waiting(&mut *tx, id, BuildState::Cancelled, by).await? {
            tell(&mut tx, id, &record.build.merge_request).await?;
            done = Some(Cancelled::AtOnce);
        } else if jobs::request_cancel(&mut *tx, id, BuildState::Cancelled.as_str(), by).await? {
            done = Some(Cancelled::Asked);
        }
        if done.is_some() {
            break;
        }
    }
    let Some(done) = done else {
        let now = builds::status(&mut *tx, id).await?.ok_or_else(|| Error::no_build(id))?;
        return Err(already_ended(id, now.state));
    };
    let project = &record.build.merge_request.project;
    note(
        &mut tx,
        &actor,
        "build.cancel",
        &format!("build {id}"),
        json!({"project": project}),
    )
    .await?;
    tx.commit().await?;
    wake(state, id, &[Event::Cancel(id), Event::Job(Lane::Notify)]);
    tracing::info!(build = %id, by, address = actor.address, ?done, "cancel ordered");
    Ok(done)
}

/// Lets the build of a fork run.
pub(super) async fn approve(state: &AppState, id: BuildId, caller: &Caller) -> Result<()> {
    let mut tx = state.pool.begin().await?;
    let record = locked(&mut tx, id).await?;
    let actor = authorise(
        caller,
        Permission::ApproveFork,
        Some(&record.build.merge_request.project),
    )?;
    let by = actor.name.as_str();
    if !builds::approve(&mut *tx, id, by).await? {
        let now = record.build.state;
        let newer = match (now, &record.ended_by) {
            (BuildState::Superseded, Some(newer)) => format!(" by build {newer}: look at that one"),
            _ => String::new(),
        };
        return Err(Error::Conflict(format!(
            "build {id} does not wait for approval: it is {}{newer}",
            words(now)
        )));
    }
    queue(&mut tx, id, &record.build.merge_request).await?;
    tell(&mut tx, id, &record.build.merge_request).await?;
    let mr = &record.build.merge_request;
    let grounds = json!({"project": mr.project, "head": mr.head});
    note(&mut tx, &actor, "build.approve", &format!("build {id}"), grounds).await?;
    tx.commit().await?;
    wake(state, id, &[Event::Job(Lane::Build), Event::Job(Lane::Notify)]);
    tracing::info!(build = %id, by, address = actor.address, "approved");
    Ok(())
}

/// Has a stored delivery interpreted again.
pub(super) async fn replay(state: &AppState, id: DeliveryId, caller: &Caller) -> Result<()> {
    let actor = authorise(caller, Permission::ReplayDelivery, None)?;
    let by = actor.name.as_str();
    let mut tx = state.pool.begin().await?;
    if deliveries::get(&mut *tx, id).await?.is_none() {
        return Err(Error::NotFound(format!("there is no delivery {id}")));
    }
    jobs::enqueue(&mut *tx, Lane::Intake, &id.to_string(), "", Duration::ZERO).await?;
    note(&mut tx, &actor, "delivery.replay", &format!("delivery {id}"), json!({})).await?;
    tx.commit().await?;
    state.hub.tell(Event::Job(Lane::Intake));
    tracing::info!(delivery = %id, by, address = actor.address, "replay ordered");
    Ok(())
}

/// The build, with all decisions over its merge request or its trunk held up until the end of the transaction.
async fn locked(tx: &mut PgTransaction<'_>, id: BuildId) -> Result<BuildRecord> {
    let seen = builds::get(&mut **tx, id).await?.ok_or_else(|| Error::no_build(id))?;
    let mr = &seen.build.merge_request;
    builds::lock(&mut **tx, mr).await?;
    // Read again: it may have changed while the lock was waited for.
    builds::get(&mut **tx, id).await?.ok_or_else(|| Error::no_build(id))
}

async fn queue(tx: &mut PgTransaction<'_>, id: BuildId, mr: &MergeRequest) -> std::result::Result<(), StoreError> {
    jobs::enqueue(
        &mut **tx,
        Lane::Build,
        &id.to_string(),
        mr.project.as_str(),
        Duration::ZERO,
    )
    .await
}

async fn tell(tx: &mut PgTransaction<'_>, id: BuildId, mr: &MergeRequest) -> std::result::Result<(), StoreError> {
    for subject in Subject::at_gitlab(id, mr) {
        jobs::enqueue(&mut **tx, Lane::Notify, &subject.to_string(), "", Duration::ZERO).await?;
    }
    Ok(())
}

fn wake(state: &AppState, id: BuildId, events: &[Event]) {
    state.hub.tell(Event::Build(id));
    for event in events {
        state.hub.tell(*event);
    }
}

fn already_ended(id: BuildId, state: BuildState) -> Error {
    Error::Conflict(format!("build {id} has already ended ({})", words(state)))
}

fn words(state: BuildState) -> String {
    state.as_str().replace('_', " ")
}
