//! The copy itself, and what people see of it meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::begin::Order;
use super::{Promoter, Run};
use crate::clients::registry::{Arrival, CopyEvent};
use crate::store::promotions::{self, CopyRow};
use crate::wake::Event;

/// How often progress is written down.
const TICK: Duration = Duration::from_millis(500);

impl Promoter {
    /// Copies to all data centres at once, and says which source was read. One that cannot be read is passed over for the
    /// next.
    pub(super) async fn carry<'a>(&self, run: &Run<'_>, order: &'a Order) -> (Vec<Arrival>, Option<&'a str>) {
        let mut arrivals = Vec::new();
        for source in &order.sources {
            let read;
            (arrivals, read) = self.carry_from(run, order, source).await;
            if read {
                return (arrivals, Some(source));
            }
            if run.cancel.is_cancelled() {
                break;
            }
            tracing::warn!(promotion = %run.id, source, "the image cannot be read from there");
        }
        (arrivals, None)
    }

    /// The outcome, and whether the source could be read at all.
    async fn carry_from(&self, run: &Run<'_>, order: &Order, source: &str) -> (Vec<Arrival>, bool) {
        let rows = Mutex::new(
            order
                .destinations
                .iter()
                .map(|destination| CopyRow {
                    data_centre: destination.name.clone(),
                    reference: format!("{}:{}", destination.repository, destination.tag),
                    state: "waiting".to_owned(),
                    total: 0,
                    sent: 0,
                    skipped: 0,
                    error: None,
                    at: order.promotion.requested_at,
                })
                .collect::<Vec<_>>(),
        );
        let read = AtomicBool::new(false);
        let observer = |event| {
            if matches!(event, CopyEvent::Read { .. }) {
                read.store(true, Ordering::Relaxed);
            }
            observe(&mut rows.lock().unwrap_or_else(PoisonError::into_inner), event);
        };
        let copy = self.registry.copy(source, &order.destinations, &observer, run.cancel);
        let mut copy = std::pin::pin!(copy);
        let mut written = Vec::new();
        let arrivals = loop {
            let done = tokio::select! {
                arrivals = &mut copy => Some(arrivals),
                () = tokio::time::sleep(TICK) => None,
            };
            let now = rows.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if now != written {
                self.show(run, &now).await;
                written = now;
            }
            if let Some(arrivals) = done {
                break arrivals;
            }
        };
        (arrivals, read.load(Ordering::Relaxed))
    }

    /// Progress that cannot be written down is no reason to stop.
    async fn show(&self, run: &Run<'_>, rows: &[CopyRow]) {
        for row in rows {
            if let Err(error) = promotions::set_copy(&self.pool, run.claim, run.id, row).await {
                tracing::debug!(promotion = %run.id, %error, "progress is not shown");
            }
        }
        self.hub.tell(Event::Promotion(run.id));
    }
}

fn observe(rows: &mut [CopyRow], event: CopyEvent) {
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    match event {
        CopyEvent::Read { bytes, .. } => {
            for row in rows {
                row.total = number(bytes);
                row.state = "copying".to_owned();
            }
        }
        CopyEvent::Progress {
            destination,
            done,
            total,
            sent,
        } => {
            if let Some(row) = rows.get_mut(destination) {
                row.total = number(total);
                row.sent = number(sent);
                row.skipped = number(done.saturating_sub(sent));
            }
        }
        CopyEvent::Ended { destination, error } => {
            if let Some(row) = rows.get_mut(destination) {
                row.state = if error.is_none() { "there" } else { "failed" }.to_owned();
                row.error = error.map(|error| error.to_string());
            }
        }
    }
}
