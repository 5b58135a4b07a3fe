//! What the service chose by itself for a project, and on what grounds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One choice, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What was chosen: `builder`, `WAR`, `servlet`, `stack`.
    pub what: String,
    /// What it was chosen to be, for example `JDK 17`.
    pub value: String,
    /// The grounds, one a line, the deciding one first.
    pub evidence: Vec<String>,
    /// Did the pipeline say so, whatever the project says?
    pub overridden: bool,
}

impl Choice {
    /// A choice on these grounds.
    pub fn new(what: &str, value: impl Into<String>, evidence: Vec<String>) -> Self {
        Self {
            what: what.to_owned(),
            value: value.into(),
            evidence,
            overridden: false,
        }
    }

    /// The same, decided by the pipeline.
    pub fn overridden(mut self) -> Self {
        self.overridden = true;
        self
    }
}

impl Choice {
    /// The evidence in one line of at most so many characters, fit for a label.
    pub fn grounds(&self, longest: usize) -> String {
        let overridden = if self.overridden { "overridden: " } else { "" };
        let line = format!("{overridden}{}", self.evidence.join("; "));
        line.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(longest)
            .collect()
    }
}

/// `builder JDK 17: maven.compiler.release is 17 in pom.xml; …`
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let overridden = if self.overridden { " (overridden)" } else { "" };
        write!(
            f,
            "{} {}{overridden}: {}",
            self.what,
            self.value,
            self.evidence.join("; ")
        )
    }
}
