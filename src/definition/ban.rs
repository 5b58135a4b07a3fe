//! Libraries that the house does not allow: `[[ban]]` in a pipeline's file, or for all pipelines in `bans.toml`.

use serde::Serialize;

use super::reader::Reader;
use super::value::{line, one_of, parsed};
use crate::maven::range::Selector;
use crate::model::Level;

/// A library, or some of its versions, that no image may hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ban {
    /// Which.
    pub library: Selector,
    /// Why, and what to take instead: the developer reads it.
    pub reason: String,
}

/// The tables `[[ban]]` of a file.
pub(super) fn read_bans(top: &mut Reader<'_, '_>) -> Vec<Ban> {
    let read = |mut table: Reader<'_, '_>| {
        let library = table.required("library", parsed(str::parse::<Selector>));
        let reason = table.required("reason", line);
        table.finish();
        Some(Ban {
            library: library?,
            reason: reason?,
        })
    };
    top.optional_tables("ban").into_iter().filter_map(read).collect()
}

/// The table `[vulnerabilities]`: from which level on a build fails; `None`: never.
pub(super) fn read_vulnerabilities(top: &mut Reader<'_, '_>) -> Option<Level> {
    let mut table = top.optional_table("vulnerabilities")?;
    let levels = [
        ("never", None),
        ("low", Some(Level::Low)),
        ("medium", Some(Level::Medium)),
        ("high", Some(Level::High)),
        ("critical", Some(Level::Critical)),
    ];
    let from = table.optional("fail_from", one_of(&levels));
    table.finish();
    from.flatten()
}
