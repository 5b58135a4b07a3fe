//! The HTTP API (v4) and the way to Git: routes, the token check, failures as told, and what was seen.

mod hooks;
mod merge_requests;
mod notes;
mod projects;
mod statuses;

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

pub(super) use projects::VERSION;

use super::state::{Project, Seen, User};
use super::{GitLab, control, smart_http};

/// What a handler answers: JSON, or GitLab's way of saying no.
type Answer = Result<Response, Refusal>;

/// The whole stand-in.
pub(super) fn router(gitlab: GitLab) -> Router {
    let project = Router::new()
        .route("/repository/branches/{branch}", get(projects::branch))
        .route("/repository/commits/{sha}", get(projects::commit))
        .route("/repository/commits/{sha}/statuses", get(statuses::list))
        .route("/statuses/{sha}", post(statuses::create))
        .route("/merge_requests", get(merge_requests::list))
        .route("/merge_requests/{iid}", get(merge_requests::one))
        .route("/merge_requests/{iid}/notes", get(notes::list).post(notes::create))
        .route("/merge_requests/{iid}/notes/{note}", put(notes::edit).get(notes::one))
        .route("/hooks", get(hooks::list).post(hooks::create))
        .route("/hooks/{hook}", get(hooks::one).put(hooks::edit).delete(hooks::delete))
        .route("/hooks/{hook}/test/{trigger}", post(hooks::test));
    let api = Router::new()
        .nest("/projects/{project}", project)
        .route("/projects/{project}", get(projects::one))
        .route("/user", get(projects::me))
        .route("/users", get(projects::users))
        .route("/users/{user}", get(projects::user))
        .route("/version", get(projects::version))
        .route("/personal_access_tokens/self", get(projects::token))
        .fallback(|| async { Refusal(StatusCode::NOT_FOUND, json!({"error": "404 Not Found"})) })
        .layer(from_fn_with_state(gitlab.clone(), check_token));
    Router::new()
        .nest("/api/v4", api)
        .fallback(git)
        .layer(from_fn_with_state(gitlab.clone(), watch))
        // Its own door, outside what fails and what is seen.
        .nest("/-/control", control::router())
        .with_state(gitlab)
}

/// GitLab's refusals have a status and a `message` or an `error`.
#[derive(Debug)]
pub(super) struct Refusal(StatusCode, Value);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

/// `404 <what> Not Found`.
fn not_found(what: &str) -> Refusal {
    Refusal(
        StatusCode::NOT_FOUND,
        json!({"message": format!("404 {what} Not Found")}),
    )
}

/// 400 with a `message`.
fn bad_request(message: Value) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, json!({"message": message}))
}

/// The project of an address, by id or path.
fn find_project(gitlab: &GitLab, key: &str) -> Result<Project, Refusal> {
    gitlab
        .shared
        .lock()
        .project(key)
        .cloned()
        .ok_or_else(|| not_found("Project"))
}

/// 403 unless the token's user has that access level in the project.
fn need_level(gitlab: &GitLab, level: u32) -> Result<(), Refusal> {
    if gitlab.shared.lock().access.level >= level {
        return Ok(());
    }
    Err(Refusal(StatusCode::FORBIDDEN, json!({"message": "403 Forbidden"})))
}

/// A moment as the API writes it.
fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A user inside something else.
fn person(user: &User, base_url: &str) -> Value {
    json!({
        "id": user.id, "username": user.username, "name": user.name, "state": "active", "locked": false,
        "public_email": if user.public_email { user.email.as_str() } else { "" },
        "avatar_url": null, "web_url": format!("{base_url}/{}", user.username),
    })
}

/// Answers one page of a list, with GitLab's headers for the others.
fn page(items: Vec<Value>, query: &std::collections::HashMap<String, String>) -> Response {
    let number = |name: &str, otherwise: usize| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let size = number("per_page", 20).clamp(1, 100);
    let page = number("page", 1).max(1);
    let total = items.len();
    let next = if page * size < total {
        (page + 1).to_string()
    } else {
        String::new()
    };
    let shown: Vec<Value> = items.into_iter().skip((page - 1) * size).take(size).collect();
    let headers = [
        ("X-Page", page.to_string()),
        ("X-Per-Page", size.to_string()),
        ("X-Next-Page", next),
        ("X-Total", total.to_string()),
        ("X-Total-Pages", total.div_ceil(size).max(1).to_string()),
    ];
    (headers, Json(shown)).into_response()
}

/// `PRIVATE-TOKEN` or a bearer token: 401 without the right one, 403 where its scopes do not reach.
async fn check_token(State(gitlab): State<GitLab>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let (right, scopes) = {
        let state = gitlab.shared.lock();
        (
            token(headers).is_some_and(|token| token == state.api_token),
            state.access.scopes.clone(),
        )
    };
    if !right {
        return Refusal(StatusCode::UNAUTHORIZED, json!({"message": "401 Unauthorized"})).into_response();
    }
    let has = |scope: &str| scopes.iter().any(|known| known == scope);
    // A token may always ask about itself.
    let about_itself = request.uri().path().ends_with("/personal_access_tokens/self");
    let reading = request.method() == Method::GET;
    if !(has("api") || reading && (has("read_api") || about_itself)) {
        let wanted = if reading { "api read_api" } else { "api" };
        return Refusal(
            StatusCode::FORBIDDEN,
            json!({
                "error": "insufficient_scope", "scope": wanted,
                "error_description": "The request requires higher privileges than provided by the access token.",
            }),
        )
        .into_response();
    }
    next.run(request).await
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let own = headers.get("PRIVATE-TOKEN").and_then(|value| value.to_str().ok());
    let bearer = || headers.get("Authorization")?.to_str().ok()?.strip_prefix("Bearer ");
    own.or_else(bearer)
}

/// Fails as told, and keeps what was asked and answered.
async fn watch(State(gitlab): State<GitLab>, request: Request, next: Next) -> Response {
    let method = request.method().to_string();
    let path = request
        .uri()
        .path_and_query()
        .map_or_else(String::new, ToString::to_string);
    let failure = gitlab.shared.lock().take_failure(&method, &path);
    let response = match failure {
        Some(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let words = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or("Failure"));
            Refusal(status, json!({"message": words})).into_response()
        }
        None => next.run(request).await,
    };
    gitlab.shared.lock().seen.push(Seen {
        method,
        path,
        status: response.status().as_u16(),
    });
    response
}

/// Everything that is not the API: Git, or nothing.
async fn git(State(gitlab): State<GitLab>, request: Request) -> Response {
    match smart_http::split(request.uri().path()) {
        Some((project, end)) => smart_http::answer(&gitlab.shared, &project, end, request).await,
        None => (
            StatusCode::NOT_FOUND,
            "The page you are looking for could not be found.\n",
        )
            .into_response(),
    }
}
