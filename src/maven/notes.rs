//! The lines of Maven's console that explain a failure, sorted by what they mean. The first of each kind are kept, not all.

use super::console::{Level, Where};

/// Lines that are kept of each kind.
const KEPT: usize = 20;

/// A message of the compiler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CompileError {
    /// `file:line:column: message`.
    pub(super) text: String,
    /// `symbol: …`, `location: …`.
    pub(super) more: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Notes {
    root: String,
    /// `[ERROR]` lines before Maven's end and after it.
    pub(super) errors: Vec<String>,
    pub(super) final_errors: Vec<String>,
    /// "Failed to execute goal …": the goal that ended the build, or that there was none to execute.
    pub(super) failed_goal: Option<String>,
    pub(super) compile_errors: Vec<CompileError>,
    pub(super) in_test_classes: bool,
    /// The compiler's message goes on in the next lines.
    compile_open: bool,
    pub(super) dependencies: Vec<String>,
    pub(super) wrapper: Vec<String>,
    pub(super) process_limit: Option<String>,
    pub(super) memory: Option<String>,
    pub(super) disk: Option<String>,
    pub(super) jvm_died: Option<String>,
    pub(super) jvm_exit: Option<String>,
    pub(super) crashed: Vec<String>,
    crashed_open: bool,
    pub(super) no_pom: bool,
    pub(super) tests_skipped: bool,
    pub(super) command_missing: Option<String>,
}

impl Notes {
    pub(super) fn in_directory(directory: &str) -> Self {
        Self {
            root: format!("{}/", directory.trim_end_matches('/')),
            ..Self::default()
        }
    }

    pub(super) fn take(&mut self, level: Level, text: &str, line: &str, place: Where) {
        self.limits(line);
        match level {
            Level::Error => self.error(text, place),
            Level::None => self.bare(line, place),
            Level::Info | Level::Warning => {
                self.compile_open = false;
                self.tests_skipped |= text == "Tests are skipped.";
            }
        }
    }

    /// Words that tell of a limit, wherever they stand. They may be a test's own, so they count only when there is no better reason.
    fn limits(&mut self, line: &str) {
        let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
        let slot = if has(&[
            "unable to create native thread",
            "unable to create new native thread",
            "pthread_create failed",
            "Cannot fork",
            "fork: retry",
            "Resource temporarily unavailable",
        ]) {
            &mut self.process_limit
        } else if has(&[
            "java.lang.OutOfMemoryError",
            "insufficient memory for the Java Runtime",
            "Cannot allocate memory",
        ]) {
            &mut self.memory
        } else if has(&["No space left on device", "Disk quota exceeded"]) {
            &mut self.disk
        } else {
            return;
        };
        slot.get_or_insert_with(|| line.chars().take(300).collect());
    }

    /// Lines without a mark of Maven: the compiler's details, and what the shell or the wrapper says before Maven runs.
    fn bare(&mut self, line: &str, place: Where) {
        if self.compile_open && line.starts_with("  ") {
            self.compile_detail(line);
            return;
        }
        self.compile_open = false;
        if !place.before_maven {
            return;
        }
        if line.ends_with("not found")
            || line.ends_with("No such file or directory")
            || line.ends_with("Permission denied")
        {
            self.command_missing.get_or_insert_with(|| line.to_owned());
        }
        let network = [
            "curl: (",
            "wget: ",
            "java.net.",
            "javax.net.ssl.",
            "Failed to fetch",
            "failed to fetch",
            "unable to resolve host",
            "Connection refused",
        ];
        if network.iter().any(|word| line.contains(word)) && self.wrapper.len() < KEPT {
            self.wrapper.push(line.to_owned());
        }
    }

