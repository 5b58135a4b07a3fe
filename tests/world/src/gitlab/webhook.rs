//! Webhooks of merge requests as a current GitLab sends them: every field, the headers, and the delivery.
//!
//! Written from the documentation's field list, with the quirks that receivers trip over: lists that are left out when
//! empty, an address shown as `[REDACTED]`, a target change that shows only `merge_status`, two date formats.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::GitLab;
use super::api::VERSION;
use super::repository::git;
use super::state::{Mr, Project, User};
use crate::http::client;
use crate::process::random_word;

/// Why a webhook is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// `open`.
    Open,
    /// `reopen`.
    Reopen,
    /// `close`.
    Close,
    /// `merge`.
    Merge,
    /// `update` with `oldrev`.
    Push,
    /// `update`: the title changed.
    Title,
    /// `update`: labels changed.
    Labels,
    /// `update`: another target branch, which `changes` does not say.
    Target,
    /// `update`: no draft any more.
    Ready,
    /// `approved`.
    Approved,
    /// The Test button: `open`, no changes, ISO dates.
    Test,
}

/// A webhook ready to be sent; sending it twice is what GitLab's "resend" does: same body, same key.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Without `X-Gitlab-Token`, which belongs to the receiver.
    pub headers: Vec<(String, String)>,
    /// JSON.
    pub body: Bytes,
}

/// What the receiver said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Webhook {
    /// Posts it, with GitLab's patience of ten seconds.
    ///
    /// # Errors
    /// If the receiver cannot be reached or is too slow.
    pub async fn deliver(&self, url: &str, secret: Option<&str>) -> Result<Answer> {
        let mut request = client()
            .post(url)
            .timeout(Duration::from_secs(10))
            .body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(secret) = secret {
            request = request.header("X-Gitlab-Token", secret);
        }
        let answer = request
            .send()
            .await
            .with_context(|| format!("cannot deliver to {url}"))?;
        Ok(Answer {
            status: answer.status().as_u16(),
            body: answer.text().await?,
        })
    }
}

/// A delivery of its own.
pub(super) fn webhook(instance: &str, event: &str, body: &Value) -> Result<Webhook> {
    let key = uuid()?;
    let headers = [
        ("Content-Type", "application/json".to_owned()),
        ("User-Agent", format!("GitLab/{VERSION}")),
        ("X-Gitlab-Event", event.to_owned()),
        ("X-Gitlab-Instance", instance.to_owned()),
        ("X-Gitlab-Webhook-UUID", uuid()?),
        ("X-Gitlab-Event-UUID", uuid()?),
        ("Idempotency-Key", key),
    ];
    let headers = headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Ok(Webhook {
        headers,
        body: serde_json::to_vec(body)?.into(),
    })
}

impl GitLab {
    /// The webhook that GitLab would send for this merge request now; each call is a delivery with a key of its own.
    ///
    /// # Errors
    /// If the merge request's project is unknown.
    pub async fn webhook(&self, mr: &Mr, event: Event) -> Result<Webhook> {
        webhook(&self.url(), "Merge Request Hook", &self.payload(mr, event).await?)
    }

    /// Sends the event to every webhook of the project that listens to merge requests, as GitLab does by itself.
    ///
    /// # Errors
    /// If a receiver cannot be reached.
    pub async fn send_hooks(&self, mr: &Mr, event: Event) -> Result<Vec<Answer>> {
        let listens = |flag: Option<&bool>| flag.copied().unwrap_or(false);
        let hooks = self.hooks().into_iter().filter(|hook| hook.project == mr.project);
        let mut answers = Vec::new();
        for hook in hooks.filter(|hook| listens(hook.flags.get("merge_requests_events"))) {
            answers.push(
                self.webhook(mr, event)
                    .await?
                    .deliver(&hook.url, hook.token.as_deref())
                    .await?,
            );
        }
        Ok(answers)
    }

    async fn payload(&self, mr: &Mr, event: Event) -> Result<Value> {
        let target = self.project(&mr.project_id.to_string())?;
        let source = self.project(&mr.source_project_id.to_string()).ok();
        let project = project(&target);
        let mut attributes = self.attributes(mr, event, &target).await?;
        attributes["source"] = source.as_ref().map_or(Value::Null, self::project);
        attributes["target"] = project.clone();
        let mut body = json!({
            "object_kind": "merge_request", "event_type": "merge_request",
            "user": user(&mr.author),
            "project": project,
            "object_attributes": attributes,
            "labels": labels(mr),
            "changes": changes(mr, event),
            "repository": {
                "name": target.name(), "url": format!("git@gitlab.world.test:{}.git", target.path),
                "description": null, "homepage": target.web_url,
            },
        });
        if event == Event::Approved {
            // Whoever approves is somebody else than the author.
            body["user"]["username"] = "ben".into();
        }
        Ok(body)
    }

