//! A private Postgres cluster on a loopback port, durable as in production (fsync on), with one database per test.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use tokio::process::Command;

use crate::install::postgres_programs;
use crate::process::{Daemon, Signal, free_port, run};

/// The system user of Debian's package; the server refuses to run as root.
const USER: &str = "postgres";

/// A cluster that was started by the world.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Postgres {
    /// On 127.0.0.1.
    pub port: u16,
    data: PathBuf,
    daemon: Daemon,
}

/// A database of one's own; [`Database::close`] removes it, and so does the end of the world.
#[derive(Debug, Clone)]
pub struct Database {
    /// `postgres://postgres@127.0.0.1:<port>/<name>`.
    pub url: String,
    /// Its name.
    pub name: String,
    postgres: Postgres,
}

impl Postgres {
    /// Makes a cluster below `dir` and starts it. Every folder above must let other users pass (`/root` does not).
    ///
    /// # Errors
    /// If PostgreSQL is not installed or does not start.
    pub async fn start(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let postgres = Self {
            port: free_port()?,
            data: dir.join("data"),
            daemon: Daemon::new(dir, "postgres"),
        };
        if !postgres.data.join("PG_VERSION").exists() {
            std::fs::create_dir_all(&postgres.data)?;
            if is_root() {
                run(Command::new("chown").arg(USER).arg(&postgres.data)).await?;
            }
            let mut initdb = as_postgres("initdb")?;
            initdb.args([
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ]);
            initdb.arg("--pgdata").arg(&postgres.data).current_dir("/");
            run(&mut initdb).await.with_context(|| {
                format!(
                    "may the user {USER} pass through every folder above {}?",
                    postgres.data.display()
                )
            })?;
        }
        postgres.start_again().await?;
        Ok(postgres)
    }

    /// Starts it again on the same port after [`Postgres::stop`] or [`Postgres::crash`].
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_again(&self) -> Result<()> {
        let mut command = as_postgres("postgres")?;
        command
            .current_dir("/")
            .arg("-D")
            .arg(&self.data)
            .args(["-p", &self.port.to_string()])
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                // No socket file: its path could be too long, and nobody needs it.
                "-c",
                "unix_socket_directories=",
                "-c",
                "max_connections=300",
                "-c",
                "fsync=on",
                "-c",
                "log_min_messages=warning",
            ]);
        self.daemon.spawn(command)?;
        self.daemon
            .wait_ready(Duration::from_secs(60), || async {
                self.connect("postgres").await.is_ok()
            })
            .await
    }

    /// Fast shutdown: open transactions are rolled back, connections are closed.
    ///
    /// # Errors
    /// If it cannot be stopped.
    pub async fn stop(&self) -> Result<()> {
        self.daemon.stop(Signal::Int, Duration::from_secs(30)).await
    }

    /// Kills the server process without warning, as a power cut would; the next start recovers from the log.
    ///
    /// # Errors
    /// If it cannot be killed.
    pub async fn crash(&self) -> Result<()> {
        self.daemon.stop(Signal::Kill, Duration::from_secs(10)).await
    }

    /// The process, for tests that make it hang.
    #[must_use]
    pub fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// Makes an empty database; one of that name is removed first.
    ///
    /// # Errors
    /// If the name is not of `[a-z0-9_]`, or if the server refuses.
    pub async fn create_database(&self, name: &str) -> Result<Database> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        ensure!(
            !name.is_empty() && name.len() < 60 && name.chars().all(plain),
            "not a database name: {name:?}"
        );
        self.drop_database(name).await?;
        let mut connection = self.connect("postgres").await?;
        connection
            .execute(AssertSqlSafe(format!("CREATE DATABASE \"{name}\" TEMPLATE template0")))
            .await?;
        connection.close().await?;
        Ok(Database {
            url: self.url(name),
            name: name.to_owned(),
            postgres: self.clone(),
        })
    }

    /// The address of a database of this cluster.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    async fn drop_database(&self, name: &str) -> Result<()> {
        let mut connection = self.connect("postgres").await?;
        connection
            .execute(AssertSqlSafe(format!(
                "DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"
            )))
            .await?;
        Ok(connection.close().await?)
    }

    async fn connect(&self, database: &str) -> Result<PgConnection> {
        let options: sqlx::postgres::PgConnectOptions = self.url(database).parse()?;
        Ok(options.disable_statement_logging().connect().await?)
    }
}

impl Database {
    /// Removes it, with whatever still holds a connection.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn close(self) -> Result<()> {
        self.postgres.drop_database(&self.name).await
    }
}

/// A server program under the right user: `setpriv` becomes the program, so its pid is the program's.
fn as_postgres(program: &str) -> Result<Command> {
    let path = postgres_programs()
        .context("PostgreSQL is not installed (Debian: postgresql)")?
        .join(program);
    if !is_root() {
        return Ok(Command::new(path));
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", USER, "--regid", USER, "--init-groups", "--"])
        .arg(path);
    Ok(command)
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}
