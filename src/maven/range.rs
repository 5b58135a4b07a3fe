//! Ranges of versions, and of versions of one library: `org.apache.logging.log4j:log4j-core<2.17.1`.
//!
//! Two ways of writing. Maven's own (POM reference, "Dependency Version Requirement Specification"): `[1.0,2.0)`, `(,1.0]`,
//! `[1.0]`, several joined by commas, of which one must hold. And comparisons: `<2.17.1`, `>=2.0,<2.17.1`, of which all must
//! hold. Maven's order counts: `2.0-rc1` is before `2.0`, therefore in `[1.0,2.0)`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::Version;
use crate::model::Component;

/// Characters of a library's range at most.
const LONGEST: usize = 1000;

/// A set of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    text: String,
    /// One must hold; none at all means that every version is in it.
    intervals: Vec<Interval>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Interval {
    /// All must hold.
    bounds: Vec<(Relation, Version)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Below,
    UpTo,
    Is,
    From,
    Above,
}

/// A library and some of its versions: `group:artifact`, followed by a [`Range`] unless all are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// The groupId.
    pub group: String,
    /// The artifactId.
    pub artifact: String,
    /// Which versions.
    pub range: Range,
}

/// A text that is no range, said so that it can be mended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRange(String);

impl Range {
    /// Is this version in it?
    pub fn contains(&self, version: &Version) -> bool {
        self.intervals.is_empty() || self.intervals.iter().any(|interval| interval.contains(version))
    }
}

impl Selector {
    /// Is this library, in this version, meant? A version that is not known is in no range, but among all versions.
    pub fn selects(&self, component: &Component) -> bool {
        component.is(&self.group, &self.artifact)
            && match component.version.as_str() {
                "" => self.range.intervals.is_empty(),
                version => self.range.contains(&Version::new(version)),
            }
    }
}

impl Interval {
    fn contains(&self, version: &Version) -> bool {
        self.bounds.iter().all(|(relation, bound)| match relation {
            Relation::Below => version < bound,
            Relation::UpTo => version <= bound,
            Relation::Is => version == bound,
            Relation::From => version >= bound,
            Relation::Above => version > bound,
        })
    }

    /// Can any version be in it, as far as its lowest and highest bound say?
    fn is_possible(&self) -> bool {
        use Relation::{Above, Below, From, Is, UpTo};
        let low = |relation| matches!(relation, Above | From | Is);
        let high = |relation| matches!(relation, Below | UpTo | Is);
        self.bounds
            .iter()
            .filter(|(relation, _)| low(*relation))
            .all(|(lower, least)| {
                self.bounds
                    .iter()
                    .filter(|(relation, _)| high(*relation))
                    .all(|(upper, most)| least < most || (least == most && *lower != Above && *upper != Below))
            })
    }
}

impl FromStr for Range {
    type Err = BadRange;

    fn from_str(text: &str) -> Result<Self, BadRange> {
        let written = text.trim();
        if written.chars().count() > LONGEST {
            return Err(BadRange(format!("a range has at most {LONGEST} characters")));
        }
        let intervals = match written.chars().next() {
            None => return Err(BadRange(format!("the range is empty; {HOW}"))),
            Some('[' | '(') => intervals(written)?,
            Some('<' | '>' | '=') => vec![comparisons(written)?],
            Some(_) => {
                return Err(BadRange(format!(
                    "{written:?} is no range: for exactly this version write \"={written}\"; {HOW}"
                )));
            }
        };
        if let Some(never) = intervals.iter().find(|interval| !interval.is_possible()) {
            let bounds: Vec<&str> = never.bounds.iter().map(|(_, version)| version.as_str()).collect();
            return Err(BadRange(format!(
                "{written:?} holds no version: look at the order of {}",
                bounds.join(" and ")
            )));
        }
        Ok(Self {
            text: written.to_owned(),
            intervals,
        })
    }
}

const HOW: &str = "ranges are written like <2.17.1, like >=2.0,<2.17.1 or like [2.0,2.17.1)";

