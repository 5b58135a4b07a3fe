//! What release managers order: promote, approve, reject, cancel, resume, roll back. Each is one transaction that leaves
//! rows, a line in the audit trail and a job; workers copy.

mod decide;
mod find;
mod request;

use std::time::Duration;

use sqlx::PgConnection;

pub(super) use decide::{approve, cancel, reject, resume};
pub(super) use find::{Outlook, find, outlook};
pub(super) use request::{request, roll_back};

use super::error::{Error, Result};
use super::state::AppState;
use crate::model::PromotionId;
use crate::store::jobs::{self, Lane};
use crate::store::notices::Subject;
use crate::wake::Event;

/// A reason is a sentence, not a blank.
fn said<'a>(reason: &'a str, what: &str) -> Result<&'a str> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Error::Invalid(format!(
            "{what} needs a reason: people will ask for it later"
        )));
    }
    if reason.len() > 2000 {
        return Err(Error::Invalid("a reason has at most 2000 bytes".to_owned()));
    }
    Ok(reason)
}

pub(super) fn no_promotion(id: impl std::fmt::Display) -> Error {
    Error::NotFound(format!("there is no promotion {id}"))
}

async fn enqueue(db: &mut PgConnection, id: PromotionId) -> Result<()> {
    jobs::enqueue(&mut *db, Lane::Promote, &id.to_string(), "", Duration::ZERO).await?;
    tell(db, id).await
}

async fn tell(db: &mut PgConnection, id: PromotionId) -> Result<()> {
    let subject = Subject::Promotion(id).to_string();
    Ok(jobs::enqueue(db, Lane::Notify, &subject, "", Duration::ZERO).await?)
}

fn wake(state: &AppState, id: PromotionId) {
    for event in [
        Event::Promotion(id),
        Event::Job(Lane::Promote),
        Event::Job(Lane::Notify),
    ] {
        state.hub.tell(event);
    }
}
