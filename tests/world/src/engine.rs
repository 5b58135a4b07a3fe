//! The Docker engine: the one that answers, or one that the world starts; and private ones for fault tests.
//!
//! A private engine has its own data, sockets and address pool, so it can be killed in mid-build without anybody else
//! noticing. It leaves iptables alone (a second daemon would flush the first one's chains at its start); the world adds
//! the three rules that its containers need to reach package registries, and removes exactly those.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::install::search_path;
use crate::process::{Daemon, Signal, kill, random_word, run};

const SOCKET: &str = "/var/run/docker.sock";
/// In the folder of a private engine: the [`Engine`] in JSON.
const FILE: &str = "engine.json";
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine and, if the world started it, the way to stop it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Engine {
    /// For `DOCKER_HOST` and for clients: `unix:///var/run/docker.sock`.
    pub host: String,
    daemon: Option<Daemon>,
    private: Option<Private>,
}

/// What only a private engine has.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Private {
    dir: PathBuf,
    /// The network of its containers, `10.213.<n>.0/20`.
    pool: String,
    /// Marks its iptables rules.
    mark: String,
}

impl Private {
    /// The name of its default bridge. It needs one of its own: told to have none, a daemon deletes `docker0`, which is
    /// the machine's engine's.
    fn bridge(&self) -> String {
        format!("sw-{}", self.mark)
    }

    /// Makes the bridge, unless it is there. Its address is in the last network of the pool, which the daemon then
    /// leaves alone.
    async fn build_bridge(&self) -> Result<()> {
        let bridge = self.bridge();
        if Path::new("/sys/class/net").join(&bridge).exists() {
            return Ok(());
        }
        let mut parts = self.pool.split('.');
        let third: u8 = parts.nth(2).context("the pool is no network")?.parse()?;
        let address = format!("10.213.{}.1/24", third | 0x0f);
        ip(&["link", "add", "name", &bridge, "type", "bridge"]).await?;
        ip(&["address", "add", &address, "dev", &bridge]).await?;
        ip(&["link", "set", &bridge, "up"]).await
    }
}

async fn ip(words: &[&str]) -> Result<()> {
    run(Command::new("ip").env("PATH", search_path()).args(words)).await?;
    Ok(())
}

impl Engine {
    /// The engine at `DOCKER_HOST` or the usual socket; if none answers there, starts `dockerd`, its log in `dir`.
    ///
    /// # Errors
    /// If `DOCKER_HOST` names an engine elsewhere that does not answer, or if dockerd does not start.
    pub async fn ensure(dir: &Path) -> Result<Self> {
        let host = default_host();
        if answers(&host).await {
            return Ok(Self {
                host,
                daemon: None,
                private: None,
            });
        }
        if host != format!("unix://{SOCKET}") {
            bail!("no engine answers at DOCKER_HOST={host}; start it, or unset DOCKER_HOST");
        }
        let engine = Self {
            host,
            daemon: Some(Daemon::new(dir, "dockerd")),
            private: None,
        };
        engine.launch().await?;
        Ok(engine)
    }

    /// A second engine with everything of its own below `dir`, which should be a short path (sockets have a limit of
    /// about 100 bytes).
    ///
    /// # Errors
    /// If dockerd does not start.
    pub async fn private(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        // With its prefix it names an interface: 15 characters at most.
        let mark = random_word()?[..12].to_owned();
        let third = u8::from_str_radix(&mark[..2], 16)? & 0xf0;
        let engine = Self {
            host: format!("unix://{}/docker.sock", dir.display()),
            daemon: Some(Daemon::new(dir, "dockerd")),
            private: Some(Private {
                dir: dir.to_owned(),
                pool: format!("10.213.{third}.0/20"),
                mark,
            }),
        };
        // Written first: whoever finds the folder later can take down whatever of it came up.
        std::fs::write(dir.join(FILE), serde_json::to_string(&engine)?)?;
        engine.launch().await?;
        engine.rules("-I").await?;
        Ok(engine)
    }

    /// Whether the engine answers now.
    pub async fn answers(&self) -> bool {
        answers(&self.host).await
    }

    /// Whether an engine answers at `DOCKER_HOST` or the usual socket.
    pub async fn default_answers() -> bool {
        answers(&default_host()).await
    }

    /// Whether the world started it.
    #[must_use]
    pub fn ours(&self) -> bool {
        self.daemon.is_some()
    }

