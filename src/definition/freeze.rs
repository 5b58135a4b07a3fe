//! Freeze windows: when nothing may be promoted into an environment.

use std::ops::Range;

use chrono::{DateTime, Datelike as _, Duration, NaiveDateTime, NaiveTime, TimeZone as _, Timelike as _, Utc, Weekday};
use chrono_tz::Tz;
use toml::de::DeValue;
use toml::value::{Datetime, Offset};

use super::reader::Reader;
use super::value::{Checked, Value, kind, line, parsed, placed, wrong};

const WEEK: i64 = 7 * 24 * 3600;
/// Windows that follow one another without a gap are looked through so far.
const LONGEST_CHAIN: usize = 100;

/// One window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Why, for people.
    pub reason: String,
    when: When,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum When {
    Once(Range<NaiveDateTime>),
    /// Seconds since Monday 00:00, and the length in seconds.
    Weekly {
        begin: i64,
        length: i64,
    },
}

/// All windows of an environment, in one time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freezes {
    /// By whose clocks.
    pub zone: Tz,
    /// In the order of the file.
    pub windows: Vec<Freeze>,
}

/// A window that is open now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// Why.
    pub reason: String,
    /// When nothing is frozen any more: the end of the last of the windows that follow one another.
    pub until: DateTime<Utc>,
}

impl Freezes {
    /// Is promotion frozen at this time, and until when?
    pub fn at(&self, now: DateTime<Utc>) -> Option<Frozen> {
        let mut frozen: Option<Frozen> = None;
        let mut moment = now;
        for _ in 0..LONGEST_CHAIN {
            let open = self.windows.iter().filter_map(|freeze| {
                let end = freeze.when.end(&self.zone, moment)?;
                Some((end, freeze))
            });
            let Some((end, freeze)) = open.max_by_key(|(end, _)| *end) else {
                break;
            };
            moment = end;
            frozen = Some(Frozen {
                reason: frozen.map_or_else(|| freeze.reason.clone(), |first| first.reason),
                until: end,
            });
        }
        frozen
    }
}

impl When {
    /// The end of the window, if it is open at this time.
    fn end(&self, zone: &Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = now.with_timezone(zone).naive_local();
        match self {
            Self::Once(window) => {
                let (begin, end) = (instant(zone, window.start), instant(zone, window.end));
                (begin <= now && now < end).then_some(end)
            }
            Self::Weekly { begin, length } => {
                let since = (second_of_week(local.weekday(), local.time()) - begin).rem_euclid(WEEK);
                let left = Duration::seconds(length - since) - Duration::nanoseconds(i64::from(local.nanosecond()));
                let end = (since < *length).then(|| instant(zone, local + left))?;
                // In the night when clocks are set, a local time may lie on both sides of now.
                (end > now).then_some(end)
            }
        }
    }
}

/// A local time as an instant. One that the clocks jump over is the first one behind the jump; one that comes twice is
/// the first.
fn instant(zone: &Tz, local: NaiveDateTime) -> DateTime<Utc> {
    let minutes = (0..=24 * 60).step_by(15);
    minutes
        .filter_map(|minutes| {
            zone.from_local_datetime(&(local + Duration::minutes(minutes)))
                .earliest()
        })
        .next()
        .map_or_else(|| local.and_utc(), |found| found.with_timezone(&Utc))
}

fn second_of_week(day: Weekday, time: NaiveTime) -> i64 {
    i64::from(day.num_days_from_monday()) * 24 * 3600 + i64::from(time.num_seconds_from_midnight())
}

/// Reads one `[[environment.freeze]]`.
pub(super) fn read_freeze(mut table: Reader<'_, '_>) -> Option<Freeze> {
    let reason = table.required("reason", line);
    let from = table.optional("from", placed(local_time));
    let until = table.optional("until", placed(local_time));
    let every = table.optional("every", parsed(weekly));
    let when = match (from, until, every) {
        (Some((from, _)), Some((until, place)), None) => {
            if until <= from {
                table.report(place, "until: lies before from".to_owned());
                None
            } else {
                Some(When::Once(from..until))
            }
        }
        (None, None, Some(weekly)) => Some(weekly),
        _ => {
            table.report_here(
                "a freeze is either once (from and until, for example from = 2026-12-18T18:00:00, until = \
                 2027-01-04T08:00:00) or weekly (every = \"fri 16:00 - mon 08:00\")"
                    .to_owned(),
            );
            None
        }
    };
    table.finish();
    Some(Freeze {
        reason: reason?,
        when: when?,
    })
}

/// A name of the IANA time zone database.
pub(super) fn zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is no time zone: write a name of the IANA database, for example Europe/Paris or UTC")
    })
}

