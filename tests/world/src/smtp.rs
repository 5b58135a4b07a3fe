//! A real SMTP server (Debian's aiosmtpd with a few lines of ours): asks for a password, keeps every accepted mail.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::process::{Daemon, Signal, free_port, random_word, run};

/// Debian's Python: another one in `PATH` does not have Debian's modules.
const PYTHON: &str = "/usr/bin/python3";

/// An SMTP server that was started by the world: 127.0.0.1, no TLS, AUTH PLAIN or LOGIN required. Mail to anybody at
/// `refused.example` is refused with 550, at `later.example` with 451.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Smtp {
    /// On 127.0.0.1.
    pub port: u16,
    /// For AUTH.
    pub user: String,
    /// For AUTH.
    pub password: String,
    folder: PathBuf,
    daemon: Daemon,
}

/// A mail that the server accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Decoded.
    pub subject: String,
    /// With its angle brackets.
    pub message_id: String,
    /// All headers in their order, decoded.
    pub headers: Vec<(String, String)>,
    /// The decoded plain text part, or "".
    pub text: String,
    /// The decoded HTML part, or "".
    pub html: String,
    /// As it came over the wire.
    pub raw: String,
}

impl Mail {
    /// The first header of that name (any case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl Smtp {
    /// Starts a server with a random password on a free port; mails are kept in `dir/mails`.
    ///
    /// # Errors
    /// If aiosmtpd is not installed or does not start.
    pub async fn start(dir: &Path) -> Result<Self> {
        let smtp = Self {
            port: free_port()?,
            user: "seaworthy".to_owned(),
            password: random_word()?,
            folder: dir.join("mails"),
            daemon: Daemon::new(dir, "smtp"),
        };
        std::fs::create_dir_all(&smtp.folder).with_context(|| format!("cannot make {}", smtp.folder.display()))?;
        std::fs::write(dir.join("smtp.py"), include_str!("smtp.py"))?;
        std::fs::write(dir.join("mail.py"), include_str!("mail.py"))?;
        let settings = serde_json::json!({
            "port": smtp.port, "user": smtp.user, "password": smtp.password, "folder": smtp.folder,
        });
        std::fs::write(dir.join("smtp.json"), settings.to_string())?;
        smtp.start_again().await?;
        Ok(smtp)
    }

    /// Starts it again on the same port after [`Smtp::stop`]; mails kept before stay.
    ///
    /// # Errors
    /// If the port is taken meanwhile.
    pub async fn start_again(&self) -> Result<()> {
        let mut command = Command::new(PYTHON);
        command
            .arg(self.daemon.dir.join("smtp.py"))
            .arg(self.daemon.dir.join("smtp.json"));
        self.daemon.spawn(command)?;
        self.daemon
            .wait_ready(Duration::from_secs(20), || greets(self.port))
            .await
    }

    /// Stops it.
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

    /// All mails so far, in the order in which they were accepted.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub async fn mails(&self) -> Result<Vec<Mail>> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.folder)?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "eml"))
            .collect();
        files.sort();
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let printed = run(Command::new(PYTHON).arg(self.daemon.dir.join("mail.py")).args(files)).await?;
        serde_json::from_str(&printed).context("the mail reader printed something else")
    }
}

/// Whether a server says 220 there.
async fn greets(port: u16) -> bool {
    let greeting = async {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let mut first = [0_u8; 3];
        stream.read_exact(&mut first).await.ok()?;
        Some(&first == b"220")
    };
    tokio::time::timeout(Duration::from_secs(2), greeting)
        .await
        .ok()
        .flatten()
        .unwrap_or(false)
}
