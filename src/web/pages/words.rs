//! Numbers and times as people read them.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::model::BuildState;

/// A moment: exact for machines, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// For `<time datetime>`.
    pub iso: String,
    /// `2026-11-24 15:04:05 UTC`.
    pub text: String,
    /// `5 min ago`.
    pub ago: String,
}

impl Moment {
    pub fn new(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let gone = now - at;
        let ago = if gone < TimeDelta::zero() {
            format!("in {}", roughly(-gone))
        } else if gone < TimeDelta::seconds(5) {
            "just now".to_owned()
        } else {
            format!("{} ago", roughly(gone))
        };
        Self {
            iso: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            text: at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            ago,
        }
    }
}

fn roughly(delta: TimeDelta) -> String {
    let seconds = delta.num_seconds();
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `850 ms`, `8.3 s`, `2 min 05 s`, `1 h 02 min`.
pub(super) fn duration(millis: i64) -> String {
    let seconds = millis / 1000;
    match millis {
        ..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{seconds}.{} s", millis % 1000 / 100),
        60_000..3_600_000 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `62.4 MB`, as registries and disks count.
pub(super) fn bytes(bytes: i64) -> String {
    match bytes {
        ..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{}.{} kB", bytes / 1000, bytes % 1000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// `12,000`.
pub(super) fn count(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `awaiting approval`.
pub(super) fn state(state: BuildState) -> String {
    state.as_str().replace('_', " ")
}

/// The address, if it is one that a browser may be sent to.
pub(super) fn link(address: &str) -> Option<&str> {
    let safe = address.starts_with("https://") || address.starts_with("http://");
    safe.then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_exact_as_they_are_short() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (8_349, "8.3 s"),
            (59_999, "59.9 s"),
            (125_000, "2 min 05 s"),
            (3_720_000, "1 h 02 min"),
        ] {
            assert_eq!(duration(millis), text);
        }
    }

    #[test]
    fn a_moment_is_told_from_now() {
        let at = DateTime::from_timestamp(1_700_000_000, 0).expect("a moment");
        let after = |seconds| Moment::new(at, at + TimeDelta::seconds(seconds)).ago;
        assert_eq!(after(0), "just now");
        assert_eq!(after(59), "59 s ago");
        assert_eq!(after(3 * 3600), "3 h ago");
        assert_eq!(after(3 * 86_400), "3 days ago");
        assert_eq!(after(-30), "in 30 s");
        assert_eq!(Moment::new(at, at).text, "2023-11-14 22:13:20 UTC");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(7), "7");
        assert_eq!(count(12_000), "12,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(62_431_000), "62.4 MB");
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert_eq!(
            link("https://gitlab.example.com/x"),
            Some("https://gitlab.example.com/x")
        );
        for bad in ["javascript:alert(1)", "data:text/html,x", "//evil.example", ""] {
            assert_eq!(link(bad), None);
        }
    }
}
