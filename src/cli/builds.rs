//! `seaworthy builds …`, `rebuild`, `cancel`: builds seen and ordered from the command line.

use std::process::ExitCode;

use super::client::{Client, Server};
use crate::wire::{BuildList, BuildView, Done};

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
    List {
        /// Only of this project.
        #[arg(long)]
        project: Option<String>,
        /// Only in this state.
        #[arg(long)]
        state: Option<String>,
        /// Only of this commit.
        #[arg(long)]
        commit: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one build.
    Show {
        /// Its number.
        build: i64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let the build of a fork's commit run.
    Approve {
        /// Its number.
        build: i64,
    },
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
        Verb::List {
            project,
            state,
            commit,
            limit,
            json,
        } => {
            let mut query = vec![("limit", limit.to_string())];
            for (name, value) in [("project", project), ("state", state), ("commit", commit)] {
                query.extend(value.iter().map(|value| (name, value.clone())));
            }
            let list: BuildList = client.get("/api/builds", &query).await?;
            if *json {
                println!("{}", serde_json::to_string_pretty(&list)?);
                return Ok(ExitCode::SUCCESS);
            }
            println!(" build  state       project                          mr  commit    title");
            for build in list.builds {
                let mr = format!("!{}", build.iid);
                let head: String = build.head.chars().take(8).collect();
                println!(
                    "{:>6}  {:<11} {:<28} {mr:>6}  {head}  {}",
                    build.id,
                    build.state.as_str(),
                    build.project,
                    build.title
                );
            }
        }
        Verb::Show { build, json } => {
            let view: BuildView = client.get(&format!("/api/builds/{build}"), &[]).await?;
            if *json {
                println!("{}", serde_json::to_string_pretty(&view)?);
            } else {
                print(&view);
            }
        }
        Verb::Approve { build } => return order(&client, *build, "approve").await,
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
    println!("{}", done.message);
    Ok(ExitCode::SUCCESS)
}

/// A build for a terminal: who, what, when, why.
pub(super) fn print(view: &BuildView) {
    let build = &view.summary;
    let line = |name: &str, value: &str| println!("{name:<15}{value}");
    line("build", &format!("{} {}", build.id, build.state.as_str()));
    line(
        "merge request",
        &format!("{}!{} {}", build.project, build.iid, build.title),
    );
    line("", &build.merge_request_url);
    line("author", &build.author);
    line("commit", &format!("{} of {}", build.head, build.source_branch));
    if let Some(tip) = &view.target_tip {
        line("merged into", &format!("{} at {tip}", build.target_branch));
    }
    if let Some(tree) = &view.merge_tree {
        line("tree", tree);
    }
    for commit in &view.commits {
        line(
            "",
            &format!("{} {} ({})", commit.sha.short(), commit.subject, commit.author_name),
        );
    }
    if let Some(tests) = &view.tests {
        let counts = tests.counts;
        line(
            "tests",
            &format!(
                "{} run, {} failed, {} skipped",
                counts.run,
                counts.failed + counts.errors,
                counts.skipped
            ),
        );
    }
    if let Some(image) = &view.image {
        line("image", &image.reference);
        line("digest", &image.digest);
        line("stack", &format!("{} on {}", image.stack, image.base));
        line("base digest", &image.base_digest);
        line("war", &format!("{} ({} bytes)", image.war, image.war_bytes));
        line("war checksum", &image.war_sha256);
        line("servlet", &image.servlet);
    }
    line(
        "pipeline",
        &format!(
            "{}, attempt {} on {}",
            view.pipeline,
            build.attempt,
            build.worker.as_deref().unwrap_or("-")
        ),
    );
    for stage in view.stages.iter().filter(|stage| stage.attempt == build.attempt) {
        let time = stage
            .millis
            .map(|millis| format!("{:.1} s", millis as f64 / 1000.0))
            .unwrap_or_default();
        line(
            stage.stage.as_str(),
            &format!(
                "{} {time} {}",
                stage.state.as_str(),
                stage.note.as_deref().unwrap_or("")
            ),
        );
    }
    if let Some(finding) = &view.finding {
        line("finding", &finding.title);
        finding.detail.iter().for_each(|detail| line("", detail));
        line("what to do", &finding.help);
    }
    if let Some(error) = &view.error {
        line("error", error);
    }
}