    /// Starts the engine again whenever it ends by itself, as a machine's service manager does, and says why it ended:
    /// engine 20.10's builder is known to crash when several builds run at once (moby issue 42422).
    pub async fn supervise(&self) -> Infallible {
        let Some(daemon) = &self.daemon else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if daemon.alive() {
                continue;
            }
            eprintln!(
                "world: the engine ended by itself and is started again; its last words:\n{}",
                daemon.log_tail()
            );
            // Here, and not at a first start: now what serves its containers is known to be its own.
            let started = async {
                self.clear_containerd().await?;
                self.launch().await
            };
            if let Err(error) = started.await {
                eprintln!("world: the engine does not start: {error:#}");
            }
        }
    }

    /// A `docker` command for this engine.
    #[must_use]
    pub fn docker(&self) -> Command {
        let mut command = Command::new("docker");
        command
            .env("PATH", search_path())
            .env("DOCKER_HOST", &self.host)
            .env_remove("DOCKER_CONTEXT");
        command
    }

    /// Stops the engine if the world started it, in order; otherwise does nothing. A private one loses its containers
    /// and networks with that, since their bridges would stay on this machine.
    ///
    /// # Errors
    /// If it cannot be stopped.
    pub async fn stop(&self) -> Result<()> {
        if let Some(daemon) = &self.daemon {
            if self.private.is_some() && daemon.alive() {
                let containers = run(self.docker().args(["ps", "--all", "--quiet"])).await?;
                if !containers.trim().is_empty() {
                    run(self
                        .docker()
                        .args(["rm", "--force", "--volumes"])
                        .args(containers.split_whitespace()))
                    .await?;
                }
                run(self.docker().args(["network", "prune", "--force"])).await?;
            }
            daemon.stop(Signal::Term, Duration::from_secs(60)).await?;
            if let Some(private) = &self.private {
                self.rules("-D").await?;
                // Gone already where it was stopped before.
                let _ = ip(&["link", "delete", &private.bridge()]).await;
            }
        }
        Ok(())
    }

    /// Kills a private engine without warning; its containers live on, as they do when a real engine crashes.
    ///
    /// # Errors
    /// If the engine is not private: the machine's own is not for killing.
    pub async fn kill(&self) -> Result<()> {
        match (&self.daemon, &self.private) {
            (Some(daemon), Some(_)) => daemon.stop(Signal::Kill, Duration::from_secs(10)).await?,
            _ => bail!("only a private engine may be killed"),
        }
        self.clear_containerd().await
    }

    /// Starts it again after [`Engine::kill`] or [`Engine::stop`].
    ///
    /// # Errors
    /// If it was not started by the world, or does not start.
    pub async fn start_again(&self) -> Result<()> {
        self.launch().await?;
        if self.private.is_some() {
            self.rules("-D").await?;
            self.rules("-I").await?;
        }
        Ok(())
    }

    async fn launch(&self) -> Result<()> {
        let daemon = self
            .daemon
            .as_ref()
            .context("this engine was not started by the world")?;
        let mut command = Command::new("dockerd");
        command
            .env("PATH", search_path())
            .args(["--host", &self.host, "--log-level", "warn"]);
        if let Some(private) = &self.private {
            let (dir, pool, bridge) = (&private.dir, &private.pool, private.bridge());
            private.build_bridge().await?;
            let own = |name: &str| dir.join(name).display().to_string();
            command
                .args([
                    "--data-root",
                    &own("data"),
                    "--exec-root",
                    &own("exec"),
                    "--pidfile",
                    &own("docker.pid"),
                ])
                .args(["--bridge", &bridge, "--iptables=false", "--ip-masq=false"])
                .args(["--default-address-pool", &format!("base={pool},size=24")]);
            // A killed daemon leaves its pid file, and a later process under that pid would keep it from starting.
            let _ = std::fs::remove_file(dir.join("docker.pid"));
            self.clear_containerd().await?;
        }
        daemon.spawn(command)?;
        daemon.wait_ready(PATIENCE, || answers(&self.host)).await
    }

    /// Where the daemon keeps what only lives while it does.
    fn exec_root(&self) -> PathBuf {
        let own = |private: &Private| private.dir.join("exec");
        self.private
            .as_ref()
            .map_or_else(|| PathBuf::from("/var/run/docker"), own)
    }

    /// The processes that serve this engine's containers, and those alone: `containerd` and its shims.
    fn servants(&self, name: &str) -> Vec<u32> {
        if !self.ours() {
            return Vec::new();
        }
        let place = format!("{}/containerd/", self.exec_root().display());
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words = String::from_utf8_lossy(&words).into_owned();
            words.contains(&place) && words.split('\0').next().is_some_and(|program| program.contains(name))
        })
        .collect()
    }

    /// Whether it was killed: a daemon that ends in order removes its own pid file.
    fn unclean(&self) -> bool {
        let left = |private: &Private| private.dir.join("docker.pid").exists();
        self.private.as_ref().is_some_and(left) || !self.servants("-shim").is_empty()
    }

    /// Ends what is left of a dead engine's containerd, so that the next one does not take it for alive.
    async fn clear_containerd(&self) -> Result<()> {
        if !self.ours() {
            return Ok(());
        }
        // A dead process has an empty command line, also as a zombie: only a living one is signalled.
        for pid in self
            .servants("containerd")
            .into_iter()
            .filter(|pid| !self.servants("-shim").contains(pid))
        {
            kill(pid, Signal::Kill).await?;
        }
        let _ = std::fs::remove_file(self.exec_root().join("containerd/containerd.pid"));
        Ok(())
    }

    /// Adds (`-I`) or removes (`-D`) this private engine's rules; removing what is not there is no error.
    async fn rules(&self, verb: &str) -> Result<()> {
        let Some(Private { pool, mark, .. }) = &self.private else {
            return Ok(());
        };
        let mark = format!("seaworthy-world-{mark}");
        let masquerade = [
            "-t",
            "nat",
            verb,
            "POSTROUTING",
            "-s",
            pool,
            "!",
            "-d",
            pool,
            "-j",
            "MASQUERADE",
        ];
        let out = ["-t", "filter", verb, "FORWARD", "-s", pool, "-j", "ACCEPT"];
        let back = ["-t", "filter", verb, "FORWARD", "-d", pool, "-j", "ACCEPT"];
        for words in [&masquerade[..], &out, &back] {
            let done = run(Command::new("iptables")
                .env("PATH", search_path())
                .arg("-w")
                .args(words)
                .args(["-m", "comment", "--comment", &mark]))
            .await;
            if verb == "-I" {
                done?;
            }
        }
        Ok(())
    }
}

