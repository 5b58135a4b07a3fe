//! Table `api_token`: who may use the API, as what, for which projects, and until when. Only hashes are kept: the tokens
//! are 256 random bits or more, so a plain SHA-256 cannot be guessed backwards.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::PgExecutor;

use super::{Result, decode};
use crate::model::Role;

/// How long a token is valid if nobody says.
pub const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// A token before it is kept.
#[derive(Debug, Clone)]
pub struct NewToken<'a> {
    /// Its name: who did what is told by it.
    pub name: &'a str,
    /// What it may at most.
    pub role: Role,
    /// Patterns of the projects that it is for.
    pub projects: &'a [String],
    /// How long it is valid.
    pub lifetime: Duration,
    /// The person who makes it for himself.
    pub owner: Option<i64>,
}

/// A token without its secret.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its number.
    pub id: i64,
    /// Its name: who did what is told by it.
    pub name: String,
    /// What it may at most.
    pub role: Role,
    /// Patterns of the projects that it is for.
    pub projects: Vec<String>,
    /// Whose it is; none if it was made beside the database.
    pub owner: Option<Owner>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used (to a minute).
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// Has it ended by itself?
    pub expired: bool,
    /// When it was made invalid.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// The person whose token it is.
#[derive(Debug, Clone)]
pub struct Owner {
    /// His number.
    pub id: i64,
    /// Login.
    pub login: String,
    /// Groups, as his last sign-in told them.
    pub groups: Vec<String>,
}

impl Token {
    /// Neither ended nor revoked.
    pub fn is_valid(&self) -> bool {
        !self.expired && self.revoked_at.is_none()
    }
}

struct Row {
    id: i64,
    name: String,
    role: String,
    projects: Vec<String>,
    owner: Option<i64>,
    login: Option<String>,
    groups: Option<Vec<String>>,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
    expires_at: DateTime<Utc>,
    expired: bool,
    revoked_at: Option<DateTime<Utc>>,
}

impl Row {
    fn token(self) -> Result<Token> {
        let owner = match (self.owner, self.login, self.groups) {
            (Some(id), Some(login), Some(groups)) => Some(Owner { id, login, groups }),
            _ => None,
        };
        Ok(Token {
            id: self.id,
            name: self.name,
            role: decode("api_token.role", &self.role)?,
            projects: self.projects,
            owner,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
            expires_at: self.expires_at,
            expired: self.expired,
            revoked_at: self.revoked_at,
        })
    }
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// Keeps a new token for all projects that is valid for [`LIFETIME`]. `false`: the name is taken.
pub async fn create(db: impl PgExecutor<'_>, name: &str, secret: &str, role: Role) -> Result<bool> {
    let projects = ["**".to_owned()];
    let new = NewToken {
        name,
        role,
        projects: &projects,
        lifetime: LIFETIME,
        owner: None,
    };
    keep(db, &new, secret).await
}

/// Keeps a new token. `false`: the name is taken.
pub async fn keep(db: impl PgExecutor<'_>, new: &NewToken<'_>, secret: &str) -> Result<bool> {
    let done = sqlx::query!(
        "insert into api_token (name, sha256, may_write, role, projects, expires_at, owner)
         values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6), $7) on conflict (name) do nothing",
        new.name,
        hash(secret),
        // Read by processes of the version before, for which it is everything or nothing.
        new.role != Role::Viewer && new.owner.is_none(),
        new.role.as_str(),
        new.projects,
        new.lifetime.as_secs_f64(),
        new.owner,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The token with this secret, be it valid or not; notes its use.
pub async fn find(db: impl PgExecutor<'_> + Copy, secret: &str) -> Result<Option<Token>> {
    let row = sqlx::query_as!(
        Row,
        r#"select t.id, t.name, t.role, t.projects, t.owner, p.login as "login?", p.groups as "groups?", t.created_at,
                  t.last_used_at, t.expires_at, t.expires_at <= now() as "expired!", t.revoked_at
           from api_token t left join person p on p.id = t.owner where t.sha256 = $1"#,
        hash(secret),
    )
    .fetch_optional(db)
    .await?;
    used(db, row).await
}

/// The token of this number, be it valid or not; notes its use.
pub async fn get(db: impl PgExecutor<'_> + Copy, id: i64) -> Result<Option<Token>> {
    let row = sqlx::query_as!(
        Row,
        r#"select t.id, t.name, t.role, t.projects, t.owner, p.login as "login?", p.groups as "groups?", t.created_at,
                  t.last_used_at, t.expires_at, t.expires_at <= now() as "expired!", t.revoked_at
           from api_token t left join person p on p.id = t.owner where t.id = $1"#,
        id,
    )
    .fetch_optional(db)
    .await?;
    used(db, row).await
}

async fn used(db: impl PgExecutor<'_>, row: Option<Row>) -> Result<Option<Token>> {
    let Some(token) = row.map(Row::token).transpose()? else {
        return Ok(None);
    };
    if token.is_valid() {
        sqlx::query!(
            "update api_token set last_used_at = now()
             where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')",
            token.id,
        )
        .execute(db)
        .await?;
    }
    Ok(Some(token))
}

/// All tokens by name, or those of this person.
pub async fn list(db: impl PgExecutor<'_>, owner: Option<i64>) -> Result<Vec<Token>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select t.id, t.name, t.role, t.projects, t.owner, p.login as "login?", p.groups as "groups?", t.created_at,
                  t.last_used_at, t.expires_at, t.expires_at <= now() as "expired!", t.revoked_at
           from api_token t left join person p on p.id = t.owner
           where $1::bigint is null or t.owner = $1 order by t.name"#,
        owner,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::token).collect()
}

/// Makes a token invalid, of this owner if one is given, and ends the sessions that it was exchanged for. `false`: there
/// is none of this name.
pub async fn revoke(db: impl PgExecutor<'_>, name: &str, owner: Option<i64>) -> Result<bool> {
    let revoked = sqlx::query_scalar!(
        r#"with revoked as (
               update api_token set revoked_at = coalesce(revoked_at, now())
               where name = $1 and ($2::bigint is null or owner = $2) returning id
           ), ended as (
               delete from session using revoked where session.token = revoked.id
           )
           select count(*) as "count!" from revoked"#,
        name,
        owner,
    )
    .fetch_one(db)
    .await?;
    Ok(revoked == 1)
}
