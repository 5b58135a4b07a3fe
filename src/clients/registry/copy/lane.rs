//! One destination from the first question to the tag.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::content::{Content, Manifest};
use super::feed::{AT_ONCE, cost};
use super::progress::{Progress, get};
use super::pump::Intake;
use super::source::Source;
use super::together::{Report, Work};
use super::upload::Place;
use super::{Copied, Destination, named, stopped};
use crate::clients::registry::session::{Scopes, Session};
use crate::clients::registry::{Registry, RegistryError, RegistryErrorKind};
use crate::model::Digest;

/// A destination while it is written to.
pub(super) struct Lane {
    pub(super) session: Session,
    pub(super) repository: String,
    pub(super) tag: String,
    pub(super) scopes: Scopes,
    pub(super) source: Arc<Source>,
    pub(super) content: Arc<Content>,
    pub(super) progress: Arc<Progress>,
    pub(super) doing: String,
}

impl Lane {
    /// Nothing is asked yet.
    pub(super) fn open(
        registry: &Registry,
        destination: Destination,
        source: Arc<Source>,
        content: Arc<Content>,
        progress: Arc<Progress>,
    ) -> Result<Self, RegistryError> {
        let name = format!("{}:{}", destination.repository, destination.tag);
        let doing = match destination.name.as_str() {
            "" => format!("copying to {name}"),
            data_centre => format!("copying to {name} ({data_centre})"),
        };
        let reference = named(&name, &doing)?;
        let repository = reference.repository().to_owned();
        Ok(Self {
            session: Session::new(registry, reference.registry())?,
            scopes: Scopes::push(&repository),
            tag: reference.tag().unwrap_or(&destination.tag).to_owned(),
            repository,
            source,
            content,
            progress,
            doing,
        })
    }

    /// Brings everything there, and sets the tag.
    pub(super) async fn run(
        self: Arc<Self>,
        report: Report,
        stop: &CancellationToken,
    ) -> Result<Copied, RegistryError> {
        let tag_was_there = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(stopped(&self.doing)),
            brought = self.bring(report) => brought?,
        };
        // From here on it is a matter of moments, and half of it would leave nobody knowing whether the tag is set.
        if !tag_was_there {
            self.set_tag().await?;
        }
        Ok(Copied {
            blobs: self.content.blobs.len() as u64,
            manifests: self.content.manifests.len() as u64,
            bytes_sent: get(&self.progress.sent),
            bytes_mounted: get(&self.progress.mounted),
            bytes_present: get(&self.progress.present),
            tag_was_there,
        })
    }

    /// Everything but the tag; says whether that was there already.
    async fn bring(self: &Arc<Self>, report: Report) -> Result<bool, RegistryError> {
        let tag_was_there = self.tag_is_there().await?;
        let mut places = self.plan().await?;
        let missing: BTreeSet<Digest> = places.keys().cloned().collect();
        if missing.is_empty() {
            drop(report);
        } else {
            self.upload_all(report, missing, &mut places).await?;
        }
        for manifest in &self.content.manifests {
            self.bring_manifest(manifest).await?;
        }
        self.list_referrers().await?;
        Ok(tag_was_there)
    }

    /// Uploads what is missing, as it is handed out.
    async fn upload_all(
        self: &Arc<Self>,
        report: Report,
        mut missing: BTreeSet<Digest>,
        places: &mut BTreeMap<Digest, Option<Place>>,
    ) -> Result<(), RegistryError> {
        let mut work = report.join(missing.clone());
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut uploads: JoinSet<Result<Digest, RegistryError>> = JoinSet::new();
        let mut more = true;
        while more || !uploads.is_empty() {
            tokio::select! {
                next = work.recv(), if more => match next {
                    None => more = false,
                    Some(Work::Shared(blob, intake)) => {
                        let (lane, place) = (self.clone(), places.remove(&blob.digest).flatten());
                        uploads.spawn(async move { lane.upload(&blob, place, intake).await });
                    }
                    Some(Work::Alone(blob)) => {
                        let (lane, place) = (self.clone(), places.remove(&blob.digest).flatten());
                        let permits = permits.clone();
                        uploads.spawn(async move {
                            let _permit = permits.acquire_many_owned(cost(blob.size)).await;
                            let intake = Intake::alone(lane.source.clone(), blob.clone(), 0);
                            lane.upload(&blob, place, intake).await
                        });
                    }
                },
                Some(ended) = uploads.join_next() => {
                    let digest = ended.unwrap_or_else(|error| {
                        Err(self.session.strange(&self.doing, format!("an upload broke off: {error}")))
                    })?;
                    missing.remove(&digest);
                }
            }
        }
        match missing.first() {
            None => Ok(()),
            // The reader of the source is gone without a word.
            Some(digest) => Err(self
                .session
                .strange(&self.doing, format!("blob {digest} was never handed out"))),
        }
    }

    /// Puts what lies beside an image into the list beside it, where the registry does not do so by itself.
    async fn list_referrers(&self) -> Result<(), RegistryError> {
        let mut beside: BTreeMap<&Digest, Vec<&Manifest>> = BTreeMap::new();
        for manifest in &self.content.manifests {
            if let Some(subject) = &manifest.subject {
                beside.entry(subject).or_default().push(manifest);
            }
        }
        for (subject, referrers) in beside {
            if !self.lists_by_itself(subject, &referrers).await? {
                self.list_by_tag(subject, &referrers).await?;
            }
        }
        Ok(())
    }

    pub(super) fn wrong(&self, kind: RegistryErrorKind, cause: String) -> RegistryError {
        self.session.wrong(kind, &self.doing, cause)
    }
}
