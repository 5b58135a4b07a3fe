//! `seaworthy trace`: from a digest, an image, a build or a commit back to the merge request.

use std::process::ExitCode;

use super::builds::print;
use super::client::{Client, Server};
use crate::wire::BuildView;

/// Show where an image comes from, or what became of a commit.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// Digest, image reference, build number or commit.
    what: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// The service's sentence.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let found: Vec<BuildView> = Client::new(&args.server)?
        .get(&format!("/api/trace/{}", args.what), &[])
        .await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(ExitCode::SUCCESS);
    }
    for (number, view) in found.iter().enumerate() {
        if number > 0 {
            println!();
        }
        print(view);
    }
    Ok(ExitCode::SUCCESS)
}
