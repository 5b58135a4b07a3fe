//! Webhooks of a project: list, make, edit, test. All of it needs a maintainer.

use std::collections::{BTreeMap, HashMap};

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::{Answer, Refusal, find_project, need_level, not_found, page};
use crate::gitlab::state::{Hook, Project};
use crate::gitlab::{Event, GitLab};

/// What a webhook can listen to, besides `enable_ssl_verification`.
const FLAGS: &[&str] = &[
    "push_events",
    "tag_push_events",
    "merge_requests_events",
    "note_events",
    "issues_events",
    "job_events",
    "pipeline_events",
    "releases_events",
    "enable_ssl_verification",
];

/// `GET …/hooks`.
pub(super) async fn list(
    State(gitlab): State<GitLab>,
    Path(key): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let project = allowed(&gitlab, &key)?;
    let state = gitlab.shared.lock();
    let found = state.hooks.iter().filter(|hook| hook.project == project.path);
    Ok(page(found.map(|hook| shown(hook, project.id)).collect(), &query))
}

/// `POST …/hooks`.
pub(super) async fn create(
    State(gitlab): State<GitLab>,
    Path(key): Path<String>,
    Json(asked): Json<Map<String, Value>>,
) -> Answer {
    let project = allowed(&gitlab, &key)?;
    // GitLab's own defaults.
    let flags = [
        ("push_events".to_owned(), true),
        ("enable_ssl_verification".to_owned(), true),
    ];
    let mut hook = Hook {
        id: 0,
        project: project.path.clone(),
        url: String::new(),
        token: None,
        flags: BTreeMap::from(flags),
    };
    apply(&mut hook, &asked)?;
    let mut state = gitlab.shared.lock();
    hook.id = state.id();
    state.hooks.push(hook.clone());
    Ok((StatusCode::CREATED, Json(shown(&hook, project.id))).into_response())
}

/// `GET …/hooks/:hook`.
pub(super) async fn one(State(gitlab): State<GitLab>, Path((key, id)): Path<(String, u64)>) -> Answer {
    let project = allowed(&gitlab, &key)?;
    Ok(Json(shown(&find(&gitlab, &project, id)?, project.id)).into_response())
}

/// `PUT …/hooks/:hook`.
pub(super) async fn edit(
    State(gitlab): State<GitLab>,
    Path((key, id)): Path<(String, u64)>,
    Json(asked): Json<Map<String, Value>>,
) -> Answer {
    let project = allowed(&gitlab, &key)?;
    let mut hook = find(&gitlab, &project, id)?;
    apply(&mut hook, &asked)?;
    let json = shown(&hook, project.id);
    let mut state = gitlab.shared.lock();
    state.hooks.retain(|known| known.id != id);
    state.hooks.push(hook);
    Ok(Json(json).into_response())
}

/// `DELETE …/hooks/:hook`.
pub(super) async fn delete(State(gitlab): State<GitLab>, Path((key, id)): Path<(String, u64)>) -> Answer {
    let project = allowed(&gitlab, &key)?;
    find(&gitlab, &project, id)?;
    gitlab.shared.lock().hooks.retain(|known| known.id != id);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST …/hooks/:hook/test/merge_requests_events`: the newest merge request, whatever its state.
pub(super) async fn test(
    State(gitlab): State<GitLab>,
    Path((key, id, trigger)): Path<(String, u64, String)>,
) -> Answer {
    let project = allowed(&gitlab, &key)?;
    let hook = find(&gitlab, &project, id)?;
    let refuse = |message: String| Refusal(StatusCode::UNPROCESSABLE_ENTITY, json!({"message": message}));
    if trigger != "merge_requests_events" {
        return Err(refuse(format!(
            "the stand-in tests merge_requests_events only, not {trigger}"
        )));
    }
    let newest = gitlab
        .shared
        .lock()
        .mrs
        .iter()
        .rfind(|mr| mr.project_id == project.id)
        .cloned();
    let newest = newest.ok_or_else(|| refuse("Ensure the project has merge requests.".to_owned()))?;
    let sent = async {
        let hooked = gitlab.webhook(&newest, Event::Test).await?;
        hooked.deliver(&hook.url, hook.token.as_deref()).await
    };
    match sent.await {
        Ok(answer) if answer.status < 400 => {
            Ok((StatusCode::CREATED, Json(json!({"message": "201 Created"}))).into_response())
        }
        Ok(answer) => Err(refuse(format!("Hook execution failed: HTTP {}", answer.status))),
        Err(error) => Err(refuse(format!("Hook execution failed: {error:#}"))),
    }
}

fn allowed(gitlab: &GitLab, key: &str) -> Result<Project, Refusal> {
    let project = find_project(gitlab, key)?;
    need_level(gitlab, 40)?;
    Ok(project)
}

fn find(gitlab: &GitLab, project: &Project, id: u64) -> Result<Hook, Refusal> {
    let state = gitlab.shared.lock();
    let found = state
        .hooks
        .iter()
        .find(|hook| hook.id == id && hook.project == project.path);
    found.cloned().ok_or_else(|| not_found("Hook"))
}

fn apply(hook: &mut Hook, asked: &Map<String, Value>) -> Result<(), Refusal> {
    if let Some(url) = asked.get("url").and_then(Value::as_str) {
        url.clone_into(&mut hook.url);
    }
    if !hook.url.starts_with("http://") && !hook.url.starts_with("https://") {
        return Err(Refusal(
            StatusCode::UNPROCESSABLE_ENTITY,
            json!({"error": "Invalid url given"}),
        ));
    }
    if let Some(token) = asked.get("token").and_then(Value::as_str) {
        hook.token = Some(token.to_owned()).filter(|token| !token.is_empty());
    }
    for flag in FLAGS {
        if let Some(set) = asked.get(*flag).and_then(Value::as_bool) {
            hook.flags.insert((*flag).to_owned(), set);
        }
    }
    Ok(())
}

fn shown(hook: &Hook, project_id: u64) -> Value {
    let mut json = json!({
        "id": hook.id, "url": hook.url, "project_id": project_id, "name": null, "description": null,
        "alert_status": "executable", "disabled_until": null, "url_variables": [], "custom_headers": [],
        "token_present": hook.token.is_some(),
    });
    for flag in FLAGS {
        json[*flag] = hook.flags.get(*flag).copied().unwrap_or(false).into();
    }
    json
}
