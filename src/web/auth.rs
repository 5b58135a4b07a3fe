//! Who asks, and whether he may.
//!
//! A token comes as `Authorization: Bearer …` (programs) or in a cookie (browsers, after the token was pasted into the
//! sign-in page once). The cookie is HttpOnly and SameSite=Strict; beyond that, what changes something by cookie must
//! come from our own pages, which the browser itself says (`Sec-Fetch-Site`, or `Origin` of older ones). A token in a
//! header needs no such proof: no foreign page can set it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::error::{Error, Result};
use super::state::AppState;
use crate::store::tokens::{self, Token};

/// Name of the cookie.
pub(super) const COOKIE: &str = "seaworthy_token";

const HOW_TO_GET_A_TOKEN: &str = "an administrator makes one by `seaworthy token create <name>`";

/// Somebody who may read.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    /// Whose token it is; none where reading is open and nobody signed in.
    pub name: Option<String>,
}

/// Somebody who may change something.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    /// Whose token it is: recorded with what he does.
    pub name: String,
}

impl FromRequestParts<AppState> for Reader {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let token = token_of(parts, state).await?;
        if token.is_none() && !state.config.server.public_read {
            return Err(Error::SignIn(format!(
                "reading needs a token here: {HOW_TO_GET_A_TOKEN}"
            )));
        }
        Ok(Self {
            name: token.map(|token| token.name),
        })
    }
}

impl FromRequestParts<AppState> for Writer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        match token_of(parts, state).await? {
            None => Err(Error::SignIn(format!("this needs a token: {HOW_TO_GET_A_TOKEN}"))),
            Some(token) if token.may_write => Ok(Self { name: token.name }),
            Some(token) => Err(Error::Forbidden(format!(
                "the token {} may only read: use one that was made without --read-only",
                token.name
            ))),
        }
    }
}

async fn token_of(parts: &Parts, state: &AppState) -> Result<Option<Token>> {
    if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
        let secret = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, secret)| secret.trim())
            .ok_or_else(|| Error::SignIn("send the token as `Authorization: Bearer <token>`".to_owned()))?;
        return match tokens::find(&state.pool, secret).await? {
            Some(token) => Ok(Some(token)),
            None => Err(Error::SignIn(format!(
                "the token is not valid, or no longer: {HOW_TO_GET_A_TOKEN}"
            ))),
        };
    }
    let Some(secret) = cookie(&parts.headers) else {
        return Ok(None);
    };
    if !parts.method.is_safe() {
        same_origin(&parts.headers, &state.config.server.public_url)?;
    }
    // A cookie whose token was revoked is as good as none: the browser would send it for ever.
    Ok(tokens::find(&state.pool, secret).await?)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE && !value.is_empty())
        .map(|(_, value)| value)
}

/// Does this come from one of our own pages?
pub(super) fn same_origin(headers: &HeaderMap, public_url: &str) -> Result<()> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let ours = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map_or(origin, |(_, host)| host);
            Some(host) == text("host") || origin_of(public_url) == origin
        }
        (None, None) => false,
    };
    if ours {
        return Ok(());
    }
    Err(Error::Forbidden(
        "this order did not come from a page of this service: open the page here and use its button".to_owned(),
    ))
}

/// `https://host:port` of an address.
fn origin_of(url: &str) -> &str {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find('/').map_or(url.len(), |at| begin + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect()
    }

    #[test]
    fn an_order_by_cookie_comes_from_our_own_page() {
        let url = "https://ci.example.com/";
        let host = ("host", "127.0.0.1:8080");
        for good in [
            headers(&[host, ("sec-fetch-site", "same-origin"), ("origin", "null")]),
            headers(&[host, ("origin", "http://127.0.0.1:8080")]),
            headers(&[host, ("origin", "https://ci.example.com")]),
        ] {
            assert!(same_origin(&good, url).is_ok(), "{good:?}");
        }
        for bad in [
            headers(&[host]),
            headers(&[host, ("origin", "null")]),
            headers(&[host, ("origin", "https://evil.example")]),
            headers(&[host, ("origin", "https://ci.example.com.evil.example")]),
            headers(&[
                host,
                ("sec-fetch-site", "same-site"),
                ("origin", "https://ci.example.com"),
            ]),
            headers(&[host, ("sec-fetch-site", "cross-site")]),
            headers(&[host, ("sec-fetch-site", "none")]),
        ] {
            assert!(same_origin(&bad, url).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let many = headers(&[("cookie", "a=b; seaworthy_token=swt_x ;c=d")]);
        assert_eq!(cookie(&many), Some("swt_x"));
        assert_eq!(
            cookie(&headers(&[("cookie", "seaworthy_token=; not_seaworthy_token=1")])),
            None
        );
    }
}
