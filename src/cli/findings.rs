//! `seaworthy findings`: what the WAR check of a build found.

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use anyhow::anyhow;

use super::client::{Client, Server};
use super::print;
use crate::wire::BuildDetail;

/// Show what the WAR check of a build found.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// Number of the build.
    build: i64,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// The service's sentence; a build that has no report.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let path = format!("/api/builds/{}", args.build);
    let detail: BuildDetail = Client::new(&args.server)?.get(&path, &[]).await?;
    let state = detail.build.state.as_str().replace('_', " ");
    let check = detail.war_check.ok_or_else(|| {
        anyhow!(
            "build {} ({state}) has no report of the WAR check: it did not come that far",
            args.build
        )
    })?;
    let mut out = stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&check)?)?;
    } else {
        print::findings(&mut out, &check)?;
    }
    Ok(ExitCode::SUCCESS)
}
