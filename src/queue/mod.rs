//! Who does the work: one loop a lane takes jobs from Postgres, each job under a lease that its worker renews.
//!
//! Any number of processes may do this over one database. A job is claimed in one short statement; no transaction is
//! open while it is worked on. What a dead worker had in hand is claimed again when its lease has run out, and what it
//! left on the engine and the disk is swept away.

mod builds;
mod heal;
mod intake;
mod lease;
mod notify;
mod promote;
mod sweep;
mod trunk;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::lease::{Holding, hold};
use crate::notify::Notifier;
use crate::pipeline::Parts;
use crate::promotion::Promoter;
use crate::store::jobs::{self, Claim, Lane};
use crate::wake::{Event, wait_for};

/// Deliveries that one process interprets at once, and notices that it sends at once: they wait, mostly.
const SMALL_JOBS: usize = 4;
/// Promotions that one process copies at once: each fills the network by itself.
const PROMOTIONS: usize = 2;
/// How often a lane is looked at although nobody woke it: notifications may be lost.
const LOOK: Duration = Duration::from_secs(2);
/// The longest waiting time before another attempt.
const LONGEST: Duration = Duration::from_secs(600);

/// The workers of one process.
pub struct Workers {
    parts: Arc<Parts>,
    notifier: Arc<Notifier>,
    promoter: Promoter,
    /// The mark of this installation on the engine.
    installation: String,
    stop: CancellationToken,
}

impl Workers {
    /// Workers that stop when `stop` is cancelled.
    pub fn new(parts: Arc<Parts>, notifier: Notifier, installation: String, stop: CancellationToken) -> Arc<Self> {
        let promoter = Promoter {
            pool: parts.pool.clone(),
            hub: Arc::clone(&parts.hub),
            definitions: Arc::clone(&parts.definitions),
            registry: parts.registry.clone(),
        };
        Arc::new(Self {
            parts,
            promoter,
            notifier: Arc::new(notifier),
            installation,
            stop,
        })
    }

    /// Works until it is told to stop, then hands back what is in hand and returns.
    pub async fn run(self: Arc<Self>) {
        let builds = self.parts.config.worker.builds;
        tokio::join!(
            self.lane(Lane::Intake, SMALL_JOBS),
            self.lane(Lane::Build, builds),
            self.lane(Lane::Notify, SMALL_JOBS),
            self.lane(Lane::Promote, PROMOTIONS),
            self.heal(),
            self.sweep(),
        );
    }

    /// Takes jobs of one lane for ever, at most `slots` at once.
    async fn lane(self: &Arc<Self>, lane: Lane, slots: usize) {
        let slots = Arc::new(Semaphore::new(slots));
        let mut events = self.parts.hub.subscribe();
        let mut running = JoinSet::new();
        while !self.stop.is_cancelled() {
            let slot = tokio::select! {
                () = self.stop.cancelled() => break,
                slot = Arc::clone(&slots).acquire_owned() => slot.expect("the semaphore is never closed"),
            };
            while running.try_join_next().is_some() {}
            let claimed = tokio::select! {
                () = self.stop.cancelled() => break,
                claimed = jobs::claim(&self.parts.pool, lane, &self.parts.worker, self.parts.config.worker.lease) => claimed,
            };
            match claimed {
                Ok(Some(claim)) => {
                    let workers = Arc::clone(self);
                    running.spawn(async move {
                        workers.work(lane, claim).await;
                        drop(slot);
                    });
                }
                Ok(None) => {
                    let pause = match jobs::next_due(&self.parts.pool, lane).await {
                        Ok(Some(due)) => due.clamp(Duration::from_millis(5), LOOK),
                        Ok(None) | Err(_) => LOOK,
                    };
                    tokio::select! {
                        () = self.stop.cancelled() => break,
                        () = wait_for(&mut events, pause, |event| event == Event::Job(lane)) => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(lane = lane.as_str(), %error, "no job can be taken: the database is away");
                    tokio::select! {
                        () = self.stop.cancelled() => break,
                        () = tokio::time::sleep(LOOK) => {}
                    }
                }
            }
        }
        while running.join_next().await.is_some() {}
    }

    async fn work(&self, lane: Lane, claim: Claim) {
        match lane {
            Lane::Intake => self.hold_small(&claim, self.interpret(&claim)).await,
            Lane::Build => self.build(claim).await,
            Lane::Notify => self.hold_small(&claim, self.tell(&claim)).await,
            Lane::Promote => self.promote(claim).await,
        }
    }

    /// Does a small job under its lease. It is never stopped in the middle: it waits for GitLab or a mail server, each of
    /// which has its own limit of time, and may take longer than a lease.
    async fn hold_small(&self, claim: &Claim, work: impl Future<Output = ()>) {
        let holding = Holding {
            pool: &self.parts.pool,
            hub: &self.parts.hub,
            claim,
            lease: self.parts.config.worker.lease,
            stop: &self.stop,
            cancel: &CancellationToken::new(),
            listen: None,
        };
        hold(holding, work).await;
    }

    /// The waiting time after so many failures: doubled each time.
    fn backoff(&self, failures: i32) -> Duration {
        let doublings = u32::try_from(failures).unwrap_or(0).min(16);
        self.parts
            .config
            .worker
            .backoff
            .saturating_mul(1 << doublings)
            .min(LONGEST)
    }

    /// Gives a small job back for another attempt, not before `least`.
    async fn retry(&self, claim: &Claim, error: &str, least: Duration) {
        let delay = self.backoff(claim.failures).max(least);
        tracing::warn!(subject = claim.subject, error, ?delay, "will be tried again");
        if let Err(lost) = jobs::retry(&self.parts.pool, claim, error, delay).await {
            tracing::warn!(subject = claim.subject, error = %lost, "cannot be given back; it will be taken when its lease has run out");
        }
    }
}