    fn error(&mut self, text: &str, place: Where) {
        if place.in_tests {
            return self.test_error(text);
        }
        if let Some(error) = self.compile_error(text) {
            self.in_test_classes |= place.in_test_compile;
            self.compile_open =
                !self.compile_errors.iter().any(|known| known.text == error.text) && self.compile_errors.len() < KEPT;
            if self.compile_open {
                self.compile_errors.push(error);
            }
            return;
        }
        if self.compile_open && text.starts_with("  ") {
            return self.compile_detail(text);
        }
        self.compile_open = false;
        self.crashes(text);
        let text = text.split(" -> [Help ").next().unwrap_or(text).trim();
        if is_noise(text) {
            return;
        }
        self.no_pom |= text.contains("there is no POM in this directory");
        if text.starts_with("Failed to execute goal") {
            self.failed_goal.get_or_insert_with(|| text.to_owned());
        }
        if speaks_of_repositories(text) {
            keep(&mut self.dependencies, text);
        }
        keep(
            if place.ended {
                &mut self.final_errors
            } else {
                &mut self.errors
            },
            text,
        );
    }

    /// Between tests only Surefire's own news count: a test may log lines that look like Maven's.
    fn test_error(&mut self, text: &str) {
        self.crashes(text);
        if !is_noise(text) {
            keep(&mut self.errors, text);
        }
    }

    fn crashes(&mut self, text: &str) {
        if text.contains("The forked VM terminated") || text.contains("There was a timeout") && text.contains("fork") {
            self.jvm_died.get_or_insert_with(|| text.to_owned());
        }
        if let Some(code) = text.strip_prefix("Process Exit Code: ") {
            self.jvm_exit.get_or_insert_with(|| code.trim().to_owned());
        }
        let class = self.crashed_open && !text.is_empty() && !text.contains([' ', '\t', ':']);
        if class {
            keep(&mut self.crashed, text);
        }
        self.crashed_open = class || text.starts_with("Crashed tests:");
    }

    /// `/path/File.java:[12,8] message`; other compilers write `/path/File.kt:12:8 message` or `[12,8]` the same way.
    fn compile_error(&self, text: &str) -> Option<CompileError> {
        let (file, rest) = text.split_once(":[")?;
        let (place, message) = rest.split_once(']')?;
        let (line, column) = place.split_once(',')?;
        let numbers = [line, column].iter().all(|n| n.parse::<u32>().is_ok());
        let is_file = file.rsplit('/').next().is_some_and(|name| name.contains('.'));
        if !numbers || !is_file {
            return None;
        }
        let file = match file.strip_prefix(&self.root) {
            Some(file) if !self.root.is_empty() => file,
            _ => file,
        };
        Some(CompileError {
            text: format!("{file}:{line}:{column}: {}", message.trim()),
            more: Vec::new(),
        })
    }

    fn compile_detail(&mut self, text: &str) {
        if let Some(error) = self.compile_errors.last_mut()
            && error.more.len() < 3
        {
            error.more.push(text.trim_end().to_owned());
        }
    }

    /// Bytes that are kept.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        let texts = self.errors.iter().chain(&self.final_errors).chain(&self.dependencies);
        texts.map(String::len).sum::<usize>() + self.compile_errors.iter().map(|error| error.text.len()).sum::<usize>()
    }
}

fn keep(list: &mut Vec<String>, text: &str) {
    if list.len() < KEPT && !list.iter().any(|known| known == text) {
        list.push(text.to_owned());
    }
}

/// Does the line tell that something could not be got from a Maven repository?
fn speaks_of_repositories(text: &str) -> bool {
    [
        "Could not resolve dependencies",
        "could not be resolved",
        "Could not find artifact",
        "Could not transfer",
        "could not transfer",
        "Non-resolvable",
        "Failed to collect dependencies",
        "in offline mode",
        "Failure to find",
        "failed to transfer",
        "Error resolving version for plugin",
        "No plugin found for prefix",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// Maven's advice to those who started it by hand, and stack traces.
fn is_noise(text: &str) -> bool {
    text.is_empty()
        || text.starts_with("\tat ")
        || text.starts_with("at ")
        || text.starts_with("-> [Help")
        || [
            "[Help ",
            "To see the full stack trace",
            "Re-run Maven",
            "For more information about the errors",
            "See dump files",
            "Command was ",
            "After correcting the problems",
            "  mvn <",
            "mvn <",
            "COMPILATION ERROR",
        ]
        .iter()
        .any(|words| text.starts_with(words))
}
