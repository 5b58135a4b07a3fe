//! `seaworthy environments`: what is where; `check` tries each registry.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use super::assembly;
use super::client::{Client, Server};
use super::print;
use crate::clients::certificates::Certificates;
use crate::clients::registry::Registry;
use crate::config::Config;
use crate::wire::Board;

/// Show which image of each application is in which environment.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Try every registry with a small upload that is thrown away again, and say what is wrong with it.
    Check,
}

/// # Errors
/// The service's sentence, or a mistake in the definitions.
pub async fn run(
    args: &Args,
    config: impl FnOnce() -> anyhow::Result<Config>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Some(Verb::Check) => check(&config()?, out).await,
        None => board(&Client::new(&args.server)?, args.json, out).await,
    }
}

async fn board(client: &Client, json: bool, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let board: Board = client.get("/api/environments", &[]).await?;
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&board)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for environment in &board.environments {
        if let (Some(until), Some(because)) = (&environment.frozen_until, &environment.frozen_because) {
            let until = until.format("%Y-%m-%d %H:%M UTC");
            writeln!(
                out,
                "{} is frozen until {until}: {}",
                environment.title,
                print::plain(because)
            )?;
        }
    }
    let heads: Vec<&str> = std::iter::once("application")
        .chain(board.environments.iter().map(|environment| environment.name.as_str()))
        .collect();
    let rows: Vec<Vec<String>> = board
        .applications
        .iter()
        .map(|row| {
            let mut cells = vec![row.application.clone()];
            for environment in &board.environments {
                let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
                for placement in row
                    .placements
                    .iter()
                    .filter(|placement| placement.environment == environment.name)
                {
                    found
                        .entry(&placement.digest.as_str()[7..19])
                        .or_default()
                        .push(&placement.data_centre);
                }
                let one = found.len() == 1;
                let wanted = environment.data_centres.len().max(1);
                let texts: Vec<String> = found
                    .into_iter()
                    .map(|(digest, centres)| match one && centres.len() == wanted {
                        true => digest.to_owned(),
                        false => format!("{digest} ({})", centres.join(", ")),
                    })
                    .collect();
                cells.push(if texts.is_empty() {
                    "-".to_owned()
                } else {
                    texts.join(" / ")
                });
            }
            cells
        })
        .collect();
    print::table(out, &heads, &rows)?;
    Ok(ExitCode::SUCCESS)
}

async fn check(config: &Config, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let (_, definitions) = assembly::definitions(config)?;
    let certificates = Certificates::load(config.tls.ca_file.as_deref())?;
    let registry = Registry::new(config, &certificates);
    let mut good = true;
    let mut any = false;
    for environment in definitions.environments().iter() {
        for centre in &environment.data_centres {
            any = true;
            let tried = registry.try_upload(&centre.repository_of("seaworthy-check")).await;
            let words = match &tried {
                Ok(words) => format!("ok: {words}"),
                Err(error) => format!("WRONG: {error}"),
            };
            good &= tried.is_ok();
            writeln!(
                out,
                "{:<16} {:<10} {}  {words}",
                environment.name, centre.name, centre.repository
            )?;
        }
    }
    if !any {
        writeln!(
            out,
            "there is QA alone: further environments are described in pipelines/environments.toml"
        )?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
