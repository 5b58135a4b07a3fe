//! Terminal output made harmless: a log line with escape sequences becomes plain text, or HTML with classes for its colours.
//!
//! A build writes whatever it likes into its log, and the log is shown in a browser of somebody with rights. So nothing
//! passes but text, escaped, and a fixed set of class names: `ansi-30`…`ansi-37`, `ansi-90`…`ansi-97` (foreground),
//! `ansi-40`…`ansi-47`, `ansi-100`…`ansi-107` (background), `ansi-b`, `ansi-d`, `ansi-i`, `ansi-u`, `ansi-s` (bold, dim, italic,
//! underlined, struck). Escape codes: ECMA-48, sections 5.4 (control sequences), 5.6 (control strings), 8.3.117 (SGR).
//!
//! A carriage return means "write over it" (progress bars): what stands before it is dropped when something follows.
//! A real terminal would leave the tail of a longer earlier text; that is never what the program meant.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The line without escape sequences, control characters and overwritten progress. Tabs stay.
pub fn strip(line: &str) -> Cow<'_, str> {
    if !line.chars().any(is_special) {
        return Cow::Borrowed(line);
    }
    let mut text = String::with_capacity(line.len());
    for piece in pieces(line) {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Overwrite => text.clear(),
            Piece::Sgr(_) => {}
        }
    }
    Cow::Owned(text)
}

/// The line as HTML that can stand in any element: everything escaped, colours as `<span class="ansi-31 ansi-b">`.
///
/// Spans are closed at the end of the line: colours do not run on into the next one.
pub fn to_html(line: &str) -> String {
    let mut style = Style::default();
    let mut html = String::with_capacity(line.len() + 16);
    for piece in pieces(line) {
        match piece {
            Piece::Text(part) => style.wrap(part, &mut html),
            Piece::Overwrite => html.clear(),
            Piece::Sgr(parameters) => style.apply(parameters),
        }
    }
    html
}

/// The line for a terminal: its colours stay, but nothing that moves the cursor, sets titles or makes links; what was
/// switched on is switched off at its end.
pub fn to_terminal(line: &str) -> Cow<'_, str> {
    if !line.chars().any(is_special) {
        return Cow::Borrowed(line);
    }
    let mut text = String::with_capacity(line.len());
    let mut coloured = false;
    for piece in pieces(line) {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Overwrite => {
                text.clear();
                if coloured {
                    text.push_str("\x1b[0m");
                }
            }
            // With '>' or '?' in front it is no colour but a switch of the keyboard (xterm).
            Piece::Sgr(parameters) if parameters.contains(|c| !matches!(c, '0'..='9' | ';' | ':')) => {}
            Piece::Sgr(parameters) => {
                coloured = true;
                write!(text, "\x1b[{parameters}m").expect("writing to a String cannot fail");
            }
        }
    }
    if coloured {
        text.push_str("\x1b[0m");
    }
    Cow::Owned(text)
}

