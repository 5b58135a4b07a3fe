//! One command in a build container, watched until its end.
//!
//! Four things end it early: a cancel, the deadline, too much output, too much disk. Each kills the whole container, because
//! a killed command would leave its children; so no second command runs after one of them. Output is taken as fast as it
//! comes and never stored here or on the engine: past the limit the container is killed, and until then a slow reader slows
//! the program down instead of filling memory.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::InspectContainerOptionsBuilder;
use futures_util::StreamExt;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::output::{Line, Lines, Stream};
use super::{BuildContainer, EngineError, ErrorKind};

/// A command to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments; no shell in between.
    pub argv: Vec<String>,
    /// Added to the container's environment.
    pub env: Vec<(String, String)>,
    /// Where to run it: an absolute path.
    pub workdir: String,
    /// How long it may take.
    pub deadline: Duration,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code. Above 128: by that signal less 128.
    Code(i64),
    /// Not with 0, and the kernel killed at least one of its processes at the memory limit.
    OutOfMemory,
    /// Killed at the deadline. The log ends with a thread dump of each Java process.
    TimedOut,
    /// Killed after the limit of output.
    LogLimit,
    /// Killed over, or stopped by, the limit of disk.
    DiskLimit,
    /// Killed because the build was cancelled.
    Cancelled,
}

/// Pause between two looks at the disk; longer when a look is slow, since it walks over all files.
const DISK_PAUSE: Duration = Duration::from_secs(3);
/// Pause between two looks at whether the command has ended while something that it started still holds its output.
const END_PAUSE: Duration = Duration::from_secs(2);
/// How long rest of the output may take after that.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long Java gets to write its thread dumps.
const DUMP_TIME: Duration = Duration::from_secs(2);

/// Asks each Java process for a thread dump; 1 when there is none.
const ASK_FOR_DUMPS: &str = r#"n=1; for d in /proc/[0-9]*; do read -r c <"$d/comm" && [ "$c" = java ] && kill -QUIT "${d#/proc/}" && n=0; done 2>/dev/null; exit $n"#;
/// Processes that the kernel killed at the memory limit, cgroup 2 or 1.
const READ_OOM_KILLS: &str = "cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null";

