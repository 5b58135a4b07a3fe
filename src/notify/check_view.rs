//! The report of the WAR check as it stands in a mail: each rule once, notes only counted.

use serde::Serialize;

use super::words::{one_line, plural};
use crate::model::{Place, RuleReport, Severity, WaiverNote, WarCheck};

/// Places of one rule, and of one waiver, that a mail lists; the page has more.
const PLACES: usize = 10;

/// What the check found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CheckView {
    /// "1 error, 2 warnings, 1 waived".
    pub(super) summary: String,
    /// The most serious first.
    pub(super) rules: Vec<RuleView>,
}

/// A rule and what breaks it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RuleView {
    /// `error`, `warning`, or `waived` where nothing else is left.
    pub(super) severity: &'static str,
    /// The same in capitals.
    pub(super) shout: String,
    pub(super) rule: String,
    pub(super) title: String,
    /// Places that are not waived.
    pub(super) count: usize,
    /// Places, a line each, the last one saying how many more there are.
    pub(super) places: Vec<String>,
    /// Waivers that hold or have run out, a line each.
    pub(super) waivers: Vec<String>,
    /// Empty where all is waived.
    pub(super) why: String,
    pub(super) mend: String,
}

impl CheckView {
    /// `None` where there is nothing to tell.
    pub(super) fn new(check: &WarCheck) -> Option<Self> {
        let told = |rule: &&RuleReport| rule.severity >= Severity::Warning || rule.count == 0;
        let rules: Vec<RuleView> = check.rules.iter().filter(told).map(RuleView::new).collect();
        (!rules.is_empty()).then(|| Self {
            summary: check.summary(),
            rules,
        })
    }
}

impl RuleView {
    fn new(rule: &RuleReport) -> Self {
        let severity = if rule.count == 0 {
            "waived"
        } else {
            rule.severity.as_str()
        };
        let when_broken = |text: &str| {
            if rule.count == 0 {
                String::new()
            } else {
                one_line(text, 1000)
            }
        };
        let waived = rule.waived.iter().map(|waived| {
            format!(
                "{} ({}): {}",
                waived.waiver.path,
                plural(waived.count, "place"),
                waived.sentence()
            )
        });
        let expired = rule.expired.iter().map(WaiverNote::expired);
        Self {
            severity,
            shout: severity.to_uppercase(),
            rule: rule.rule.clone(),
            title: one_line(&rule.title, 200),
            count: rule.count,
            places: places(&rule.places, rule.count),
            waivers: waived.chain(expired).map(|line| one_line(&line, 1000)).collect(),
            why: when_broken(&rule.why),
            mend: when_broken(&rule.mend),
        }
    }
}

fn places(places: &[Place], count: usize) -> Vec<String> {
    let mut lines: Vec<String> = places
        .iter()
        .take(PLACES)
        .map(|place| one_line(&place.line(), 400))
        .collect();
    let more = count.saturating_sub(lines.len());
    if more > 0 {
        lines.push(format!("… and {more} more, on the page of the build"));
    }
    lines
}
