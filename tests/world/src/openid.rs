//! A real OpenID provider (npm's certified oidc-provider on Debian's node): its own pages for login and consent, any
//! password is right. Only the tests of signing in need it, so it is installed when the first of them begins, and kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::http;
use crate::images::Images;
use crate::install;
use crate::process::{Daemon, Signal, free_port, random_word, run};

/// The last release that runs on Debian 12's node 18.
const PACKAGE: &str = "oidc-provider@8.8.1";

/// Installing is done once, however many tests ask.
static INSTALLING: Mutex<()> = Mutex::const_new(());

/// A person who can sign in; the login is his key in [`Settings::people`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct Person {
    /// His name.
    pub name: String,
    /// Full paths of his groups.
    pub groups: Vec<String>,
}

/// What a provider is like.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Who can sign in.
    pub people: BTreeMap<String, Person>,
    /// By how many seconds its clock is wrong.
    pub clock_off: i64,
    /// Claims come in the ID token, not by userinfo alone.
    pub claims_in_id_token: bool,
}

/// A provider that was started by a test.
#[derive(Debug)]
pub struct OpenId {
    /// Its name of itself, and its address.
    pub issuer: String,
    /// The one application that is registered, for any redirect URL.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    command: (PathBuf, String),
    daemon: Daemon,
}

impl OpenId {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// If it cannot be installed or does not start.
    pub async fn start(dir: &Path, settings: &Settings) -> Result<Self> {
        let program = Self::installed().await?;
        let port = free_port()?;
        let (client_id, client_secret) = ("seaworthy".to_owned(), random_word()?);
        let mut argument = serde_json::to_value(settings)?;
        argument["port"] = port.into();
        argument["clientId"] = client_id.as_str().into();
        argument["clientSecret"] = client_secret.as_str().into();
        let provider = Self {
            issuer: format!("http://127.0.0.1:{port}"),
            client_id,
            client_secret,
            command: (program, argument.to_string()),
            daemon: Daemon::new(dir, "openid"),
        };
        provider.start_again().await?;
        Ok(provider)
    }

    /// Starts it again on the same port after [`OpenId::stop`]; it has forgotten everything.
    ///
    /// # Errors
    /// If the port is taken meanwhile.
    pub async fn start_again(&self) -> Result<()> {
        let mut command = Command::new("node");
        command
            .arg(&self.command.0)
            .arg(&self.command.1)
            .env("PATH", install::search_path());
        self.daemon.spawn(command)?;
        let address = format!("{}/.well-known/openid-configuration", self.issuer);
        self.daemon
            .wait_ready(Duration::from_secs(60), || async {
                http::client()
                    .get(&address)
                    .send()
                    .await
                    .is_ok_and(|answer| answer.status().is_success())
            })
            .await
    }

    /// Stops it.
    ///
    /// # Errors
    /// If it cannot be stopped.
    pub async fn stop(&self) -> Result<()> {
        self.daemon.stop(Signal::Kill, Duration::from_secs(5)).await
    }

    /// The path of the script, beside the packages that it needs.
    async fn installed() -> Result<PathBuf> {
        let _one = INSTALLING.lock().await;
        let folder = Images::default_cache().join(PACKAGE.replace('@', "-"));
        let script = folder.join("openid.mjs");
        if !folder.join("node_modules/oidc-provider/package.json").exists() {
            install::ensure_node().await?;
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            eprintln!("world: installing {PACKAGE}");
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
                .arg(&folder)
                .arg(PACKAGE)
                .env("PATH", install::search_path());
            run(&mut npm)
                .await
                .context("npm install failed; it needs a reachable package registry")?;
        }
        std::fs::write(&script, include_str!("openid.mjs"))?;
        Ok(script)
    }
}
