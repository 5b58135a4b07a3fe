//! Why is the build red? One finding from how Maven ended, what it printed and what its reports say.
//!
//! The order is from the sure to the guessed: a limit that the engine enforced, then red tests (whatever Maven's exit code says:
//! `testFailureIgnore` hides them), then what Maven printed. Words like "out of memory" may be a test's own output, so they explain a
//! failure only when nothing surer does.
//!
//! A repository manager that does not answer is nobody's fault in the project: ask [`world_fault`] first and try again.

use std::time::Duration;

use super::console::Console;
use super::limits;
use super::red_tests;
use crate::model::{Finding, TestReport};

/// How the build container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(i64),
    /// The engine says that its memory limit killed it.
    OutOfMemory,
    /// We stopped it: it ran longer than it may.
    TimedOut {
        /// The limit.
        after: Duration,
    },
    /// We stopped it: it printed more than it may.
    LogLimit {
        /// The limit.
        bytes: u64,
    },
    /// We stopped it: it wrote more to its disk than it may.
    DiskLimit {
        /// The limit.
        bytes: u64,
    },
}

/// `Ok` with remarks that fail nothing when the build is green, else the finding that ends it.
///
/// `tests_required`: is it fatal that no test was executed?
pub fn diagnose(
    ended: &Ended,
    console: &Console,
    tests: &TestReport,
    tests_required: bool,
) -> Result<Vec<Finding>, Finding> {
    let code = limits::stopped(ended, console, tests)?;
    let red = tests.counts.failed + tests.counts.errors > 0;
    if red {
        return Err(match limits::process_limit_in(tests) {
            Some(line) => limits::processes(console, line, red_tests::names(tests)),
            None => red_tests::finding(console, tests, code),
        });
    }
    if code != 0 {
        return Err(failed(code, console));
    }
    let mut remarks = Vec::new();
    if tests.counts.executed() == 0 {
        let finding = no_tests(console, tests);
        if tests_required {
            return Err(finding);
        }
        remarks.push(finding);
    }
    if !tests.damaged.is_empty() {
        remarks.push(
            Finding::new(
                "reports-damaged",
                format!("{} test report(s) could not be read to the end", tests.damaged.len()),
                "Maven says that all tests passed, so the build goes on; look whether a test ends the JVM (System.exit).",
            )
            .with_detail(tests.damaged.iter().take(20).cloned()),
        );
    }
    Ok(remarks)
}

/// The world's fault, if it is one: the Maven repository cannot be reached, is broken or lets nobody in. The text says which and how.
///
/// To be asked when Maven's exit code is not 0 and no test is red, before [`diagnose()`].
pub fn world_fault(console: &Console) -> Option<String> {
    if console.succeeded() == Some(true) {
        return None;
    }
    let notes = console.notes();
    let refused = |line: &str| {
        ["403", "Forbidden", "Blocked mirror", "http-blocker"]
            .iter()
            .any(|word| line.contains(word))
    };
    let broken = |line: &&String| {
        let transfer = line.contains("ould not transfer") || line.contains("failed to transfer");
        transfer && !refused(line)
    };
    // Maven 3.8 gives the cause in a later, longer line than the first.
    let line = notes.dependencies.iter().filter(broken).max_by_key(|line| line.len());
    let wrapper = || {
        notes
            .wrapper
            .first()
            .filter(|_| console.modules().is_empty() && console.mojo().is_none())
    };
    line.map(|line| format!("the Maven repository does not answer as it should: {line}"))
        .or_else(|| wrapper().map(|line| format!("the Maven Wrapper could not download Maven: {line}")))
}

