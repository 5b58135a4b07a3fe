//! `seaworthy reproduce`: an image is made again from what it says of itself, and compared layer by layer.
//!
//! The proof that the description is true. The service builds (`seaworthy rebuild`, with the target's commit and the base
//! of then); the comparison is done here, on what the registry hands out, so that a changed registry is seen too.

use std::io::{Seek, Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::client::{Client, Server};
use super::layer_files::{self, LayerFiles};
use crate::clients::certificates::Certificates;
use crate::clients::registry::{Layer, Registry};
use crate::config::Config;
use crate::dockerfile::{Description, describe};
use crate::model::{BuildId, BuildState};
use crate::wire::{BuildDetail, Done};

/// Differing files that are listed of one layer.
const LISTED: usize = 20;
/// Pause between two looks at the build.
const PAUSE: Duration = Duration::from_secs(1);

/// Make an image again from what it says of itself, and compare layer by layer.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image, best by digest.
    image: String,
    /// Compare with this build, which was made for an earlier call, instead of ordering one.
    #[arg(long)]
    build: Option<i64>,
    #[command(flatten)]
    server: Server,
}

/// How a layer came out.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The same bytes.
    Equal,
    /// The same files; only their times differ.
    Times,
    /// The registry does not hand out what the image says.
    Replaced(String),
    /// These files differ.
    Differs(Vec<String>),
}

