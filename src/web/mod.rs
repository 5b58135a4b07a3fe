//! The web: webhooks, the API, pages, live logs. It writes a row and a job and wakes the workers; it never does their
//! work.

mod api;
mod auth;
mod error;
mod health;
mod live;
mod orders;
mod pages;
mod state;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

pub use state::AppState;

use crate::store::jobs::Lane;
use crate::wake::Event;
use crate::webhook;

/// Everything that is served.
pub fn router(state: AppState) -> Router {
    let hub = Arc::clone(&state.hub);
    let hooks = webhook::Hooks::new(
        state.pool.clone(),
        state.config.webhook.clone(),
        state.config.server.public_url.clone(),
        move || hub.tell(Event::Job(Lane::Intake)),
    );
    let always = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    Router::new()
        .merge(pages::routes())
        .nest("/api", api::routes())
        .merge(health::routes())
        .with_state(state)
        .merge(webhook::routes(Arc::new(hooks)))
        .layer(always(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        ))
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(header::REFERRER_POLICY, "same-origin"))
        .layer(CatchPanicLayer::new())
}

/// What a process that only works serves.
pub fn health_router(state: AppState) -> Router {
    health::routes().with_state(state)
}
