//! The rules that a WAR is checked against: what each is called, how serious it is unless a pipeline says otherwise, why
//! it is a rule and how its findings are mended.

use serde::{Deserialize, Serialize};

/// How serious a violation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The rule is not looked at.
    Off,
    /// Told on the page and by the command line.
    Note,
    /// Told in the mail too.
    Warning,
    /// Fails the build.
    Error,
}

impl Severity {
    /// The name in pipeline files, the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A rule of the WAR check.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable name, for example `duplicate-library`.
    pub id: &'static str,
    /// Unless the pipeline says otherwise.
    pub severity: Severity,
    /// One line: what is wrong.
    pub title: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What to do.
    pub mend: &'static str,
}

/// Name of the finding about libraries that the house does not allow; a waiver names it.
pub const BANNED_LIBRARY: &str = "banned-library";

/// Name of the finding about libraries with known vulnerabilities; a waiver names it.
pub const KNOWN_VULNERABILITY: &str = "known-vulnerability";

macro_rules! rules {
    ($($name:ident = $id:literal, $severity:ident, $title:literal, $why:literal, $mend:literal;)*) => {
        $(
            #[doc = concat!("Rule `", $id, "`: ", $title, ".")]
            pub static $name: Rule = Rule {
                id: $id,
                severity: Severity::$severity,
                title: $title,
                why: $why,
                mend: $mend,
            };
        )*
        /// All rules, in the order of a report among equally serious ones.
        pub static RULES: &[&Rule] = &[$(&$name),*];
    };
}

