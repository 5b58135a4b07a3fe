//! `seaworthy plan`: which builder, module, stack, Dockerfile and checks a project would get, and why, without building it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use chrono::{NaiveDate, Utc};
use tokio_util::sync::CancellationToken;

use super::assembly;
use super::plan_checks;
use super::print::Lines;
use crate::by_hand::{self, Taken};
use crate::clients::certificates::Certificates;
use crate::clients::git::Merged;
use crate::config::Config;
use crate::definition::{Definitions, Pipeline, Stack};
use crate::dockerfile::{BaseSays, DockerfileInput, PinnedBase, Templates, render};
use crate::model::{Digest, Finding, Layer, ProjectId, ProjectPath};
use crate::project::{self, Survey};

/// Say what a project would get, and why, without building it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A directory with the source, or the address of a project in the configured GitLab.
    #[arg(value_name = "DIRECTORY | ADDRESS")]
    source: String,
    /// The branch that is read from the address; without it, the one that the server calls HEAD.
    #[arg(long)]
    branch: Option<String>,
    /// The project that the directory is, so that its pipeline is taken; without it, the pipeline "default".
    #[arg(long, value_name = "GROUP/PROJECT")]
    project: Option<ProjectPath>,
}

impl Args {
    /// As the command line makes it.
    pub fn new(source: impl Into<String>, project: Option<ProjectPath>) -> Self {
        Self {
            source: source.into(),
            branch: None,
            project,
        }
    }
}

/// Writes the plan; fails if the project cannot become an image as it is.
///
/// `config` may be missing for a directory: the shipped pipelines count then.
///
/// # Errors
/// The source or the pipelines cannot be read.
pub async fn run(args: &Args, config: Option<&Config>, out: &mut (dyn Write + Send)) -> anyhow::Result<ExitCode> {
    let (templates, definitions) = match config {
        Some(config) => assembly::definitions(config)?,
        None => assembly::definitions_in(None, None)?,
    };
    let address = args.source.contains("://").then_some(args.source.as_str());
    let (directory, project, fetched) = match address {
        Some(address) => {
            let config = config.context(
                "reading from GitLab needs a configuration: --config, or clone the project and name the directory",
            )?;
            let (fetched, project) = fetch(address, args.branch.as_deref(), config).await?;
            (fetched.0.join("source"), Some(project), Some(fetched))
        }
        None => (PathBuf::from(&args.source), args.project.clone(), None),
    };
    let name = match &project {
        Some(project) => project.name().to_owned(),
        None => std::fs::canonicalize(&directory)
            .with_context(|| format!("{}: cannot be read", directory.display()))?
            .file_name()
            .map_or_else(|| "application".to_owned(), |name| name.to_string_lossy().into_owned()),
    };
    let pipeline = pipeline(&definitions, project.as_ref())?.clone();
    let (place, reading) = (directory.clone(), pipeline.clone());
    let survey = tokio::task::spawn_blocking(move || project::survey(&place, &reading)).await?;
    let survey = survey.with_context(|| format!("{}: cannot be read", directory.display()))?;
    let today = Utc::now().date_naive();
    let taken = by_hand(&directory, &pipeline, &survey, today);
    let taken = taken.with_context(|| format!("{}: cannot be read", directory.display()))?;
    drop(fetched);
    let well = tell(out, &name, &pipeline, &survey, taken, &templates, today)?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn pipeline<'d>(definitions: &'d Definitions, project: Option<&ProjectPath>) -> anyhow::Result<&'d Pipeline> {
    match project {
        Some(project) => definitions
            .pipeline_for(project)
            .with_context(|| definitions.how_to_add(project)),
        None => definitions
            .pipeline("default")
            .context("there is no pipeline \"default\": say by --project which project the directory is"),
    }
}

