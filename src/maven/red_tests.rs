//! Findings about tests: the red ones by name and message, and a test's JVM that died.

use super::console::Console;
use super::diagnose::shorten;
use crate::model::{Finding, TestFailure, TestReport};

/// Tests in the title.
const IN_TITLE: usize = 3;

/// Tests with their messages.
const IN_DETAIL: usize = 20;

/// Lines of one test's message, and of its trace.
const LINES: usize = 6;

/// `2 of 14 tests failed: CartTest.addsTwice, OrderTest.total`, each with its message and the first lines of its trace.
pub(super) fn finding(console: &Console, tests: &TestReport, code: i64) -> Finding {
    let red = tests.counts.failed + tests.counts.errors;
    let names: Vec<String> = tests.failures.iter().take(IN_TITLE).map(short_name).collect();
    let more = match red as usize - names.len().min(red as usize) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let mut detail: Vec<String> = tests.failures.iter().take(IN_DETAIL).flat_map(lines).collect();
    if red as usize > IN_DETAIL {
        detail.push(format!(
            "… and {} more failed tests, see the test reports",
            red as usize - IN_DETAIL
        ));
    }
    if code == 0 {
        detail.push(
            "Maven itself ended well: testFailureIgnore is set. A red test fails the build all the same.".to_owned(),
        );
    }
    detail.extend(
        tests
            .damaged
            .iter()
            .take(5)
            .map(|file| format!("damaged report: {file}")),
    );
    if let Some(line) = &console.notes().memory {
        detail.push(format!("the log also says: {}", shorten(line)));
    }
    Finding::new(
        "tests-failed",
        format!("{red} of {} tests failed: {}{more}", tests.counts.run, shorten(&names.join(", "))),
        "Run the tests on your branch merged into the target branch: that merge is what is tested here, a change of the target may be the cause.",
    )
    .with_detail(detail)
}

/// `failed: com.x.CartTest#adds`, for findings whose title is about something else.
pub(super) fn names(tests: &TestReport) -> Vec<String> {
    tests
        .failures
        .iter()
        .take(IN_DETAIL)
        .map(|failure| format!("failed: {}", name(failure)))
        .collect()
}

/// Surefire's JVM went away in the middle: `System.exit`, a crash, or a signal.
pub(super) fn jvm_died(console: &Console) -> Finding {
    let notes = console.notes();
    let tests = if notes.crashed.is_empty() {
        console.running_tests()
    } else {
        &notes.crashed
    };
    let what = match tests {
        [] => String::new(),
        tests => format!(
            " in {}",
            shorten(&tests.iter().take(IN_TITLE).cloned().collect::<Vec<_>>().join(", "))
        ),
    };
    let detail = notes.errors.iter().chain(&notes.final_errors).take(IN_DETAIL).cloned();
    let timeout = notes.jvm_died.as_deref().is_some_and(|line| line.contains("timeout"));
    let (rule, title, help) = match notes.jvm_exit.as_deref() {
        _ if timeout => (
            "time-limit",
            format!("The tests took longer than Surefire's own limit{what}"),
            "A test that waits for ever is the usual cause: give it @Timeout. The limit is forkedProcessTimeoutInSeconds in the POM.",
        ),
        Some("137") => (
            "out-of-memory",
            format!("The JVM of the tests was killed (exit code 137){what}: most often by the memory limit"),
            "Maven's JVM and the tests' JVMs share the container's memory. Lower -Xmx in Surefire's <argLine> and <forkCount>; the limit is in the pipeline's stack.",
        ),
        code => (
            "test-jvm-died",
            format!(
                "The JVM of the tests died{}{what}",
                code.map_or_else(String::new, |code| format!(" (exit code {code})"))
            ),
            "Look for System.exit and Runtime.halt in the code under test, and for crashes in native libraries (hs_err files).",
        ),
    };
    Finding::new(rule, title, help).with_detail(detail)
}

fn lines(failure: &TestFailure) -> Vec<String> {
    let mut message = failure.message.lines().filter(|line| !line.trim().is_empty());
    let kind = failure.kind.rsplit('.').next().unwrap_or_default();
    let first = message.next().unwrap_or(kind);
    // An assertion's message speaks for itself; of another exception the kind is half of the message.
    let first = if kind.is_empty() || kind.contains("Assert") || kind == first {
        first.to_owned()
    } else {
        format!("{kind}: {first}")
    };
    let frames = failure.trace.iter().filter(|line| {
        let line = line.trim_start();
        line.starts_with("at ") || line.starts_with("Caused by: ")
    });
    let rest = message
        .take(LINES)
        .chain(frames.take(LINES).map(|line| line.trim_start()));
    std::iter::once(format!("{}: {}", name(failure), shorten(&first)))
        .chain(rest.map(|line| format!("    {}", shorten(line))))
        .collect()
}

fn name(failure: &TestFailure) -> String {
    if failure.method.is_empty() {
        format!("{} (set-up or tear-down of the class)", failure.class)
    } else {
        format!("{}#{}", failure.class, failure.method)
    }
}

fn short_name(failure: &TestFailure) -> String {
    let class = failure.class.rsplit('.').next().unwrap_or(&failure.class);
    if failure.method.is_empty() {
        format!("{class} (set-up)")
    } else {
        format!("{class}.{}", failure.method)
    }
}
