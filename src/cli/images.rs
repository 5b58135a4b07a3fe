//! `seaworthy images --with <library>`: which images hold a library.

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use super::client::{Client, Server};
use super::print;
use crate::wire::ImageList;

/// List the images that hold a library.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// The library and its versions: 'org.apache.logging.log4j:log4j-core<2.17.1', 'a:b[1.0,2.0)', or all of it: 'a:b'.
    #[arg(long, value_name = "LIBRARY")]
    with: String,
    /// At most so many images, newest first.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// The service's sentence.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let query = [("with", args.with.clone()), ("limit", args.limit.to_string())];
    let list: ImageList = Client::new(&args.server)?.get("/api/images", &query).await?;
    let mut out = stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if list.images.is_empty() {
        writeln!(out, "no image holds {}", print::plain(&list.with))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = list
        .images
        .iter()
        .map(|image| {
            vec![
                image.application.clone(),
                image.environment.clone(),
                image.build.to_string(),
                image.digest.to_string(),
                image.libraries.join(", "),
            ]
        })
        .collect();
    print::table(
        &mut out,
        &["application", "environment", "build", "digest", "library"],
        &rows,
    )?;
    let shown = i64::try_from(list.images.len()).unwrap_or(i64::MAX);
    if shown < list.total {
        writeln!(out, "the newest {shown} of {} images; more: --limit", list.total)?;
    }
    Ok(ExitCode::SUCCESS)
}
