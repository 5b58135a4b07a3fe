//! `/api/builds/{id}/log`: the log at rest and as it grows.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::web::error::{Error, Result};
use crate::web::log::{self, Format};
use crate::web::params::{Params, build_id, given, number};
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::web::{live, look};

#[derive(Debug, Deserialize)]
pub(super) struct ReadQuery {
    after: Option<String>,
    limit: Option<String>,
    format: Option<String>,
}

/// `?after=SEQ&limit=LINES&format=json|text`; without a limit the log to its present end.
pub(super) async fn read(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let id = build_id(&id)?;
    let after = number("after", &query.after, "the number of a line")?.unwrap_or(0);
    let limit = number("limit", &query.limit, "a number of lines")?.unwrap_or(i64::MAX);
    let wants_text = || {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        accept.is_some_and(|accept| accept.trim_start().starts_with("text/plain"))
    };
    let format = match given(&query.format) {
        Some("json") => Format::Json,
        Some("text") => Format::Text,
        Some(other) => return Err(Error::Invalid(format!("format={other}: write json or text"))),
        None if wants_text() => Format::Text,
        None => Format::Json,
    };
    look::see_build(&state, &caller, id).await?;
    let kind = match format {
        Format::Json => "application/x-ndjson",
        Format::Text => "text/plain; charset=utf-8",
    };
    let body = log::body(state.pool.clone(), id, after, limit, format);
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamQuery {
    after: Option<String>,
    html: Option<String>,
}

/// Server-sent events; `Last-Event-ID` counts before `?after=`, which only the first connection means.
pub(super) async fn stream(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<StreamQuery>,
    headers: HeaderMap,
) -> Result<impl IntoResponse> {
    let id = build_id(&id)?;
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let after = match number("Last-Event-ID", &last, "the number of a line")? {
        Some(after) => after,
        None => number("after", &query.after, "the number of a line")?.unwrap_or(0),
    };
    look::see_build(&state, &caller, id).await?;
    live::log_stream(&state, id, after, given(&query.html) == Some("1")).await
}
