//! `seaworthy audit …`: who decided what, and whether anybody changed that afterwards.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context as _;

use super::client::{Client, Server};
use crate::config::Config;
use crate::model::audit::{AuditRow, Chain};
use crate::store::{self, audit};

/// Rows that are read at once.
const ROWS: i64 = 1000;

/// The audit trail.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Follow the chain of hashes through the database; names the first row that is broken.
    Verify {
        /// A row that is known from before, as `number:hash`: proves that nothing behind it was cut off since.
        #[arg(long, value_name = "SEQ:HASH")]
        contains: Option<String>,
    },
    /// Write all rows as JSON lines.
    Export {
        #[command(flatten)]
        server: Server,
        /// Only rows behind this number.
        #[arg(long, default_value_t = 0)]
        after: i64,
    },
}

/// # Errors
/// The database or the service is away.
pub async fn run(args: &Args, config: impl FnOnce() -> anyhow::Result<Config>) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::Verify { contains } => verify(&config()?, contains.as_deref(), &mut stdout()).await,
        Verb::Export { server, after } => export(&Client::new(server)?, *after).await,
    }
}

async fn verify(config: &Config, contains: Option<&str>, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let known = contains.map(known).transpose()?;
    let pool = store::connect(&config.database.url, config.database.max_connections)?;
    let mut chain = Chain::default();
    let mut met = known.is_none();
    loop {
        let rows = audit::after(&pool, chain.last(), ROWS)
            .await
            .context("the audit trail cannot be read")?;
        for row in &rows {
            if let Err(broken) = chain.step(row) {
                writeln!(out, "BROKEN: {broken}")?;
                writeln!(out, "row {}: {}", row.seq, words(row))?;
                return Ok(ExitCode::FAILURE);
            }
            met |= known
                .as_ref()
                .is_some_and(|(seq, hash)| *seq == row.seq && *hash == row.hash);
        }
        if i64::try_from(rows.len()) != Ok(ROWS) {
            break;
        }
    }
    if let (false, Some((seq, _))) = (met, known) {
        writeln!(
            out,
            "BROKEN: row {seq} with that hash is not in the trail: it was written anew or cut off"
        )?;
        return Ok(ExitCode::FAILURE);
    }
    writeln!(
        out,
        "good: {} rows; note down {}:{}",
        chain.last(),
        chain.last(),
        chain.hash()
    )?;
    Ok(ExitCode::SUCCESS)
}

fn words(row: &AuditRow) -> String {
    format!(
        "{} {} {} {} {}",
        row.at.format("%Y-%m-%d %H:%M:%S UTC"),
        row.actor,
        row.action,
        row.subject,
        row.grounds
    )
}

fn known(text: &str) -> anyhow::Result<(i64, String)> {
    let parsed = text.split_once(':').and_then(|(seq, hash)| {
        let hex = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some((seq.parse().ok()?, hex.then(|| hash.to_lowercase())?))
    });
    parsed.with_context(|| format!("--contains {text}: write a row's number and its hash, 12:<64 hexadecimal digits>"))
}

async fn export(client: &Client, after: i64) -> anyhow::Result<ExitCode> {
    let mut response = client.open(&format!("/api/audit?after={after}"), None).await?;
    let mut out = stdout().lock();
    while let Some(piece) = response.chunk().await.context("the export broke off")? {
        out.write_all(&piece)?;
    }
    Ok(ExitCode::SUCCESS)
}
