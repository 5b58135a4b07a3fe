//! What dead workers left is removed: at start and from time to time.

use std::collections::HashSet;

use super::Workers;
use crate::store::jobs;

impl Workers {
    pub(super) async fn sweep(&self) {
        while !self.stop.is_cancelled() {
            self.sweep_once().await;
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(self.parts.config.worker.sweep_interval) => {}
            }
        }
    }

    /// First what is there, then who is alive: whatever began in between is not mistaken for something left over.
    async fn sweep_once(&self) {
        let leftovers = self.parts.engine.leftovers(&self.installation).await;
        let alive: HashSet<_> = match jobs::living_builds(&self.parts.pool).await {
            Ok(alive) => alive.into_iter().collect(),
            Err(error) => {
                tracing::warn!(%error, "nothing is swept: the database is away");
                return;
            }
        };
        match leftovers {
            Ok(leftovers) => {
                for leftover in leftovers.iter().filter(|left| !alive.contains(&(left.owner.build, left.owner.attempt))) {
                    match self.parts.engine.remove(leftover).await {
                        Ok(()) => tracing::info!(name = leftover.name, build = %leftover.owner.build, "swept away"),
                        Err(error) => tracing::warn!(name = leftover.name, %error, "not swept away; tried again later"),
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "nothing is swept on the engine"),
        }
        match self.parts.workspaces.sweep(|build, attempt| alive.contains(&(build, attempt))).await {
            Ok(removed) => removed.iter().for_each(|path| tracing::info!(path = %path.display(), "swept away")),
            Err(error) => tracing::warn!(%error, "a workspace was not swept away; tried again later"),
        }
    }
}
