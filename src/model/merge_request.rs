//! What is built: a merge request, or a commit that was pushed to a target branch, as GitLab told of it, by hook or by API.

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

/// What decides about a build: one merge request at one moment, or one push to a target branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeRequest {
    /// Number of the target project.
    pub project_id: ProjectId,
    /// Path of the target project.
    pub project: ProjectPath,
    /// Number of the project that the commits come from; differs from `project_id` for a fork, `None` when the fork is gone.
    pub source_project_id: Option<ProjectId>,
    /// Number of the merge request inside its project: the one that people say. `None`: a push to a target branch, the
    /// trunk. Then `head` is its tip, both branches are that branch, and the author is who pushed.
    pub iid: Option<i64>,
    /// Title, one line; of a push that of its newest commit.
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
    /// Address of its page; of a push the page of its newest commit.
    pub url: String,
}

impl MergeRequest {
    /// Do its commits come from another project?
    pub fn from_fork(&self) -> bool {
        self.source_project_id != Some(self.project_id)
    }

    /// Is it a push to a target branch?
    pub fn is_trunk(&self) -> bool {
        self.iid.is_none()
    }
}

/// What people call it inside its project: `!7`, or the branch that was pushed to.
pub fn mark(iid: Option<i64>, branch: &str) -> String {
    match iid {
        Some(iid) => format!("!{iid}"),
        None => branch.to_owned(),
    }
}

/// What people call it: `shop/basket!7`, or `shop/basket main`.
pub fn full_mark(project: &ProjectPath, iid: Option<i64>, branch: &str) -> String {
    let between = if iid.is_some() { "" } else { " " };
    format!("{project}{between}{}", mark(iid, branch))
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
