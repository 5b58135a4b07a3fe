//! What people order: cancel, rebuild, approve, replay. Each is one transaction that writes rows and jobs; the workers
//! are woken after it.

use std::time::Duration;

use super::AppState;
use super::error::{Result, WebError};
use crate::model::{BuildId, BuildState, DeliveryId, MergeRequest, Trigger};
use crate::store::builds::{self, NewBuild};
use crate::store::jobs::{self, Lane};
use crate::store::notices::Subject;
use crate::store::{self, deliveries};
use crate::wake::Event;
use crate::wire::Done;

pub(super) async fn cancel(state: &AppState, id: BuildId, by: &str) -> Result<Done> {
    let record = existing(state, id).await?;
    let mr = &record.build.merge_request;
    let mut tx = state.pool.begin().await?;
    let mut message = None;
    // A worker may take or give back the build between two statements, hence the second round.
    for _ in 0..2 {
        if builds::end_waiting(&mut *tx, id, BuildState::Cancelled, by).await? {
            message = Some(format!("build {id} is cancelled"));
        } else if jobs::request_cancel(&mut *tx, id, BuildState::Cancelled.as_str(), by).await? {
            message = Some(format!("build {id} is being stopped"));
        }
        if message.is_some() {
            break;
        }
    }
    let Some(message) = message else {
        return Err(WebError::conflict(format!(
            "build {id} has already ended ({})",
            record.build.state
        )));
    };
    announce(&mut tx, mr, id).await?;
    tx.commit().await?;
    state.hub.tell(Event::Cancel(id));
    state.hub.tell(Event::Build(id));
    state.hub.tell(Event::Job(Lane::Notify));
    Ok(Done {
        build: Some(id.0),
        message,
    })
}

pub(super) async fn rebuild(state: &AppState, id: BuildId, by: &str) -> Result<Done> {
    let record = existing(state, id).await?;
    let build = &record.build;
    if build.state == BuildState::AwaitingApproval {
        return Err(WebError::conflict(format!(
            "build {id} comes from a fork and was never approved: approve it instead"
        )));
    }
    let mr = &build.merge_request;
    let mut tx = state.pool.begin().await?;
    let new = NewBuild {
        merge_request: mr,
        pipeline: &build.pipeline,
        trigger: Trigger::Person,
        state: BuildState::Queued,
        seen_tip: None,
        requested_by: Some(by),
    };
    let Some(made) = builds::create(&mut *tx, &new).await? else {
        return Err(WebError::conflict(format!("build {id} is just being built again")));
    };
    jobs::enqueue(
        &mut *tx,
        Lane::Build,
        &made.to_string(),
        mr.project.as_str(),
        Duration::ZERO,
    )
    .await?;
    announce(&mut tx, mr, made).await?;
    tx.commit().await?;
    woken(state, made);
    Ok(Done {
        build: Some(made.0),
        message: format!("build {made} builds {} of build {id} again", mr.head.short()),
    })
}

pub(super) async fn approve(state: &AppState, id: BuildId, by: &str) -> Result<Done> {
    let record = existing(state, id).await?;
    let mr = &record.build.merge_request;
    let mut tx = state.pool.begin().await?;
    if !builds::approve(&mut *tx, id, by).await? {
        return Err(WebError::conflict(format!(
            "build {id} does not wait for approval: it is {}",
            record.build.state
        )));
    }
    jobs::enqueue(
        &mut *tx,
        Lane::Build,
        &id.to_string(),
        mr.project.as_str(),
        Duration::ZERO,
    )
    .await?;
    announce(&mut tx, mr, id).await?;
    tx.commit().await?;
    woken(state, id);
    Ok(Done {
        build: Some(id.0),
        message: format!(
            "build {id} of {} may run; a new push needs a new approval",
            mr.head.short()
        ),
    })
}

pub(super) async fn replay(state: &AppState, id: DeliveryId) -> Result<Done> {
    if deliveries::get(&state.pool, id).await?.is_none() {
        return Err(WebError::not_found(format!("there is no delivery {id}")));
    }
    jobs::enqueue(&state.pool, Lane::Intake, &id.to_string(), "", Duration::ZERO).await?;
    state.hub.tell(Event::Job(Lane::Intake));
    Ok(Done {
        build: None,
        message: format!("delivery {id} is interpreted again; look at it in a moment"),
    })
}

pub(super) async fn existing(state: &AppState, id: BuildId) -> Result<builds::BuildRecord> {
    let record = builds::get(&state.pool, id).await?;
    record.ok_or_else(|| WebError::not_found(format!("there is no build {id}")))
}

async fn announce(tx: &mut sqlx::PgTransaction<'_>, mr: &MergeRequest, build: BuildId) -> store::Result<()> {
    for subject in [Subject::Status(build), Subject::Note(mr.project_id, mr.iid)] {
        jobs::enqueue(
            &mut **tx,
            Lane::Notify,
            &subject.to_string(),
            mr.project.as_str(),
            Duration::ZERO,
        )
        .await?;
    }
    Ok(())
}

fn woken(state: &AppState, build: BuildId) {
    state.hub.tell(Event::Build(build));
    state.hub.tell(Event::Job(Lane::Build));
    state.hub.tell(Event::Job(Lane::Notify));
}