impl BuildContainer {
    /// Runs a command and hands on its lines as they come.
    ///
    /// `Err` is the world: the engine went away, or somebody else ended the container. Everything else is an `Exit`.
    pub async fn exec(
        &self,
        command: &Command,
        cancel: &CancellationToken,
        mut on_line: impl FnMut(Line),
    ) -> Result<Exit, EngineError> {
        let deadline = Instant::now() + command.deadline;
        let doing = format!("running {}", command.argv.first().map_or("a command", String::as_str));
        let mut stopped = None;
        let (id, mut output) = self
            .start(&command.argv, &command.env, &command.workdir, &doing)
            .await?;
        let mut lines = Lines::default();
        {
            let mut expired = pin!(sleep_until(deadline));
            let mut over_disk = pin!(self.wait_for_full_disk());
            let mut ended = pin!(self.wait_for_end(&id, &doing));
            let mut rest = pin!(sleep(Duration::MAX));
            let mut is_ending = false;
            loop {
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => { stopped = Some(Exit::Cancelled); break; }
                    () = &mut expired => { stopped = Some(Exit::TimedOut); break; }
                    full = &mut over_disk => { full?; stopped = Some(Exit::DiskLimit); break; }
                    gone = &mut ended, if !is_ending => {
                        gone?;
                        is_ending = true;
                        rest.as_mut().reset(Instant::now() + LAST_WORDS);
                    }
                    () = &mut rest, if is_ending => break,
                    frame = output.next() => match frame {
                        Some(Ok(frame)) => if !self.take(frame, &mut lines, &mut on_line) {
                            stopped = Some(Exit::LogLimit);
                            break;
                        },
                        // Whether the engine broke or the command ended shows in the question after it.
                        Some(Err(_)) | None => break,
                    },
                }
            }
        }
        if stopped == Some(Exit::TimedOut) && self.ask_for_dumps(&command.workdir).await {
            let until = Instant::now() + DUMP_TIME;
            while let Ok(Some(Ok(frame))) = tokio::time::timeout_at(until, output.next()).await {
                if cancel.is_cancelled() || !self.take(frame, &mut lines, &mut on_line) {
                    break;
                }
            }
        }
        lines.finish(&mut on_line);
        match stopped {
            Some(exit) => {
                self.kill().await?;
                Ok(exit)
            }
            None => self.verdict(&id, &doing).await,
        }
    }

    /// Starts a command; gives its id and its output.
    async fn start(
        &self,
        argv: &[String],
        env: &[(String, String)],
        workdir: &str,
        doing: &str,
    ) -> Result<
        (
            String,
            impl tokio_stream::Stream<Item = Result<LogOutput, bollard::errors::Error>> + Unpin + use<>,
        ),
        EngineError,
    > {
        let docker = self.engine.docker().await?;
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv.to_vec()),
            env: Some(env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            working_dir: Some(workdir.to_owned()),
            user: Some(self.spec.user.to_string()),
            ..Default::default()
        };
        let error = |e| self.lost(self.engine.error(doing, e));
        let id = docker.create_exec(&self.id, config).await.map_err(error)?.id;
        let options = StartExecOptions {
            output_capacity: Some(64 * 1024),
            ..Default::default()
        };
        match docker.start_exec(&id, Some(options)).await.map_err(error)? {
            // The input stays open as long as the output: dropping half of the connection would end it.
            StartExecResults::Attached { output, input } => Ok((
                id,
                output.inspect(move |_| {
                    let _held = &input;
                }),
            )),
            StartExecResults::Detached => Err(self.engine.fail(ErrorKind::Internal, doing, "it gave no output stream")),
        }
    }

    /// Takes one piece of output; false when it is over the limit.
    fn take(&self, frame: LogOutput, lines: &mut Lines, on_line: &mut impl FnMut(Line)) -> bool {
        let (stream, bytes) = match frame {
            LogOutput::StdErr { message } => (Stream::Err, message),
            LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                (Stream::Out, message)
            }
        };
        let before = self.logged.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let room = usize::try_from(self.spec.limits.log.saturating_sub(before)).unwrap_or(usize::MAX);
        lines.push(stream, &bytes[..bytes.len().min(room)], on_line);
        bytes.len() <= room
    }

    /// Comes back when the container has written more than it may.
    async fn wait_for_full_disk(&self) -> Result<(), EngineError> {
        let mut pause = DISK_PAUSE;
        loop {
            sleep(pause).await;
            let begun = Instant::now();
            match self.written().await {
                Ok(bytes) if bytes > self.spec.limits.disk => return Ok(()),
                Ok(_) => {}
                // An engine that is too busy to count now is asked again; one that is gone ends the output as well.
                Err(error) if error.is_transient() => tracing::debug!(%error, "no size of the build container"),
                Err(error) => return Err(self.lost(error)),
            }
            pause = DISK_PAUSE.max(begun.elapsed() * 10);
        }
    }

    /// Bytes in the container's own layer.
    async fn written(&self) -> Result<u64, EngineError> {
        let docker = self.engine.docker().await?;
        let options = InspectContainerOptionsBuilder::new().size(true).build();
        let seen = docker.inspect_container(&self.id, Some(options)).await;
        let size = seen
            .map_err(|e| self.engine.error("measuring the build container", e))?
            .size_rw;
        Ok(size.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }

    /// Comes back when the command itself has ended, whoever still holds its output.
    async fn wait_for_end(&self, id: &str, doing: &str) -> Result<(), EngineError> {
        loop {
            sleep(END_PAUSE).await;
            if self.exit_code(id, doing).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// The command's exit code, if it has ended.
    async fn exit_code(&self, id: &str, doing: &str) -> Result<Option<i64>, EngineError> {
        let docker = self.engine.docker().await?;
        let seen = docker
            .inspect_exec(id)
            .await
            .map_err(|e| self.lost(self.engine.error(doing, e)))?;
        Ok(if seen.running == Some(true) {
            None
        } else {
            seen.exit_code
        })
    }

    /// How a command ended that nobody stopped.
    async fn verdict(&self, id: &str, doing: &str) -> Result<Exit, EngineError> {
        let patience = Instant::now() + self.engine.options().connect_timeout;
        let code = loop {
            // The output ends a moment before the engine has noted the code.
            match self.exit_code(id, doing).await? {
                Some(code) => break code,
                None if Instant::now() > patience => {
                    return Err(self
                        .engine
                        .fail(ErrorKind::Internal, doing, "the output ended, but not the command"));
                }
                None => sleep(Duration::from_millis(20)).await,
            }
        };
        if code == 0 {
            return Ok(Exit::Code(0));
        }
        let (running, oom) = self.state().await.map_err(|e| self.lost(e))?;
        if !running {
            return if oom {
                Ok(Exit::OutOfMemory)
            } else {
                Err(self.ended_from_outside(doing))
            };
        }
        if self.new_oom_kills().await {
            return Ok(Exit::OutOfMemory);
        }
        if self.written().await? >= self.spec.limits.disk {
            return Ok(Exit::DiskLimit);
        }
        Ok(Exit::Code(code))
    }

    /// Did the kernel kill a process for want of memory since the last question? The engine tells only when the container
    /// itself has ended, so the container's own cgroup is read.
    async fn new_oom_kills(&self) -> bool {
        let Some((_, text)) = self.ask(READ_OOM_KILLS, "/").await else {
            return false;
        };
        let count = text
            .lines()
            .filter_map(|line| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok())
            .sum();
        self.oom_kills.swap(count, Ordering::Relaxed) < count
    }

    async fn ask_for_dumps(&self, workdir: &str) -> bool {
        self.ask(ASK_FOR_DUMPS, workdir)
            .await
            .is_some_and(|(code, _)| code == 0)
    }

    /// A short question to the container's shell; nothing when it cannot answer, for example because all its pids are used.
    async fn ask(&self, script: &str, workdir: &str) -> Option<(i64, String)> {
        let argv = ["sh", "-c", script].map(str::to_owned);
        let answer = async {
            let (id, mut output) = self
                .start(&argv, &[], workdir, "asking the build container")
                .await
                .ok()?;
            let mut text = Vec::new();
            while let Some(Ok(frame)) = output.next().await {
                text.extend_from_slice(&frame.into_bytes());
            }
            loop {
                if let Some(code) = self.exit_code(&id, "asking the build container").await.ok()? {
                    return Some((code, String::from_utf8_lossy(&text).into_owned()));
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(2), answer).await.ok().flatten()
    }

    /// "No such container" or "no such command" in the middle of a build is not a refusal: the engine was restarted, or
    /// somebody removed the container. The build is right to try again.
    fn lost(&self, error: EngineError) -> EngineError {
        let ended = error.cause().contains("is not running") || error.cause().contains("No such exec");
        if error.kind() == ErrorKind::Missing || ended {
            self.ended_from_outside(error.cause())
        } else {
            error
        }
    }

    fn ended_from_outside(&self, detail: &str) -> EngineError {
        let cause =
            format!("the build container was ended from outside, perhaps by a restart of the engine ({detail})");
        self.engine.fail(ErrorKind::Internal, "running a command", cause)
    }
}