// Errors are only what is sure to break at run time or sure to leak a secret: a build must not fail by a guess.
rules! {
    CLASS_VERSION = "class-version", Error,
        "Classes are newer than the Java that runs them",
        "The JVM refuses such a class when it is first used (UnsupportedClassVersionError).",
        "Compile with <maven.compiler.release> of the stack, take an older version of the library, or ask the platform team for a newer stack.";
    CONTAINER_API = "container-api", Error,
        "Interfaces of the container, or the container itself, are packed into the WAR",
        "The container brings them. A second copy makes casts between both fail, or starts a second container inside the first one.",
        "Give the dependency <scope>provided</scope>; `mvn dependency:tree` shows who brings it.";
    SECRET_FILE = "secret-file", Error,
        "Private keys or a version control directory are in the WAR",
        "Whoever can pull the image or guess the address can read them.",
        "Take the file out of the WAR, replace the key, and mount it at run time instead.";
    CASE_CLASH = "case-clash", Error,
        "Files differ in upper and lower case alone",
        "Where case does not count, as on many a desk, only one of them is left.",
        "Rename or remove one of them.";
    ARCHIVE_LIMITS = "archive-limits", Error,
        "A library is larger than a library can honestly be",
        "It has more entries, or unpacks to more bytes, than is allowed for a whole WAR: it was not looked into.",
        "Look at it with `jar tf`; replace it by the one that its makers publish.";
    CLASS_VERSION_PART = "class-version-part", Warning,
        "Some classes of a library are newer than the Java that runs it",
        "Libraries may load such classes only on a newer Java; if this one does so on every Java, it breaks when they are first used.",
        "Look whether the library's documentation names your Java as supported.";
    CONTAINER_EL = "container-el", Warning,
        "The expression language (EL) is packed into the WAR",
        "The container brings it; bean validation libraries often bring a second copy along.",
        "Exclude it from the dependency that brings it, or give it <scope>provided</scope>.";
    JAVAX_JAKARTA = "javax-jakarta", Warning,
        "javax and jakarta are mixed",
        "The container speaks one of both. Servlets, filters and listeners of the other generation are never called.",
        "Take the version of the library that is made for the generation of the application.";
    DUPLICATE_LIBRARY = "duplicate-library", Warning,
        "The same library is there in more than one version",
        "Which one a class is loaded from is not defined.",
        "Keep one of them: exclude the other where it is brought along (`mvn dependency:tree`); overlays need <excludes>.";
    DUPLICATE_CLASS = "duplicate-class", Warning,
        "The same class is in two libraries, with different content",
        "Which one is loaded is not defined and may change with the next build.",
        "Exclude one of the libraries, or take versions that do not overlap.";
    SNAPSHOT = "snapshot", Warning,
        "Libraries are SNAPSHOTs",
        "The same commit built tomorrow may be another application.",
        "Depend on a released version.";
    LOGGING_BACKENDS = "logging-backends", Warning,
        "There are several logging backends",
        "Log lines go to different places, by configurations that do not know of each other.",
        "Keep one backend and exclude the others; bridges (jul-to-slf4j, log4j-to-slf4j) lead everything to it.";
    LOGGING_FILE = "logging-file", Warning,
        "A logging configuration writes outside of the standard directory",
        "The image's user may not write there, and nobody collects what is written.",
        "Log to the console, or to the directory in the variable LOG_DIRECTORY: ${env:LOG_DIRECTORY} in Log4j 2, ${LOG_DIRECTORY} in Logback.";
    CREDENTIALS = "credentials", Warning,
        "Credentials are in the WAR",
        "An image is no safe place: whoever can pull it can read them, and they are the same in every environment.",
        "Read them from the environment or a mounted file, and change those that were packed.";
    JDBC_URL = "jdbc-url", Warning,
        "Addresses of databases are in the WAR",
        "The same image goes to every environment; each has a database of its own.",
        "Read the address from the environment, for example ${DB_URL}.";
    IP_ADDRESS = "ip-address", Warning,
        "IP addresses are in the WAR",
        "They change with the environment and with every move of a machine.",
        "Read a name from the environment.";
    SERVICE_URL = "service-url", Warning,
        "Addresses of services are in the WAR",
        "The same image goes to every environment; each has services of its own.",
        "Read the address from the environment.";
    ENVIRONMENT_FILE = "environment-file", Warning,
        "Files for single environments are in the WAR",
        "What differs between environments belongs outside of the image, else it must be built anew for each change.",
        "Mount the file, or set its values in the environment.";
    SEVERAL_APPLICATIONS = "several-applications", Warning,
        "There is more than one web application",
        "An image serves exactly one; others inside of it are never started.",
        "Build each application in a project of its own; an overlay is unpacked, not packed.";
    STRAY_FILE = "stray-file", Warning,
        "Files are there that do not belong into a WAR",
        "What lies outside of WEB-INF and META-INF is served to everybody.",
        "Exclude them in the plugin that packs the WAR (<packagingExcludes>).";
    SIZE = "size", Warning,
        "The WAR is very large",
        "Each push, pull and start waits for it.",
        "Look for libraries that nobody needs (`mvn dependency:analyze`) and for data that belongs into a store.";
    CASE_CLASH_CLASS = "case-clash-class", Warning,
        "Class files differ in upper and lower case alone",
        "Obfuscators make them; where case does not count, as on many a desk, only one of them is left.",
        "Tell the obfuscator not to mix case (ProGuard: -dontusemixedcaseclassnames).";
    NOT_CHECKED = "not-checked", Warning,
        "Files could not be looked into",
        "The other rules do not know of what is in them.",
        "Look whether they are whole: a broken library fails when it is first used.";
}

/// The rule of this name.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_a_name_of_its_own_and_says_what_to_do() {
        for (at, one) in RULES.iter().enumerate() {
            assert!(RULES[..at].iter().all(|other| other.id != one.id), "{}", one.id);
            assert!(
                one.id.bytes().all(|c| c.is_ascii_lowercase() || c == b'-'),
                "{}",
                one.id
            );
            assert!(!one.title.ends_with('.') && one.why.ends_with('.') && one.mend.ends_with('.'));
            assert_eq!(rule(one.id), Some(*one));
        }
        assert_eq!(rule("Snapshot"), None);
    }
}
