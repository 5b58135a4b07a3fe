//! Who asks: a token in the header, or in the cookie of somebody who has signed in with one.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::AppState;
use super::error::{Result, WebError};
use crate::store::tokens;

/// The cookie that holds a token.
pub(super) const COOKIE: &str = "seaworthy_token";

/// Somebody who may read.
pub(super) struct Reader {
    /// Name of the token, if there is one.
    pub name: Option<String>,
}

/// Somebody who may change something.
pub(super) struct Writer {
    /// Name of the token: who did it.
    pub name: String,
}

impl FromRequestParts<AppState> for Reader {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        match (secret(&parts.headers), state.config.server.public_read) {
            (None, true) => Ok(Self { name: None }),
            (None, false) => Err(WebError::unauthorized()),
            (Some((secret, _)), public) => match tokens::find(&state.pool, &secret).await? {
                Some(token) => Ok(Self { name: Some(token.name) }),
                None if public => Ok(Self { name: None }),
                None => Err(WebError::unauthorized()),
            },
        }
    }
}

impl FromRequestParts<AppState> for Writer {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let Some((secret, from_cookie)) = secret(&parts.headers) else {
            return Err(WebError::unauthorized());
        };
        // A browser sends cookies by itself, also for a form on another site.
        if from_cookie && !same_origin(&parts.headers, &state.config.server.public_url) {
            return Err(WebError::forbidden(
                "this form was sent from another site; use the page of the build itself",
            ));
        }
        let Some(token) = tokens::find(&state.pool, &secret).await? else {
            return Err(WebError::unauthorized());
        };
        if !token.may_write {
            return Err(WebError::forbidden(format!("the token {:?} may only read", token.name)));
        }
        Ok(Self { name: token.name })
    }
}

/// The token, and whether it came by cookie.
fn secret(headers: &HeaderMap) -> Option<(String, bool)> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(token) = bearer.and_then(|value| value.strip_prefix("Bearer ")) {
        return Some((token.trim().to_owned(), false));
    }
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
        .map(|token| (token.to_owned(), true))
}

/// Fetch metadata, or the Origin header of older browsers.
fn same_origin(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => public_url.trim_end_matches('/') == origin,
        (None, None) => false,
    }
}
