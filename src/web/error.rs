//! One error for all handlers: a sentence for the caller; causes stay in the service's own log.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::store::StoreError;
use crate::wire::Problem;

/// An answer that is not the one hoped for.
#[derive(Debug)]
pub(super) struct WebError {
    status: StatusCode,
    sentence: String,
}

pub(super) type Result<T> = std::result::Result<T, WebError>;

impl WebError {
    pub fn not_found(sentence: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            sentence: sentence.into(),
        }
    }

    pub fn bad_request(sentence: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            sentence: sentence.into(),
        }
    }

    pub fn conflict(sentence: impl Into<String>) -> Self {
        Self {
            status: StatusCode::CONFLICT,
            sentence: sentence.into(),
        }
    }

    pub fn unauthorized() -> Self {
        let sentence =
            "a token is needed: make one with `seaworthy token create NAME` and send it as \"Authorization: Bearer …\"";
        Self {
            status: StatusCode::UNAUTHORIZED,
            sentence: sentence.to_owned(),
        }
    }

    pub fn forbidden(sentence: impl Into<String>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            sentence: sentence.into(),
        }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}

impl From<StoreError> for WebError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request failed because of the database");
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            sentence: "the database is away; try again in a moment".to_owned(),
        }
    }
}

impl From<std::io::Error> for WebError {
    fn from(error: std::io::Error) -> Self {
        tracing::error!(%error, "a stored log cannot be read");
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            sentence: "the stored log is damaged".to_owned(),
        }
    }
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Problem { error: self.sentence })).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
