//! Secrets in a Dockerfile: by the names that ENV, ARG and LABEL give to values, and by their form anywhere.

use super::lines::Line;
use super::report::Found;
use super::rules;
use crate::standards::{secret_by_name, secrets_by_form};

/// What is written in the text, comments included: the image carries all of it.
pub(super) fn by_form(text: &str, found: &mut Found<'_>) {
    for (at, line) in text.split('\n').enumerate() {
        for what in secrets_by_form(line) {
            found.add(&rules::SECRET, at + 1, what);
        }
    }
}

/// What this instruction names.
pub(super) fn by_name(line: &Line, found: &mut Found<'_>) {
    for (name, value) in pairs(&line.rest) {
        if let Some(what) = secret_by_name(&name, &value) {
            found.add(&rules::SECRET, line.number, format!("{} {what}", line.name));
        }
    }
}

/// `A=1 "B C"='2 3'`, or in the old form `A 1`, without the quotes.
pub(super) fn pairs(rest: &str) -> Vec<(String, String)> {
    let words = words(rest);
    match words.first() {
        Some(first) if !first.contains('=') && words.len() > 1 => vec![(first.clone(), words[1..].join(" "))],
        _ => words
            .iter()
            .map(|word| word.split_once('=').unwrap_or((word, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

/// Split at white space outside of quotes; quotes and the backslashes before a character go.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut begun, mut quote) = (String::new(), false, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                word.extend(chars.next());
                begun = true;
            }
            ('"' | '\'', None) => (quote, begun) = (Some(c), true),
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => {
                if begun {
                    words.push(std::mem::take(&mut word));
                    begun = false;
                }
            }
            (c, _) => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}
