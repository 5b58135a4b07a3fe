//! `seaworthy trace`: from a digest, an image, a build or a commit back to the merge request.

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use super::client::{Client, Server, segment};
use super::print;
use crate::wire::BuildDetail;

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
    let path = format!("/api/trace/{}", segment(&args.what));
    let found: Vec<BuildDetail> = Client::new(&args.server)?.get(&path, &[]).await?;
    let mut out = stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for (number, detail) in found.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        print::build(&mut out, detail)?;
    }
    Ok(ExitCode::SUCCESS)
}
