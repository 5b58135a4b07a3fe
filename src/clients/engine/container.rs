//! The container that a project's code runs in, and that nothing of ours is in: no socket, no bind mount, no secret.
//!
//! Two users share it. The project's commands run as `ContainerSpec::user`; the process that keeps the container alive runs
//! as the next user id, so that no test can kill it. A container that ends by itself was therefore ended from outside, which
//! is not the project's fault. All capabilities are gone, so not even root could write where it does not own: the workspace
//! and the caches are given to the user by unpacking them with that owner, which the engine does with its own rights.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::AtomicU64;

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, ResourcesUlimits};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, DownloadFromContainerOptionsBuilder, InspectContainerOptions,
    KillContainerOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions, UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::cache::{self, CacheVolume};
use super::unpack::unpack;
use super::{
    Engine, EngineError, ErrorKind, FilesError, Guards, Harvest, LABEL_ATTEMPT, LABEL_BUILD, LABEL_INSTALLATION,
    LABEL_WORKER, Owner, pack, pipe,
};

const PASSWD: &str = "/etc/passwd";
/// Bytes of a list of users that is still one.
const MAX_PASSWD: usize = 1 << 20;

/// A numeric user inside the container; listed in its `/etc/passwd` as `build`, at home in the workspace, unless it is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// User id, not 0.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl std::fmt::Display for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

/// What a build may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Memory in bytes, swap included: there is none on top.
    pub memory: u64,
    /// Processors, for example 1.5.
    pub cpus: f64,
    /// Processes and threads. Maven with Surefire wants 512.
    pub pids: u32,
    /// Bytes that it may write outside of the caches; also the largest single file anywhere.
    pub disk: u64,
    /// Bytes of output of all its commands together.
    pub log: u64,
}

/// A build container to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerSpec {
    /// The builder's image: present on the engine (see `Engine::ensure_image`), with a `sleep`, a `sh` and a `cat`.
    pub image: String,
    /// Absolute path; made, empty, and owned by `user`.
    pub workspace: String,
    /// Environment of all commands. Never a secret: the project's code reads it.
    pub env: Vec<(String, String)>,
    /// Its limits.
    pub limits: Limits,
    /// Caches, writable for `user`.
    pub caches: Vec<CacheVolume>,
    /// Who the commands run as.
    pub user: User,
}

/// A running build container. Dropping it leaves it running: the sweep finds it by its labels.
#[derive(Debug)]
pub struct BuildContainer {
    pub(super) engine: Engine,
    pub(super) id: String,
    pub(super) network: String,
    pub(super) spec: ContainerSpec,
    /// Bytes of output so far.
    pub(super) logged: AtomicU64,
    /// Processes that ran out of memory so far, as last seen.
    pub(super) oom_kills: AtomicU64,
}

impl Engine {
    /// Makes the network, the missing caches and the container, and starts it.
    pub async fn create_build_container(
        &self,
        spec: &ContainerSpec,
        owner: &Owner,
    ) -> Result<BuildContainer, EngineError> {
        if spec.user.uid == 0 {
            let why = "user 0 is not allowed in a build container; set a numeric user, for example 10001";
            return Err(self.fail(ErrorKind::Refused, "creating the build container", why));
        }
        let name = self.create_network(owner).await?;
        let container = BuildContainer {
            engine: self.clone(),
            id: name.clone(),
            network: name,
            spec: spec.clone(),
            logged: AtomicU64::new(0),
            oom_kills: AtomicU64::new(0),
        };
        match container.create_and_start(owner).await {
            Ok(()) => Ok(container),
            Err(error) => {
                if let Err(left) = container.remove().await {
                    tracing::warn!(error = %left, "a build container that did not start was not removed; the sweep will");
                }
                Err(error)
            }
        }
    }
}

impl BuildContainer {
    /// Its name on the engine.
    pub fn name(&self) -> &str {
        &self.id
    }

    /// The network that it is on.
    pub fn network(&self) -> &str {
        &self.network
    }

