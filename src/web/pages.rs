//! The pages: rendered here, live by one small script, usable without it.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use chrono::{DateTime, Utc};
use rust_embed::RustEmbed;
use serde::Deserialize;

use super::api::{ListQuery, builds_of};
use super::auth::{COOKIE, Reader, Writer};
use super::error::{Result, WebError};
use super::{AppState, orders, view};
use crate::ansi;
use crate::build_log::{Entry, decode};
use crate::model::{BuildId, BuildState};
use crate::store::{logs, tokens};
use crate::wire::{BuildSummary, BuildView, StageView};

/// Lines of a log that are in the page itself; the rest comes by the script, or from the link to the whole.
const LINES: i64 = 1000;

#[derive(RustEmbed)]
#[folder = "templates/pages/assets/"]
struct Assets;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(list))
        .route("/builds/{id}", get(build))
        .route("/builds/{id}/{order}", post(order))
        .route("/sign-in", get(sign_in_page).post(sign_in))
        .route("/assets/{name}", get(asset))
}

/// An error as a page.
struct PageError(WebError);

impl<E: Into<WebError>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if self.0.status() == StatusCode::UNAUTHORIZED {
            return Redirect::to("/sign-in").into_response();
        }
        let page = ErrorPage {
            sentence: self.0.sentence(),
        };
        (self.0.status(), Html(page.render().unwrap_or_default())).into_response()
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    sentence: &'a str,
}

#[derive(Template)]
#[template(path = "builds.html")]
struct BuildsPage {
    query: ListQuery,
    builds: Vec<BuildSummary>,
    next: Option<i64>,
    who: Option<String>,
}

#[derive(Template)]
#[template(path = "build.html")]
struct BuildPage {
    build: BuildView,
    lines: Vec<Line>,
    after: i64,
    earlier: bool,
    who: Option<String>,
}

#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignInPage {
    wrong: bool,
}

/// A line of the log as the page shows it.
struct Line {
    seq: i64,
    stage: String,
    /// Escaped by [`ansi::to_html`].
    html: String,
}

fn page(template: &impl Template) -> std::result::Result<Response, PageError> {
    match template.render() {
        Ok(html) => Ok(Html(html).into_response()),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            Err(WebError::bad_request("the page cannot be shown").into())
        }
    }
}

async fn list(
    reader: std::result::Result<Reader, WebError>,
    State(state): State<AppState>,
    Query(query): Query<ListQuery>,
) -> std::result::Result<Response, PageError> {
    let reader = reader?;
    let found = builds_of(&state, &query).await?;
    page(&BuildsPage {
        query,
        builds: found.builds,
        next: found.next,
        who: reader.name,
    })
}

async fn build(
    reader: std::result::Result<Reader, WebError>,
    State(state): State<AppState>,
    Path(id): Path<i64>,
) -> std::result::Result<Response, PageError> {
    let reader = reader?;
    let id = BuildId(id);
    let record = orders::existing(&state, id).await?;
    let start = (record.log_lines - LINES).max(0);
    let mut lines = Vec::new();
    let mut after = start;
    for chunk in logs::read(&state.pool, id, start, i64::MAX).await? {
        for entry in decode(&chunk)? {
            if entry.last_seq() <= start {
                continue;
            }
            after = entry.last_seq();
            lines.push(match entry {
                Entry::Line(line) => Line {
                    seq: line.seq,
                    stage: line.stage.map(|stage| stage.as_str()).unwrap_or_default().to_owned(),
                    html: ansi::to_html(&line.text),
                },
                Entry::Dropped {
                    first_seq, last_seq, ..
                } => Line {
                    seq: last_seq,
                    stage: String::new(),
                    html: format!("… {} lines were too many and are dropped …", last_seq - first_seq + 1),
                },
            });
        }
    }
    let build = view::whole(&state, record).await?;
    page(&BuildPage {
        build,
        lines,
        after,
        earlier: start > 0,
        who: reader.name,
    })
}

async fn order(
    writer: std::result::Result<Writer, WebError>,
    State(state): State<AppState>,
    Path((id, order)): Path<(i64, String)>,
) -> std::result::Result<Response, PageError> {
    let writer = writer?;
    let id = BuildId(id);
    let done = match order.as_str() {
        "cancel" => orders::cancel(&state, id, &writer.name).await?,
        "rebuild" => orders::rebuild(&state, id, &writer.name).await?,
        "approve" => orders::approve(&state, id, &writer.name).await?,
        _ => return Err(WebError::not_found(format!("there is no order {order:?}")).into()),
    };
    Ok(Redirect::to(&format!("/builds/{}", done.build.unwrap_or(id.0))).into_response())
}

async fn sign_in_page() -> std::result::Result<Response, PageError> {
    page(&SignInPage { wrong: false })
}

#[derive(Deserialize)]
struct SignIn {
    token: String,
}

async fn sign_in(State(state): State<AppState>, Form(form): Form<SignIn>) -> std::result::Result<Response, PageError> {
    let token = form.token.trim();
    if tokens::find(&state.pool, token).await?.is_none() {
        return page(&SignInPage { wrong: true });
    }
    let secure = if state.config.server.public_url.starts_with("https:") {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000{secure}");
    let mut response = Redirect::to("/").into_response();
    let value = HeaderValue::from_str(&cookie).map_err(|_| WebError::bad_request("this is no token"))?;
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(response)
}

async fn asset(Path(name): Path<String>) -> Result<Response> {
    let file = Assets::get(&name).ok_or_else(|| WebError::not_found("there is no such file"))?;
    let kind = if name.ends_with(".css") {
        "text/css; charset=utf-8"
    } else {
        "text/javascript; charset=utf-8"
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=300")];
    Ok((headers, file.data.into_owned()).into_response())
}

/// "3 min ago".
fn ago(time: &DateTime<Utc>) -> String {
    let seconds = (Utc::now() - *time).num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// How long a build has taken, or takes.
fn took(build: &BuildSummary) -> String {
    let Some(start) = build.started_at else {
        return String::new();
    };
    millis((build.finished_at.unwrap_or_else(Utc::now) - start).num_milliseconds())
}

fn stage_time(stage: &StageView) -> String {
    stage.millis.map(millis).unwrap_or_else(|| "…".to_owned())
}

fn millis(millis: i64) -> String {
    match millis {
        ..60_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
    }
}

/// The states that a list can be narrowed to.
fn states() -> [BuildState; 8] {
    BuildState::ALL
}
