//! `/promotions`: what is on its way, and what is ordered about it.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::{Html, Redirect};
use serde::Deserialize;

use super::words::{self, Moment};
use super::{Frame, rendered};
use crate::model::{Category, Permission, PromotionState};
use crate::store;
use crate::web::error::{Error, Result};
use crate::web::params::{Params, PromotionQuery, promotion_id};
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::web::{board, promoting};
use crate::wire;

/// How many characters of a digest are typed where an environment wants that.
const TYPED: usize = 6;

#[derive(Template)]
#[template(path = "promotions.html")]
struct ListPage {
    frame: Frame,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    promotion: wire::Promotion,
    asked: Moment,
}

pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<PromotionQuery>,
) -> Result<Html<String>> {
    let (found, next) = board::promotions(&state, &caller, &query.filter()?, query.limit()?).await?;
    let now = store::now(&state.pool).await?;
    rendered(&ListPage {
        frame: Frame::new(&caller, "promotions"),
        rows: found
            .into_iter()
            .map(|promotion| Row {
                asked: Moment::new(promotion.requested_at, now),
                promotion,
            })
            .collect(),
        next: next.map(|id| query.link("/promotions", Some(id))),
    })
}

#[derive(Template)]
#[template(path = "promotion.html")]
struct PromotionPage {
    frame: Frame,
    detail: wire::PromotionDetail,
    asked: Moment,
    copies: Vec<Bar>,
    live: bool,
    may_approve: bool,
    may_steer: bool,
    may_reject: bool,
    /// Must the digest's last characters be typed?
    confirm: bool,
    categories: &'static [Category],
}

/// A copy as a bar.
struct Bar {
    data_centre: String,
    reference: String,
    state: String,
    /// Of 1000.
    width: i64,
    words: String,
    error: Option<String>,
}

impl PromotionPage {
    fn unfinished(&self) -> bool {
        self.detail.promotion.state.is_unfinished()
    }

    fn waits(&self) -> bool {
        self.detail.promotion.state == PromotionState::Waiting
    }

    fn typed(&self) -> usize {
        TYPED
    }
}

pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Html<String>> {
    let detail = board::promotion(&state, &caller, promotion_id(&id)?).await?;
    let now = store::now(&state.pool).await?;
    let promotion = &detail.promotion;
    let may = |permission| caller.rights.permit(permission, Some(&promotion.project));
    let page = PromotionPage {
        frame: Frame::new(&caller, "promotions"),
        asked: Moment::new(promotion.requested_at, now),
        copies: detail.copies.iter().map(|copy| bar(promotion, copy)).collect(),
        live: !promotion.state.is_final(),
        may_approve: may(Permission::ApprovePromotion),
        may_steer: may(Permission::SteerPromotion),
        may_reject: may(Permission::RejectImage),
        confirm: confirm(&state, &promotion.environment),
        categories: Category::ALL,
        detail,
    };
    rendered(&page)
}

fn bar(promotion: &wire::Promotion, copy: &wire::Copy) -> Bar {
    let there = copy.sent + copy.skipped;
    let spent = promotion
        .started_at
        .map_or(0.0, |began| (copy.at - began).as_seconds_f64());
    let words = match copy.state.as_str() {
        "copying" if copy.total > 0 && spent > 0.0 && copy.sent > 0 => {
            let rate = copy.sent as f64 / spent;
            format!(
                "{} of {}, {}/s, {:.0} s left",
                words::bytes(there),
                words::bytes(copy.total),
                words::bytes(rate as i64),
                (copy.total - there) as f64 / rate
            )
        }
        _ => format!(
            "{} sent, {} there before",
            words::bytes(copy.sent),
            words::bytes(copy.skipped)
        ),
    };
    Bar {
        data_centre: copy.data_centre.clone(),
        reference: copy.reference.clone(),
        state: copy.state.clone(),
        width: if copy.total > 0 { there * 1000 / copy.total } else { 0 },
        words,
        error: copy.error.clone(),
    }
}

fn confirm(state: &AppState, environment: &str) -> bool {
    state
        .definitions
        .environments()
        .get(environment)
        .is_some_and(|environment| environment.confirm)
}

