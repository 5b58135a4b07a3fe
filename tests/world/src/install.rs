//! Brings the Debian packages that the world needs; a bare Debian 12 has almost none of them.
//!
//! Programs are installed, services are not: while apt runs, a policy file keeps package scripts from starting a
//! registry, a Postgres or an engine of their own beside the world's.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::engine::Engine;
use crate::process::run;

/// A thing that must be on the machine, and the Debian package that brings it.
struct Need {
    /// A program looked for in [`search_path`], or an absolute path.
    thing: &'static str,
    package: &'static str,
}

const NEEDS: &[Need] = &[
    Need {
        thing: "docker-registry",
        package: "docker-registry",
    },
    Need {
        thing: "mmdebstrap",
        package: "mmdebstrap",
    },
    Need {
        thing: "git",
        package: "git",
    },
    Need {
        thing: "curl",
        package: "curl",
    },
    Need {
        thing: "/etc/ssl/certs/ca-certificates.crt",
        package: "ca-certificates",
    },
    Need {
        thing: "iptables",
        package: "iptables",
    },
    Need {
        thing: "ip",
        package: "iproute2",
    },
    Need {
        thing: "/usr/lib/python3/dist-packages/aiosmtpd",
        package: "python3-aiosmtpd",
    },
    Need {
        thing: "htpasswd",
        package: "apache2-utils",
    },
    // `docker run --init` needs `docker-init`: docker.io links it to this package's static build.
    Need {
        thing: "tini-static",
        package: "tini",
    },
];

/// Only when no engine answers: another vendor's engine must not be replaced by Debian's.
const ENGINE: &[Need] = &[
    Need {
        thing: "dockerd",
        package: "docker.io",
    },
    Need {
        thing: "docker",
        package: "docker.io",
    },
];

/// For the OpenID provider of the tests.
const NODE: &[Need] = &[
    Need {
        thing: "node",
        package: "nodejs",
    },
    Need {
        thing: "npm",
        package: "npm",
    },
];

/// For tests that are a person at a browser.
const BROWSER: &[Need] = &[
    Need {
        thing: "chromium",
        package: "chromium",
    },
    Need {
        thing: "chromedriver",
        package: "chromium-driver",
    },
];

const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing, and says so on standard error; does nothing and asks nobody if nothing is missing.
///
/// # Errors
/// If apt fails, or if a program is still missing afterwards.
pub async fn ensure_packages() -> Result<()> {
    let engine = if Engine::default_answers().await {
        &ENGINE[1..]
    } else {
        ENGINE
    };
    ensure(|| {
        let mut packages = missing(engine.iter().chain(NEEDS));
        if postgres_programs().is_none() {
            packages.push("postgresql");
        }
        packages
    })
    .await
}

/// The same for node and npm, which few tests need.
///
/// # Errors
/// If apt fails, or if a program is still missing afterwards.
pub async fn ensure_node() -> Result<()> {
    ensure(|| missing(NODE)).await
}

/// The same for a browser and its driver, which few tests need.
///
/// # Errors
/// If apt fails, or if a program is still missing afterwards.
pub async fn ensure_browser() -> Result<()> {
    ensure(|| missing(BROWSER)).await
}

async fn ensure(look: impl Fn() -> Vec<&'static str>) -> Result<()> {
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = ONE.lock().await;
    let missing = look();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("world: installing {}", missing.join(" "));
    let policy = NoServices::hold()?;
    let updated = apt(&["update", "-qq"]).await;
    if updated.is_ok() {
        let mut words = vec!["install", "-y", "-qq", "--no-install-recommends"];
        words.extend(&missing);
        apt(&words).await?;
    }
    drop(policy);
    updated?;
    let still = look();
    ensure!(
        still.is_empty(),
        "still missing after apt-get install: {}",
        still.join(" ")
    );
    Ok(())
}

/// The folder of PostgreSQL's server programs, the newest version if there are several.
#[must_use]
pub fn postgres_programs() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

/// `PATH` with the folders of system programs, which a plain user's shell lacks; Debian's own come first, so that the
/// client and the daemon of one engine are of one version.
#[must_use]
pub fn search_path() -> String {
    let inherited = std::env::var("PATH").unwrap_or_default();
    format!("/usr/sbin:/usr/bin:/sbin:/bin:{inherited}")
}

fn missing<'n>(needs: impl IntoIterator<Item = &'n Need>) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for need in needs {
        if !present(need.thing) && !packages.contains(&need.package) {
            packages.push(need.package);
        }
    }
    packages
}

fn present(thing: &str) -> bool {
    if thing.starts_with('/') {
        return Path::new(thing).exists();
    }
    search_path()
        .split(':')
        .any(|folder| Path::new(folder).join(thing).exists())
}

async fn apt(words: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["-o", "DPkg::Lock::Timeout=120"]).args(words);
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("PATH", search_path());
    run(&mut command)
        .await
        .context("apt-get failed; the world needs Debian 12, root and a reachable package mirror")?;
    Ok(())
}

/// While it lives, `invoke-rc.d` starts nothing. A policy that the machine has already is left as it is.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn hold() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        std::fs::write(POLICY, "#!/bin/sh\nexit 101\n").with_context(|| format!("cannot write {POLICY}"))?;
        std::fs::set_permissions(POLICY, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { ours: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = std::fs::remove_file(POLICY)
        {
            eprintln!("world: cannot remove {POLICY}: {error}");
        }
    }
}
