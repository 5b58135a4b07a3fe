//! Images that others are built on: kept between builds, so that what seldom changes is sent to the engine once.
//!
//! They are named by the checksum of all that they are made of, below a name that only this installation uses. They have
//! no labels: those would be in every image that is built on them. Which are kept, the sweep decides by their last use;
//! whoever finds one gone makes it again.

use bollard::query_parameters::{ListImagesOptions, TagImageOptionsBuilder};

use super::{Engine, EngineError, ErrorKind, split_tag};
use crate::model::Digest;

/// First part of their names. Never a registry: `.invalid` is reserved (RFC 2606).
const KEPT: &str = "foundation.seaworthy.invalid/";

/// The name of the foundation that has this checksum.
pub fn foundation_name(installation: &str, checksum: &Digest) -> String {
    format!("{KEPT}{installation}:{}", checksum.hex())
}

impl Engine {
    /// Is the foundation there? If so, it counts as used now.
    pub async fn use_foundation(&self, name: &str) -> Result<bool, EngineError> {
        let doing = format!("looking for the image {name}");
        let (repository, tag) = split_tag(name);
        let options = TagImageOptionsBuilder::new()
            .repo(repository)
            .tag(tag.unwrap_or_default())
            .build();
        // The engine keeps the time when an image was last given a name, the one that it has already included.
        match self.docker().await?.tag_image(name, Some(options)).await {
            Ok(()) => Ok(true),
            Err(error) => match self.error(&doing, error) {
                error if error.kind() == ErrorKind::Missing => Ok(false),
                error => Err(error),
            },
        }
    }

    /// The names of all foundations of an installation, the last used first.
    pub async fn foundations(&self, installation: &str) -> Result<Vec<String>, EngineError> {
        let docker = self.docker().await?;
        let error = |e| self.error("listing the images that others are built on", e);
        let images = docker.list_images(None::<ListImagesOptions>).await.map_err(error)?;
        let prefix = format!("{KEPT}{installation}:");
        let names = images.into_iter().flat_map(|image| image.repo_tags);
        let mut found = Vec::new();
        for name in names.filter(|name| name.starts_with(&prefix)) {
            match docker.inspect_image(&name).await.map_err(error) {
                Ok(seen) => found.push((seen.metadata.and_then(|data| data.last_tag_time), name)),
                Err(gone) if gone.kind() == ErrorKind::Missing => {}
                Err(error) => return Err(error),
            }
        }
        found.sort_by(|(a, _), (b, _)| b.cmp(a));
        Ok(found.into_iter().map(|(_, name)| name).collect())
    }
}
