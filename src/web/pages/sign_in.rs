//! Signing in: a token is pasted once and kept in a cookie that no script can read.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{Frame, rendered};
use crate::store::tokens;
use crate::web::auth::{COOKIE, same_origin};
use crate::web::error::Result;
use crate::web::params::Params;
use crate::web::state::AppState;

/// A token that is used every month stays.
const KEPT: u32 = 30 * 24 * 3600;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    next: String,
    wrong: bool,
    public_read: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct SignInQuery {
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SignInForm {
    token: SecretString,
    next: Option<String>,
}

pub(super) async fn show(State(state): State<AppState>, Params(query): Params<SignInQuery>) -> Result<Html<String>> {
    page(&state, query.next.as_deref(), false)
}

pub(super) async fn sign_in(
    State(state): State<AppState>,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> Result<Response> {
    same_origin(&headers, &state.config.server.public_url)?;
    let secret = form.token.expose_secret().trim();
    if tokens::find(&state.pool, secret).await?.is_none() {
        let page = page(&state, form.next.as_deref(), true)?;
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    }
    let cookie = cookie(&state, secret, KEPT);
    Ok((
        [(header::SET_COOKIE, cookie)],
        Redirect::to(inside(form.next.as_deref())),
    )
        .into_response())
}

pub(super) async fn sign_out(State(state): State<AppState>, headers: HeaderMap) -> Result<Response> {
    same_origin(&headers, &state.config.server.public_url)?;
    let cookie = cookie(&state, "", 0);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}

fn page(state: &AppState, next: Option<&str>, wrong: bool) -> Result<Html<String>> {
    rendered(&SignInPage {
        frame: Frame::default(),
        next: inside(next).to_owned(),
        wrong,
        public_read: state.config.server.public_read,
    })
}

/// A valid token is of letters, digits, `-` and `_`: nothing that a cookie would have to escape.
fn cookie(state: &AppState, value: &str, seconds: u32) -> String {
    let secure = if state.config.server.public_url.starts_with("https://") {
        "; Secure"
    } else {
        ""
    };
    format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// A path of this service; whatever else stands in `next` leads home.
fn inside(next: Option<&str>) -> &str {
    next.filter(|next| {
        let mut bytes = next.bytes();
        let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        plain && bytes.next() == Some(b'/') && bytes.next() != Some(b'/')
    })
    .unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_signing_in_one_stays_here() {
        assert_eq!(inside(Some("/builds/7?log=all")), "/builds/7?log=all");
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "builds",
            "/a\r\nX: y",
            "/\t/evil",
        ] {
            assert_eq!(inside(Some(bad)), "/", "{bad:?}");
        }
        assert_eq!(inside(None), "/");
    }
}