#[derive(Debug, Deserialize)]
pub(super) struct NewQuery {
    image: String,
    environment: String,
}

#[derive(Template)]
#[template(path = "promotion_new.html")]
struct NewPage {
    frame: Frame,
    outlook: wire::Outlook,
}

/// What a promotion would be, and the form that asks for it.
pub(super) async fn new(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<NewQuery>,
) -> Result<Html<String>> {
    let outlook = promoting::outlook(&state, &caller, &query.image, &query.environment).await?;
    rendered(&NewPage {
        frame: Frame::new(&caller, "promotions"),
        outlook: board::outlook(&outlook),
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct NewForm {
    image: String,
    environment: String,
    reason: String,
}

pub(super) async fn request(
    State(state): State<AppState>,
    caller: Caller,
    Form(form): Form<NewForm>,
) -> Result<Redirect> {
    let id = promoting::request(&state, &caller, &form.image, &form.environment, &form.reason).await?;
    Ok(Redirect::to(&format!("/promotions/{id}")))
}

#[derive(Debug, Deserialize)]
pub(super) struct RollbackQuery {
    application: String,
    environment: String,
}

#[derive(Template)]
#[template(path = "rollback_new.html")]
struct RollbackPage {
    frame: Frame,
    application: String,
    environment: String,
}

pub(super) async fn new_rollback(caller: Caller, Params(query): Params<RollbackQuery>) -> Result<Html<String>> {
    rendered(&RollbackPage {
        frame: Frame::new(&caller, "promotions"),
        application: query.application,
        environment: query.environment,
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct RollbackForm {
    application: String,
    environment: String,
    reason: String,
}

pub(super) async fn roll_back(
    State(state): State<AppState>,
    caller: Caller,
    Form(form): Form<RollbackForm>,
) -> Result<Redirect> {
    let id = promoting::roll_back(&state, &caller, &form.application, &form.environment, &form.reason).await?;
    Ok(Redirect::to(&format!("/promotions/{id}")))
}

#[derive(Debug, Deserialize)]
pub(super) struct ApproveForm {
    #[serde(default)]
    digest: String,
}

pub(super) async fn approve(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Form(form): Form<ApproveForm>,
) -> Result<Redirect> {
    let id = promotion_id(&id)?;
    let detail = board::promotion(&state, &caller, id).await?;
    let promotion = &detail.promotion;
    let typed = form.digest.trim();
    if confirm(&state, &promotion.environment) && (typed.len() < TYPED || !promotion.digest.as_str().ends_with(typed)) {
        return Err(Error::Invalid(format!(
            "type the last {TYPED} characters of the digest that you approve for {}: compare it with what was tested",
            promotion.environment
        )));
    }
    promoting::approve(&state, &caller, id).await?;
    Ok(Redirect::to(&format!("/promotions/{id}")))
}

#[derive(Debug, Deserialize)]
pub(super) struct ReasonForm {
    reason: String,
}

pub(super) async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Form(form): Form<ReasonForm>,
) -> Result<Redirect> {
    let id = promotion_id(&id)?;
    promoting::cancel(&state, &caller, id, &form.reason).await?;
    Ok(Redirect::to(&format!("/promotions/{id}")))
}

pub(super) async fn resume(State(state): State<AppState>, caller: Caller, Path(id): Path<String>) -> Result<Redirect> {
    let id = promotion_id(&id)?;
    promoting::resume(&state, &caller, id).await?;
    Ok(Redirect::to(&format!("/promotions/{id}")))
}

#[derive(Debug, Deserialize)]
pub(super) struct RejectForm {
    category: String,
    reason: String,
}

/// Rejects the image of this promotion.
pub(super) async fn reject(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Form(form): Form<RejectForm>,
) -> Result<Redirect> {
    let id = promotion_id(&id)?;
    let digest = board::promotion(&state, &caller, id).await?.promotion.digest;
    let category: Category = form
        .category
        .parse()
        .map_err(|error: crate::model::Invalid| Error::Invalid(error.to_string()))?;
    promoting::reject(&state, &caller, digest.as_str(), category, &form.reason).await?;
    Ok(Redirect::to(&format!("/promotions/{id}")))
}
