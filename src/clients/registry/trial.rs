//! Trying whether something could be written: a small upload that is thrown away before it becomes a blob.

use bytes::Bytes;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION};
use reqwest::{Method, StatusCode};

use super::session::{Ask, Scopes, Session, header};
use super::{Registry, RegistryError, RegistryErrorKind};
use crate::model::{Invalid, Reference};

/// What is uploaded.
const SCRAP: &[u8] = b"seaworthy tries whether it may write here; this is thrown away\n";

impl Registry {
    /// Opens an upload into a repository (`host/path`), sends a few bytes and gives it up (distribution specification,
    /// "Pushing a blob in chunks"): no blob and no repository remains. Returns what was found, a few words.
    ///
    /// # Errors
    /// As [`Registry::digest`]; above all, the account may not write there.
    pub async fn try_upload(&self, repository: &str) -> Result<String, RegistryError> {
        let doing = format!("trying an upload to {repository}");
        let named: Reference = repository
            .parse()
            .map_err(|error: Invalid| RegistryError::new(RegistryErrorKind::Name, doing.clone(), error.to_string()))?;
        let session = Session::new(self, named.registry())?;
        let scopes = Scopes::push(named.repository());
        let url = session.url(&format!("{}/blobs/uploads/", named.repository()));
        let opened = session
            .ask(Ask::new(Method::POST, url.clone(), &scopes, &doing))
            .await?;
        if !opened.status().is_success() {
            return Err(opened.refused(&doing).await);
        }
        let Some(place) = header(opened.headers(), LOCATION.as_str()).and_then(|to| url.join(to).ok()) else {
            return Err(session.strange(&doing, "it opens an upload without a Location".to_owned()));
        };
        let piece = Ask::new(Method::PATCH, place.clone(), &scopes, &doing)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_RANGE, &format!("0-{}", SCRAP.len() - 1))
            .body(Bytes::from_static(SCRAP));
        let taken = session.ask(piece).await?;
        if !taken.status().is_success() {
            return Err(taken.refused(&doing).await);
        }
        let place = header(taken.headers(), LOCATION.as_str())
            .and_then(|to| url.join(to).ok())
            .unwrap_or(place);
        let gone = session.ask(Ask::new(Method::DELETE, place, &scopes, &doing)).await?;
        Ok(match gone.status() {
            status if status.is_success() || status == StatusCode::NOT_FOUND => "it takes uploads".to_owned(),
            status => format!("it takes uploads; it answers {status} to giving one up, and clears it away by itself"),
        })
    }
}
