//! `seaworthy rollback`: the digest that was there before.

use std::process::ExitCode;

use super::client::{Client, Server};
use crate::wire::{PromotionDone, RollbackOrder};

/// Put back the image that was in an environment before.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// Name of the application.
    application: String,
    /// Name of the environment.
    environment: String,
    /// Why.
    #[arg(long)]
    reason: String,
    /// Wait for the end.
    #[arg(long)]
    wait: bool,
}

/// # Errors
/// The service's sentence.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let order = RollbackOrder {
        application: args.application.clone(),
        environment: args.environment.clone(),
        reason: args.reason.clone(),
    };
    let answer: PromotionDone = client.post_json("/api/rollbacks", &order).await?;
    super::promote::after(&client, &answer, args.wait).await
}
