//! The cookies: `session` holds the id of a session, `visit` the mark of a browser that fills in the sign-in form, `flow`
//! what must come back from the provider.
//!
//! Over HTTPS they have the prefix `__Host-`: a browser takes them from this very host alone, never from a sibling domain.
//! SameSite is Lax, because the way back from the provider is a navigation from another site and needs them; what
//! changes something is held by [`super::csrf`].

use axum::http::{HeaderMap, HeaderValue, header};

use crate::config::Config;
use crate::web::error::{Error, Result};

fn is_secure(config: &Config) -> bool {
    config.server.public_url.starts_with("https://")
}

/// Name of the cookie with the session's id.
pub(in crate::web) fn session(config: &Config) -> &'static str {
    match is_secure(config) {
        true => "__Host-seaworthy-session",
        false => "seaworthy-session",
    }
}

/// Name of the cookie of a browser that is about to sign in.
pub(in crate::web) fn visit(config: &Config) -> &'static str {
    match is_secure(config) {
        true => "__Host-seaworthy-visit",
        false => "seaworthy-visit",
    }
}

/// Name of the cookie of a browser that is at the provider.
pub(in crate::web) fn flow(config: &Config) -> &'static str {
    match is_secure(config) {
        true => "__Host-seaworthy-flow",
        false => "seaworthy-flow",
    }
}

/// The value of this cookie.
pub(in crate::web) fn get<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, value)| *found == name && !value.is_empty())
        .map(|(_, value)| value)
}

/// The header that sets this cookie for so many seconds; 0 removes it. The value is of letters, digits, `-`, `_` and
/// `.`: nothing that a cookie would have to escape.
pub(in crate::web) fn set(config: &Config, name: &str, value: &str, seconds: u64) -> Result<HeaderValue> {
    let secure = if is_secure(config) { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
        .parse()
        .map_err(|_| Error::Internal(format!("the cookie {name} would have a value that no header can hold")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; s=x ;c=d"));
        headers.append(header::COOKIE, HeaderValue::from_static("t=; not_t=1"));
        assert_eq!(get(&headers, "s"), Some("x"));
        assert_eq!(get(&headers, "t"), None);
    }
}
