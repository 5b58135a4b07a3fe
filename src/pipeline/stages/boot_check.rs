//! Boot check: the image is started once, as it would run, before anybody else gets it.
//!
//! Without any capability, with a read-only file system and the stack's memory. It must open its port, deploy without a
//! failed listener or servlet, answer its health check, and end by itself on SIGTERM.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::clients::engine::{Locked, ProgramSpec, ProgramState};
use crate::definition::Stack;
use crate::model::{BuiltImage, Finding};
use crate::pipeline::stages::{Built, Checked, Packed};
use crate::pipeline::watched::Watched;
use crate::pipeline::{Run, StageError, services};
use crate::tomcat::Console;

/// Name of the container on the build's network.
const HOST: &str = "application";
/// Pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two health checks.
const HEALTH_INTERVAL: Duration = Duration::from_millis(300);
/// Processes and threads.
const PIDS: u32 = 1024;
/// After the drain of requests: for the application's own end.
const END: Duration = Duration::from_secs(5);
/// How long a JVM gets to write its thread dump.
const DUMP: Duration = Duration::from_secs(1);
/// Lines of the application's log that a finding shows.
const SHOWN: usize = 30;
/// Directories that a Tomcat must be able to write, whatever it runs.
const WRITABLE: [&str; 3] = ["/tmp", "/usr/local/tomcat/temp", "/usr/local/tomcat/work"];

pub(in crate::pipeline) async fn boot_check(
    run: &Run,
    built: &Built,
    packed: &Packed,
    checked: &Checked,
) -> Result<(), StageError> {
    let boot = &run.pipeline.boot;
    if !boot.check {
        run.say(&format!(
            "Pipeline {} has switched the boot check off: the image says so of itself",
            run.pipeline.name
        ));
        run.note("off");
        return Ok(());
    }
    // The one of the tests, whose services are gone: an engine has some thirty networks to give.
    let network = packed.network.clone();
    // They go with the build's other containers.
    services::start(run, &network).await?;
    let begun = Instant::now();
    let application = start(run, &built.image, &checked.stack, network).await?;
    application.comes_up(begun).await?;
    let up = begun.elapsed();
    run.say(&format!("The application answers after {:.1} s", up.as_secs_f64()));
    let stopped = application.stops().await?;
    run.say(&format!("It stopped {:.1} s after SIGTERM", stopped.as_secs_f64()));
    run.note(format!("up in {:.1} s", up.as_secs_f64()));
    Ok(())
}

/// The application that is tried.
struct Application<'r> {
    run: &'r Run,
    stack: &'r Stack,
    watched: Watched,
}

async fn start<'r>(
    run: &'r Run,
    built: &BuiltImage,
    stack: &'r Stack,
    network: String,
) -> Result<Application<'r>, StageError> {
    let boot = &run.pipeline.boot;
    let spec = ProgramSpec {
        image: built.id.to_string(),
        network,
        host: HOST.to_owned(),
        command: Vec::new(),
        environment: boot.environment.clone(),
        memory: boot.memory,
        cpus: run.pipeline.limits.cpus,
        pids: PIDS,
        locked: Some(Locked {
            in_memory: WRITABLE.map(str::to_owned).to_vec(),
            // A heap dump would not fit into the memory that has just been spent.
            on_disk: vec![stack.runtime.log_directory.clone()],
        }),
        health_interval: HEALTH_INTERVAL,
    };
    run.say(&format!(
        "Starting the image with {} MiB of memory; asking for {}",
        boot.memory >> 20,
        run.pipeline.context_path.inside(&boot.path)
    ));
    let watched = Watched::start(run, &spec, "").await?;
    Ok(Application { run, stack, watched })
}

