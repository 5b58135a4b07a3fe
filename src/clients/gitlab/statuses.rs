//! Commit statuses, with GitLab's ways of refusing one.
//!
//! `ci/create_commit_status_service.rb`: a lock per commit is waited for up to 10 s, then 409. A status row is used again
//! only while it is pending or running, so a finished one is never reopened. A transition that changes nothing, or that
//! comes late, is a 400: woodpecker-ci/woodpecker#4067 and jenkinsci/gitlab-plugin#885 show what comes of taking that for
//! a failure.

use reqwest::Method;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::error::{Doing, GitLabErrorKind};
use super::{GitLab, GitLabError};
use crate::model::{ProjectId, Sha};

/// The states that are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitState {
    /// Accepted, waits for a worker.
    Pending,
    /// A worker has it.
    Running,
    /// Passed.
    Success,
    /// The project is at fault, or the build could not be done.
    Failed,
    /// Superseded, or cancelled by a person.
    Canceled,
}

/// What is shown at the commit.
#[derive(Debug, Clone)]
pub struct StatusUpdate<'a> {
    /// The state.
    pub state: CommitState,
    /// Name of the status, the same for all of ours: `seaworthy`.
    pub name: &'a str,
    /// Page of the build; GitLab takes 255 characters at most.
    pub target_url: &'a str,
    /// One line; cut to the 255 characters that GitLab takes.
    pub description: &'a str,
    /// The source branch. Without it GitLab looks for any branch with the commit.
    pub r#ref: Option<&'a str>,
}

/// What became of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusOutcome {
    /// It is set.
    Set,
    /// It was in this state, or in a later one, before.
    AlreadyThere,
}

#[derive(Serialize)]
struct Body<'a> {
    state: CommitState,
    name: &'a str,
    target_url: &'a str,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#ref: Option<&'a str>,
}

impl GitLab {
    /// Sets a commit status.
    ///
    /// # Errors
    /// `Busy` for 409 (another status of the commit is being written), `NotThere` for a commit that this project does not
    /// have on a branch: commits of forks, for good.
    pub async fn set_commit_status(
        &self,
        project: ProjectId,
        sha: &Sha,
        update: &StatusUpdate<'_>,
    ) -> Result<StatusOutcome, GitLabError> {
        let doing = Doing::new(
            format!("set the commit status of {} in project {project}", sha.short()),
            "role Developer in the project, and on a protected branch the right to push or merge there",
        );
        let body = Body {
            state: update.state,
            name: update.name,
            target_url: update.target_url,
            description: cut(update.description, 255),
            r#ref: update.r#ref,
        };
        let url = self.project_url(project, ["statuses", sha.as_str()]);
        match self.send::<IgnoredAny>(&doing, Method::POST, url, &body).await {
            Ok(_) => Ok(StatusOutcome::Set),
            Err(error) if error.status == Some(400) && is_harmless(update.state, &error.message) => {
                Ok(StatusOutcome::AlreadyThere)
            }
            Err(error) if error.kind == GitLabErrorKind::NotThere && error.message.contains("References") => {
                Err(GitLabError {
                    advice: "the commit is on no branch of this project, as with a merge request from a fork: GitLab \
                             cannot show a status there"
                        .to_owned(),
                    ..error
                })
            }
            Err(error) => Err(error),
        }
    }
}

/// Does `Cannot transition status via :<event> from :<state>` say that the wanted state, or a later one, is reached?
fn is_harmless(wanted: CommitState, message: &str) -> bool {
    let Some(rest) = message.split_once("Cannot transition status via :") else {
        return false;
    };
    let Some((_, from)) = rest.1.split_once(" from :") else {
        return false;
    };
    let from: String = from
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    match wanted {
        CommitState::Pending => matches!(from.as_str(), "pending" | "running"),
        CommitState::Running => from == "running",
        CommitState::Success => from == "success",
        CommitState::Failed => from == "failed",
        CommitState::Canceled => matches!(from.as_str(), "canceled" | "canceling"),
    }
}

/// At most `limit` characters, the last one being `…` where something is missing.
fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_transition_is_harmless_only_if_nothing_is_lost() {
        let from = |event: &str, state: &str| {
            format!(
                "Cannot transition status via :{event} from :{state} (Reason(s): Status cannot transition via \"{event}\")"
            )
        };
        for (wanted, message) in [
            (CommitState::Pending, from("enqueue", "pending")),
            (CommitState::Pending, from("enqueue", "running")),
            (CommitState::Running, from("run", "running")),
            (CommitState::Success, from("success", "success")),
            (CommitState::Failed, from("drop", "failed")),
            (CommitState::Canceled, from("cancel", "canceled")),
        ] {
            assert!(is_harmless(wanted, &message), "{wanted:?}: {message}");
        }
        for (wanted, message) in [
            (CommitState::Success, from("success", "failed")),
            (CommitState::Failed, from("drop", "success")),
            (CommitState::Running, from("run", "pending")),
            (CommitState::Pending, "name: has already been taken".to_owned()),
            (CommitState::Pending, "Cannot transition status via :enqueue".to_owned()),
        ] {
            assert!(!is_harmless(wanted, &message), "{wanted:?}: {message}");
        }
    }

    #[test]
    fn a_description_is_cut_between_characters() {
        assert_eq!(cut("käse", 4), "käse");
        assert_eq!(cut("käse!", 4), "käs…");
        assert_eq!(cut(&"ü".repeat(300), 255).chars().count(), 255);
    }
}
