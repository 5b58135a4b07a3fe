//! Advisories come in: kept, and matched with the libraries of all images that are there.

use std::collections::BTreeSet;

use super::matching::matches;
use crate::model::Advisory;
use crate::store::{PgPool, Result, advisories, components};

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Advisories that are new, or newer than before.
    pub changed: usize,
    /// Images that have a vulnerability since now that they were not known to have before.
    pub affected: i64,
}

/// Imports in one transaction: all of them or none. `advisories` has each name once, `source` is for people.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn import(pool: &PgPool, source: &str, advisories: &[Advisory]) -> Result<Imported> {
    let mut tx = pool.begin().await?;
    advisories::import_alone(&mut *tx).await?;
    let changed = advisories::put(&mut tx, advisories).await?;
    let is_changed: BTreeSet<&str> = changed.iter().map(String::as_str).collect();
    let artifacts: BTreeSet<&str> = advisories
        .iter()
        .filter(|advisory| is_changed.contains(advisory.id.as_str()))
        .flat_map(|advisory| &advisory.affected)
        .map(|affected| affected.artifact.as_str())
        .collect();
    let artifacts: Vec<String> = artifacts.into_iter().map(str::to_owned).collect();
    let known = components::with_artifacts(&mut *tx, &artifacts).await?;
    let mut entries = advisories::with_artifacts(&mut *tx, &artifacts).await?;
    entries.retain(|entry| is_changed.contains(entry.id.as_str()));
    let found = matches(&known, &entries);
    // A newer advisory may take back what an older one said.
    advisories::drop_matches(&mut *tx, &changed, &found).await?;
    let new = advisories::add_matches(&mut *tx, &found).await?;
    let affected = components::count_holders(&mut *tx, &new).await?;
    advisories::log_import(&mut *tx, source, advisories.len(), changed.len(), affected).await?;
    tx.commit().await?;
    Ok(Imported {
        changed: changed.len(),
        affected,
    })
}
