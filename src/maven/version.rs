//! Versions in Maven's order, as `ComparableVersion` of Maven 3.9 has it (POM reference, "Version Order Specification").
//!
//! Every text is a version. It is cut at dots, at hyphens, and where digits and other characters meet; a hyphen and such a
//! border open a list in the list, which weighs less than what follows a dot. Trailing parts that say nothing (`0`, `ga`,
//! `final`, `release`) are dropped, so `1`, `1.0` and `1.0.0-ga` are one version. Qualifiers that mean something come first, in
//! this order: `alpha`, `beta`, `milestone`, `rc` (`cr`), `snapshot`, none, `sp`; all others come after these, by
//! the alphabet. Case is of no importance.

use std::cmp::Ordering;
use std::fmt;
use std::iter;

/// A version, compared as Maven compares. Two that are written differently may be equal: `1.0` and `1`.
#[derive(Debug, Clone)]
pub struct Version {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Decimal digits without leading zeros: a version may have more of them than any integer.
    Number(String),
    Qualifier(Qualifier),
    List(Vec<Part>),
}

/// By place in the order, then, for those without a meaning, by the alphabet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Qualifier(u8, String);

/// Bytes of what is taken apart; lists stand in lists, and whoever goes through them needs stack. Longer texts, which no
/// person wrote as a version, count as one word.
const LONGEST: usize = 1000;

/// The place of "no qualifier".
const RELEASE: u8 = 5;
/// The place of those that mean nothing to Maven.
const UNKNOWN: u8 = 7;

impl Version {
    /// Reads any text.
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            parts: match text.len() {
                0..=LONGEST => parse(&text.to_lowercase()),
                _ => vec![Part::Qualifier(Qualifier(UNKNOWN, text.to_lowercase()))],
            },
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_lists(&self.parts, &other.parts)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

/// A list that was opened gets all that follows, so the lists are a chain, and are put into each other at the end.
struct Chain {
    lists: Vec<Vec<Part>>,
}

impl Chain {
    fn add(&mut self, part: Part) {
        if let Some(last) = self.lists.last_mut() {
            last.push(part);
        }
    }

    fn open(&mut self) {
        self.lists.push(Vec::new());
    }

    /// Opens a list unless the last one is still empty.
    fn open_if_filled(&mut self) {
        if self.lists.last().is_some_and(|list| !list.is_empty()) {
            self.open();
        }
    }

    fn close(self) -> Vec<Part> {
        self.lists
            .into_iter()
            .rev()
            .reduce(|inner, mut outer| {
                outer.push(Part::List(inner));
                trim(&mut outer);
                outer
            })
            .unwrap_or_default()
    }
}

fn parse(text: &str) -> Vec<Part> {
    let mut chain = Chain {
        lists: vec![Vec::new()],
    };
    let mut start = 0;
    let mut in_digits = false;
    for (at, c) in text.char_indices() {
        let piece = &text[start..at];
        match c {
            '.' | '-' => {
                chain.add(match piece {
                    "" => number("0"),
                    piece if in_digits => number(piece),
                    piece => qualifier(piece, false),
                });
                start = at + 1;
                if c == '-' {
                    chain.open();
                }
            }
            '0'..='9' => {
                if !in_digits && !piece.is_empty() {
                    // `1.0.0.x1` is before `1.0.0-x2`: a qualifier weighs the same behind a dot and behind a hyphen.
                    chain.open_if_filled();
                    chain.add(qualifier(piece, true));
                    start = at;
                    chain.open();
                }
                in_digits = true;
            }
            _ => {
                if in_digits && !piece.is_empty() {
                    chain.add(number(piece));
                    start = at;
                    chain.open();
                }
                in_digits = false;
            }
        }
    }
    let rest = &text[start..];
    if !rest.is_empty() {
        if in_digits {
            chain.add(number(rest));
        } else {
            chain.open_if_filled();
            chain.add(qualifier(rest, false));
        }
    }
    if let Some(last) = chain.lists.last_mut() {
        trim(last);
    }
    chain.close()
}

/// Drops from the end what says nothing, also in front of an inner list that stays: `1.0-rc` is `1-rc`.
fn trim(list: &mut Vec<Part>) {
    for at in (0..list.len()).rev() {
        if list[at].says_nothing() {
            list.remove(at);
        } else if !matches!(list[at], Part::List(_)) {
            break;
        }
    }
}

fn number(digits: &str) -> Part {
    Part::Number(digits.trim_start_matches('0').to_owned())
}

fn qualifier(word: &str, before_digit: bool) -> Part {
    let word = match word {
        "a" if before_digit => "alpha",
        "b" if before_digit => "beta",
        "m" if before_digit => "milestone",
        word => word,
    };
    let place = match word {
        "alpha" => 0,
        "beta" => 1,
        "milestone" => 2,
        "rc" | "cr" => 3,
        "snapshot" => 4,
        "" | "ga" | "final" | "release" => RELEASE,
        "sp" => 6,
        other => return Part::Qualifier(Qualifier(UNKNOWN, other.to_owned())),
    };
    Part::Qualifier(Qualifier(place, String::new()))
}

impl Part {
    fn says_nothing(&self) -> bool {
        match self {
            Self::Number(digits) => digits.is_empty(),
            Self::Qualifier(Qualifier(place, _)) => *place == RELEASE,
            Self::List(list) => list.is_empty(),
        }
    }

