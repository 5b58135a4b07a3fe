//! A container that runs an image's own program beside a build: the application that is tried, a database that it needs.
//!
//! Its output is taken from the engine as it comes and kept nowhere on the engine. Dropping it leaves it running: it goes
//! with its owner's other things, or by the sweep.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::{
    ContainerCreateBody, EndpointSettings, ExecConfig, HealthConfig, HealthStatusEnum, HostConfig, HostConfigLogConfig,
    Mount, MountType, NetworkingConfig, ResourcesUlimits,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, InspectContainerOptions, KillContainerOptionsBuilder,
    StartContainerOptions, StopContainerOptionsBuilder,
};
use futures_util::StreamExt;

use super::container::{labels_of, remove_container};
use super::network::unique_name;
use super::output::{Line, Lines, Stream};
use super::{Engine, EngineError, ErrorKind, Owner};

/// Instead of the exit code of a command that did not start.
const NO_CODE: i64 = -1;

/// A program to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgramSpec {
    /// Image on the engine, by name or id.
    pub image: String,
    /// Network that it is on, and the name by which others find it there.
    pub network: String,
    /// That name, its host name too.
    pub host: String,
    /// Arguments in place of the image's own; empty for those.
    pub command: Vec<String>,
    /// Variables besides the image's.
    pub environment: BTreeMap<String, String>,
    /// Bytes of memory, without swap.
    pub memory: u64,
    /// Processors.
    pub cpus: f64,
    /// Processes and threads.
    pub pids: u32,
    /// Without any capability and with a read-only file system. `None`: the engine's usual capabilities and a file system of its own, as a database's image needs.
    pub locked: Option<Locked>,
    /// How often the image's health check runs.
    pub health_interval: Duration,
}

/// What a program may write whose file system is read-only; absolute paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// Directories in its memory, for everybody.
    pub in_memory: Vec<String>,
    /// Directories on the engine's disk, with the owner and mode that they have in the image; gone with the container.
    pub on_disk: Vec<String>,
}

/// A program that was started.
#[derive(Debug, Clone)]
pub struct Program {
    engine: Engine,
    id: String,
}

/// How a program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramState {
    /// Does it run? Otherwise it has ended.
    pub running: bool,
    /// Its exit code; above 128 by that signal less 128. Only meaningful when it has ended.
    pub exit_code: i64,
    /// Did the kernel kill one of its processes at the memory limit?
    pub out_of_memory: bool,
    /// What the image's health check says; `None` when the image has none, or it has not run yet.
    pub healthy: Option<bool>,
    /// What the last health check printed.
    pub health_output: String,
}

impl Engine {
    /// Makes the container and starts it; `on_line` gets each line that it prints, until it ends.
    pub async fn start_program(
        &self,
        spec: &ProgramSpec,
        owner: &Owner,
        mut on_line: impl FnMut(Line) + Send + 'static,
    ) -> Result<Program, EngineError> {
        let doing = format!("starting {}", spec.host);
        let docker = self.docker().await?;
        let name = unique_name(owner);
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        docker
            .create_container(Some(options), body(spec, owner))
            .await
            .map_err(|e| self.error(&doing, e))?;
        let program = Program {
            engine: self.clone(),
            id: name,
        };
        let options = AttachContainerOptionsBuilder::new()
            .stream(true)
            .stdout(true)
            .stderr(true)
            .build();
        // Before it starts: nothing that it says is missed.
        let attached = docker
            .attach_container(&program.id, Some(options))
            .await
            .map_err(|e| self.error(&doing, e))?;
        tokio::spawn(async move {
            // The input stays open as long as the output: dropping half of the connection would end it.
            let (mut output, _input) = (attached.output, attached.input);
            let mut lines = Lines::default();
            while let Some(Ok(frame)) = output.next().await {
                let (stream, bytes) = match frame {
                    LogOutput::StdErr { message } => (Stream::Err, message),
                    LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                        (Stream::Out, message)
                    }
                };
                lines.push(stream, &bytes, &mut on_line);
            }
            lines.finish(&mut on_line);
        });
        docker
            .start_container(&program.id, None::<StartContainerOptions>)
            .await
            .map_err(|e| self.error(&doing, e))?;
        Ok(program)
    }
}

impl Program {
    /// How it is now.
    pub async fn state(&self) -> Result<ProgramState, EngineError> {
        let docker = self.engine.docker().await?;
        let seen = docker
            .inspect_container(&self.id, None::<InspectContainerOptions>)
            .await
            .map_err(|e| self.engine.error("looking at a container", e))?;
        let state = seen.state.unwrap_or_default();
        let health = state.health.unwrap_or_default();
        let last = health.log.unwrap_or_default().pop();
        Ok(ProgramState {
            running: state.running == Some(true),
            exit_code: state.exit_code.unwrap_or_default(),
            out_of_memory: state.oom_killed == Some(true),
            healthy: match (health.status, &last) {
                (Some(HealthStatusEnum::HEALTHY), _) => Some(true),
                (Some(HealthStatusEnum::STARTING | HealthStatusEnum::UNHEALTHY), Some(_)) => Some(false),
                _ => None,
            },
            health_output: last.and_then(|last| last.output).unwrap_or_default(),
        })
    }

