//! Maven's console, read while it streams: which module, which goal, which test; is it testing or packing; and what went wrong.
//!
//! One invocation of Maven does both the tests and the packing (a second start costs more than a second), so the stage shown
//! to a person changes when [`Console::phase`] does: at the first packing goal of the *last* module, because the modules before it pack
//! too. With `-T` modules overlap; there it changes when every module that was begun is packing.
//!
//! All text is the project's, tests may print anything: nothing here decides whether a build is red, it only finds the words for it.
//! What is kept is bounded.

use std::collections::VecDeque;

use super::mojo::{self, Module, Mojo};
use super::notes::Notes;
use crate::ansi;

/// Longest part of a line that is looked at, in bytes.
const LINE: usize = 4096;

/// Last lines that are kept for a build that ends without a word of explanation.
const LAST_LINES: usize = 20;

/// Modules that are remembered.
const MODULES: usize = 1000;

/// What Maven is doing, as the stages of the road see it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Compiling and testing.
    #[default]
    Testing,
    /// Every module's tests are over.
    Packaging,
}

/// Something that a line told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A module begins.
    Module(Module),
    /// A goal begins.
    Mojo(Mojo),
    /// A goal begins, and with it the [`Phase::Packaging`]. Comes at most once.
    Packaging(Mojo),
    /// A test class begins.
    Test(String),
    /// Maven is done and content.
    Success,
    /// Maven is done and not content.
    Failure,
}

/// How far a module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Early,
    Tested,
    Packing,
}

/// The state between the lines.
#[derive(Debug, Default)]
pub struct Console {
    phase: Phase,
    modules: Vec<Module>,
    begun: u32,
    /// `groupId:artifactId` of a heading whose title comes in the next line.
    heading: Option<String>,
    parallel: bool,
    /// The modules under way with their steps: one, unless modules are built in parallel.
    steps: Vec<(String, Step)>,
    mojo: Option<Mojo>,
    running: Vec<String>,
    success: Option<bool>,
    scanned: bool,
    last: VecDeque<String>,
    notes: Notes,
}

impl Console {
    /// Before the first line.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, for a build in this directory: files in messages are then named relative to it.
    pub fn in_directory(directory: &str) -> Self {
        Self {
            notes: Notes::in_directory(directory),
            ..Self::default()
        }
    }

    /// Takes the next line, with or without colours, without its line break.
    pub fn line(&mut self, line: &str) -> Option<Event> {
        let end = line.floor_char_boundary(LINE);
        let line = ansi::strip(&line[..end]);
        let line = line.trim_end();
        if !line.is_empty() {
            if self.last.len() == LAST_LINES {
                self.last.pop_front();
            }
            self.last.push_back(line.to_owned());
        }
        let (level, text) = level(line);
        let testing = self.mojo.as_ref().is_some_and(Mojo::runs_tests);
        self.notes.take(
            level,
            text,
            line,
            Where {
                in_tests: testing && self.success.is_none(),
                in_test_compile: self.mojo.as_ref().is_some_and(Mojo::compiles_tests),
                ended: self.success.is_some(),
                before_maven: !self.scanned,
            },
        );
        match level {
            Level::Info | Level::Warning | Level::Error => self.heading(level, text, testing),
            Level::None => None,
        }
    }

    fn heading(&mut self, level: Level, text: &str, testing: bool) -> Option<Event> {
        self.scanned = true;
        if let Some((_, class)) = text
            .strip_prefix("Tests run:")
            .and_then(|rest| rest.rsplit_once(" in "))
        {
            self.running.retain(|running| running != class.trim());
            return None;
        }
        if level == Level::Error {
            return None;
        }
        if let Some(id) = self.heading.take()
            && let Some((title, position)) = mojo::module_title(text)
        {
            return Some(self.module(id, title, position));
        }
        if let Some(id) = mojo::module_heading(text) {
            self.heading = Some(id.to_owned());
            return None;
        }
        if let Some(packaging) = mojo::packaging(text) {
            if let Some(module) = self.modules.last_mut().filter(|module| module.packaging.is_empty()) {
                module.packaging = packaging.to_owned();
            }
            return None;
        }
        if let Some(mojo) = Mojo::parse(text) {
            return Some(self.goal(mojo));
        }
        if testing
            && let Some(class) = text.strip_prefix("Running ")
            && class.len() < 500
            && self.running.len() < 100
        {
            self.running.push(class.to_owned());
            return Some(Event::Test(class.to_owned()));
        }
        match text {
            "BUILD SUCCESS" => {
                self.success = Some(true);
                // A reactor may end with modules that pack nothing.
                self.phase = Phase::Packaging;
                Some(Event::Success)
            }
            "BUILD FAILURE" => {
                self.success = Some(false);
                Some(Event::Failure)
            }
            _ => {
                self.parallel |= text.starts_with("Using the MultiThreadedBuilder");
                None
            }
        }
    }

