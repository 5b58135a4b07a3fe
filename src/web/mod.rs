//! The web side: webhooks come in, people look and give orders. It writes rows and jobs and never does the work.
//!
//! `api` is JSON for programs, `pages` HTML for people; both show what `look` reads and order by `orders`.

mod api;
mod board;
mod compare;
mod encode;
mod error;
mod figures;
mod health;
mod holders;
mod live;
mod log;
mod look;
mod orders;
mod pages;
mod params;
mod people;
mod promoting;
mod routes;
mod state;
mod trace;
mod trail;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

pub use routes::{Needs, Route};
pub use state::AppState;

use people::gate::{self, Gate};
use routes::Routes;

use crate::store::jobs::Lane;
use crate::wake::Event;
use crate::webhook::{self, Hooks};

/// Forms and orders are small.
const LARGEST_FORM: usize = 64 << 10;

/// Nothing from elsewhere, nothing inline; pico.css draws the arrows of its form fields as `data:` images.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                                       form-action 'self'; frame-ancestors 'none'";

/// `/healthz` and `/readyz` alone: for a process that only works.
pub fn health_router(state: AppState) -> Router {
    health_routes().router.with_state(state)
}

fn health_routes() -> Routes {
    Routes::default()
        .get("/healthz", Needs::Nothing, health::healthz)
        .get("/readyz", Needs::Nothing, health::readyz)
}

/// Everything that is served, with what it needs. The webhook's own router is added by [`router`].
fn all() -> Routes {
    api::routes()
        .merge(pages::routes())
        .merge(health_routes())
        .row(Method::POST, "/hooks/gitlab", Needs::OwnProof)
}

/// The table of routes: what the gate holds, and what a test holds it against.
pub fn routes() -> Vec<Route> {
    all().rows
}

/// Everything: webhooks, API, pages, health.
pub fn router(state: AppState) -> Router {
    let hub = Arc::clone(&state.hub);
    let hooks = Hooks::new(
        state.pool.clone(),
        state.config.webhook.clone(),
        state.config.server.public_url.clone(),
        move || hub.tell(Event::Job(Lane::Intake)),
    );
    let all = all();
    let gate = Gate::new(&all.rows, state.clone());
    let people = all.router.layer(DefaultBodyLimit::max(LARGEST_FORM)).with_state(state);
    let header =
        |name: HeaderName, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    Router::new()
        .merge(people)
        .merge(webhook::routes(Arc::new(hooks)))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(from_fn_with_state(gate, gate::pass))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn(error::finish))
        .layer(header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::REFERRER_POLICY, "same-origin"))
        // What is shown depends on who asks and on the moment.
        .layer(header(header::CACHE_CONTROL, "private, no-cache"))
}