fn comparisons(text: &str) -> Result<Interval, BadRange> {
    let bounds = text.split(',').map(|piece| {
        let piece = piece.trim();
        let signs = [
            ("<=", Relation::UpTo),
            (">=", Relation::From),
            ("<", Relation::Below),
            (">", Relation::Above),
            ("=", Relation::Is),
        ];
        let found = signs
            .into_iter()
            .find_map(|(sign, relation)| Some((relation, piece.strip_prefix(sign)?)));
        let Some((relation, written)) = found else {
            return Err(BadRange(format!(
                "{piece:?} in {text:?} does not begin with <, <=, >, >= or ="
            )));
        };
        Ok((relation, version(written, text)?))
    });
    Ok(Interval {
        bounds: bounds.collect::<Result<_, _>>()?,
    })
}

fn intervals(text: &str) -> Result<Vec<Interval>, BadRange> {
    let mut intervals = Vec::new();
    let mut rest = text;
    loop {
        let bad = |what: &str| BadRange(format!("{text:?} is no range: {what}; {HOW}"));
        let open = rest.chars().next().filter(|c| matches!(c, '[' | '('));
        let from = open.ok_or_else(|| bad("each part begins with [ or ("))?;
        let end = rest.find([']', ')']).ok_or_else(|| bad("a ] or ) is missing"))?;
        let (inner, closed) = (&rest[1..end], rest[end..].starts_with(']'));
        let mut interval = Interval::default();
        match inner.split(',').map(str::trim).collect::<Vec<_>>()[..] {
            [only] if from == '[' && closed => interval.bounds.push((Relation::Is, version(only, text)?)),
            [_] => return Err(bad("a single version stands in [ and ]")),
            ["", ""] => return Err(bad("(,) holds every version: leave it out")),
            [low, high] => {
                let relations = match (from, closed) {
                    ('[', true) => (Relation::From, Relation::UpTo),
                    ('[', false) => (Relation::From, Relation::Below),
                    (_, true) => (Relation::Above, Relation::UpTo),
                    (_, false) => (Relation::Above, Relation::Below),
                };
                for (relation, written) in [(relations.0, low), (relations.1, high)] {
                    if !written.is_empty() {
                        interval.bounds.push((relation, version(written, text)?));
                    }
                }
            }
            _ => return Err(bad("between brackets stand one or two versions")),
        }
        intervals.push(interval);
        rest = rest[end + 1..].trim_start();
        if rest.is_empty() {
            return Ok(intervals);
        }
        rest = rest
            .strip_prefix(',')
            .ok_or_else(|| bad("parts are joined by commas"))?
            .trim_start();
    }
}

fn version(written: &str, range: &str) -> Result<Version, BadRange> {
    let written = written.trim();
    if written.is_empty() {
        return Err(BadRange(format!("a version is missing in {range:?}")));
    }
    if written
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || "<>=[](),:".contains(c))
    {
        return Err(BadRange(format!("{written:?} in {range:?} is no version")));
    }
    Ok(Version::new(written))
}

impl FromStr for Selector {
    type Err = BadRange;

    fn from_str(text: &str) -> Result<Self, BadRange> {
        let text = text.trim();
        let end = text.find(['<', '>', '=', '[', '(']).unwrap_or(text.len());
        let (library, range) = text.split_at(end);
        let range = match range.trim() {
            "" => Range {
                text: String::new(),
                intervals: Vec::new(),
            },
            range => range.parse()?,
        };
        let parts: Vec<&str> = library.trim().split(':').collect();
        let [group, artifact] = parts[..] else {
            return Err(BadRange(format!(
                "{text:?} names no library: write group:artifact, and behind it the versions that are meant, for example \
                 org.apache.logging.log4j:log4j-core<2.17.1"
            )));
        };
        for (what, name) in [("group", group), ("artifact", artifact)] {
            if !is_coordinate(name) {
                return Err(BadRange(format!(
                    "the {what} {name:?} in {text:?} is none: Maven allows letters, digits, '.', '_' and '-'"
                )));
            }
        }
        Ok(Self {
            group: group.to_owned(),
            artifact: artifact.to_owned(),
            range,
        })
    }
}

