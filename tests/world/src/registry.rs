//! A container registry: Debian's `docker-registry` on a loopback port, with or without a password.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::http::client;
use crate::install::search_path;
use crate::process::{Daemon, Signal, free_port, random_word, run_with_input};

/// What a registry is started with.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Where the blobs are kept.
    pub storage: PathBuf,
    /// 0 picks a free one.
    pub port: u16,
    /// User and password that every call must bring; `None` lets everybody in.
    pub login: Option<(String, String)>,
}

/// A registry that was started by the world.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Registry {
    /// `127.0.0.1:<port>`, as it stands before the first slash of an image reference.
    pub address: String,
    /// Empty without a password.
    pub user: String,
    /// Empty without a password.
    pub password: String,
    /// Where the blobs are kept.
    pub storage: PathBuf,
    daemon: Daemon,
}

impl Registry {
    /// Starts a registry; configuration, pid file and log are in `dir`.
    ///
    /// # Errors
    /// If the program is missing or the port is taken.
    pub async fn start(dir: &Path, options: RegistryOptions) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let port = if options.port == 0 { free_port()? } else { options.port };
        let (user, password) = options.login.unwrap_or_default();
        let registry = Self {
            address: format!("127.0.0.1:{port}"),
            user,
            password,
            storage: options.storage,
            daemon: Daemon::new(dir, "registry"),
        };
        registry.write_config(dir).await?;
        registry.start_again().await?;
        Ok(registry)
    }

    /// Starts it again on the same port after [`Registry::stop`].
    ///
    /// # Errors
    /// If the port is taken meanwhile.
    pub async fn start_again(&self) -> Result<()> {
        let mut command = Command::new("docker-registry");
        command.env("PATH", search_path()).arg("serve").arg(self.config_file());
        self.daemon.spawn(command)?;
        self.daemon.wait_ready(Duration::from_secs(20), || self.answers()).await
    }

    /// Stops it at once; nothing is lost, since a finished upload is on disk.
    ///
    /// # Errors
    /// If it cannot be stopped.
    pub async fn stop(&self) -> Result<()> {
        self.daemon.stop(Signal::Term, Duration::from_secs(5)).await
    }

    /// The process, for tests that make it hang.
    #[must_use]
    pub fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// The digest of a manifest, or `None` if there is no such tag.
    ///
    /// # Errors
    /// If the registry does not answer, or answers with something else than 200 and 404.
    pub async fn digest(&self, repository: &str, reference: &str) -> Result<Option<String>> {
        let accept = "application/vnd.docker.distribution.manifest.v2+json, \
                      application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
        let url = format!("http://{}/v2/{repository}/manifests/{reference}", self.address);
        let mut request = client().head(url).header("Accept", accept);
        if !self.user.is_empty() {
            request = request.basic_auth(&self.user, Some(&self.password));
        }
        let answer = request.send().await?;
        if answer.status() == 404 {
            return Ok(None);
        }
        let answer = answer.error_for_status()?;
        let digest = answer
            .headers()
            .get("Docker-Content-Digest")
            .context("no Docker-Content-Digest")?;
        Ok(Some(digest.to_str()?.to_owned()))
    }

    /// Whether it answers, with or without asking for a password.
    pub async fn answers(&self) -> bool {
        let asked = client()
            .get(format!("http://{}/v2/", self.address))
            .timeout(Duration::from_secs(2))
            .send()
            .await;
        asked.is_ok_and(|answer| matches!(answer.status().as_u16(), 200 | 401))
    }

    async fn write_config(&self, dir: &Path) -> Result<()> {
        let mut config = serde_json::json!({
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": false}},
            "storage": {
                "filesystem": {"rootdirectory": self.storage},
                "delete": {"enabled": true},
                "cache": {"blobdescriptor": "inmemory"},
            },
            "http": {"addr": self.address, "secret": random_word()?},
        });
        if !self.user.is_empty() {
            let line = run_with_input(
                Command::new("htpasswd")
                    .env("PATH", search_path())
                    .args(["-n", "-i", "-B", "-C", "5", &self.user]),
                self.password.as_bytes(),
            )
            .await?;
            let file = dir.join("htpasswd");
            std::fs::write(&file, line)?;
            config["auth"] = serde_json::json!({"htpasswd": {"realm": "world", "path": file}});
        }
        // JSON is YAML, and it needs no care for quoting.
        std::fs::write(self.config_file(), serde_json::to_string_pretty(&config)?)?;
        Ok(())
    }

    fn config_file(&self) -> PathBuf {
        self.daemon.dir.join("registry.json")
    }
}
