//! Who asks: nobody, a person by his session, or a token.
//!
//! A program sends its token as `Authorization: Bearer …`; a browser has a cookie with the id of a session, which began
//! with a sign-in at the provider or with a token that was pasted once.

use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::{cookie, csrf};
use crate::definition::{Rights, project_patterns};
use crate::model::{Permission, ProjectPath};
use crate::store::tokens::Token;
use crate::store::{sessions, tokens};
use crate::web::error::{Error, Result};
use crate::web::state::AppState;

/// Who asks, as the gate found out.
#[derive(Debug, Clone)]
pub(in crate::web) struct Caller {
    pub who: Who,
    /// What he may, by the grants of now.
    pub rights: Rights,
    /// Where he came from.
    pub address: String,
    /// May everybody read?
    pub public_read: bool,
    /// What a form of a page that he gets has to bring back; none without a cookie.
    pub csrf: Option<String>,
}

/// Who he is.
#[derive(Debug, Clone)]
pub(in crate::web) enum Who {
    /// Nobody; `ended`: he brought a session that is over.
    Nobody { ended: bool },
    /// Somebody who signed in at the provider.
    Person(PersonId),
    /// A token, in a header or behind a session.
    Token(TokenId),
}

/// A person and the session that he is here by.
#[derive(Debug, Clone)]
pub(in crate::web) struct PersonId {
    pub id: i64,
    pub login: String,
    pub name: String,
    pub email: Option<String>,
    pub session: i64,
}

/// A token, and whose it is.
#[derive(Debug, Clone)]
pub(in crate::web) struct TokenId {
    pub name: String,
    pub owner: Option<String>,
}

/// What somebody may see of lists.
#[derive(Debug, Clone)]
pub(in crate::web) enum Sight {
    Everything,
    /// These projects, by their paths.
    Only(Vec<String>),
}

impl Sight {
    /// The paths, where not everything is seen.
    pub fn paths(&self) -> Option<&[String]> {
        match self {
            Self::Everything => None,
            Self::Only(paths) => Some(paths),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody { .. } => f.write_str("nobody"),
            Self::Person(person) => f.write_str(&person.login),
            Self::Token(token) => f.write_str(&token.name),
        }
    }
}

impl Caller {
    /// What he sees of lists: a project that is not known to the service is seen by those alone who see everything.
    pub async fn sight(&self, state: &AppState) -> Result<Sight> {
        if self.public_read || self.rights.permit(Permission::Read, None) {
            return Ok(Sight::Everything);
        }
        let paths = crate::store::projects::paths(&state.pool, i64::MAX).await?;
        let seen = paths.into_iter().filter(|path| {
            let path = path.parse::<ProjectPath>().ok();
            path.is_some_and(|path| self.rights.permit(Permission::Read, Some(&path)))
        });
        Ok(Sight::Only(seen.collect()))
    }

    /// Somebody has to sign in for this.
    pub(super) fn sign_in(&self, permission: Permission) -> Error {
        let first = match self.who {
            Who::Nobody { ended: true } => "your session has ended: ",
            _ => "",
        };
        Error::SignIn(format!(
            "{first}to {permission}, sign in, or send a token as `Authorization: Bearer <token>` \
             (`seaworthy token create` makes one)"
        ))
    }

    /// Who sent this, and whether he came by a cookie.
    pub(super) async fn find(parts: &Parts, address: String, state: &AppState) -> Result<(Self, bool)> {
        let mut caller = Self {
            who: Who::Nobody { ended: false },
            rights: Rights::default(),
            address,
            public_read: state.config.server.public_read,
            csrf: None,
        };
        if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
            let secret = value
                .to_str()
                .ok()
                .and_then(|value| value.split_once(' '))
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .map(|(_, secret)| secret.trim())
                .ok_or_else(|| Error::SignIn("send the token as `Authorization: Bearer <token>`".to_owned()))?;
            let token = valid(tokens::find(&state.pool, secret).await?)?;
            caller.is_token(token, state)?;
            return Ok((caller, false));
        }
        let Some(secret) = cookie::get(&parts.headers, cookie::session(&state.config)) else {
            return Ok((caller, false));
        };
        let Some(session) = sessions::find(&state.pool, secret, state.config.sign_in.session_idle).await? else {
            // As good as none: the browser would send its cookie for ever.
            caller.who = Who::Nobody { ended: true };
            return Ok((caller, false));
        };
        caller.csrf = Some(csrf::csrf_token(secret));
        if let Some(person) = session.person {
            caller.rights = state.people.rights(&person.login, &person.groups);
            caller.who = Who::Person(PersonId {
                id: person.id,
                login: person.login,
                name: person.name,
                email: person.email,
                session: session.id,
            });
            return Ok((caller, true));
        }
        let token = match session.token {
            Some(id) => tokens::get(&state.pool, id).await?,
            None => None,
        };
        match token.filter(Token::is_valid) {
            Some(token) => caller.is_token(token, state)?,
            None => caller.who = Who::Nobody { ended: true },
        }
        let by_cookie = !matches!(caller.who, Who::Nobody { .. });
        Ok((caller, by_cookie))
    }

    fn is_token(&mut self, token: Token, state: &AppState) -> Result<()> {
        self.rights = rights_of_token(&token, state)?;
        self.who = Who::Token(TokenId {
            name: token.name,
            owner: token.owner.map(|owner| owner.login),
        });
        Ok(())
    }
}

/// A token that can be used; an error says why it cannot.
pub(in crate::web) fn valid(token: Option<Token>) -> Result<Token> {
    let how = "make a new one by `seaworthy token create`, or on the page /account";
    match token {
        None => Err(Error::SignIn(format!("there is no such token: {how}"))),
        Some(token) if token.revoked_at.is_some() => {
            Err(Error::SignIn(format!("the token {} was revoked: {how}", token.name)))
        }
        Some(token) if token.expired => Err(Error::SignIn(format!(
            "the token {} expired on {}: {how}",
            token.name,
            token.expires_at.format("%Y-%m-%d")
        ))),
        Some(token) => Ok(token),
    }
}

/// What a token may: its role for its projects, and never more than its owner may now.
fn rights_of_token(token: &Token, state: &AppState) -> Result<Rights> {
    let projects = project_patterns(token.projects.iter().map(String::as_str))
        .map_err(|error| Error::Internal(format!("projects of the token {}: {error}", token.name)))?;
    Ok(match &token.owner {
        None => Rights::of(token.role, projects),
        Some(owner) => state
            .people
            .rights(&owner.login, &owner.groups)
            .under(token.role, &projects),
    })
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| Error::Internal("a handler asks for the caller behind a route that is open".to_owned()))
    }
}
