//! What an image consists of: manifests as they are, and the blobs that they name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::digest_of;
use crate::clients::registry::{RegistryError, RegistryErrorKind};
use crate::model::Digest;

pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Everything that can be carried over, for `Accept`.
pub(super) const KINDS: [&str; 4] = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];

/// A manifest of any kind.
pub(super) struct Manifest {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    /// As they came: the digest is theirs.
    pub(super) bytes: Bytes,
    /// Manifests that must be there before.
    pub(super) children: Vec<Digest>,
    pub(super) blobs: Vec<Blob>,
    /// The manifest that it lies beside.
    pub(super) subject: Option<Digest>,
    /// For the list of what lies beside an image.
    pub(super) artifact_type: Option<String>,
    pub(super) annotations: Option<Value>,
}

/// A layer, a configuration or a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// It has addresses of its own, from where it is fetched ("non-distributable layers"): registries need not hold it.
    pub(super) foreign: bool,
}

/// The whole.
pub(super) struct Content {
    /// In the order in which a registry takes them: children before their index, what lies beside an image after it.
    pub(super) manifests: Vec<Manifest>,
    /// Each once; the largest first, so that none of them is alone at the end.
    pub(super) blobs: Vec<Arc<Blob>>,
    /// The manifest that the tag is to name.
    pub(super) root: Digest,
}

impl Content {
    pub(super) fn new(manifests: Vec<Manifest>, absent: &BTreeSet<Digest>, root: Digest) -> Self {
        let once: BTreeMap<&Digest, &Blob> = manifests
            .iter()
            .flat_map(|manifest| &manifest.blobs)
            .filter(|blob| !absent.contains(&blob.digest))
            .map(|blob| (&blob.digest, blob))
            .collect();
        let mut blobs: Vec<Arc<Blob>> = once.into_values().cloned().map(Arc::new).collect();
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
        Self { manifests, blobs, root }
    }

    /// Bytes of all blobs.
    pub(super) fn bytes(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size).sum()
    }

    pub(super) fn root(&self) -> Option<&Manifest> {
        self.manifests.iter().find(|manifest| manifest.digest == self.root)
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "schemaVersion")]
    schema_version: u32,
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    #[serde(rename = "artifactType")]
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
    subject: Option<Descriptor>,
    annotations: Option<Value>,
}

#[derive(Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    urls: Vec<String>,
}

impl Descriptor {
    fn blob(&self, doing: &str) -> Result<Blob, RegistryError> {
        Ok(Blob {
            digest: digest_of(&self.digest, doing)?,
            size: self.size,
            foreign: !self.urls.is_empty(),
        })
    }
}

/// Understands a manifest whose bytes have this digest; `told` is the media type that the registry gave with it.
pub(super) fn read(digest: Digest, bytes: Bytes, told: &str, doing: &str) -> Result<Manifest, RegistryError> {
    let wrong = |kind, cause: String| RegistryError::new(kind, doing.to_owned(), cause);
    let document: Document = serde_json::from_slice(&bytes).map_err(|error| {
        if bytes
            .windows(18)
            .any(|piece| piece == b"\"schemaVersion\": 1" || piece.starts_with(b"\"schemaVersion\":1"))
        {
            return schema_1(&digest, doing);
        }
        let cause = format!("manifest {digest} is not what the specification says: {error}");
        wrong(RegistryErrorKind::Strange, cause)
    })?;
    let told = told.split(';').next().unwrap_or_default().trim();
    if document.schema_version == 1 || told.starts_with("application/vnd.docker.distribution.manifest.v1") {
        return Err(schema_1(&digest, doing));
    }
    // OCI lets a manifest leave its own type out; the registry says it then.
    let media_type = document.media_type.clone().unwrap_or_else(|| told.to_owned());
    if !KINDS.contains(&media_type.as_str()) {
        let cause = format!("manifest {digest} is of the kind {media_type:?}, which is neither an image nor an index");
        return Err(wrong(RegistryErrorKind::Unsupported, cause));
    }
    let is_manifest = |entry: &&Descriptor| KINDS.contains(&entry.media_type.as_str());
    let children = document
        .manifests
        .iter()
        .filter(is_manifest)
        .map(|entry| digest_of(&entry.digest, doing))
        .collect::<Result<_, _>>()?;
    let odd = document.manifests.iter().filter(|entry| !is_manifest(entry));
    let blobs = document
        .config
        .iter()
        .chain(&document.layers)
        .chain(odd)
        .map(|entry| entry.blob(doing))
        .collect::<Result<_, _>>()?;
    let subject = document
        .subject
        .map(|subject| digest_of(&subject.digest, doing))
        .transpose()?;
    Ok(Manifest {
        digest,
        media_type,
        bytes,
        children,
        blobs,
        subject,
        // "Image Manifest Property Descriptions": where it is left out, the configuration's type stands for it.
        artifact_type: document
            .artifact_type
            .or_else(|| document.config.map(|config| config.media_type)),
        annotations: document.annotations,
    })
}

fn schema_1(digest: &Digest, doing: &str) -> RegistryError {
    let cause = format!(
        "manifest {digest} is of Docker's schema 1, which holds no digests of its layers: push the image again with a \
         Docker of this decade"
    );
    RegistryError::new(RegistryErrorKind::Unsupported, doing.to_owned(), cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(text: &str, told: &str) -> Result<Manifest, RegistryError> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        read(Digest::of(&bytes), bytes, told, "reading x")
    }

    #[test]
    fn kinds_are_told_apart() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let image = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"c","digest":"{one}","size":1}},
                "layers":[{{"digest":"{two}","size":2,"urls":["https://a/b"]}}],
                "subject":{{"digest":"{one}","size":1}}}}"#
        );
        let image = understood(&image, &format!("{OCI_MANIFEST}; charset=utf-8")).expect("an image");
        assert_eq!(image.media_type, OCI_MANIFEST);
        assert_eq!(
            image
                .blobs
                .iter()
                .map(|blob| (blob.size, blob.foreign))
                .collect::<Vec<_>>(),
            [(1, false), (2, true)]
        );
        assert_eq!(
            (image.subject, image.artifact_type.as_deref()),
            (Some(one.clone()), Some("c"))
        );

        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[
                {{"mediaType":"{DOCKER_MANIFEST}","digest":"{one}","size":1}},{{"mediaType":"x/y","digest":"{two}","size":2}}]}}"#
        );
        let index = understood(&index, "text/plain").expect("an index");
        assert_eq!(index.children, [one]);
        assert_eq!(index.blobs.len(), 1);
    }

    #[test]
    fn what_cannot_be_carried_over_is_named() {
        let old = r#"{"schemaVersion": 1, "name": "a", "fsLayers": []}"#;
        for (text, told, kind, word) in [
            (
                old,
                "application/vnd.docker.distribution.manifest.v1+prettyjws",
                RegistryErrorKind::Unsupported,
                "schema 1",
            ),
            (old, "application/json", RegistryErrorKind::Unsupported, "schema 1"),
            (
                r#"{"schemaVersion":2}"#,
                "application/json",
                RegistryErrorKind::Unsupported,
                "neither",
            ),
            ("hello", OCI_MANIFEST, RegistryErrorKind::Strange, "is not what"),
            (
                r#"{"schemaVersion":2,"layers":[{"digest":"sha512:00","size":1}]}"#,
                OCI_MANIFEST,
                RegistryErrorKind::Unsupported,
                "sha512:00",
            ),
        ] {
            let error = understood(text, told).err().expect("refused");
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
