//! `/api/builds`: list, one, and what can be ordered.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;

use crate::web::error::{Error, Result};
use crate::web::orders::{self, Cancelled};
use crate::web::params::{BuildQuery, Params, RebuildQuery, build_id};
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::web::{live, look};
use crate::wire::{BuildDetail, BuildList, Done};

pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<BuildQuery>,
) -> Result<Json<BuildList>> {
    let (builds, next) = look::builds(&state, &caller, &query.filter()?, query.limit()?).await?;
    Ok(Json(BuildList {
        builds,
        next: next.map(|id| query.link("/api/builds", Some(id))),
    }))
}

pub(super) async fn stream(State(state): State<AppState>) -> Result<impl IntoResponse> {
    live::builds_stream(&state)
}

pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<BuildDetail>> {
    let id = build_id(&id)?;
    let detail = look::build_detail(&state, &caller, id).await?;
    detail.map(Json).ok_or_else(|| Error::no_build(id))
}

pub(super) async fn rebuild(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<RebuildQuery>,
) -> Result<Json<Done>> {
    let id = build_id(&id)?;
    let pins = query.pins()?;
    let made = orders::rebuild(&state, id, &caller, pins.as_ref()).await?;
    Ok(Json(Done {
        message: format!("build {made} builds the commit of build {id} again"),
        build: Some(made),
        url: state.address(&format!("/builds/{made}")),
    }))
}

pub(super) async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Done>> {
    let id = build_id(&id)?;
    let message = match orders::cancel(&state, id, &caller).await? {
        Cancelled::AtOnce => format!("build {id} is cancelled"),
        Cancelled::Asked => format!("build {id} is being stopped by its worker"),
    };
    Ok(Json(Done {
        message,
        build: Some(id),
        url: state.address(&format!("/builds/{id}")),
    }))
}

pub(super) async fn approve(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Done>> {
    let id = build_id(&id)?;
    orders::approve(&state, id, &caller).await?;
    Ok(Json(Done {
        message: format!("build {id} is approved and waits for a worker"),
        build: Some(id),
        url: state.address(&format!("/builds/{id}")),
    }))
}
