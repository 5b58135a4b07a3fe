//! A promotion: one digest on its way into one environment, and what decides about it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Invalid;

/// Number of a promotion: counts up over the whole service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PromotionId(pub i64);

impl fmt::Display for PromotionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An enum with one name for each variant, in the database and the API.
macro_rules! names {
    ($(#[$doc:meta])* $type:ident, $what:literal, $expected:literal, { $($(#[$vdoc:meta])* $variant:ident = $name:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $type {
            $($(#[$vdoc])* #[serde(rename = $name)] $variant),*
        }

        impl $type {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in the database and the API.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = Invalid;
            fn from_str(s: &str) -> Result<Self, Invalid> {
                let found = Self::ALL.iter().copied().find(|one| one.as_str() == s);
                found.ok_or_else(|| Invalid::new($what, s, $expected))
            }
        }
    };
}

names!(
    /// Where a promotion is in its life.
    PromotionState, "state of a promotion", "waiting, copying, done, partial, failed, rejected or cancelled", {
    /// A gate is closed: approvals are missing, or a freeze has begun meanwhile.
    Waiting = "waiting",
    /// A worker copies.
    Copying = "copying",
    /// The digest is in every data centre of the environment.
    Done = "done",
    /// It is in some data centres and not in others: `resume` finishes it.
    Partial = "partial",
    /// It is in none: `resume` tries again.
    Failed = "failed",
    /// Somebody said no.
    Rejected = "rejected",
    /// Somebody gave it up, or another promotion took its place.
    Cancelled = "cancelled",
});

impl PromotionState {
    /// Will nothing more happen to it by itself?
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Copying)
    }

    /// May it be resumed?
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Partial | Self::Failed)
    }
}

names!(
    /// Forward or back.
    PromotionKind, "kind of a promotion", "promotion or rollback", {
    /// From the environment before.
    Promotion = "promotion",
    /// To the digest that was there before.
    Rollback = "rollback",
});

names!(
    /// What was wrong with an image that somebody rejected: the quality figures are counted by it.
    Category, "category", "functional, performance, security, configuration, compatibility or other", {
    /// It does not do what it should.
    Functional = "functional",
    /// Too slow, or it takes too much.
    Performance = "performance",
    /// It can be misused.
    Security = "security",
    /// It does not fit its environment's configuration.
    Configuration = "configuration",
    /// Something beside it does not work with it.
    Compatibility = "compatibility",
    /// None of these; the reason says more.
    Other = "other",
});

names!(
    /// What may stand in the way of a promotion.
    GateKind, "gate", "merged, previous, minimum_time, approvals, freeze, findings or rejection", {
    /// The image is the trunk's.
    Merged = "merged",
    /// It reached the environment before.
    Previous = "previous",
    /// It has been there long enough.
    MinimumTime = "minimum_time",
    /// No freeze window is open.
    Freeze = "freeze",
    /// No open finding is too severe.
    Findings = "findings",
    /// Nobody has rejected it.
    Rejection = "rejection",
    /// Enough people have approved.
    Approvals = "approvals",
});

/// One gate, as it stood at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Which.
    pub gate: GateKind,
    /// May the promotion pass?
    pub open: bool,
    /// Why, a sentence: what was looked at, and what to do where it is closed.
    pub why: String,
    /// When it opens by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<DateTime<Utc>>,
}

/// What may be copied: yes, no, not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every gate is open.
    Open,
    /// Nothing but approvals is missing.
    NeedsApproval,
    /// Closed, and opens by itself at this time.
    Until(DateTime<Utc>),
    /// Closed until somebody does something about it.
    Closed,
}

/// What all gates together say.
pub fn verdict(gates: &[Gate]) -> Verdict {
    let closed: Vec<&Gate> = gates.iter().filter(|gate| !gate.open).collect();
    if closed.is_empty() {
        return Verdict::Open;
    }
    if closed.iter().all(|gate| gate.gate == GateKind::Approvals) {
        return Verdict::NeedsApproval;
    }
    let others = closed.iter().filter(|gate| gate.gate != GateKind::Approvals);
    match others.map(|gate| gate.opens_at).collect::<Option<Vec<_>>>() {
        Some(times) => times.into_iter().max().map_or(Verdict::Closed, Verdict::Until),
        None => Verdict::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(gate: GateKind, open: bool, opens_at: Option<i64>) -> Gate {
        Gate {
            gate,
            open,
            why: String::new(),
            opens_at: opens_at.map(|at| DateTime::from_timestamp(at, 0).expect("a time")),
        }
    }

    #[test]
    fn the_gate_that_opens_last_decides() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("a time");
        let open = gate(GateKind::Merged, true, None);
        let approvals = gate(GateKind::Approvals, false, None);
        let soon = gate(GateKind::Freeze, false, Some(5));
        let later = gate(GateKind::MinimumTime, false, Some(9));
        let never = gate(GateKind::Rejection, false, None);
        assert_eq!(verdict(&[]), Verdict::Open);
        assert_eq!(verdict(std::slice::from_ref(&open)), Verdict::Open);
        assert_eq!(verdict(&[open.clone(), approvals.clone()]), Verdict::NeedsApproval);
        assert_eq!(
            verdict(&[approvals, soon.clone(), later.clone()]),
            Verdict::Until(at(9))
        );
        assert_eq!(verdict(&[soon, later, never]), Verdict::Closed);
    }

    #[test]
    fn every_name_comes_back() {
        for state in PromotionState::ALL {
            assert_eq!(state.as_str().parse(), Ok(*state));
        }
        for category in Category::ALL {
            assert_eq!(category.as_str().parse(), Ok(*category));
        }
        assert!("copied".parse::<PromotionState>().is_err());
    }
}