    fn module(&mut self, id: String, title: &str, position: Option<(u32, u32)>) -> Event {
        self.begun = self.begun.saturating_add(1);
        if !self.parallel {
            self.steps.clear();
        }
        let module = Module {
            id,
            title: title.to_owned(),
            position,
            packaging: String::new(),
        };
        if self.modules.len() < MODULES {
            self.modules.push(module.clone());
        }
        Event::Module(module)
    }

    fn goal(&mut self, mojo: Mojo) -> Event {
        if !self.parallel {
            self.running.clear();
        }
        self.mojo = Some(mojo.clone());
        let at = match self.steps.iter().position(|(module, _)| *module == mojo.module) {
            Some(at) => at,
            None if self.steps.len() < MODULES => {
                self.steps.push((mojo.module.clone(), Step::Early));
                self.steps.len() - 1
            }
            None => return Event::Mojo(mojo),
        };
        let step = &mut self.steps[at].1;
        if mojo.runs_tests() {
            *step = Step::Tested;
        } else if mojo.packs(*step == Step::Tested) {
            *step = Step::Packing;
        }
        let all = self
            .modules
            .last()
            .and_then(|module| module.position)
            .map_or(1, |(_, all)| all);
        let over = self.begun >= all && self.steps.iter().all(|(_, step)| *step == Step::Packing);
        if self.phase == Phase::Testing && over {
            self.phase = Phase::Packaging;
            return Event::Packaging(mojo);
        }
        Event::Mojo(mojo)
    }

    /// Testing or packing?
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Modules that were begun, in their order.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// The goal that was begun last.
    pub fn mojo(&self) -> Option<&Mojo> {
        self.mojo.as_ref()
    }

    /// Test classes that were begun and have not ended.
    pub fn running_tests(&self) -> &[String] {
        &self.running
    }

    /// What Maven itself said of its end; `None` while it runs, or when it was stopped.
    pub fn succeeded(&self) -> Option<bool> {
        self.success
    }

    pub(super) fn notes(&self) -> &Notes {
        &self.notes
    }

    pub(super) fn last_lines(&self) -> impl Iterator<Item = &String> {
        self.last.iter()
    }
}

/// Where a line stands: the same words mean something else in the output of a test.
#[derive(Clone, Copy)]
pub(super) struct Where {
    pub(super) in_tests: bool,
    pub(super) in_test_compile: bool,
    /// Maven has said how it ended.
    pub(super) ended: bool,
    /// Not a word of Maven yet: its wrapper may be at work.
    pub(super) before_maven: bool,
}

/// The mark at the start of a line of Maven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Info,
    Warning,
    Error,
    None,
}

