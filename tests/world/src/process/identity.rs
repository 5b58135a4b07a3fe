//! Who a pid file speaks of: pid, start time and boot together, since a pid alone is given to others in time.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Who a pid file speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub pid: u32,
    /// Clock ticks since boot, field 22 of `/proc/<pid>/stat`.
    pub started: u64,
    /// The kernel's `boot_id`.
    pub boot: String,
}

/// The process that a world is tied to.
#[derive(Debug)]
pub struct Owner(Identity);

impl Owner {
    /// The calling process.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub fn me() -> Result<Self> {
        identify(std::process::id()).map(Self).context("cannot read /proc/self")
    }

    /// Writes it down.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        std::fs::write(file, serde_json::to_string(&self.0)?)
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// The pid of the process that a file speaks of, if it still runs.
    #[must_use]
    pub fn alive(file: &Path) -> Option<u32> {
        read_alive(file)
    }
}

pub(super) fn read_identity(file: &Path) -> Option<Identity> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

pub(super) fn read_alive(file: &Path) -> Option<u32> {
    let who = read_identity(file)?;
    (identify(who.pid).as_ref() == Some(&who)).then_some(who.pid)
}

/// Who runs under this pid now; a zombie is nobody.
pub(super) fn identify(pid: u32) -> Option<Identity> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, field 2, may hold spaces and parentheses: count from the last `)`.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let started = fields.nth(18)?.parse().ok()?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .ok()?
        .trim()
        .to_owned();
    Some(Identity { pid, started, boot })
}
