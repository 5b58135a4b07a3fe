//! A merge request as GitLab told of it, by hook or by API.

use serde::{Deserialize, Serialize};

use super::{ProjectId, ProjectPath, Sha};

/// A person as GitLab shows him: the e-mail address is missing or `[REDACTED]` in newer hooks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Full name.
    pub name: String,
    /// Login name, without `@`; empty where only a commit names the person.
    pub username: String,
    /// Address that mail can be sent to, if one is known.
    pub email: Option<String>,
}

/// What decides about a build: one merge request at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeRequest {
    /// Number of the target project.
    pub project_id: ProjectId,
    /// Path of the target project.
    pub project: ProjectPath,
    /// Number of the project that the commits come from; differs from `project_id` for a fork, `None` when the fork is gone.
    pub source_project_id: Option<ProjectId>,
    /// Number of the merge request inside its project: the one that people say.
    pub iid: i64,
    /// Title, one line.
    pub title: String,
    /// Is it marked as draft?
    pub draft: bool,
    /// Newest commit of the source branch.
    pub head: Sha,
    /// Branch that the commits come from.
    pub source_branch: String,
    /// Branch that it shall be merged into.
    pub target_branch: String,
    /// Who opened it, as far as the event tells.
    pub author: Person,
    /// Address of its page.
    pub url: String,
}

impl MergeRequest {
    /// Do its commits come from another project?
    pub fn from_fork(&self) -> bool {
        self.source_project_id != Some(self.project_id)
    }
}

/// One commit between target and head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its id.
    pub sha: Sha,
    /// First line of its message.
    pub subject: String,
    /// Name of its author.
    pub author_name: String,
    /// Address of its author.
    pub author_email: String,
    /// Address of its committer: the last one is mailed.
    pub committer_email: String,
    /// Seconds since 1970 of the author's date.
    pub authored_at: i64,
}
