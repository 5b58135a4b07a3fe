//! Commit statuses, with the rules by which GitLab makes rows and lets them move.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Refusal, bad_request, find_project, need_level, not_found, page};
use crate::gitlab::GitLab;
use crate::gitlab::repository::{git, git_says_yes};
use crate::gitlab::state::{Pipeline, Project, State as World, Status};

#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    state: Option<String>,
    r#ref: Option<String>,
    name: Option<String>,
    context: Option<String>,
    target_url: Option<String>,
    description: Option<String>,
    pipeline_id: Option<u64>,
}

/// `POST /projects/:id/statuses/:sha`; the parameters come as query, form or JSON.
pub(super) async fn create(
    State(gitlab): State<GitLab>,
    Path((key, sha)): Path<(String, String)>,
    Query(query): Query<Asked>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Answer {
    let project = find_project(&gitlab, &key)?;
    need_level(&gitlab, 30)?;
    let asked = if body.is_empty() {
        query
    } else {
        parse(&headers, &body)?
    };
    let Some(state) = asked.state.clone() else {
        return Err(Refusal(StatusCode::BAD_REQUEST, json!({"error": "state is missing"})));
    };
    if !["pending", "running", "success", "failed", "canceled", "skipped"].contains(&state.as_str()) {
        return Err(Refusal(
            StatusCode::BAD_REQUEST,
            json!({"error": "state does not have a valid value"}),
        ));
    }
    check_texts(&asked)?;
    let r#ref = find_ref(&project, &sha, asked.r#ref.clone()).await?;
    let mut world = gitlab.shared.lock();
    let pipeline = find_pipeline(&mut world, &project, &sha, &r#ref, asked.pipeline_id)?;
    let name = asked.name.or(asked.context).unwrap_or_else(|| "default".to_owned());
    let user = world.bot.id;
    let same = |row: &Status| {
        row.pipeline_id == pipeline && row.name == name && row.r#ref == r#ref && row.user_id == user && is_open(row)
    };
    // Only a row that has not ended is used again; a finished one is never reopened.
    let found = world.statuses.iter().position(same);
    let at = match found {
        Some(at) => at,
        None => {
            let id = world.id();
            world.statuses.push(Status {
                id,
                project: project.path.clone(),
                sha,
                r#ref,
                name,
                state: "created".to_owned(),
                history: Vec::new(),
                target_url: None,
                description: None,
                pipeline_id: pipeline,
                user_id: user,
            });
            world.statuses.len() - 1
        }
    };
    let row = &mut world.statuses[at];
    check_move(&row.state, &state)?;
    row.history.push(state.clone());
    row.state = state;
    row.target_url = asked.target_url.or(row.target_url.take());
    row.description = asked.description.or(row.description.take());
    Ok((StatusCode::CREATED, Json(shown(row))).into_response())
}

/// `GET /projects/:id/repository/commits/:sha/statuses`.
pub(super) async fn list(
    State(gitlab): State<GitLab>,
    Path((key, sha)): Path<(String, String)>,
    Query(query): Query<std::collections::HashMap<String, String>>,
) -> Answer {
    let project = find_project(&gitlab, &key)?;
    let world = gitlab.shared.lock();
    let rows = world
        .statuses
        .iter()
        .filter(|row| row.project == project.path && row.sha == sha);
    Ok(page(rows.map(shown).collect(), &query))
}

/// The transitions of GitLab's state machine; a refused one names the event and the state.
fn check_move(from: &str, to: &str) -> Result<(), Refusal> {
    let refused = |event: &str| {
        let reason = format!("Status cannot transition via \"{event}\"");
        Err(bad_request(json!(format!(
            "Cannot transition status via :{event} from :{from} (Reason(s): {reason})"
        ))))
    };
    match (to, from) {
        ("pending", "pending" | "running") => refused("enqueue"),
        ("running", "running") => refused("run"),
        _ => Ok(()),
    }
}

fn is_open(row: &Status) -> bool {
    matches!(row.state.as_str(), "pending" | "running")
}

fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Asked, Refusal> {
    let refuse = |error: String| Refusal(StatusCode::BAD_REQUEST, json!({"error": error}));
    let form = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/x-www-form-urlencoded");
    if !form {
        return serde_json::from_slice(body).map_err(|error| refuse(format!("body is not JSON: {error}")));
    }
    // A form is written as a query is.
    let uri: Uri = format!("/?{}", String::from_utf8_lossy(body))
        .parse()
        .map_err(|_| refuse("broken form".into()))?;
    Ok(Query::try_from_uri(&uri).map_err(|error| refuse(error.to_string()))?.0)
}

fn check_texts(asked: &Asked) -> Result<(), Refusal> {
    let too_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > 255);
    let words = "is too long (maximum is 255 characters)";
    if too_long(&asked.target_url) {
        return Err(bad_request(json!({"target_url": [words]})));
    }
    if asked
        .target_url
        .as_ref()
        .is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://"))
    {
        return Err(bad_request(
            json!({"target_url": ["is blocked: Only allowed schemes are http, https"]}),
        ));
    }
    if too_long(&asked.description) {
        return Err(bad_request(json!({"description": [words]})));
    }
    if too_long(&asked.r#ref) {
        return Err(bad_request(json!({"ref": [words]})));
    }
    Ok(())
}

/// The commit must exist; without a `ref` a branch that holds it must, which the head of a fork's merge request lacks.
async fn find_ref(project: &Project, sha: &str, asked: Option<String>) -> Result<String, Refusal> {
    let plain = sha.len() == 40 && sha.chars().all(|c| c.is_ascii_hexdigit());
    if !plain || !git_says_yes(&project.repository, &["cat-file", "-e", &format!("{sha}^{{commit}}")]).await {
        return Err(not_found("Commit"));
    }
    if let Some(asked) = asked {
        return Ok(asked);
    }
    let words = [
        "for-each-ref",
        "--count=1",
        "--format=%(refname:short)",
        "--contains",
        sha,
        "refs/heads",
    ];
    match git(&project.repository, &words).await {
        Ok(branch) if !branch.is_empty() => Ok(branch),
        _ => Err(not_found("References for commit")),
    }
}

fn find_pipeline(
    world: &mut World,
    project: &Project,
    sha: &str,
    r#ref: &str,
    asked: Option<u64>,
) -> Result<u64, Refusal> {
    let fits =
        |pipeline: &&Pipeline| pipeline.project_id == project.id && pipeline.sha == sha && pipeline.r#ref == r#ref;
    let mut known = world.pipelines.iter().filter(fits);
    if let Some(asked) = asked {
        return known
            .find(|pipeline| pipeline.id == asked)
            .map(|found| found.id)
            .ok_or_else(|| not_found("Pipeline"));
    }
    if let Some(newest) = known.next_back() {
        return Ok(newest.id);
    }
    let id = world.id();
    world.pipelines.push(Pipeline {
        id,
        project_id: project.id,
        sha: sha.to_owned(),
        r#ref: r#ref.to_owned(),
    });
    Ok(id)
}

fn shown(row: &Status) -> Value {
    json!({
        "id": row.id, "sha": row.sha, "ref": row.r#ref, "name": row.name, "status": row.state,
        "target_url": row.target_url, "description": row.description, "pipeline_id": row.pipeline_id,
        "allow_failure": false, "coverage": null, "author": {"id": row.user_id},
    })
}
