//! The way to the OpenID provider and back.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::sign_in::{begin as begin_session, inside, page};
use crate::sign_in::{Back, Flow, LIFETIME, SignIn, SignInError};
use crate::store;
use crate::store::persons::{self, Told};
use crate::store::sessions::SignedIn;
use crate::web::error::{Error, Result};
use crate::web::params::Params;
use crate::web::people::{Visitor, cookie};
use crate::web::state::AppState;

#[derive(Debug, Deserialize)]
pub(super) struct BeginQuery {
    next: Option<String>,
}

/// What the provider writes into the address that it sends the browser back to.
#[derive(Debug, Deserialize)]
pub(super) struct BackQuery {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Off to the provider. It is a link and no form, because a form may not lead to another site (`form-action`); nothing is
/// changed by it but a cookie.
pub(super) async fn begin(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(query): Params<BeginQuery>,
) -> Result<Response> {
    let sign_in = configured(&state)?;
    let next = inside(query.next.as_deref());
    let now = store::now(&state.pool).await?.timestamp();
    match sign_in.begin(next, now).await {
        Ok((address, flow)) => {
            let lifetime = LIFETIME.unsigned_abs();
            let cookie = cookie::set(&state.config, cookie::flow(&state.config), &flow.to_cookie(), lifetime)?;
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&address)).into_response())
        }
        Err(error) => failed(&state, &headers, next, &error),
    }
}

/// Back from the provider: a session begins, or a sentence says why not. Whatever comes, this sign-in is over.
pub(super) async fn back(
    State(state): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Params(query): Params<BackQuery>,
) -> Result<Response> {
    let sign_in = configured(&state)?;
    let name = cookie::flow(&state.config);
    let flow = Flow::from_cookie(cookie::get(&headers, name));
    let next = flow.as_ref().map_or("/", |flow| inside(Some(&flow.next))).to_owned();
    let back = Back {
        code: query.code,
        state: query.state,
        issuer: query.iss,
        error: query.error,
        error_description: query.error_description,
    };
    let now = store::now(&state.pool).await?.timestamp();
    let identity = match &flow {
        Ok(flow) => sign_in.finish(flow, &back, now).await,
        Err(error) => Err(error.clone()),
    };
    let mut response = match identity {
        Ok(identity) => {
            let told = Told {
                issuer: &identity.issuer,
                subject: &identity.subject,
                login: &identity.login,
                name: &identity.name,
                email: identity.email.as_deref(),
                groups: &identity.groups,
            };
            let person = persons::signed_in(&state.pool, &told).await?;
            tracing::info!(login = person.login, groups = person.groups.len(), "signed in");
            begin_session(&state, &headers, &visitor, SignedIn::Person(person.id), Some(&next)).await?
        }
        Err(error) => failed(&state, &headers, &next, &error)?,
    };
    let gone = cookie::set(&state.config, name, "", 0)?;
    response.headers_mut().append(header::SET_COOKIE, gone);
    Ok(response)
}

fn configured(state: &AppState) -> Result<&SignIn> {
    state.sign_in.as_ref().ok_or_else(|| {
        Error::NotFound("no sign-in provider is configured here (section [sign_in]): sign in with a token".to_owned())
    })
}

/// The sign-in page with the sentence, from which it can be tried again.
fn failed(state: &AppState, headers: &HeaderMap, next: &str, error: &SignInError) -> Result<Response> {
    tracing::warn!(%error, "somebody could not sign in");
    let status = match error {
        SignInError::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
        SignInError::Refused(_) => StatusCode::UNAUTHORIZED,
    };
    let page = page(state, headers, Some(next), Some(error.to_string()), false)?;
    Ok((status, page).into_response())
}
