//! The only SQL of the program: one file per table, free functions over any executor, so that the caller decides what
//! happens in one transaction. Times are always the database's, never a worker's clock.

pub mod advisories;
pub mod audit;
pub mod builds;
pub mod choices;
pub mod components;
pub mod deliveries;
pub mod findings;
pub mod images;
pub mod jobs;
pub mod logs;
pub mod notices;
pub mod persons;
pub mod pins;
pub mod placements;
pub mod projects;
pub mod promotions;
pub mod quality;
pub mod rejections;
pub mod sessions;
pub mod stages;
pub mod tokens;
pub mod trunk;

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::Connection as _;
pub use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// What can go wrong: the database is away, or the program and its schema do not fit.
pub type StoreError = sqlx::Error;
/// Result of every function here.
pub type Result<T> = std::result::Result<T, StoreError>;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// How long a connection that lay idle is believed to be alive.
const FRESH: Duration = Duration::from_secs(1);

/// A pool that connects when first used, so that the service starts while Postgres is away.
///
/// # Errors
/// The URL is not one of Postgres.
pub fn connect(url: &SecretString, max_connections: u32) -> Result<PgPool> {
    let options: PgConnectOptions = url.expose_secret().parse()?;
    Ok(PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(10))
        // A connection that the server closed while it lay idle must not fail a request; one that was used a moment ago
        // is not asked again, because asking costs as much as a small query.
        .test_before_acquire(false)
        .before_acquire(|connection, usage| {
            Box::pin(async move {
                if usage.idle_for > FRESH {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options.application_name("seaworthy")))
}

/// Brings the schema up to date; several processes may do so at once (sqlx holds an advisory lock).
///
/// # Errors
/// Postgres cannot be reached, or a migration that is already applied was changed.
pub async fn migrate(pool: &PgPool) -> std::result::Result<(), sqlx::migrate::MigrateError> {
    MIGRATIONS.run(pool).await
}

/// The database's clock: the one by which everything is dated.
pub async fn now(db: impl sqlx::PgExecutor<'_>) -> Result<chrono::DateTime<chrono::Utc>> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(db)
        .await
}

/// A value of a text column that the program itself wrote and its own type refuses: the schema's check constraints
/// make this a mistake of the program, told with the column's name.
fn decode<T: std::str::FromStr>(column: &'static str, text: &str) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error: T::Err| StoreError::ColumnDecode {
        index: column.to_owned(),
        source: Box::new(error),
    })
}

/// Sends wake-ups to the other processes (see [`crate::wake`]).
///
/// # Errors
/// Postgres cannot be reached.
pub async fn notify(pool: &PgPool, channel: &str, payloads: &[String]) -> Result<()> {
    sqlx::query!(
        "select pg_notify($1, payload) from unnest($2::text[]) as u (payload)",
        channel,
        payloads
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The mark of this installation: lower-case letters and digits.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn installation(pool: &PgPool) -> Result<String> {
    sqlx::query_scalar!("select id from installation").fetch_one(pool).await
}

/// Number (150003) and name (15.3) of the server's version; the cheapest question to see whether Postgres answers.
///
/// # Errors
/// Postgres cannot be reached.
pub async fn server_version(db: impl sqlx::PgExecutor<'_>) -> Result<(i32, String)> {
    let row = sqlx::query!(
        r#"select current_setting('server_version_num')::int as "number!", current_setting('server_version') as "name!""#
    )
    .fetch_one(db)
    .await?;
    Ok((row.number, row.name))
}
