//! What the check of a WAR found: each rule once, with the files that break it.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Finding, Severity};

/// The report of a check. The most serious rules come first; a rule that nothing breaks is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarCheck {
    /// Each broken rule once.
    pub rules: Vec<RuleReport>,
}

/// A rule and what breaks it. Texts are kept with it, so that an old report says what it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleReport {
    /// Name of the rule.
    pub rule: String,
    /// As the pipeline had it.
    pub severity: Severity,
    /// What is wrong, one line.
    pub title: String,
    /// Why that matters.
    pub why: String,
    /// What to do.
    pub mend: String,
    /// How many places break it and are not waived.
    pub count: usize,
    /// The first of them, by path.
    pub places: Vec<Place>,
    /// Waivers that hold, with what they cover.
    pub waived: Vec<Waived>,
    /// Waivers that would cover some of `places`, but have run out.
    pub expired: Vec<WaiverNote>,
}

/// A place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Path in the WAR; behind `!/` the path in a library.
    pub path: String,
    /// What is there. Secrets are masked.
    pub what: String,
}

/// Who allowed what, and until when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WaiverNote {
    /// Pattern of paths.
    pub path: String,
    /// Why.
    pub reason: String,
    /// Whom to ask.
    pub owner: String,
    /// The last day (UTC) on which it holds.
    pub last_day: NaiveDate,
}

/// A waiver that holds, and what it covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waived {
    /// The waiver.
    pub waiver: WaiverNote,
    /// How many places it covers.
    pub count: usize,
    /// The first of them, by path.
    pub places: Vec<Place>,
}

impl RuleReport {
    /// Lines under the title: places, waivers, explanation, mend. Indented by two; nothing wraps.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.places.iter().map(|place| format!("  {}", place.line())).collect();
        lines.extend(more(self.count, &self.places).map(|more| format!("  {more}")));
        for waived in &self.waived {
            lines.push(format!("  {}", waived.sentence()));
            lines.extend(waived.places.iter().map(|place| format!("    {}", place.line())));
            lines.extend(more(waived.count, &waived.places).map(|more| format!("    {more}")));
        }
        lines.extend(self.expired.iter().map(|waiver| format!("  {}", waiver.expired())));
        if self.count > 0 {
            lines.push(format!("  Why: {}", self.why));
            lines.push(format!("  Mend: {}", self.mend));
        }
        lines
    }

    /// `ERROR container-api (2): Interfaces of …`; `WAIVED …` where nothing is left.
    pub fn heading(&self) -> String {
        let severity = match self.count {
            0 => "WAIVED".to_owned(),
            _ => self.severity.as_str().to_uppercase(),
        };
        let count = match self.count {
            0 => self.waived.iter().map(|waived| waived.count).sum(),
            count => count,
        };
        format!("{severity} {} ({count}): {}", self.rule, self.title)
    }

    /// How many places are not listed.
    pub fn more(&self) -> usize {
        self.count.saturating_sub(self.places.len())
    }
}

impl Place {
    /// `path: what`.
    pub fn line(&self) -> String {
        match self.what.as_str() {
            "" => self.path.clone(),
            what => format!("{}: {what}", self.path),
        }
    }
}

impl WaiverNote {
    /// `The waiver of Ada for x/** ran out on 2026-12-31: reason`.
    pub fn expired(&self) -> String {
        format!(
            "The waiver by {} for {} ran out on {}: {}",
            self.owner, self.path, self.last_day, self.reason
        )
    }
}

impl Waived {
    /// `waived until 2026-12-31 by Ada: reason`.
    pub fn sentence(&self) -> String {
        let waiver = &self.waiver;
        format!(
            "waived until {} by {}: {}",
            waiver.last_day, waiver.owner, waiver.reason
        )
    }

    /// How many places are not listed.
    pub fn more(&self) -> usize {
        self.count.saturating_sub(self.places.len())
    }
}

impl WarCheck {
    /// Rules of this severity that something breaks and nobody waived.
    pub fn broken(&self, severity: Severity) -> impl Iterator<Item = &RuleReport> {
        self.rules
            .iter()
            .filter(move |rule| rule.severity == severity && rule.count > 0)
    }

