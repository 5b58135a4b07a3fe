//! Images that others are built on: kept between builds, so that what seldom changes is sent to the engine once.
//!
//! They are named by the checksum of all that they are made of, below a name that only this installation uses. They have
//! no labels: those would be in every image that is built on them. Which are kept, the sweep decides by their last use;
//! whoever finds one gone makes it again.

use bollard::query_parameters::{ListImagesOptions, TagImageOptionsBuilder};
use tokio_util::sync::CancellationToken;

use super::{Credentials, Engine, EngineError, ErrorKind, split_tag};
use crate::model::Digest;

/// First part of their names. Never a registry: `.invalid` is reserved (RFC 2606).
const KEPT: &str = "foundation.seaworthy.invalid/";

/// The name of the foundation that has this checksum.
pub fn foundation_name(installation: &str, checksum: &Digest) -> String {
    format!("{KEPT}{installation}:{}", checksum.hex())
}

/// A foundation on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foundation {
    /// The names of the image; of one that is another installation's too, the own ones.
    pub names: Vec<String>,
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

    /// Pushes a foundation under another name, which it has on the engine no longer than that, also when it is stopped.
    pub async fn push_foundation(
        &self,
        name: &str,
        reference: &str,
        credentials: Option<&Credentials>,
        stop: &CancellationToken,
    ) -> Result<(), EngineError> {
        let doing = format!("naming {name} as {reference}");
        let (repository, tag) = split_tag(reference);
        let options = TagImageOptionsBuilder::new()
            .repo(repository)
            .tag(tag.unwrap_or_default())
            .build();
        let named = self.docker().await?.tag_image(name, Some(options)).await;
        named.map_err(|error| self.error(&doing, error))?;
        let pushed = stop
            .run_until_cancelled(self.push(reference, credentials, |_| ()))
            .await;
        self.remove_image(reference, None).await?;
        pushed.map_or(Ok(()), |pushed| pushed.map(drop))
    }

    /// All foundations of an installation, the last used first.
    pub async fn foundations(&self, installation: &str) -> Result<Vec<Foundation>, EngineError> {
        let docker = self.docker().await?;
        let error = |e| self.error("listing the images that others are built on", e);
        let images = docker.list_images(None::<ListImagesOptions>).await.map_err(error)?;
        let prefix = format!("{KEPT}{installation}:");
        let mut found = Vec::new();
        for image in images {
            let names = own(image.repo_tags, &prefix);
            let Some(name) = names.iter().find(|name| name.starts_with(&prefix)) else {
                continue;
            };
            match docker.inspect_image(name).await.map_err(error) {
                Ok(seen) => found.push((seen.metadata.and_then(|data| data.last_tag_time), names)),
                Err(gone) if gone.kind() == ErrorKind::Missing => {}
                Err(error) => return Err(error),
            }
        }
        found.sort_by(|(a, _), (b, _)| b.cmp(a));
        Ok(found.into_iter().map(|(_, names)| Foundation { names }).collect())
    }

    /// Removes a foundation, also from under a name that a dead worker left on it; not there is success.
    pub async fn remove_foundation(&self, foundation: &Foundation) -> Result<(), EngineError> {
        for name in &foundation.names {
            self.remove_image(name, None).await?;
        }
        Ok(())
    }
}

/// Two installations that make the same foundation share one image; only when it is a single one's are its other names that
/// one's.
fn own(mut names: Vec<String>, prefix: &str) -> Vec<String> {
    let is_own = |name: &String| name.starts_with(prefix);
    if names.iter().any(|name| name.starts_with(KEPT) && !is_own(name)) {
        names.retain(is_own);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foundation_that_is_shared_is_left_to_the_other_one() {
        let name = |installation: &str| foundation_name(installation, &Digest::of(b""));
        let pushed = "registry.example.com/qa/libraries:1".to_owned();
        let (prefix, ours, theirs) = (format!("{KEPT}house:"), name("house"), name("other"));
        assert_eq!(
            own(vec![ours.clone(), pushed.clone()], &prefix),
            [ours.clone(), pushed.clone()]
        );
        assert_eq!(own(vec![theirs, pushed, ours.clone()], &prefix), [ours]);
    }
}
