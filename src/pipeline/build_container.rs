//! The container in which strangers' code runs: what it is given, and what is fetched from it.
//!
//! It gets the source, the house's `settings.xml` and certificate authorities, a cache of Maven's repository; no
//! secret, no engine. Everything goes in and out through the engine's API, so the engine may be on another host.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::plan::BuildPlan;
use super::{Run, StageError, cache};
use crate::clients::engine::{
    BuildContainer, CacheVolume, Command, ContainerSpec, Exit, Guards, Limits, User, tar_directory,
};
use crate::definition::Builder;
use crate::maven::{surefire, war};

/// Where the source is in the container.
pub(super) const SOURCE: &str = "/workspace/source";
const WORKSPACE: &str = "/workspace";
const CACHE: &str = "/cache";
const HOUSE: &str = "seaworthy";
const TRUST_STORE_PASSWORD: &str = "changeit";
/// Who runs the build: nobody that exists.
const USER: User = User {
    uid: 10_001,
    gid: 10_001,
};

/// Makes and starts the container of a builder; nothing of the project is in it yet.
pub(super) async fn open(run: &Run, builder: &Builder) -> Result<BuildContainer, StageError> {
    let parts = &run.parts;
    let image = builder.image.mirrored(&parts.config.base_images.mirrors);
    parts
        .engine
        .ensure_image(&image, parts.login(&image).as_ref(), run.teller())
        .await?;
    let limits = &run.pipeline.limits;
    let mr = &run.build.merge_request;
    let spec = ContainerSpec {
        image,
        workspace: WORKSPACE.to_owned(),
        env: environment(run, builder).into_iter().collect(),
        limits: Limits {
            memory: limits.memory,
            cpus: limits.cpus,
            pids: limits.pids,
            disk: limits.disk,
            log: limits.log,
        },
        caches: vec![CacheVolume {
            name: cache::name(&parts.config.maven.cache, mr),
            mount: CACHE.to_owned(),
        }],
        user: USER,
    };
    Ok(parts.engine.create_build_container(&spec, &run.owner()).await?)
}

/// Puts the house's files and the source into it.
pub(super) async fn fill(
    run: &Run,
    container: &BuildContainer,
    source: &Path,
    plan: &BuildPlan,
) -> Result<(), StageError> {
    container
        .upload("/", tokio_stream::iter([house_files(run, plan)]))
        .await?;
    container
        .upload(SOURCE, tar_directory(source, USER.uid, USER.gid).await?)
        .await?;
    Ok(())
}

/// The command of the builder with what every Maven run here needs.
pub(super) fn command(run: &Run, source: &Path, plan: &BuildPlan) -> Command {
    let mut argv = plan.builder.command_line(source.join("mvnw").is_file());
    if !run.pipeline.profiles.is_empty() {
        argv.push(format!("--activate-profiles={}", run.pipeline.profiles.join(",")));
    }
    argv.push(format!("-Dmaven.repo.local={CACHE}/repository"));
    // Several builds of a project share its cache.
    argv.push("-Daether.syncContext.named.factory=file-lock".to_owned());
    argv.push("-Daether.syncContext.named.nameMapper=file-gav".to_owned());
    let maven = &run.parts.config.maven;
    if maven.settings_file.is_some() || maven.mirror_url.is_some() {
        argv.push(format!("--settings=/{HOUSE}/settings.xml"));
    }
    if plan.survey.toolchains {
        argv.push(format!("--toolchains=/{HOUSE}/toolchains.xml"));
    }
    Command {
        argv,
        env: Vec::new(),
        workdir: SOURCE.to_owned(),
        deadline: run.pipeline.limits.time,
    }
}

fn environment(run: &Run, builder: &Builder) -> BTreeMap<String, String> {
    let mut variables = builder.variables();
    variables.insert("HOME".to_owned(), WORKSPACE.to_owned());
    variables.insert("MAVEN_CONFIG".to_owned(), String::new());
    // Where a Maven Wrapper keeps the Maven that it downloads.
    variables.insert("MAVEN_USER_HOME".to_owned(), format!("{CACHE}/wrapper"));
    variables.insert("CI".to_owned(), "true".to_owned());
    if hands_in_certificates(run) {
        let trust = format!(
            "-Djavax.net.ssl.trustStore=/{HOUSE}/trust.jks -Djavax.net.ssl.trustStorePassword={TRUST_STORE_PASSWORD}"
        );
        let options = variables.entry("MAVEN_OPTS".to_owned()).or_default();
        *options = format!("{options} {trust}").trim().to_owned();
        // curl, wget (through its own file), Node, Python and whatever uses OpenSSL.
        for name in [
            "SSL_CERT_FILE",
            "CURL_CA_BUNDLE",
            "NODE_EXTRA_CA_CERTS",
            "REQUESTS_CA_BUNDLE",
        ] {
            variables.insert(name.to_owned(), format!("/{HOUSE}/ca.pem"));
        }
        variables.insert("WGETRC".to_owned(), format!("/{HOUSE}/wgetrc"));
    }
    variables
}

/// A service that trusts nobody has nothing to hand in: the builder image's own authorities are then used.
fn hands_in_certificates(run: &Run) -> bool {
    run.parts.config.maven.hand_in_certificates && run.parts.certificates.iter().next().is_some()
}

