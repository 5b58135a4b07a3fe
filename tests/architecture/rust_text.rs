//! Rust files as text: comments and literals blanked out, and the paths in what is left.

use std::path::Path;

/// One file.
pub struct Source {
    /// From the repository's root, with `/`.
    pub path: String,
    /// As it is.
    pub text: String,
    /// The same lines with blanks for comments and the insides of literals.
    pub code: String,
}

/// All `.rs` files below a directory of the repository, sorted.
pub fn sources(root: &Path, below: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    let mut directories = vec![root.join(below)];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory of the repository can be read") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let text = std::fs::read_to_string(&file).expect("a source file is UTF-8");
            let path = file
                .strip_prefix(root)
                .expect("it is below the root")
                .to_str()
                .expect("names are ASCII");
            Source::new(path.to_owned(), text)
        })
        .collect()
}

impl Source {
    pub fn new(path: String, text: String) -> Self {
        let code = blank(&text);
        Self { path, text, code }
    }

    /// Is the whole file for tests?
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.split('/').any(|part| {
                let name = part.trim_end_matches(".rs");
                name == "tests" || name.ends_with("_tests")
            })
    }

    /// Lines above the inline tests; all of them if there are none.
    pub fn product_lines(&self) -> usize {
        let lines: Vec<&str> = self.code.lines().collect();
        let tests = lines
            .windows(2)
            .position(|two| two[0] == "#[cfg(test)]" && two[1].starts_with("mod ") && two[1].trim_end().ends_with('{'));
        tests.unwrap_or(lines.len())
    }

    /// `src/clients/git/mod.rs` → `["clients", "git"]`.
    pub fn module(&self) -> Vec<String> {
        let inside = self
            .path
            .strip_prefix("src/")
            .unwrap_or(&self.path)
            .trim_end_matches(".rs");
        let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        module
    }

    /// Paths from the crate's root that the code names, at most two names long, with their lines. `super` is counted from
    /// the file's own module, so one inside an inline module may lead one step too far up, never one too few.
    pub fn paths(&self) -> Vec<(usize, Vec<String>)> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(next) = self.code[at..].find(['c', 's']).map(|offset| at + offset) {
            let rest = &self.code[next..];
            let inside_a_word = self.code[..next].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let (base, used) = if inside_a_word {
                (None, 1)
            } else if rest.starts_with("crate::") {
                (Some(Vec::new()), "crate::".len())
            } else if rest.starts_with("super::") {
                let climbs = rest.split("::").take_while(|part| *part == "super").count();
                let module = self.module();
                let base = module[..module.len().saturating_sub(climbs)].to_vec();
                (Some(base), climbs * "super::".len())
            } else {
                (None, 1)
            };
            if let Some(base) = base {
                let line = self.code[..next].matches('\n').count() + 1;
                for tail in tree(&rest[used..]).0 {
                    let path: Vec<String> = base.iter().cloned().chain(tail).take(2).collect();
                    found.push((line, path));
                }
            }
            at = next + used;
        }
        found
    }
}

/// The paths of a use tree, cut off at two names each, and how many bytes it takes.
fn tree(text: &str) -> (Vec<Vec<String>>, usize) {
    let blanks = text.len() - text.trim_start().len();
    let body = &text[blanks..];
    if body.starts_with('{') {
        let mut all = Vec::new();
        let mut at = 1;
        while at < body.len() && !body[at..].starts_with('}') {
            let (paths, used) = tree(&body[at..]);
            all.extend(paths);
            at += used;
            // To the next branch: past an alias (`as x`), blanks and the comma.
            at += body[at..].find([',', '}']).unwrap_or(body.len() - at);
            if body[at..].starts_with(',') {
                at += 1;
                at += body[at..].len() - body[at..].trim_start().len();
            }
        }
        return (all, blanks + at + 1);
    }
    let end = body
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(body.len());
    let name = body[..end].to_owned();
    let Some(further) = body[end..].strip_prefix("::") else {
        return (
            if name.is_empty() { Vec::new() } else { vec![vec![name]] },
            blanks + end,
        );
    };
    let (below, used) = tree(further);
    let paths = if below.is_empty() {
        vec![vec![name]]
    } else {
        below
            .into_iter()
            .map(|tail| std::iter::once(name.clone()).chain(tail).take(2).collect())
            .collect()
    };
    (paths, blanks + end + 2 + used)
}

/// Blanks out comments and the insides of string and character literals; lines stay where they are.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest, &out) {
            length
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' {
            character(rest)
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        out.extend(rest[..skipped].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[skipped..];
    }
    out
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of `r"…"`, `r#"…"#` and their byte forms, whose `r` is no end of a word.
fn raw_string(text: &str, before: &str) -> Option<usize> {
    let body = text.strip_prefix('r')?;
    let inside_a_word = before
        .strip_suffix('b')
        .unwrap_or(before)
        .ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let hashes = body.len() - body.trim_start_matches('#').len();
    if inside_a_word || !body[hashes..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = 1 + hashes + 1;
    Some(text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len()))
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character literal, or the lone quote of a lifetime.
fn character(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), _) => quoted(text, '\''),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}