/// A tree that Maven cannot build, judged by the names in its root directory.
pub fn unsupported_build<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Finding> {
    let names: Vec<&str> = names.into_iter().collect();
    let has = |name: &str| names.contains(&name);
    // Polyglot Maven reads other forms of the POM.
    if has("pom.xml") || names.iter().any(|name| name.starts_with("pom.")) {
        return None;
    }
    let other = [
        ("build.gradle", "Gradle"),
        ("build.gradle.kts", "Gradle"),
        ("settings.gradle", "Gradle"),
        ("build.xml", "Ant"),
        ("build.sbt", "sbt"),
        ("BUILD.bazel", "Bazel"),
        ("package.json", "npm"),
    ];
    let title = match other.into_iter().find(|(name, _)| has(name)) {
        Some((name, tool)) => {
            format!("This is a {tool} project ({name}), and there is no pom.xml in its root directory")
        }
        None => "There is no POM in this directory: pom.xml is missing from the root of the project".to_owned(),
    };
    let mut shown: Vec<String> = names.iter().take(40).map(|name| (*name).to_owned()).collect();
    shown.sort();
    Some(
        Finding::new(
            "not-maven",
            title,
            "Only Maven projects are built here. If the POM lies in a subdirectory, let the pipeline's command name it (mvn -f path/pom.xml …).",
        )
        .with_detail([format!("found in the root directory: {}", shown.join(", "))]),
    )
}

fn failed(code: i64, console: &Console) -> Finding {
    let notes = console.notes();
    if let Some(line) = &notes.process_limit {
        return limits::processes(console, line, Vec::new());
    }
    if let Some(line) = &notes.disk {
        return limits::disk_full(console, line);
    }
    if notes.jvm_died.is_some() {
        return red_tests::jvm_died(console);
    }
    if let Some(line) = &notes.memory {
        return limits::memory(console, line);
    }
    if !notes.compile_errors.is_empty() {
        return compile_error(console);
    }
    if notes.no_pom {
        return Finding::new(
            "not-maven",
            "There is no POM in this directory: pom.xml is missing where Maven was started",
            "Only Maven projects are built here. If the POM lies in a subdirectory, let the pipeline's command name it (mvn -f path/pom.xml …).",
        );
    }
    if !notes.dependencies.is_empty() {
        return dependency_missing(console);
    }
    if matches!(code, 126 | 127) {
        return command_missing(code, console);
    }
    maven_failed(code, console)
}

fn compile_error(console: &Console) -> Finding {
    let notes = console.notes();
    let count = notes.compile_errors.len();
    let first = &notes.compile_errors[0].text;
    let what = if notes.in_test_classes {
        "The test classes do not compile"
    } else {
        "The code does not compile"
    };
    let more = if count > 1 {
        format!(" (and {} more)", count - 1)
    } else {
        String::new()
    };
    let detail = notes
        .compile_errors
        .iter()
        .flat_map(|error| std::iter::once(&error.text).chain(&error.more).cloned());
    Finding::new(
        "compile-error",
        format!("{what}: {first}{more}"),
        "What is compiled is your branch merged into the target branch: if it compiles on your desk, merge or rebase onto the target first.",
    )
    .with_detail(detail)
}

fn dependency_missing(console: &Console) -> Finding {
    let notes = console.notes();
    let text = notes.dependencies.join("\n");
    let first = &notes.dependencies[0];
    let short = first
        .split_once(": ")
        .filter(|(head, _)| head.contains("Failed to execute goal"))
        .map_or(&**first, |(_, rest)| rest);
    let help = if text.contains("Blocked mirror") || text.contains("http-blocker") {
        "A POM names a repository with http:// and Maven refuses such. Remove that repository from the POM; the house's mirror serves the artifacts."
    } else if text.contains("offline mode") {
        "Maven runs offline here (-o) and the artifact is not in the project's cache. Take -o out of the pipeline's command or .mvn/maven.config."
    } else if text.contains("403") || text.contains("Forbidden") {
        "The repository manager refuses this artifact: it is blocked by a rule of the house, or the account in settings.xml may not read it. Ask the platform team."
    } else {
        "Check the version (is it published, and not only installed on your desk?). If it comes from a repository of its own, the mirror in the settings.xml of the house must serve that repository."
    };
    Finding::new(
        "dependency-missing",
        format!("A dependency or plugin cannot be found: {}", shorten(short)),
        help,
    )
    .with_detail(notes.dependencies.iter().cloned())
}