/// The house's files, as an archive to be unpacked at `/`.
fn house_files(run: &Run, plan: &BuildPlan) -> std::io::Result<Bytes> {
    let maven = &run.parts.config.maven;
    let mut files: Vec<(&str, Vec<u8>)> = Vec::new();
    if let Some(file) = &maven.settings_file {
        files.push(("settings.xml", std::fs::read(file)?));
    } else if let Some(url) = &maven.mirror_url {
        files.push(("settings.xml", mirror_settings(url).into_bytes()));
    }
    if hands_in_certificates(run) {
        files.push((
            "trust.jks",
            run.parts.certificates.java_trust_store(TRUST_STORE_PASSWORD),
        ));
        files.push(("ca.pem", run.parts.certificates.pem_bundle().into_bytes()));
        files.push(("wgetrc", format!("ca_certificate=/{HOUSE}/ca.pem\n").into_bytes()));
    }
    if plan.survey.toolchains {
        files.push(("toolchains.xml", toolchains(plan.builder.jdk).into_bytes()));
    }
    let mut tar = tar::Builder::new(Vec::new());
    let directory = |path: &str, owner: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_size(0);
        (header, format!("{path}/"))
    };
    for (path, owner) in [(HOUSE, 0), (SOURCE.trim_start_matches('/'), u64::from(USER.uid))] {
        let (mut header, path) = directory(path, owner);
        tar.append_data(&mut header, path, std::io::empty())?;
    }
    for (name, content) in &files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, format!("{HOUSE}/{name}"), &content[..])?;
    }
    tar.into_inner().map(Bytes::from)
}

/// A `settings.xml` in which one repository manager stands for all repositories.
fn mirror_settings(url: &str) -> String {
    let url = url.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<settings><mirrors><mirror><id>house</id><mirrorOf>*</mirrorOf><url>{url}</url></mirror></mirrors></settings>\n"
    )
}

/// A `toolchains.xml` with the one JDK of the builder, under both ways to write an old version.
fn toolchains(jdk: u8) -> String {
    let mut versions = vec![jdk.to_string()];
    if jdk == 8 {
        versions.push("1.8".to_owned());
    }
    let one = |version: &String| {
        format!(
            "<toolchain><type>jdk</type><provides><version>{version}</version></provides>\
             <configuration><jdkHome>${{env.JAVA_HOME}}</jdkHome></configuration></toolchain>"
        )
    };
    format!(
        "<toolchains>{}</toolchains>\n",
        versions.iter().map(one).collect::<String>()
    )
}

/// What a build left that is worth fetching, as paths relative to the source.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Test reports.
    pub reports: Vec<String>,
    /// Web application archives.
    pub wars: Vec<String>,
    /// Other archives, for messages.
    pub jars: Vec<String>,
}

/// Looks for reports and archives, without fetching them.
pub(super) async fn look(container: &BuildContainer) -> Result<Found, StageError> {
    let find = "find . -type d \\( -name .git -o -name WEB-INF -o -path '*/target/classes' -o -name node_modules \\) -prune -o \
                -type f \\( -name 'TEST-*.xml' -o -name '*.war' -o -path '*/target/*.jar' \\) -print";
    let command = Command {
        argv: vec!["sh".to_owned(), "-c".to_owned(), find.to_owned()],
        env: Vec::new(),
        workdir: SOURCE.to_owned(),
        deadline: Duration::from_secs(120),
    };
    let mut found = Found::default();
    let exit = container
        .exec(&command, &CancellationToken::new(), |line| {
            let path = line.text.strip_prefix("./").unwrap_or(&line.text).to_owned();
            if surefire::is_report(&path) {
                found.reports.push(path);
            } else if war::is_war(&path) {
                found.wars.push(path);
            } else if path.ends_with(".jar") {
                found.jars.push(path);
            }
        })
        .await?;
    if exit != Exit::Code(0) {
        return Err(StageError::world(format!(
            "looking for the results of the build ended with {exit:?}"
        )));
    }
    found.wars.sort();
    found.jars.sort();
    Ok(found)
}

/// Fetches test reports below `into`; from a container that was killed too.
pub(super) async fn fetch_reports(run: &Run, container: &BuildContainer, into: &Path) -> Result<(), StageError> {
    fetch(run, container, SOURCE, into, |path| {
        path.to_str().is_some_and(surefire::is_report)
    })
    .await
}

/// Fetches the test reports of these paths below `into`, directory by directory.
pub(super) async fn fetch_found_reports(
    run: &Run,
    container: &BuildContainer,
    reports: &[String],
    into: &Path,
) -> Result<(), StageError> {
    let directories: std::collections::BTreeSet<&str> = reports
        .iter()
        .filter_map(|path| Some(path.rsplit_once('/')?.0))
        .collect();
    for directory in directories {
        let place = into.join(directory);
        tokio::fs::create_dir_all(&place).await?;
        let wanted = |path: &Path| {
            path.to_str()
                .is_some_and(|p| p.starts_with("TEST-") && p.ends_with(".xml"))
        };
        fetch(run, container, &format!("{SOURCE}/{directory}"), &place, wanted).await?;
    }
    Ok(())
}

/// Fetches one file of the source directory to `into`, a directory.
pub(super) async fn fetch_file(
    run: &Run,
    container: &BuildContainer,
    path: &str,
    into: &Path,
) -> Result<(), StageError> {
    tokio::fs::create_dir_all(into).await?;
    fetch(run, container, &format!("{SOURCE}/{path}"), into, |_| true).await
}

async fn fetch(
    run: &Run,
    container: &BuildContainer,
    path: &str,
    into: &Path,
    keep: impl Fn(&Path) -> bool + Send + 'static,
) -> Result<(), StageError> {
    let limits = &run.pipeline.limits;
    tokio::fs::create_dir_all(into).await?;
    let guards = Guards {
        max_files: u64::from(limits.output_files),
        max_bytes: limits.output,
        max_file_bytes: limits.output,
        keep: Box::new(keep),
    };
    let harvest = container.download(path, into, guards).await?;
    for skipped in &harvest.skipped {
        run.say(&format!(
            "left out, because it is a link or a device: {}",
            skipped.display()
        ));
    }
    Ok(())
}
