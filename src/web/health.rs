//! `/healthz`: the process lives. `/readyz`: it can do its work.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
}

async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    if !state.is_migrated() {
        return not_ready("the database is away, or its schema is not up to date yet");
    }
    match crate::store::server_version(&state.pool).await {
        Ok(_) => (StatusCode::OK, Json(json!({ "ready": true }))),
        Err(_) => not_ready("the database is away"),
    }
}

fn not_ready(why: &str) -> (StatusCode, Json<Value>) {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        Json(json!({ "ready": false, "why": why })),
    )
}
