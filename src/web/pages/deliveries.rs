//! `/deliveries`: what GitLab sent and what was decided of it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Html, Redirect};
use chrono::{DateTime, Utc};

use super::words::{self, Moment};
use super::{Frame, rendered};
use crate::store::{self, deliveries};
use crate::web::error::{Error, Result};
use crate::web::params::{DeliveryQuery, Params, delivery_id};
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::web::{look, orders};
use crate::wire;

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage {
    frame: Frame,
    rows: Vec<Row>,
    decision: String,
    hook: String,
    next: Option<String>,
}

struct Row {
    id: String,
    received: Moment,
    event: String,
    decision: String,
    reason: String,
    build: Option<i64>,
}

#[derive(Template)]
#[template(path = "delivery.html")]
struct DeliveryPage {
    frame: Frame,
    row: Row,
    decided: Option<Moment>,
    key: Option<String>,
    headers: Vec<(String, String)>,
    body: String,
    size: String,
    is_json: bool,
}

pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<DeliveryQuery>,
) -> Result<Html<String>> {
    let filter = query.filter()?;
    let (found, next) = look::deliveries(&state, &filter, query.limit()?).await?;
    let now = store::now(&state.pool).await?;
    rendered(&DeliveriesPage {
        frame: Frame::new(&caller, "deliveries"),
        rows: found.iter().map(|delivery| row(delivery, now)).collect(),
        decision: filter.decision.unwrap_or_default(),
        hook: state.address("/hooks/gitlab"),
        next: next.map(|id| query.link("/deliveries", Some(id))),
    })
}

pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Html<String>> {
    let id = delivery_id(&id)?;
    let record = deliveries::get(&state.pool, id).await?;
    let record = record.ok_or_else(|| Error::NotFound(format!("there is no delivery {id}")))?;
    let detail = look::delivery_detail(&state, record);
    let now = store::now(&state.pool).await?;
    let headers = detail.headers.as_object().into_iter().flatten().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name.clone(), text)
    });
    let body = match &detail.json {
        Some(json) => serde_json::to_string_pretty(json)
            .map_err(|error| Error::Internal(format!("body of delivery {id}: {error}")))?,
        None => detail.text.unwrap_or_default(),
    };
    rendered(&DeliveryPage {
        frame: Frame::new(&caller, "deliveries"),
        row: row(&detail.delivery, now),
        decided: detail.delivery.decided_at.map(|at| Moment::new(at, now)),
        key: detail.key,
        headers: headers.collect(),
        body,
        size: words::bytes(i64::try_from(detail.body_bytes).unwrap_or(i64::MAX)),
        is_json: detail.json.is_some(),
    })
}

pub(super) async fn replay(State(state): State<AppState>, caller: Caller, Path(id): Path<String>) -> Result<Redirect> {
    let id = delivery_id(&id)?;
    orders::replay(&state, id, &caller).await?;
    Ok(Redirect::to(&format!("/deliveries/{id}")))
}

fn row(delivery: &wire::Delivery, now: DateTime<Utc>) -> Row {
    Row {
        id: delivery.id.to_string(),
        received: Moment::new(delivery.received_at, now),
        event: delivery.event.clone().unwrap_or_else(|| "(no event named)".to_owned()),
        decision: delivery.decision.clone().unwrap_or_else(|| "waiting".to_owned()),
        reason: delivery.reason.clone().unwrap_or_default(),
        build: delivery.build.map(|build| build.0),
    }
}