/// `2026-12-18T18:00:00`, without quotes and without an offset.
fn local_time(value: &Value<'_>) -> Checked<NaiveDateTime> {
    let found = match value.get_ref() {
        DeValue::Datetime(Datetime {
            date: Some(date),
            time: Some(time),
            offset: None::<Offset>,
        }) => chrono::NaiveDate::from_ymd_opt(i32::from(date.year), u32::from(date.month), u32::from(date.day))
            .and_then(|day| day.and_hms_opt(time.hour.into(), time.minute.into(), time.second.unwrap_or(0).into())),
        _ => None,
    };
    match found {
        Some(found) => Ok(found),
        None => wrong(
            value,
            format!(
                "expected a local time like 2026-12-18T18:00:00, without quotes and offset (time_zone says where), not {}",
                kind(value.get_ref())
            ),
        ),
    }
}

/// `fri 16:00 - mon 08:00`.
fn weekly(text: &str) -> Result<When, String> {
    let moment = |part: &str| {
        let (day, time) = part.trim().split_once(' ')?;
        let day: Weekday = day.parse().ok()?;
        let time = NaiveTime::parse_from_str(time.trim(), "%H:%M").ok()?;
        Some(second_of_week(day, time))
    };
    let both = text
        .split_once('-')
        .and_then(|(begin, end)| Some((moment(begin)?, moment(end)?)));
    match both {
        Some((begin, end)) if begin != end => Ok(When::Weekly {
            begin,
            length: (end - begin).rem_euclid(WEEK),
        }),
        _ => Err(format!(
            "{text:?} is no weekly window: write two different moments, for example \"fri 16:00 - mon 08:00\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn once(from: &str, until: &str) -> Freeze {
        Freeze {
            reason: "once".to_owned(),
            when: When::Once(from.parse().expect("a time")..until.parse().expect("a time")),
        }
    }

    fn every(text: &str) -> Freeze {
        Freeze {
            reason: "weekly".to_owned(),
            when: weekly(text).expect("a window"),
        }
    }

    fn until(zone: &str, windows: &[Freeze], now: &str) -> Option<DateTime<Utc>> {
        let freezes = Freezes {
            zone: zone.parse().expect("a zone"),
            windows: windows.to_vec(),
        };
        freezes.at(at(now)).map(|frozen| frozen.until)
    }

    #[test]
    fn a_window_counts_by_the_clocks_of_its_zone() {
        let window = [once("2026-12-18T18:00:00", "2027-01-04T08:00:00")];
        let paris = |now| until("Europe/Paris", &window, now);
        assert_eq!(paris("2026-12-18T16:59:59Z"), None);
        assert_eq!(paris("2026-12-18T17:00:00Z"), Some(at("2027-01-04T07:00:00Z")));
        assert_eq!(paris("2027-01-04T06:59:59Z"), Some(at("2027-01-04T07:00:00Z")));
        assert_eq!(paris("2027-01-04T07:00:00Z"), None);
    }

    #[test]
    fn a_weekly_window_goes_over_the_end_of_the_week() {
        let window = [every("fri 16:00 - mon 08:00")];
        let utc = |now| until("UTC", &window, now);
        // 27 November 2026 is a Friday.
        assert_eq!(utc("2026-11-27T15:59:59Z"), None);
        assert_eq!(utc("2026-11-27T16:00:00Z"), Some(at("2026-11-30T08:00:00Z")));
        assert_eq!(utc("2026-11-29T12:30:01.5Z"), Some(at("2026-11-30T08:00:00Z")));
        assert_eq!(utc("2026-11-30T08:00:00Z"), None);
    }

    #[test]
    fn a_weekly_window_ends_by_the_clock_also_when_clocks_are_set() {
        // Clocks in Paris go back on 25 October 2026 at 03:00: that night has an hour more.
        let window = [every("sat 22:00 - sun 06:00")];
        assert_eq!(
            until("Europe/Paris", &window, "2026-10-24T21:00:00Z"),
            Some(at("2026-10-25T05:00:00Z"))
        );
        // They go forward on 29 March 2026 at 02:00, and 02:30 does not exist.
        let window = [every("sat 22:00 - sun 02:30")];
        assert_eq!(
            until("Europe/Paris", &window, "2026-03-28T22:00:00Z"),
            Some(at("2026-03-29T01:00:00Z"))
        );
    }

    #[test]
    fn windows_that_follow_one_another_are_one() {
        let windows = [
            every("fri 16:00 - mon 08:00"),
            once("2026-11-30T07:00:00", "2026-12-01T09:00:00"),
        ];
        assert_eq!(
            until("UTC", &windows, "2026-11-28T00:00:00Z"),
            Some(at("2026-12-01T09:00:00Z"))
        );
    }

    #[test]
    fn a_week_that_is_always_frozen_does_not_hang() {
        let windows = [every("mon 00:00 - thu 00:00"), every("thu 00:00 - mon 00:00")];
        assert!(until("UTC", &windows, "2026-11-28T00:00:00Z").is_some());
    }

    #[test]
    fn what_is_no_window_is_said() {
        for bad in ["", "fri", "fri 16:00", "fri 25:00 - mon 08:00", "fri 16:00 - fri 16:00"] {
            assert!(weekly(bad).is_err(), "{bad:?}");
        }
        assert!(zone("Mars/Olympus").is_err());
    }
}
