//! What dead workers left is removed, and of what is kept for later builds the oldest: at start and from time to time.

use std::collections::HashSet;

use chrono::Utc;

use super::Workers;
use crate::pipeline::cache_lifetime;
use crate::store::jobs;

impl Workers {
    pub(super) async fn sweep(&self) {
        while !self.stop.is_cancelled() {
            self.sweep_once().await;
            self.sweep_foundations().await;
            self.sweep_caches().await;
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(self.parts.config.worker.sweep_interval) => {}
            }
        }
    }

    /// Foundations have no owner: the last used ones are kept. A build from which one is taken goes on without it
    /// (`pipeline/stages/build_image.rs`).
    async fn sweep_foundations(&self) {
        let found = known(self.parts.engine.foundations(&self.installation).await, "the engine");
        for foundation in found.iter().skip(self.parts.config.engine.foundations) {
            let names = foundation.names.join(", ");
            match self.parts.engine.remove_foundation(foundation).await {
                Ok(()) => tracing::info!(names, "swept away: it was not used for the longest time"),
                Err(error) => tracing::warn!(names, %error, "not swept away; tried again later"),
            }
        }
    }

    /// A cache only grows: it begins anew when it is old enough and no build has it.
    async fn sweep_caches(&self) {
        let maven = &self.parts.config.maven;
        let found = known(self.parts.engine.caches().await, "the engine");
        for cache in found {
            let Some(lifetime) = cache_lifetime(&maven.cache, &cache.name, maven.cache_age) else {
                continue;
            };
            if (Utc::now() - cache.made).to_std().unwrap_or_default() < lifetime {
                continue;
            }
            match self.parts.engine.remove_cache(&cache.name).await {
                Ok(true) => tracing::info!(name = cache.name, made = %cache.made, "cache swept away: it is old enough"),
                Ok(false) => tracing::debug!(name = cache.name, "an old cache is kept: a build has it"),
                Err(error) => tracing::warn!(name = cache.name, %error, "not swept away; tried again later"),
            }
        }
    }

    /// First what is there, then who is alive: whatever began in between is not mistaken for something left over.
    async fn sweep_once(&self) {
        let leftovers = self.parts.engine.leftovers(&self.installation).await;
        let workspaces = self.parts.workspaces.list().await;
        let alive: HashSet<_> = match jobs::living_builds(&self.parts.pool).await {
            Ok(alive) => alive.into_iter().collect(),
            Err(error) => {
                tracing::warn!(%error, "nothing is swept: the database is away");
                return;
            }
        };
        for leftover in known(leftovers, "the engine") {
            if alive.contains(&(leftover.owner.build, leftover.owner.attempt)) {
                continue;
            }
            match self.parts.engine.remove(&leftover).await {
                Ok(()) => tracing::info!(name = leftover.name, build = %leftover.owner.build, "swept away"),
                Err(error) => tracing::warn!(name = leftover.name, %error, "not swept away; tried again later"),
            }
        }
        for (build, attempt, workspace) in known(workspaces, "the disk") {
            if alive.contains(&(build, attempt)) {
                continue;
            }
            match workspace.remove().await {
                Ok(()) => tracing::info!(%build, attempt, "workspace swept away"),
                Err(error) => tracing::warn!(%build, %error, "workspace not swept away; tried again later"),
            }
        }
    }
}

fn known<T, E: std::fmt::Display>(found: Result<Vec<T>, E>, place: &str) -> Vec<T> {
    found.unwrap_or_else(|error| {
        tracing::warn!(%error, "nothing is swept on {place}");
        Vec::new()
    })
}
