//! Lost hooks heal: the open merge requests and the target branches of the known projects are compared with our builds from
//! time to time.

use std::time::Duration;

use super::Workers;
use crate::intake::{self, IntakeError, Outcome};
use crate::model::ProjectPath;
use crate::store::projects;

impl Workers {
    pub(super) async fn heal(&self) {
        let every = self.parts.config.gitlab.poll_interval;
        let look = (every / 4).clamp(Duration::from_millis(200), Duration::from_secs(30));
        while !self.stop.is_cancelled() {
            self.heal_once(every).await;
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(look) => {}
            }
        }
    }

    async fn heal_once(&self, every: Duration) {
        let due = match projects::take_due(&self.parts.pool, every).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "open merge requests cannot be compared: the database is away");
                return;
            }
        };
        for (id, path) in due {
            if self.stop.is_cancelled() {
                return;
            }
            let list = |project| async move {
                self.parts
                    .gitlab
                    .open_merge_requests(project, None)
                    .await
                    .map_err(intake::Source::from)
            };
            let pipeline_for = |project: &ProjectPath| self.pipeline_for(project);
            let tip = |project, branch: String| async move {
                self.parts
                    .gitlab
                    .branch_tip(project, &branch)
                    .await
                    .map_err(intake::Source::from)
            };
            let look = |push, waiting| self.look_at(push, waiting);
            let pool = &self.parts.pool;
            self.tell_of_healed(&path, every, intake::heal(pool, &pipeline_for, list, id).await);
            let trunk = intake::heal_trunk(pool, &pipeline_for, tip, look, (id, &path)).await;
            self.tell_of_healed(&path, every, trunk);
        }
    }

    fn tell_of_healed(&self, path: &ProjectPath, every: Duration, healed: Result<Vec<Outcome>, IntakeError>) {
        match healed {
            Ok(outcomes) => {
                for outcome in outcomes {
                    tracing::info!(project = %path, build = ?outcome.made.map(|b| b.0), reason = outcome.reason, "a hook was lost");
                    self.tell_of(outcome.made, &outcome.stopped);
                }
            }
            Err(error) => {
                tracing::warn!(project = %path, %error, "cannot be compared with GitLab; tried again in {every:?}");
            }
        }
    }
}
