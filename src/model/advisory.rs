//! A known vulnerability, in the words of OSV (Open Source Vulnerability format, ossf.github.io/osv-schema, 1.7).

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Invalid;

/// How bad a vulnerability is (CVSS 3.1, "Qualitative Severity Rating Scale").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A score below 4.
    Low,
    /// From 4; GitHub says "moderate".
    Medium,
    /// From 7.
    High,
    /// From 9.
    Critical,
}

/// What is known of one vulnerability in Maven's world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advisory {
    /// Its name, for example `GHSA-jfh8-c2jp-5v3q`.
    pub id: String,
    /// Other names of the same, for example `CVE-2021-44228`.
    pub aliases: Vec<String>,
    /// One line, may be empty.
    pub summary: String,
    /// How bad, if anybody has said so.
    pub level: Option<Level>,
    /// When it was last changed: the newer of two with one name counts.
    pub modified: DateTime<Utc>,
    /// Was it taken back?
    pub withdrawn: bool,
    /// Which libraries it is in.
    pub affected: Vec<Affected>,
}

/// One library with the versions that are vulnerable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// The groupId.
    pub group: String,
    /// The artifactId.
    pub artifact: String,
    /// Histories: a version is vulnerable if one of them says so.
    pub ranges: Vec<Vec<Event>>,
    /// Versions that are vulnerable by themselves.
    pub versions: Vec<String>,
}

/// A turn in the history of a vulnerability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Vulnerable from this version on; `0` is before all.
    Introduced(String),
    /// No longer from this version on.
    Fixed(String),
    /// No longer after this version.
    LastAffected(String),
    /// Nothing is said of this version and later ones; `*` is after all.
    Limit(String),
}

impl Level {
    /// What is counted with where nobody has said how bad it is: it may be anything.
    pub fn assumed(level: Option<Self>) -> Self {
        level.unwrap_or(Self::Medium)
    }

    /// The name in pipeline files and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Level {
    type Err = Invalid;
    fn from_str(s: &str) -> Result<Self, Invalid> {
        [Self::Low, Self::Medium, Self::High, Self::Critical]
            .into_iter()
            .find(|level| level.as_str() == s)
            .ok_or_else(|| Invalid {
                what: "level",
                value: s.to_owned(),
                expected: "low, medium, high or critical",
            })
    }
}

impl Advisory {
    /// `GHSA-jfh8-c2jp-5v3q (CVE-2021-44228, critical)`.
    pub fn name(&self) -> String {
        advisory_name(&self.id, &self.aliases, self.level)
    }
}

/// The name of an advisory for people: with its CVE and its level, as far as they are known.
pub fn advisory_name(id: &str, aliases: &[String], level: Option<Level>) -> String {
    let cve = aliases
        .iter()
        .find(|alias| alias.starts_with("CVE-"))
        .map(String::as_str);
    let more: Vec<&str> = cve.into_iter().chain(level.map(Level::as_str)).collect();
    match more.is_empty() {
        true => id.to_owned(),
        false => format!("{id} ({})", more.join(", ")),
    }
}
