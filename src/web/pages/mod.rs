//! Pages for people. They work without JavaScript; with it, they stay up to date by themselves.
//!
//! Templates are askama's, in `templates/pages`: everything is escaped there but log lines, which [`crate::ansi`] made
//! safe. No page has a script or a style inside: the content security policy forbids both.

mod assets;
mod build;
mod build_log;
mod builds;
mod deliveries;
mod sign_in;
mod words;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

use super::auth::Reader;
use super::error::{Error, Result};
use super::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(builds::list))
        .route("/builds/{id}", get(build::show))
        .route("/builds/{id}/rebuild", post(build::rebuild))
        .route("/builds/{id}/cancel", post(build::cancel))
        .route("/builds/{id}/approve", post(build::approve))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/{id}", get(deliveries::show))
        .route("/deliveries/{id}/replay", post(deliveries::replay))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/assets/{sum}/{name}", get(assets::serve))
}

/// What the frame of every page needs.
#[derive(Debug, Clone, Default)]
struct Frame {
    /// Whose token is used.
    signed_in: Option<String>,
    /// The part of the navigation that this page belongs to.
    part: &'static str,
}

impl Frame {
    fn new(reader: Reader, part: &'static str) -> Self {
        Self {
            signed_in: reader.name,
            part,
        }
    }

    fn asset(&self, name: &str) -> &'static str {
        assets::address(name)
    }
}

fn rendered(page: &impl Template) -> Result<Html<String>> {
    page.render()
        .map(Html)
        .map_err(|error| Error::Internal(format!("a page could not be rendered: {error}")))
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    title: &'a str,
    text: &'a str,
    request_id: &'a str,
}

/// The page for an error.
pub(super) fn error_page(status: StatusCode, text: &str, request_id: &str) -> Response {
    let page = ErrorPage {
        frame: Frame::default(),
        title: status.canonical_reason().unwrap_or("Error"),
        text,
        request_id,
    };
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(_) => (status, format!("{text} (request {request_id})\n")).into_response(),
    }
}