/// What a line consists of.
enum Piece<'a> {
    /// Shown as it is.
    Text(&'a str),
    /// What was shown so far is written over.
    Overwrite,
    /// Parameters of "select graphic rendition".
    Sgr(&'a str),
}

/// Characters that are never shown: controls, and those that turn the direction of what follows.
fn is_special(c: char) -> bool {
    (c.is_control() && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn pieces(line: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        loop {
            let first = rest.chars().next()?;
            if !is_special(first) {
                let end = rest.find(is_special).unwrap_or(rest.len());
                let (text, after) = rest.split_at(end);
                rest = after;
                return Some(Piece::Text(text));
            }
            let after = &rest[first.len_utf8()..];
            match first {
                '\x1b' => match escape(after) {
                    (Some(parameters), after) => {
                        rest = after;
                        return Some(Piece::Sgr(parameters));
                    }
                    (None, after) => rest = after,
                },
                '\u{9b}' => match control_sequence(after) {
                    (Some(parameters), after) => {
                        rest = after;
                        return Some(Piece::Sgr(parameters));
                    }
                    (None, after) => rest = after,
                },
                '\u{9d}' | '\u{90}' | '\u{98}' | '\u{9e}' | '\u{9f}' => rest = control_string(after),
                '\r' => {
                    rest = after.trim_start_matches(['\r', '\n']);
                    // At the end of the line it is only half of a Windows line break.
                    if !rest.is_empty() {
                        return Some(Piece::Overwrite);
                    }
                }
                _ => rest = after,
            }
        }
    })
}

/// What follows ESC: its SGR parameters if it is one, and the rest behind it.
fn escape(after: &str) -> (Option<&str>, &str) {
    match after.chars().next() {
        Some('[') => control_sequence(&after[1..]),
        Some(']' | 'P' | 'X' | '^' | '_') => (None, control_string(&after[1..])),
        // nF: intermediates, then a final byte ("ESC ( B" selects a character set).
        Some(' '..='/') => {
            let rest = after.trim_start_matches(|c| matches!(c, ' '..='/'));
            (None, skip_if(rest, |c| matches!(c, '0'..='~')))
        }
        Some('0'..='~') => (None, &after[1..]),
        _ => (None, after),
    }
}

/// A CSI sequence behind its introducer: parameters, intermediates, final byte.
fn control_sequence(after: &str) -> (Option<&str>, &str) {
    let behind = after.trim_start_matches(|c| matches!(c, '0'..='?'));
    let parameters = &after[..after.len() - behind.len()];
    let last = behind.trim_start_matches(|c| matches!(c, ' '..='/'));
    let rest = skip_if(last, |c| matches!(c, '@'..='~'));
    let is_sgr = last.len() == behind.len() && last.starts_with('m');
    (is_sgr.then_some(parameters), rest)
}

/// A control string (title, hyperlink) up to its terminator; one that never ends is taken for text, so that it hides nothing.
fn control_string(after: &str) -> &str {
    match after.find(['\x07', '\u{9c}', '\x1b']) {
        Some(end) => {
            let tail = &after[end..];
            tail.strip_prefix("\x1b\\")
                .or_else(|| tail.strip_prefix(['\x07', '\u{9c}']))
                .unwrap_or(tail)
        }
        None => after,
    }
}

fn skip_if(text: &str, wanted: impl Fn(char) -> bool) -> &str {
    match text.chars().next() {
        Some(c) if wanted(c) => &text[c.len_utf8()..],
        _ => text,
    }
}

/// The colours that are switched on.
#[derive(Default)]
struct Style {
    foreground: Option<u8>,
    background: Option<u8>,
    /// Bold, dim, italic, underlined, struck.
    marks: [bool; 5],
}

impl Style {
    fn wrap(&self, text: &str, html: &mut String) {
        let mut class = String::new();
        for code in [self.foreground, self.background].into_iter().flatten() {
            write!(class, " ansi-{code}").expect("writing to a String cannot fail");
        }
        for (on, mark) in self.marks.iter().zip(["b", "d", "i", "u", "s"]) {
            if *on {
                class.push_str(" ansi-");
                class.push_str(mark);
            }
        }
        if class.is_empty() {
            return push_escaped(text, html);
        }
        html.push_str("<span class=\"");
        html.push_str(class.trim_start());
        html.push_str("\">");
        push_escaped(text, html);
        html.push_str("</span>");
    }

    fn apply(&mut self, parameters: &str) {
        let mut codes = parameters.split(';');
        while let Some(code) = codes.next() {
            // "38:5:1" carries its arguments inside; "38;5;1" has them as the following parameters.
            let mut inner = code.split(':');
            let number = match inner.next() {
                Some("") | None => Some(0),
                Some(digits) => digits.parse::<u8>().ok(),
            };
            match number {
                Some(38) if code.contains(':') => self.foreground = indexed(&mut inner, 30),
                Some(48) if code.contains(':') => self.background = indexed(&mut inner, 40),
                Some(38) => self.foreground = indexed(&mut codes, 30),
                Some(48) => self.background = indexed(&mut codes, 40),
                // "4:0" switches the underline off, "4:3" is a curly one.
                Some(4) => self.marks[3] = inner.next() != Some("0"),
                Some(n) => self.simple(n),
                None => {}
            }
        }
    }

    fn simple(&mut self, code: u8) {
        match code {
            0 => *self = Self::default(),
            1 => self.marks[0] = true,
            2 => self.marks[1] = true,
            3 => self.marks[2] = true,
            9 => self.marks[4] = true,
            22 => self.marks[..2].fill(false),
            23 => self.marks[2] = false,
            24 => self.marks[3] = false,
            29 => self.marks[4] = false,
            30..=37 | 90..=97 => self.foreground = Some(code),
            39 => self.foreground = None,
            40..=47 | 100..=107 => self.background = Some(code),
            49 => self.background = None,
            _ => {}
        }
    }
}

/// Arguments of 38 and 48: the first sixteen indexed colours have a class, all others are shown without colour.
fn indexed<'a>(arguments: &mut impl Iterator<Item = &'a str>, base: u8) -> Option<u8> {
    match arguments.next()? {
        "5" => match arguments.next()?.parse::<u8>().ok()? {
            n @ 0..=7 => Some(base + n),
            n @ 8..=15 => Some(base + 60 + n - 8),
            _ => None,
        },
        "2" => {
            arguments.by_ref().take(3).for_each(drop);
            None
        }
        _ => None,
    }
}

