//! The classes of one place (`WEB-INF/classes` or a library): which Java they need, and what is written in own ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::collector::Collector;
use super::statements::Statement;
use super::{Subject, credentials, values};
use crate::maven::class_file::{ConstantPool, major_version};
use crate::model::{ServletApi, rule};

/// A class file of Java 1.0 would have 44; each Java since has one more.
const BEFORE_JAVA_1: u16 = 44;

/// Specifications that moved from `javax` to `jakarta`; `servlet` comes first, because the container decides it.
const MOVED: [&str; 9] = [
    "servlet",
    "persistence",
    "validation",
    "ws/rs",
    "mail",
    "xml/bind",
    "faces",
    "inject",
    "transaction",
];

static SPEAKS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("(javax|jakarta)/({})/", MOVED.join("|"))).expect("a constant pattern"));

/// Versions of the classes of one place.
pub(super) struct Classes {
    place: String,
    highest_allowed: u16,
    all: usize,
    newer: usize,
    highest: u16,
    first_newer: String,
    other_servlet: ServletApi,
    speak_other: usize,
    first_other: String,
}

/// What own classes of all places speak of.
#[derive(Default)]
pub(super) struct OwnClasses {
    /// Specification → the first class that speaks its `javax` form, and its `jakarta` form.
    speak: BTreeMap<String, [Option<String>; 2]>,
}

impl Classes {
    pub(super) fn new(place: String, subject: &Subject<'_>) -> Self {
        Self {
            place,
            highest_allowed: u16::from(subject.jdk) + BEFORE_JAVA_1,
            all: 0,
            newer: 0,
            highest: 0,
            first_newer: String::new(),
            other_servlet: match subject.servlet {
                ServletApi::Javax => ServletApi::Jakarta,
                ServletApi::Jakarta => ServletApi::Javax,
            },
            speak_other: 0,
            first_other: String::new(),
        }
    }

    /// Does the version of this class count? Those for newer Javas are kept apart, and a module's descriptor is not
    /// loaded from a class path.
    pub(super) fn counts(&self, name: &str) -> bool {
        !name.starts_with("META-INF/") && !name.ends_with("module-info.class")
    }

    /// A class of somebody else; its first eight bytes are enough.
    pub(super) fn other(&mut self, name: &str, head: &[u8]) {
        if !self.counts(name) {
            return;
        }
        let Some(major) = major_version(head) else {
            return;
        };
        self.all += 1;
        self.highest = self.highest.max(major);
        if major > self.highest_allowed {
            self.newer += 1;
            if self.first_newer.is_empty() || name < self.first_newer.as_str() {
                self.first_newer = name.to_owned();
            }
        }
    }

    /// A class of the project itself.
    pub(super) fn own(
        &mut self,
        name: &str,
        path: &str,
        bytes: &[u8],
        found: &mut Collector<'_>,
        own: &mut OwnClasses,
    ) {
        self.other(name, bytes);
        let pool = match ConstantPool::read(bytes) {
            Ok(pool) => pool,
            Err(why) => {
                found.add(&rule::NOT_CHECKED, path, format!("is no class file: {why}"));
                return;
            }
        };
        for constant in pool.strings() {
            let statement = Statement {
                key: String::new(),
                value: constant.into_owned(),
            };
            values::judge(&statement, values::From::Class, path, found);
            credentials::judge_constant(&statement.value, path, found);
        }
        for (name, value) in pool.constant_fields() {
            credentials::judge_field(&name, &value, path, found);
        }
        let mentions: BTreeSet<&[u8]> = SPEAKS.find_iter(bytes).map(|mention| mention.as_bytes()).collect();
        for mention in mentions {
            let Ok(package) = std::str::from_utf8(mention) else {
                continue;
            };
            // A mere text is no use.
            if !pool.refers_to(package) {
                continue;
            }
            let Some((generation, specification)) = package.trim_end_matches('/').split_once('/') else {
                continue;
            };
            if specification == MOVED[0] {
                if generation == self.other_servlet.as_str() {
                    self.speak_other += 1;
                    if self.first_other.is_empty() || name < self.first_other.as_str() {
                        self.first_other = name.to_owned();
                    }
                }
                continue;
            }
            let first =
                &mut own.speak.entry(specification.to_owned()).or_default()[usize::from(generation == "jakarta")];
            if first.as_deref().is_none_or(|first| path < first) {
                *first = Some(path.to_owned());
            }
        }
    }

    /// Adds what was counted.
    pub(super) fn tell(&self, found: &mut Collector<'_>) {
        if self.newer > 0 {
            let what = format!(
                "{} of {} classes need a newer Java, up to {} (class version {}), and Java {} runs them; for example {}",
                self.newer,
                self.all,
                self.highest.saturating_sub(BEFORE_JAVA_1),
                self.highest,
                self.highest_allowed - BEFORE_JAVA_1,
                self.first_newer
            );
            // A library whose lesser part is newer knows what it does: it loads that part where it can.
            let part = self.place.ends_with(".jar") && self.newer * 2 <= self.all;
            let rule = if part {
                &rule::CLASS_VERSION_PART
            } else {
                &rule::CLASS_VERSION
            };
            found.add(rule, &self.place, what);
        }
        if self.speak_other > 0 {
            let what = format!(
                "{} of {} own classes speak {}.servlet, which the container does not; for example {}",
                self.speak_other,
                self.all,
                self.other_servlet.as_str(),
                self.first_other
            );
            found.add(&rule::JAVAX_JAKARTA, &self.place, what);
        }
    }
}

impl OwnClasses {
    /// Adds the specifications of which both forms are spoken.
    pub(super) fn tell(&self, found: &mut Collector<'_>) {
        for (specification, first) in &self.speak {
            if let [Some(javax), Some(jakarta)] = first {
                let name = specification.replace('/', ".");
                let what = format!("speaks javax.{name}, and {jakarta} speaks jakarta.{name}");
                found.add(&rule::JAVAX_JAKARTA, javax, what);
            }
        }
    }
}