/// Exits with 0 when all layers are equal, with 1 when one is not.
///
/// # Errors
/// The registry, the service, or a build that did not pass.
pub async fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let certificates = Certificates::load(config.tls.ca_file.as_deref())?;
    let registry = Registry::new(config, &certificates);
    let Some(found) = registry.config(&args.image).await? else {
        bail!("there is no image {}", args.image);
    };
    let description = describe(&found.labels)?;
    let client = Client::new(&args.server)?;
    let build = match args.build {
        Some(build) => BuildId(build),
        None => order(&client, &description).await?,
    };
    let again = wait(&client, build).await?;
    let name = args.image.split('@').next().unwrap_or(&args.image);
    let name = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    };
    let first = format!("{name}@{}", found.digest);
    say(&format!("\n{first}\nagainst {again}\n"))?;
    let verdicts = compare(&registry, &first, &again).await?;
    let equal = verdicts
        .iter()
        .filter(|verdict| matches!(verdict, Verdict::Equal | Verdict::Times))
        .count();
    say(&match equal == verdicts.len() {
        true => format!("\nequal: all {equal} layers are what the image says"),
        false => format!(
            "\nNOT equal: {} of {} layers differ",
            verdicts.len() - equal,
            verdicts.len()
        ),
    })?;
    Ok(if equal == verdicts.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Orders the build with what the image says it was built from.
async fn order(client: &Client, description: &Description) -> anyhow::Result<BuildId> {
    let path = format!(
        "/api/builds/{}/rebuild?target_tip={}&base={}",
        description.build, description.merge_request.target_tip, description.base.digest
    );
    let done: Done = client.post(&path).await?;
    say(&format!("{}\n{}", done.message, done.url))?;
    done.build.context("the service did not say which build it made")
}

/// Waits for its end; gives the image by its digest.
async fn wait(client: &Client, build: BuildId) -> anyhow::Result<String> {
    let mut told = None;
    loop {
        let detail: BuildDetail = client.get(&format!("/api/builds/{build}"), &[]).await?;
        let now = detail.build.stages.last().map(|stage| stage.stage);
        if now != told {
            if let Some(stage) = now {
                say(&format!("build {build}: {}", stage.title()))?;
            }
            told = now;
        }
        if detail.build.state == BuildState::Passed {
            let image = detail.image.context("the build passed without an image")?;
            return Ok(image.pinned);
        }
        if detail.build.state.is_final() {
            let why = detail
                .finding
                .map(|finding| finding.title)
                .or(detail.error)
                .unwrap_or_default();
            bail!("build {build} is {}: {why}", detail.build.state);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn compare(registry: &Registry, first: &str, again: &str) -> anyhow::Result<Vec<Verdict>> {
    let layers = async |image: &str| {
        let layers = registry.layers(image).await?;
        layers.with_context(|| format!("there is no image {image}"))
    };
    let (old, new) = (layers(first).await?, layers(again).await?);
    let mut verdicts = Vec::new();
    for at in 0..old.len().max(new.len()) {
        let (verdict, step) = match (old.get(at), new.get(at)) {
            (Some(old), Some(new)) => (layer(registry, (first, old), (again, new)).await?, &old.made_by),
            (Some(old), None) => (Verdict::Differs(vec!["is not made again".to_owned()]), &old.made_by),
            (None, Some(new)) => (Verdict::Differs(vec!["was not there".to_owned()]), &new.made_by),
            (None, None) => break,
        };
        tell(at + 1, step, &verdict)?;
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

async fn layer(registry: &Registry, old: (&str, &Layer), new: (&str, &Layer)) -> anyhow::Result<Verdict> {
    // What the registry hands out counts, not what it says: each layer of the image is fetched and read.
    let files = match fetch(registry, old.0, old.1).await? {
        Ok(files) => files,
        Err(replaced) => return Ok(Verdict::Replaced(replaced)),
    };
    if files.diff_id == new.1.diff_id {
        return Ok(Verdict::Equal);
    }
    let again = match fetch(registry, new.0, new.1).await? {
        Ok(files) => files,
        Err(replaced) => {
            return Ok(Verdict::Replaced(format!(
                "{replaced} (of the image that was made again)"
            )));
        }
    };
    let differences = files.differences(&again);
    Ok(if differences.is_empty() {
        Verdict::Times
    } else {
        Verdict::Differs(differences)
    })
}

/// The layer, or in what the registry's bytes are not the ones that the image names.
async fn fetch(registry: &Registry, image: &str, layer: &Layer) -> anyhow::Result<Result<LayerFiles, String>> {
    let mut file = tempfile::tempfile().context("no file for a layer: look at the disk of the temporary directory")?;
    let digest = registry.fetch_layer(image, layer, &mut file).await?;
    if digest != layer.digest {
        return Ok(Err(format!(
            "the registry hands out {digest} where the image names {}: the layer was replaced",
            layer.digest
        )));
    }
    file.rewind()?;
    let gzip = !layer.media_type.ends_with(".tar");
    let diff_id = layer.diff_id.clone();
    let read = tokio::task::spawn_blocking(move || layer_files::read(std::io::BufReader::new(file), gzip)).await?;
    let files = read.with_context(|| format!("layer {} cannot be read", layer.digest))?;
    if files.diff_id != diff_id {
        return Ok(Err(format!(
            "it unpacks to {} where the configuration names {diff_id}: the layer was replaced",
            files.diff_id
        )));
    }
    Ok(Ok(files))
}

fn tell(number: usize, step: &str, verdict: &Verdict) -> anyhow::Result<()> {
    let step: String = step.trim_start_matches("/bin/sh -c ").chars().take(70).collect();
    let (word, lines) = match verdict {
        Verdict::Equal => ("equal".to_owned(), &[][..]),
        Verdict::Times => ("equal but for the times of its files".to_owned(), &[][..]),
        Verdict::Replaced(how) => (format!("REPLACED: {how}"), &[][..]),
        Verdict::Differs(files) => (format!("DIFFERS in {} files", files.len()), &files[..]),
    };
    say(&format!("{number:>3}  {word:<10}  {step}"))?;
    for line in lines.iter().take(LISTED) {
        say(&format!("       {line}"))?;
    }
    if lines.len() > LISTED {
        say(&format!("       … and {} more", lines.len() - LISTED))?;
    }
    Ok(())
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(stdout().lock(), "{text}")?;
    Ok(())
}