fn level(line: &str) -> (Level, &str) {
    for (mark, level) in [
        ("[INFO]", Level::Info),
        ("[WARNING]", Level::Warning),
        ("[ERROR]", Level::Error),
    ] {
        if let Some(text) = line.strip_prefix(mark) {
            // Errors in POMs are marked twice.
            let text = text.strip_prefix(' ').unwrap_or(text);
            return (level, text.strip_prefix("[ERROR] ").unwrap_or(text));
        }
    }
    (Level::None, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(console: &mut Console, log: &str) -> Vec<Event> {
        log.lines().filter_map(|line| console.line(line)).collect()
    }

    const ONE: &str = "\
[INFO] Scanning for projects...
[INFO] ------------------------< com.example:harbour >-------------------------
[INFO] Building harbour 1.0
[INFO] --------------------------------[ war ]---------------------------------
[INFO] --- maven-compiler-plugin:3.14.1:compile (default-compile) @ harbour ---
[INFO] --- maven-war-plugin:3.4.0:exploded (early) @ harbour ---
[INFO] --- maven-surefire-plugin:3.5.4:test (default-test) @ harbour ---
[INFO] Running com.example.harbour.BerthTest
[WARNING] Tests run: 6, Failures: 0, Errors: 0, Skipped: 1, Time elapsed: 0.279 s -- in com.example.harbour.BerthTest
[INFO] Running com.example.harbour.QuayTest
";

    #[test]
    fn one_module_packs_after_its_tests() {
        let mut console = Console::new();
        let seen = events(&mut console, ONE);
        assert!(seen.contains(&Event::Test("com.example.harbour.BerthTest".to_owned())));
        assert_eq!(console.phase(), Phase::Testing);
        assert_eq!(console.running_tests(), ["com.example.harbour.QuayTest"]);
        assert_eq!(console.modules()[0].packaging, "war");
        let line = "[INFO] --- maven-war-plugin:3.4.0:war (default-war) @ harbour ---";
        assert!(matches!(console.line(line), Some(Event::Packaging(mojo)) if mojo.goal == "war"));
        assert_eq!(console.phase(), Phase::Packaging);
        assert_eq!(console.line("[INFO] Building war: /x/target/harbour-1.0.war"), None);
        assert_eq!(console.line("[INFO] BUILD SUCCESS"), Some(Event::Success));
        assert_eq!(console.modules().len(), 1);
    }

    #[test]
    fn in_a_reactor_only_the_last_module_turns_the_stage() {
        let mut console = Console::new();
        for (name, place) in [("model", 1), ("web", 2)] {
            console.line(&format!("[INFO] ----< com.x:{name} >----"));
            console.line(&format!("[INFO] Building {name} 1.0   [{place}/2]"));
            console.line("[INFO]   from pom.xml");
            console.line("[INFO] ----[ jar ]----");
            console.line(&format!("[\x1b[1;34mINFO\x1b[m] \x1b[1m--- \x1b[0;32msurefire:3.5.4:test\x1b[m \x1b[1m(default-test)\x1b[m @ \x1b[36m{name}\x1b[0;1m ---\x1b[m"));
            assert_eq!(console.phase(), Phase::Testing);
            console.line(&format!("[INFO] --- jar:3.4.2:jar (default-jar) @ {name} ---"));
        }
        assert_eq!(console.phase(), Phase::Packaging);
        assert_eq!(console.modules()[1].position, Some((2, 2)));
    }

    #[test]
    fn modules_in_parallel_are_waited_for() {
        let mut console = Console::new();
        console.line("[INFO] Using the MultiThreadedBuilder implementation with a thread count of 2");
        for (name, place) in [("a", 1), ("b", 2)] {
            console.line(&format!("[INFO] ----< com.x:{name} >----"));
            console.line(&format!("[INFO] Building {name} 1.0   [{place}/2]"));
            console.line(&format!("[INFO] --- surefire:3.5.4:test (default-test) @ {name} ---"));
        }
        console.line("[INFO] --- war:3.4.0:war (default-war) @ b ---");
        assert_eq!(console.phase(), Phase::Testing, "a is still testing");
        console.line("[INFO] --- jar:3.4.2:jar (default-jar) @ a ---");
        assert_eq!(console.phase(), Phase::Packaging);
    }

    #[test]
    fn a_flood_is_not_kept() {
        let mut console = Console::new();
        let long = format!("[ERROR] {}", "ü".repeat(100_000));
        for number in 0..5000 {
            console.line(&format!("{long}{number}"));
            console.line(&format!("[ERROR] /a/B{number}.java:[1,2] wrong"));
        }
        let kept: usize = console.last_lines().map(String::len).sum::<usize>() + console.notes().size();
        assert!(kept < 500_000, "{kept} bytes are kept");
    }
}