    async fn create_and_start(&self, owner: &Owner) -> Result<(), EngineError> {
        let doing = "creating the build container";
        let docker = self.engine.docker().await?;
        let options = CreateContainerOptionsBuilder::new().name(&self.id).build();
        let created = docker
            .create_container(Some(options), body(&self.spec, owner, &self.network))
            .await;
        for warning in created.map_err(|e| self.engine.error(doing, e))?.warnings {
            // "Limitation discarded", "Quota discarded": the kernel cannot hold the limit, so a build could take the host down.
            if warning.contains("discarded") {
                return Err(self.engine.fail(ErrorKind::Refused, doing, warning));
            }
            tracing::warn!(%warning, "the engine created the build container with a warning");
        }
        let mut owned: Vec<&str> = self.spec.caches.iter().map(|cache| cache.mount.as_str()).collect();
        owned.push(&self.spec.workspace);
        let User { uid, gid } = self.spec.user;
        let passwd = self.passwd_with_user().await?;
        let passwd = passwd.as_deref().map(|text| (PASSWD, text));
        let tar = pack::tar_of(&owned, uid, gid, passwd).map_err(|e| {
            self.engine
                .fail(ErrorKind::Refused, doing, format!("a path of the container: {e}"))
        })?;
        self.upload("/", tokio_stream::iter([Ok(tar)])).await?;
        docker
            .start_container(&self.id, None::<StartContainerOptions>)
            .await
            .map_err(|e| self.engine.error("starting the build container", e))
    }

    /// The image's list of users with ours added; nothing when it has ours already, or is not a plain file. Java takes
    /// `user.home` and `user.name` from there, not from the environment, and shows `?` for a user that is not listed.
    async fn passwd_with_user(&self) -> Result<Option<String>, EngineError> {
        let docker = self.engine.docker().await?;
        let options = DownloadFromContainerOptionsBuilder::new().path(PASSWD).build();
        let mut stream = docker.download_from_container(&self.id, Some(options));
        let mut archive = Vec::new();
        while let Some(block) = stream.next().await {
            match block.map_err(|e| self.engine.error("reading the users of the builder's image", e)) {
                Ok(block) if archive.len() + block.len() <= MAX_PASSWD => archive.extend_from_slice(&block),
                Ok(_) => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Missing => return Ok(Some(add_user("", &self.spec))),
                Err(error) => return Err(error),
            }
        }
        let mut archive = tar::Archive::new(&archive[..]);
        let Some(Ok(mut file)) = archive.entries().ok().and_then(|mut entries| entries.next()) else {
            return Ok(None);
        };
        let mut text = String::new();
        if !file.header().entry_type().is_file() || io::Read::read_to_string(&mut file, &mut text).is_err() {
            return Ok(None);
        }
        let uid = self.spec.user.uid.to_string();
        let listed = text.lines().any(|line| line.split(':').nth(2) == Some(&uid));
        Ok((!listed).then(|| add_user(&text, &self.spec)))
    }

    /// Unpacks a tar stream in a directory that exists. Owners are those of the archive, by number.
    pub async fn upload(
        &self,
        path: &str,
        tar: impl tokio_stream::Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), EngineError> {
        let docker = self
            .engine
            .docker()
            .await?
            .with_timeout(self.engine.options().idle_timeout);
        let options = UploadToContainerOptionsBuilder::new()
            .path(path)
            .no_overwrite_dir_non_dir("true")
            .build();
        let done = docker
            .upload_to_container(&self.id, Some(options), bollard::body_try_stream(tar))
            .await;
        done.map_err(|e| self.engine.error("sending files to the build container", e))
    }

    /// Writes the wanted files at `path` (a directory or one file) below `into`. Works on a stopped container too.
    pub async fn download(&self, path: &str, into: &std::path::Path, guards: Guards) -> Result<Harvest, FilesError> {
        let doing = "fetching files from the build container";
        let docker = self.engine.docker().await?;
        let options = DownloadFromContainerOptionsBuilder::new()
            .path(path.trim_end_matches('/'))
            .build();
        let mut stream = docker.download_from_container(&self.id, Some(options));
        let idle = self.engine.options().idle_timeout;
        let (blocks, receiver) = mpsc::channel(pipe::BLOCKS);
        let into = into.to_owned();
        let mut writer = tokio::task::spawn_blocking(move || unpack(pipe::BlockReader::new(receiver), &into, &guards));
        loop {
            let block = match tokio::time::timeout(idle, stream.next()).await {
                Err(_) => return Err(self.engine.silent(doing, idle).into()),
                Ok(None) => break,
                Ok(Some(Ok(block))) => block,
                Ok(Some(Err(error))) => {
                    let error = self.engine.error(doing, error);
                    let nothing_there =
                        error.kind() == ErrorKind::Missing && !error.cause().contains("No such container");
                    return if nothing_there {
                        Ok(Harvest::default())
                    } else {
                        Err(error.into())
                    };
                }
            };
            // The writer ends early when a guard holds: its own result then says why.
            if blocks.send(Ok(block)).await.is_err() {
                break;
            }
        }
        drop(blocks);
        (&mut writer).await.expect("unpacking does not panic")
    }

