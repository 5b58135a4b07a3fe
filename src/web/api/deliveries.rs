//! `/api/deliveries`: what GitLab sent, and having it interpreted again.

use axum::Json;
use axum::extract::{Path, State};

use crate::store::deliveries;
use crate::web::error::{Error, Result};
use crate::web::params::{DeliveryQuery, Params, delivery_id};
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::web::{look, orders};
use crate::wire::{DeliveryDetail, DeliveryList, Done};

pub(super) async fn list(
    State(state): State<AppState>,
    Params(query): Params<DeliveryQuery>,
) -> Result<Json<DeliveryList>> {
    let (deliveries, next) = look::deliveries(&state, &query.filter()?, query.limit()?).await?;
    Ok(Json(DeliveryList {
        deliveries,
        next: next.map(|id| query.link("/api/deliveries", Some(id))),
    }))
}

pub(super) async fn show(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<DeliveryDetail>> {
    let id = delivery_id(&id)?;
    match deliveries::get(&state.pool, id).await? {
        Some(record) => Ok(Json(look::delivery_detail(&state, record))),
        None => Err(Error::NotFound(format!("there is no delivery {id}"))),
    }
}

pub(super) async fn replay(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Done>> {
    let id = delivery_id(&id)?;
    orders::replay(&state, id, &caller).await?;
    Ok(Json(Done {
        message: format!("delivery {id} is interpreted again"),
        build: None,
        url: state.address(&format!("/deliveries/{id}")),
    }))
}
