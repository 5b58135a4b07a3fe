//! What lies beside an image (distribution specification 1.1, "Listing Referrers"): read from the source, and made known to a
//! destination that does not find it by itself.

use std::collections::BTreeSet;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, LINK};
use serde_json::{Value, json};

use super::content::{Manifest, OCI_INDEX};
use super::digest_of;
use super::lane::Lane;
use super::source::Source;
use crate::clients::registry::listing::next_page;
use crate::clients::registry::session::Ask;
use crate::clients::registry::{RegistryError, RegistryErrorKind};
use crate::model::Digest;

/// Pages of one list.
const MOST_PAGES: usize = 100;

/// How often an index is written again because somebody else wrote it at the same time.
const ROUNDS: usize = 3;

/// The lists of a source.
pub(super) struct Lists<'a> {
    source: &'a Source,
    /// It does not know of referrers: an index under a tag stands for the list ("Referrers Tag Schema").
    by_tag: bool,
}

impl<'a> Lists<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self { source, by_tag: false }
    }

    /// Digests of what lies beside this manifest.
    pub(super) async fn of(&mut self, subject: &Digest) -> Result<Vec<Digest>, RegistryError> {
        let source = self.source;
        if !self.by_tag {
            let mut found = Vec::new();
            let mut next = Some(
                source
                    .session
                    .url(&format!("{}/referrers/{subject}", source.repository)),
            );
            for _ in 0..MOST_PAGES {
                let Some(url) = next.take() else {
                    return Ok(found);
                };
                let ask = Ask::new(Method::GET, url, &source.scopes, &source.doing).header(ACCEPT, OCI_INDEX);
                let answer = source.session.ask(ask).await?;
                if answer.status() == 404 {
                    self.by_tag = true;
                    break;
                }
                if answer.status() != 200 {
                    return Err(answer.refused(&source.doing).await);
                }
                next = answer
                    .text(LINK.as_str())
                    .and_then(|link| next_page(link, answer.url()));
                let bytes = answer.small_body(&source.doing).await?;
                found.extend(entries(&bytes, &source.doing)?);
            }
            if !self.by_tag {
                let cause = format!("its list of what lies beside {subject} has more than {MOST_PAGES} pages");
                return Err(source.session.strange(&source.doing, cause));
            }
        }
        match source.get(&tag(subject)).await? {
            Some((bytes, _)) => entries(&bytes, &source.doing),
            None => Ok(Vec::new()),
        }
    }
}

fn entries(bytes: &[u8], doing: &str) -> Result<Vec<Digest>, RegistryError> {
    let index: Value = serde_json::from_slice(bytes).map_err(|error| {
        let cause = format!("a list of what lies beside an image is no JSON: {error}");
        RegistryError::new(RegistryErrorKind::Strange, doing.to_owned(), cause)
    })?;
    let entries = index.get("manifests").and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("digest")?.as_str())
        .map(|digest| digest_of(digest, doing))
        .collect()
}

/// `sha256-<hex>`.
fn tag(subject: &Digest) -> String {
    subject.as_str().replace(':', "-")
}

impl Lane {
    /// Makes sure that a manifest is listed beside its subject: adds it to the index under the subject's tag.
    pub(super) async fn list_by_tag(&self, subject: &Digest, referrers: &[&Manifest]) -> Result<(), RegistryError> {
        let tag = tag(subject);
        for _ in 0..ROUNDS {
            let mut index = match self.get_manifest(&tag).await? {
                None => json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}),
                Some(bytes) => serde_json::from_slice(&bytes)
                    .ok()
                    .filter(|index: &Value| index.get("manifests").is_some_and(Value::is_array))
                    .ok_or_else(|| {
                        let cause = format!("its tag {tag} is no index of what lies beside {subject}: remove that tag");
                        self.session.strange(&self.doing, cause)
                    })?,
            };
            let Some(list) = index.get_mut("manifests").and_then(Value::as_array_mut) else {
                continue;
            };
            let known: BTreeSet<String> = list
                .iter()
                .filter_map(|entry| Some(entry.get("digest")?.as_str()?.to_owned()))
                .collect();
            let missing: Vec<Value> = referrers
                .iter()
                .filter(|manifest| !known.contains(manifest.digest.as_str()))
                .map(|manifest| entry(manifest))
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            list.extend(missing);
            self.put_manifest(&tag, OCI_INDEX, Bytes::from(index.to_string()))
                .await?;
            // Read again at the beginning of the next round: somebody may have written at the same time.
        }
        let cause =
            format!("its tag {tag} is written by somebody else all the time, so that entries are lost: resume later");
        Err(self.session.away(&self.doing, cause))
    }
}

fn entry(manifest: &Manifest) -> Value {
    let mut entry = json!({
        "mediaType": manifest.media_type,
        "digest": manifest.digest.as_str(),
        "size": manifest.bytes.len(),
    });
    if let Some(artifact_type) = &manifest.artifact_type {
        entry["artifactType"] = json!(artifact_type);
    }
    if let Some(annotations) = &manifest.annotations {
        entry["annotations"] = annotations.clone();
    }
    entry
}
