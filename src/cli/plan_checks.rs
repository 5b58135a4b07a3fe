//! The checks that a project would go through, as `seaworthy plan` lists them: rules, waivers, bans, vulnerabilities, boot
//! check, services.

use std::io::{self, Write};

use chrono::NaiveDate;

use super::print::Lines;
use crate::definition::{LibraryWaiver, Pipeline, Waiver};
use crate::model::{Severity, rule};

/// Writes them all; waivers are judged by this day.
pub(super) fn write(
    lines: &mut Lines<'_, dyn Write + Send + '_>,
    pipeline: &Pipeline,
    today: NaiveDate,
) -> io::Result<()> {
    let tests = if pipeline.tests.required {
        "a build in which no test is executed fails"
    } else {
        "a build in which no test is executed passes with a remark"
    };
    lines.line("checks", &format!("unit tests: {tests}"))?;
    lines.line("", &boot_check(pipeline))?;
    lines.line("", "classes: none is made for a newer Java than the stack's JDK")?;
    lines.line(
        "",
        "Jakarta EE: nothing is used that is neither in the stack nor in the WAR",
    )?;
    lines.list("WAR rules", &rules(pipeline))?;
    lines.list("waivers", &or_none(waivers(pipeline, today)))?;
    let bans = pipeline
        .bans
        .iter()
        .map(|ban| format!("{}: {}", ban.library, ban.reason));
    lines.list("bans", &or_none(bans.collect()))?;
    lines.line(
        "vulnerable",
        &match pipeline.fail_from {
            Some(level) => format!("libraries with a known vulnerability fail the build, if it is {level} or worse"),
            None => "libraries with known vulnerabilities are told, and fail no build".to_owned(),
        },
    )?;
    lines.list("services", &or_none(services(pipeline)))
}

fn or_none(lines: Vec<String>) -> Vec<String> {
    match lines.is_empty() {
        true => vec!["none".to_owned()],
        false => lines,
    }
}

/// One line a rule, the most serious first.
fn rules(pipeline: &Pipeline) -> Vec<String> {
    let mut rules: Vec<_> = rule::RULES
        .iter()
        .map(|rule| (pipeline.checks.severity(rule), *rule))
        .collect();
    // Stable: among equals the order of the rules stays.
    rules.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    let line = |(severity, rule): (Severity, &rule::Rule)| {
        let own = match severity == rule.severity {
            true => String::new(),
            false => format!(" ({} by itself, the pipeline says otherwise)", rule.severity.as_str()),
        };
        format!("{:<8} {:<21} {}{own}", severity.as_str(), rule.id, rule.title)
    };
    rules.into_iter().map(line).collect()
}

fn waivers(pipeline: &Pipeline, today: NaiveDate) -> Vec<String> {
    let over = |holds: bool| if holds { "" } else { "RUN OUT: " };
    let of_rules = |waiver: &Waiver| {
        format!(
            "{}{} {}, until {} by {}: {}",
            over(waiver.holds(today)),
            waiver.rule,
            waiver.path.as_str(),
            waiver.last_day,
            waiver.owner,
            waiver.reason
        )
    };
    let of_libraries = |waiver: &LibraryWaiver| {
        format!(
            "{}{}, until {} by {}: {}",
            over(waiver.holds(today)),
            waiver.what(),
            waiver.last_day,
            waiver.owner,
            waiver.reason
        )
    };
    let rules = pipeline.checks.waivers.iter().map(of_rules);
    rules.chain(pipeline.library_waivers.iter().map(of_libraries)).collect()
}

fn services(pipeline: &Pipeline) -> Vec<String> {
    let line = |service: &crate::definition::Service| {
        format!(
            "{}: {} with {} MiB, ready within {} s, beside tests and boot check",
            service.name,
            service.image,
            service.memory >> 20,
            service.time.as_secs()
        )
    };
    pipeline.services.iter().map(line).collect()
}

fn boot_check(pipeline: &Pipeline) -> String {
    let boot = &pipeline.boot;
    if !boot.check {
        return "boot check: switched off by the pipeline".to_owned();
    }
    let variables: Vec<&str> = boot.environment.keys().map(String::as_str).collect();
    let given = match variables.is_empty() {
        true => String::new(),
        false => format!(", with the variables {}", variables.join(", ")),
    };
    format!(
        "boot check: the image is started with {} MiB and must answer below 500 at {} within {} s{given}",
        boot.memory >> 20,
        pipeline.context_path.inside(&boot.path),
        boot.time.as_secs()
    )
}
