//! What the unit tests said.

use serde::{Deserialize, Serialize};

/// How many tests ran and how they ended, in Surefire's sense: `run` includes failures, errors and skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCounts {
    /// All tests that were met, skipped ones included.
    pub run: u32,
    /// Assertions that did not hold.
    pub failed: u32,
    /// Exceptions that were not expected.
    pub errors: u32,
    /// Not executed.
    pub skipped: u32,
}

impl TestCounts {
    /// Tests that really did something.
    pub fn executed(self) -> u32 {
        self.run.saturating_sub(self.skipped)
    }
}

/// One failed test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestFailure {
    /// Fully qualified class.
    pub class: String,
    /// Method, with the parameters that the report shows.
    pub method: String,
    /// Class of the exception, for example `org.opentest4j.AssertionFailedError`.
    pub kind: String,
    /// Message of the exception; may have several lines.
    pub message: String,
    /// First lines of the stack trace.
    pub trace: Vec<String>,
}

/// One test class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestSuite {
    /// Fully qualified class.
    pub name: String,
    /// Its numbers.
    pub counts: TestCounts,
    /// Wall time in milliseconds.
    pub millis: u64,
}

/// All reports of one build.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TestReport {
    /// Sum over all suites.
    pub counts: TestCounts,
    /// Wall time of all suites in milliseconds, as the reports say.
    pub millis: u64,
    /// Per class, sorted by name.
    pub suites: Vec<TestSuite>,
    /// Failed tests and errors.
    pub failures: Vec<TestFailure>,
    /// Tests that passed only when run again.
    pub flaky: u32,
    /// Report files that could not be read to their end, with the reason: a killed JVM leaves such.
    pub damaged: Vec<String>,
}
