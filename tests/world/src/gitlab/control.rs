//! `/-/control/<verb>`: the operations of [`GitLab`] for another process (`make demo`, the benchmarks).
//!
//! Each is a POST with a JSON object, and answers JSON; a mistake is 400 with `{"error": …}`. The verbs are the variants
//! of [`Order`], in snake case; their fields are the object's.
//! `curl -d '{"path":"shop/cart","files":"apps/cart"}' $URL/-/control/create_project`

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Access, Edit, Event, Failure, GitLab, OpenMr, Pushed, Strategy};

/// Path in the repository → content.
type Edits = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
enum Order {
    /// → the project.
    CreateProject { path: String, files: PathBuf },
    /// → the merge request.
    OpenMr {
        project: String,
        branch: String,
        edits: Edits,
        #[serde(default)]
        options: OpenMr,
    },
    /// → the merge request.
    Push {
        project: String,
        iid: u64,
        edits: Edits,
        message: String,
    },
    /// → `{"sha": …}`.
    PushToTarget {
        project: String,
        edits: Edits,
        message: String,
    },
    /// → what the target branch was pushed to.
    Merge {
        project: String,
        iid: u64,
        strategy: Strategy,
    },
    /// → what the branch was pushed to.
    PushTo {
        project: String,
        branch: String,
        edits: Edits,
        message: String,
    },
    /// To the project's own webhooks → a list of what `deliver` answers.
    SendPushHooks(Pushed),
    /// → the merge request.
    EditTitle { project: String, iid: u64, title: String },
    /// → the merge request.
    EditLabels {
        project: String,
        iid: u64,
        labels: Vec<String>,
    },
    /// → the merge request.
    Close { project: String, iid: u64 },
    /// → the merge request.
    Reopen { project: String, iid: u64 },
    /// → `{"headers": [[name, value]], "body": text}`.
    Webhook { project: String, iid: u64, event: Event },
    /// → `{"status": …, "body": …}`.
    Deliver {
        project: String,
        iid: u64,
        event: Event,
        url: String,
        secret: Option<String>,
    },
    /// To the project's own webhooks → a list of what `deliver` answers.
    SendHooks { project: String, iid: u64, event: Event },
    /// → null.
    Fail(Failure),
    /// → null.
    FailNoMore {},
    /// → null.
    SetAccess(Access),
    /// → everything that it was told.
    Told {},
    /// → `{"url": …, "api_token": …, "git_token": …}`.
    Info {},
}

/// Below `/-/control`.
pub(super) fn router() -> Router<GitLab> {
    Router::new().route("/{verb}", post(handle).get(handle))
}

async fn handle(State(gitlab): State<GitLab>, Path(verb): Path<String>, body: axum::body::Bytes) -> Response {
    match read(&verb, &body) {
        Ok(order) => match obey(&gitlab, order).await {
            Ok(answer) => Json(answer).into_response(),
            Err(error) => refuse(&error),
        },
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &anyhow::Error) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": format!("{error:#}")}))).into_response()
}

fn read(verb: &str, body: &[u8]) -> Result<Order> {
    let mut object: Map<String, Value> = if body.is_empty() {
        Map::new()
    } else {
        serde_json::from_slice(body).context("not a JSON object")?
    };
    object.insert("verb".to_owned(), verb.into());
    serde_json::from_value(object.into()).with_context(|| format!("cannot {verb}"))
}

async fn obey(gitlab: &GitLab, order: Order) -> Result<Value> {
    let json = match order {
        Order::CreateProject { path, files } => json!(gitlab.create_project(&path, &files).await?),
        Order::OpenMr {
            project,
            branch,
            edits,
            options,
        } => {
            json!(gitlab.open_mr(&project, &branch, &borrowed(&edits), options).await?)
        }
        Order::Push {
            project,
            iid,
            edits,
            message,
        } => {
            json!(
                gitlab
                    .push(&gitlab.mr(&project, iid)?, &borrowed(&edits), &message)
                    .await?
            )
        }
        Order::PushToTarget {
            project,
            edits,
            message,
        } => {
            json!({"sha": gitlab.push_to_target(&project, &borrowed(&edits), &message).await?})
        }
        Order::Merge { project, iid, strategy } => {
            json!(gitlab.merge(&gitlab.mr(&project, iid)?, strategy).await?)
        }
        Order::PushTo {
            project,
            branch,
            edits,
            message,
        } => {
            json!(gitlab.push_to(&project, &branch, &borrowed(&edits), &message).await?)
        }
        Order::SendPushHooks(pushed) => json!(gitlab.send_push_hooks(&pushed).await?),
        Order::EditTitle { project, iid, title } => json!(gitlab.edit_title(&gitlab.mr(&project, iid)?, &title)?),
        Order::EditLabels { project, iid, labels } => {
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            json!(gitlab.edit_labels(&gitlab.mr(&project, iid)?, &labels)?)
        }
        Order::Close { project, iid } => json!(gitlab.close(&gitlab.mr(&project, iid)?)?),
        Order::Reopen { project, iid } => json!(gitlab.reopen(&gitlab.mr(&project, iid)?)?),
        Order::Webhook { project, iid, event } => {
            let webhook = gitlab.webhook(&gitlab.mr(&project, iid)?, event).await?;
            json!({"headers": webhook.headers, "body": String::from_utf8_lossy(&webhook.body)})
        }
        Order::Deliver {
            project,
            iid,
            event,
            url,
            secret,
        } => {
            let webhook = gitlab.webhook(&gitlab.mr(&project, iid)?, event).await?;
            json!(webhook.deliver(&url, secret.as_deref()).await?)
        }
        Order::SendHooks { project, iid, event } => {
            json!(gitlab.send_hooks(&gitlab.mr(&project, iid)?, event).await?)
        }
        Order::Fail(failure) => {
            gitlab.fail_only(failure);
            Value::Null
        }
        Order::FailNoMore {} => {
            gitlab.fail_no_more();
            Value::Null
        }
        Order::SetAccess(access) => {
            gitlab.set_access(access);
            Value::Null
        }
        Order::Told {} => json!({
            "statuses": gitlab.statuses(), "notes": gitlab.notes(), "hooks": gitlab.hooks(),
            "seen": gitlab.seen(), "failed_git_logins": gitlab.failed_git_logins(),
        }),
        Order::Info {} => {
            json!({"url": gitlab.url(), "api_token": gitlab.api_token(), "git_token": gitlab.git_token()})
        }
    };
    Ok(json)
}

fn borrowed(edits: &Edits) -> Vec<Edit<'_>> {
    edits
        .iter()
        .map(|(path, content)| (path.as_str(), content.as_str()))
        .collect()
}
