//! The permission to bring a Dockerfile of one's own, as the image and everybody who is told of it name it.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Who allowed a hand-written Dockerfile, why, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DockerfileException {
    /// The file, as a path in the repository.
    pub path: String,
    /// Why the generated one will not do.
    pub reason: String,
    /// Whom to ask.
    pub owner: String,
    /// The last day (UTC) on which it holds.
    pub last_day: NaiveDate,
}

impl DockerfileException {
    /// Days before the last one on which the end is told.
    pub const NOTICE: i64 = 14;

    /// Does it hold on this day?
    pub fn holds(&self, today: NaiveDate) -> bool {
        today <= self.last_day
    }

    /// How many days are left after this one, if that has to be told by now.
    pub fn ends_in(&self, today: NaiveDate) -> Option<i64> {
        let left = (self.last_day - today).num_days();
        (0..=Self::NOTICE).contains(&left).then_some(left)
    }
}

/// `hand-written docker/Dockerfile, until 2026-12-31 by Ada: reason`.
impl fmt::Display for DockerfileException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "hand-written {}, until {} by {}: {}",
            self.path, self.last_day, self.owner, self.reason
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_on_its_last_day_and_the_end_is_told_a_fortnight_before() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let exception = DockerfileException {
            path: "docker/Dockerfile".to_owned(),
            reason: "fonts".to_owned(),
            owner: "Ada".to_owned(),
            last_day: day("2026-12-31"),
        };
        for (today, holds, left) in [
            ("2026-12-16", true, None),
            ("2026-12-17", true, Some(14)),
            ("2026-12-31", true, Some(0)),
            ("2027-01-01", false, None),
        ] {
            assert_eq!(exception.holds(day(today)), holds, "{today}");
            assert_eq!(exception.ends_in(day(today)), left, "{today}");
        }
        assert_eq!(
            exception.to_string(),
            "hand-written docker/Dockerfile, until 2026-12-31 by Ada: fonts"
        );
    }
}
