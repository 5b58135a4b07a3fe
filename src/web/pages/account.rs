//! `/account`: one's own roles, sessions and tokens.

use std::time::Duration;

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::{Html, Redirect};
use serde::Deserialize;
use serde_json::json;

use super::tokens::TokenRow;
use super::words::Moment;
use super::{Frame, rendered};
use crate::definition::project_patterns;
use crate::model::{Permission, Role};
use crate::store::tokens::NewToken;
use crate::store::{self, sessions, tokens};
use crate::web::error::{Error, Result};
use crate::web::people::{Caller, PersonId, Who, authorise, secret};
use crate::web::state::AppState;
use crate::web::trail::note;

const DAY: u64 = 24 * 3600;
/// Days that a token of a person may be valid.
const LONGEST: u64 = 366;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    login: String,
    name: String,
    sessions: Vec<SessionRow>,
    tokens: Vec<TokenRow>,
    roles: Vec<Role>,
    /// A token that was just made: shown this once.
    made: Option<String>,
    admin: bool,
}

struct SessionRow {
    id: i64,
    current: bool,
    began: Moment,
    seen: Moment,
    ends: Moment,
    address: String,
    agent: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct NewTokenForm {
    name: String,
    role: String,
    projects: String,
    days: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct NameForm {
    pub(super) name: String,
}

pub(super) async fn show(State(state): State<AppState>, caller: Caller) -> Result<Html<String>> {
    page(&state, &caller, None).await
}

/// Makes a token for its maker, and shows it once.
pub(super) async fn create_token(
    State(state): State<AppState>,
    caller: Caller,
    Form(form): Form<NewTokenForm>,
) -> Result<Html<String>> {
    let actor = authorise(&caller, Permission::OwnAccount, None)?;
    let person = person(&caller)?;
    let name = form.name.trim();
    let plain = |c: char| c.is_alphanumeric() || "_.-".contains(c);
    if name.is_empty() || name.chars().count() > 60 || !name.chars().all(plain) {
        return Err(Error::Invalid(format!(
            "{name:?} is no name for a token: take up to 60 letters, digits, '_', '.' and '-'"
        )));
    }
    let role: Role = form
        .role
        .parse()
        .map_err(|error| Error::Invalid(format!("role: {error}")))?;
    let projects: Vec<String> = form
        .projects
        .split([',', ' ', '\n', '\r'])
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect();
    project_patterns(projects.iter().map(String::as_str))
        .map_err(|error| Error::Invalid(format!("projects: {error}")))?;
    if projects.is_empty() {
        return Err(Error::Invalid(
            "projects: name at least one, or ** for all of yours".to_owned(),
        ));
    }
    let days = form
        .days
        .trim()
        .parse()
        .ok()
        .filter(|days| (1..=LONGEST).contains(days));
    let days = days.ok_or_else(|| Error::Invalid(format!("days: write a number from 1 to {LONGEST}")))?;
    let full = format!("{}/{name}", person.login);
    let new = NewToken {
        name: &full,
        role,
        projects: &projects,
        lifetime: Duration::from_secs(days * DAY),
        owner: Some(person.id),
    };
    let made = format!("swt_{}", secret());
    let mut tx = state.pool.begin().await?;
    if !tokens::keep(&mut *tx, &new, &made).await? {
        return Err(Error::Conflict(format!(
            "there is a token {full} already, maybe a revoked one: choose another name"
        )));
    }
    let grounds = json!({"role": role, "projects": projects, "days": days});
    note(&mut tx, &actor, "token.create", &format!("token {full}"), grounds).await?;
    tx.commit().await?;
    tracing::info!(token = full, by = %actor, address = actor.address, "token made");
    page(&state, &caller, Some(made)).await
}

/// Makes one of one's own tokens invalid.
pub(super) async fn revoke_token(
    State(state): State<AppState>,
    caller: Caller,
    Form(form): Form<NameForm>,
) -> Result<Redirect> {
    let actor = authorise(&caller, Permission::OwnAccount, None)?;
    let mut tx = state.pool.begin().await?;
    if !tokens::revoke(&mut *tx, &form.name, Some(person(&caller)?.id)).await? {
        return Err(Error::NotFound(format!("you have no token {:?}", form.name)));
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
    Ok(Redirect::to("/account"))
}

/// Ends one of one's own sessions, in whichever browser it is.
pub(super) async fn end_session(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Redirect> {
    let actor = authorise(&caller, Permission::OwnAccount, None)?;
    let ended = match id.parse() {
        Ok(id) => sessions::end_of(&state.pool, person(&caller)?.id, id).await?,
        Err(_) => false,
    };
    if !ended {
        return Err(Error::NotFound(format!("you have no session {id:?}, or no longer")));
    }
    tracing::info!(session = id, by = %actor, address = actor.address, "session ended");
    Ok(Redirect::to("/account"))
}

async fn page(state: &AppState, caller: &Caller, made: Option<String>) -> Result<Html<String>> {
    let person = person(caller)?;
    let now = store::now(&state.pool).await?;
    let listed = sessions::of_person(&state.pool, person.id, state.config.sign_in.session_idle).await?;
    let own = tokens::list(&state.pool, Some(person.id)).await?;
    let mut roles = caller.rights.anywhere();
    if roles.is_empty() {
        roles.push(Role::Viewer);
    }
    rendered(&AccountPage {
        frame: Frame::new(caller, "account"),
        login: person.login.clone(),
        name: person.name.clone(),
        sessions: listed
            .into_iter()
            .map(|session| SessionRow {
                id: session.id,
                current: session.id == person.session,
                began: Moment::new(session.created_at, now),
                seen: Moment::new(session.seen_at, now),
                ends: Moment::new(session.expires_at, now),
                address: session.address,
                agent: session.agent,
            })
            .collect(),
        tokens: own.into_iter().map(|token| TokenRow::new(token, now)).collect(),
        roles,
        made,
        admin: authorise(caller, Permission::AllAccounts, None).is_ok(),
    })
}

/// The gate lets persons through to here, and nobody else.
fn person(caller: &Caller) -> Result<&PersonId> {
    match &caller.who {
        Who::Person(person) => Ok(person),
        other => Err(Error::Internal(format!("{other} came to the account of a person"))),
    }
}
