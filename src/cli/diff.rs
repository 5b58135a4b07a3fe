//! `seaworthy diff`: what changes from one image to another.

use std::io::{Write, stdout};
use std::process::ExitCode;

use super::client::{Client, Server};
use super::print;
use crate::wire::{Board, Diff};

/// Show what changes from one image to another: commits, libraries, Dockerfile, labels, layers, findings.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// Digest (or its first 12 digits), reference, number of a build; or an environment: what of the same application is there.
    from: String,
    /// Digest (or its first 12 digits), reference, or number of a build.
    to: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// The service's sentence.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let from = match environment(&client, &args.from, &args.to).await? {
        Some(digest) => digest,
        None => args.from.clone(),
    };
    let query = [("from", from), ("to", args.to.clone())];
    let diff: Diff = client.get("/api/diff", &query).await?;
    let mut out = stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&diff)?)?;
    } else {
        show(&mut out, &diff)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The digest of the application of `to` that is in the environment, if `from` names one.
async fn environment(client: &Client, from: &str, to: &str) -> anyhow::Result<Option<String>> {
    let board: Board = client.get("/api/environments", &[]).await?;
    if !board.environments.iter().any(|environment| environment.name == from) {
        return Ok(None);
    }
    let same: Diff = client
        .get("/api/diff", &[("from", to.to_owned()), ("to", to.to_owned())])
        .await?;
    let application = board
        .applications
        .iter()
        .find(|row| row.project.as_ref() == Some(&same.to.project));
    let held = application.and_then(|row| row.placements.iter().find(|placement| placement.environment == from));
    match held {
        Some(held) => Ok(Some(held.digest.to_string())),
        None => anyhow::bail!("nothing of {} is in {from}", same.to.project),
    }
}

fn show(out: &mut impl Write, diff: &Diff) -> std::io::Result<()> {
    for (name, side) in [("from", &diff.from), ("to", &diff.to)] {
        writeln!(
            out,
            "{name:<5} {} build {} of {} at {}, WAR of {} bytes",
            side.digest,
            side.build,
            side.project,
            side.head.short(),
            side.war_bytes
        )?;
    }
    writeln!(out, "\nfindings")?;
    for finding in &diff.findings {
        let sign = if finding.new { '+' } else { '-' };
        writeln!(
            out,
            "  {sign} {} ({})",
            print::plain(&finding.name),
            finding.level.as_str()
        )?;
    }
    writeln!(out, "\ncommits")?;
    for commit in &diff.commits {
        writeln!(
            out,
            "  {} {} ({})\n    {}",
            commit.sha.short(),
            print::plain(&commit.subject),
            print::plain(&commit.author),
            commit.url
        )?;
    }
    writeln!(out, "\nlibraries")?;
    for library in &diff.libraries {
        let words = |versions: &[String]| match versions.is_empty() {
            true => "-".to_owned(),
            false => versions.join(", "),
        };
        writeln!(
            out,
            "  {} {} -> {}",
            print::plain(&library.name),
            print::plain(&words(&library.from)),
            print::plain(&words(&library.to))
        )?;
    }
    writeln!(out, "\nlabels")?;
    for label in &diff.labels {
        let words = |value: &Option<String>| value.as_deref().map_or("-".to_owned(), print::plain);
        writeln!(out, "  {} {} -> {}", label.name, words(&label.from), words(&label.to))?;
    }
    writeln!(out, "\nlayers")?;
    match &diff.layers {
        None => writeln!(out, "  not recorded for one of the two images")?,
        Some(layers) => {
            writeln!(
                out,
                "  = {} layers of {} bytes are in both",
                layers.shared, layers.shared_bytes
            )?;
            for layer in &layers.changes {
                let sign = if layer.new { '+' } else { '-' };
                writeln!(
                    out,
                    "  {sign} {} bytes {} {}",
                    layer.bytes,
                    layer.digest,
                    print::plain(&layer.made_by)
                )?;
            }
        }
    }
    writeln!(out, "\nDockerfile")?;
    for line in diff.dockerfile.lines() {
        writeln!(out, "  {}", print::plain(line))?;
    }
    Ok(())
}
