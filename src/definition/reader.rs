//! Reads one TOML file key by key and keeps every problem with its place.
//!
//! Not serde: it stops at the first error, and a platform team that moves to a new version wants to see all of them.
//! Asking for a key makes it a known one; what was never asked for is unknown, so the list of valid keys cannot go stale.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;
use super::value::{Checked, Value, kind};

/// A file and what was found wrong in it so far.
pub(super) struct File<'t> {
    /// As it is shown in messages.
    path: String,
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

/// A table of a file that is being read.
pub(super) struct Reader<'f, 't> {
    file: &'f File<'t>,
    table: &'f DeTable<'t>,
    /// `limits` or empty for the whole file.
    name: String,
    span: Range<usize>,
    known: Vec<String>,
}

impl<'t> File<'t> {
    pub(super) fn new(path: String, text: &'t str) -> Self {
        Self {
            path,
            text,
            problems: RefCell::default(),
        }
    }

    /// Syntax first: with a broken file, what is read from the rest would only confuse.
    pub(super) fn parse(&self) -> Option<Spanned<DeTable<'t>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        let broken = !errors.is_empty();
        for error in errors {
            self.report(
                error.span(),
                format!("this is not TOML: {}", error.message().replace('\n', "; ")),
            );
        }
        (!broken).then_some(table)
    }

    pub(super) fn reader<'f>(&'f self, table: &'f Spanned<DeTable<'t>>) -> Reader<'f, 't> {
        Reader {
            file: self,
            table: table.get_ref(),
            name: String::new(),
            span: 0..0,
            known: Vec::new(),
        }
    }

    /// Notes a problem at these byte offsets.
    pub(super) fn report(&self, span: Option<Range<usize>>, message: impl Into<String>) {
        self.problems.borrow_mut().push(Problem {
            file: self.path.clone(),
            place: span.map(|span| self.place(span.start)),
            message: message.into(),
        });
    }

    /// Is something wrong in it?
    pub(super) fn is_wrong(&self) -> bool {
        !self.problems.borrow().is_empty()
    }

    /// Takes back what was noted at this place.
    pub(super) fn forget(&self, span: Range<usize>) {
        let place = Some(self.place(span.start));
        self.problems.borrow_mut().retain(|problem| problem.place != place);
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// Line and column of a byte offset, both from 1, columns in characters.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

impl<'f, 't> Reader<'f, 't> {
    /// A key that must be there.
    pub(super) fn required<T>(&mut self, key: &str, check: impl Fn(&Value<'_>) -> Checked<T>) -> Option<T> {
        if self.table.get(key).is_none() {
            self.known.push(key.to_owned());
            self.missing(key);
            return None;
        }
        self.optional(key, check)
    }

    /// A key that may be left out.
    pub(super) fn optional<T>(&mut self, key: &str, check: impl Fn(&Value<'_>) -> Checked<T>) -> Option<T> {
        self.known.push(key.to_owned());
        match check(self.table.get(key)?) {
            Ok(value) => Some(value),
            Err(wrongs) => {
                for wrong in wrongs {
                    self.file
                        .report(Some(wrong.span), format!("{}: {}", self.full(key), wrong.message));
                }
                None
            }
        }
    }

    /// A table that must be there.
    pub(super) fn required_table(&mut self, key: &str) -> Option<Reader<'f, 't>> {
        if self.table.get(key).is_none() {
            self.known.push(key.to_owned());
            self.missing(key);
            return None;
        }
        self.optional_table(key)
    }

    /// A table that may be left out.
    pub(super) fn optional_table(&mut self, key: &str) -> Option<Reader<'f, 't>> {
        self.known.push(key.to_owned());
        let value = self.table.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(self.inner(key, table, value.span())),
            other => {
                self.file.report(
                    Some(value.span()),
                    format!("{}: expected a table [{0}], not {}", self.full(key), kind(other)),
                );
                None
            }
        }
    }

    /// A table inside this one.
    fn inner(&self, key: &str, table: &'f DeTable<'t>, span: Range<usize>) -> Reader<'f, 't> {
        Reader {
            file: self.file,
            table,
            name: self.full(key),
            span,
            known: Vec::new(),
        }
    }

    /// The tables `[[key]]`, none if there are none.
    pub(super) fn optional_tables(&mut self, key: &str) -> Vec<Reader<'f, 't>> {
        self.known.push(key.to_owned());
        let Some(value) = self.table.get(key) else {
            return Vec::new();
        };
        let wrong = |value: &Value<'_>| {
            let message = format!(
                "{}: expected tables [[{0}]], not {}",
                self.full(key),
                kind(value.get_ref())
            );
            self.file.report(Some(value.span()), message);
        };
        let DeValue::Array(values) = value.get_ref() else {
            wrong(value);
            return Vec::new();
        };
        let tables = values.iter().filter_map(|value| match value.get_ref() {
            DeValue::Table(table) => Some(self.inner(key, table, value.span())),
            _ => {
                wrong(value);
                None
            }
        });
        tables.collect()
    }

    /// All keys of this table with their values, for a table whose keys are free.
    pub(super) fn entries<T>(&mut self, check: impl Fn(&str, &Value<'_>) -> Checked<T>) -> Vec<(String, T)> {
        let mut entries = Vec::new();
        for (key, value) in self.table {
            self.known.push(key.get_ref().to_string());
            match check(key.get_ref(), value) {
                Ok(good) => entries.push((key.get_ref().to_string(), good)),
                Err(wrongs) => {
                    for wrong in wrongs {
                        self.file.report(
                            Some(wrong.span),
                            format!("{}: {}", self.full(key.get_ref()), wrong.message),
                        );
                    }
                }
            }
        }
        entries
    }

    /// Notes a problem at these byte offsets.
    pub(super) fn report(&self, span: Range<usize>, message: impl Into<String>) {
        self.file.report(Some(span), message);
    }

    /// Notes a problem of the whole table.
    pub(super) fn report_here(&self, message: impl Into<String>) {
        let span = (!self.name.is_empty()).then(|| self.span.clone());
        self.file.report(span, message);
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if self.known.iter().any(|known| known == name) {
                continue;
            }
            let place = if self.name.is_empty() {
                String::new()
            } else {
                format!(" in [{}]", self.name)
            };
            self.file.report(
                Some(key.span()),
                format!("unknown key {name:?}{place}; {}", advice(name, &self.known)),
            );
        }
    }

    /// Is this key there, right or wrong?
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// Something is wrong with this table as a whole.
    pub(super) fn wrong(&self, message: &str) {
        let message = format!("[{}] {message}", self.name);
        self.file.report(Some(self.span.clone()), message);
    }

    fn missing(&self, key: &str) {
        let place = if self.name.is_empty() {
            "the file".to_owned()
        } else {
            format!("[{}]", self.name)
        };
        let span = (!self.name.is_empty()).then(|| self.span.clone());
        self.file.report(span, format!("{place} lacks the key \"{key}\""));
    }

    fn full(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }
}

/// The nearest valid name, or all of them where none is near.
pub(super) fn advice(name: &str, valid: &[String]) -> String {
    let nearest = valid
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name.to_lowercase(), candidate), candidate))
        .min();
    match nearest {
        Some((distance, candidate)) if distance <= 2.max(candidate.len() / 3) => {
            format!("did you mean \"{candidate}\"?")
        }
        Some(_) => {
            let names: Vec<String> = valid.iter().map(|name| format!("\"{name}\"")).collect();
            format!("valid are {}", names.join(", "))
        }
        None => "nothing is valid here".to_owned(),
    }
}
