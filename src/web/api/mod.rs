//! The HTTP API: JSON of [`crate::wire`] below `/api`. Reading is open if `server.public_read` says so; every order
//! needs a token that may write.

mod builds;
mod deliveries;
mod images;
mod log;
mod trace;

use axum::Router;
use axum::routing::{get, post};

use super::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/builds", get(builds::list))
        .route("/api/builds/stream", get(builds::stream))
        .route("/api/builds/{id}", get(builds::show))
        .route("/api/builds/{id}/rebuild", post(builds::rebuild))
        .route("/api/builds/{id}/cancel", post(builds::cancel))
        .route("/api/builds/{id}/approve", post(builds::approve))
        .route("/api/builds/{id}/log", get(log::read))
        .route("/api/builds/{id}/log/stream", get(log::stream))
        .route("/api/images", get(images::list))
        .route("/api/trace/{*what}", get(trace::trace))
        .route("/api/deliveries", get(deliveries::list))
        .route("/api/deliveries/{id}", get(deliveries::show))
        .route("/api/deliveries/{id}/replay", post(deliveries::replay))
}
