//! When to ask again: exponential pauses with jitter, or as long as the server wishes (RFC 9110, "Retry-After").

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::clients::registry::RegistryError;

/// Pauses before the second, third … attempt, without jitter; a registry that restarts is back within them.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(6),
    Duration::from_secs(8),
];

/// A server that wishes for more is asked again after this; then the queue's own patience counts.
const LONGEST_WISH: Duration = Duration::from_secs(60);

/// Attempts at one thing.
pub(in crate::clients::registry) struct Attempts {
    failed: usize,
}

impl Attempts {
    pub(in crate::clients::registry) fn new() -> Self {
        Self { failed: 0 }
    }

    /// There was progress: patience begins anew.
    pub(in crate::clients::registry) fn progress(&mut self) {
        self.failed = 0;
    }

    /// Waits before the next attempt; gives the error back if there were enough.
    pub(in crate::clients::registry) async fn pause(
        &mut self,
        error: RegistryError,
        wish: Option<Duration>,
    ) -> Result<(), RegistryError> {
        let Some(pause) = PAUSES.get(self.failed) else {
            return Err(error);
        };
        self.failed += 1;
        // Half of it is chance, so that what failed together does not come again together.
        let pause = wish.unwrap_or_else(|| pause.mul_f64(0.5 + chance() / 2.0));
        tracing::info!(%error, attempt = self.failed, ?pause, "a registry is asked again");
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// Between 0 and 1.
fn chance() -> f64 {
    let random = uuid::Uuid::new_v4().as_u64_pair().0;
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// Is it an answer that another time would be another one?
pub(in crate::clients::registry) fn passes(status: StatusCode) -> bool {
    // 501 and 505 stay what they are, and a full disk (507) does not empty itself.
    matches!(
        status.as_u16(),
        408 | 425 | 429 | 500 | 502 | 503 | 504 | 509 | 520..=599
    )
}

/// `Retry-After`, in seconds or as a date.
pub(in crate::clients::registry) fn wanted_pause(headers: &HeaderMap) -> Option<Duration> {
    parse_pause(headers.get(RETRY_AFTER)?.to_str().ok()?, Utc::now())
}

fn parse_pause(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let wished = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(text.trim()).ok()?;
            (until.to_utc() - now).to_std().unwrap_or_default()
        }
    };
    Some(wished.min(LONGEST_WISH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_in_both_forms_and_bounded() {
        let now = DateTime::parse_from_rfc2822("Fri, 06 Nov 2026 08:49:37 GMT")
            .expect("a date")
            .to_utc();
        for (text, expected) in [
            ("2", Some(2)),
            (" 0 ", Some(0)),
            ("86400", Some(60)),
            ("Fri, 06 Nov 2026 08:49:40 GMT", Some(3)),
            ("Fri, 06 Nov 2026 08:00:00 GMT", Some(0)),
            ("Fri, 06 Nov 2026 23:00:00 GMT", Some(60)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(parse_pause(text, now), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn what_passes_is_asked_again_and_nothing_else() {
        for (code, expected) in [
            (200, false),
            (400, false),
            (401, false),
            (404, false),
            (408, true),
            (416, false),
            (429, true),
            (500, true),
            (501, false),
            (503, true),
            (507, false),
        ] {
            let status = StatusCode::from_u16(code).expect("a status");
            assert_eq!(passes(status), expected, "{code}");
        }
    }
}
