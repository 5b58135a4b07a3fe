//! Reads one advisory in the Open Source Vulnerability format (ossf.github.io/osv-schema, 1.7; older ones are contained in
//! it). Keys that are not used are passed by, as the format asks of readers.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::maven::range::is_coordinate;
use crate::model::{Advisory, Affected, Event, Level};

/// Longest version, in bytes, that is taken from an advisory.
const LONGEST_VERSION: usize = 200;

/// An advisory that is not what the format says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAdvisory(String);

impl BadAdvisory {
    pub(super) fn new(why: String) -> Self {
        Self(why)
    }
}

#[derive(Deserialize)]
struct Document {
    id: String,
    modified: DateTime<Utc>,
    #[serde(default)]
    withdrawn: Option<DateTime<Utc>>,
    #[serde(default)]
    aliases: Option<Vec<String>>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    severity: Option<Vec<Severity>>,
    #[serde(default)]
    affected: Option<Vec<Entry>>,
    #[serde(default)]
    database_specific: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Severity {
    r#type: String,
    score: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    package: Option<Package>,
    #[serde(default)]
    severity: Option<Vec<Severity>>,
    #[serde(default)]
    ranges: Option<Vec<History>>,
    #[serde(default)]
    versions: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Package {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct History {
    r#type: String,
    events: Vec<Turn>,
}

/// The format wants exactly one of them in each event.
#[derive(Deserialize)]
struct Turn {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
    limit: Option<String>,
}

/// Reads an advisory; `None` if it says nothing of Maven's libraries.
///
/// # Errors
/// It is no JSON, lacks what the format requires, or names a library or an event that cannot be.
pub fn parse(bytes: &[u8]) -> Result<Option<Advisory>, BadAdvisory> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| BadAdvisory(error.to_string()))?;
    if !is_name(&document.id) {
        return Err(BadAdvisory(format!("{:?} is no id of an advisory", document.id)));
    }
    let entries = document.affected.unwrap_or_default();
    let scores = document
        .severity
        .iter()
        .flatten()
        .chain(entries.iter().flat_map(|entry| entry.severity.iter().flatten()));
    let level = stated(document.database_specific.as_ref()).or_else(|| scores.filter_map(scored).max());
    let mut affected = Vec::new();
    for entry in entries {
        affected.extend(of_maven(entry)?);
    }
    if affected.is_empty() {
        return Ok(None);
    }
    Ok(Some(Advisory {
        id: document.id,
        aliases: document
            .aliases
            .unwrap_or_default()
            .into_iter()
            .filter(|alias| is_name(alias))
            .collect(),
        summary: document
            .summary
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        level,
        modified: document.modified,
        withdrawn: document.withdrawn.is_some(),
        affected,
    }))
}

fn is_name(id: &str) -> bool {
    (1..=200).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn of_maven(entry: Entry) -> Result<Option<Affected>, BadAdvisory> {
    // `Maven:https://repo.spring.io/` is the same ecosystem with another repository.
    let is_maven = |package: &Package| package.ecosystem.split(':').next() == Some("Maven");
    let Some(package) = entry.package.filter(is_maven) else {
        return Ok(None);
    };
    let named = package
        .name
        .split_once(':')
        .filter(|(group, artifact)| is_coordinate(group) && is_coordinate(artifact));
    let Some((group, artifact)) = named else {
        return Err(BadAdvisory(format!(
            "{:?} is no package of Maven, which is written group:artifact",
            package.name
        )));
    };
    let mut ranges = Vec::new();
    for history in entry.ranges.unwrap_or_default() {
        match history.r#type.as_str() {
            // Commits say nothing of a jar.
            "GIT" => {}
            "ECOSYSTEM" | "SEMVER" => ranges.push(history.events.into_iter().map(event).collect::<Result<_, _>>()?),
            other => return Err(BadAdvisory(format!("{other:?} is no type of a range"))),
        }
    }
    let versions = entry.versions.unwrap_or_default();
    if let Some(version) = versions.iter().find(|version| version.len() > LONGEST_VERSION) {
        return Err(BadAdvisory(format!("a version of {} bytes is none", version.len())));
    }
    Ok(Some(Affected {
        group: group.to_owned(),
        artifact: artifact.to_owned(),
        ranges,
        versions,
    }))
}

fn event(turn: Turn) -> Result<Event, BadAdvisory> {
    let (event, version) = match turn {
        Turn {
            introduced: Some(at),
            fixed: None,
            last_affected: None,
            limit: None,
        } => (Event::Introduced as fn(String) -> Event, at),
        Turn {
            introduced: None,
            fixed: Some(at),
            last_affected: None,
            limit: None,
        } => (Event::Fixed as _, at),
        Turn {
            introduced: None,
            fixed: None,
            last_affected: Some(at),
            limit: None,
        } => (Event::LastAffected as _, at),
        Turn {
            introduced: None,
            fixed: None,
            last_affected: None,
            limit: Some(at),
        } => (Event::Limit as _, at),
        _ => {
            return Err(BadAdvisory(
                "an event has to be one of introduced, fixed, last_affected and limit".to_owned(),
            ));
        }
    };
    match version.len() {
        1..=LONGEST_VERSION => Ok(event(version)),
        length => Err(BadAdvisory(format!(
            "an event with a version of {length} bytes is none"
        ))),
    }
}

/// The word of the database that the advisory is from; GitHub's is `MODERATE` where others say medium.
fn stated(specific: Option<&serde_json::Value>) -> Option<Level> {
    match specific?.get("severity")?.as_str()?.to_ascii_lowercase().as_str() {
        "low" => Some(Level::Low),
        "moderate" | "medium" => Some(Level::Medium),
        "high" => Some(Level::High),
        "critical" => Some(Level::Critical),
        _ => None,
    }
}

fn scored(severity: &Severity) -> Option<Level> {
    if !severity.r#type.starts_with("CVSS_V") {
        return None;
    }
    match severity.score.parse::<cvss::Cvss>().ok()?.severity() {
        cvss::Severity::None => None,
        cvss::Severity::Low => Some(Level::Low),
        cvss::Severity::Medium => Some(Level::Medium),
        cvss::Severity::High => Some(Level::High),
        cvss::Severity::Critical => Some(Level::Critical),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG4SHELL: &str = include_str!("../../tests/fixtures/osv/GHSA-jfh8-c2jp-5v3q.json");

    #[test]
    fn an_advisory_is_read() {
        let advisory = parse(LOG4SHELL.as_bytes()).expect("OSV").expect("of Maven");
        assert_eq!(advisory.name(), "GHSA-jfh8-c2jp-5v3q (CVE-2021-44228, critical)");
        assert!(!advisory.withdrawn && advisory.summary.contains("log4j"));
        assert_eq!(advisory.affected[0].artifact, "log4j-core");
    }

    #[test]
    fn a_level_is_stated_or_follows_from_a_score() {
        let with = |more: &str| {
            let text = format!(
                r#"{{"id":"X-1","modified":"2024-01-01T00:00:00Z",{more}
                "affected":[{{"package":{{"ecosystem":"Maven","name":"a:b"}},"versions":["1"]}}]}}"#
            );
            parse(text.as_bytes()).expect("OSV").expect("of Maven").level
        };
        let v3 = r#""severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"}],"#;
        let v4 = r#""severity":[{"type":"CVSS_V4","score":"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N"}],"#;
        assert_eq!(with(v3), Some(Level::Critical));
        assert_eq!(with(v4), Some(Level::Medium));
        assert_eq!(
            with(&format!(r#""database_specific":{{"severity":"MODERATE"}},{v3}"#)),
            Some(Level::Medium)
        );
        assert_eq!(with(""), None);
        assert_eq!(with(r#""severity":[{"type":"CVSS_V3","score":"nonsense"}],"#), None);
    }

    #[test]
    fn other_ecosystems_are_none_of_ours_and_nonsense_is_told() {
        let with = |package: &str, events: &str| {
            let text = format!(
                r#"{{"id":"X-1","modified":"2024-01-01T00:00:00Z","unknown":{{}},
                "affected":[{{"package":{package},"ranges":[{{"type":"ECOSYSTEM","events":[{events}]}},
                {{"type":"GIT","repo":"https://x","events":[{{"introduced":"0"}}]}}]}}]}}"#
            );
            parse(text.as_bytes())
        };
        let npm = r#"{"ecosystem":"npm","name":"left-pad"}"#;
        let maven = r#"{"ecosystem":"Maven:https://repo.spring.io/","name":"a:b","purl":"pkg:maven/a/b"}"#;
        let start = r#"{"introduced":"0"}"#;
        assert_eq!(with(npm, start), Ok(None));
        let found = with(maven, start).expect("OSV").expect("of Maven");
        assert_eq!(found.affected[0].ranges, [[Event::Introduced("0".to_owned())]]);
        for (package, events, says) in [
            (r#"{"ecosystem":"Maven","name":"log4j"}"#, start, "group:artifact"),
            (maven, r#"{"introduced":"0","fixed":"1"}"#, "one of introduced"),
            (maven, "{}", "one of introduced"),
            (maven, r#"{"fixed":""}"#, "0 bytes"),
        ] {
            let error = with(package, events).expect_err(says).to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(parse(b"[]").is_err() && parse(b"{\"id\":\"X\"}").is_err());
    }
}
