//! Gathers violations: severities and waivers are applied as they come, and of each rule only the first places are kept.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::definition::Checks;
use crate::model::{Place, Rule, RuleReport, Severity, Waived, WaiverNote, WarCheck, rule};

/// Places that are kept of one rule, and of one waiver: a report is read by people.
const KEPT: usize = 40;
/// Longest text of a place, in characters.
const WIDTH: usize = 300;

/// The report as it grows.
pub(super) struct Collector<'a> {
    checks: &'a Checks,
    today: NaiveDate,
    rules: BTreeMap<&'static str, Broken>,
}

#[derive(Default)]
struct Broken {
    places: Places,
    /// By the waiver's place in the pipeline.
    waived: BTreeMap<usize, Places>,
    expired: BTreeSet<usize>,
}

/// How many there are, and the first of them by path, whatever the order they come in.
#[derive(Default)]
struct Places {
    count: usize,
    first: BTreeSet<Place>,
}

impl Places {
    fn add(&mut self, place: Place) {
        if self.first.contains(&place) {
            return;
        }
        self.count += 1;
        self.first.insert(place);
        if self.first.len() > KEPT {
            self.first.pop_last();
        }
    }
}

impl<'a> Collector<'a> {
    pub(super) fn new(checks: &'a Checks, today: NaiveDate) -> Self {
        Self {
            checks,
            today,
            rules: BTreeMap::new(),
        }
    }

    /// Is the rule looked at? Saves work where it is not.
    pub(super) fn wants(&self, rule: &Rule) -> bool {
        self.checks.severity(rule) != Severity::Off
    }

    /// Something breaks this rule.
    pub(super) fn add(&mut self, rule: &'static Rule, path: &str, what: impl AsRef<str>) {
        if !self.wants(rule) {
            return;
        }
        let broken = self.rules.entry(rule.id).or_default();
        let place = Place {
            path: plain(path),
            what: plain(what.as_ref()),
        };
        let mut expired = None;
        for (at, waiver) in self.checks.waivers.iter().enumerate() {
            if !waiver.covers(rule, path) {
                continue;
            }
            if waiver.holds(self.today) {
                broken.waived.entry(at).or_default().add(place);
                return;
            }
            expired = Some(at);
        }
        broken.expired.extend(expired);
        broken.places.add(place);
    }

    /// The report: the most serious first, then in the order of the rules.
    pub(super) fn report(mut self) -> WarCheck {
        let mut rules: Vec<RuleReport> = rule::RULES
            .iter()
            .filter_map(|rule| Some((rule, self.rules.remove(rule.id)?)))
            .map(|(rule, broken)| {
                let note = |at: usize| -> WaiverNote { self.checks.waivers[at].note() };
                RuleReport {
                    rule: rule.id.to_owned(),
                    severity: self.checks.severity(rule),
                    title: rule.title.to_owned(),
                    why: rule.why.to_owned(),
                    mend: rule.mend.to_owned(),
                    count: broken.places.count,
                    places: broken.places.first.into_iter().collect(),
                    waived: broken
                        .waived
                        .into_iter()
                        .map(|(at, places)| Waived {
                            waiver: note(at),
                            count: places.count,
                            places: places.first.into_iter().collect(),
                        })
                        .collect(),
                    expired: broken.expired.into_iter().map(note).collect(),
                }
            })
            .collect();
        // Stable: among equals the order of the rules stays. What is waived as a whole comes last.
        rules.sort_by_key(|rule| std::cmp::Reverse((rule.count > 0, rule.severity)));
        WarCheck { rules }
    }
}

/// One line without control characters, not too long: it goes to terminals and mails.
fn plain(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut line: String = chars.by_ref().take(WIDTH).collect();
    if chars.next().is_some() {
        line.push('…');
    }
    line
}