/// May this be a groupId or an artifactId? Maven's own rule (`DefaultModelValidator`), with a limit of length.
pub fn is_coordinate(name: &str) -> bool {
    (1..=200).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}{}", self.group, self.artifact, self.range)
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(range: &str, version: &str) -> bool {
        let range: Range = range.parse().unwrap_or_else(|error| panic!("{range}: {error}"));
        range.contains(&Version::new(version))
    }

    fn component(group: &str, artifact: &str, version: &str) -> Component {
        Component {
            group: group.to_owned(),
            artifact: artifact.to_owned(),
            version: version.to_owned(),
            package: String::new(),
        }
    }

    #[test]
    fn the_ranges_of_the_pom_reference() {
        // Range, a version in it, one that is not.
        for (range, inside, outside) in [
            ("[1.0]", "1", "1.1"),
            ("(,1.0]", "1.0", "1.0.1"),
            ("[1.2,1.3]", "1.3", "1.3.1"),
            ("[1.0,2.0)", "2.0-rc1", "2.0"),
            ("[1.5,)", "99", "1.5-SNAPSHOT"),
            ("(,1.0],[1.2,)", "1.2", "1.1"),
            ("(,1.1),(1.1,)", "1.2", "1.1"),
        ] {
            assert!(has(range, inside), "{range} has {inside}");
            assert!(!has(range, outside), "{range} has not {outside}");
        }
    }

    #[test]
    fn comparisons_hold_all_at_once() {
        assert!(has("<2.17.1", "2.17.0") && !has("<2.17.1", "2.17.1"));
        assert!(has(">=2.0,<2.17.1", "2.0") && !has(">=2.0,<2.17.1", "2.0-rc2"));
        assert!(has(">2, <=3", "3.0") && !has(">2, <=3", "2.0"));
        assert!(has("=1.0", "1"));
    }

    #[test]
    fn what_is_no_range_is_refused_with_advice() {
        for (range, says) in [
            ("1.0", "=1.0"),
            ("", "empty"),
            ("[1.0", "] or )"),
            ("(1.0)", "in [ and ]"),
            ("(,)", "every version"),
            ("[1,2,3]", "one or two"),
            ("[1,2)[3,4)", "commas"),
            ("[2,1]", "holds no version"),
            (">2,<2", "holds no version"),
            ("<", "missing"),
            ("<1 2", "is no version"),
            (">=1,2", "does not begin"),
        ] {
            let error = range.parse::<Range>().expect_err(range).to_string();
            assert!(error.contains(says), "{range}: {error}");
        }
    }

    #[test]
    fn a_selector_is_a_library_and_its_versions() {
        let selector: Selector = "org.apache.logging.log4j:log4j-core<2.17.1"
            .parse()
            .expect("a selector");
        let log4j = |version| component("org.apache.logging.log4j", "log4j-core", version);
        assert!(selector.selects(&log4j("2.17.0")) && selector.selects(&log4j("2.0-beta9")));
        assert!(!selector.selects(&log4j("2.17.1")) && !selector.selects(&log4j("")));
        assert_eq!(selector.to_string(), "org.apache.logging.log4j:log4j-core<2.17.1");
        let all: Selector = "log4j:log4j".parse().expect("a selector");
        assert!(all.selects(&component("log4j", "log4j", "")) && all.selects(&component("log4j", "log4j", "1.2.17")));
        let maven: Selector = "a:b[1,2)".parse().expect("a selector");
        assert!(maven.selects(&component("a", "b", "1.9")));
        for wrong in ["log4j", "a:b:1.0", "a:b c<1", ":b<1", "a:<1", "a:b<"] {
            assert!(wrong.parse::<Selector>().is_err(), "{wrong}");
        }
    }
}
