//! `POST /hooks/gitlab`: a delivery is checked, stored as it came, and answered with its address. Nothing is
//! interpreted here, so a mistake in interpreting is mended by interpreting again.
//!
//! GitLab waits ten seconds and does not send again by itself, therefore a database that is away for a moment is waited
//! for, and everything that is authenticated gets 2xx, however little sense it makes: other answers count as failures
//! of the hook and may switch it off.

pub mod auth;
pub mod envelope;
mod refusals;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::StreamExt as _;
use serde_json::json;
use sqlx::PgPool;
use tokio::time::Instant;

use self::refusals::Refusals;
use self::writer::{Received, Writer};
use crate::config;
use crate::model::DeliveryId;

/// What [`Hooks::patience`] is.
const PATIENCE: Duration = Duration::from_secs(8);

/// What the handler needs.
pub struct Hooks {
    /// Secrets and limits.
    pub settings: config::Webhook,
    /// `server.public_url`: the delivery's address begins with it.
    pub public_url: String,
    /// How long the database is waited for: below the ten seconds that GitLab waits for us.
    pub patience: Duration,
    refusals: Refusals,
    writer: Writer,
}

impl Hooks {
    /// A handler's state with nothing refused so far. Deliveries are stored in `pool`; `wake` is called when some are:
    /// somebody should look at the intake lane. Must be called within a runtime.
    pub fn new(
        pool: PgPool,
        settings: config::Webhook,
        public_url: impl Into<String>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            settings,
            public_url: public_url.into(),
            patience: PATIENCE,
            refusals: Refusals::default(),
            writer: Writer::start(pool, wake),
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}

/// The one route.
pub fn routes(hooks: Arc<Hooks>) -> Router {
    Router::new().route("/hooks/gitlab", post(receive)).with_state(hooks)
}

async fn receive(State(hooks): State<Arc<Hooks>>, request: Request) -> Response {
    let deadline = Instant::now() + hooks.patience;
    match accept(&hooks, request, deadline).await {
        Ok(id) => {
            let address = format!("{}/api/deliveries/{id}", hooks.public_url.trim_end_matches('/'));
            let body = Json(json!({ "delivery": id.to_string(), "address": address }));
            (StatusCode::ACCEPTED, [(header::LOCATION, address)], body).into_response()
        }
        Err(no) => no.into_response(),
    }
}

async fn accept(hooks: &Hooks, request: Request, deadline: Instant) -> Result<DeliveryId, No> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    let check = |body: &[u8]| {
        auth::authenticate(&headers, body, &hooks.settings, chrono::Utc::now().timestamp()).map_err(|refusal| {
            hooks.refusals.count(refusal, sender(&headers));
            No::Refused
        })
    };
    // Where the body does not matter for the check, a stranger's body is not even read.
    let by_signature = auth::by_signature(&headers, &hooks.settings);
    if !by_signature {
        check(b"")?;
    }
    let body = read(&headers, body, hooks.settings.max_body).await?;
    if by_signature {
        check(&body)?;
    }
    let received = Received {
        id: DeliveryId(uuid::Uuid::now_v7()),
        key: envelope::key(&headers).map(str::to_owned),
        event: envelope::event(&headers).map(str::to_owned),
        headers: envelope::headers(
            &headers,
            hooks.settings.secrets.iter().chain(&hooks.settings.signing_keys),
        ),
        body,
        deadline,
    };
    hooks
        .writer
        .store(received)
        .await
        .map_err(|writer::Late| No::DatabaseAway)
}

async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Vec<u8>, No> {
    let too_large = || No::TooLarge { limit };
    let told: Option<usize> = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if told.is_some_and(|told| told > limit) {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(told.unwrap_or_default());
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk: Bytes = chunk.map_err(|error| No::Broken(error.to_string()))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Who sent it, as far as it says so itself: for finding the hook whose secret is wrong.
fn sender(headers: &HeaderMap) -> &str {
    headers
        .get("x-gitlab-instance")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("unknown")
}

/// Answers other than 202.
#[derive(Debug)]
enum No {
    Refused,
    TooLarge { limit: usize },
    Broken(String),
    DatabaseAway,
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::Refused => (
                StatusCode::UNAUTHORIZED,
                "secret token or signature is wrong; see the service's log for the reason".to_owned(),
            ),
            Self::TooLarge { limit } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is larger than webhook.max_body ({limit} bytes)"),
            ),
            Self::Broken(error) => (
                StatusCode::BAD_REQUEST,
                format!("the body could not be read to its end: {error}"),
            ),
            Self::DatabaseAway => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the delivery could not be stored; send it again".to_owned(),
            ),
        };
        let mut response = (status, Json(json!({ "error": error }))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, header::HeaderValue::from_static("10"));
        }
        response
    }
}
