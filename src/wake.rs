//! Who waits is woken: within the process at once, between processes by Postgres' NOTIFY.
//!
//! A wake-up is a hint, never a message: everybody who waits also looks by himself from time to time, because NOTIFY
//! may be lost while a connection is made anew. Notifications that follow one another closely are gathered, and all are
//! sent outside the transactions that cause them: a NOTIFY inside each would make all commits wait for one another.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use crate::model::{BuildId, PromotionId};
use crate::store::jobs::Lane;

const CHANNEL: &str = "seaworthy";
/// Pause after each sending: a first wake-up goes at once, those that follow it go together.
const GATHER: Duration = Duration::from_millis(25);

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// There may be work in this lane.
    Job(Lane),
    /// State or stages of this build have changed.
    Build(BuildId),
    /// The log of this build has grown.
    Log(BuildId),
    /// This build shall be stopped.
    Cancel(BuildId),
    /// State or progress of this promotion has changed.
    Promotion(PromotionId),
    /// This promotion shall be stopped.
    CancelPromotion(PromotionId),
    /// Notifications may have been lost: look at everything.
    Resync,
}

impl Event {
    fn to_payload(self) -> Option<String> {
        match self {
            Self::Job(lane) => Some(format!("job:{}", lane.as_str())),
            Self::Build(id) => Some(format!("build:{id}")),
            Self::Log(id) => Some(format!("log:{id}")),
            Self::Cancel(id) => Some(format!("cancel:{id}")),
            Self::Promotion(id) => Some(format!("promotion:{id}")),
            Self::CancelPromotion(id) => Some(format!("cancel-promotion:{id}")),
            Self::Resync => None,
        }
    }

    fn from_payload(payload: &str) -> Option<Self> {
        let (kind, value) = payload.split_once(':')?;
        let build = || value.parse().ok().map(BuildId);
        let promotion = || value.parse().ok().map(PromotionId);
        match kind {
            "job" => [Lane::Intake, Lane::Build, Lane::Notify, Lane::Promote]
                .into_iter()
                .find(|lane| lane.as_str() == value)
                .map(Self::Job),
            "build" => build().map(Self::Build),
            "log" => build().map(Self::Log),
            "cancel" => build().map(Self::Cancel),
            "promotion" => promotion().map(Self::Promotion),
            "cancel-promotion" => promotion().map(Self::CancelPromotion),
            _ => None,
        }
    }
}

/// The place where wake-ups meet; one a process.
#[derive(Debug)]
pub struct Hub {
    here: broadcast::Sender<Event>,
    outgoing: Mutex<HashSet<Event>>,
    pending: Notify,
    /// Marks our own notifications, which were already heard here.
    origin: String,
}

impl Hub {
    /// A hub that works within this process; [`Hub::run`] joins it to the others.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            here: broadcast::channel(1024).0,
            outgoing: Mutex::default(),
            pending: Notify::new(),
            origin: uuid::Uuid::new_v4().simple().to_string(),
        })
    }

    /// Wakes everybody who waits for this, here and elsewhere. Call it after the commit.
    pub fn tell(&self, event: Event) {
        // No receiver is no error: nobody waits.
        let _ = self.here.send(event);
        self.outgoing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(event);
        self.pending.notify_one();
    }

    /// All events from now on. A receiver that lags must take it for [`Event::Resync`].
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.here.subscribe()
    }

    /// Exchanges wake-ups with the other processes until `stop`. It survives the absence of Postgres.
    pub async fn run(self: Arc<Self>, url: &SecretString, pool: &PgPool, stop: &CancellationToken) {
        tokio::select! {
            () = self.send(pool) => {}
            () = self.listen(url) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn send(&self, pool: &PgPool) {
        loop {
            self.pending.notified().await;
            let events = std::mem::take(&mut *self.outgoing.lock().unwrap_or_else(PoisonError::into_inner));
            let payloads: Vec<String> = events
                .into_iter()
                .filter_map(Event::to_payload)
                .map(|payload| format!("{}|{payload}", self.origin))
                .collect();
            let sent = crate::store::notify(pool, CHANNEL, &payloads).await;
            if let Err(error) = sent {
                tracing::debug!(%error, "wake-ups could not be sent; the others will find the work by themselves");
            }
            tokio::time::sleep(GATHER).await;
        }
    }

    async fn listen(&self, url: &SecretString) {
        loop {
            if let Err(error) = self.listen_once(url).await {
                tracing::warn!(%error, "the connection for wake-ups is lost; it is made again in 1 s");
            }
            let _ = self.here.send(Event::Resync);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn listen_once(&self, url: &SecretString) -> sqlx::Result<()> {
        let mut listener = PgListener::connect(url.expose_secret()).await?;
        listener.listen(CHANNEL).await?;
        let _ = self.here.send(Event::Resync);
        // `None` means that the connection broke and is being made again: what was sent in between is lost.
        while let Some(notification) = listener.try_recv().await? {
            let Some((origin, payload)) = notification.payload().split_once('|') else {
                continue;
            };
            if origin != self.origin
                && let Some(event) = Event::from_payload(payload)
            {
                let _ = self.here.send(event);
            }
        }
        Ok(())
    }
}

/// Waits until one of the events that `wanted` accepts comes, at most `limit`.
pub async fn wait_for(receiver: &mut broadcast::Receiver<Event>, limit: Duration, wanted: impl Fn(Event) -> bool) {
    let _ = tokio::time::timeout(limit, async {
        loop {
            match receiver.recv().await {
                Ok(event) if event == Event::Resync || wanted(event) => return,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                // The hub lives as long as the process.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_comes_back_from_its_payload() {
        for event in [
            Event::Job(Lane::Intake),
            Event::Job(Lane::Build),
            Event::Job(Lane::Notify),
            Event::Build(BuildId(7)),
            Event::Log(BuildId(8)),
            Event::Cancel(BuildId(9)),
            Event::Job(Lane::Promote),
            Event::Promotion(PromotionId(7)),
            Event::CancelPromotion(PromotionId(8)),
        ] {
            let payload = event.to_payload().expect("it goes to other processes");
            assert_eq!(Event::from_payload(&payload), Some(event));
        }
        assert_eq!(Event::from_payload("job:unknown"), None);
    }
}
