//! The counted log line of deliveries that were not let in: no row each, so that a stranger cannot fill the database,
//! and no line each, so that he cannot fill the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::auth::Refusal;

/// At most one line in this time.
const PAUSE: Duration = Duration::from_secs(10);

/// Counts refusals since the process began.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Count>);

#[derive(Debug, Default)]
struct Count {
    total: u64,
    untold: u64,
    last_line: Option<Instant>,
}

impl Refusals {
    /// Counts one more; tells it, unless a line was written a moment ago.
    pub fn count(&self, refusal: Refusal, sender: &str) {
        if let Some((total, untold)) = self.due(Instant::now()) {
            tracing::warn!(
                refused = total,
                since_last_line = untold,
                sender,
                "a webhook delivery was refused with 401: {refusal}"
            );
        }
    }

    /// How many were refused in all and since the last line, if a line is due.
    fn due(&self, now: Instant) -> Option<(u64, u64)> {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count.total += 1;
        count.untold += 1;
        if count.last_line.is_some_and(|last| now.duration_since(last) < PAUSE) {
            return None;
        }
        count.last_line = Some(now);
        Some((count.total, std::mem::take(&mut count.untold)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_next_are_counted() {
        let refusals = Refusals::default();
        let start = Instant::now();
        assert_eq!(refusals.due(start), Some((1, 1)));
        for second in 1..10 {
            assert_eq!(refusals.due(start + Duration::from_secs(second)), None);
        }
        assert_eq!(refusals.due(start + Duration::from_secs(10)), Some((11, 10)));
    }
}
