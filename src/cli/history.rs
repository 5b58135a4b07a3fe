//! `seaworthy history`: where an application is and was.

use std::io::{Write, stdout};
use std::process::ExitCode;

use super::client::{Client, Server};
use super::print;
use crate::wire::History;

/// Show where an application is and was: digest, environment, data centre, who, when.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// Name of the application.
    application: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// The service's sentence.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let history: History = client.get(&format!("/api/history/{}", args.application), &[]).await?;
    let mut out = stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&history)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = history
        .placements
        .iter()
        .map(|placement| {
            vec![
                placement.environment.clone(),
                placement.data_centre.clone(),
                placement.digest.as_str()[..19].to_owned(),
                placement.build.to_string(),
                placement.since.format("%Y-%m-%d %H:%M").to_string(),
                placement
                    .until
                    .map_or("now".to_owned(), |until| until.format("%Y-%m-%d %H:%M").to_string()),
                placement.promotion.map(|id| id.to_string()).unwrap_or_default(),
                placement.by.clone(),
            ]
        })
        .collect();
    let heads = [
        "environment",
        "data centre",
        "digest",
        "build",
        "since (UTC)",
        "until",
        "promotion",
        "by",
    ];
    print::table(&mut out, &heads, &rows)?;
    Ok(ExitCode::SUCCESS)
}
