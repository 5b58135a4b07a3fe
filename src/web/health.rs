//! `/healthz`: the process lives. `/readyz`: requests may be sent here.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::state::AppState;
use crate::store;
use crate::wire::Readiness;

/// Who asks for readiness asks often and does not wait long.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(state): State<AppState>) -> (StatusCode, Json<Readiness>) {
    let mut missing = Vec::new();
    if state.stop.is_cancelled() {
        missing.push("the service is stopping".to_owned());
    }
    if !matches!(
        tokio::time::timeout(PATIENCE, store::server_version(&state.pool)).await,
        Ok(Ok(_))
    ) {
        missing.push("Postgres does not answer".to_owned());
    }
    if !state.is_migrated() {
        missing.push("the migrations are not yet done".to_owned());
    }
    let ready = missing.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Readiness { ready, missing }))
}
