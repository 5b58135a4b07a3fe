//! The layers of an image: what the manifest and the configuration say, and what the registry really hands out.

use std::io::Write;
use std::time::Duration;

use futures_util::StreamExt as _;
use oci_distribution::errors::{DigestError, OciDistributionError};
use oci_distribution::manifest::{OciDescriptor, OciManifest};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Asked, LARGEST_CONFIG, Registry, RegistryError, RegistryErrorKind, error};
use crate::model::Digest;

/// How long a layer may go without a byte.
const SILENCE: Duration = Duration::from_secs(30);

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Digest of the packed layer, as the manifest has it.
    pub digest: Digest,
    /// Digest of the unpacked layer, as the configuration has it.
    pub diff_id: Digest,
    /// Bytes, packed.
    pub size: u64,
    /// `application/vnd.docker.image.rootfs.diff.tar.gzip` and the like.
    pub media_type: String,
    /// The step that made it, from the configuration's history.
    pub made_by: String,
}

impl Registry {
    /// The layers of an image, the lowest first; `None` when there is no such image.
    ///
    /// # Errors
    /// As [`Registry::digest`]; manifest and configuration that do not go together.
    pub async fn layers(&self, image: &str) -> Result<Option<Vec<Layer>>, RegistryError> {
        let asked = self.asked(image, format!("reading the layers of {image}"))?;
        let Some((OciManifest::Image(manifest), _)) = self.manifest(&asked, &asked.reference).await? else {
            return Ok(None);
        };
        let Some(bytes) = self.blob(&asked, &manifest.config, LARGEST_CONFIG).await? else {
            return Ok(None);
        };
        let file: ConfigFile = serde_json::from_slice(&bytes)
            .map_err(|error| asked.strange(format!("the configuration is not what the specification says: {error}")))?;
        if file.rootfs.diff_ids.len() != manifest.layers.len() {
            return Err(asked.strange(format!(
                "the manifest has {} layers and the configuration {}",
                manifest.layers.len(),
                file.rootfs.diff_ids.len()
            )));
        }
        // Only steps that made a layer; a history may also be missing.
        let mut steps = file.history.into_iter().filter(|step| !step.empty_layer);
        manifest
            .layers
            .iter()
            .zip(&file.rootfs.diff_ids)
            .map(|(layer, diff_id)| {
                Ok(Layer {
                    digest: asked.parse(&layer.digest)?,
                    diff_id: asked.parse(diff_id)?,
                    size: u64::try_from(layer.size).unwrap_or(0),
                    media_type: layer.media_type.clone(),
                    made_by: steps.next().and_then(|step| step.created_by).unwrap_or_default(),
                })
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Writes the packed layer as the registry hands it out, and says which digest it has: another one than was asked
    /// for if somebody changed it.
    ///
    /// # Errors
    /// As [`Registry::digest`]; the disk.
    pub async fn fetch_layer(
        &self,
        image: &str,
        layer: &Layer,
        into: &mut impl Write,
    ) -> Result<Digest, RegistryError> {
        let asked = self.asked(image, format!("fetching layer {} of {image}", layer.digest))?;
        let descriptor = OciDescriptor {
            media_type: layer.media_type.clone(),
            digest: layer.digest.to_string(),
            size: i64::try_from(layer.size).unwrap_or(i64::MAX),
            ..OciDescriptor::default()
        };
        let login = asked
            .client
            .auth(&asked.reference, &asked.auth, oci_distribution::RegistryOperation::Pull);
        self.patiently(&asked, login).await?;
        let begun = asked.client.pull_blob_stream(&asked.reference, &descriptor);
        let Some(mut stream) = self.patiently(&asked, begun).await? else {
            return Err(asked.strange("it is not in the registry".to_owned()));
        };
        let mut hash = Sha256::new();
        loop {
            let piece = match tokio::time::timeout(SILENCE, stream.next()).await {
                Err(_) => return Err(asked.away(format!("no byte within {SILENCE:?}"))),
                Ok(None) => break,
                Ok(Some(Ok(piece))) => piece,
                // All bytes came, and they are others: that is the answer, not a failure.
                Ok(Some(Err(error))) if error.get_ref().is_some_and(|cause| cause.is::<DigestError>()) => break,
                Ok(Some(Err(error))) => return Err(asked.failed(OciDistributionError::IoError(error))),
            };
            hash.update(&piece);
            into.write_all(&piece)
                .map_err(|error| asked.strange(format!("the disk: {error}")))?;
        }
        Ok(Digest::from_sha256(hash.finalize().into()))
    }
}

impl Asked {
    fn away(&self, cause: String) -> RegistryError {
        RegistryError::new(RegistryErrorKind::Unreachable, self.doing.clone(), cause)
    }

    fn failed(&self, error: OciDistributionError) -> RegistryError {
        match error::classify(error) {
            error::Failed::Other(kind, cause) => RegistryError::new(kind, self.doing.clone(), cause),
            error::Failed::NotThere | error::Failed::Login => self.strange("it went away meanwhile".to_owned()),
        }
    }
}

/// The parts of a configuration that say how layers came about (image specification, "Properties").
#[derive(Deserialize)]
struct ConfigFile {
    rootfs: RootFs,
    #[serde(default)]
    history: Vec<Step>,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(default)]
    created_by: Option<String>,
    #[serde(default)]
    empty_layer: bool,
}
