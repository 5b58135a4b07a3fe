//! A writer stores all deliveries that wait, in one transaction: a burst of hooks costs the database one commit for
//! many, and a single hook is stored at once, because a writer waits for nobody.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sqlx::PgPool;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::model::DeliveryId;
use crate::store::deliveries::{self, NewDelivery};
use crate::store::{Result, StoreError};

/// While one waits for the database's disk, another prepares; more would only make the transactions smaller.
const WRITERS: usize = 2;
/// Most deliveries of one transaction.
const MOST: usize = 64;
/// No more is added to a transaction that holds this many bytes of bodies.
const MOST_BYTES: usize = 8 << 20;
/// How long one try may take: a connection whose other end is gone without a word must not take up all the time that
/// there is. What was stored although the try was given up is found by the next one.
const TRY: Duration = Duration::from_secs(3);
/// Pause between two tries to store.
const PAUSE: Duration = Duration::from_millis(200);

/// A delivery that was let in.
#[derive(Debug)]
pub struct Received {
    /// The address that it gets.
    pub id: DeliveryId,
    /// The sender's own key, the same for a resend.
    pub key: Option<String>,
    /// `X-Gitlab-Event`.
    pub event: Option<String>,
    /// Headers without secrets.
    pub headers: Value,
    /// The body, byte by byte.
    pub body: Vec<u8>,
    /// When the sender stops waiting.
    pub deadline: Instant,
}

/// The database could not be reached before the deadline.
#[derive(Debug)]
pub struct Late;

/// The way to the tasks that write; they end when the last of these is dropped.
#[derive(Debug)]
pub struct Writer(mpsc::UnboundedSender<Waiting>);

#[derive(Debug)]
struct Waiting {
    received: Received,
    answer: oneshot::Sender<DeliveryId>,
}

impl Writer {
    /// Starts the tasks. `wake` is called after each commit.
    pub fn start(pool: PgPool, wake: impl Fn() + Send + Sync + 'static) -> Self {
        // Unbounded: each sender waits for his answer, so no more wait here than hooks are being received.
        let (sender, receiver) = mpsc::unbounded_channel();
        let (receiver, wake) = (Arc::new(Mutex::new(receiver)), Arc::new(wake));
        for _ in 0..WRITERS {
            let (pool, receiver, wake) = (pool.clone(), Arc::clone(&receiver), Arc::clone(&wake));
            tokio::spawn(async move {
                while let Some(mut batch) = gather(&mut *receiver.lock().await).await {
                    let mut told = false;
                    while !batch.is_empty() {
                        if store(&pool, &mut batch, &mut told).await {
                            wake();
                        }
                    }
                }
            });
        }
        Self(sender)
    }

    /// Waits until it is stored, and gives the address under which it can be found.
    ///
    /// # Errors
    /// [`Late`]; it may still be stored afterwards, which does no harm: a sender who sends again uses the same key.
    pub async fn store(&self, received: Received) -> std::result::Result<DeliveryId, Late> {
        let (answer, stored) = oneshot::channel();
        let deadline = received.deadline;
        // It fails only when the runtime is going down: then no answer comes either.
        let _ = self.0.send(Waiting { received, answer });
        match timeout_at(deadline, stored).await {
            Ok(Ok(id)) => Ok(id),
            Ok(Err(_)) | Err(_) => {
                tracing::error!(
                    "a webhook delivery was not stored in time and was answered with 503; a warning before this line \
                     has the database's reason. The comparison with GitLab's open merge requests will make up for it"
                );
                Err(Late)
            }
        }
    }
}

/// Waits for a delivery, and takes the others that came meanwhile; `None` at the end.
async fn gather(receiver: &mut mpsc::UnboundedReceiver<Waiting>) -> Option<Vec<Waiting>> {
    let first = receiver.recv().await?;
    let mut bytes = first.received.body.len();
    let mut batch = vec![first];
    while batch.len() < MOST && bytes < MOST_BYTES {
        let Ok(more) = receiver.try_recv() else { break };
        bytes += more.received.body.len();
        batch.push(more);
    }
    Some(batch)
}

/// Stores and answers those that wait; `false` if none was stored. Whoever is not stored stays in `batch` until his
/// time is up; `told` keeps it to one line in the log. A sender who went away before is no reason to forget what he sent.
async fn store(pool: &PgPool, batch: &mut Vec<Waiting>, told: &mut bool) -> bool {
    let now = Instant::now();
    batch.retain(|waiting| waiting.received.deadline > now);
    let before = batch.len();
    if before == 0 {
        return false;
    }
    let mut tried = insert(pool, batch).await;
    if let Ok(ids) = &tried {
        for (waiting, id) in batch.drain(..).zip(ids) {
            // Nobody may be there any more.
            let _ = waiting.answer.send(*id);
        }
        return true;
    }
    // One that the database refuses must not keep the others out.
    let mut next = 0;
    while before > 1 && next < batch.len() && matches!(tried, Err(StoreError::Database(_)) | Ok(_)) {
        tried = insert(pool, &batch[next..=next]).await;
        match &tried {
            Ok(ids) => drop(batch.remove(next).answer.send(ids[0])),
            Err(_) => next += 1,
        }
    }
    if !batch.is_empty() {
        if let Err(error) = &tried
            && !std::mem::replace(told, true)
        {
            tracing::warn!(%error, deliveries = batch.len(), "deliveries could not be stored; tried until they are late");
        }
        sleep(PAUSE).await;
    }
    batch.len() < before
}

async fn insert(pool: &PgPool, batch: &[Waiting]) -> Result<Vec<DeliveryId>> {
    let new: Vec<NewDelivery<'_>> = batch
        .iter()
        .map(|Waiting { received, .. }| NewDelivery {
            id: received.id,
            key: received.key.as_deref(),
            event: received.event.as_deref(),
            headers: &received.headers,
            body: &received.body,
        })
        .collect();
    timeout(TRY, deliveries::insert(pool, &new)).await.unwrap_or_else(|_| {
        let silence = format!("no answer within {TRY:?}");
        Err(StoreError::Io(io::Error::new(io::ErrorKind::TimedOut, silence)))
    })
}