/// A directory of our own that goes away in the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // In the system's directory for such; what stays is cleaned up there.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Brings the tip of a branch into `source` below the directory.
async fn fetch(address: &str, branch: Option<&str>, config: &Config) -> anyhow::Result<(Scratch, ProjectPath)> {
    let base = config.gitlab.url.trim_end_matches('/');
    // The token of the configuration must not go anywhere else.
    let Some(path) = address.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')) else {
        bail!("{address} is not below {base}: clone the project and name the directory");
    };
    let project: ProjectPath = path.trim_end_matches('/').trim_end_matches(".git").parse()?;
    let directory = std::env::temp_dir().join(format!("seaworthy-plan-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&directory).with_context(|| format!("{}: cannot be made", directory.display()))?;
    let scratch = Scratch(directory);
    let certificates = Certificates::load(config.tls.ca_file.as_deref())?;
    let git = assembly::git_in(&scratch.0.join("mirrors"), config, &certificates)?;
    let reference = branch.map_or_else(|| "HEAD".to_owned(), |branch| format!("refs/heads/{branch}"));
    let Some(tip) = git.ls_remote(&project, &reference).await? else {
        bail!("{address} has no {reference}");
    };
    let (cancel, id) = (CancellationToken::new(), ProjectId(0));
    if !git.fetch_sha(&project, id, &tip, &cancel).await? {
        bail!("{address} does not hand out commit {tip}: clone the project and name the directory");
    }
    // Merged with itself, a commit gives its own tree.
    let Merged::Tree { tree, .. } = git.merge(id, &tip, &tip).await? else {
        bail!("{address}: commit {tip} has no tree");
    };
    git.checkout(id, &tree, &scratch.0.join("source"), &cancel).await?;
    Ok((scratch, project))
}

/// `true` if the project can become an image, as far as can be known.
fn tell(
    out: &mut (dyn Write + Send),
    name: &str,
    pipeline: &Pipeline,
    survey: &Survey,
    taken: Option<Result<Taken, Finding>>,
    templates: &Templates,
    today: NaiveDate,
) -> anyhow::Result<bool> {
    let mut lines = Lines { out: &mut *out };
    lines.line("project", name)?;
    lines.line("pipeline", &pipeline.name)?;
    for note in &survey.notes {
        lines.line("note", note)?;
    }
    if let Some(found) = &survey.finding {
        finding(&mut lines, found)?;
        return Ok(false);
    }
    let built = match project::builder(pipeline, survey) {
        Ok(built) => built,
        Err(found) => {
            finding(&mut lines, &found)?;
            return Ok(false);
        }
    };
    let overridden = if built.choice.overridden { " (overridden)" } else { "" };
    lines.line(
        "builder",
        &format!("{}{overridden}, {}", built.choice.value, built.builder.image),
    )?;
    lines.list("", &built.choice.evidence)?;
    lines.line("command", &built.builder.command.join(" "))?;
    let module = wars(&mut lines, pipeline, survey)?;
    match &survey.servlet {
        Some((api, why)) => lines.line(
            "servlet",
            &format!("probably {}, by {why}; the classes of the WAR decide", api.as_str()),
        )?,
        None => lines.line("servlet", "not known: the classes of the WAR decide")?,
    }
    let possible = project::possible(pipeline, survey, built.builder.jdk);
    let Some(expected) = possible.first() else {
        let api = survey.servlet.as_ref().map_or("any", |(api, _)| api.as_str());
        let title = format!(
            "No stack of pipeline {} serves {api}.servlet on JDK {} or newer",
            pipeline.name, built.builder.jdk
        );
        finding(
            &mut lines,
            &Finding::new("no-stack", title, "Ask the platform team to add one."),
        )?;
        return Ok(false);
    };
    for (at, one) in possible.iter().enumerate() {
        let what = if at == 0 { "stack" } else { "or" };
        let stack = &one.stack;
        lines.line(what, &format!("{} ({}): if {}", stack.name, stack.title, one.when))?;
    }
    plan_checks::write(&mut lines, pipeline, today)?;
    let allowed = exception(&mut lines, pipeline, &taken, today)?;
    if let Some(Ok(taken)) = &taken {
        lines.line(
            "Dockerfile",
            &format!(
                "{}, hand-written; its bases are pinned to their digests at the build",
                taken.allowed.path
            ),
        )?;
        writeln!(out)?;
        write!(out, "{}", taken.written.text())?;
        return Ok(module);
    }
    lines.line(
        "Dockerfile",
        &format!(
            "as for {}; the base is pinned to its digest at the build, and a layer that the WAR has nothing for is left out",
            expected.stack.name
        ),
    )?;
    writeln!(out)?;
    write!(out, "{}", dockerfile(name, pipeline, &expected.stack, templates)?)?;
    Ok(module && allowed)
}

/// Where the WAR will be; `false` if nothing says which one is meant.
fn wars(lines: &mut Lines<'_, dyn Write + Send + '_>, pipeline: &Pipeline, survey: &Survey) -> anyhow::Result<bool> {
    let place = |module: &project::WarModule| {
        module
            .war
            .clone()
            .unwrap_or_else(|| format!("{}/target/*.war", module.directory))
    };
    let own: Vec<String> = survey
        .wars
        .iter()
        .filter(|module| module.overlaid_by.is_none())
        .map(place)
        .collect();
    for module in &survey.wars {
        if let Some(by) = &module.overlaid_by {
            lines.line(
                "overlay",
                &format!("{} is a part of the WAR of module {by}", place(module)),
            )?;
        }
    }
    match (&pipeline.war, &own[..]) {
        (Some(glob), _) => lines.line("WAR", &format!("{glob}, by the pipeline"))?,
        (None, [only]) => lines.line("WAR", &format!("{only}: the only module with packaging war"))?,
        (None, []) => lines.line("WAR", "no module has packaging war; what the build makes decides")?,
        (None, several) => {
            finding(
                lines,
                &Finding::new(
                    "several-wars",
                    format!(
                        "The build makes {} WARs, and nothing says which one is the application",
                        several.len()
                    ),
                    format!(
                        "Write the one that is meant into the pipeline file, for example: war = {:?}",
                        several[0]
                    ),
                )
                .with_detail(several.iter().cloned()),
            )?;
            return Ok(false);
        }
    }
    Ok(true)
}

fn finding(lines: &mut Lines<'_, dyn Write + Send + '_>, finding: &Finding) -> anyhow::Result<()> {
    lines.line("finding", &format!("{} ({})", finding.title, finding.rule))?;
    lines.list("", &finding.detail)?;
    lines.line("what to do", &finding.help)?;
    Ok(())
}

/// The hand-written Dockerfile of the directory, judged; `None` if the house's is taken.
fn by_hand(
    directory: &Path,
    pipeline: &Pipeline,
    survey: &Survey,
    today: NaiveDate,
) -> std::io::Result<Option<Result<Taken, Finding>>> {
    let Some(by_hand) = &pipeline.by_hand else {
        return Ok(None);
    };
    if !by_hand.allowed.holds(today) {
        return Ok(Some(Err(by_hand::expired(&by_hand.allowed, &pipeline.name))));
    }
    let Ok(built) = project::builder(pipeline, survey) else {
        // Told by itself.
        return Ok(None);
    };
    let possible = project::possible(pipeline, survey, built.builder.jdk);
    let stacks: Vec<&Stack> = possible.iter().map(|one| one.stack.as_ref()).collect();
    by_hand::take(directory, by_hand, pipeline, &stacks).map(Some)
}

/// What the pipeline allows, and whether it will do; `false` if not.
fn exception(
    lines: &mut Lines<'_, dyn Write + Send + '_>,
    pipeline: &Pipeline,
    taken: &Option<Result<Taken, Finding>>,
    today: NaiveDate,
) -> anyhow::Result<bool> {
    let Some(by_hand) = &pipeline.by_hand else {
        lines.line("exception", "none: the Dockerfile is generated")?;
        return Ok(true);
    };
    lines.line("exception", &by_hand.allowed.to_string())?;
    if let Some(left) = by_hand.allowed.ends_in(today) {
        lines.line("note", &by_hand::ending(&by_hand.allowed, left).title)?;
    }
    match taken {
        None => Ok(true),
        Some(Err(found)) => {
            finding(lines, found)?;
            Ok(false)
        }
        Some(Ok(taken)) => {
            for file in &taken.files {
                lines.line("", &format!("it may copy files/{} ({} bytes)", file.path, file.size))?;
            }
            Ok(true)
        }
    }
}

/// The Dockerfile with all layers and without the digest, which only the registry knows.
fn dockerfile(name: &str, pipeline: &Pipeline, stack: &Stack, templates: &Templates) -> anyhow::Result<String> {
    let image = stack.runtime.image.as_str();
    let pinned = image.contains('@');
    let digest = match image.split_once('@') {
        Some((_, digest)) => digest.parse()?,
        None => Digest::of(b""),
    };
    let input = DockerfileInput {
        application: name.to_owned(),
        base: PinnedBase::new(image, &digest).map_err(anyhow::Error::msg)?,
        base_says: BaseSays::default(),
        webapp: pipeline.context_path.directory(),
        health_path: pipeline.context_path.inside(&pipeline.boot.path),
        layers: Layer::ALL.to_vec(),
    };
    let text = render(templates, stack, &input)?.text;
    Ok(if pinned {
        text
    } else {
        text.replace(&format!("@{digest}"), "")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn planned(files: &[(&str, &str)]) -> (bool, String) {
        let directory = tempfile::tempdir().expect("a directory");
        for (path, text) in files {
            let file = directory.path().join("basket").join(path);
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
            std::fs::write(file, text).expect("written");
        }
        let source = directory.path().join("basket").display().to_string();
        let mut out = Vec::new();
        let code = run(&Args::new(source, None), None, &mut out).await.expect("read");
        let text = String::from_utf8(out).expect("a text");
        (format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS), text)
    }

    #[tokio::test]
    async fn a_plan_says_builder_war_stacks_and_dockerfile() {
        let pom = "<project><artifactId>basket</artifactId><version>1</version><packaging>war</packaging>\
            <properties><maven.compiler.release>17</maven.compiler.release></properties>\
            <dependencies><dependency><groupId>jakarta.servlet</groupId><artifactId>jakarta.servlet-api</artifactId>\
            <version>6.0.0</version></dependency></dependencies></project>";
        let (well, text) = planned(&[("pom.xml", pom)]).await;
        assert!(well, "{text}");
        for expected in [
            "builder        JDK 17, docker.io/library/maven:3.9-eclipse-temurin-17\n               maven.compiler.release is 17 in pom.xml\n",
            "WAR            target/basket-1.war: the only module with packaging war\n",
            "servlet        probably jakarta, by jakarta.servlet-api 6.0.0 in pom.xml",
            "stack          tomcat10 (Tomcat 10.1 on Java 17): if its classes speak jakarta.servlet, and none of them needs more than Java 17\n",
            "or             tomcat10-jdk21 (Tomcat 10.1 on Java 21): if its classes speak jakarta.servlet, and one of them needs more than Java 17\n",
            "or             tomcat11 (Tomcat 11.0 on Java 17): if its classes speak jakarta.servlet, and its web.xml is of a newer version than 6.0\n",
            "\nFROM docker.io/library/tomcat:10.1-jdk17-temurin\n",
            "APPLICATION=\"basket\"",
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
    }

    #[tokio::test]
    async fn what_cannot_become_an_image_is_said_with_what_to_do() {
        let (well, text) = planned(&[("build.gradle", "")]).await;
        assert!(!well);
        assert!(
            text.contains("finding        This is a Gradle project (build.gradle)"),
            "{text}"
        );
        assert!(text.contains("what to do     Only Maven projects"), "{text}");
        let root = "<project><artifactId>p</artifactId><packaging>pom</packaging><modules><module>a</module><module>b</module></modules></project>";
        let module = |name: &str| {
            format!("<project><artifactId>{name}</artifactId><version>1</version><packaging>war</packaging></project>")
        };
        let (a, b) = (module("a"), module("b"));
        let (well, text) = planned(&[("pom.xml", root), ("a/pom.xml", &a), ("b/pom.xml", &b)]).await;
        assert!(!well);
        assert!(text.contains("The build makes 2 WARs"), "{text}");
        assert!(text.contains("b/target/b-1.war"), "{text}");
    }
}
