//! A plain reader of lines, after the builder's own (BuildKit, `frontend/dockerfile/parser/parser.go`): the second opinion on
//! where an instruction begins and ends.

use std::borrow::Cow;

/// An instruction as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Where it begins, counted from 1.
    pub(super) number: usize,
    /// Its name in capitals.
    pub(super) name: String,
    /// What stands behind it, on one line.
    pub(super) rest: String,
}

/// The text as it is judged and built: ends of lines as the builder has them.
pub(super) fn normal(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.contains("\r\n") {
        true => Cow::Owned(text.replace("\r\n", "\n")),
        false => Cow::Borrowed(text),
    }
}

/// A character that builders treat in different ways: not a space, not a tab, not visible.
pub(super) fn odd_character(text: &str) -> Option<(usize, char)> {
    let odd =
        |c: char| (c.is_control() && c != '\n' && c != '\t') || (c.is_whitespace() && !c.is_ascii()) || c == '\u{feff}';
    text.split('\n')
        .enumerate()
        .find_map(|(at, line)| Some((at + 1, line.chars().find(|c| odd(*c))?)))
}

/// The instructions; or the line that cannot be read for sure, and why.
pub(super) fn instructions(text: &str) -> Result<Vec<Line>, (usize, &'static str)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, line) in text.split('\n').enumerate() {
        let number = at + 1;
        if line.trim_start().starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let (begun, mut whole) = open.take().unwrap_or_else(|| (number, String::new()));
        match line.trim_end_matches([' ', '\t']).strip_suffix('\\') {
            Some(head) if head.ends_with('\\') => return Err((number, "it ends in two backslashes")),
            Some(head) => {
                whole.push_str(head);
                open = Some((begun, whole));
            }
            None => {
                whole.push_str(line);
                found.push(split(begun, &whole));
            }
        }
    }
    match open {
        Some((begun, _)) => Err((begun, "the instruction is not ended: its last line ends in a backslash")),
        None => Ok(found),
    }
}

fn split(number: usize, whole: &str) -> Line {
    let whole = whole.trim();
    let (name, rest) = whole.split_once([' ', '\t']).unwrap_or((whole, ""));
    Line {
        number,
        name: name.to_ascii_uppercase(),
        rest: rest.trim().to_owned(),
    }
}

/// Lines at the top that a builder takes for orders: comments of the form `# word=`, whatever the word. Others, like `//` or
/// JSON, are no instructions and refused as such.
pub(super) fn directives(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let comments = text
        .split('\n')
        .enumerate()
        .take_while(|(_, line)| line.trim().is_empty() || line.trim_start().starts_with('#'));
    comments.filter_map(|(at, line)| {
        let (word, _) = line.trim_start().trim_start_matches('#').split_once('=')?;
        let word = word.trim();
        let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        is_word.then_some((at + 1, line.trim()))
    })
}

/// The text with these lines emptied.
pub(super) fn without(text: &str, numbers: &[usize]) -> String {
    let kept = text
        .split('\n')
        .enumerate()
        .map(|(at, line)| if numbers.contains(&(at + 1)) { "" } else { line });
    kept.collect::<Vec<_>>().join("\n")
}
