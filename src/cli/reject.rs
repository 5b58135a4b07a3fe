//! `seaworthy reject`: an image that must not go on.

use std::process::ExitCode;

use super::client::{Client, Server};
use crate::model::Category;
use crate::wire::{PromotionDone, RejectionOrder};

/// Reject an image: it is not promoted any more, and counts as defective.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// Digest (or its first 12 digits), reference as it was pushed, or number of the build.
    image: String,
    /// What is wrong with it: functional, performance, security, configuration, compatibility or other.
    #[arg(long)]
    category: Category,
    /// In words.
    #[arg(long)]
    reason: String,
}

/// # Errors
/// The service's sentence.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let order = RejectionOrder {
        image: args.image.clone(),
        category: args.category,
        reason: args.reason.clone(),
    };
    let answer: PromotionDone = client.post_json("/api/rejections", &order).await?;
    super::promote::after(&client, &answer, false).await
}
