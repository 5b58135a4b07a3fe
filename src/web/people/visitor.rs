//! Somebody on an open route: a browser that signs in or out. Its forms are held to a mark as all others are.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use super::{address, csrf};
use crate::web::error::{Error, Result};
use crate::web::state::AppState;

/// Where he came from is all that is known of him.
#[derive(Debug, Clone)]
pub(in crate::web) struct Visitor {
    pub address: String,
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        Ok(Self {
            address: address::of(parts, &state.config.server.trusted_proxies),
        })
    }
}

impl Visitor {
    /// Does the form bring back the mark of the page that this cookie's browser got?
    pub fn brings_back(&self, given: Option<&str>, cookie: Option<&str>) -> Result<()> {
        let wanted = cookie.map(csrf::csrf_token);
        match (given, wanted) {
            (Some(given), Some(wanted)) if bool::from(given.as_bytes().ct_eq(wanted.as_bytes())) => Ok(()),
            _ => Err(csrf::refused()),
        }
    }
}

/// A new secret: 256 random bits of the system's generator and some more.
pub(in crate::web) fn secret() -> String {
    // Each UUID has 122 random bits.
    let random = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    let bytes: Vec<u8> = random.iter().flat_map(|uuid| uuid.into_bytes()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}
