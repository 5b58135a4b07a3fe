//! One image: root file system by mmdebstrap, archive from Maven Central, `docker build`, push into the cache.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result};
use tokio::process::Command;

use super::MIRROR;
use super::download;
use super::recipe::{Archive, Base, Image, Recipe};
use crate::engine::Engine;
use crate::install::search_path;
use crate::process::run;
use crate::registry::Registry;

/// The public Maven Central; `MAVEN_CENTRAL` names another place with the same content.
const CENTRAL: &str = "https://repo1.maven.org/maven2";

/// Any fixed moment: the same packages give the same files.
const EPOCH: &str = "1700000000";

/// Makes one image, pushes it into `registry`, returns its manifest's digest.
pub(super) async fn make(
    engine: &Engine,
    recipe: &Recipe,
    image: &Image,
    cache: &Path,
    registry: &Registry,
) -> Result<String> {
    let base = recipe
        .bases
        .get(&image.base)
        .context("an image on a base that is not listed")?;
    ensure_base(engine, base, cache).await?;
    let context = tempfile::Builder::new().prefix("context-").tempdir_in(cache)?;
    if let Some(archive) = &image.archive {
        let archive = download(archive, &cache.join("downloads")).await?;
        let unpacked = context.path().join("archive");
        std::fs::create_dir(&unpacked)?;
        run(Command::new("tar")
            .args([
                "-xzf".as_ref(),
                archive.as_os_str(),
                "-C".as_ref(),
                unpacked.as_os_str(),
            ])
            .args(["--strip-components=1", "--no-same-owner", "--no-same-permissions"]))
        .await?;
    }
    let dockerfile = format!(
        "FROM {}\nLABEL seaworthy-world.recipe=\"{}\"\n{}",
        base.reference(),
        image.hash,
        image.build.dockerfile
    );
    std::fs::write(context.path().join("Dockerfile"), dockerfile)?;
    // This name is kept, so that the engine keeps the layers between runs.
    let kept = format!("seaworthy-world/{}", image.name());
    run(engine
        .docker()
        .args(["build", "-q", "--network", "none", "-t", &kept])
        .arg(context.path()))
    .await?;
    let pushed = format!("{}/{MIRROR}/{}", registry.address, image.name());
    run(engine.docker().args(["tag", &kept, &pushed])).await?;
    run(engine.docker().args(["push", "-q", &pushed])).await?;
    run(engine.docker().args(["rmi", "--no-prune", &pushed])).await?;
    let repository = format!("{MIRROR}/{}", image.repository);
    registry
        .digest(&repository, &image.tag)
        .await?
        .context("pushed, but the registry does not know it")
}