    /// Kills every process in it. Harmless when it has ended or is gone.
    pub(super) async fn kill(&self) -> Result<(), EngineError> {
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        let docker = self.engine.docker().await?;
        let done = docker
            .kill_container(&self.id, Some(options))
            .await
            .map_err(|e| self.engine.error("killing the build container", e));
        unless_gone(done)
    }

    /// Is it running, and did the kernel kill it for want of memory?
    pub(super) async fn state(&self) -> Result<(bool, bool), EngineError> {
        let docker = self.engine.docker().await?;
        let seen = docker
            .inspect_container(&self.id, None::<InspectContainerOptions>)
            .await;
        let state = seen
            .map_err(|e| self.engine.error("looking at the build container", e))?
            .state
            .unwrap_or_default();
        Ok((state.running == Some(true), state.oom_killed == Some(true)))
    }

    /// Removes the container with its processes and its network; caches stay. May be repeated, also after a failure.
    pub async fn remove(&self) -> Result<(), EngineError> {
        remove_container(&self.engine, &self.id).await?;
        remove_network(&self.engine, &self.network).await
    }
}

pub(super) async fn remove_container(engine: &Engine, id: &str) -> Result<(), EngineError> {
    let docker = engine.docker().await?;
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    let done = docker.remove_container(id, Some(options)).await;
    unless_gone(done.map_err(|e| engine.error("removing a container", e)))
}

pub(super) async fn remove_network(engine: &Engine, id: &str) -> Result<(), EngineError> {
    let docker = engine.docker().await?;
    unless_gone(
        docker
            .remove_network(id)
            .await
            .map_err(|e| engine.error("removing a network", e)),
    )
}

/// "Not there", "not running" and "is being removed" are what was wanted.
fn unless_gone(done: Result<(), EngineError>) -> Result<(), EngineError> {
    match done {
        Err(error) if error.kind() == ErrorKind::Missing => Ok(()),
        Err(error) if error.cause().contains("is not running") || error.cause().contains("already in progress") => {
            Ok(())
        }
        other => other,
    }
}

fn add_user(passwd: &str, spec: &ContainerSpec) -> String {
    let User { uid, gid } = spec.user;
    let end = if passwd.is_empty() || passwd.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{passwd}{end}build:x:{uid}:{gid}:build:{}:/bin/sh\n", spec.workspace)
}

pub(super) fn labels_of(owner: &Owner) -> HashMap<String, String> {
    HashMap::from([
        (LABEL_INSTALLATION.to_owned(), owner.installation.clone()),
        (LABEL_BUILD.to_owned(), owner.build.to_string()),
        (LABEL_ATTEMPT.to_owned(), owner.attempt.to_string()),
        (LABEL_WORKER.to_owned(), owner.worker.clone()),
    ])
}

fn body(spec: &ContainerSpec, owner: &Owner, network: &str) -> ContainerCreateBody {
    let Limits {
        memory,
        cpus,
        pids,
        disk,
        log: _,
    } = spec.limits;
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let ulimit = |name: &str, n: i64| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(n),
        hard: Some(n),
    };
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        hostname: Some("build".to_owned()),
        user: Some(format!(
            "{}:{}",
            spec.user.uid.wrapping_add(1),
            spec.user.gid.wrapping_add(1)
        )),
        // Any builder's image has `sleep`; 68 years are for ever, and unlike `infinity` every `sleep` knows them.
        entrypoint: Some(vec!["sleep".to_owned()]),
        cmd: Some(vec![i32::MAX.to_string()]),
        env: Some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        working_dir: Some(spec.workspace.clone()),
        labels: Some(labels_of(owner)),
        host_config: Some(HostConfig {
            memory: Some(signed(memory)),
            memory_swap: Some(signed(memory)),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "processors in billionths fit, and the cast saturates"
            )]
            nano_cpus: Some((cpus * 1e9) as i64),
            pids_limit: Some(pids.into()),
            // When the host itself runs out, a build goes before the engine or a neighbour's service.
            oom_score_adj: Some(500),
            // The number of open files is the engine's own: it may not be allowed to raise it.
            ulimits: Some(vec![ulimit("fsize", signed(disk)), ulimit("core", 0)]),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            privileged: Some(false),
            init: Some(true),
            ipc_mode: Some("private".to_owned()),
            network_mode: Some(network.to_owned()),
            mounts: Some(spec.caches.iter().map(cache::mount).collect()),
            log_config: Some(HostConfigLogConfig {
                typ: Some("none".to_owned()),
                config: None,
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}