    async fn attributes(&self, mr: &Mr, event: Event, target: &Project) -> Result<Value> {
        let action = match event {
            Event::Open | Event::Test => "open",
            Event::Reopen => "reopen",
            Event::Close => "close",
            Event::Merge => "merge",
            Event::Approved => "approved",
            Event::Push | Event::Title | Event::Labels | Event::Target | Event::Ready => "update",
        };
        let state_id = match mr.state.as_str() {
            "opened" => 1,
            "closed" => 2,
            "merged" => 3,
            _ => 4,
        };
        let written = |at: DateTime<Utc>| match event {
            Event::Test => at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            _ => at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        };
        let mut attributes = unset();
        let facts = json!({
            "id": mr.id, "iid": mr.iid, "title": mr.title, "description": mr.description,
            "state": mr.state, "state_id": state_id, "action": action, "author_id": mr.author.id,
            "source_branch": mr.source_branch, "source_project_id": mr.source_project_id,
            "target_branch": mr.target_branch, "target_project_id": mr.project_id,
            "created_at": written(mr.created_at), "updated_at": written(mr.updated_at),
            "prepared_at": written(mr.created_at), "draft": mr.draft(), "work_in_progress": mr.draft(),
            "url": format!("{}/-/merge_requests/{}", target.web_url, mr.iid),
            "labels": labels(mr), "last_commit": last_commit(mr, target).await?,
        });
        if let (Value::Object(all), Value::Object(facts)) = (&mut attributes, facts) {
            all.extend(facts);
        }
        if event == Event::Push {
            attributes["oldrev"] = json!(mr.previous_head);
        }
        Ok(attributes)
    }
}

/// The attributes that nobody has set.
fn unset() -> Value {
    json!({
        "assignee_id": null, "assignee_ids": [], "reviewer_ids": [], "last_edited_at": null,
        "last_edited_by_id": null, "updated_by_id": null, "merged_at": null, "merge_user_id": null,
        "merge_status": "checking", "detailed_merge_status": "checking", "merge_error": null,
        "merge_commit_sha": null, "squash_commit_sha": null, "head_pipeline_id": null, "milestone_id": null,
        "merge_params": {"force_remove_source_branch": "1"}, "merge_when_pipeline_succeeds": false,
        "approval_rules": [], "blocking_discussions_resolved": true, "first_contribution": false,
        "target_branch_protected": true, "time_estimate": 0, "total_time_spent": 0, "time_change": 0,
        "human_time_estimate": null, "human_total_time_spent": null, "human_time_change": null, "system": false,
    })
}

async fn last_commit(mr: &Mr, target: &Project) -> Result<Value> {
    let words = ["log", "-1", "--format=%an%x00%ae%x00%aI%x00%s%x00%B", &mr.head, "--"];
    let printed = git(&target.repository, &words).await?;
    let parts: Vec<&str> = printed.split('\0').collect();
    let [name, email, date, title, message] = parts.as_slice() else {
        anyhow::bail!("git log printed something else: {printed:?}");
    };
    Ok(json!({
        "id": mr.head, "message": format!("{}\n", message.trim_end()), "title": title, "timestamp": date,
        "url": format!("{}/-/commit/{}", target.web_url, mr.head),
        "author": {"name": name, "email": email},
    }))
}

fn changes(mr: &Mr, event: Event) -> Value {
    let both = |previous: Value, current: Value| json!({"previous": previous, "current": current});
    let dates = both(
        json!(mr.created_at.format("%F %T UTC").to_string()),
        json!(mr.updated_at.format("%F %T UTC").to_string()),
    );
    match event {
        Event::Open => {
            json!({"merge_status": both("preparing".into(), "checking".into()), "updated_at": dates})
        }
        Event::Reopen => json!({"state_id": both(2.into(), 1.into()), "updated_at": dates}),
        Event::Close => json!({"state_id": both(1.into(), 2.into()), "updated_at": dates}),
        Event::Merge => json!({"state_id": both(4.into(), 3.into()), "updated_at": dates}),
        Event::Title => {
            json!({"title": both("An earlier title".into(), mr.title.clone().into()), "updated_at": dates})
        }
        Event::Labels => json!({"labels": both(json!([]), labels(mr)), "updated_at": dates}),
        Event::Target => json!({"merge_status": both("can_be_merged".into(), "unchecked".into())}),
        Event::Ready => json!({
            "draft": both(true.into(), false.into()), "updated_at": dates,
            "title": both(format!("Draft: {}", mr.title).into(), mr.title.clone().into()),
        }),
        Event::Push | Event::Approved | Event::Test => json!({}),
    }
}

fn labels(mr: &Mr) -> Value {
    let written = mr.created_at.format("%F %T UTC").to_string();
    let one = |(at, title): (usize, &String)| {
        json!({
            "id": 1000 + at, "title": title, "color": "#1f75cb", "project_id": mr.project_id, "type": "ProjectLabel",
            "created_at": written, "updated_at": written, "template": false, "description": null, "group_id": null,
        })
    };
    mr.labels.iter().enumerate().map(one).collect()
}

pub(super) fn project(project: &Project) -> Value {
    let ssh = format!("git@gitlab.world.test:{}.git", project.path);
    json!({
        "id": project.id, "name": project.name(), "description": null, "web_url": project.web_url,
        "avatar_url": null, "git_ssh_url": ssh, "git_http_url": project.git_http_url,
        "namespace": project.namespace(), "visibility_level": 0, "path_with_namespace": project.path,
        "default_branch": project.default_branch, "ci_config_path": "", "homepage": project.web_url,
        "url": ssh, "ssh_url": ssh, "http_url": project.git_http_url,
    })
}

fn user(user: &User) -> Value {
    json!({
        "id": user.id, "name": user.name, "username": user.username, "avatar_url": null,
        "email": if user.public_email { user.email.as_str() } else { "[REDACTED]" },
    })
}

/// A random UUID, version 4.
fn uuid() -> Result<String> {
    let word = random_word()?;
    Ok(format!(
        "{}-{}-4{}-a{}-{}",
        &word[..8],
        &word[8..12],
        &word[13..16],
        &word[17..20],
        &word[20..32]
    ))
}