    /// Runs a command in it and gives its exit code, -1 where it could not start; what it prints is dropped.
    pub async fn ask(&self, command: &[String]) -> Result<i64, EngineError> {
        let doing = "asking a container";
        let docker = self.engine.docker().await?;
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.to_vec()),
            ..Default::default()
        };
        let error = |e| self.engine.error(doing, e);
        let started = async {
            let id = docker.create_exec(&self.id, config).await.map_err(error)?.id;
            let results = docker.start_exec(&id, None::<StartExecOptions>).await.map_err(error)?;
            Ok((id, results))
        };
        let (id, results) = match started.await {
            Ok(started) => started,
            Err(error) if is_over(&error) => return Ok(NO_CODE),
            Err(error) => return Err(error),
        };
        match results {
            StartExecResults::Attached { mut output, input } => {
                while let Some(Ok(_)) = output.next().await {}
                drop(input);
            }
            StartExecResults::Detached => {
                return Err(self.engine.fail(ErrorKind::Internal, doing, "it gave no output stream"));
            }
        }
        let seen = docker.inspect_exec(&id).await.map_err(error)?;
        Ok(seen.exit_code.unwrap_or(NO_CODE))
    }

    /// Sends a signal, for example `SIGQUIT`. Harmless when it has ended.
    pub async fn signal(&self, signal: &str) -> Result<(), EngineError> {
        let docker = self.engine.docker().await?;
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        let sent = docker.kill_container(&self.id, Some(options)).await;
        match sent.map_err(|e| self.engine.error("sending a signal to a container", e)) {
            Err(error) if error.kind() == ErrorKind::Missing || is_over(&error) => Ok(()),
            other => other,
        }
    }

    /// Asks it to stop, by the image's stop signal, and kills it after `grace` (whole seconds).
    pub async fn stop(&self, grace: Duration) -> Result<(), EngineError> {
        let docker = self
            .engine
            .docker()
            .await?
            .with_timeout(grace + Duration::from_secs(60));
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        docker
            .stop_container(&self.id, Some(options))
            .await
            .map_err(|e| self.engine.error("stopping a container", e))
    }

    /// Removes it. May be repeated.
    pub async fn remove(&self) -> Result<(), EngineError> {
        remove_container(&self.engine, &self.id).await
    }
}

/// Has the container ended by itself?
fn is_over(error: &EngineError) -> bool {
    error.cause().contains("is not running")
}

fn body(spec: &ProgramSpec, owner: &Owner) -> ContainerCreateBody {
    let memory = i64::try_from(spec.memory).unwrap_or(i64::MAX);
    let nanoseconds = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    let tmpfs: HashMap<String, String> = spec
        .locked
        .iter()
        .flat_map(|locked| &locked.in_memory)
        // Everybody may write, as in a directory for temporary files.
        .map(|path| (path.clone(), "rw,mode=1777,nosuid,nodev".to_owned()))
        .collect();
    // A volume without a name belongs to the container alone.
    let on_disk = spec.locked.iter().flat_map(|locked| &locked.on_disk).map(|path| Mount {
        typ: Some(MountType::VOLUME),
        target: Some(path.clone()),
        ..Default::default()
    });
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        hostname: Some(spec.host.clone()),
        cmd: (!spec.command.is_empty()).then(|| spec.command.clone()),
        env: Some(
            spec.environment
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
        ),
        labels: Some(labels_of(owner)),
        healthcheck: Some(HealthConfig {
            interval: Some(nanoseconds(spec.health_interval)),
            ..Default::default()
        }),
        host_config: Some(HostConfig {
            memory: Some(memory),
            memory_swap: Some(memory),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "processors in billionths fit, and the cast saturates"
            )]
            nano_cpus: Some((spec.cpus * 1e9) as i64),
            pids_limit: Some(spec.pids.into()),
            oom_score_adj: Some(500),
            ulimits: Some(vec![ResourcesUlimits {
                name: Some("core".to_owned()),
                soft: Some(0),
                hard: Some(0),
            }]),
            cap_drop: spec.locked.is_some().then(|| vec!["ALL".to_owned()]),
            readonly_rootfs: Some(spec.locked.is_some()),
            tmpfs: Some(tmpfs),
            mounts: Some(on_disk.collect()),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            privileged: Some(false),
            ipc_mode: Some("private".to_owned()),
            network_mode: Some(spec.network.clone()),
            log_config: Some(HostConfigLogConfig {
                typ: Some("none".to_owned()),
                config: None,
            }),
            ..Default::default()
        }),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(
                spec.network.clone(),
                EndpointSettings {
                    aliases: Some(vec![spec.host.clone()]),
                    ..Default::default()
                },
            )])),
        }),
        ..Default::default()
    }
}
