//! `seaworthy deliveries …`: what GitLab sent, what was decided, and once more.

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use super::client::{Client, Server, segment};
use super::print;
use crate::wire::{DeliveryDetail, DeliveryList, Done};

/// Webhook deliveries.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List deliveries, newest first.
    List {
        /// Only those decided so: build, ignored, or waiting to be interpreted.
        #[arg(long)]
        decision: Option<String>,
        /// Only older than this one.
        #[arg(long)]
        before: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one as it came, with what was decided, as JSON.
    Show {
        /// Its id.
        delivery: String,
    },
    /// Interpret one again.
    Replay {
        /// Its id.
        delivery: String,
    },
}

/// # Errors
/// The service's sentence.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.server)?;
    match &args.verb {
        Verb::List {
            decision,
            before,
            limit,
            json,
        } => {
            let mut query = vec![("limit", limit.to_string())];
            for (name, value) in [("decision", decision), ("before", before)] {
                query.extend(value.iter().map(|value| (name, value.clone())));
            }
            let list: DeliveryList = client.get("/api/deliveries", &query).await?;
            let mut out = stdout().lock();
            if *json {
                writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
                return Ok(ExitCode::SUCCESS);
            }
            let rows: Vec<Vec<String>> = list
                .deliveries
                .iter()
                .map(|delivery| {
                    vec![
                        delivery.id.to_string(),
                        delivery.received_at.format("%Y-%m-%d %H:%M:%S").to_string(),
                        delivery.decision.clone().unwrap_or_else(|| "waiting".to_owned()),
                        delivery.build.map(|build| build.to_string()).unwrap_or_default(),
                        delivery.reason.clone().unwrap_or_default(),
                    ]
                })
                .collect();
            print::table(
                &mut out,
                &["delivery", "received (UTC)", "decision", "build", "reason"],
                &rows,
            )?;
            if let (Some(_), Some(last)) = (&list.next, list.deliveries.last()) {
                writeln!(out, "older ones: --before {}", last.id)?;
            }
        }
        Verb::Show { delivery } => {
            let detail: DeliveryDetail = client
                .get(&format!("/api/deliveries/{}", segment(delivery)), &[])
                .await?;
            writeln!(stdout().lock(), "{}", serde_json::to_string_pretty(&detail)?)?;
        }
        Verb::Replay { delivery } => {
            let done: Done = client
                .post(&format!("/api/deliveries/{}/replay", segment(delivery)))
                .await?;
            writeln!(stdout().lock(), "{}\n{}", done.message, done.url)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
