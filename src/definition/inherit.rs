//! `inherits = "tomcat10"`: a stack's file says only in what it differs from another one.
//!
//! Tables are put together before they are read, so that a stack is checked as a whole, whoever said what. What comes
//! from another file is placed at the line `inherits`, because places are told in one file.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::{File, advice};

/// The key that names the other stack.
pub(super) const KEY: &str = "inherits";

type Table<'t> = Spanned<DeTable<'t>>;

/// The tables of all stacks, each with what it inherits. A file that is no TOML, and one that inherits from such a file
/// or from nothing, has none; the reason is reported.
pub(super) fn inherited<'t>(
    files: &[File<'t>],
    names: &[String],
    tables: Vec<Option<Table<'t>>>,
) -> Vec<Option<Table<'t>>> {
    let parents: Vec<Option<Result<usize, ()>>> = (0..tables.len())
        .map(|at| parent(&files[at], names, tables[at].as_ref()?))
        .collect();
    (0..tables.len())
        .map(|at| whole(at, files, &tables, &parents))
        .collect()
}

/// Which stack this one inherits from; an error if there is none of this name.
fn parent(file: &File<'_>, names: &[String], table: &Table<'_>) -> Option<Result<usize, ()>> {
    let value = table.get_ref().get(KEY)?;
    // Whatever is no text is refused when the key itself is read.
    let name = value.get_ref().as_str()?;
    Some(names.iter().position(|other| other == name).ok_or_else(|| {
        file.report(
            Some(value.span()),
            format!("{KEY}: there is no stack {name:?}; {}", advice(name, names)),
        );
    }))
}

fn whole<'t>(
    at: usize,
    files: &[File<'t>],
    tables: &[Option<Table<'t>>],
    parents: &[Option<Result<usize, ()>>],
) -> Option<Table<'t>> {
    let mut line = vec![at];
    while let Some(next) = parents[line[line.len() - 1]] {
        let next = next.ok()?;
        if line.contains(&next) {
            // Told once, in the file that is in the circle itself.
            if next == at {
                files[at].report(
                    place(tables[at].as_ref()?),
                    format!("{KEY}: this stack inherits from itself in a circle"),
                );
            }
            return None;
        }
        line.push(next);
    }
    let mut result = tables[at].clone()?;
    for ancestor in &line[1..] {
        let ancestor = tables[*ancestor].as_ref()?;
        let here = place(&result).unwrap_or(0..0);
        merge(result.get_mut(), ancestor.get_ref(), &here);
    }
    Some(result)
}

/// Where the table names what it inherits from.
pub(super) fn place(table: &Table<'_>) -> Option<Range<usize>> {
    table.get_ref().get(KEY).map(Spanned::span)
}

/// Adds what `below` has and `table` has not, table by table.
fn merge<'t>(table: &mut DeTable<'t>, below: &DeTable<'t>, here: &Range<usize>) {
    for (key, value) in below {
        match (
            table.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut),
            value.get_ref(),
        ) {
            (None, _) if key.get_ref() == KEY => {}
            (None, _) => {
                table.insert(Spanned::new(here.clone(), key.get_ref().clone()), moved(value, here));
            }
            (Some(DeValue::Table(stated)), DeValue::Table(below)) => merge(stated, below, here),
            (Some(_), _) => {}
        }
    }
}

/// The same value, at another place.
fn moved<'t>(value: &Spanned<DeValue<'t>>, here: &Range<usize>) -> Spanned<DeValue<'t>> {
    let value = match value.get_ref() {
        DeValue::Table(table) => {
            let mut copy = DeTable::new();
            for (key, value) in table {
                copy.insert(Spanned::new(here.clone(), key.get_ref().clone()), moved(value, here));
            }
            DeValue::Table(copy)
        }
        DeValue::Array(values) => DeValue::Array(values.iter().map(|value| moved(value, here)).collect()),
        other => other.clone(),
    };
    Spanned::new(here.clone(), value)
}
