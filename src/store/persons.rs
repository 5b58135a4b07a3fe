//! Table `person`: who has signed in, as the provider told it last.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::Result;

/// A person. Known by issuer and subject; login and groups may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Our number of him.
    pub id: i64,
    /// Login at the provider.
    pub login: String,
    /// Name for people; may be empty.
    pub name: String,
    /// Full paths of his groups.
    pub groups: Vec<String>,
    /// When he last signed in.
    pub signed_in_at: DateTime<Utc>,
}

/// What the provider tells of somebody who signs in.
#[derive(Debug, Clone)]
pub struct Told<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// Its own unchanging name of the person.
    pub subject: &'a str,
    /// Login.
    pub login: &'a str,
    /// Name for people.
    pub name: &'a str,
    /// Full paths of his groups.
    pub groups: &'a [String],
}

/// Notes that somebody signs in, in place of what was known of him.
pub async fn signed_in(db: impl PgExecutor<'_>, told: &Told<'_>) -> Result<Person> {
    sqlx::query_as!(
        Person,
        "insert into person (issuer, subject, login, name, groups) values ($1, $2, $3, $4, $5)
         on conflict (issuer, subject) do update set login = excluded.login, name = excluded.name,
             groups = excluded.groups, signed_in_at = now()
         returning id, login, name, groups, signed_in_at",
        told.issuer,
        told.subject,
        told.login,
        told.name,
        told.groups,
    )
    .fetch_one(db)
    .await
}
