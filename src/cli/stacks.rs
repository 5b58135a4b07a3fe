//! `seaworthy stacks`: the stacks as a table; `stacks check`: is each image what its stack says, and fit for it?

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;

use super::java_version::JavaVersion;
use super::{assembly, print};
use crate::clients::engine::{
    BuildContainer, Command, ContainerSpec, Credentials, Engine, Exit, ImageInfo, Limits, Owner, User,
};
use crate::config::Config;
use crate::definition::{Definitions, ImageName, Stack};
use crate::model::BuildId;

/// How long a look into one image may take, the pull apart.
const PATIENCE: Duration = Duration::from_secs(120);
const WORKSPACE: &str = "/workspace";
/// The mark of what this verb makes on the engine; no service has it, and so none sweeps it away.
const INSTALLATION: &str = "stackscheck";

/// Tomcat's versions and the servlet version of each (tomcat.apache.org, "Which version").
const TOMCATS: &[(&str, &str)] = &[
    ("8.5.", "3.1"),
    ("9.0.", "4.0"),
    ("10.0.", "5.0"),
    ("10.1.", "6.0"),
    ("11.0.", "6.1"),
];

const LOOK_INTO_RUNTIME: &str = "java -version 2>&1; \
    echo \"client $(command -v curl || command -v wget || echo none)\"; \
    sh \"${CATALINA_HOME:-/usr/local/tomcat}/bin/version.sh\" 2>&1";
const LOOK_INTO_BUILDER: &str = "java -version 2>&1; mvn --version 2>&1";

/// List the stacks: with what projects are built, and on what they run.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Pull the images of each stack, look into them, and say what is wrong.
    Check {
        /// These stacks only.
        stacks: Vec<String>,
    },
}

impl Args {
    /// `stacks`.
    pub fn list() -> Self {
        Self { verb: None }
    }

    /// `stacks check` of these stacks, of all if none is named.
    pub fn check(stacks: &[&str]) -> Self {
        Self {
            verb: Some(Verb::Check {
                stacks: stacks.iter().map(|name| (*name).to_owned()).collect(),
            }),
        }
    }
}

