//! `seaworthy images --with <library>`: which images hold a library; `images reconcile`: what a registry really holds.

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use super::client::{Client, Server};
use super::{print, reconcile};
use crate::config::Config;
use crate::wire::ImageList;

/// List the images that hold a library, or compare a registry with what is recorded of it.
#[derive(Debug, clap::Args)]
#[command(subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    server: Server,
    /// The library and its versions: 'org.apache.logging.log4j:log4j-core<2.17.1', 'a:b[1.0,2.0)', or all of it: 'a:b'.
    #[arg(long, value_name = "LIBRARY", required = true)]
    with: Option<String>,
    /// At most so many images, newest first.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Read the whole catalogue of an environment's registries, and name what is there without a record, missing, or another
    /// image than the recorded one. Exit code 1 if there is a difference.
    Reconcile {
        /// Name of the environment.
        environment: String,
    },
}

/// # Errors
/// The service's sentence, or what `reconcile` cannot reach.
pub async fn run(args: &Args, config: impl FnOnce() -> anyhow::Result<Config>) -> anyhow::Result<ExitCode> {
    if let Some(Verb::Reconcile { environment }) = &args.verb {
        return reconcile::run(&config()?, environment, &mut stdout()).await;
    }
    let with = args.with.clone().unwrap_or_default();
    let query = [("with", with), ("limit", args.limit.to_string())];
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
