//! A stack: with what a project is built, on what it runs, and within which limits.
//!
//! The keys are explained in `pipelines/stacks/tomcat10.toml`; here are their types and units.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Boot, ImageName};
use crate::model::{ServletApi, ServletVersion};

/// A standard of the house, read from `stacks/<name>.toml`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stack {
    /// Name of the file, for example `tomcat10`.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Which servlet generation it serves.
    pub servlet: ServletApi,
    /// Newest version of the interface that it implements.
    pub servlet_version: ServletVersion,
    /// Tests and packaging.
    pub builder: Builder,
    /// What the application's image is made of.
    pub runtime: Runtime,
    /// Of the build container.
    pub limits: Limits,
    /// What is asked of the tests.
    pub tests: Tests,
    /// How an image is tried.
    pub boot: Boot,
}

/// The container in which tests and packaging run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Builder {
    /// Image with JDK and Maven.
    pub image: ImageName,
    /// Major version of its JDK, and of the runtime's.
    pub jdk: u8,
    /// The command, without a shell; see [`Builder::command_line`].
    pub command: Vec<String>,
    /// Variables as they are in the file; see [`Builder::variables`].
    pub environment: BTreeMap<String, String>,
    /// Flags for each JVM that the command starts; see [`Builder::variables`].
    pub jvm_flags: Vec<String>,
}

/// What the application runs on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Runtime {
    /// Base image, to be pinned by digest at each build.
    pub image: ImageName,
    /// Name of the Dockerfile's template, without its ending.
    pub template: String,
    /// Exposed ports, at least one; the first is the HTTP connector.
    pub ports: Vec<u16>,
    /// Absolute path of the directory for logs.
    pub log_directory: String,
    /// Absolute path of the directory in which configuration is mounted.
    pub config_directory: String,
    /// Name of the time zone, for example `UTC`.
    pub time_zone: String,
    /// How long requests in flight may take after SIGTERM; in seconds where it is serialised.
    #[serde(serialize_with = "seconds")]
    pub drain: Duration,
    /// Numeric user, never 0.
    pub user: u32,
    /// CATALINA_OPTS, one flag each, without white space inside.
    pub java_options: Vec<String>,
    /// Technologies of Jakarta EE that the base has beside Tomcat: `EJB`, `JSF`, `CDI`, `JMS`.
    pub provides: Vec<String>,
}

/// What one build may take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limits {
    /// Bytes of memory, swap not included.
    pub memory: u64,
    /// Processors.
    pub cpus: f64,
    /// Processes and threads.
    pub pids: u32,
    /// Bytes that the container may write.
    pub disk: u64,
    /// From the start of the command to its end; in seconds where it is serialised.
    #[serde(serialize_with = "seconds")]
    pub time: Duration,
    /// Bytes of output; a build that prints more is stopped.
    pub log: u64,
    /// Bytes that are read out of the container.
    pub output: u64,
    /// Number of files that are read out of the container.
    pub output_files: u32,
}

/// What is asked of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tests {
    /// Does a build fail in which no test was executed?
    pub required: bool,
}

impl Builder {
    /// The command as it is started: `mvn` becomes `sh ./mvnw` for a project with a Maven Wrapper.
    ///
    /// By `sh`, because a wrapper that was committed on Windows is often not executable.
    pub fn command_line(&self, wrapper: bool) -> Vec<String> {
        match self.command.split_first() {
            Some((program, arguments)) if wrapper && program == "mvn" => ["sh", "./mvnw"]
                .into_iter()
                .map(str::to_owned)
                .chain(arguments.iter().cloned())
                .collect(),
            _ => self.command.clone(),
        }
    }

    /// The container's variables: the ones of the file, and the one by which `jvm_flags` reach every JVM.
    ///
    /// JDK 9 and newer read `JDK_JAVA_OPTIONS` in the `java` launcher alone; JDK 8 knows only `JAVA_TOOL_OPTIONS`.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.environment.clone();
        if !self.jvm_flags.is_empty() {
            variables.insert(Self::flags_variable(self.jdk).to_owned(), self.jvm_flags.join(" "));
        }
        variables
    }

    /// Name of the variable that JVMs of this version read flags from.
    pub(super) fn flags_variable(jdk: u8) -> &'static str {
        if jdk >= 9 {
            "JDK_JAVA_OPTIONS"
        } else {
            "JAVA_TOOL_OPTIONS"
        }
    }
}

pub(super) fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.as_secs())
}
