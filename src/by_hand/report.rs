//! Gathers what breaks the rules, by line, and makes the one finding of it.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::RULES;
use crate::model::{Finding, Place, Rule, RuleReport};

/// Longest text of a place, in characters.
const WIDTH: usize = 300;
/// Places of one rule that are kept.
const KEPT: usize = 40;

/// What was found so far.
pub(super) struct Found<'a> {
    path: &'a str,
    /// Line and text.
    broken: BTreeMap<&'static str, BTreeSet<(usize, String)>>,
}

impl<'a> Found<'a> {
    pub(super) fn new(path: &'a str) -> Self {
        Self {
            path,
            broken: BTreeMap::new(),
        }
    }

    /// This line breaks the rule.
    pub(super) fn add(&mut self, rule: &'static Rule, line: usize, what: impl AsRef<str>) {
        let plain = what
            .as_ref()
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c });
        let text: String = plain.take(WIDTH).collect();
        self.broken.entry(rule.id).or_default().insert((line, text));
    }

    /// The finding with each broken rule once; `None` if nothing is wrong.
    pub(super) fn finding(self) -> Option<Finding> {
        let reports: Vec<RuleReport> = RULES
            .iter()
            .filter_map(|rule| Some(self.report(rule, self.broken.get(rule.id)?)))
            .collect();
        let first = reports.first()?;
        let title = match reports.len() {
            1 => format!("{} breaks a rule for Dockerfiles: {}", self.path, first.title),
            more => format!(
                "{} breaks {more} rules for Dockerfiles, the first: {}",
                self.path, first.title
            ),
        };
        let lines = reports
            .iter()
            .flat_map(|report| std::iter::once(report.heading()).chain(report.lines()));
        Some(
            Finding::new(
                super::RULE,
                title,
                "Mend what is told under each rule. `seaworthy plan <directory>` judges the file without building.",
            )
            .with_detail(lines),
        )
    }

    fn report(&self, rule: &Rule, places: &BTreeSet<(usize, String)>) -> RuleReport {
        let place = |(line, what): &(usize, String)| Place {
            path: format!("{}:{line}", self.path),
            what: what.clone(),
        };
        RuleReport {
            rule: rule.id.to_owned(),
            severity: rule.severity,
            title: rule.title.to_owned(),
            why: rule.why.to_owned(),
            mend: rule.mend.to_owned(),
            count: places.len(),
            places: places.iter().take(KEPT).map(place).collect(),
            waived: Vec::new(),
            expired: Vec::new(),
        }
    }
}
