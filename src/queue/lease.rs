//! Holding a job: the lease is renewed while the work goes on, and the work is stopped when it is not ours any more.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::store::jobs::{self, Beat, Claim};
use crate::wake::{Event, Hub, wait_for};

/// Why work was stopped before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// Somebody asked: the state that the work shall end in, and who asked.
    Asked(String, String),
    /// The lease ran out (the database was away) or another worker has the job.
    Lost,
    /// This process stops.
    Shutdown,
}

/// What holding needs to know.
pub(super) struct Holding<'a> {
    pub pool: &'a sqlx::PgPool,
    pub hub: &'a Hub,
    pub claim: &'a Claim,
    pub lease: Duration,
    /// The process stops.
    pub stop: &'a CancellationToken,
    /// Cancelled by us when the work shall stop.
    pub cancel: &'a CancellationToken,
    /// The wake-up that says that somebody wants it stopped; none for work that nobody cancels.
    pub listen: Option<Event>,
}

/// Does the work under the lease. The work is never dropped in the middle: it is asked to stop by `cancel`.
pub(super) async fn hold<T>(holding: Holding<'_>, work: impl Future<Output = T>) -> (T, Option<Why>) {
    let Holding {
        pool,
        hub,
        claim,
        lease,
        stop,
        cancel,
        listen,
    } = holding;
    let mut work = pin!(work);
    let mut events = hub.subscribe();
    let mut why = None;
    let mut last_beat = Instant::now();
    loop {
        let next_beat = wait_for(&mut events, lease / 3, |event| listen == Some(event));
        tokio::select! {
            biased;
            result = &mut work => return (result, why),
            () = stop.cancelled(), if why.is_none() => {
                why = Some(Why::Shutdown);
                cancel.cancel();
                continue;
            }
            () = next_beat => {}
        }
        if why == Some(Why::Lost) {
            continue;
        }
        // A beat must not hold the work up: it has less time than the lease.
        let beat = tokio::select! {
            biased;
            result = &mut work => return (result, why),
            beat = tokio::time::timeout(lease / 3, jobs::heartbeat(pool, claim, lease)) => beat,
        };
        let news = match beat {
            Ok(Ok(Beat::Held)) => None,
            Ok(Ok(Beat::Cancel { state, by })) => Some(Why::Asked(state, by)),
            Ok(Ok(Beat::Lost)) => Some(Why::Lost),
            Ok(Err(_)) | Err(_) => {
                // Others may take the job as soon as the lease has run out: our container is gone before.
                if last_beat.elapsed() + lease / 3 >= lease {
                    Some(Why::Lost)
                } else {
                    continue;
                }
            }
        };
        last_beat = Instant::now();
        if let Some(news) = news
            && why.is_none()
        {
            why = Some(news);
            cancel.cancel();
        }
    }
}