/// Private engines that a test, or a crash, left below a folder.
pub(crate) struct Leftovers;

impl Leftovers {
    /// Stops every one of them with its containers.
    pub(crate) async fn stop(dir: &Path) -> Result<()> {
        // `<dir>/s/<scratch>/<engine>/engine.json`, or nearer.
        let mut folders = vec![(dir.to_owned(), 4_u8)];
        while let Some((folder, depth)) = folders.pop() {
            let file = folder.join(FILE);
            if file.exists() {
                let engine: Engine = serde_json::from_slice(&std::fs::read(&file)?)
                    .with_context(|| format!("{} describes no engine", file.display()))?;
                if engine.daemon.as_ref().is_some_and(|daemon| !daemon.alive()) && engine.unclean() {
                    // Only an engine ends the containers and networks of a killed one.
                    engine.launch().await?;
                }
                engine.stop().await?;
            } else if depth > 0 {
                let below = std::fs::read_dir(&folder).into_iter().flatten().flatten();
                let only_folders = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
                folders.extend(only_folders.map(|entry| (entry.path(), depth - 1)));
            }
        }
        Ok(())
    }
}

fn default_host() -> String {
    match std::env::var("DOCKER_HOST") {
        Ok(host) if !host.is_empty() => host,
        _ => format!("unix://{SOCKET}"),
    }
}

/// One `GET /_ping`, spoken by hand: the world needs no engine client for it.
async fn answers(host: &str) -> bool {
    let request = b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n";
    let asked = async {
        let mut answer = Vec::new();
        if let Some(path) = host.strip_prefix("unix://") {
            let mut stream = tokio::net::UnixStream::connect(path).await.ok()?;
            stream.write_all(request).await.ok()?;
            stream.take(64).read_to_end(&mut answer).await.ok()?;
        } else {
            let mut stream = tokio::net::TcpStream::connect(host.strip_prefix("tcp://")?)
                .await
                .ok()?;
            stream.write_all(request).await.ok()?;
            stream.take(64).read_to_end(&mut answer).await.ok()?;
        }
        Some(answer.windows(4).any(|four| four == b" 200"))
    };
    tokio::time::timeout(Duration::from_secs(5), asked)
        .await
        .ok()
        .flatten()
        .unwrap_or(false)
}
