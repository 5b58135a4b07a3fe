//! `seaworthy deliveries …`: what GitLab sent, what was decided, and once more.

use std::process::ExitCode;

use super::client::{Client, Server};
use crate::wire::{DeliveryView, Done};

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
    /// List the newest hundred.
    List {
        /// Only those decided so: build or ignored.
        #[arg(long)]
        decision: Option<String>,
    },
    /// Show one as it came, with what was decided.
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
        Verb::List { decision } => {
            let query: Vec<_> = decision.iter().map(|decision| ("decision", decision.clone())).collect();
            let list: Vec<DeliveryView> = client.get("/api/deliveries", &query).await?;
            for delivery in list {
                let time = delivery.received_at.format("%Y-%m-%d %H:%M:%S");
                let decision = delivery.decision.as_deref().unwrap_or("waits");
                println!(
                    "{}  {time}  {decision:<8} {}",
                    delivery.id,
                    delivery.reason.as_deref().unwrap_or("")
                );
            }
        }
        Verb::Show { delivery } => {
            let view: DeliveryView = client.get(&format!("/api/deliveries/{delivery}"), &[]).await?;
            println!("{}", serde_json::to_string_pretty(&view)?);
        }
        Verb::Replay { delivery } => {
            let done: Done = client.post(&format!("/api/deliveries/{delivery}/replay")).await?;
            println!("{}", done.message);
        }
    }
    Ok(ExitCode::SUCCESS)
}