    /// `1 error, 2 warnings, 1 waived`: rules by severity, and waivers that hold. `nothing found` where there is none.
    pub fn summary(&self) -> String {
        let waived: usize = self.rules.iter().map(|rule| rule.waived.len()).sum();
        let mut parts = Vec::new();
        for (severity, name) in [
            (Severity::Error, "error"),
            (Severity::Warning, "warning"),
            (Severity::Note, "note"),
        ] {
            match self.broken(severity).count() {
                0 => {}
                1 => parts.push(format!("1 {name}")),
                count => parts.push(format!("{count} {name}s")),
            }
        }
        if waived > 0 {
            parts.push(format!("{waived} waived"));
        }
        if parts.is_empty() {
            "nothing found".to_owned()
        } else {
            parts.join(", ")
        }
    }

    /// Waivers that hold and cover something, one a line: `snapshot WEB-INF/lib/**: waived until …`.
    pub fn waivers(&self) -> Vec<String> {
        let line =
            |rule: &RuleReport, waived: &Waived| format!("{} {}: {}", rule.rule, waived.waiver.path, waived.sentence());
        self.rules
            .iter()
            .flat_map(|rule| rule.waived.iter().map(move |waived| line(rule, waived)))
            .collect()
    }

    /// The whole report as lines of text, for logs and terminals.
    pub fn lines(&self) -> Vec<String> {
        self.rules
            .iter()
            .flat_map(|rule| std::iter::once(rule.heading()).chain(rule.lines()))
            .collect()
    }

    /// The finding that ends a build; `None` if no rule of severity `error` is broken.
    pub fn finding(&self) -> Option<Finding> {
        let errors: Vec<&RuleReport> = self.broken(Severity::Error).collect();
        let [first, rest @ ..] = &errors[..] else {
            return None;
        };
        let title = match rest.len() {
            0 => format!("The WAR breaks a rule of the house: {}", first.title),
            more => format!(
                "The WAR breaks {} rules of the house, the first: {}",
                more + 1,
                first.title
            ),
        };
        let lines = errors
            .iter()
            .flat_map(|rule| std::iter::once(rule.heading()).chain(rule.lines()));
        Some(
            Finding::new(
                Self::RULE,
                title,
                "Mend what is told under each rule. What cannot be mended now needs a waiver: the platform team writes \
                 it into the pipeline file, with a reason, an owner and a last day.",
            )
            .with_detail(lines),
        )
    }

    /// Name of the finding that [`WarCheck::finding`] makes.
    pub const RULE: &'static str = "war-check";
}

fn more(count: usize, places: &[Place]) -> Option<String> {
    let more = count.saturating_sub(places.len());
    (more > 0).then(|| format!("… and {more} more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(rule: &str, severity: Severity, count: usize) -> RuleReport {
        RuleReport {
            rule: rule.to_owned(),
            severity,
            title: format!("Title of {rule}"),
            why: "Because.".to_owned(),
            mend: "Mend it.".to_owned(),
            count,
            places: (count > 0)
                .then(|| Place {
                    path: "a".to_owned(),
                    what: "b".to_owned(),
                })
                .into_iter()
                .collect(),
            waived: Vec::new(),
            expired: Vec::new(),
        }
    }

    fn waived() -> Waived {
        Waived {
            waiver: WaiverNote {
                path: "WEB-INF/lib/**".to_owned(),
                reason: "ticket 7".to_owned(),
                owner: "Ada".to_owned(),
                last_day: NaiveDate::from_ymd_opt(2026, 12, 31).expect("a day"),
            },
            count: 1,
            places: Vec::new(),
        }
    }

    #[test]
    fn it_counts_rules_and_waivers() {
        assert_eq!(WarCheck::default().summary(), "nothing found");
        let mut check = WarCheck {
            rules: vec![
                report("x", Severity::Error, 3),
                report("y", Severity::Warning, 1),
                report("z", Severity::Warning, 1),
            ],
        };
        assert_eq!(check.summary(), "1 error, 2 warnings");
        check.rules[0].count = 0;
        check.rules[0].waived.push(waived());
        assert_eq!(check.summary(), "2 warnings, 1 waived");
        assert_eq!(check.finding(), None);
        assert_eq!(
            check.waivers(),
            ["x WEB-INF/lib/**: waived until 2026-12-31 by Ada: ticket 7"]
        );
    }

    #[test]
    fn only_errors_end_a_build_and_each_is_told_with_its_files() {
        let check = WarCheck {
            rules: vec![report("x", Severity::Error, 3), report("y", Severity::Warning, 1)],
        };
        let finding = check.finding().expect("an error");
        assert_eq!(finding.rule, "war-check");
        assert_eq!(
            finding.detail,
            [
                "ERROR x (3): Title of x",
                "  a: b",
                "  … and 2 more",
                "  Why: Because.",
                "  Mend: Mend it."
            ]
        );
    }
}
