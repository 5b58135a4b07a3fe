//! `/api`: everything that the pages show and the command line does, as JSON.

use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

use super::auth::{Reader, Writer};
use super::error::{Result, WebError};
use super::{AppState, live, orders, view};
use crate::build_log::{Entry, decode};
use crate::model::{BuildId, DeliveryId};
use crate::store::builds::Filter;
use crate::store::{builds, deliveries, images, logs};
use crate::wire::{BuildList, BuildView, DeliveryView, Done};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/builds", get(list))
        .route("/builds/{id}", get(show))
        .route("/builds/{id}/cancel", post(cancel))
        .route("/builds/{id}/rebuild", post(rebuild))
        .route("/builds/{id}/approve", post(approve))
        .route("/builds/{id}/log", get(log))
        .route("/builds/{id}/log/stream", get(live::stream))
        .route("/trace/{*what}", get(trace))
        .route("/deliveries", get(list_deliveries))
        .route("/deliveries/{id}", get(show_delivery))
        .route("/deliveries/{id}/replay", post(replay))
}

/// Query of a list of builds; every part may be left out or empty.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ListQuery {
    #[serde(default)]
    pub project: String,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub commit: String,
    #[serde(default)]
    pub iid: String,
    #[serde(default)]
    pub before: String,
    #[serde(default)]
    pub limit: String,
}

impl ListQuery {
    pub fn filter(&self) -> Result<Filter> {
        fn part<T: std::str::FromStr<Err = E>, E: std::fmt::Display>(text: &str) -> Result<Option<T>> {
            let text = text.trim();
            if text.is_empty() {
                return Ok(None);
            }
            text.parse()
                .map(Some)
                .map_err(|error: E| WebError::bad_request(format!("{text:?}: {error}")))
        }
        Ok(Filter {
            project: part(&self.project)?,
            state: part(&self.state)?,
            iid: part(&self.iid)?,
            commit: Some(self.commit.trim().to_lowercase()).filter(|commit| !commit.is_empty()),
            before: part::<i64, _>(&self.before)?.map(BuildId),
        })
    }

    fn limit(&self) -> Result<i64> {
        match self.limit.trim() {
            "" => Ok(50),
            text => text
                .parse()
                .ok()
                .filter(|limit| (1..=500).contains(limit))
                .ok_or_else(|| WebError::bad_request(format!("limit = {text:?}: must be a number from 1 to 500"))),
        }
    }
}

pub(super) async fn builds_of(state: &AppState, query: &ListQuery) -> Result<BuildList> {
    let limit = query.limit()?;
    let mut records = builds::list(&state.pool, &query.filter()?, limit + 1).await?;
    let more = records.len() as i64 > limit;
    records.truncate(limit as usize);
    let url = &state.config.server.public_url;
    let builds: Vec<_> = records.iter().map(|record| view::summary(record, url)).collect();
    Ok(BuildList {
        next: builds.last().filter(|_| more).map(|build| build.id),
        builds,
    })
}

async fn list(_: Reader, State(state): State<AppState>, Query(query): Query<ListQuery>) -> Result<Json<BuildList>> {
    builds_of(&state, &query).await.map(Json)
}

async fn show(_: Reader, State(state): State<AppState>, Path(id): Path<i64>) -> Result<Json<BuildView>> {
    let record = orders::existing(&state, BuildId(id)).await?;
    view::whole(&state, record).await.map(Json)
}

async fn cancel(writer: Writer, State(state): State<AppState>, Path(id): Path<i64>) -> Result<Json<Done>> {
    orders::cancel(&state, BuildId(id), &writer.name).await.map(Json)
}

async fn rebuild(writer: Writer, State(state): State<AppState>, Path(id): Path<i64>) -> Result<Json<Done>> {
    orders::rebuild(&state, BuildId(id), &writer.name).await.map(Json)
}

async fn approve(writer: Writer, State(state): State<AppState>, Path(id): Path<i64>) -> Result<Json<Done>> {
    orders::approve(&state, BuildId(id), &writer.name).await.map(Json)
}

/// The log so far as plain text.
async fn log(_: Reader, State(state): State<AppState>, Path(id): Path<i64>) -> Result<Response> {
    orders::existing(&state, BuildId(id)).await?;
    let mut text = String::new();
    for chunk in logs::read(&state.pool, BuildId(id), 0, i64::MAX).await? {
        for entry in decode(&chunk)? {
            match entry {
                Entry::Line(line) => {
                    text.push_str(&line.text);
                    text.push('\n');
                }
                Entry::Dropped {
                    first_seq,
                    last_seq,
                    bytes,
                } => {
                    let lines = last_seq - first_seq + 1;
                    text.push_str(&format!(
                        "… {lines} lines ({bytes} bytes) were too many and are dropped …\n"
                    ));
                }
            }
        }
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// Builds by image digest, image reference, build number or commit.
async fn trace(_: Reader, State(state): State<AppState>, Path(what): Path<String>) -> Result<Json<Vec<BuildView>>> {
    let what = what.trim().trim_start_matches('#');
    let mut ids = Vec::new();
    if let Ok(number) = what.parse::<i64>() {
        ids.push(BuildId(number));
    }
    if ids.is_empty() {
        ids = images::find(&state.pool, what).await?;
    }
    let is_hex = (7..=64).contains(&what.len()) && what.bytes().all(|b| b.is_ascii_hexdigit());
    if ids.is_empty() && is_hex {
        let filter = Filter {
            commit: Some(what.to_lowercase()),
            ..Filter::default()
        };
        ids = builds::list(&state.pool, &filter, 50)
            .await?
            .into_iter()
            .map(|record| record.build.id)
            .collect();
    }
    let mut found = Vec::new();
    for id in ids {
        if let Some(record) = builds::get(&state.pool, id).await? {
            found.push(view::whole(&state, record).await?);
        }
    }
    if found.is_empty() {
        return Err(WebError::not_found(format!(
            "nothing is known of {what:?}: give a build number, an image reference or digest (12 digits at least), or a commit (7 at least)"
        )));
    }
    Ok(Json(found))
}

#[derive(Deserialize)]
struct DeliveriesQuery {
    decision: Option<String>,
}

async fn list_deliveries(
    _: Reader,
    State(state): State<AppState>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Json<Vec<DeliveryView>>> {
    let found = deliveries::list(&state.pool, query.decision.as_deref(), 100).await?;
    Ok(Json(
        found.into_iter().map(|record| view::delivery(record, false)).collect(),
    ))
}

async fn show_delivery(_: Reader, State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<DeliveryView>> {
    let id = delivery_id(&id)?;
    let found = deliveries::get(&state.pool, id).await?;
    let record = found.ok_or_else(|| WebError::not_found(format!("there is no delivery {id}")))?;
    Ok(Json(view::delivery(record, true)))
}

async fn replay(_: Writer, State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<Done>> {
    orders::replay(&state, delivery_id(&id)?).await.map(Json)
}

fn delivery_id(text: &str) -> Result<DeliveryId> {
    let id = text
        .parse()
        .map_err(|_| WebError::bad_request(format!("{text:?} is no delivery's id")))?;
    Ok(DeliveryId(id))
}
