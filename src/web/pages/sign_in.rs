//! Signing in and out. Whoever signs in, by whichever way, gets a new session: an id that somebody else knew before is
//! worth nothing afterwards.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{Frame, rendered};
use crate::store::sessions::{self, NewSession, SignedIn};
use crate::store::tokens;
use crate::web::encode::with_query;
use crate::web::error::Result;
use crate::web::params::Params;
use crate::web::people::{Visitor, cookie, same_origin, secret, valid};
use crate::web::state::AppState;

/// Time for filling in the form.
const VISIT: u64 = 3600;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    next: String,
    wrong: Option<String>,
    ended: bool,
    /// Host of the provider, and where the way to it begins.
    provider: Option<(String, String)>,
    public_read: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct SignInQuery {
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TokenForm {
    token: SecretString,
    next: Option<String>,
    csrf: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OutForm {
    csrf: Option<String>,
}

/// The page. It gives the browser a mark that the form has to bring back.
pub(super) async fn show(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(query): Params<SignInQuery>,
) -> Result<Response> {
    let ended = match cookie::get(&headers, cookie::session(&state.config)) {
        Some(id) => {
            let idle = state.config.sign_in.session_idle;
            sessions::find(&state.pool, id, idle).await?.is_none()
        }
        None => false,
    };
    page(&state, &headers, query.next.as_deref(), None, ended)
}

/// With a pasted token, which the session stands for from now on.
pub(super) async fn by_token(
    State(state): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form<TokenForm>,
) -> Result<Response> {
    same_origin(&headers, &state.config.server.public_url)?;
    visitor.brings_back(
        form.csrf.as_deref(),
        cookie::get(&headers, cookie::visit(&state.config)),
    )?;
    let found = tokens::find(&state.pool, form.token.expose_secret().trim()).await?;
    let token = match valid(found) {
        Ok(token) => token,
        Err(error) => {
            let page = page(&state, &headers, form.next.as_deref(), Some(error.to_string()), false)?;
            return Ok((StatusCode::UNAUTHORIZED, page).into_response());
        }
    };
    begin(
        &state,
        &headers,
        &visitor,
        SignedIn::Token(token.id),
        form.next.as_deref(),
    )
    .await
}

/// Ends the session of this browser.
pub(super) async fn sign_out(
    State(state): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form<OutForm>,
) -> Result<Response> {
    same_origin(&headers, &state.config.server.public_url)?;
    let name = cookie::session(&state.config);
    if let Some(id) = cookie::get(&headers, name) {
        visitor.brings_back(form.csrf.as_deref(), Some(id))?;
        sessions::end(&state.pool, id).await?;
    }
    let gone = cookie::set(&state.config, name, "", 0)?;
    Ok(([(header::SET_COOKIE, gone)], Redirect::to("/")).into_response())
}

/// A new session for this browser in place of whatever it had, and on to where it wanted to go.
pub(super) async fn begin(
    state: &AppState,
    headers: &HeaderMap,
    visitor: &Visitor,
    who: SignedIn,
    next: Option<&str>,
) -> Result<Response> {
    let (name, longest) = (cookie::session(&state.config), state.config.sign_in.session_longest);
    if let Some(before) = cookie::get(headers, name) {
        sessions::end(&state.pool, before).await?;
    }
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let agent: String = agent.unwrap_or_default().chars().take(200).collect();
    let new = NewSession {
        who,
        address: &visitor.address,
        agent: &agent,
        longest,
    };
    let id = secret();
    sessions::open(&state.pool, &id, &new).await?;
    let cookies = AppendHeaders([
        (
            header::SET_COOKIE,
            cookie::set(&state.config, name, &id, longest.as_secs())?,
        ),
        (
            header::SET_COOKIE,
            cookie::set(&state.config, cookie::visit(&state.config), "", 0)?,
        ),
    ]);
    Ok((cookies, Redirect::to(inside(next))).into_response())
}

/// The page with the form; `wrong` says why the last try was none.
pub(super) fn page(
    state: &AppState,
    headers: &HeaderMap,
    next: Option<&str>,
    wrong: Option<String>,
    ended: bool,
) -> Result<Response> {
    let name = cookie::visit(&state.config);
    let mark = cookie::get(headers, name).map_or_else(secret, str::to_owned);
    let html: Html<String> = rendered(&SignInPage {
        frame: Frame::for_visit(&mark),
        next: inside(next).to_owned(),
        wrong,
        ended,
        provider: state.sign_in.as_ref().map(|sign_in| {
            let next = Some(inside(next).to_owned());
            (
                sign_in.host().to_owned(),
                with_query("/sign-in/provider", [("next", next)]),
            )
        }),
        public_read: state.config.server.public_read,
    })?;
    let set = cookie::set(&state.config, name, &mark, VISIT)?;
    Ok(([(header::SET_COOKIE, set)], html).into_response())
}

/// A path of this service; whatever else stands in `next` leads home.
pub(super) fn inside(next: Option<&str>) -> &str {
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
