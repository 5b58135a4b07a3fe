//! Patterns of paths: `*` within one part, `**` for any number of parts. Nothing else, so that the more specific of two
//! patterns is a thing that a person can see.

use std::fmt;

use serde::{Serialize, Serializer};

/// A pattern that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    parts: Vec<Part>,
    /// GitLab's paths are the same in upper and lower case, paths of files are not.
    ignore_case: bool,
}

/// How much a pattern says about what it matches: part by part from the left, plain name > name with `*` > `*` > `**`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity(Vec<(u8, usize)>);

/// A text that is no pattern, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadGlob(String);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `**`
    Deep,
    /// The texts between the stars: one without a star has one element.
    Name(Vec<String>),
}

impl Glob {
    /// A pattern of GitLab project paths, for example `shop/**` or `*/*-war`.
    pub fn project(text: &str) -> Result<Self, BadGlob> {
        let wrong = text
            .chars()
            .find(|c| !(c.is_ascii_alphanumeric() || "_-./*".contains(*c)));
        if let Some(c) = wrong {
            return Err(BadGlob(format!(
                "{text:?} has {c:?} in it; a project path has letters, digits, '_', '-', '.' and '/', a pattern also '*' and '**'"
            )));
        }
        Self::new(text, true)
    }

    /// A pattern of paths in a project, for example `*/target/*.war`.
    pub fn file(text: &str) -> Result<Self, BadGlob> {
        let wrong = text.chars().find(|c| c.is_control() || "\\?[]{}".contains(*c));
        if let Some(c) = wrong {
            return Err(BadGlob(format!(
                "{text:?} has {c:?} in it; a pattern knows only '*', '**' and '/'"
            )));
        }
        Self::new(text, false)
    }

    fn new(text: &str, ignore_case: bool) -> Result<Self, BadGlob> {
        let mut parts = Vec::new();
        for part in text.split('/') {
            if part.is_empty() || part == "." || part == ".." {
                return Err(BadGlob(format!(
                    "{text:?} has an empty, '.' or '..' part; write it like \"group/project\", without '/' at its ends"
                )));
            }
            if part == "**" {
                parts.push(Part::Deep);
            } else if part.contains("**") {
                return Err(BadGlob(format!(
                    "in {text:?} the '**' shares its part with {part:?}; '**' stands alone between two '/'"
                )));
            } else {
                parts.push(Part::Name(
                    part.split('*').map(|piece| fold(piece, ignore_case)).collect(),
                ));
            }
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
            ignore_case,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Does it name one path, without any star?
    pub fn is_plain(&self) -> bool {
        !self.text.contains('*')
    }

    /// Does it match the whole of this path?
    pub fn matches(&self, path: &str) -> bool {
        let path = fold(path, self.ignore_case);
        let names: Vec<&str> = path.split('/').collect();
        // Row by row: `reached[i]` says whether the parts so far can match exactly the first `i` names. No recursion,
        // so that a pattern with many stars costs no more than its length times the path's.
        let mut reached = vec![false; names.len() + 1];
        reached[0] = true;
        for part in &self.parts {
            let mut next = vec![false; names.len() + 1];
            match part {
                Part::Deep => {
                    let mut any = false;
                    for (i, slot) in next.iter_mut().enumerate() {
                        any |= reached[i];
                        *slot = any;
                    }
                }
                Part::Name(pieces) => {
                    for (i, name) in names.iter().enumerate() {
                        next[i + 1] = reached[i] && name_matches(pieces, name);
                    }
                }
            }
            reached = next;
        }
        reached[names.len()]
    }

    /// To be compared with that of another pattern that matches the same path: the greater one says more.
    pub fn specificity(&self) -> Specificity {
        let key = |part: &Part| match part {
            Part::Deep => (0, 0),
            Part::Name(pieces) => {
                let letters = pieces.iter().map(|piece| piece.chars().count()).sum();
                match pieces.len() {
                    1 => (3, letters),
                    _ if letters > 0 => (2, letters),
                    _ => (1, 0),
                }
            }
        };
        Specificity(self.parts.iter().map(key).collect())
    }

    /// Does it match every path?
    pub fn is_everything(&self) -> bool {
        self.parts.iter().all(|part| *part == Part::Deep)
    }

    /// Do both match the same paths for sure, because they are written the same but for upper and lower case?
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.parts == other.parts && self.ignore_case == other.ignore_case
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

fn fold(text: &str, ignore_case: bool) -> String {
    if ignore_case {
        text.to_ascii_lowercase()
    } else {
        text.to_owned()
    }
}

/// First piece at the start, last at the end, the ones between in order: greedy from the left is enough for `*`.
fn name_matches(pieces: &[String], name: &str) -> bool {
    let [first, middle @ .., last] = pieces else {
        return pieces.first().is_some_and(|only| only == name);
    };
    let Some(mut rest) = name.strip_prefix(first.as_str()) else {
        return false;
    };
    for piece in middle {
        let Some(at) = rest.find(piece.as_str()) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_what_the_documentation_says() {
        let cases = [
            ("**", "shop/basket", true),
            ("shop/*", "shop/basket", true),
            ("shop/*", "shop/web/basket", false),
            ("shop/**", "shop/web/basket", true),
            ("shop/**", "workshop/basket", false),
            ("**/*-war", "a/b/c/basket-war", true),
            ("**/*-war", "a/b/c/basket-ward", false),
            ("SHOP/Bas*T", "shop/basket", true),
            ("shop/**/basket", "shop/basket", true),
            ("shop/b*a*t", "shop/basket", true),
            ("shop/ba*ba", "shop/ba", false),
            ("*/*", "a/b/c", false),
        ];
        for (pattern, path, expected) in cases {
            let glob = Glob::project(pattern).expect(pattern);
            assert_eq!(glob.matches(path), expected, "{pattern} on {path}");
        }
        let file = Glob::file("web/target/*.war").expect("a pattern");
        assert!(file.matches("web/target/shop 1.war"));
        assert!(!file.matches("Web/target/shop.war"));
    }

    #[test]
    fn the_more_specific_pattern_is_the_greater_one() {
        let rising = [
            "**",
            "**/basket",
            "*/**",
            "*/basket",
            "s*/**",
            "shop/**",
            "shop/*",
            "shop/b*",
            "shop/bas*",
            "shop/basket",
        ];
        for pair in rising.windows(2) {
            let less = Glob::project(pair[0]).expect("a pattern").specificity();
            let more = Glob::project(pair[1]).expect("a pattern").specificity();
            assert!(less < more, "{} is not less than {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn only_deep_stars_match_everything() {
        for (pattern, everything) in [
            ("**", true),
            ("**/**", true),
            ("*/*", false),
            ("**/*", false),
            ("shop/**", false),
        ] {
            let glob = Glob::project(pattern).expect(pattern);
            assert_eq!(glob.is_everything(), everything, "{pattern}");
        }
    }

    #[test]
    fn a_text_that_is_no_pattern_says_why() {
        for (text, part) in [
            ("shop//x", "empty"),
            ("/shop/*", "empty"),
            ("shop/**x", "alone"),
            ("shop/[ab]", "'['"),
            ("a/..", "'..'"),
            ("", "empty"),
        ] {
            let error = Glob::project(text).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn many_stars_are_cheap() {
        let pattern = ["**"; 200].join("/") + "/" + &"*a".repeat(200) + "b";
        let glob = Glob::project(&pattern).expect("a pattern");
        assert!(!glob.matches(&format!("{}{}", "x/".repeat(200), "a".repeat(300))));
    }
}
