//! Is this version vulnerable? The evaluation of OSV ("Evaluation", ossf.github.io/osv-schema), in Maven's order.

use crate::maven::Version;
use crate::model::{Affected, Component, Event};

/// Does this entry of an advisory speak of this library, and of its version as vulnerable?
///
/// A version that is not known is never vulnerable: nobody could mend what is said of it.
pub fn affects(affected: &Affected, component: &Component) -> bool {
    if component.version.is_empty() || !component.is(&affected.group, &affected.artifact) {
        return false;
    }
    let version = Version::new(&component.version);
    affected.versions.iter().any(|listed| Version::new(listed) == version)
        || affected.ranges.iter().any(|events| is_within(events, &version))
}

/// The first version in which it is mended, for a library that [`affects`] found vulnerable.
pub fn fixed_in<'a>(affected: &'a Affected, component: &Component) -> Option<&'a str> {
    let version = Version::new(&component.version);
    let fixes = affected.ranges.iter().flatten().filter_map(|event| match event {
        Event::Fixed(fixed) => Some((Version::new(fixed), fixed.as_str())),
        _ => None,
    });
    fixes
        .filter(|(fixed, _)| *fixed > version)
        .min_by(|(a, _), (b, _)| a.cmp(b))
        .map(|(_, text)| text)
}

fn is_within(events: &[Event], version: &Version) -> bool {
    let mut limits = events.iter().filter_map(|event| match event {
        Event::Limit(limit) => Some(limit.as_str()),
        _ => None,
    });
    let limited = limits.clone().next().is_some();
    if limited && !limits.any(|limit| limit == "*" || *version < Version::new(limit)) {
        return false;
    }
    let mut turns: Vec<(Option<Version>, &Event)> = events
        .iter()
        .filter_map(|event| match event {
            // Before all versions, those with letters in front too: `None` is less than any.
            Event::Introduced(at) if at == "0" => Some((None, event)),
            Event::Introduced(at) | Event::Fixed(at) | Event::LastAffected(at) => Some((Some(Version::new(at)), event)),
            Event::Limit(_) => None,
        })
        .collect();
    turns.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut vulnerable = false;
    for (at, event) in &turns {
        let order = at.as_ref().map_or(std::cmp::Ordering::Greater, |at| version.cmp(at));
        match event {
            Event::Introduced(_) if order.is_ge() => vulnerable = true,
            Event::Fixed(_) if order.is_ge() => vulnerable = false,
            Event::LastAffected(_) if order.is_gt() => vulnerable = false,
            _ => {}
        }
    }
    vulnerable
}

#[cfg(test)]
mod tests {
    use super::super::osv::parse;
    use super::*;

    fn component(name: &str, version: &str) -> Component {
        let (group, artifact) = name.split_once(':').expect("group:artifact");
        Component {
            group: group.to_owned(),
            artifact: artifact.to_owned(),
            version: version.to_owned(),
            package: String::new(),
        }
    }

    fn vulnerable(advisory: &str, name: &str, version: &str) -> bool {
        let advisory = parse(advisory.as_bytes()).expect("OSV").expect("of Maven");
        advisory
            .affected
            .iter()
            .any(|affected| affects(affected, &component(name, version)))
    }

    #[test]
    fn log4j_at_its_borders() {
        let first = include_str!("../../tests/fixtures/osv/GHSA-jfh8-c2jp-5v3q.json");
        let last = include_str!("../../tests/fixtures/osv/GHSA-8489-44mv-ggj8.json");
        let core = "org.apache.logging.log4j:log4j-core";
        for (version, by_first, by_last) in [
            ("1.2.17", false, false),
            ("2.0-beta7", false, true),
            ("2.0-beta9", true, true),
            ("2.3", true, true),
            ("2.3.1", false, true),
            ("2.3.2", false, false),
            ("2.4", true, true),
            ("2.12.1", true, true),
            ("2.12.2", false, true),
            ("2.12.4", false, false),
            ("2.13.0-rc1", false, false),
            ("2.14.1", true, true),
            ("2.15.0", false, true),
            ("2.17.0", false, true),
            ("2.17.1", false, false),
            ("2.17.1-rc1", false, true),
            ("2.18.0", false, false),
        ] {
            assert_eq!(
                vulnerable(first, core, version),
                by_first,
                "GHSA-jfh8-c2jp-5v3q on {version}"
            );
            assert_eq!(
                vulnerable(last, core, version),
                by_last,
                "GHSA-8489-44mv-ggj8 on {version}"
            );
        }
        assert!(!vulnerable(first, "org.apache.logging.log4j:log4j-api", "2.14.1"));
    }

    #[test]
    fn spring_beans_and_commons_text_at_their_borders() {
        let spring = include_str!("../../tests/fixtures/osv/GHSA-36p3-wjmg-h94x.json");
        let text = include_str!("../../tests/fixtures/osv/GHSA-599f-7c49-w659.json");
        for (version, is) in [
            ("4.3.30.RELEASE", true),
            ("5.2.19.RELEASE", true),
            ("5.2.20.RELEASE", false),
            ("5.2.20", false),
            ("5.3.0", true),
            ("5.3.17", true),
            ("5.3.18", false),
            ("6.0.0-M1", false),
        ] {
            assert_eq!(
                vulnerable(spring, "org.springframework:spring-beans", version),
                is,
                "{version}"
            );
        }
        for (version, is) in [
            ("1.4", false),
            ("1.5", true),
            ("1.9", true),
            ("1.10.0", false),
            ("1.10", false),
        ] {
            assert_eq!(
                vulnerable(text, "org.apache.commons:commons-text", version),
                is,
                "{version}"
            );
        }
        // Made by Gradle: its jar says no group.
        let beans = Component {
            group: String::new(),
            package: "org.springframework.beans".to_owned(),
            ..component("x:spring-beans", "5.3.17")
        };
        let spring = parse(spring.as_bytes()).expect("OSV").expect("of Maven");
        let affected = spring
            .affected
            .iter()
            .find(|affected| affects(affected, &beans))
            .expect("vulnerable");
        assert_eq!(fixed_in(affected, &beans), Some("5.3.18"));
    }

    fn within(events: &[Event], version: &str) -> bool {
        is_within(events, &Version::new(version))
    }

    #[test]
    fn events_count_in_the_order_of_their_versions() {
        use Event::{Fixed, Introduced, LastAffected, Limit};
        let text = str::to_owned;
        let twice = [
            Fixed(text("4")),
            Introduced(text("3")),
            Fixed(text("2")),
            Introduced(text("1")),
        ];
        for (version, is) in [
            ("0.9", false),
            ("1", true),
            ("2", false),
            ("3", true),
            ("3.9", true),
            ("4", false),
        ] {
            assert_eq!(within(&twice, version), is, "{version}");
        }
        let last = [Introduced(text("0")), LastAffected(text("1.5"))];
        for (version, is) in [("alpha", true), ("1.5", true), ("1.5.0", true), ("1.5.1", false)] {
            assert_eq!(within(&last, version), is, "{version}");
        }
        let limited = [Introduced(text("1")), Limit(text("2")), Limit(text("3"))];
        assert!(within(&limited, "2.5") && !within(&limited, "3"));
        assert!(within(&[Introduced(text("1")), Limit(text("*"))], "9"));
        assert!(!within(&[], "1"));
    }
}