impl Application<'_> {
    /// Waits until it answers, or says why it does not.
    async fn comes_up(&self, begun: Instant) -> Result<(), StageError> {
        let boot = &self.run.pipeline.boot;
        loop {
            let state = self.watched.program.state().await?;
            if let Some(told) = self
                .watched
                .console(|console| console.failure().map(|trouble| (trouble.told(), trouble.lines.clone())))
            {
                // What is printed after it helps as well.
                sleep(PAUSE).await;
                return Err(self.did_not_deploy(told).into());
            }
            if !state.running {
                return Err(self.ended(&state).into());
            }
            // The port opens when all is deployed: whoever answers then is whole.
            if state.healthy == Some(true) && self.watched.console(Console::started) {
                return Ok(());
            }
            if begun.elapsed() > boot.time {
                return Err(self.too_late(&state).await?.into());
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks it to stop, and says how long that took.
    async fn stops(&self) -> Result<Duration, StageError> {
        let grace = self.stack.runtime.drain + END;
        let begun = Instant::now();
        // A dump shows what holds a JVM up; once it is killed nobody can ask it any more.
        let ask = async {
            sleep(grace.saturating_sub(DUMP)).await;
            self.watched.program.signal("SIGQUIT").await
        };
        let stop = self.watched.program.stop(grace);
        let mut ask = std::pin::pin!(ask);
        let mut stop = std::pin::pin!(stop);
        let mut asked = false;
        loop {
            tokio::select! {
                stopped = &mut stop => { stopped?; break; }
                sent = &mut ask, if !asked => { sent?; asked = true; }
            }
        }
        let took = begun.elapsed();
        let state = self.watched.program.state().await?;
        match state.exit_code {
            // By itself, or by the signal's default.
            0 | 143 => Ok(took),
            137 if state.out_of_memory => Err(self.ended(&state).into()),
            137 => Err(self
                .finding(
                    "boot-stop",
                    format!(
                        "The application does not stop: {} s after SIGTERM it was killed{}",
                        grace.as_secs(),
                        self.busy(", while in ")
                    ),
                    "End its threads in contextDestroyed, and let no shutdown hook wait. Whoever stops it in production would lose requests.",
                )
                .into()),
            code => Err(self
                .finding(
                    "boot-stop",
                    format!("The application ended with code {code} after SIGTERM; 143 or 0 is right"),
                    "Look for System.exit and Runtime.halt in shutdown hooks and in contextDestroyed.",
                )
                .into()),
        }
    }

    fn did_not_deploy(&self, (told, lines): (String, Vec<String>)) -> Finding {
        if let Some(line) = lines.iter().find(|line| line.contains("java.lang.OutOfMemoryError")) {
            let line = line.trim().trim_start_matches("Caused by: ");
            return self.spent(line).with_detail(lines.iter().cloned());
        }
        Finding::new(
            "boot-failed",
            format!("The application does not start: {told}"),
            format!(
                "Start the image on your desk with its variables. What it needs at the start is given to it in pipeline {}: \
                 [boot.environment] and [[service]].",
                self.run.pipeline.name
            ),
        )
        .with_detail(lines)
    }

    fn ended(&self, state: &ProgramState) -> Finding {
        let memory = self.run.pipeline.boot.memory >> 20;
        let told = self
            .watched
            .console(|console| console.out_of_memory().map(str::to_owned));
        match told {
            // The kernel may have ended it only while it wrote its heap down.
            Some(line) => self.spent(&line).with_detail(self.watched.console(|console| console.tail(SHOWN))),
            None if state.out_of_memory => self.finding(
                "boot-memory",
                format!("The application was killed for memory: it may have {memory} MiB, and took more outside of the heap"),
                "Look at direct buffers, threads and native libraries, or give it more memory: boot.memory in the pipeline.",
            ),
            None => self.finding(
                "boot-ended",
                format!("The application ended by itself with code {} while it started", state.exit_code),
                "Its last lines are below. System.exit has no place in a web application.",
            ),
        }
    }

    fn spent(&self, line: &str) -> Finding {
        let memory = self.run.pipeline.boot.memory >> 20;
        Finding::new(
            "boot-memory",
            format!("The application ran out of memory, of which the container has {memory} MiB: {line}"),
            "Look for what it loads at the start, or give it more memory: boot.memory in the pipeline.",
        )
    }

    async fn too_late(&self, state: &ProgramState) -> Result<Finding, StageError> {
        let boot = &self.run.pipeline.boot;
        let (seconds, port) = (
            boot.time.as_secs(),
            self.stack.runtime.ports.first().copied().unwrap_or(8080),
        );
        let path = self.run.pipeline.context_path.inside(&boot.path);
        if self.watched.console(Console::started) {
            let said = state.health_output.trim().to_owned();
            return Ok(self.finding(
                "boot-unhealthy",
                format!(
                    "The application is up and does not answer well at {path} within {seconds} s: {}",
                    one_line(&said)
                ),
                "Any answer below 500 will do. Another path can be asked: boot.path in the pipeline.",
            ));
        }
        let before = self.watched.console(|console| console.tail(SHOWN));
        self.watched.program.signal("SIGQUIT").await?;
        sleep(DUMP).await;
        let title = format!(
            "The application did not open port {port} within {seconds} s{}",
            self.busy(": it is still starting, in ")
        );
        Ok(Finding::new(
            "boot-timeout",
            title,
            "Begin long work after the start, in a thread of its own, or give it more time: boot.time in the pipeline.",
        )
        .with_detail(before))
    }

    fn finding(&self, rule: &str, title: String, help: &str) -> Finding {
        Finding::new(rule, title, help).with_detail(self.watched.console(|console| console.tail(SHOWN)))
    }

    /// Where the application's code is at work, after a thread dump.
    fn busy(&self, before: &str) -> String {
        self.watched
            .console(|console| console.busy_in().map(|frame| format!("{before}{frame}")))
            .unwrap_or_default()
    }
}

fn one_line(text: &str) -> String {
    match text.lines().last() {
        Some(line) => line.to_owned(),
        None => "its health check did not end".to_owned(),
    }
}
