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
    /// Mail address, if the provider told it.
    pub email: Option<String>,
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
    /// Mail address.
    pub email: Option<&'a str>,
    /// Full paths of his groups.
    pub groups: &'a [String],
}

/// The mail address of whoever has this login, if it is known.
pub async fn address(db: impl PgExecutor<'_>, login: &str) -> Result<Option<String>> {
    let found = sqlx::query_scalar!(
        "select email from person where login = $1 and email is not null order by signed_in_at desc limit 1",
        login,
    )
    .fetch_optional(db)
    .await?;
    Ok(found.flatten())
}

/// Notes that somebody signs in, in place of what was known of him.
pub async fn signed_in(db: impl PgExecutor<'_>, told: &Told<'_>) -> Result<Person> {
    sqlx::query_as!(
        Person,
        "insert into person (issuer, subject, login, name, groups, email) values ($1, $2, $3, $4, $5, $6)
         on conflict (issuer, subject) do update set login = excluded.login, name = excluded.name,
             groups = excluded.groups, email = excluded.email, signed_in_at = now()
         returning id, login, name, email, groups, signed_in_at",
        told.issuer,
        told.subject,
        told.login,
        told.name,
        told.groups,
        told.email,
    )
    .fetch_one(db)
    .await
}