/// Imports the root file system unless the engine has it.
async fn ensure_base(engine: &Engine, base: &Base, cache: &Path) -> Result<()> {
    let reference = base.reference();
    let mut known = engine.docker();
    known
        .args(["image", "inspect", &reference])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if known.status().await?.success() {
        return Ok(());
    }
    let start = Instant::now();
    eprintln!("world: making the root file system with mmdebstrap (once, about a minute)");
    let folder = tempfile::Builder::new().prefix("base-").tempdir_in(cache)?;
    let tar = folder.path().join("base.tar");
    let mut command = Command::new("mmdebstrap");
    command
        .env("PATH", search_path())
        .env("SOURCE_DATE_EPOCH", EPOCH)
        .args(["--quiet", "--mode=root", "--variant=apt", "--format=tar"])
        .arg(format!("--include={}", base.packages.join(",")))
        .args(["--aptopt=Acquire::Languages \"none\"", "--dpkgopt=force-unsafe-io"])
        // A suite without security updates is that of a snapshot, whose lists are older than they say.
        .arg("--aptopt=Acquire::Check-Valid-Until \"false\"")
        .args(base.exclude.iter().map(|path| format!("--dpkgopt=path-exclude={path}")))
        .arg(format!("--essential-hook={}", base.before))
        .arg(format!("--customize-hook={}", base.after))
        .arg(&base.suite)
        .arg(&tar)
        .args(apt_sources(&base.suite));
    run(&mut command).await?;
    run(engine
        .docker()
        .args(["import", "--change"])
        .arg(format!("LABEL seaworthy-world.recipe={}", base.hash))
        .args(["--change", "CMD [\"bash\"]"])
        .arg(&tar)
        .arg(&reference))
    .await?;
    eprintln!(
        "world: made the root file system in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The archive in the download folder, its checksum right.
async fn download(archive: &Archive, folder: &Path) -> Result<PathBuf> {
    let central = std::env::var("MAVEN_CENTRAL").unwrap_or_else(|_| CENTRAL.to_owned());
    let url = format!("{}/{}", central.trim_end_matches('/'), archive.path);
    download::fetch(&url, "sha512sum", &archive.sha512, folder)
        .await
        .context("set MAVEN_CENTRAL to a mirror of Maven Central if this machine cannot reach it")
}

/// One-line apt sources for `suite`, from where this machine has its own packages.
fn apt_sources(suite: &str) -> Vec<String> {
    let mut texts = vec![std::fs::read_to_string("/etc/apt/sources.list").unwrap_or_default()];
    for entry in std::fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten()
    {
        texts.push(std::fs::read_to_string(entry.path()).unwrap_or_default());
    }
    let known: Vec<(String, String)> = texts.iter().flat_map(|text| parse_sources(text)).collect();
    let uri = |wanted: &str| {
        known
            .iter()
            .find(|(_, suite)| suite == wanted)
            .map(|(uri, _)| uri.clone())
    };
    let main = uri(suite).unwrap_or_else(|| "http://deb.debian.org/debian".to_owned());
    let security = format!("{suite}-security");
    let mut sources = vec![format!("deb {main} {suite} main")];
    // A machine that takes no updates may be behind a snapshot that has none.
    let updates = format!("{suite}-updates");
    for (suite, place) in [(&updates, uri(&updates)), (&security, uri(&security))] {
        sources.extend(place.map(|place| format!("deb {place} {suite} main")));
    }
    sources
}

/// (URI, suite) of every binary source with the component `main`, in both formats of apt.
fn parse_sources(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for stanza in text.split("\n\n") {
        let field = |name: &str| -> Vec<String> {
            let line = stanza.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
        };
        let main = field("Components:").iter().any(|component| component == "main");
        if main && field("Types:").iter().any(|kind| kind == "deb") && field("Enabled:") != ["no"] {
            for uri in field("URIs:") {
                found.extend(field("Suites:").into_iter().map(|suite| (uri.clone(), suite)));
            }
        }
    }
    for line in text.lines() {
        let Some(rest) = line.trim().strip_prefix("deb ") else {
            continue;
        };
        let rest = match rest.trim_start().strip_prefix('[') {
            Some(options) => options.split_once(']').map_or("", |(_, rest)| rest),
            None => rest,
        };
        if let [uri, suite, components @ ..] = rest.split_whitespace().collect::<Vec<_>>().as_slice()
            && components.contains(&"main")
        {
            found.push(((*uri).to_owned(), (*suite).to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::parse_sources;

    #[test]
    fn both_formats_of_apt_sources_are_read() {
        let text = "# a comment\nTypes: deb\nURIs: http://one/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n\
                    Types: deb\nURIs: http://other/apt\nSuites: nodistro\nComponents: contrib\n\n\
                    deb [signed-by=/k arch=amd64] http://two/debian-security bookworm-security main contrib\n\
                    deb-src http://three/debian bookworm main\n";
        let pair = |uri: &str, suite: &str| (uri.to_owned(), suite.to_owned());
        assert_eq!(
            parse_sources(text),
            [
                pair("http://one/debian", "bookworm"),
                pair("http://one/debian", "bookworm-updates"),
                pair("http://two/debian-security", "bookworm-security"),
            ]
        );
    }
}
