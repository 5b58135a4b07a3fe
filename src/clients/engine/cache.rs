//! Volumes that outlive a build, each shared by the builds of one project.
//!
//! The engine makes one together with the first container that wants it. Nobody knows which part of its content will be
//! asked for again, so it only grows, until it is removed as a whole.

use std::collections::HashMap;

use bollard::errors::Error;
use bollard::models::{Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptions};
use chrono::{DateTime, Utc};

use super::{Engine, EngineError, ErrorKind};

/// Label of a cache: it belongs to a project, not to a build.
const LABEL_CACHE: &str = "dev.seaworthy.cache";
/// Label with the time when it was made. `CreatedAt` of older engines is the time of the last change of the folder, which each
/// build touches (moby/moby#44719).
const LABEL_MADE: &str = "dev.seaworthy.made";

/// A cache for a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheVolume {
    /// Its name on the engine; made when missing.
    pub name: String,
    /// Where it is in the container: an absolute path.
    pub mount: String,
}

/// A cache on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Its name.
    pub name: String,
    /// When it was made, by the clock of the worker that did so.
    pub made: DateTime<Utc>,
}

impl Engine {
    /// All caches whose age is known, also those of other installations.
    ///
    /// # Errors
    /// The engine's.
    pub async fn caches(&self) -> Result<Vec<Cache>, EngineError> {
        let options = ListVolumesOptionsBuilder::new()
            .filters(&HashMap::from([("label", vec![LABEL_CACHE])]))
            .build();
        let volumes = self.docker().await?.list_volumes(Some(options)).await;
        let volumes = volumes.map_err(|error| self.error("listing the caches", error))?;
        let cache = |volume: bollard::models::Volume| {
            let label = volume.labels.get(LABEL_MADE);
            let made = label
                .and_then(|made| made.parse().ok())
                // Some drivers say the year 1.
                .or(volume.created_at.filter(|made| *made > DateTime::UNIX_EPOCH))?;
            Some(Cache {
                made,
                name: volume.name,
            })
        };
        Ok(volumes
            .volumes
            .unwrap_or_default()
            .into_iter()
            .filter_map(cache)
            .collect())
    }

    /// Removes a cache; not there is success. `false`: a container has it.
    ///
    /// # Errors
    /// The engine's.
    pub async fn remove_cache(&self, name: &str) -> Result<bool, EngineError> {
        let removed = self
            .docker()
            .await?
            .remove_volume(name, None::<RemoveVolumeOptions>)
            .await;
        match removed {
            Ok(()) => Ok(true),
            Err(Error::DockerResponseServerError { status_code: 409, .. }) => Ok(false),
            Err(error) => match self.error(&format!("removing the cache {name}"), error) {
                error if error.kind() == ErrorKind::Missing => Ok(true),
                error => Err(error),
            },
        }
    }
}

pub(super) fn mount(cache: &CacheVolume) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(cache.name.clone()),
        target: Some(cache.mount.clone()),
        // One that is there keeps the labels that it has.
        volume_options: Some(MountVolumeOptions {
            labels: Some(HashMap::from([
                (LABEL_CACHE.to_owned(), cache.name.clone()),
                (LABEL_MADE.to_owned(), Utc::now().to_rfc3339()),
            ])),
            ..Default::default()
        }),
        ..Default::default()
    }
}
