//! Merge requests are merged, branches are pushed to and deleted, and GitLab tells of it by its Push Hook.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::repository::{self, Edit, git};
use super::state::{Mr, User};
use super::webhook::{Webhook, project, webhook};
use super::{Answer, GitLab};

/// The ways by which GitLab merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// A merge commit, also where none is needed.
    MergeCommit,
    /// The branch is moved; an error where it has moved by itself.
    FastForward,
    /// One new commit with all changes.
    Squash,
    /// New commits on top of the branch, which is moved to them.
    Rebase,
}

/// A branch was pushed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// Path of the project.
    pub project: String,
    /// The branch.
    pub branch: String,
    /// Its tip before.
    pub before: String,
    /// Its tip now; zeros where it was deleted.
    pub after: String,
    /// Who pushed.
    pub by: User,
}

/// No commit.
const NOTHING: &str = "0000000000000000000000000000000000000000";

impl GitLab {
    /// Merges it, as Ben, and gives what its target branch was pushed to. Its own branch stays.
    ///
    /// # Errors
    /// If it is unknown, or cannot be merged so.
    pub async fn merge(&self, mr: &Mr, strategy: Strategy) -> Result<Pushed> {
        let target = self.project(&mr.project)?;
        let by = self.shared.user("ben", true);
        let tip = format!("refs/heads/{}", mr.target_branch);
        let before = git(&target.repository, &["rev-parse", &tip]).await?;
        let head = format!("refs/merge-requests/{}/head", mr.iid);
        let after = repository::merge(&target.repository, &mr.target_branch, &head, strategy, &mr.title, &by).await?;
        self.edit(mr, |mr| "merged".clone_into(&mut mr.state))?;
        Ok(Pushed {
            project: mr.project.clone(),
            branch: mr.target_branch.clone(),
            before,
            after,
            by,
        })
    }

    /// A commit on a branch, which is made if it is not there.
    ///
    /// # Errors
    /// If the project is unknown or Git refuses.
    pub async fn push_to(&self, project: &str, branch: &str, edits: &[Edit<'_>], message: &str) -> Result<Pushed> {
        let project = self.project(project)?;
        let by = self.shared.user("ben", true);
        let tip = format!("refs/heads/{branch}");
        let before = git(&project.repository, &["rev-parse", "--verify", "-q", &tip]).await;
        let from = before.is_err().then_some(project.default_branch.as_str());
        let after = repository::change(&project.repository, branch, from, edits, message, &by).await?;
        Ok(Pushed {
            project: project.path,
            branch: branch.to_owned(),
            before: before.unwrap_or_else(|_| NOTHING.to_owned()),
            after,
            by,
        })
    }

    /// A branch goes.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn delete_branch(&self, project: &str, branch: &str) -> Result<Pushed> {
        let project = self.project(project)?;
        let tip = format!("refs/heads/{branch}");
        let before = git(&project.repository, &["rev-parse", &tip]).await?;
        git(&project.repository, &["update-ref", "-d", &tip]).await?;
        Ok(Pushed {
            project: project.path,
            branch: branch.to_owned(),
            before,
            after: NOTHING.to_owned(),
            by: self.shared.user("ben", true),
        })
    }

    /// The webhook that GitLab sends for it; each call is a delivery with a key of its own.
    ///
    /// # Errors
    /// If the project is unknown.
    pub async fn push_webhook(&self, pushed: &Pushed) -> Result<Webhook> {
        webhook(&self.url(), "Push Hook", &self.push_payload(pushed).await?)
    }

    /// Sends it to every webhook of the project that listens to pushes, as GitLab does by itself.
    ///
    /// # Errors
    /// If a receiver cannot be reached.
    pub async fn send_push_hooks(&self, pushed: &Pushed) -> Result<Vec<Answer>> {
        let mut answers = Vec::new();
        for hook in self.hooks() {
            if hook.project == pushed.project && hook.flags.get("push_events") == Some(&true) {
                let webhook = self.push_webhook(pushed).await?;
                answers.push(webhook.deliver(&hook.url, hook.token.as_deref()).await?);
            }
        }
        Ok(answers)
    }

    async fn push_payload(&self, pushed: &Pushed) -> Result<Value> {
        let of = self.project(&pushed.project)?;
        let by = &pushed.by;
        let gone = pushed.after == NOTHING;
        let mut commits = Vec::new();
        if !gone {
            let range = match pushed.before.as_str() {
                NOTHING => pushed.after.clone(),
                before => format!("{before}..{}", pushed.after),
            };
            let words = [
                "log",
                "--reverse",
                "-20",
                "--format=%H%x00%s%x00%an%x00%ae%x00%aI",
                &range,
                "--",
            ];
            for line in git(&of.repository, &words).await?.lines() {
                let parts: Vec<&str> = line.split('\0').collect();
                let [id, title, name, email, date] = parts.as_slice() else {
                    continue;
                };
                commits.push(json!({
                    "id": id, "title": title, "message": format!("{title}\n"), "timestamp": date,
                    "url": format!("{}/-/commit/{id}", of.web_url), "author": {"name": name, "email": email},
                    "added": [], "modified": [], "removed": [],
                }));
            }
        }
        let email = if by.public_email { by.email.as_str() } else { "" };
        Ok(json!({
            "object_kind": "push", "event_name": "push", "before": pushed.before, "after": pushed.after,
            "ref": format!("refs/heads/{}", pushed.branch), "ref_protected": pushed.branch == of.default_branch,
            "checkout_sha": if gone { Value::Null } else { pushed.after.clone().into() }, "message": null,
            "user_id": by.id, "user_name": by.name, "user_username": by.username, "user_email": email,
            "user_avatar": null, "project_id": of.id, "project": project(&of),
            "total_commits_count": commits.len(), "commits": commits, "push_options": {},
            "repository": {
                "name": of.name(), "url": format!("git@gitlab.world.test:{}.git", of.path), "description": null,
                "homepage": of.web_url, "git_http_url": of.git_http_url, "visibility_level": 0,
            },
        }))
    }

    /// The tip of a branch.
    ///
    /// # Errors
    /// If there is none.
    pub async fn tip(&self, project: &str, branch: &str) -> Result<String> {
        let project = self.project(project)?;
        git(&project.repository, &["rev-parse", &format!("refs/heads/{branch}")])
            .await
            .with_context(|| format!("no branch {branch}"))
    }
}