/// Writes the table, or a line for each image: `ok <stack> <what>: …` or `PROBLEM <stack> <what>: …`; fails if there is a
/// problem.
///
/// # Errors
/// The definitions cannot be read, or there is no stack of a name.
pub async fn run(args: &Args, config: Option<&Config>, out: &mut (dyn Write + Send)) -> anyhow::Result<ExitCode> {
    let (_, definitions) = match config {
        Some(config) => assembly::definitions(config)?,
        None => assembly::definitions_in(None, None)?,
    };
    let Some(Verb::Check { stacks }) = &args.verb else {
        list(&definitions, out)?;
        return Ok(ExitCode::SUCCESS);
    };
    let config = config.context("looking into images needs the engine and the mirrors of a configuration: --config")?;
    let mut chosen: Vec<&Stack> = definitions.stacks().collect();
    if let Some(unknown) = stacks.iter().find(|name| definitions.stack(name).is_none()) {
        let names: Vec<&str> = chosen.iter().map(|stack| stack.name.as_str()).collect();
        bail!("there is no stack {unknown:?}; there are {}", names.join(", "));
    }
    chosen.retain(|stack| stacks.is_empty() || stacks.contains(&stack.name));
    let engine = assembly::engine(config)?;
    let mut well = true;
    for stack in chosen {
        for (what, image) in [("builder", &stack.builder.image), ("runtime", &stack.runtime.image)] {
            let looked = look(&engine, config, image, what).await;
            let (found, problems) = match &looked {
                Ok((info, output)) if what == "builder" => judge_builder(stack, info, output),
                Ok((info, output)) => judge_runtime(stack, info, output),
                Err(why) => (Vec::new(), vec![why.clone()]),
            };
            let (mark, told) = match problems.is_empty() {
                true => ("ok", found),
                false => ("PROBLEM", problems),
            };
            well &= mark == "ok";
            writeln!(out, "{mark} {} {what} {image}: {}", stack.name, told.join("; "))?;
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(definitions: &Definitions, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let mut stacks: Vec<&Stack> = definitions.stacks().collect();
    stacks.sort_by_key(|stack| (stack.servlet_version, stack.builder.jdk));
    let rows: Vec<Vec<String>> = stacks
        .into_iter()
        .map(|stack| {
            let used = definitions
                .pipelines()
                .filter(|pipeline| pipeline.stacks.iter().any(|one| one.name == stack.name))
                .map(|pipeline| pipeline.name.as_str());
            vec![
                stack.name.clone(),
                format!("{}.servlet {}", stack.servlet.as_str(), stack.servlet_version),
                stack.builder.jdk.to_string(),
                stack.runtime.image.to_string(),
                stack.builder.image.to_string(),
                used.collect::<Vec<_>>().join(", "),
            ]
        })
        .collect();
    print::table(
        out,
        &["stack", "serves", "JDK", "runs on", "built with", "pipelines"],
        &rows,
    )?;
    Ok(())
}

/// Pulls the image, starts it as it would be started for a build, and runs a few questions in it.
async fn look(engine: &Engine, config: &Config, image: &ImageName, what: &str) -> Result<(ImageInfo, String), String> {
    let pulled = image.mirrored(&config.base_images.mirrors);
    let host = pulled.split('/').next().unwrap_or_default();
    let login = config.account_for(host).map(|account| Credentials {
        username: account.username.clone(),
        password: account.password.clone(),
    });
    let info = engine
        .ensure_image(&pulled, login.as_ref(), |_| {})
        .await
        .map_err(|error| error.to_string())?;
    let spec = ContainerSpec {
        image: pulled,
        workspace: WORKSPACE.to_owned(),
        env: Vec::new(),
        limits: Limits {
            memory: 512 << 20,
            cpus: 1.0,
            pids: 256,
            disk: 256 << 20,
            log: 1 << 20,
        },
        caches: Vec::new(),
        user: User {
            uid: 10_001,
            gid: 10_001,
        },
    };
    let owner = Owner {
        installation: INSTALLATION.to_owned(),
        build: BuildId(0),
        attempt: 0,
        worker: INSTALLATION.to_owned(),
    };
    let container = engine.create_build_container(&spec, &owner).await.map_err(|error| {
        format!("a container of it does not start ({error}); it needs a sleep and a sh, and must run for a user other than root")
    })?;
    let asked = ask(&container, what).await;
    let removed = container.remove().await;
    let output = asked?;
    removed.map_err(|error| error.to_string())?;
    Ok((info, output))
}

async fn ask(container: &BuildContainer, what: &str) -> Result<String, String> {
    let questions = match what {
        "builder" => LOOK_INTO_BUILDER,
        _ => LOOK_INTO_RUNTIME,
    };
    let command = Command {
        argv: vec!["sh".to_owned(), "-c".to_owned(), questions.to_owned()],
        env: Vec::new(),
        workdir: WORKSPACE.to_owned(),
        deadline: PATIENCE,
    };
    let mut output = String::new();
    let exit = container
        .exec(&command, &CancellationToken::new(), |line| {
            output.push_str(&line.text);
            output.push('\n');
        })
        .await
        .map_err(|error| error.to_string())?;
    match exit {
        // What a program lacks shows in its output.
        Exit::Code(_) => Ok(output),
        other => Err(format!("looking into it ended with {other:?}")),
    }
}

/// What was found, and what is wrong.
type Judged = (Vec<String>, Vec<String>);

fn judge_builder(stack: &Stack, info: &ImageInfo, output: &str) -> Judged {
    let (mut found, mut problems) = judge_both(stack, info, output);
    match after(output, "Apache Maven ") {
        Some(version) => {
            let mut numbers = version
                .split(['.', '-', ' '])
                .map(|number| number.parse::<u32>().unwrap_or(0));
            let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
            let version = version.split(' ').next().unwrap_or_default();
            if (major, minor) < (3, 9) {
                problems.push(format!("it has Maven {version}, 3.9 or newer is needed"));
            }
            found.push(format!("Maven {version}"));
        }
        None if stack.builder.command.first().is_some_and(|program| program == "mvn") => {
            problems.push("it has no mvn, which the command of the stack starts".to_owned());
        }
        None => {}
    }
    (found, problems)
}

fn judge_runtime(stack: &Stack, info: &ImageInfo, output: &str) -> Judged {
    let (mut found, mut problems) = judge_both(stack, info, output);
    if !info.on_build.is_empty() {
        problems.push(format!(
            "it has ONBUILD instructions ({}), which would run unseen in every image",
            info.on_build.join(", ")
        ));
    }
    match after(output, "client ") {
        Some("none") => {
            problems.push("it has neither curl nor wget, so no HEALTHCHECK can ask the application".to_owned())
        }
        Some(client) => found.push(client.rsplit('/').next().unwrap_or(client).to_owned()),
        None => problems.push("it has no shell".to_owned()),
    }
    match after(output, "Server number:").map(str::trim) {
        Some(version) => {
            let implements = TOMCATS.iter().find(|(start, _)| version.starts_with(start));
            if let Some((_, servlet)) = implements
                && *servlet != stack.servlet_version.to_string()
            {
                problems.push(format!(
                    "it has Tomcat {version}, which implements Servlet {servlet}, and the stack says servlet_version = \"{}\"",
                    stack.servlet_version
                ));
            }
            found.push(format!("Tomcat {version}"));
        }
        None if stack.runtime.template == "tomcat" => {
            problems.push(
                "it has no Tomcat in CATALINA_HOME or /usr/local/tomcat, which template \"tomcat\" needs".to_owned(),
            );
        }
        None => {}
    }
    (found, problems)
}

fn judge_both(stack: &Stack, info: &ImageInfo, output: &str) -> Judged {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    match JavaVersion::find(output) {
        Some(version) => {
            if version.feature != stack.builder.jdk {
                problems.push(format!(
                    "it has Java {version}, and the stack says jdk = {}",
                    stack.builder.jdk
                ));
            }
            if !version.knows_cgroup_v2() {
                problems.push(format!(
                    "its Java {version} does not know cgroup v2 (8u372, 11.0.16 and 15 do): its heap follows the host's memory, not the container's limit"
                ));
            }
            found.push(format!("Java {version}"));
        }
        None => problems.push("it has no java in its PATH".to_owned()),
    }
    let user = if info.user.is_empty() {
        "root"
    } else {
        info.user.as_str()
    };
    found.push(format!("user {user}"));
    (found, problems)
}

/// The rest of the first line that begins so.
fn after<'o>(output: &'o str, start: &str) -> Option<&'o str> {
    output.lines().find_map(|line| line.strip_prefix(start))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::Digest;

    fn stack() -> Stack {
        let definitions = Definitions::load(None, &BTreeSet::from(["tomcat".to_owned()])).expect("shipped");
        definitions.stack("tomcat10-jdk11").expect("shipped").clone()
    }

    fn info(on_build: &[&str]) -> ImageInfo {
        ImageInfo {
            id: Digest::of(b"x"),
            user: String::new(),
            command: Vec::new(),
            env: Vec::new(),
            on_build: on_build.iter().map(|line| (*line).to_owned()).collect(),
            labels: BTreeMap::new(),
            has_health_check: false,
            stop_signal: String::new(),
            working_dir: String::new(),
            repo_digests: Vec::new(),
            size: 0,
        }
    }

    const GOOD: &str = "openjdk version \"11.0.21\" 2023-10-17\nclient /usr/bin/curl\nServer version: Apache Tomcat/10.1.59\nServer number:  10.1.59.0\n";

    #[test]
    fn a_good_base_has_no_problem() {
        let (found, problems) = judge_runtime(&stack(), &info(&[]), GOOD);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(found, ["Java 11.0.21", "user root", "curl", "Tomcat 10.1.59.0"]);
    }

    #[test]
    fn each_fault_of_an_image_is_told() {
        let bad = GOOD
            .replace("11.0.21", "11.0.9")
            .replace("/usr/bin/curl", "none")
            .replace("10.1.59", "9.0.117");
        let (_, problems) = judge_runtime(&stack(), &info(&["RUN x"]), &bad);
        let all = problems.join("\n");
        for expected in [
            "cgroup v2",
            "ONBUILD instructions (RUN x)",
            "neither curl nor wget",
            "implements Servlet 4.0",
        ] {
            assert!(all.contains(expected), "{expected} is missing in\n{all}");
        }
        let (_, problems) = judge_runtime(&stack(), &info(&[]), "");
        assert_eq!(problems.len(), 3, "{problems:?}");
        let old = "openjdk version \"17.0.9\"\nApache Maven 3.8.7 (x)\n";
        let (_, problems) = judge_builder(&stack(), &info(&[]), old);
        assert_eq!(
            problems,
            [
                "it has Java 17.0.9, and the stack says jdk = 11",
                "it has Maven 3.8.7, 3.9 or newer is needed"
            ]
        );
    }
}
