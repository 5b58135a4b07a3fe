//! Documents that belong to an image and lie beside it in the registry (distribution specification 1.1, "Referrers").
//!
//! A document is an artifact: a manifest whose `subject` is the image. Registries that know of referrers list it under
//! `/v2/<name>/referrers/<digest>`. For those that do not (distribution 2.8 and older), whoever pushes keeps an index under
//! the tag `sha256-<hex>` ("Referrers Tag Schema"). The manifest holds no time, so pushing it again changes nothing.

use oci_distribution::errors::OciDistributionError;
use oci_distribution::manifest::{
    ImageIndexEntry, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciImageIndex, OciManifest,
};
use oci_distribution::{Reference, RegistryOperation};
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use super::{Asked, Registry, RegistryError};
use crate::model::Digest;

/// The configuration of artifacts that have none (image specification, "Guidance for an Empty Descriptor").
const EMPTY: &[u8] = b"{}";
const EMPTY_MEDIA_TYPE: &str = "application/vnd.oci.empty.v1+json";

/// Largest document that is read back, in bytes.
const LARGEST: usize = 64 << 20;

/// What the subject of an artifact may be.
const SUBJECTS: &[&str] = &[
    OCI_IMAGE_MEDIA_TYPE,
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

impl Registry {
    /// Puts a document beside an image, which is named by its digest (`name@sha256:…`); returns the digest of the artifact.
    /// `file` is the name that tools give it when they fetch it.
    ///
    /// # Errors
    /// There is no such image, or as [`Registry::digest`].
    pub async fn attach(
        &self,
        image: &str,
        media_type: &str,
        file: &str,
        document: &[u8],
    ) -> Result<Digest, RegistryError> {
        let asked = self.asked(image, format!("attaching {media_type} to {image}"))?;
        let login = asked
            .client
            .auth(&asked.reference, &asked.auth, RegistryOperation::Push);
        self.there(&asked, login).await?;
        let subject = self.subject(&asked).await?;
        let blob = Digest::of(document);
        self.put_blob(&asked, EMPTY, &Digest::of(EMPTY)).await?;
        self.put_blob(&asked, document, &blob).await?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_IMAGE_MEDIA_TYPE,
            "artifactType": media_type,
            "config": {"mediaType": EMPTY_MEDIA_TYPE, "digest": Digest::of(EMPTY).as_str(), "size": EMPTY.len()},
            "layers": [{
                "mediaType": media_type, "digest": blob.as_str(), "size": document.len(),
                "annotations": {"org.opencontainers.image.title": file},
            }],
            "subject": subject,
        });
        let bytes = manifest.to_string().into_bytes();
        let (digest, size) = (Digest::of(&bytes), bytes.len());
        let place = asked.reference.clone_with_digest(digest.to_string());
        self.put_manifest(&asked, place, bytes, OCI_IMAGE_MEDIA_TYPE).await?;
        let listed = asked.client.pull_referrers(&asked.reference, Some(media_type));
        let listed = self.there(&asked, listed).await?;
        if listed.manifests.iter().all(|entry| entry.digest != digest.as_str()) {
            self.list_by_tag(&asked, &digest, size, media_type).await?;
        }
        Ok(digest)
    }

    /// The document of this media type that lies beside an image, which is named by its digest; of several, the one that
    /// is listed first.
    ///
    /// # Errors
    /// As [`Registry::digest`].
    pub async fn attached(&self, image: &str, media_type: &str) -> Result<Option<Vec<u8>>, RegistryError> {
        let asked = self.asked(image, format!("looking for {media_type} of {image}"))?;
        let login = asked
            .client
            .auth(&asked.reference, &asked.auth, RegistryOperation::Pull);
        self.there(&asked, login).await?;
        let listed = asked.client.pull_referrers(&asked.reference, Some(media_type));
        // A registry without the interface may ignore the filter as well.
        let is_it = |entry: &ImageIndexEntry| entry.artifact_type.as_deref() == Some(media_type);
        let Some(listed) = self.patiently(&asked, listed).await? else {
            return Ok(None);
        };
        let Some(entry) = listed.manifests.into_iter().find(is_it) else {
            return Ok(None);
        };
        let place = asked.reference.clone_with_digest(entry.digest);
        let Some((OciManifest::Image(manifest), _)) = self.manifest(&asked, &place).await? else {
            return Ok(None);
        };
        match manifest.layers.iter().find(|layer| layer.media_type == media_type) {
            Some(layer) => self.blob(&asked, layer, LARGEST).await,
            None => Ok(None),
        }
    }

    /// The descriptor of the image.
    async fn subject(&self, asked: &Asked) -> Result<Value, RegistryError> {
        let call = asked.client.pull_manifest_raw(&asked.reference, &asked.auth, SUBJECTS);
        let (bytes, digest) = self.there(asked, call).await?;
        let manifest: Value = serde_json::from_slice(&bytes)
            .map_err(|error| asked.strange(format!("its manifest is no JSON: {error}")))?;
        // The specification lets an OCI manifest leave it out.
        let media_type = manifest
            .get("mediaType")
            .and_then(Value::as_str)
            .unwrap_or(OCI_IMAGE_MEDIA_TYPE);
        Ok(json!({"mediaType": media_type, "digest": digest, "size": bytes.len()}))
    }

    async fn put_blob(&self, asked: &Asked, bytes: &'_ [u8], digest: &Digest) -> Result<(), RegistryError> {
        let exists = asked.client.blob_exists(&asked.reference, digest.as_str());
        if self.patiently(asked, exists).await? == Some(true) {
            return Ok(());
        }
        let push = asked
            .client
            .push_blob(&asked.reference, bytes.to_vec(), digest.as_str());
        self.there(asked, push).await.map(drop)
    }

    async fn put_manifest(
        &self,
        asked: &Asked,
        place: Reference,
        bytes: Vec<u8>,
        media_type: &'static str,
    ) -> Result<(), RegistryError> {
        let client = asked.client.clone();
        // The library takes a missing header in the answer for impossible where a manifest is put by its digest, and
        // panics: in a task of its own that is an error like others.
        let push = tokio::spawn(async move {
            client
                .push_manifest_raw(&place, bytes, HeaderValue::from_static(media_type))
                .await
        });
        let call = async {
            push.await.unwrap_or_else(|_| {
                let text = "it took the manifest, but its answer has no Location".to_owned();
                Err(OciDistributionError::SpecViolationError(text))
            })
        };
        self.there(asked, call).await.map(drop)
    }

    /// Adds the artifact to the index under the tag that stands for the image's digest, unless it is in it.
    async fn list_by_tag(
        &self,
        asked: &Asked,
        artifact: &Digest,
        size: usize,
        artifact_type: &str,
    ) -> Result<(), RegistryError> {
        let Some(subject) = asked.reference.digest() else {
            return Err(asked.strange("the image has to be named by its digest".to_owned()));
        };
        let place = Reference::with_tag(
            asked.reference.registry().to_owned(),
            asked.reference.repository().to_owned(),
            subject.replace(':', "-"),
        );
        let mut index = match self.manifest(asked, &place).await? {
            Some((OciManifest::ImageIndex(index), _)) => index,
            Some((OciManifest::Image(_), _)) => {
                return Err(asked.strange(format!(
                    "its tag {} is no index of referrers",
                    place.tag().unwrap_or_default()
                )));
            }
            None => OciImageIndex {
                schema_version: 2,
                media_type: Some(OCI_IMAGE_INDEX_MEDIA_TYPE.to_owned()),
                manifests: Vec::new(),
                artifact_type: None,
                annotations: None,
            },
        };
        if index.manifests.iter().any(|entry| entry.digest == artifact.as_str()) {
            return Ok(());
        }
        index.manifests.push(ImageIndexEntry {
            media_type: OCI_IMAGE_MEDIA_TYPE.to_owned(),
            digest: artifact.to_string(),
            size: i64::try_from(size).unwrap_or(i64::MAX),
            platform: None,
            annotations: None,
            artifact_type: Some(artifact_type.to_owned()),
        });
        let bytes = serde_json::to_vec(&index).map_err(|error| asked.strange(error.to_string()))?;
        self.put_manifest(asked, place, bytes, OCI_IMAGE_INDEX_MEDIA_TYPE).await
    }

    /// A call that only makes sense on an image that is there.
    async fn there<T>(
        &self,
        asked: &Asked,
        call: impl Future<Output = Result<T, OciDistributionError>>,
    ) -> Result<T, RegistryError> {
        match self.patiently(asked, call).await? {
            Some(answer) => Ok(answer),
            None => Err(asked.strange("it does not have the image, or may not be written to".to_owned())),
        }
    }
}
