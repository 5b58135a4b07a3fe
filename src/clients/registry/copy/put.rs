//! Manifests at a destination: put by digest, read back, and at the very end named by the tag.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;

use super::content::{KINDS, Manifest, OCI_INDEX};
use super::lane::Lane;
use crate::clients::registry::session::Ask;
use crate::clients::registry::{RegistryError, RegistryErrorKind};
use crate::model::Digest;

const CONTENT_DIGEST: &str = "docker-content-digest";

impl Lane {
    /// Does the tag stand for our image? An error if it stands for another one.
    pub(super) async fn tag_is_there(&self) -> Result<bool, RegistryError> {
        let root = &self.content.root;
        match self.head_manifest(&self.tag).await? {
            None => Ok(false),
            Some(found) if found == *root => Ok(true),
            Some(found) => {
                let cause = format!(
                    "the tag {} is there already and stands for another image ({found}, not {root}): a tag is never \
                     overwritten. Choose another tag, or remove that one if nobody needs it",
                    self.tag
                );
                Err(self.wrong(RegistryErrorKind::Occupied, cause))
            }
        }
    }

    /// Puts a manifest by its digest, unless it is there, and reads it back.
    pub(super) async fn bring_manifest(&self, manifest: &Manifest) -> Result<(), RegistryError> {
        let place = manifest.digest.as_str();
        if self.head_manifest(place).await?.is_some() {
            return self.read_back(place, &manifest.digest).await;
        }
        self.put_manifest(place, &manifest.media_type, manifest.bytes.clone())
            .await?;
        self.is_there(place, &manifest.digest).await
    }

    /// Sets the tag, which nobody else must have set meanwhile, and reads it back.
    pub(super) async fn set_tag(&self) -> Result<(), RegistryError> {
        let Some(root) = self.content.root() else {
            return Err(self
                .session
                .strange(&self.doing, "the image has no manifest".to_owned()));
        };
        if !self.tag_is_there().await? {
            self.put_manifest(&self.tag, &root.media_type, root.bytes.clone())
                .await?;
        }
        self.is_there(&self.tag, &root.digest).await
    }

    /// Asks for what was put in both ways.
    async fn is_there(&self, reference: &str, digest: &Digest) -> Result<(), RegistryError> {
        let (said, ()) = tokio::try_join!(self.head_manifest(reference), self.read_back(reference, digest))?;
        if said.as_ref() == Some(digest) {
            return Ok(());
        }
        let found = said.map_or("nothing there".to_owned(), |said| format!("that it is {said}"));
        let cause = format!("it took {digest} as {reference} and now says {found}: it is not to be trusted");
        Err(self.wrong(RegistryErrorKind::Mismatch, cause))
    }

    /// Gets a manifest and holds its bytes against the digest.
    async fn read_back(&self, reference: &str, digest: &Digest) -> Result<(), RegistryError> {
        let found = self.get_manifest(reference).await?.map(|bytes| Digest::of(&bytes));
        if found.as_ref() == Some(digest) {
            return Ok(());
        }
        let found = found.map_or("nothing".to_owned(), |found| format!("bytes of digest {found}"));
        let cause = format!("read back, {reference} has {found} instead of {digest}: its storage is not to be trusted");
        Err(self.wrong(RegistryErrorKind::Mismatch, cause))
    }

    /// The digest that the registry says a tag or digest has.
    async fn head_manifest(&self, reference: &str) -> Result<Option<Digest>, RegistryError> {
        let answer = self.session.ask(self.about(Method::HEAD, reference)).await?;
        match answer.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            // A registry may not do HEAD (specification: it should).
            405 => return Ok(self.get_manifest(reference).await?.map(|bytes| Digest::of(&bytes))),
            _ => return Err(answer.refused(&self.doing).await),
        }
        let Some(said) = answer.text(CONTENT_DIGEST) else {
            return Ok(self.get_manifest(reference).await?.map(|bytes| Digest::of(&bytes)));
        };
        let digest: Digest = said.parse().map_err(|_| {
            self.session
                .strange(&self.doing, format!("it says that {reference} has the digest {said:?}"))
        })?;
        if reference.starts_with("sha256:") && reference != digest.as_str() {
            let cause = format!("asked for {reference} it says that its digest is {digest}: it is not to be trusted");
            return Err(self.wrong(RegistryErrorKind::Mismatch, cause));
        }
        Ok(Some(digest))
    }

    pub(super) async fn get_manifest(&self, reference: &str) -> Result<Option<Bytes>, RegistryError> {
        let answer = self.session.ask(self.about(Method::GET, reference)).await?;
        match answer.status().as_u16() {
            200 => answer.small_body(&self.doing).await.map(Some),
            404 => Ok(None),
            _ => Err(answer.refused(&self.doing).await),
        }
    }

    pub(super) async fn put_manifest(&self, reference: &str, kind: &str, bytes: Bytes) -> Result<(), RegistryError> {
        let url = self.session.url(&format!("{}/manifests/{reference}", self.repository));
        let ask = Ask::new(Method::PUT, url, &self.scopes, &self.doing)
            .header(CONTENT_TYPE, kind)
            .body(bytes);
        let answer = self.session.ask(ask).await?;
        match answer.status().as_u16() {
            200..=202 => Ok(()),
            _ => Err(answer.refused(&self.doing).await),
        }
    }

    /// Does the registry list all of these beside their subject?
    pub(super) async fn lists_by_itself(&self, subject: &Digest, all: &[&Manifest]) -> Result<bool, RegistryError> {
        let url = self.session.url(&format!("{}/referrers/{subject}", self.repository));
        let ask = Ask::new(Method::GET, url, &self.scopes, &self.doing).header(ACCEPT, OCI_INDEX);
        let answer = self.session.ask(ask).await?;
        match answer.status().as_u16() {
            200 => {}
            404 | 405 => return Ok(false),
            _ => return Err(answer.refused(&self.doing).await),
        }
        let bytes = answer.small_body(&self.doing).await?;
        let listed: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let listed = listed
            .get("manifests")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        Ok(all.iter().all(|manifest| {
            listed
                .iter()
                .any(|entry| entry.get("digest").and_then(Value::as_str) == Some(manifest.digest.as_str()))
        }))
    }

    fn about<'a>(&'a self, method: Method, reference: &str) -> Ask<'a> {
        let url = self.session.url(&format!("{}/manifests/{reference}", self.repository));
        Ask::new(method, url, &self.scopes, &self.doing).header(ACCEPT, &KINDS.join(", "))
    }
}
