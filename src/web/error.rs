//! What a handler says when it cannot answer: one type, shown as JSON below `/api` and as a page elsewhere.
//!
//! A handler does not know who asks. Its error travels in the answer's extensions to [`finish`], which numbers every
//! request, logs what went wrong inside (once, with that number) and writes the answer in the asker's form. Clients get
//! sentences that are meant for them; of an inner error they get the number alone.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::encode::encode_component;
use super::pages::error_page;
use crate::store::StoreError;
use crate::wire;

/// Result of the handlers.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a request is not answered as wished. Each text is a sentence for the asker.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// 404.
    #[error("{0}")]
    NotFound(String),
    /// 405.
    #[error("{0}")]
    NotAllowed(String),
    /// 400: the asker can mend it.
    #[error("{0}")]
    Invalid(String),
    /// 409: it does not fit what is.
    #[error("{0}")]
    Conflict(String),
    /// 401.
    #[error("{0}")]
    SignIn(String),
    /// 403.
    #[error("{0}")]
    Forbidden(String),
    /// 503: later it may work.
    #[error("{0}")]
    Away(String),
    /// 500: ours to mend; the text is for the log alone.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// The HTTP status that says it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::NotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::SignIn(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// There is no build of this number.
    pub(super) fn no_build(id: impl std::fmt::Display) -> Self {
        Self::NotFound(format!("there is no build {id}"))
    }

    fn told(&self, request_id: &str) -> String {
        match self {
            Self::Internal(_) => {
                format!("something broke inside the service; its log says more under request {request_id}")
            }
            told => told.to_string(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        if is_away(&error) {
            tracing::warn!(%error, "the database does not answer");
            Self::Away("the database cannot be reached at the moment; try again in a few seconds".to_owned())
        } else {
            Self::Internal(format!("database: {error}"))
        }
    }
}

fn is_away(error: &StoreError) -> bool {
    match error {
        StoreError::Io(_) | StoreError::Tls(_) | StoreError::PoolTimedOut | StoreError::PoolClosed => true,
        // Class 57P: shutting down, crashed, starting; 53: out of connections, memory or disk.
        StoreError::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("57P") || code.starts_with("53") || code.starts_with("08")),
        _ => false,
    }
}

#[derive(Clone)]
struct Carried(Arc<Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Carried(Arc::new(self)));
        response
    }
}

/// Numbers the request and writes errors in the asker's form.
pub(super) async fn finish(request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let id = uuid::Uuid::now_v7().simple().to_string();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let back = request
        .uri()
        .path_and_query()
        .map_or("/", |whole| whole.as_str())
        .to_owned();
    let mut response = next.run(request).await;
    if let Some(Carried(error)) = response.extensions_mut().remove::<Carried>() {
        if let Error::Internal(text) = &*error {
            tracing::error!(request = id, %method, path, error = text, "a request could not be answered");
        }
        response = if path == "/api" || path.starts_with("/api/") {
            as_json(&error, &id)
        } else {
            as_page(&error, &id, &method, &path, &back)
        };
        if matches!(*error, Error::Away(_)) {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
    }
    tracing::debug!(request = id, %method, path, status = response.status().as_u16(), took = ?begin.elapsed(), "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

fn as_json(error: &Error, id: &str) -> Response {
    let body = wire::Failure {
        error: error.told(id),
        request_id: id.to_owned(),
    };
    let mut response = (error.status(), Json(body)).into_response();
    if matches!(error, Error::SignIn(_)) {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn as_page(error: &Error, id: &str, method: &Method, path: &str, back: &str) -> Response {
    if matches!(error, Error::SignIn(_)) {
        // After a form, the page that the form stood on: its address is the order's without the last part.
        let next = match *method {
            Method::GET | Method::HEAD => back,
            _ if path.starts_with("/account/") => "/account",
            _ => path.rsplit_once('/').map_or("/", |(page, _)| page),
        };
        return Redirect::to(&format!("/sign-in?next={}", encode_component(next))).into_response();
    }
    error_page(error.status(), &error.told(id), id)
}

/// A handler that panicked: the panic is in the log by its own message.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    Error::Internal("the handler panicked".to_owned()).into_response()
}

/// No route has this path.
pub(super) async fn no_such_path(request: Request) -> Error {
    Error::NotFound(format!("there is nothing at {}", request.uri().path()))
}

/// A route has the path, but not the method.
pub(super) async fn no_such_method(request: Request) -> Error {
    Error::NotAllowed(format!(
        "{} is not possible at {}",
        request.method(),
        request.uri().path()
    ))
}
