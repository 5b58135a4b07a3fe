//! Table `session`: browsers that are signed in. Only hashes of their ids are kept; a session that has ended has no row.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::PgExecutor;

use super::Result;
use super::persons::Person;

/// Who is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedIn {
    /// This person.
    Person(i64),
    /// Whoever has this token.
    Token(i64),
}

/// A session that is to begin.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// Who.
    pub who: SignedIn,
    /// The address that he came from.
    pub address: &'a str,
    /// What his browser calls itself.
    pub agent: &'a str,
    /// How long it lasts at most.
    pub longest: Duration,
}

/// A session that lasts.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its number: names it where its owner sees it.
    pub id: i64,
    /// The person, if one signed in.
    pub person: Option<Person>,
    /// The token, if one was pasted.
    pub token: Option<i64>,
}

/// A line in the list of somebody's sessions.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its number.
    pub id: i64,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was last used (to a minute).
    pub seen_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// The address that it began from.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
}

/// The id is 256 random bits, so a plain SHA-256 cannot be guessed backwards.
fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// Begins a session under this id; sessions whose time is over go.
pub async fn open(db: impl PgExecutor<'_>, secret: &str, new: &NewSession<'_>) -> Result<i64> {
    let (person, token) = match new.who {
        SignedIn::Person(id) => (Some(id), None),
        SignedIn::Token(id) => (None, Some(id)),
    };
    sqlx::query_scalar!(
        "with over as (delete from session where expires_at <= now())
         insert into session (sha256, person, token, address, agent, expires_at)
         values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) returning id",
        hash(secret),
        person,
        token,
        new.address,
        new.agent,
        seconds(new.longest),
    )
    .fetch_one(db)
    .await
}

/// The session with this id, if it lasts and was used within `idle`; notes its use.
pub async fn find(db: impl PgExecutor<'_> + Copy, secret: &str, idle: Duration) -> Result<Option<Session>> {
    let sha256 = hash(secret);
    let row = sqlx::query!(
        r#"select s.id, s.token, s.seen_at < now() - interval '1 minute' as "stale!", p.id as "person?",
                  p.login as "login?", p.name as "name?", p.groups as "groups?", p.email as "email?",
                  p.signed_in_at as "signed_in_at?"
           from session s left join person p on p.id = s.person
           where s.sha256 = $1 and s.expires_at > now() and s.seen_at > now() - make_interval(secs => $2)"#,
        sha256,
        seconds(idle),
    )
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.stale {
        sqlx::query!("update session set seen_at = now() where id = $1", row.id)
            .execute(db)
            .await?;
    }
    let person = match (row.person, row.login, row.name, row.groups, row.signed_in_at) {
        (Some(id), Some(login), Some(name), Some(groups), Some(signed_in_at)) => Some(Person {
            id,
            login,
            name,
            email: row.email,
            groups,
            signed_in_at,
        }),
        _ => None,
    };
    Ok(Some(Session {
        id: row.id,
        person,
        token: row.token,
    }))
}

/// Ends the session with this id.
pub async fn end(db: impl PgExecutor<'_>, secret: &str) -> Result<()> {
    sqlx::query!("delete from session where sha256 = $1", hash(secret))
        .execute(db)
        .await?;
    Ok(())
}

/// Ends a session of this person. `false`: he has none of this number.
pub async fn end_of(db: impl PgExecutor<'_>, person: i64, id: i64) -> Result<bool> {
    let done = sqlx::query!("delete from session where id = $1 and person = $2", id, person)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The sessions of this person that last, the one used last first.
pub async fn of_person(db: impl PgExecutor<'_>, person: i64, idle: Duration) -> Result<Vec<Listed>> {
    sqlx::query_as!(
        Listed,
        "select id, created_at, seen_at, expires_at, address, agent from session
         where person = $1 and expires_at > now() and seen_at > now() - make_interval(secs => $2)
         order by seen_at desc, id desc",
        person,
        seconds(idle),
    )
    .fetch_all(db)
    .await
}
