//! The reports of Surefire and Failsafe (`TEST-*.xml`) become one [`TestReport`].
//!
//! Counts are taken from the test cases themselves and not from the header's attributes: what a killed JVM left behind is
//! read as far as it goes, and the file is named in [`TestReport::damaged`]. Reports are written by the project's own build and so
//! are not trusted: memory is bounded whatever the file's size (see the `tame` module), entities are never expanded, bytes that
//! are not UTF-8 are replaced.
//!
//! Format: <https://maven.apache.org/surefire/maven-surefire-plugin/xsd/surefire-test-report.xsd>. What real Surefire does beside
//! it: `flakyFailure`/`flakyError` for a test that passed when run again, `rerunFailure`/`rerunError` beside the `failure` that
//! stayed, an empty method name for a failing `@BeforeAll`, `time="1,234.5"` in older versions.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufRead, Read};
use std::path::Path;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::tame::{TOKEN, Tame};
use super::trace;
use crate::model::{TestCounts, TestFailure, TestReport, TestSuite};

/// Failures that are kept with their text; further ones are only counted.
const FAILURES: usize = 1000;

/// Suites that are kept with their numbers; further ones are only summed.
const SUITES: usize = 20_000;

/// Longest message that is kept, in characters.
const MESSAGE: usize = 4000;

/// How many directories deep reports are looked for.
const DEPTH: usize = 24;

/// Is this the path of a report: `TEST-*.xml` in a directory `surefire-reports` or `failsafe-reports`?
pub fn is_report(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    name.starts_with("TEST-")
        && name.ends_with(".xml")
        && matches!(parts.next(), Some("surefire-reports" | "failsafe-reports"))
}

/// Reads all reports below a directory; the names in the report are relative to it.
///
/// Links are not followed. Fails only when the disk does: a report that is no report is named as damaged.
pub fn read_directory(directory: &Path) -> io::Result<TestReport> {
    let mut found = Vec::new();
    let mut waiting = VecDeque::from([(directory.to_owned(), String::new(), 0)]);
    while let Some((place, prefix, depth)) = waiting.pop_front() {
        for entry in fs::read_dir(&place)? {
            let entry = entry?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if kind.is_dir() && depth < DEPTH {
                waiting.push_back((entry.path(), format!("{path}/"), depth + 1));
            } else if kind.is_file() && is_report(&path) {
                found.push((path, entry.path()));
            }
        }
    }
    found.sort();
    let mut collected = Collected::default();
    // One after the other: with thousands of reports, handles opened in advance would run out.
    for (path, file) in found {
        collected.read(&path, fs::File::open(file)?);
    }
    Ok(collected.finish())
}

/// Reads reports from anywhere: pairs of path and content. The order of the files does not matter.
pub fn read_reports<R: Read>(files: impl IntoIterator<Item = (String, R)>) -> TestReport {
    let mut collected = Collected::default();
    for (path, content) in files {
        collected.read(&path, content);
    }
    collected.finish()
}

/// What was read so far, each with the path it came from: the same class in two modules is two suites.
#[derive(Default)]
struct Collected {
    report: TestReport,
    suites: Vec<(String, TestSuite)>,
    failures: Vec<(String, TestFailure)>,
}

impl Collected {
    fn read(&mut self, path: &str, content: impl Read) {
        if let Err(reason) = (OneFile {
            path,
            all: self,
            suites: Vec::new(),
            case: None,
            trouble: None,
        })
        .read(content)
        {
            self.report.damaged.push(format!("{path}: {reason}"));
        }
    }

    fn close(&mut self, path: &str, suite: OpenSuite) {
        let counts = &mut self.report.counts;
        counts.run = counts.run.saturating_add(suite.counts.run);
        counts.failed = counts.failed.saturating_add(suite.counts.failed);
        counts.errors = counts.errors.saturating_add(suite.counts.errors);
        counts.skipped = counts.skipped.saturating_add(suite.counts.skipped);
        let millis = suite.millis.unwrap_or(suite.case_millis);
        self.report.millis = self.report.millis.saturating_add(millis);
        if self.suites.len() < SUITES {
            self.suites.push((
                path.to_owned(),
                TestSuite {
                    name: suite.name,
                    counts: suite.counts,
                    millis,
                },
            ));
        }
    }

    fn finish(mut self) -> TestReport {
        self.suites
            .sort_by(|(path, a), (other, b)| (&a.name, path).cmp(&(&b.name, other)));
        // Stable: inside one file the order of execution stays.
        self.failures
            .sort_by(|(path, a), (other, b)| (&a.class, path).cmp(&(&b.class, other)));
        self.report.damaged.sort();
        self.report.suites = self.suites.into_iter().map(|(_, suite)| suite).collect();
        self.report.failures = self.failures.into_iter().map(|(_, failure)| failure).collect();
        self.report
    }
}

