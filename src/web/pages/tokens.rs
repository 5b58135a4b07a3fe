//! `/tokens`: everybody's tokens, for admins.

use askama::Template;
use axum::extract::{Form, State};
use axum::response::{Html, Redirect};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::account::NameForm;
use super::words::Moment;
use super::{Frame, rendered};
use crate::model::Permission;
use crate::store::tokens::Token;
use crate::store::{self, tokens};
use crate::web::error::{Error, Result};
use crate::web::people::{Caller, authorise};
use crate::web::state::AppState;
use crate::web::trail::note;

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    frame: Frame,
    tokens: Vec<TokenRow>,
}

/// A token in a list.
pub(super) struct TokenRow {
    pub name: String,
    pub role: String,
    pub projects: String,
    pub made: Moment,
    pub used: Option<Moment>,
    pub ends: Moment,
    /// Why it is not valid.
    pub over: Option<&'static str>,
}

impl TokenRow {
    pub fn new(token: Token, now: DateTime<Utc>) -> Self {
        Self {
            over: match (token.revoked_at, token.expired) {
                (Some(_), _) => Some("revoked"),
                (None, true) => Some("expired"),
                (None, false) => None,
            },
            name: token.name,
            role: token.role.to_string(),
            projects: token.projects.join(", "),
            made: Moment::new(token.created_at, now),
            used: token.last_used_at.map(|at| Moment::new(at, now)),
            ends: Moment::new(token.expires_at, now),
        }
    }
}

pub(super) async fn show(State(state): State<AppState>, caller: Caller) -> Result<Html<String>> {
    let now = store::now(&state.pool).await?;
    let all = tokens::list(&state.pool, None).await?;
    rendered(&TokensPage {
        frame: Frame::new(&caller, "account"),
        tokens: all.into_iter().map(|token| TokenRow::new(token, now)).collect(),
    })
}

/// Makes any token invalid.
pub(super) async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Form(form): Form<NameForm>,
) -> Result<Redirect> {
    let actor = authorise(&caller, Permission::AllAccounts, None)?;
    let mut tx = state.pool.begin().await?;
    if !tokens::revoke(&mut *tx, &form.name, None).await? {
        return Err(Error::NotFound(format!("there is no token {:?}", form.name)));
    }
    note(
        &mut tx,
        &actor,
        "token.revoke",
        &format!("token {}", form.name),
        json!({}),
    )
    .await?;
    tx.commit().await?;
    tracing::info!(token = form.name, by = %actor, address = actor.address, "token revoked");
    Ok(Redirect::to("/tokens"))
}