fn command_missing(code: i64, console: &Console) -> Finding {
    let line = console
        .notes()
        .command_missing
        .as_ref()
        .or_else(|| console.last_lines().last());
    let said = line.map_or_else(String::new, |line| format!(": {}", shorten(line)));
    let (title, help) = if code == 126 {
        (
            format!("The build command may not be executed{said}"),
            "Make the Maven Wrapper executable in Git: git update-index --chmod=+x mvnw",
        )
    } else {
        (
            format!("The build command was not found{said}"),
            "The pipeline's command names a program that the builder image does not have. If it is ./mvnw, commit the wrapper (mvnw and .mvn/) with Unix line ends, or use mvn.",
        )
    };
    Finding::new("command-not-found", title, help).with_detail(console.last_lines().cloned())
}

fn maven_failed(code: i64, console: &Console) -> Finding {
    let notes = console.notes();
    let errors = if notes.final_errors.is_empty() {
        &notes.errors
    } else {
        &notes.final_errors
    };
    let first = notes.failed_goal.as_ref().or_else(|| errors.first());
    let (rule, help) = match first {
        Some(line) if line.contains("No tests were executed") || line.contains("No tests matching") => (
            "no-tests",
            "Check the names of the test classes (*Test, Test*, *Tests) and Surefire's <includes>.",
        ),
        Some(line) if line.contains("release version") || line.contains("invalid target release") => (
            "compile-error",
            "The project asks for a newer Java than the JDK that built it, and no POM in the repository says so: write maven.compiler.release into the project's own POM, or let the pipeline say it (jdk = …).",
        ),
        _ => (
            "maven-failed",
            "Run the same command on your desk, on your branch merged into the target branch; the log has the whole output.",
        ),
    };
    let title = match (first, code) {
        (Some(line), _) => format!(
            "Maven failed: {}",
            shorten(goal_in_short(line).as_deref().unwrap_or(line))
        ),
        (None, 137 | 143) => {
            format!("Maven was killed (exit code {code}) before it said anything of its end")
        }
        (None, _) => format!("Maven ended with exit code {code} and without an [ERROR] line"),
    };
    let finding = Finding::new(rule, title, help);
    if errors.is_empty() {
        finding.with_detail(console.last_lines().cloned())
    } else {
        finding.with_detail(errors.iter().cloned())
    }
}

/// `enforcer:enforce of app: message` out of `Failed to execute goal g:maven-enforcer-plugin:3.4:enforce (id) on project app: message`.
fn goal_in_short(line: &str) -> Option<String> {
    let rest = line.strip_prefix("Failed to execute goal ")?;
    let (goal, rest) = rest.split_once(" (")?;
    let (project, message) = rest.split_once(" on project ")?.1.split_once(':')?;
    let mut parts = goal.rsplit(':');
    let (name, _version, plugin) = (parts.next()?, parts.next()?, parts.next()?);
    Some(format!("{plugin}:{name} of {project}: {}", message.trim()))
}

/// One line of at most 300 characters, as a title wants it.
pub(super) fn shorten(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn no_tests(console: &Console, tests: &TestReport) -> Finding {
    let skipped = tests.counts.skipped;
    let title = match skipped {
        0 if console.notes().tests_skipped => {
            "No test was executed: the project tells Maven to skip the tests".to_owned()
        }
        0 => "No test was executed".to_owned(),
        _ => format!("No test was executed: all {skipped} are skipped"),
    };
    let modules = console
        .modules()
        .iter()
        .map(|module| format!("module {} ({})", module.id, module.packaging));
    Finding::new(
        "no-tests",
        title,
        "Check <skipTests> and maven.test.skip in the POM and .mvn/, the names of the test classes (*Test, Test*, *Tests), and that the JUnit engine is a test dependency.",
    )
    .with_detail(modules.take(40))
}

#[cfg(test)]
mod tests;