    /// Against the absence of a part: `1-rc` is before `1`, `1.1` and `1-sp` are after it.
    fn compare_to_nothing(&self) -> Ordering {
        match self {
            Self::Number(digits) => digits.len().cmp(&0),
            Self::Qualifier(Qualifier(place, _)) => place.cmp(&RELEASE),
            Self::List(list) => {
                let decided = list.iter().map(Self::compare_to_nothing).find(|order| order.is_ne());
                decided.unwrap_or(Ordering::Equal)
            }
        }
    }

    /// A qualifier is before a list, a list before a number.
    fn kind(&self) -> u8 {
        match self {
            Self::Qualifier(_) => 0,
            Self::List(_) => 1,
            Self::Number(_) => 2,
        }
    }
}

fn compare(one: &Part, other: &Part) -> Ordering {
    match (one, other) {
        (Part::Number(a), Part::Number(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        (Part::Qualifier(a), Part::Qualifier(b)) => a.cmp(b),
        (Part::List(a), Part::List(b)) => compare_lists(a, b),
        (a, b) => a.kind().cmp(&b.kind()),
    }
}

fn compare_lists(one: &[Part], other: &[Part]) -> Ordering {
    let length = one.len().max(other.len());
    iter::zip(
        one.iter().map(Some).chain(iter::repeat(None)),
        other.iter().map(Some).chain(iter::repeat(None)),
    )
    .take(length)
    .map(|pair| match pair {
        (Some(a), Some(b)) => compare(a, b),
        (Some(a), None) => a.compare_to_nothing(),
        (None, Some(b)) => b.compare_to_nothing().reverse(),
        (None, None) => Ordering::Equal,
    })
    .find(|order| order.is_ne())
    .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_order_is_mavens_own() {
        let mut checked = 0;
        for line in include_str!("../../tests/fixtures/maven/versions.txt").lines() {
            if line.starts_with('#') {
                continue;
            }
            let [left, sign, right] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("not three words: {line}");
            };
            let (one, other) = (Version::new(left), Version::new(right));
            let order = match sign {
                "<" => Ordering::Less,
                "=" => Ordering::Equal,
                _ => Ordering::Greater,
            };
            assert_eq!(one.cmp(&other), order, "{line}\n{one:?}\n{other:?}");
            assert_eq!(other.cmp(&one), order.reverse(), "{line}, turned round");
            checked += 1;
        }
        assert!(checked > 300, "only {checked} pairs");
    }

    #[test]
    fn a_text_that_is_no_version_is_one_word() {
        let long = "1-".repeat(100_000);
        assert!(Version::new(&long) < Version::new("0.1"));
        assert_eq!(Version::new(&long), Version::new(&long));
        assert_eq!(Version::new(""), Version::new("0"));
    }

    proptest! {
        #[test]
        fn any_two_texts_have_an_order(a in "\\PC{0,40}", b in "\\PC{0,40}") {
            let (a, b) = (Version::new(&a), Version::new(&b));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&a), Ordering::Equal);
        }
    }
}
