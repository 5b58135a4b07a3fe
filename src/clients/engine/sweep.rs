//! What builds left on the engine: everything with our labels, and images under a private name. Caches are not leftovers.
//!
//! Which of it is still in use, only the queue knows; here things are listed and removed one by one.

use std::collections::HashMap;

use bollard::models::{ContainerSummary, ImageSummary, Network};
use bollard::query_parameters::{ListContainersOptionsBuilder, ListImagesOptions, ListNetworksOptionsBuilder};

use super::build::owner_of;
use super::container::{remove_container, remove_network};
use super::{Engine, EngineError, LABEL_ATTEMPT, LABEL_BUILD, LABEL_INSTALLATION, LABEL_WORKER, Owner};
use crate::model::BuildId;

/// What sort of thing was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftoverKind {
    /// A build container, running or not.
    Container,
    /// A build's network.
    Network,
    /// An image that was built here: one of its names.
    Image,
}

/// One thing of ours on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// What it is.
    pub kind: LeftoverKind,
    /// The engine's id; for an image one of its names.
    pub id: String,
    /// A name that a person knows it by.
    pub name: String,
    /// Whose it is. An image has no worker: the empty string.
    pub owner: Owner,
}

impl Engine {
    /// Everything on the engine that this installation's builds made, in the order in which it can be removed. What a
    /// running build uses is among it.
    pub async fn leftovers(&self, installation: &str) -> Result<Vec<Leftover>, EngineError> {
        let docker = self.docker().await?;
        let label = format!("{LABEL_INSTALLATION}={installation}");
        let labelled = HashMap::from([("label", vec![label.as_str()])]);
        let error = |e| self.error("listing what builds left", e);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&labelled).build();
        let containers = docker.list_containers(Some(options)).await.map_err(error)?;
        let options = ListNetworksOptionsBuilder::new().filters(&labelled).build();
        let networks = docker.list_networks(Some(options)).await.map_err(error)?;
        let images = docker.list_images(None::<ListImagesOptions>).await.map_err(error)?;
        let containers = containers.into_iter().filter_map(of_container);
        Ok(containers
            .chain(networks.into_iter().filter_map(of_network))
            .chain(images.into_iter().flat_map(of_image))
            .filter(|leftover| leftover.owner.installation == installation)
            .collect())
    }

    /// Removes one thing; not there is success.
    pub async fn remove(&self, leftover: &Leftover) -> Result<(), EngineError> {
        match leftover.kind {
            LeftoverKind::Container => remove_container(self, &leftover.id).await,
            LeftoverKind::Network => remove_network(self, &leftover.id).await,
            LeftoverKind::Image => self.remove_image(&leftover.id, None).await,
        }
    }
}

fn of_container(seen: ContainerSummary) -> Option<Leftover> {
    let id = seen.id?;
    let name = seen
        .names
        .unwrap_or_default()
        .first()
        .map_or_else(|| id.clone(), |name| name.trim_start_matches('/').to_owned());
    Some(Leftover {
        kind: LeftoverKind::Container,
        id,
        name,
        owner: owner(&seen.labels?)?,
    })
}

fn of_network(seen: Network) -> Option<Leftover> {
    let (id, name) = (seen.id?, seen.name?);
    Some(Leftover {
        kind: LeftoverKind::Network,
        id,
        name,
        owner: owner(&seen.labels?)?,
    })
}

/// The private names of an image, each with its owner. Two builds of the same content share one image; only when a single
/// owner is left are its other names that owner's too.
fn of_image(seen: ImageSummary) -> Vec<Leftover> {
    let owners: Vec<_> = seen
        .repo_tags
        .iter()
        .filter_map(|name| Some((name, owner_of(name)?)))
        .collect();
    let leftover = |name: &String, owner: &Owner| Leftover {
        kind: LeftoverKind::Image,
        id: name.clone(),
        name: name.clone(),
        owner: owner.clone(),
    };
    match &owners[..] {
        // The private name last: it is what a second try finds the image by.
        [(private, owner)] => {
            let others = seen.repo_tags.iter().filter(|name| name != private);
            others.chain([*private]).map(|name| leftover(name, owner)).collect()
        }
        _ => owners.iter().map(|(name, owner)| leftover(name, owner)).collect(),
    }
}

fn owner(labels: &HashMap<String, String>) -> Option<Owner> {
    Some(Owner {
        installation: labels.get(LABEL_INSTALLATION)?.clone(),
        build: BuildId(labels.get(LABEL_BUILD)?.parse().ok()?),
        attempt: labels.get(LABEL_ATTEMPT)?.parse().ok()?,
        worker: labels.get(LABEL_WORKER)?.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tags: &[&str]) -> Vec<(String, i64)> {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        of_image(ImageSummary {
            repo_tags: tags,
            ..Default::default()
        })
        .into_iter()
        .map(|l| (l.name, l.owner.build.0))
        .collect()
    }

    #[test]
    fn only_what_was_built_here_is_a_leftover() {
        assert!(names(&["registry.example.com/qa/basket:mr-7-1"]).is_empty());
        let (one, two, public) = (
            "build.seaworthy.invalid/house/1:1",
            "build.seaworthy.invalid/house/2:1",
            "r.example.com/a:mr-7-1",
        );
        assert_eq!(names(&[one, public]), [(public.to_owned(), 1), (one.to_owned(), 1)]);
        assert_eq!(names(&[one, public, two]), [(one.to_owned(), 1), (two.to_owned(), 2)]);
    }
}
