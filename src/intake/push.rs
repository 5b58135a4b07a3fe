//! A push hook's body, read as far as intake needs it (GitLab's "Push events").
//!
//! All commits of one push count by the newest. The list of commits is not looked at: it holds twenty at most, and what
//! the commit is like is asked of Git.

use serde::Deserialize;

use super::event::{Missing, positive, web};
use super::lenient::{Part, Scalar};
use super::text::{clean, one_line};
use crate::model::{Person, ProjectId, ProjectPath, Sha};

/// A branch was pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Number of the project.
    pub project_id: ProjectId,
    /// Its path.
    pub project: ProjectPath,
    /// The branch.
    pub branch: String,
    /// Its newest commit after the push.
    pub tip: Sha,
    /// Is it the project's default branch?
    pub default: bool,
    /// Who pushed, as far as the event tells.
    pub by: Person,
    /// Page of the commit; empty if nobody knows.
    pub page: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Hook {
    r#ref: Scalar,
    after: Scalar,
    project_id: Scalar,
    user_name: Scalar,
    user_username: Scalar,
    user_email: Scalar,
    project: Part<Project>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Project {
    id: Scalar,
    path_with_namespace: Scalar,
    default_branch: Scalar,
    web_url: Scalar,
}

/// Reads it, or says why it is of no interest.
pub(super) fn read(body: &[u8]) -> Result<Push, String> {
    let hook = match serde_json::from_slice(body) {
        Ok(Part(hook)) => hook.unwrap_or_default(),
        // The same text was read as an event before.
        Err(error) => return Err(format!("push event that cannot be read: {error}")),
    };
    let Hook { r#ref, after, .. } = &hook;
    let name = r#ref.text().unwrap_or_default();
    if name.starts_with("refs/tags/") {
        return Err("tag push event: tags are not built".to_owned());
    }
    let branch = match name.strip_prefix("refs/heads/") {
        Some(branch) => Scalar::Text(branch.to_owned()),
        None if name.starts_with("refs/") => return Err(one_line(&format!("push to {name}, which is no branch"))),
        // Senders that imitate GitLab name the branch alone.
        None => r#ref.clone(),
    };
    let mut missing = Missing::default();
    let branch = missing.branch("ref", &branch);
    if let (Some(branch), Some(after)) = (&branch, after.text())
        && after.bytes().all(|digit| digit == b'0')
    {
        return Err(one_line(&format!("branch {branch} was deleted")));
    }
    let tip: Option<Sha> = match after.text().map(str::parse) {
        Some(Ok(tip)) => Some(tip),
        Some(Err(error)) => missing.say(format!("after is {error}")),
        None => missing.say(format!("after is {}", after.kind())),
    };
    let project = hook.project.0.unwrap_or_default();
    let id = positive(&project.id).or_else(|| positive(&hook.project_id));
    if id.is_none() {
        missing.number("project_id", &hook.project_id);
    }
    let path: Option<ProjectPath> = match project.path_with_namespace.text().map(str::parse) {
        Some(Ok(path)) => Some(path),
        Some(Err(error)) => missing.say(format!("project.path_with_namespace is {error}")),
        None => missing.say("project.path_with_namespace is missing".to_owned()),
    };
    let (Some(id), Some(path), Some(branch), Some(tip)) = (id, path, branch, tip) else {
        return Err(format!("push event that cannot be used: {}", missing.0.join(", ")));
    };
    let text = |value: &Scalar| value.text().map(one_line).unwrap_or_default();
    Ok(Push {
        project_id: ProjectId(id),
        project: path,
        default: project.default_branch.text() == Some(branch.as_str()),
        page: web(&project.web_url)
            .map(|project| format!("{project}/-/commit/{tip}"))
            .unwrap_or_default(),
        branch,
        tip,
        by: Person {
            name: text(&hook.user_name),
            username: text(&hook.user_username),
            email: hook.user_email.text().map(clean).filter(|email| email.contains('@')),
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn body() -> Value {
        json!({
            "object_kind": "push", "ref": "refs/heads/release/2", "before": "a".repeat(40), "after": "b".repeat(40),
            "checkout_sha": "b".repeat(40), "project_id": 42, "user_name": "Ada\nExample", "user_username": "ada",
            "user_email": "", "project": {
                "id": 42, "path_with_namespace": "shop/basket", "default_branch": "main",
                "web_url": "https://gitlab.example.com/shop/basket",
            },
        })
    }

    fn with(path: &str, value: Value) -> Result<Push, String> {
        let mut body = body();
        *body.pointer_mut(path).expect("it is there") = value;
        read(body.to_string().as_bytes())
    }

    #[test]
    fn a_push_tells_branch_tip_and_pusher() {
        let push = read(body().to_string().as_bytes()).expect("a push");
        assert_eq!((push.branch.as_str(), push.default), ("release/2", false));
        assert_eq!(push.tip.as_str(), "b".repeat(40));
        assert_eq!(
            (push.by.name.as_str(), push.by.username.as_str(), push.by.email),
            ("Ada Example", "ada", None)
        );
        let tip = "b".repeat(40);
        assert_eq!(
            push.page,
            format!("https://gitlab.example.com/shop/basket/-/commit/{tip}")
        );
        assert!(
            with("/project/default_branch", json!("release/2"))
                .expect("a push")
                .default
        );
        // Where one of the two numbers is missing the other one serves.
        assert_eq!(
            with("/project/id", json!(null)).expect("a push").project_id,
            ProjectId(42)
        );
        assert_eq!(
            with("/project_id", json!("x")).expect("a push").project_id,
            ProjectId(42)
        );
        assert_eq!(with("/ref", json!("main")).expect("a push").branch, "main");
        assert_eq!(
            with("/project/web_url", json!("javascript:x")).expect("a push").page,
            ""
        );
    }

    #[test]
    fn what_cannot_be_used_is_said_in_words() {
        for (path, value, words) in [
            ("/after", json!("0".repeat(40)), "branch release/2 was deleted"),
            ("/ref", json!("refs/tags/v1"), "tag push event: tags are not built"),
            (
                "/ref",
                json!("refs/keep-around/x"),
                "push to refs/keep-around/x, which is no branch",
            ),
            (
                "/ref",
                json!("refs/heads/a..b"),
                "push event that cannot be used: ref is not a branch name: \"a..b\" has a form that Git does not allow",
            ),
            ("/ref", json!(7), "push event that cannot be used: ref is a number"),
            (
                "/after",
                json!(null),
                "push event that cannot be used: after is missing",
            ),
            (
                "/project",
                json!([]),
                "push event that cannot be used: project.path_with_namespace is missing",
            ),
        ] {
            assert_eq!(with(path, value).expect_err(words), words);
        }
        assert!(
            read(b"[]")
                .expect_err("a list")
                .starts_with("push event that cannot be used: ref is missing")
        );
    }
}
