//! The registry that an image is copied from: its manifests, what lies beside them, and its blobs as streams.

use std::collections::{BTreeSet, VecDeque};

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, RANGE};
use reqwest::{Method, Response};

use super::content::{self, Blob, Content, KINDS, Manifest};
use super::{named, referrers};
use crate::clients::registry::session::{Ask, Scopes, Session, header};
use crate::clients::registry::{Registry, RegistryError, RegistryErrorKind};
use crate::model::Digest;

/// An index in an index in an index …
const DEEPEST: usize = 4;

/// Manifests of one image with everything beside it, and their bytes together.
const MOST_MANIFESTS: usize = 1000;
const MOST_BYTES: usize = 16 << 20;

/// A repository that is read.
pub(super) struct Source {
    pub(super) session: Session,
    pub(super) repository: String,
    pub(super) scopes: Scopes,
    root: Digest,
    pub(super) doing: String,
}

impl Source {
    /// `host/path@sha256:…`; nothing is asked yet.
    pub(super) fn open(registry: &Registry, image: &str) -> Result<Self, RegistryError> {
        let doing = format!("copying {image}");
        let reference = named(image, &doing)?;
        let root = reference
            .digest()
            .and_then(|digest| digest.parse().ok())
            .ok_or_else(|| {
                let cause = "it must be named by its digest (name@sha256:…): a tag may mean another image by now";
                RegistryError::new(RegistryErrorKind::Name, doing.clone(), cause.to_owned())
            })?;
        Ok(Self {
            session: Session::new(registry, reference.registry())?,
            scopes: Scopes::pull(reference.repository()),
            repository: reference.repository().to_owned(),
            root,
            doing,
        })
    }

    /// All manifests, in the order in which they are put, and the blobs that they name.
    pub(super) async fn content(&self) -> Result<Content, RegistryError> {
        let mut manifests = Vec::new();
        let mut seen = BTreeSet::new();
        self.add(&self.root, 0, &mut seen, &mut manifests).await?;
        // What lies beside each of them, and beside that.
        let mut lists = referrers::Lists::new(self);
        let mut open: VecDeque<Digest> = manifests.iter().map(|manifest| manifest.digest.clone()).collect();
        while let Some(subject) = open.pop_front() {
            for referrer in lists.of(&subject).await? {
                let before = manifests.len();
                self.add(&referrer, 0, &mut seen, &mut manifests).await?;
                open.extend(manifests[before..].iter().map(|manifest| manifest.digest.clone()));
            }
        }
        let mut absent = BTreeSet::new();
        for blob in manifests.iter().flat_map(|manifest| &manifest.blobs) {
            if blob.foreign && !self.has(blob).await? {
                absent.insert(blob.digest.clone());
            }
        }
        Ok(Content::new(manifests, &absent, self.root.clone()))
    }

    /// Adds a manifest after its children.
    async fn add(
        &self,
        digest: &Digest,
        depth: usize,
        seen: &mut BTreeSet<Digest>,
        manifests: &mut Vec<Manifest>,
    ) -> Result<(), RegistryError> {
        let unsupported = |cause: String| RegistryError::new(RegistryErrorKind::Unsupported, self.doing.clone(), cause);
        if !seen.insert(digest.clone()) {
            return Ok(());
        }
        if depth > DEEPEST {
            return Err(unsupported(format!(
                "its indexes lie more than {DEEPEST} deep in each other"
            )));
        }
        let manifest = self.manifest(digest).await?;
        for child in &manifest.children {
            Box::pin(self.add(child, depth + 1, seen, manifests)).await?;
        }
        manifests.push(manifest);
        let bytes: usize = manifests.iter().map(|manifest| manifest.bytes.len()).sum();
        if manifests.len() > MOST_MANIFESTS || bytes > MOST_BYTES {
            return Err(unsupported(format!(
                "it has more than {MOST_MANIFESTS} manifests or {} MiB of them",
                MOST_BYTES >> 20
            )));
        }
        Ok(())
    }

    /// The bytes of a manifest, held against its digest.
    async fn manifest(&self, digest: &Digest) -> Result<Manifest, RegistryError> {
        let Some((bytes, kind)) = self.get(digest.as_str()).await? else {
            let cause = format!(
                "registry {} has no manifest {digest} in {}: was the image removed there?",
                self.session.host, self.repository
            );
            return Err(RegistryError::new(
                RegistryErrorKind::Missing,
                self.doing.clone(),
                cause,
            ));
        };
        let found = Digest::of(&bytes);
        if found != *digest {
            let cause = format!("its manifest {digest} has {} bytes of digest {found}", bytes.len());
            return Err(self.session.wrong(RegistryErrorKind::Mismatch, &self.doing, cause));
        }
        content::read(found, bytes, &kind, &self.doing)
    }

    /// A manifest by tag or digest, with its media type.
    pub(super) async fn get(&self, reference: &str) -> Result<Option<(bytes::Bytes, String)>, RegistryError> {
        let url = self.session.url(&format!("{}/manifests/{reference}", self.repository));
        let ask = Ask::new(Method::GET, url, &self.scopes, &self.doing).header(ACCEPT, &KINDS.join(", "));
        let answer = self.session.ask(ask).await?;
        match answer.status().as_u16() {
            200 => {
                let kind = answer.text(CONTENT_TYPE.as_str()).unwrap_or_default().to_owned();
                Ok(Some((answer.small_body(&self.doing).await?, kind)))
            }
            404 => Ok(None),
            _ => Err(answer.refused(&self.doing).await),
        }
    }

    async fn has(&self, blob: &Blob) -> Result<bool, RegistryError> {
        let url = self.session.url(&format!("{}/blobs/{}", self.repository, blob.digest));
        let answer = self
            .session
            .ask(Ask::new(Method::HEAD, url, &self.scopes, &self.doing))
            .await?;
        match answer.status().as_u16() {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(answer.refused(&self.doing).await),
        }
    }

    /// The stream of a blob from this byte on, and the byte at which it really begins.
    pub(super) async fn stream(&self, blob: &Blob, from: u64) -> Result<(Response, u64), RegistryError> {
        let url = self.session.url(&format!("{}/blobs/{}", self.repository, blob.digest));
        let mut ask = Ask::new(Method::GET, url, &self.scopes, &self.doing);
        // What is packed is not to be packed again on its way.
        ask.headers.insert(
            HeaderName::from_static("accept-encoding"),
            HeaderValue::from_static("identity"),
        );
        if from > 0 {
            ask = ask.header(RANGE, &format!("bytes={from}-"));
        }
        let answer = self.session.ask(ask).await?;
        match answer.status().as_u16() {
            200 => Ok((answer.into_inner(), 0)),
            206 => {
                let begins = header(answer.headers(), "content-range")
                    .and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok())
                    .unwrap_or(from);
                Ok((answer.into_inner(), begins))
            }
            404 => {
                let cause = format!(
                    "it names the blob {} in a manifest and does not have it: was it removed there? Build the image again",
                    blob.digest
                );
                Err(self.session.wrong(RegistryErrorKind::Missing, &self.doing, cause))
            }
            _ => Err(answer.refused(&self.doing).await),
        }
    }
}