fn push_escaped(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mavens_own_colours_become_spans() {
        let line = "[\x1b[1;31mERROR\x1b[m] a < b && \"c\"";
        assert_eq!(
            to_html(line),
            "[<span class=\"ansi-31 ansi-b\">ERROR</span>] a &lt; b &amp;&amp; &quot;c&quot;"
        );
        assert_eq!(strip(line), "[ERROR] a < b && \"c\"");
    }

    #[test]
    fn a_plain_line_is_not_copied() {
        assert!(matches!(strip("[INFO]\tplain ü"), Cow::Borrowed(_)));
    }

    #[test]
    fn script_hidden_in_any_escape_stays_text_or_goes() {
        for hostile in [
            "\x1b[<script>alert(1)</script>m",
            "\x1b[31\"><script>alert(1)</script>m",
            "\x1b]8;;javascript:alert(1)\x1b\\<script>x</script>\x1b]8;;\x1b\\",
            "\x1b]0;<script>alert(1)</script>",
            "\x1bP<script>alert(1)</script>\x1b\\",
            "\u{9b}31m<script>",
            "\x1b[\x1b[31m<script>",
        ] {
            let html = to_html(hostile);
            assert!(!html.contains("<script"), "{hostile:?} gave {html}");
            assert!(!html.contains('\x1b'), "{hostile:?} gave {html:?}");
        }
    }

    #[test]
    fn a_link_loses_its_address_and_keeps_its_text() {
        let line = "see \x1b]8;;http://evil.example/\x07here\x1b]8;;\x07!";
        assert_eq!(strip(line), "see here!");
    }

    #[test]
    fn an_unfinished_string_hides_nothing() {
        assert_eq!(strip("\x1b]0;the rest is still read"), "0;the rest is still read");
    }

    #[test]
    fn progress_is_written_over_and_windows_line_ends_are_not_progress() {
        assert_eq!(strip("10%\r50%\r100%"), "100%");
        assert_eq!(to_html("10%\r\x1b[32m100%\x1b[0m\r"), {
            "<span class=\"ansi-32\">100%</span>"
        });
        assert_eq!(strip("all of it\r\n"), "all of it");
    }

    #[test]
    fn extended_colours_take_their_arguments_with_them() {
        assert_eq!(to_html("\x1b[38;5;9mx"), "<span class=\"ansi-91\">x</span>");
        assert_eq!(to_html("\x1b[38:5:1mx"), "<span class=\"ansi-31\">x</span>");
        assert_eq!(to_html("\x1b[38;2;1;2;4;1mx"), "<span class=\"ansi-b\">x</span>");
        assert_eq!(to_html("\x1b[48;5;200mx"), "x");
    }

    #[test]
    fn a_terminal_gets_colours_and_nothing_else() {
        assert_eq!(to_terminal("plain"), "plain");
        assert_eq!(to_terminal("\x1b[1;31mred\x1b[m"), "\x1b[1;31mred\x1b[m\x1b[0m");
        assert_eq!(to_terminal("a\x1b[2Jb\x1b]0;title\x07c\x08d\x1b[>4;1me"), "abcde");
        assert_eq!(to_terminal("10 %\r\x1b[32m20 %"), "\x1b[32m20 %\x1b[0m");
    }

    #[test]
    fn text_that_turns_its_direction_is_straightened() {
        assert_eq!(strip("a\u{202e}b\u{2069}c"), "abc");
    }

    proptest! {
        #[test]
        fn nothing_but_our_spans_and_entities_comes_out(line in "(\\PC|\x1b|\\[|[0-9;:m<>&\"']|\r|\u{9b}|\\])*") {
            let mut rest = to_html(&line).replace("</span>", "");
            while let Some(start) = rest.find("<span class=\"ansi-") {
                let end = start + rest[start..].find("\">").expect("a span ends");
                prop_assert!(rest[start + 13..end].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b' '));
                rest.replace_range(start..end + 2, "");
            }
            prop_assert!(!rest.contains(['<', '>', '"', '\'', '\x1b']), "{rest:?}");
            prop_assert!(!strip(&line).contains(is_special));
        }
    }
}
