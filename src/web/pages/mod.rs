//! Pages for people. They work without JavaScript; with it, they stay up to date by themselves.
//!
//! Templates are askama's, in `templates/pages`: everything is escaped there but log lines, which [`crate::ansi`] made
//! safe. No page has a script or a style inside: the content security policy forbids both.

mod account;
mod assets;
mod build;
mod build_log;
mod builds;
mod deliveries;
mod diff;
mod environments;
mod promotions;
mod provider;
mod quality;
mod sign_in;
mod tokens;
mod words;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::error::{Error, Result};
use super::people::{Caller, Who, csrf_token};
use super::routes::{Needs, Routes};
use crate::model::Permission::{
    AllAccounts, ApproveFork, ApprovePromotion, OrderBuild, OwnAccount, Read, ReadDeliveries, RejectImage,
    ReplayDelivery, RequestPromotion, RollBack, SteerPromotion,
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/", Read, builds::list)
        .get("/builds/{id}", Read, build::show)
        .post("/builds/{id}/rebuild", OrderBuild, build::rebuild)
        .post("/builds/{id}/cancel", OrderBuild, build::cancel)
        .post("/builds/{id}/approve", ApproveFork, build::approve)
        .get("/deliveries", ReadDeliveries, deliveries::list)
        .get("/deliveries/{id}", ReadDeliveries, deliveries::show)
        .post("/deliveries/{id}/replay", ReplayDelivery, deliveries::replay)
        .get("/environments", Read, environments::show)
        .get("/environments/history/{application}", Read, environments::history)
        .get("/promotions", Read, promotions::list)
        .get("/promotions/new", Read, promotions::new)
        .post("/promotions", RequestPromotion, promotions::request)
        .get("/promotions/{id}", Read, promotions::show)
        .post("/promotions/{id}/approve", ApprovePromotion, promotions::approve)
        .post("/promotions/{id}/cancel", SteerPromotion, promotions::cancel)
        .post("/promotions/{id}/resume", SteerPromotion, promotions::resume)
        .post("/promotions/{id}/reject", RejectImage, promotions::reject)
        .get("/rollbacks/new", RollBack, promotions::new_rollback)
        .post("/rollbacks", RollBack, promotions::roll_back)
        .get("/diff", Read, diff::show)
        .get("/quality", Read, quality::show)
        .get("/sign-in", Needs::Nothing, sign_in::show)
        .post("/sign-in", Needs::OwnProof, sign_in::by_token)
        .get("/sign-in/provider", Needs::Nothing, provider::begin)
        .get("/sign-in/return", Needs::OwnProof, provider::back)
        .get("/account", OwnAccount, account::show)
        .post("/account/tokens", OwnAccount, account::create_token)
        .post("/account/tokens/revoke", OwnAccount, account::revoke_token)
        .post("/account/sessions/{id}/end", OwnAccount, account::end_session)
        .get("/tokens", AllAccounts, tokens::show)
        .post("/tokens/revoke", AllAccounts, tokens::revoke)
        .post("/sign-out", Needs::OwnProof, sign_in::sign_out)
        .get("/assets/{sum}/{name}", Needs::Nothing, assets::serve)
}

/// What the frame of every page needs.
#[derive(Debug, Clone, Default)]
struct Frame {
    /// Who is signed in.
    signed_in: Option<String>,
    /// What he is, a line for each role.
    roles: Vec<String>,
    /// What each form has to bring back.
    csrf: String,
    /// The part of the navigation that this page belongs to.
    part: &'static str,
}

impl Frame {
    fn new(caller: &Caller, part: &'static str) -> Self {
        Self {
            signed_in: match &caller.who {
                Who::Nobody { .. } => None,
                who => Some(who.to_string()),
            },
            roles: caller.rights.in_words(),
            csrf: caller.csrf.clone().unwrap_or_default(),
            part,
        }
    }

    /// For a browser that is nobody yet and has this mark.
    fn for_visit(mark: &str) -> Self {
        Self {
            csrf: csrf_token(mark),
            ..Self::default()
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
