//! What is wrong with a project, said to the person who can mend it.

use serde::{Deserialize, Serialize};

/// A reason why a build ended as *failed*: the project's fault, never the world's.
///
/// It is read by a developer in a mail: `title` is the one sentence, `detail` the evidence (lines of text, may be empty),
/// `help` what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable name of the rule, for example `merge-conflict` or `tests-failed`.
    pub rule: String,
    /// One sentence without line breaks: what is wrong and where.
    pub title: String,
    /// Evidence, one item a line.
    pub detail: Vec<String>,
    /// What to do next.
    pub help: String,
}

impl Finding {
    /// A finding without evidence; add some by [`Finding::with_detail`].
    pub fn new(rule: &str, title: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            rule: rule.to_owned(),
            title: title.into(),
            detail: Vec::new(),
            help: help.into(),
        }
    }

    /// The same finding with its evidence.
    pub fn with_detail(mut self, detail: impl IntoIterator<Item = String>) -> Self {
        self.detail.extend(detail);
        self
    }
}
