//! `seaworthy logs`: a build's log, to its present end or as it comes.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;

use super::client::{Client, Server};
use crate::ansi;

/// Print a build's log.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// Number of the build.
    build: i64,
    /// Go on until the build ends; the exit code is then 0 only if it passed.
    #[arg(short, long)]
    follow: bool,
    /// Without colours.
    #[arg(long)]
    no_color: bool,
}

/// # Errors
/// The service's sentence.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.server)?;
    if !args.follow {
        let text = client
            .open(&format!("/api/builds/{}/log", args.build), None)
            .await?
            .text()
            .await?;
        print!("{}", if args.no_color { ansi::strip(&text) } else { text.into() });
        return Ok(ExitCode::SUCCESS);
    }
    let mut last = 0;
    loop {
        match follow(args, &client, &mut last).await {
            Ok(Some(state)) => {
                return Ok(if state == "passed" {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::FAILURE
                });
            }
            // The connection ended, not the build.
            Ok(None) => tokio::time::sleep(Duration::from_millis(500)).await,
            Err(error) if last == 0 => return Err(error),
            Err(error) => {
                eprintln!("{error:#}; connecting again");
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
    }
}

/// Prints what comes. `Some`: the state that the build ended in.
async fn follow(args: &Args, client: &Client, last: &mut i64) -> anyhow::Result<Option<String>> {
    let response = client
        .open(&format!("/api/builds/{}/log/stream", args.build), Some(*last))
        .await?;
    let mut bytes = response.bytes_stream();
    let mut buffer = Vec::new();
    while let Some(Ok(block)) = bytes.next().await {
        buffer.extend_from_slice(&block);
        // An event ends with an empty line (HTML standard, 9.2.6).
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = buffer.drain(..end + 2).collect();
            if let Some(state) = show(args, &String::from_utf8_lossy(&event), last)? {
                return Ok(Some(state));
            }
        }
    }
    Ok(None)
}

fn show(args: &Args, event: &str, last: &mut i64) -> anyhow::Result<Option<String>> {
    let field = |name: &str| {
        event
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim_start)
    };
    let data = field("data").unwrap_or_default();
    match field("event") {
        Some("line") => {
            let line: Value = serde_json::from_str(data)?;
            let text = line["text"].as_str().unwrap_or_default();
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", if args.no_color { ansi::strip(text) } else { text.into() })?;
        }
        Some("dropped") => {
            let dropped: Value = serde_json::from_str(data)?;
            println!(
                "… lines {} to {} were too many and are dropped …",
                dropped["first_seq"], dropped["last_seq"]
            );
        }
        Some("end") => return Ok(Some(data.to_owned())),
        _ => {}
    }
    if let Some(id) = field("id").and_then(|id| id.parse().ok()) {
        *last = id;
    }
    Ok(None)
}
