//! The console of a Tomcat that starts, line by line.
//!
//! Read are the messages of Tomcat's own classes in the form of `org.apache.juli.OneLineFormatter`, which the house's
//! `logging.properties` asks for; their English texts are the same from 8.5 to 11 (`LocalStrings.properties` of
//! `org.apache.catalina.core`, `.startup`). What the application prints itself is kept as context.

use std::collections::VecDeque;

use super::dump::Dump;

/// Lines that are kept of what was printed last.
const TAIL: usize = 60;
/// Lines that are kept of one trouble.
const BLOCK: usize = 40;
/// Troubles that are kept; the first ones are the causes of the others.
const TROUBLES: usize = 8;

/// The classes of Tomcat that start applications and connectors.
const STARTERS: [&str; 6] = [
    "org.apache.catalina.core.StandardContext.",
    "org.apache.catalina.core.StandardWrapper.",
    "org.apache.catalina.core.ContainerBase.",
    "org.apache.catalina.startup.HostConfig.",
    "org.apache.catalina.startup.Catalina.",
    "org.apache.catalina.util.LifecycleBase.",
];

/// Something that Tomcat calls severe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What Tomcat says, without time and thread.
    pub message: String,
    /// The exception at the bottom: class and message.
    pub cause: Option<String>,
    /// Does Tomcat say with it that the application is not there?
    pub is_fatal: bool,
    /// Is it told by the parts of Tomcat that start applications?
    of_start: bool,
    /// The lines of it.
    pub lines: Vec<String>,
}

/// What was printed so far.
#[derive(Debug, Default)]
pub struct Console {
    tail: VecDeque<String>,
    troubles: Vec<Trouble>,
    /// Do the lines of the last trouble still go on?
    in_trouble: bool,
    started: bool,
    out_of_memory: Option<String>,
    dump: Dump,
}

impl Console {
    /// Takes the next line.
    pub fn line(&mut self, line: &str) {
        self.tail.push_back(line.to_owned());
        if self.tail.len() > TAIL {
            self.tail.pop_front();
        }
        self.dump.line(line);
        if line.starts_with("Terminating due to java.lang.OutOfMemoryError")
            || line.starts_with("java.lang.OutOfMemoryError: ")
        {
            self.out_of_memory.get_or_insert_with(|| line.to_owned());
        }
        match message(line) {
            Some((level, text)) => {
                self.in_trouble = false;
                if text.starts_with("org.apache.catalina.startup.Catalina.start ") {
                    self.started = true;
                }
                // Failed servlets that are loaded at the start are told of as warnings or as severe, by version.
                if (level == "SEVERE" || text.contains("threw load() exception")) && self.troubles.len() < TROUBLES {
                    self.in_trouble = true;
                    self.troubles.push(Trouble {
                        message: without_method(text).to_owned(),
                        cause: None,
                        is_fatal: is_fatal(text),
                        of_start: STARTERS.iter().any(|class| text.starts_with(class)),
                        lines: vec![line.to_owned()],
                    });
                }
            }
            None if self.in_trouble => {
                if let Some(trouble) = self.troubles.last_mut() {
                    trouble.go_on(line);
                }
            }
            None => {}
        }
    }

    /// Has Tomcat said that it is up?
    pub fn started(&self) -> bool {
        self.started
    }

    /// Why the application is not there, by what Tomcat said; `None` if it said nothing like it.
    ///
    /// The trouble with a cause, not the one that tells of the consequence.
    pub fn failure(&self) -> Option<&Trouble> {
        if !self.troubles.iter().any(|trouble| trouble.is_fatal) {
            return None;
        }
        let with_cause = |trouble: &&Trouble| trouble.of_start && trouble.cause.is_some();
        let first = self.troubles.iter().find(with_cause);
        first.or_else(|| self.troubles.iter().find(|trouble| trouble.is_fatal))
    }

    /// The line in which a JVM says that it ran out of memory.
    pub fn out_of_memory(&self) -> Option<&str> {
        self.out_of_memory.as_deref()
    }

    /// After a thread dump: where the application's code is at work, and so what is waited for.
    pub fn busy_in(&self) -> Option<&str> {
        self.dump.busy_in()
    }

    /// What was printed last.
    pub fn tail(&self, lines: usize) -> Vec<String> {
        let skip = self.tail.len().saturating_sub(lines);
        self.tail.iter().skip(skip).cloned().collect()
    }
}

impl Trouble {
    fn go_on(&mut self, line: &str) {
        if self.lines.len() < BLOCK {
            self.lines.push(line.to_owned());
        }
        let text = line.trim_start();
        // The first line behind the message, and each deeper cause: the last one is the reason.
        if let Some(cause) = text.strip_prefix("Caused by: ") {
            self.cause = Some(cause.to_owned());
        } else if self.cause.is_none() && is_exception(text) {
            self.cause = Some(text.to_owned());
        }
    }

    /// What failed and why, in one line.
    pub fn told(&self) -> String {
        match &self.cause {
            Some(cause) => format!("{}: {cause}", self.message.trim_end_matches(':')),
            None => self.message.clone(),
        }
    }
}

