//! `/api/promotions`, `/api/rollbacks`, `/api/rejections`: the way through the environments.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;

use crate::model::{PromotionId, PromotionState};
use crate::web::error::Result;
use crate::web::params::{JsonBody, Params, PromotionQuery, promotion_id};
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::web::{board, live, promoting};
use crate::wire::{
    CancelOrder, PromotionAnswer, PromotionDetail, PromotionDone, PromotionList, PromotionOrder, RejectionOrder,
    RollbackOrder,
};

pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<PromotionQuery>,
) -> Result<Json<PromotionList>> {
    let (promotions, next) = board::promotions(&state, &caller, &query.filter()?, query.limit()?).await?;
    Ok(Json(PromotionList {
        promotions,
        next: next.map(|id| query.link("/api/promotions", Some(id))),
    }))
}

pub(super) async fn stream(State(state): State<AppState>) -> Result<impl IntoResponse> {
    live::promotions_stream(&state)
}

pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PromotionDetail>> {
    board::promotion(&state, &caller, promotion_id(&id)?).await.map(Json)
}

/// 202 for a request, 200 for a dry run.
pub(super) async fn request(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(order): JsonBody<PromotionOrder>,
) -> Result<(StatusCode, Json<PromotionAnswer>)> {
    if order.dry_run {
        let outlook = promoting::outlook(&state, &caller, &order.image, &order.environment).await?;
        return Ok((StatusCode::OK, Json(PromotionAnswer::Outlook(board::outlook(&outlook)))));
    }
    let id = promoting::request(&state, &caller, &order.image, &order.environment, &order.reason).await?;
    let done = done(&state, id, format!("promotion {id} is asked for"));
    Ok((StatusCode::ACCEPTED, Json(PromotionAnswer::Ordered(done))))
}

pub(super) async fn roll_back(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(order): JsonBody<RollbackOrder>,
) -> Result<(StatusCode, Json<PromotionDone>)> {
    let id = promoting::roll_back(&state, &caller, &order.application, &order.environment, &order.reason).await?;
    let done = done(
        &state,
        id,
        format!("rollback {id} of {} is asked for", order.application),
    );
    Ok((StatusCode::ACCEPTED, Json(done)))
}

pub(super) async fn approve(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PromotionDone>> {
    let id = promotion_id(&id)?;
    promoting::approve(&state, &caller, id).await?;
    Ok(Json(done(&state, id, format!("promotion {id} has your approval"))))
}

pub(super) async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBody(order): JsonBody<CancelOrder>,
) -> Result<Json<PromotionDone>> {
    let id = promotion_id(&id)?;
    let message = match promoting::cancel(&state, &caller, id, &order.reason).await? {
        PromotionState::Cancelled => format!("promotion {id} is given up"),
        _ => format!("promotion {id} is being stopped by its worker"),
    };
    Ok(Json(done(&state, id, message)))
}

pub(super) async fn resume(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PromotionDone>> {
    let id = promotion_id(&id)?;
    promoting::resume(&state, &caller, id).await?;
    Ok(Json(done(&state, id, format!("promotion {id} goes on"))))
}

pub(super) async fn reject(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(order): JsonBody<RejectionOrder>,
) -> Result<Json<PromotionDone>> {
    let digest = promoting::reject(&state, &caller, &order.image, order.category, &order.reason).await?;
    Ok(Json(PromotionDone {
        message: format!("{digest} is rejected and will not be promoted any more"),
        promotion: None,
        url: state.address(&format!("/api/promotions?digest={digest}")),
    }))
}

fn done(state: &AppState, id: PromotionId, message: String) -> PromotionDone {
    PromotionDone {
        message,
        promotion: Some(id),
        url: state.address(&format!("/promotions/{id}")),
    }
}
