//! Projects, branches, commits, and who the token is.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::{Answer, find_project, not_found, page, person};
use crate::gitlab::GitLab;
use crate::gitlab::repository::git;
use crate::gitlab::state::{Project, User};

/// The version that the stand-in claims, in the API and in the webhooks' User-Agent.
pub(crate) const VERSION: &str = "18.5.2-ee";

/// `GET /projects/:id`.
pub(super) async fn one(State(gitlab): State<GitLab>, Path(key): Path<String>) -> Answer {
    let project = find_project(&gitlab, &key)?;
    let level = gitlab.shared.lock().access.level;
    Ok(Json(json!({
        "id": project.id, "name": project.name(), "path": project.name(), "path_with_namespace": project.path,
        "name_with_namespace": project.path.replace('/', " / "), "description": null, "visibility": "private",
        "default_branch": project.default_branch, "web_url": project.web_url, "archived": false,
        "http_url_to_repo": project.git_http_url,
        "ssh_url_to_repo": format!("git@gitlab.world.test:{}.git", project.path),
        "namespace": {"name": project.namespace(), "path": project.namespace(), "full_path": project.namespace()},
        "permissions": {"project_access": {"access_level": level, "notification_level": 3}, "group_access": null},
    }))
    .into_response())
}

/// `GET /projects/:id/repository/branches/:branch`.
pub(super) async fn branch(State(gitlab): State<GitLab>, Path((key, branch)): Path<(String, String)>) -> Answer {
    let project = find_project(&gitlab, &key)?;
    let found = describe(&project, &format!("refs/heads/{branch}"))
        .await
        .ok_or_else(|| not_found("Branch"))?;
    Ok(Json(json!({
        "name": branch, "commit": found, "merged": false, "protected": branch == project.default_branch,
        "default": branch == project.default_branch, "developers_can_push": false, "can_push": true,
        "web_url": format!("{}/-/tree/{branch}", project.web_url),
    }))
    .into_response())
}

/// `GET /projects/:id/repository/commits/:sha`.
pub(super) async fn commit(State(gitlab): State<GitLab>, Path((key, sha)): Path<(String, String)>) -> Answer {
    let project = find_project(&gitlab, &key)?;
    let found = describe(&project, &sha).await.ok_or_else(|| not_found("Commit"))?;
    Ok(Json(found).into_response())
}

/// `GET /user`.
pub(super) async fn me(State(gitlab): State<GitLab>) -> Answer {
    let state = gitlab.shared.lock();
    let mut json = person(&state.bot, &state.base_url);
    json["bot"] = true.into();
    Ok(Json(json).into_response())
}

/// `GET /users?username=`; none for a name that nobody has.
pub(super) async fn users(State(gitlab): State<GitLab>, Query(query): Query<HashMap<String, String>>) -> Answer {
    let state = gitlab.shared.lock();
    let named = |user: &&User| {
        query
            .get("username")
            .is_some_and(|name| user.username.eq_ignore_ascii_case(name))
    };
    let found = state
        .users
        .iter()
        .filter(named)
        .map(|user| person(user, &state.base_url));
    Ok(page(found.collect(), &query))
}

/// `GET /users/:id`.
pub(super) async fn user(State(gitlab): State<GitLab>, Path(id): Path<u64>) -> Answer {
    let state = gitlab.shared.lock();
    let found = state
        .users
        .iter()
        .find(|user| user.id == id)
        .ok_or_else(|| not_found("User"))?;
    Ok(Json(person(found, &state.base_url)).into_response())
}

/// `GET /version`.
pub(super) async fn version() -> Answer {
    Ok(Json(json!({"version": VERSION, "revision": "0123456789a"})).into_response())
}

/// `GET /personal_access_tokens/self`.
pub(super) async fn token(State(gitlab): State<GitLab>) -> Answer {
    let state = gitlab.shared.lock();
    Ok(Json(json!({
        "id": 1, "name": "seaworthy", "revoked": false, "active": true, "scopes": state.access.scopes,
        "user_id": state.bot.id, "expires_at": null,
    }))
    .into_response())
}

/// A commit as the API shows it.
async fn describe(project: &Project, revision: &str) -> Option<Value> {
    let end = format!("{revision}^{{commit}}");
    let words = [
        "log",
        "-1",
        "--format=%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%s%x00%B",
        &end,
        "--",
    ];
    let printed = git(&project.repository, &words).await.ok()?;
    let parts: Vec<&str> = printed.split('\0').collect();
    let [
        id,
        parents,
        author,
        author_email,
        authored,
        committer,
        committer_email,
        committed,
        title,
        message,
    ] = parts.as_slice()
    else {
        return None;
    };
    Some(json!({
        "id": id, "short_id": &id[..8], "parent_ids": parents.split_whitespace().collect::<Vec<_>>(),
        "title": title, "message": message, "created_at": committed,
        "author_name": author, "author_email": author_email, "authored_date": authored,
        "committer_name": committer, "committer_email": committer_email, "committed_date": committed,
        "web_url": format!("{}/-/commit/{id}", project.web_url),
    }))
}