/// Level and the rest, from the class on, of a line like
/// `24-Nov-2026 22:35:36.542 SEVERE [main] org.apache.catalina.core.StandardContext.startInternal Context [] …`.
fn message(line: &str) -> Option<(&str, &str)> {
    let mut parts = line.splitn(4, ' ');
    let (day, time, level, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_day = day.len() == 11 && day.bytes().filter(|c| *c == b'-').count() == 2;
    let is_time = time.len() == 12 && time.bytes().filter(|c| *c == b':').count() == 2;
    if !is_day || !is_time || !rest.starts_with('[') {
        return None;
    }
    Some((level, rest.split_once("] ")?.1))
}

/// `org.apache.catalina.core.StandardContext.listenerStart Exception …` without the first word.
fn without_method(text: &str) -> &str {
    text.split_once(' ').map_or(text, |(_, message)| message)
}

fn is_fatal(text: &str) -> bool {
    let from = |class: &str| text.starts_with(class);
    (from("org.apache.catalina.core.StandardContext.startInternal ") && text.contains("startup failed"))
        || from("org.apache.catalina.startup.HostConfig.deploy")
        || from("org.apache.catalina.startup.Catalina.start ")
        || text.contains("Failed to start component [Connector")
        || text.contains("Failed to initialize component [Connector")
        || text.contains("threw load() exception")
}

/// `com.example.Broken: no database`, `java.lang.NullPointerException`.
fn is_exception(text: &str) -> bool {
    let class = text.split([':', ' ']).next().unwrap_or_default();
    class.contains('.')
        && class
            .split('.')
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "_$".contains(c)))
        && (text.len() == class.len() || text[class.len()..].starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Console {
        let mut console = Console::default();
        for line in text.lines() {
            console.line(line);
        }
        console
    }

    const LISTENER: &str = "\
24-Nov-2026 22:35:36.574 INFO [main] org.apache.catalina.startup.HostConfig.deployDirectory Deploying web application directory [/usr/local/tomcat/webapps/ROOT]
connecting to the ledger
24-Nov-2026 22:35:36.600 SEVERE [main] org.apache.catalina.core.StandardContext.listenerStart Exception sending context initialized event to listener instance of class [com.example.Ledger]
 java.lang.IllegalStateException: no ledger
\tat com.example.Ledger.contextInitialized(Ledger.java:12)
\tat org.apache.catalina.core.StandardContext.listenerStart(StandardContext.java:4458)
Caused by: java.net.ConnectException: Connection refused
\tat java.base/sun.nio.ch.Net.pollConnect(Native Method)
\t... 21 more
24-Nov-2026 22:35:36.601 SEVERE [main] org.apache.catalina.core.StandardContext.startInternal One or more listeners failed to start. Full details will be found in the appropriate container log file
24-Nov-2026 22:35:36.602 SEVERE [main] org.apache.catalina.core.StandardContext.startInternal Context [] startup failed due to previous errors
24-Nov-2026 22:35:36.700 INFO [main] org.apache.catalina.startup.Catalina.start Server startup in [400] milliseconds";

    #[test]
    fn a_failed_listener_is_told_with_its_deepest_cause() {
        let console = read(LISTENER);
        assert!(console.started());
        let trouble = console.failure().expect("a failure");
        assert_eq!(
            trouble.told(),
            "Exception sending context initialized event to listener instance of class [com.example.Ledger]: \
             java.net.ConnectException: Connection refused"
        );
        assert_eq!(trouble.lines.len(), 7);
    }

    #[test]
    fn a_servlet_that_is_loaded_at_the_start_counts() {
        let console = read("\
24-Nov-2026 22:35:36.600 SEVERE [main] org.apache.catalina.core.StandardContext.loadOnStartup Servlet [pay] in web application [] threw load() exception
 java.lang.NullPointerException
\tat com.example.Pay.init(Pay.java:7)");
        assert_eq!(
            console.failure().map(Trouble::told).as_deref(),
            Some("Servlet [pay] in web application [] threw load() exception: java.lang.NullPointerException")
        );
    }

    #[test]
    fn what_the_application_calls_severe_is_no_failure() {
        let console = read(
            "\
24-Nov-2026 22:35:36.600 SEVERE [main] com.example.Mail.send no mail server
 java.net.ConnectException: Connection refused
24-Nov-2026 22:35:36.700 INFO [main] org.apache.catalina.startup.Catalina.start Server startup in [400] milliseconds",
        );
        assert_eq!(console.failure(), None);
        assert!(console.started());
    }

    #[test]
    fn memory_that_is_spent_is_seen() {
        let console = read(
            "java.lang.OutOfMemoryError: Java heap space\nDumping heap to /var/log/tomcat/java_pid1.hprof ...\nTerminating due to java.lang.OutOfMemoryError: Java heap space",
        );
        assert_eq!(
            console.out_of_memory(),
            Some("java.lang.OutOfMemoryError: Java heap space")
        );
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut console = Console::default();
        for i in 0..10_000 {
            console.line(&i.to_string());
        }
        assert_eq!(console.tail(2), ["9998", "9999"]);
        assert!(console.tail(10_000).len() <= TAIL);
    }
}
