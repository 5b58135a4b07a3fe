//! Lane `intake`: one claim is one delivery to be understood.

use std::time::Duration;

use super::Workers;
use crate::intake::{self, IntakeError};
use crate::model::ProjectPath;
use crate::store::jobs::{self, Claim, Lane};
use crate::wake::Event;

/// The pause where a decision waits only for a build that is just being stopped.
const BRIEF: Duration = Duration::from_secs(1);

impl Workers {
    pub(super) async fn interpret(&self, claim: &Claim) {
        let parts = &self.parts;
        let pipeline_for = |project: &ProjectPath| self.pipeline_for(project);
        let tip = |project, branch: String| async move {
            parts
                .gitlab
                .branch_tip(project, &branch)
                .await
                .map_err(intake::Source::from)
        };
        let look = |push, waiting| self.look_at(push, waiting);
        match intake::interpret(&parts.pool, claim, &pipeline_for, tip, look).await {
            Ok(outcome) => {
                tracing::info!(delivery = claim.subject, build = ?outcome.made.map(|b| b.0), reason = outcome.reason, "interpreted");
                self.tell_of(outcome.made, &outcome.stopped);
            }
            Err(IntakeError::Lost) => {
                tracing::warn!(
                    delivery = claim.subject,
                    "another worker interprets this delivery by now"
                );
            }
            Err(error) if error.is_brief() => {
                tracing::debug!(delivery = claim.subject, %error, "looked at again in {BRIEF:?}");
                if let Err(error) = jobs::hand_back(&parts.pool, claim, BRIEF).await {
                    tracing::warn!(delivery = claim.subject, %error, "cannot be given back; it will be taken when its lease has run out");
                }
            }
            Err(error) => self.retry(claim, &error.to_string(), Duration::ZERO).await,
        }
    }

    /// The name of the pipeline for a project, or what to do so that there is one.
    pub(super) fn pipeline_for(&self, project: &ProjectPath) -> Result<String, String> {
        let definitions = &self.parts.definitions;
        match definitions.pipeline_for(project) {
            Some(pipeline) => Ok(pipeline.name.clone()),
            None => Err(definitions.how_to_add(project)),
        }
    }

    /// Wakes whoever has something to do because of new and stopped builds.
    pub(super) fn tell_of(&self, made: Option<crate::model::BuildId>, stopped: &[crate::model::BuildId]) {
        let hub = &self.parts.hub;
        for build in stopped {
            hub.tell(Event::Cancel(*build));
            hub.tell(Event::Build(*build));
        }
        if let Some(build) = made {
            hub.tell(Event::Build(build));
            hub.tell(Event::Job(Lane::Build));
        }
        hub.tell(Event::Job(Lane::Notify));
    }
}
