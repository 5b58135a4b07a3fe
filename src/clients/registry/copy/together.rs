//! Blobs to all lanes at the same time: each is read once.
//!
//! Lanes say what they miss. When all have, or those that are quick have waited long enough, blob after blob is read into a
//! feed with a place for each lane that misses it. The next ones are handed out before it is their turn, so that lanes open
//! the uploads while others are under way: a registry that is busy writing takes its time for it. A lane that came late or
//! was let go gets its blobs to read for itself, and so does one that is the only one to miss a blob.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::content::{Blob, Content};
use super::feed::{AT_ONCE, Feed, cost};
use super::pump::{Intake, pump};
use super::source::Source;
use crate::model::Digest;

/// How long a lane that knows what it misses waits for the others.
const GRACE: Duration = Duration::from_secs(2);

/// Blobs that are handed out before it is their turn.
const AHEAD: usize = 4;

/// What a lane is to upload.
pub(super) enum Work {
    /// With the others.
    Shared(Arc<Blob>, Intake),
    /// By itself.
    Alone(Arc<Blob>),
}

enum Message {
    Joined(Member),
    /// A lane has ended, or misses nothing.
    Out,
}

struct Member {
    missing: BTreeSet<Digest>,
    work: mpsc::UnboundedSender<Work>,
    slow: Arc<AtomicBool>,
}

/// Where lanes report.
pub(super) struct Register(mpsc::UnboundedSender<Message>);

/// One lane's report, which is made at the latest when it is dropped.
pub(super) struct Report(Option<mpsc::UnboundedSender<Message>>);

impl Register {
    pub(super) fn report(&self) -> Report {
        Report(Some(self.0.clone()))
    }
}

impl Report {
    /// Says what is missing; gives what to upload, until there is nothing more.
    pub(super) fn join(mut self, missing: BTreeSet<Digest>) -> mpsc::UnboundedReceiver<Work> {
        let (work, receiver) = mpsc::unbounded_channel();
        let member = Member {
            missing,
            work,
            slow: Arc::default(),
        };
        if let Some(register) = self.0.take() {
            // Without a reader the lane gets no work and says so.
            _ = register.send(Message::Joined(member));
        }
        receiver
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(register) = self.0.take() {
            _ = register.send(Message::Out);
        }
    }
}

/// What hands out the work, for so many lanes; to be run beside them.
pub(super) fn begin(
    source: Arc<Source>,
    content: Arc<Content>,
    lanes: usize,
) -> (impl Future<Output = ()> + Send + 'static, Register) {
    let (register, messages) = mpsc::unbounded_channel();
    (hand_out(source, content, lanes, messages), Register(register))
}

async fn hand_out(
    source: Arc<Source>,
    content: Arc<Content>,
    lanes: usize,
    mut messages: mpsc::UnboundedReceiver<Message>,
) {
    let mut members = Vec::new();
    let mut heard = 0;
    let mut until: Option<Instant> = None;
    while heard < lanes {
        let late = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            message = messages.recv() => match message {
                Some(Message::Joined(member)) => {
                    members.push(member);
                    until.get_or_insert(Instant::now() + GRACE);
                    heard += 1;
                }
                Some(Message::Out) => heard += 1,
                None => break,
            },
            () = late => break,
        }
    }
    let late = async {
        while let Some(message) = messages.recv().await {
            if let Message::Joined(member) = message {
                for blob in content
                    .blobs
                    .iter()
                    .filter(|blob| member.missing.contains(&blob.digest))
                {
                    _ = member.work.send(Work::Alone(blob.clone()));
                }
            }
        }
    };
    tokio::join!(feed(&source, &content, members), late);
}

async fn feed(source: &Arc<Source>, content: &Content, members: Vec<Member>) {
    let (permits, ahead) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(Semaphore::new(AHEAD)));
    let mut readers = JoinSet::new();
    for blob in &content.blobs {
        let Ok(early) = ahead.clone().acquire_owned().await else {
            return;
        };
        let wanting = members
            .iter()
            .filter(|member| member.missing.contains(&blob.digest) && !member.work.is_closed());
        let (slow, quick): (Vec<_>, Vec<_>) = wanting.partition(|member| member.slow.load(Ordering::Relaxed));
        let alone = if quick.len() == 1 { &quick[..] } else { &[] };
        for member in slow.iter().chain(alone) {
            // A lane that has ended needs nothing.
            _ = member.work.send(Work::Alone(blob.clone()));
        }
        if quick.len() < 2 {
            continue;
        }
        let flags: Vec<_> = quick.iter().map(|member| member.slow.clone()).collect();
        let feed = Arc::new(Feed::new(0, &flags));
        for (number, member) in quick.iter().enumerate() {
            let intake = Intake::shared(source.clone(), blob.clone(), feed.clone(), number);
            // If it is not taken, it leaves the feed as it is dropped.
            _ = member.work.send(Work::Shared(blob.clone(), intake));
        }
        let (source, blob) = (source.clone(), blob.clone());
        let turn = permits.clone().acquire_many_owned(cost(blob.size));
        readers.spawn(async move {
            let Ok(_permit) = turn.await else {
                return;
            };
            drop(early);
            feed.begin();
            pump(&source, &blob, 0, &feed).await;
            feed.drained().await;
        });
    }
    // Whoever waits for work learns that there is no more.
    drop(members);
    while readers.join_next().await.is_some() {}
}
