//! A program that the world keeps running, known by a pid file alone.
//!
//! The process that starts a part is often not the one that stops it (`world up` and `world down` are two commands, a
//! test attaches to what `make test` started), so nothing may hang on a `Child` in memory. The pid file names the
//! process by pid, start time and boot: a pid that was given to somebody else meanwhile is never signalled.

mod command;
mod identity;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

pub use command::{free_port, random_word, run, run_with_input};
pub use identity::Owner;
use identity::{identify, read_alive, read_identity};

/// Stands in the log before what each start has to say.
const STARTED: &str = "-- started by the world --";

/// The ending of every pid file, by which [`sweep`] finds them.
const PID_ENDING: &str = ".pid.json";

/// One background program: its files are `<dir>/<name>.pid.json` and `<dir>/<name>.log`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Short name for files and messages, like `registry`.
    pub name: String,
    /// The folder of the pid file and the log.
    pub dir: PathBuf,
}

/// The signals that parts of the world are stopped with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ask to end.
    Term,
    /// Ask to end; Postgres' fast shutdown.
    Int,
    /// No chance to tidy up: what a crash looks like.
    Kill,
    /// Stands still without ending: what a hanging part looks like.
    Stop,
    /// Goes on after [`Signal::Stop`].
    Cont,
}

impl Daemon {
    /// A daemon that may or may not run now.
    #[must_use]
    pub fn new(dir: &Path, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            dir: dir.to_owned(),
        }
    }

    /// Starts `command` in a process group of its own, output to the log file (appended), and writes the pid file.
    ///
    /// # Errors
    /// If it runs already, if the program is missing, or if the folder cannot be written.
    pub fn spawn(&self, mut command: Command) -> Result<()> {
        ensure!(
            !self.alive(),
            "{} runs already (pid file {})",
            self.name,
            self.pid_file().display()
        );
        std::fs::create_dir_all(&self.dir).with_context(|| format!("cannot make {}", self.dir.display()))?;
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())
            .with_context(|| format!("cannot write {}", self.log_file().display()))?;
        writeln!(&log, "{STARTED}").with_context(|| format!("cannot write {}", self.log_file().display()))?;
        let program = command.as_std().get_program().to_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {} for {}", program.display(), self.name))?;
        let pid = child.id().with_context(|| format!("{} ended at once", self.name))?;
        let who = identify(pid).with_context(|| format!("{} ended at once:\n{}", self.name, self.log_tail()))?;
        std::fs::write(self.pid_file(), serde_json::to_string(&who)?)?;
        Ok(())
    }

    /// The pid, if the process that the pid file speaks of is still there.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        read_alive(&self.pid_file())
    }

    /// Whether it runs.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.pid().is_some()
    }

    /// Sends a signal; nothing happens if it does not run.
    ///
    /// # Errors
    /// If the signal is refused.
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        match self.pid() {
            Some(pid) => kill(pid, signal).await,
            None => Ok(()),
        }
    }

    /// Sends `signal`, waits up to `patience`, then kills; the pid file is removed.
    ///
    /// # Errors
    /// If it survives even that.
    pub async fn stop(&self, signal: Signal, patience: Duration) -> Result<()> {
        stop_by_file(&self.pid_file(), signal, patience).await
    }

    /// Waits until `ready` answers true; gives up early when the process ends.
    ///
    /// # Errors
    /// With the end of the log, if it ended or did not become ready in time.
    pub async fn wait_ready<F, Fut>(&self, patience: Duration, ready: F) -> Result<()>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = bool>,
    {
        let end = Instant::now() + patience;
        loop {
            if ready().await {
                return Ok(());
            }
            if !self.alive() {
                bail!(
                    "{} ended while starting; the end of its log:\n{}",
                    self.name,
                    self.log_tail()
                );
            }
            if Instant::now() > end {
                bail!(
                    "{} was not ready after {patience:?}; the end of its log:\n{}",
                    self.name,
                    self.log_tail()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where its output goes.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.dir.join(format!("{}.log", self.name))
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.join(format!("{}{PID_ENDING}", self.name))
    }

    /// What the log says of its end since its last start: from where a Go program crashed, otherwise the last lines; 20
    /// lines either way.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let bytes = std::fs::read(self.log_file()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let last = text.rsplit_once(STARTED).map_or(&*text, |(_, last)| last);
        let lines: Vec<&str> = last.lines().collect();
        let crash = |line: &&str| {
            ["panic: ", "fatal error: ", "SIGSEGV"]
                .iter()
                .any(|word| line.starts_with(word))
        };
        let begin = lines.iter().rposition(crash).unwrap_or(lines.len().saturating_sub(20));
        lines[begin..lines.len().min(begin + 20)].join("\n")
    }
}

/// Stops every process that a pid file below `dir` speaks of, youngest first; what a crashed run left is found by this.
/// Returns the names of what still ran.
///
/// # Errors
/// If something cannot be stopped.
pub async fn sweep(dir: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    find_pid_files(dir, &mut files)?;
    let mut running: Vec<(u64, PathBuf)> = Vec::new();
    for file in files {
        match (read_alive(&file), read_identity(&file)) {
            (Some(_), Some(who)) => running.push((who.started, file)),
            _ => std::fs::remove_file(&file)?,
        }
    }
    running.sort_by(|a, b| b.cmp(a));
    let mut names = Vec::new();
    for (_, file) in running {
        let name = file
            .file_name()
            .map(|name| name.to_string_lossy().replace(PID_ENDING, ""))
            .unwrap_or_default();
        // SIGINT would be ignored by some; Postgres takes SIGTERM as "wait for the clients", so it gets its own word.
        let signal = if name == "postgres" { Signal::Int } else { Signal::Term };
        stop_by_file(&file, signal, Duration::from_secs(20)).await?;
        names.push(name);
    }
    Ok(names)
}

/// Signals a process by number; a process that is gone already is no error.
///
/// # Errors
/// If the signal is refused.
pub async fn kill(pid: u32, signal: Signal) -> Result<()> {
    let word = match signal {
        Signal::Term => "TERM",
        Signal::Int => "INT",
        Signal::Kill => "KILL",
        Signal::Stop => "STOP",
        Signal::Cont => "CONT",
    };
    // The shell's own `kill`: procps is not on every bare machine.
    let status = Command::new("sh")
        .args(["-c", "kill -\"$1\" \"$2\"", "sh", word, &pid.to_string()])
        .stderr(Stdio::null())
        .status()
        .await
        .context("cannot run sh")?;
    ensure!(
        status.success() || identify(pid).is_none(),
        "cannot send {word} to process {pid}"
    );
    Ok(())
}

async fn stop_by_file(file: &Path, signal: Signal, patience: Duration) -> Result<()> {
    if let Some(pid) = read_alive(file) {
        kill(pid, signal).await?;
        if !gone_within(file, patience).await {
            kill(pid, Signal::Kill).await?;
            ensure!(
                gone_within(file, Duration::from_secs(10)).await,
                "process {pid} of {} survives SIGKILL; is it stuck in the kernel?",
                file.display()
            );
        }
    }
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

async fn gone_within(file: &Path, patience: Duration) -> bool {
    let end = Instant::now() + patience;
    while read_alive(file).is_some() {
        if Instant::now() > end {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

fn find_pid_files(dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("cannot read {}", dir.display()))?,
    };
    for entry in entries {
        let Ok(entry) = entry else { continue };
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // Data folders are large and hold no pid files of ours.
            if !matches!(
                path.file_name().and_then(|name| name.to_str()),
                Some("data" | "storage" | "repositories")
            ) {
                find_pid_files(&path, found)?;
            }
        } else if path.to_string_lossy().ends_with(PID_ENDING) {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::identity::Identity;
    use super::*;

    #[tokio::test]
    async fn a_daemon_is_found_by_its_file_and_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let daemon = Daemon::new(dir.path(), "sleeper");
        let mut command = Command::new("sleep");
        command.arg("600");
        daemon.spawn(command).unwrap();
        let pid = Daemon::new(dir.path(), "sleeper").pid().unwrap();
        assert!(
            daemon.spawn(Command::new("sleep")).is_err(),
            "a second start is refused"
        );
        assert_eq!(sweep(dir.path()).await.unwrap(), ["sleeper"]);
        assert!(!daemon.alive());
        assert_eq!(identify(pid), None);
    }

    #[tokio::test]
    async fn its_last_words_are_those_of_its_last_start() {
        let dir = tempfile::tempdir().unwrap();
        let daemon = Daemon::new(dir.path(), "speaker");
        let ends = [
            (
                "echo hello; echo 'fatal error: concurrent map writes'; seq 30",
                "fatal error: concurrent map writes\n1\n",
            ),
            ("seq 30", "11\n12\n"),
        ];
        for (says, begins) in ends {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("{says}; exec sleep 600")]);
            daemon.spawn(command).unwrap();
            while !std::fs::read_to_string(daemon.log_file()).unwrap().ends_with("30\n") {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let words = daemon.log_tail();
            assert!(words.starts_with(begins) && words.lines().count() == 20, "{words}");
            daemon.stop(Signal::Kill, Duration::from_secs(5)).await.unwrap();
            std::fs::write(
                daemon.log_file(),
                std::fs::read_to_string(daemon.log_file()).unwrap() + "ended\n",
            )
            .unwrap();
        }
    }

    #[tokio::test]
    async fn a_pid_given_to_somebody_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let me = identify(std::process::id()).unwrap();
        let file = dir.path().join("stale.pid.json");
        std::fs::write(
            &file,
            serde_json::to_string(&Identity {
                started: me.started + 1,
                ..me
            })
            .unwrap(),
        )
        .unwrap();
        assert!(sweep(dir.path()).await.unwrap().is_empty());
        assert!(!file.exists());
    }
}
