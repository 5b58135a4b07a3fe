//! Libraries on one side, advisories on the other.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;

use super::{affects, fixed_in};
use crate::model::{BuildId, Component, Level, advisory_name};
use crate::store::advisories::{self, Entry, Match};
use crate::store::components::{self, Known};
use crate::store::{PgPool, Result};

/// A library of a build with a known vulnerability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vulnerable {
    /// The library.
    pub component: Component,
    /// The advisory's name, with its CVE and its level.
    pub name: String,
    /// Its id and its other names, by which a waiver may call it.
    pub names: Vec<String>,
    /// How bad.
    pub level: Option<Level>,
    /// One line, may be empty.
    pub summary: String,
    /// In which version it is mended, if in any.
    pub fixed_in: Option<String>,
}

/// What is known of these libraries: the worst first.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn vulnerable(pool: &PgPool, components: &[&Component]) -> Result<Vec<Vulnerable>> {
    let entries = advisories::with_artifacts(pool, &artifacts(components.iter().copied())).await?;
    let mut found: BTreeMap<(Component, String), Vulnerable> = BTreeMap::new();
    for (component, entry) in pairs(components.iter().copied(), &entries) {
        found
            .entry((component.clone(), entry.id.clone()))
            .or_insert_with(|| Vulnerable {
                component: component.clone(),
                name: advisory_name(&entry.id, &entry.aliases, entry.level),
                names: [&entry.id].into_iter().chain(&entry.aliases).cloned().collect(),
                level: entry.level,
                summary: entry.summary.clone(),
                fixed_in: fixed_in(&entry.affected, component).map(str::to_owned),
            });
    }
    let mut all: Vec<Vulnerable> = found.into_values().collect();
    all.sort_by_key(|vulnerable| std::cmp::Reverse(vulnerable.level));
    Ok(all)
}

/// Writes down what an image holds and what is known of it, as part of the transaction that writes the image.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn record(db: &mut PgConnection, build: BuildId, components: &[&Component]) -> Result<()> {
    advisories::hold_imports_off(&mut *db).await?;
    let known = components::number(&mut *db, components).await?;
    let ids: Vec<i32> = known.iter().map(|known| known.id).collect();
    components::attach(&mut *db, build, &ids).await?;
    let entries = advisories::with_artifacts(&mut *db, &artifacts(components.iter().copied())).await?;
    advisories::add_matches(db, &matches(&known, &entries)).await?;
    Ok(())
}

/// Which of these libraries have which of these vulnerabilities; each pair once.
pub(super) fn matches(known: &[Known], entries: &[Entry]) -> Vec<Match> {
    let numbers: HashMap<&Component, i32> = known.iter().map(|known| (&known.component, known.id)).collect();
    let mut found: BTreeMap<(i32, &str), Option<String>> = BTreeMap::new();
    for (component, entry) in pairs(known.iter().map(|known| &known.component), entries) {
        if let Some(number) = numbers.get(component) {
            let fixed = fixed_in(&entry.affected, component).map(str::to_owned);
            found.entry((*number, &entry.id)).or_insert(fixed);
        }
    }
    found
        .into_iter()
        .map(|((component, advisory), fixed_in)| Match {
            component,
            advisory: advisory.to_owned(),
            fixed_in,
        })
        .collect()
}

fn pairs<'a>(
    components: impl Iterator<Item = &'a Component>,
    entries: &'a [Entry],
) -> impl Iterator<Item = (&'a Component, &'a Entry)> {
    let mut by_artifact: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for entry in entries {
        by_artifact
            .entry(entry.affected.artifact.as_str())
            .or_default()
            .push(entry);
    }
    components.flat_map(move |component| {
        let candidates = by_artifact
            .get(component.artifact.as_str())
            .cloned()
            .unwrap_or_default();
        candidates
            .into_iter()
            .filter(move |entry| affects(&entry.affected, component))
            .map(move |entry| (component, entry))
    })
}

fn artifacts<'a>(components: impl Iterator<Item = &'a Component>) -> Vec<String> {
    let mut artifacts: Vec<String> = components.map(|component| component.artifact.clone()).collect();
    artifacts.sort();
    artifacts.dedup();
    artifacts
}
