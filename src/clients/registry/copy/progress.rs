//! How far a destination is, read while it goes on.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of blobs at one destination.
#[derive(Default)]
pub(super) struct Progress {
    /// There already.
    pub(super) present: AtomicU64,
    /// Taken over by the registry itself.
    pub(super) mounted: AtomicU64,
    /// Sent, those of broken uploads too.
    pub(super) sent: AtomicU64,
    /// Of those that were sent: lost with an upload that had to begin anew.
    pub(super) lost: AtomicU64,
}

pub(super) fn add(counter: &AtomicU64, bytes: u64) {
    counter.fetch_add(bytes, Ordering::Relaxed);
}

pub(super) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Progress {
    /// Bytes that are there, and bytes that were sent.
    pub(super) fn read(&self) -> (u64, u64) {
        let sent = get(&self.sent);
        let there = get(&self.present) + get(&self.mounted) + sent;
        (there.saturating_sub(get(&self.lost)), sent)
    }
}
