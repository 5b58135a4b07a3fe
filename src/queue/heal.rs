//! Lost hooks heal: the open merge requests of the known projects are compared with our builds from time to time.

use std::time::Duration;

use super::Workers;
use crate::intake;
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
            match intake::heal(&self.parts.pool, &pipeline_for, list, id).await {
                Ok(outcomes) => {
                    for outcome in outcomes {
                        if let Some(build) = outcome.made {
                            tracing::info!(project = %path, %build, "built because of a hook that was lost");
                        }
                        self.tell_of(outcome.made, &outcome.stopped);
                    }
                }
                Err(error) => {
                    tracing::warn!(project = %path, %error, "open merge requests cannot be compared; tried again in {every:?}");
                }
            }
        }
    }
}
