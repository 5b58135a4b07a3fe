//! `seaworthy token …`: tokens of the API, made beside the database by whoever can reach it. A person makes his own on the
//! page `/account`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::config::Config;
use crate::definition::project_patterns;
use crate::model::Role;
use crate::model::audit::Decision;
use crate::store::tokens::{NewToken, Token};
use crate::store::{self, audit, tokens};

const DAY: u64 = 24 * 3600;

/// Tokens of the API.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a token and print it; it is shown this once.
    Create {
        /// Name of who will use it: what is done with it is told by this name.
        name: String,
        /// What it may: viewer, developer, release-manager, platform or admin.
        #[arg(long, default_value = "developer")]
        role: Role,
        /// It may only read: the same as --role viewer.
        #[arg(long, conflicts_with = "role")]
        read_only: bool,
        /// Only for these projects, for example 'shop/**'; may be given several times.
        #[arg(long = "project", value_name = "PATTERN", default_value = "**")]
        projects: Vec<String>,
        /// Valid for so many days (1 to 3650).
        #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=3650))]
        expires: u64,
    },
    /// List the tokens.
    List,
    /// Make a token invalid.
    Revoke {
        /// Its name.
        name: String,
    },
}

/// # Errors
/// The database is away, a name is taken or unknown.
pub async fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let pool = store::connect(&config.database.url, 4)?;
    store::migrate(&pool).await?;
    match &args.verb {
        Verb::Create {
            name,
            role,
            read_only,
            projects,
            expires,
        } => {
            if name.trim().is_empty() || name.contains('/') {
                bail!(
                    "{name:?} is no name for a token: it must not be empty, and the '/' is for those that persons make"
                );
            }
            project_patterns(projects.iter().map(String::as_str)).context("--project")?;
            let random = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
            let bytes: Vec<u8> = random.iter().flat_map(|uuid| uuid.into_bytes()).collect();
            // Each UUID has 122 random bits of the system's generator: 366 in all.
            let secret = format!("swt_{}", URL_SAFE_NO_PAD.encode(bytes));
            let new = NewToken {
                name,
                role: if *read_only { Role::Viewer } else { *role },
                projects,
                lifetime: Duration::from_secs(expires * DAY),
                owner: None,
            };
            let mut tx = pool.begin().await?;
            if !tokens::keep(&mut *tx, &new, &secret).await? {
                bail!("there is a token {name:?} already, maybe a revoked one: choose another name");
            }
            let grounds = json!({"role": new.role, "projects": projects, "days": expires});
            audit::append(&mut tx, &decision("token.create", &format!("token {name}"), grounds)).await?;
            tx.commit().await?;
            println!("{secret}");
        }
        Verb::List => {
            for token in tokens::list(&pool, None).await? {
                println!("{}", line(&token));
            }
        }
        Verb::Revoke { name } => {
            let mut tx = pool.begin().await?;
            if !tokens::revoke(&mut *tx, name, None).await? {
                bail!("there is no token {name:?}");
            }
            audit::append(&mut tx, &decision("token.revoke", &format!("token {name}"), json!({}))).await?;
            tx.commit().await?;
            println!("{name} is revoked");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whoever runs this owns the database; who that is, the system knows.
fn decision<'a>(action: &'a str, subject: &'a str, grounds: serde_json::Value) -> Decision<'a> {
    Decision {
        actor: "command line",
        address: None,
        action,
        subject,
        grounds,
    }
}

fn line(token: &Token) -> String {
    let used = token.last_used_at.map_or("never used".to_owned(), |time| {
        format!("used {}", time.format("%Y-%m-%d %H:%M"))
    });
    let ends = match (token.revoked_at, token.expired) {
        (Some(at), _) => format!("revoked {}", at.format("%Y-%m-%d")),
        (None, true) => format!("expired {}", token.expires_at.format("%Y-%m-%d")),
        (None, false) => format!("until {}", token.expires_at.format("%Y-%m-%d")),
    };
    format!(
        "{:<24} {:<15} {:<20} made {}, {used}, {ends}",
        token.name,
        token.role.as_str(),
        token.projects.join(","),
        token.created_at.format("%Y-%m-%d")
    )
}
