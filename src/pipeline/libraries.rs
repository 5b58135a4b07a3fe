//! The libraries of a WAR before the bans of the house and what is known to be wrong with them; waivers set some aside for a
//! while, and are told.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::advisories::Vulnerable;
use crate::definition::{Ban, LibraryWaiver, Pipeline};
use crate::model::rule::{BANNED_LIBRARY, KNOWN_VULNERABILITY};
use crate::model::{Component, Finding, Level};
use crate::sbom::{Entry, Sbom};

/// Lines of evidence in a finding.
pub(super) const LISTED: usize = 100;
/// Name of the remark about what is set aside.
const WAIVED: &str = "waived-library";

/// What there is to say of the libraries.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Judgement {
    /// Banned libraries: ends the build.
    pub(super) banned: Option<Finding>,
    /// Known vulnerabilities, and the worst of their levels: ends the build or is a remark, as the pipeline says.
    pub(super) vulnerable: Option<(Finding, Level)>,
    /// What waivers set aside: a remark.
    pub(super) waived: Option<Finding>,
    /// The waivers that did so, a line each, for a label.
    pub(super) waivers: Vec<String>,
}

/// Judges by the pipeline's bans and waivers on this day.
pub(super) fn judge(sbom: &Sbom, known: &[Vulnerable], pipeline: &Pipeline, today: NaiveDate) -> Judgement {
    let mut waivers = Waivers::new(&pipeline.library_waivers, today);
    let banned = banned(sbom, &pipeline.bans, &mut waivers);
    let vulnerable = vulnerable(sbom, known, &mut waivers);
    Judgement {
        banned,
        vulnerable,
        waivers: waivers.told(),
        waived: waivers.remark(),
    }
}

/// The waivers of a pipeline, and what they have set aside so far.
struct Waivers<'a> {
    all: &'a [LibraryWaiver],
    today: NaiveDate,
    used: BTreeSet<usize>,
    lines: Vec<String>,
}

impl<'a> Waivers<'a> {
    fn new(all: &'a [LibraryWaiver], today: NaiveDate) -> Self {
        Self {
            all,
            today,
            used: BTreeSet::new(),
            lines: Vec::new(),
        }
    }

    /// Is this set aside? Otherwise the waivers that would have done it, but have run out.
    fn set_aside(&mut self, line: &str, covers: impl Fn(&LibraryWaiver) -> bool) -> Result<(), Vec<String>> {
        let covering = self.all.iter().enumerate().filter(|(_, waiver)| covers(waiver));
        let mut expired = Vec::new();
        for (at, waiver) in covering {
            if waiver.holds(self.today) {
                self.used.insert(at);
                self.lines.push(format!("{line}; {}", sentence(waiver)));
                return Ok(());
            }
            expired.push(waiver.note().expired());
        }
        Err(expired)
    }

    fn told(&self) -> Vec<String> {
        let used = self.used.iter().map(|at| &self.all[*at]);
        used.map(|waiver| format!("{}: {}", waiver.what(), sentence(waiver)))
            .collect()
    }

    fn remark(self) -> Option<Finding> {
        let title = match self.lines.len() {
            0 => return None,
            1 => "A banned or vulnerable library is waived for a while".to_owned(),
            count => format!("{count} bans or vulnerabilities of libraries are waived for a while"),
        };
        let remark = Finding::new(
            WAIVED,
            title,
            "After the last day of its waiver each counts again: replace the library before.",
        );
        Some(remark.with_detail(some(self.lines)))
    }
}

fn sentence(waiver: &LibraryWaiver) -> String {
    format!(
        "waived until {} by {}: {}",
        waiver.last_day, waiver.owner, waiver.reason
    )
}

fn banned(sbom: &Sbom, bans: &[Ban], waivers: &mut Waivers<'_>) -> Option<Finding> {
    let mut hits: Vec<(&Entry, String)> = Vec::new();
    let mut expired = BTreeSet::new();
    for entry in &sbom.entries {
        // Each ban by itself: a waiver for one leaves the others.
        for ban in bans.iter().filter(|ban| ban.library.selects(&entry.component)) {
            let line = format!(
                "{} ({}), banned as {}: {}",
                entry.component.name(),
                entry.path,
                ban.library,
                ban.reason
            );
            if let Err(over) = waivers.set_aside(&line, |waiver| waiver.covers_ban(&entry.component, ban)) {
                expired.extend(over);
                hits.push((entry, line));
            }
        }
    }
    let (first, _) = hits.first()?;
    let libraries: BTreeSet<&Component> = hits.iter().map(|(entry, _)| &entry.component).collect();
    let title = match libraries.len() {
        1 => format!("{} is not allowed in this house", first.component.name()),
        count => format!(
            "{count} libraries are not allowed in this house, {} among them",
            first.component.name()
        ),
    };
    let help = "`mvn dependency:tree` shows what brings a library in: give it another version in <dependencyManagement>, or exclude it.";
    let lines = hits.into_iter().map(|(_, line)| line).collect();
    Some(
        Finding::new(BANNED_LIBRARY, title, help)
            .with_detail(some(lines))
            .with_detail(expired),
    )
}

/// One finding for all, and the worst level.
fn vulnerable(sbom: &Sbom, known: &[Vulnerable], waivers: &mut Waivers<'_>) -> Option<(Finding, Level)> {
    let mut hits: Vec<(&Vulnerable, String)> = Vec::new();
    let mut expired = BTreeSet::new();
    for one in known {
        let line = line(sbom, one);
        match waivers.set_aside(&line, |waiver| waiver.covers_advisory(&one.component, &one.names)) {
            Ok(()) => {}
            Err(over) => {
                expired.extend(over);
                hits.push((one, line));
            }
        }
    }
    let worst = hits.iter().map(|(one, _)| Level::assumed(one.level)).max()?;
    let libraries: BTreeSet<&Component> = hits.iter().map(|(one, _)| &one.component).collect();
    let first = hits[0].0.component.name();
    let what = match (libraries.len(), hits.len()) {
        (1, 1) => format!("{first} has a known vulnerability"),
        (1, count) => format!("{first} has {count} known vulnerabilities"),
        (libraries, count) => format!("{libraries} libraries have {count} known vulnerabilities"),
    };
    let finding = Finding::new(
        KNOWN_VULNERABILITY,
        format!("{what}, {worst} at worst"),
        "Take the version in which it is mended: in the pom, or in <dependencyManagement> if another library brings it in (`mvn dependency:tree`).",
    );
    let lines = hits.into_iter().map(|(_, line)| line).collect();
    Some((finding.with_detail(some(lines)).with_detail(expired), worst))
}

fn line(sbom: &Sbom, one: &Vulnerable) -> String {
    let place = sbom.entries.iter().find(|entry| entry.component == one.component);
    let place = place.map(|entry| entry.path.as_str()).unwrap_or_default();
    let mended = match &one.fixed_in {
        Some(version) => format!("mended in {version}"),
        None => "not mended in any version".to_owned(),
    };
    let summary = match one.summary.as_str() {
        "" => String::new(),
        summary => format!(" {summary};"),
    };
    format!("{} ({place}): {};{summary} {mended}", one.component.name(), one.name)
}

fn some(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LISTED);
    lines.truncate(LISTED);
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    lines
}

#[cfg(test)]
#[path = "libraries_tests.rs"]
mod tests;
