//! Notes on merge requests.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Refusal, bad_request, find_project, moment, need_level, not_found, page, person};
use crate::gitlab::GitLab;
use crate::gitlab::state::{Note, User};

/// GitLab's cap on a note, in characters.
const LONGEST: usize = 1_000_000;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    body: String,
}

/// `GET …/notes`.
pub(super) async fn list(
    State(gitlab): State<GitLab>,
    Path((key, iid)): Path<(String, u64)>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let path = merge_request(&gitlab, &key, iid)?;
    let state = gitlab.shared.lock();
    let mut found: Vec<Value> = state
        .notes
        .iter()
        .filter(|note| note.project == path && note.iid == iid)
        .map(|note| shown(note, &state.bot, &state.base_url))
        .collect();
    if query.get("sort").is_none_or(|sort| sort != "asc") {
        found.reverse();
    }
    Ok(page(found, &query))
}

/// `POST …/notes`.
pub(super) async fn create(
    State(gitlab): State<GitLab>,
    Path((key, iid)): Path<(String, u64)>,
    Json(asked): Json<Asked>,
) -> Answer {
    let project = merge_request(&gitlab, &key, iid)?;
    need_level(&gitlab, 20)?;
    check(&asked.body)?;
    let mut state = gitlab.shared.lock();
    let now = Utc::now();
    let note = Note {
        id: state.id(),
        project,
        iid,
        body: asked.body,
        edits: 0,
        created_at: now,
        updated_at: now,
    };
    let json = shown(&note, &state.bot, &state.base_url);
    state.notes.push(note);
    Ok((StatusCode::CREATED, Json(json)).into_response())
}

/// `GET …/notes/:note`.
pub(super) async fn one(State(gitlab): State<GitLab>, Path((key, iid, id)): Path<(String, u64, u64)>) -> Answer {
    let path = merge_request(&gitlab, &key, iid)?;
    let state = gitlab.shared.lock();
    let note = state
        .notes
        .iter()
        .find(|note| note.id == id && note.project == path && note.iid == iid);
    let note = note.ok_or_else(|| not_found("Note"))?;
    Ok(Json(shown(note, &state.bot, &state.base_url)).into_response())
}

/// `PUT …/notes/:note`.
pub(super) async fn edit(
    State(gitlab): State<GitLab>,
    Path((key, iid, id)): Path<(String, u64, u64)>,
    Json(asked): Json<Asked>,
) -> Answer {
    let path = merge_request(&gitlab, &key, iid)?;
    need_level(&gitlab, 20)?;
    check(&asked.body)?;
    let mut state = gitlab.shared.lock();
    let (bot, base_url) = (state.bot.clone(), state.base_url.clone());
    let note = state
        .notes
        .iter_mut()
        .find(|note| note.id == id && note.project == path && note.iid == iid);
    let note = note.ok_or_else(|| not_found("Note"))?;
    note.body = asked.body;
    note.edits += 1;
    note.updated_at = Utc::now();
    Ok(Json(shown(note, &bot, &base_url)).into_response())
}

/// The project's path, if it has that merge request.
fn merge_request(gitlab: &GitLab, key: &str, iid: u64) -> Result<String, Refusal> {
    let project = find_project(gitlab, key)?;
    match gitlab.shared.lock().mr(project.id, iid) {
        Some(_) => Ok(project.path),
        None => Err(not_found("Merge Request")),
    }
}

fn check(body: &str) -> Result<(), Refusal> {
    if body.trim().is_empty() {
        return Err(bad_request(json!({"note": ["can't be blank"]})));
    }
    if body.chars().count() > LONGEST {
        return Err(bad_request(
            json!({"note": ["is too long (maximum is 1000000 characters)"]}),
        ));
    }
    Ok(())
}

fn shown(note: &Note, author: &User, base_url: &str) -> Value {
    json!({
        "id": note.id, "type": null, "body": note.body, "author": person(author, base_url), "system": false,
        "internal": false, "noteable_type": "MergeRequest", "noteable_iid": note.iid, "resolvable": false,
        "created_at": moment(note.created_at), "updated_at": moment(note.updated_at),
    })
}
