//! Findings about limits: memory, time, processes, disk, log. Each says the limit and what ran when it was met.

use std::time::Duration;

use super::console::Console;
use super::diagnose::{Ended, shorten};
use super::red_tests;
use crate::model::{Finding, TestReport};

/// The exit code, or the finding if it was a limit that ended the build.
pub(super) fn stopped(ended: &Ended, console: &Console, tests: &TestReport) -> Result<i64, Finding> {
    let at = place(console);
    let finding = match ended {
        Ended::Code(code) => return Ok(*code),
        Ended::OutOfMemory => Finding::new(
            "out-of-memory",
            format!("The build needed more memory than its limit and was killed{at}"),
            "Maven's JVM and the tests' JVMs share the container's memory. Lower -Xmx in .mvn/jvm.config and Surefire's <argLine>, or reduce <forkCount>; the limit is in the pipeline's stack.",
        ),
        Ended::TimedOut { after } => Finding::new(
            "time-limit",
            format!("The build was stopped after {}{at}", duration(*after)),
            "A test that waits for ever is the usual cause: give it @Timeout, and look for servers, threads and prompts that never end. The limit is in the pipeline's stack.",
        ),
        Ended::LogLimit { bytes } => Finding::new(
            "log-limit",
            format!("The build printed more than {} and was stopped{at}", size(*bytes)),
            "Something prints in a loop or logs at DEBUG: lower the log level of the tests (src/test/resources/logback-test.xml). Start and end of the log are kept.",
        ),
        Ended::DiskLimit { bytes } => Finding::new(
            "disk-limit",
            format!("The build wrote more than {} to disk and was stopped{at}", size(*bytes)),
            "Look for tests that write files without end; the limit is in the pipeline's stack.",
        ),
    };
    Err(finding
        .with_detail(evidence(console))
        .with_detail(red_tests::names(tests)))
}

/// A failed test that could not start a thread or a process.
pub(super) fn process_limit_in(tests: &TestReport) -> Option<&str> {
    tests.failures.iter().map(|failure| &*failure.message).find(|message| {
        [
            "unable to create native thread",
            "unable to create new native thread",
            "Resource temporarily unavailable",
            "Cannot fork",
        ]
        .iter()
        .any(|words| message.contains(words))
    })
}

pub(super) fn processes(console: &Console, line: &str, tests: Vec<String>) -> Finding {
    Finding::new(
        "process-limit",
        format!("The build started more processes and threads than it may{}", place(console)),
        "Look for threads or processes that are started in a loop and for pools without a bound. The limit (pids) is in the pipeline's stack.",
    )
    .with_detail([shorten(line)])
    .with_detail(tests)
}

pub(super) fn memory(console: &Console, line: &str) -> Finding {
    Finding::new(
        "out-of-memory",
        format!("A JVM of the build ran out of memory{}", place(console)),
        "Raise -Xmx in Surefire's <argLine> or .mvn/jvm.config if the tests need it; the container's own limit is in the pipeline's stack.",
    )
    .with_detail([shorten(line)])
    .with_detail(evidence(console))
}

pub(super) fn disk_full(console: &Console, line: &str) -> Finding {
    Finding::new(
        "disk-limit",
        format!("The build's disk is full{}", place(console)),
        "Look for tests that write files without end; the limit is in the pipeline's stack.",
    )
    .with_detail([shorten(line)])
}

/// ` while the test com.x.HangTest was running`, as far as it is known.
fn place(console: &Console) -> String {
    match (console.running_tests(), console.mojo()) {
        ([], None) => String::new(),
        ([], Some(mojo)) => format!(" in {}:{} of {}", mojo.plugin, mojo.goal, mojo.module),
        ([test], _) => format!(" while the test {} was running", shorten(test)),
        (tests, _) => format!(
            " while these tests were running: {}",
            shorten(&tests.iter().take(5).cloned().collect::<Vec<_>>().join(", "))
        ),
    }
}

fn evidence(console: &Console) -> Vec<String> {
    let notes = console.notes();
    let hints = [&notes.process_limit, &notes.memory, &notes.disk];
    let hints = hints
        .into_iter()
        .flatten()
        .map(|line| format!("the log says: {}", shorten(line)));
    let running = console
        .running_tests()
        .iter()
        .map(|test| format!("running: {}", shorten(test)));
    running.take(20).chain(hints).collect()
}

fn duration(time: Duration) -> String {
    match time.as_secs() {
        s if s % 3600 == 0 && s > 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 && s > 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// In the unit that gives a short number: limits are round in binary units.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let mut value = bytes;
    let mut unit = 0;
    while value >= 1024 && value.is_multiple_of(1024) && unit + 1 < UNITS.len() {
        value /= 1024;
        unit += 1;
    }
    if value < 10_000 {
        return format!("{value} {}", UNITS[unit]);
    }
    match bytes {
        1_000_000_000.. => format!("{} GB", bytes / 1_000_000_000),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_said_as_people_say_them() {
        assert_eq!(duration(Duration::from_secs(1800)), "30 min");
        assert_eq!(duration(Duration::from_secs(7200)), "2 h");
        assert_eq!(duration(Duration::from_secs(90)), "90 s");
        assert_eq!(size(100 << 20), "100 MiB");
        assert_eq!(size(3 << 30), "3 GiB");
        assert_eq!(size(50_000_000), "50 MB");
    }
}
