//! `seaworthy builds …`, `rebuild`, `cancel`: builds seen and ordered from the command line.

use std::io::{Write, stdout};
use std::process::ExitCode;

use super::client::{Client, Server};
use super::print;
use crate::wire::{BuildDetail, BuildList, Done};

/// Builds.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List builds, newest first.
    List(ListArgs),
    /// Show one build.
    Show {
        /// Its number.
        build: i64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let the build of a fork's commit run. A new push asks again.
    Approve {
        /// Its number.
        build: i64,
    },
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only of this project.
    #[arg(long)]
    project: Option<String>,
    /// Only in this state: awaiting_approval, queued, running, passed, failed, errored, cancelled or superseded.
    #[arg(long)]
    state: Option<String>,
    /// Only of this merge request.
    #[arg(long)]
    iid: Option<i64>,
    /// Only of this commit (7 digits at least).
    #[arg(long)]
    commit: Option<String>,
    /// Only older than this build.
    #[arg(long)]
    before: Option<i64>,
    /// At most so many.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// An order about one build.
#[derive(Debug, clap::Args)]
pub struct Order {
    #[command(flatten)]
    server: Server,
    /// Its number.
    build: i64,
}

/// # Errors
/// The service's sentence.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.server)?;
    match &args.verb {
        Verb::List(args) => list(&client, args, &mut stdout().lock()).await,
        Verb::Show { build, json } => {
            let detail: BuildDetail = client.get(&format!("/api/builds/{build}"), &[]).await?;
            let mut out = stdout().lock();
            if *json {
                writeln!(out, "{}", serde_json::to_string_pretty(&detail)?)?;
            } else {
                print::build(&mut out, &detail)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Verb::Approve { build } => order(&client, *build, "approve").await,
    }
}

async fn list(client: &Client, args: &ListArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let mut query = vec![("limit", args.limit.to_string())];
    let number = |value: Option<i64>| value.map(|value| value.to_string());
    for (name, value) in [
        ("project", args.project.clone()),
        ("state", args.state.clone()),
        ("iid", number(args.iid)),
        ("commit", args.commit.clone()),
        ("before", number(args.before)),
    ] {
        query.extend(value.map(|value| (name, value)));
    }
    let list: BuildList = client.get("/api/builds", &query).await?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = list
        .builds
        .iter()
        .map(|build| {
            vec![
                build.id.to_string(),
                build.state.as_str().replace('_', " "),
                build.full_mark(),
                build.head.short().to_owned(),
                build.created_at.format("%Y-%m-%d %H:%M").to_string(),
                build.title.clone(),
            ]
        })
        .collect();
    print::table(out, &["build", "state", "of", "commit", "made (UTC)", "title"], &rows)?;
    if let (Some(_), Some(last)) = (&list.next, list.builds.last()) {
        writeln!(out, "older ones: --before {}", last.id)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// # Errors
/// The service's sentence.
pub async fn rebuild(args: &Order) -> anyhow::Result<ExitCode> {
    order(&Client::new(&args.server)?, args.build, "rebuild").await
}

/// # Errors
/// The service's sentence.
pub async fn cancel(args: &Order) -> anyhow::Result<ExitCode> {
    order(&Client::new(&args.server)?, args.build, "cancel").await
}

async fn order(client: &Client, build: i64, order: &str) -> anyhow::Result<ExitCode> {
    let done: Done = client.post(&format!("/api/builds/{build}/{order}")).await?;
    writeln!(stdout().lock(), "{}\n{}", done.message, done.url)?;
    Ok(ExitCode::SUCCESS)
}
