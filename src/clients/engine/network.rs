//! The network of a build: its containers find each other by name on it, and nobody else's containers.

use bollard::models::NetworkCreateRequest;

use super::container::labels_of;
use super::{Engine, EngineError, Owner};

impl Engine {
    /// Makes a network with the owner's labels; gives its name.
    pub async fn create_network(&self, owner: &Owner) -> Result<String, EngineError> {
        let name = unique_name(owner);
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".to_owned()),
            labels: Some(labels_of(owner)),
            ..Default::default()
        };
        let docker = self.docker().await?;
        docker
            .create_network(request)
            .await
            .map_err(|e| self.error("creating the build network", e))?;
        Ok(name)
    }
}

/// A name that no other container or network has, and that tells a person whose it is.
pub(super) fn unique_name(owner: &Owner) -> String {
    format!(
        "seaworthy-{}-{}-{}",
        owner.build,
        owner.attempt,
        uuid::Uuid::new_v4().simple()
    )
}
