//! Every request passes here, before its handler: a route that is not in the table is none, and who may not by his roles
//! does not come to the handler at all.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::authorise::could;
use super::caller::Caller;
use super::{address, cookie, csrf};
use crate::model::Permission;
use crate::web::error::{Error, Result};
use crate::web::routes::{Needs, Route};
use crate::web::state::AppState;

/// Names that tokens have in addresses elsewhere.
const TOKEN_NAMES: [&str; 4] = ["token", "access_token", "private_token", "api_token"];

/// What the gate needs: the table, and the shared state.
#[derive(Debug, Clone)]
pub(in crate::web) struct Gate {
    table: Arc<[Route]>,
    state: AppState,
}

impl Gate {
    pub fn new(routes: &[Route], state: AppState) -> Self {
        Self {
            table: routes.into(),
            state,
        }
    }
}

/// Lets the request through to its handler, with the [`Caller`] in its extensions, or answers why not.
pub(in crate::web) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match gate.check(request).await {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

impl Gate {
    async fn check(&self, mut request: Request) -> Result<Request> {
        no_token_in(request.uri().query().unwrap_or_default())?;
        let Some(permission) = self.permission(&request)? else {
            return Ok(request);
        };
        let (mut parts, body) = request.into_parts();
        let from = address::of(&parts, &self.state.config.server.trusted_proxies);
        let (caller, by_cookie) = Caller::find(&parts, from, &self.state).await?;
        let by_cookie = by_cookie && !parts.method.is_safe();
        if by_cookie {
            csrf::same_origin(&parts.headers, &self.state.config.server.public_url)?;
        }
        could(&caller, permission)?;
        let secret = cookie::get(&parts.headers, cookie::session(&self.state.config)).map(str::to_owned);
        parts.extensions.insert(caller);
        request = Request::from_parts(parts, body);
        match secret {
            Some(secret) if by_cookie => csrf::check(request, &secret).await,
            _ => Ok(request),
        }
    }
}

impl Gate {
    /// What the request's route needs, if anything.
    fn permission(&self, request: &Request) -> Result<Option<Permission>> {
        let Some(path) = request.extensions().get::<MatchedPath>() else {
            // No route has this path: the fallback says so.
            return Ok(None);
        };
        let method = match *request.method() {
            Method::HEAD => &Method::GET,
            ref other => other,
        };
        let mut rows = self.table.iter().filter(|route| route.path == path.as_str()).peekable();
        if rows.peek().is_none() {
            return Err(Error::Internal(format!(
                "{} has no row in the table of routes",
                path.as_str()
            )));
        }
        Ok(
            match rows.find(|route| route.method == method).map(|route| route.needs) {
                Some(Needs::Permission(permission)) => Some(permission),
                // Without a row for the method, the router says that it is not possible.
                Some(Needs::Nothing | Needs::OwnProof) | None => None,
            },
        )
    }
}

/// An address ends up in histories, logs and other sites' statistics.
fn no_token_in(query: &str) -> Result<()> {
    let names = query.split('&').filter_map(|pair| pair.split('=').next());
    for name in names {
        let plain = name.to_ascii_lowercase();
        if TOKEN_NAMES.contains(&plain.as_str()) || query.contains("swt_") {
            return Err(Error::Invalid(
                "a token must not stand in an address, where logs and histories keep it: send it as `Authorization: \
                 Bearer <token>`, and revoke this one (`seaworthy token revoke`), because it may be known by now"
                    .to_owned(),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_an_address_is_seen_under_its_usual_names() {
        for bad in [
            "token=x",
            "a=b&access_token=x",
            "PRIVATE_TOKEN=x",
            "q=swt_abc",
            "api_token",
        ] {
            assert!(no_token_in(bad).is_err(), "{bad}");
        }
        for good in ["", "tokens=1", "project=shop/token", "next=/x"] {
            assert!(no_token_in(good).is_ok(), "{good}");
        }
    }
}
