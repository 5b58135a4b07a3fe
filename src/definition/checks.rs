//! What a pipeline says of the check of its WARs: severities and waivers. The keys are explained in
//! `pipelines/default.toml`.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use super::Glob;
use super::library_waiver::{LibraryWaiver, read_library_waiver};
use super::reader::{Reader, advice};
use super::value::{Checked, Value, date, line, one_of, parsed, wrong};
use crate::model::{Rule, Severity, WaiverNote, rule};

/// The pipeline's word on the rules of the WAR check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checks {
    /// By rule, where it differs from the rule's own.
    pub severities: BTreeMap<String, Severity>,
    /// In the order of the file.
    pub waivers: Vec<Waiver>,
}

/// A permission to break a rule for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiver {
    /// Name of the rule.
    pub rule: String,
    /// Paths in the WAR.
    pub path: Glob,
    /// Why.
    pub reason: String,
    /// Whom to ask.
    pub owner: String,
    /// The last day (UTC) on which it holds.
    pub last_day: NaiveDate,
}

impl Checks {
    /// How serious a violation of this rule is here.
    pub fn severity(&self, rule: &Rule) -> Severity {
        self.severities.get(rule.id).copied().unwrap_or(rule.severity)
    }
}

impl Waiver {
    /// Is it for this rule at this path? A waiver for a library is one for what is in it.
    pub fn covers(&self, rule: &Rule, path: &str) -> bool {
        let library = path.split_once("!/").map_or(path, |(library, _)| library);
        self.rule == rule.id && (self.path.matches(path) || self.path.matches(library))
    }

    /// Does it hold on this day?
    pub fn holds(&self, today: NaiveDate) -> bool {
        today <= self.last_day
    }

    /// As reports tell it.
    pub fn note(&self) -> WaiverNote {
        WaiverNote {
            path: self.path.as_str().to_owned(),
            reason: self.reason.clone(),
            owner: self.owner.clone(),
            last_day: self.last_day,
        }
    }
}

/// Reads `[checks]` and `[[waiver]]`; a waiver's rule decides which keys it has.
pub(super) fn read_checks(top: &mut Reader<'_, '_>) -> (Checks, Vec<LibraryWaiver>) {
    let severities = top.optional_table("checks").map(|mut table| {
        let entries = table.entries(severity);
        table.finish();
        entries.into_iter().collect()
    });
    let (mut waivers, mut of_libraries) = (Vec::new(), Vec::new());
    for mut table in top.optional_tables("waiver") {
        let rule = table.required("rule", |value: &Value<'_>| {
            let name = line(value)?;
            known(&name, &waivable(), value)?;
            Ok(name)
        });
        match rule.as_deref() {
            Some(rule::BANNED_LIBRARY) => of_libraries.extend(read_library_waiver(table, true)),
            Some(rule::KNOWN_VULNERABILITY) => of_libraries.extend(read_library_waiver(table, false)),
            _ => waivers.extend(read_waiver(table, rule)),
        }
    }
    let checks = Checks {
        waivers,
        severities: severities.unwrap_or_default(),
    };
    (checks, of_libraries)
}

fn severity(rule: &str, value: &Value<'_>) -> Checked<Severity> {
    known(rule, &of_wars(), value)?;
    one_of(&[
        ("off", Severity::Off),
        ("note", Severity::Note),
        ("warning", Severity::Warning),
        ("error", Severity::Error),
    ])(value)
}

fn read_waiver(mut table: Reader<'_, '_>, rule: Option<String>) -> Option<Waiver> {
    let path = table.required("path", parsed(Glob::file));
    let reason = table.required("reason", line);
    let owner = table.required("owner", line);
    let last_day = table.required("last_day", date);
    table.finish();
    Some(Waiver {
        rule: rule?,
        path: path?,
        reason: reason?,
        owner: owner?,
        last_day: last_day?,
    })
}

/// The rules of the WAR check.
fn of_wars() -> Vec<String> {
    rule::RULES.iter().map(|rule| rule.id.to_owned()).collect()
}

/// All rules that may be waived.
fn waivable() -> Vec<String> {
    let of_libraries = [rule::BANNED_LIBRARY, rule::KNOWN_VULNERABILITY];
    of_wars().into_iter().chain(of_libraries.map(str::to_owned)).collect()
}

fn known(name: &str, names: &[String], value: &Value<'_>) -> Checked<()> {
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    wrong(value, format!("there is no rule {name:?}; {}", advice(name, names)))
}