#[derive(Default)]
struct OpenSuite {
    name: String,
    counts: TestCounts,
    /// What the suite says of itself; it includes the set-up of the class.
    millis: Option<u64>,
    case_millis: u64,
    /// Groups of groups (`<testsuites>`, an outer `<testsuite>`) have no cases of their own and are not shown.
    has_inner: bool,
}

struct OpenCase {
    class: String,
    method: String,
    skipped: bool,
    flaky: bool,
}

struct Trouble {
    is_error: bool,
    kind: String,
    message: Option<String>,
    text: String,
}

/// One file while it is read.
struct OneFile<'a> {
    path: &'a str,
    all: &'a mut Collected,
    suites: Vec<OpenSuite>,
    case: Option<OpenCase>,
    trouble: Option<Trouble>,
}

impl OneFile<'_> {
    /// `Err` says why it ends before its end; what came before is kept.
    fn read(mut self, content: impl Read) -> Result<(), String> {
        let mut tame = Tame::new(content);
        let result = match tame.fill_buf() {
            Err(error) => Err(error.to_string()),
            Ok([]) => Err("it is empty: the JVM was killed before it wrote the report".to_owned()),
            Ok(_) => self.events(tame),
        };
        // A case that never ended has no result: it was running when the JVM died. It counts as an error.
        if let Some(case) = self.case.take() {
            let trouble = self.trouble.take().unwrap_or_else(|| Trouble {
                is_error: true,
                kind: String::new(),
                message: Some("the report breaks off in this test".to_owned()),
                text: String::new(),
            });
            self.count(case, Some(trouble));
        }
        while let Some(suite) = self.suites.pop() {
            self.close(suite);
        }
        result
    }

    fn events(&mut self, tame: Tame<impl Read>) -> Result<(), String> {
        let mut reader = Reader::from_reader(tame);
        let config = reader.config_mut();
        config.allow_dangling_amp = true;
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        let mut buffer = Vec::new();
        let mut any = false;
        // Names of the open elements; deeper than this is not a report.
        let mut open: Vec<String> = Vec::new();
        loop {
            buffer.clear();
            match reader.read_event_into(&mut buffer).map_err(|error| error.to_string())? {
                Event::Start(tag) => {
                    let name = tag.local_name().as_ref().to_owned();
                    any |= name.starts_with("testsuite");
                    self.start(&name, &tag);
                    open.push(name);
                    if open.len() > 64 {
                        return Err("its elements are nested too deep for a test report".to_owned());
                    }
                }
                Event::Empty(tag) => {
                    let name = tag.local_name().as_ref().to_owned();
                    any |= name.starts_with("testsuite");
                    self.start(&name, &tag);
                    self.end(&name);
                }
                Event::End(tag) => {
                    let name = tag.local_name().as_ref().to_owned();
                    if open.pop().as_deref() != Some(&name) {
                        return Err(format!("</{name}> closes something that was not open"));
                    }
                    self.end(&name);
                }
                Event::Text(text) => self.text(&text.xml10_content(), &open),
                Event::CData(text) => self.text(&text.xml10_content(), &open),
                Event::GeneralRef(name) => {
                    let text = match name.resolve_char_ref() {
                        Ok(Some(c)) => c.to_string(),
                        _ => match quick_xml::escape::resolve_predefined_entity(&name) {
                            Some(text) => text.to_owned(),
                            // Declared in the file's own DTD: such are never expanded.
                            None => format!("&{};", &*name),
                        },
                    };
                    self.text(&text, &open);
                }
                Event::Eof if !open.is_empty() => {
                    return Err("it breaks off: the JVM was killed while it was written".to_owned());
                }
                Event::Eof if !any => return Err("it is no test report".to_owned()),
                Event::Eof => return Ok(()),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }

    fn start(&mut self, name: &str, tag: &BytesStart<'_>) {
        let attribute = |key: &str| attribute(tag, key);
        match name {
            "testsuite" | "testsuites" => {
                if let Some(outer) = self.suites.last_mut() {
                    outer.has_inner = true;
                }
                self.suites.push(OpenSuite {
                    name: attribute("name").unwrap_or_default(),
                    millis: attribute("time").and_then(|time| millis(&time)),
                    ..OpenSuite::default()
                });
            }
            "testcase" => {
                let suite = self.suites.last_mut();
                let class = attribute("classname")
                    .or_else(|| suite.as_ref().map(|suite| suite.name.clone()))
                    .unwrap_or_default();
                if let Some(suite) = suite {
                    let time = attribute("time").and_then(|time| millis(&time));
                    suite.case_millis = suite.case_millis.saturating_add(time.unwrap_or(0));
                }
                self.case = Some(OpenCase {
                    class,
                    method: attribute("name").unwrap_or_default(),
                    skipped: false,
                    flaky: false,
                });
            }
            "skipped" => {
                if let Some(case) = &mut self.case {
                    case.skipped = true;
                }
            }
            "flakyFailure" | "flakyError" => {
                if let Some(case) = &mut self.case {
                    case.flaky = true;
                }
            }
            // The first one counts; a second in the same case is the tear-down's.
            "failure" | "error" if self.case.is_some() && self.trouble.is_none() => {
                self.trouble = Some(Trouble {
                    is_error: name == "error",
                    kind: attribute("type").unwrap_or_default(),
                    message: attribute("message").filter(|message| !message.trim().is_empty()),
                    text: String::new(),
                });
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, open: &[String]) {
        if let (Some("failure" | "error"), Some(trouble)) = (open.last().map(String::as_str), &mut self.trouble)
            && trouble.text.len() < TOKEN
        {
            trouble.text.push_str(text);
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "testcase" => {
                if let Some(case) = self.case.take() {
                    let trouble = self.trouble.take();
                    self.count(case, trouble);
                }
            }
            "testsuite" | "testsuites" => {
                if let Some(suite) = self.suites.pop() {
                    self.close(suite);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, suite: OpenSuite) {
        if suite.counts.run > 0 || !suite.has_inner {
            self.all.close(self.path, suite);
        }
    }

    fn count(&mut self, case: OpenCase, trouble: Option<Trouble>) {
        if self.suites.is_empty() {
            self.suites.push(OpenSuite {
                name: case.class.clone(),
                ..OpenSuite::default()
            });
        }
        let Some(suite) = self.suites.last_mut() else {
            return;
        };
        suite.counts.run += 1;
        match &trouble {
            Some(trouble) if trouble.is_error => suite.counts.errors += 1,
            Some(_) => suite.counts.failed += 1,
            None if case.skipped => suite.counts.skipped += 1,
            None => self.all.report.flaky += u32::from(case.flaky),
        }
        if let Some(trouble) = trouble
            && self.all.failures.len() < FAILURES
        {
            let failure = failure(case, trouble);
            self.all.failures.push((self.path.to_owned(), failure));
        }
    }
}

fn failure(case: OpenCase, trouble: Trouble) -> TestFailure {
    let text = tidy(&trouble.text);
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let first = first.split("\tat ").next().unwrap_or(first);
    let message = match trouble.message {
        Some(message) => tidy(&message),
        // Without a message attribute the first line has it, behind the class of the exception.
        None => first
            .strip_prefix(&*trouble.kind)
            .map_or(first, |rest| rest.trim_start_matches(':'))
            .trim()
            .to_owned(),
    };
    TestFailure {
        trace: trace::shorten(&text, &case.class),
        class: case.class,
        method: case.method,
        kind: trouble.kind,
        message: message.trim().chars().take(MESSAGE).collect(),
    }
}

/// Surefire writes characters that XML cannot hold as `&#27;`, escaped once or twice; they are of no use to a reader.
fn tidy(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        clean.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let number = tail
            .strip_prefix("amp")
            .unwrap_or(tail)
            .trim_start_matches(';')
            .strip_prefix('#');
        let control = number
            .and_then(|number| number.split_once(';'))
            .filter(|(digits, _)| digits.parse::<u32>().is_ok_and(|code| code < 32));
        match control {
            Some((_, behind)) => rest = behind,
            None => {
                clean.push('&');
                rest = tail;
            }
        }
    }
    clean.push_str(rest);
    clean.retain(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    clean
}

fn attribute(tag: &BytesStart<'_>, key: &str) -> Option<String> {
    let found = tag
        .attributes()
        .with_checks(false)
        .flatten()
        .find(|attribute| attribute.key.local_name().as_ref() == key)?;
    Some(match found.normalized_value(XmlVersion::Implicit1_0) {
        Ok(value) => value.into_owned(),
        // An entity that nobody knows: better its name than nothing.
        Err(_) => found.value.into_owned(),
    })
}

/// Seconds with a thousands separator that older versions write (`1,234.5`) → milliseconds.
fn millis(time: &str) -> Option<u64> {
    let seconds: f64 = time.trim().replace(',', "").parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and that is wanted"
    )]
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds * 1000.0).round() as u64)
}

#[cfg(test)]
mod tests;
