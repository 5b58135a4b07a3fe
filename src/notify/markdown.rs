//! Strangers' words in GitLab's Markdown: shown as they are, commanding nothing.
//!
//! Escaping alone does not do it: GitLab looks for references (`@all`, `#12`, `!7` …) in the text *after* Markdown has
//! taken the backslashes away (`Banzai::Filter::References`), and for quick actions (`/merge`) at the begin of lines
//! *before* Markdown is looked at (`Gitlab::QuickActions::Extractor`). A zero-width space, which nobody sees, breaks both.

use super::words;

/// Longest text in running words.
const LONGEST: usize = 500;

const BREAK: char = '\u{200b}';

/// A text that stands in a line behind something of ours, or between `**`.
pub(super) fn plain(text: &str) -> String {
    let line = words::one_line(text, LONGEST);
    let mut safe = String::with_capacity(line.len() + 16);
    let mut rest = line.chars().peekable();
    if line.starts_with('/') {
        safe.push(BREAK);
    }
    while let Some(c) = rest.next() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '*' | '_' | '`' | '[' | ']' | '|' | '\\' | '(' | ')' | '{' | '}' => safe.extend(['\\', c]),
            '@' | '#' | '!' | '~' | '%' | '&' | '$' | '^' => {
                safe.push(c);
                if rest.peek().is_some_and(|next| !next.is_whitespace()) {
                    safe.push(BREAK);
                }
            }
            c => safe.push(c),
        }
    }
    safe
}

/// Lines as a code block that they cannot leave, `most` of them.
pub(super) fn block(lines: &[String], most: usize) -> String {
    let mut shown: Vec<String> = lines
        .iter()
        .flat_map(|line| line.lines())
        .take(most)
        .map(|line| {
            let line = words::cut(&words::clean(line), LONGEST);
            let words = line.trim_start();
            if words.starts_with('/') {
                let indent = &line[..line.len() - words.len()];
                format!("{indent}{BREAK}{words}")
            } else {
                line
            }
        })
        .collect();
    let all = lines.iter().map(|line| line.lines().count()).sum::<usize>();
    if all > most {
        shown.push(format!("… and {} lines more", all - most));
    }
    // A fence ends only at one that is as long.
    let longest = shown.iter().map(|line| run_of_backticks(line)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}", shown.join("\n"))
}

fn run_of_backticks(line: &str) -> usize {
    line.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_text_commands_nothing() {
        assert_eq!(plain("/merge now"), "\u{200b}/merge now");
        assert_eq!(plain("hi @all\n/close"), "hi @\u{200b}all /close");
        assert_eq!(plain("<b>`x`</b> a|b"), "&lt;b&gt;\\`x\\`&lt;/b&gt; a\\|b");
        assert_eq!(plain("&lt;img&gt;"), "&\u{200b}lt;img&\u{200b}gt;");
        assert_eq!(plain("[x](javascript:y)"), "\\[x\\]\\(javascript:y\\)");
        assert_eq!(plain("50 % done & 2 left"), "50 % done & 2 left");
    }

    #[test]
    fn code_stays_inside_its_fence() {
        let text = block(&["a ```` b\n  /merge".to_owned(), "\u{1b}[31m@all".to_owned()], 20);
        assert_eq!(text, "`````text\na ```` b\n  \u{200b}/merge\n@all\n`````");
        let long: Vec<String> = (0..9).map(|n| n.to_string()).collect();
        assert_eq!(block(&long, 2), "```text\n0\n1\n… and 7 lines more\n```");
    }
}
