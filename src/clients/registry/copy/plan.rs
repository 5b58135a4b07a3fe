//! What a destination has already, and what its registry can take over from another of its repositories.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::Method;

use super::content::Blob;
use super::lane::Lane;
use super::progress::add;
use super::upload::Place;
use crate::clients::registry::RegistryError;
use crate::clients::registry::session::Ask;
use crate::model::Digest;

/// Questions at once.
const AT_ONCE: usize = 6;

enum Found {
    There,
    /// To be uploaded; an upload may have been opened by a mount that was not granted.
    Missing(Digest, Option<Place>),
}

impl Lane {
    /// The blobs that have to be uploaded.
    pub(super) async fn plan(&self) -> Result<BTreeMap<Digest, Option<Place>>, RegistryError> {
        // Cloned: the compiler finds no lifetime for a closure over borrowed blobs that is sent to another thread.
        let blobs: Vec<Arc<Blob>> = self.content.blobs.clone();
        futures_util::stream::iter(blobs)
            .map(|blob| async move { self.look(&blob).await })
            .buffer_unordered(AT_ONCE)
            .try_filter_map(|found| async move {
                Ok(match found {
                    Found::There => None,
                    Found::Missing(digest, place) => Some((digest, place)),
                })
            })
            .try_collect()
            .await
    }

    async fn look(&self, blob: &Blob) -> Result<Found, RegistryError> {
        if self.has(blob).await? {
            add(&self.progress.present, blob.size);
            return Ok(Found::There);
        }
        if self.session.host != self.source.session.host || self.repository == self.source.repository {
            return Ok(Found::Missing(blob.digest.clone(), None));
        }
        let path = format!(
            "{}/blobs/uploads/?mount={}&from={}",
            self.repository, blob.digest, self.source.repository
        );
        let scopes = self.scopes.clone().and_pull(&self.source.repository);
        let ask = Ask::new(Method::POST, self.session.url(&path), &scopes, &self.doing);
        let answer = self.session.ask(ask).await?;
        match answer.status().as_u16() {
            201 => {
                add(&self.progress.mounted, blob.size);
                Ok(Found::There)
            }
            // It does not want to, and has opened an upload instead.
            202 => Ok(Found::Missing(blob.digest.clone(), Place::of(&answer, answer.url()))),
            // Harbor says 401 where the account may not read the other repository, others something else: then it is sent.
            _ => Ok(Found::Missing(blob.digest.clone(), None)),
        }
    }

    /// Is the blob there, as long as it should be?
    pub(super) async fn has(&self, blob: &Blob) -> Result<bool, RegistryError> {
        let url = self.session.url(&format!("{}/blobs/{}", self.repository, blob.digest));
        let answer = self
            .session
            .ask(Ask::new(Method::HEAD, url, &self.scopes, &self.doing))
            .await?;
        match answer.status().as_u16() {
            200 => {
                let size = answer.text("content-length").and_then(|text| text.parse::<u64>().ok());
                // One that was cut off by a broken disk is sent again.
                Ok(size.is_none_or(|size| size == blob.size))
            }
            404 => Ok(false),
            _ => Err(answer.refused(&self.doing).await),
        }
    }
}
