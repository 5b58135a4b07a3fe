//! `seaworthy token …`: tokens of the API, made beside the database by whoever can reach it.

use std::process::ExitCode;

use anyhow::bail;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::Config;
use crate::store::{self, tokens};

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
        /// It may not change anything.
        #[arg(long)]
        read_only: bool,
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
        Verb::Create { name, read_only } => {
            let random = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
            let bytes: Vec<u8> = random.iter().flat_map(|uuid| uuid.into_bytes()).collect();
            // Each UUID has 122 random bits of the system's generator: 366 in all.
            let secret = format!("swt_{}", URL_SAFE_NO_PAD.encode(bytes));
            if !tokens::create(&pool, name, &secret, !read_only).await? {
                bail!("there is a token {name:?} already, maybe a revoked one: choose another name");
            }
            println!("{secret}");
        }
        Verb::List => {
            for token in tokens::list(&pool).await? {
                let rights = if token.may_write { "write" } else { "read" };
                let used = token.last_used_at.map_or("never used".to_owned(), |time| {
                    format!("used {}", time.format("%Y-%m-%d %H:%M"))
                });
                let revoked = if token.revoked_at.is_some() { ", revoked" } else { "" };
                println!(
                    "{:<24} {rights:<6} made {}, {used}{revoked}",
                    token.name,
                    token.created_at.format("%Y-%m-%d")
                );
            }
        }
        Verb::Revoke { name } => {
            if !tokens::revoke(&pool, name).await? {
                bail!("there is no token {name:?}");
            }
            println!("{name} is revoked");
        }
    }
    Ok(ExitCode::SUCCESS)
}
