//! One library: who it is, and what it holds that only the container or a logging backend has.

use crate::maven::class_file::ConstantPool;
use crate::model::ServletApi;

/// A class that tells what a library is.
struct Mark {
    class: &'static str,
    name: &'static str,
}

const fn mark(class: &'static str, name: &'static str) -> Mark {
    Mark { class, name }
}

/// Interfaces that the container brings, below `javax/` or `jakarta/`.
const INTERFACES: [Mark; 3] = [
    mark("servlet/Servlet.class", "the Servlet interfaces"),
    mark("servlet/jsp/JspPage.class", "the JSP interfaces"),
    mark("websocket/Session.class", "the WebSocket interfaces"),
];
const EL: &str = "el/ELContext.class";
const SERVERS: [Mark; 4] = [
    mark("org/apache/catalina/startup/Tomcat.class", "Tomcat"),
    mark("org/apache/catalina/startup/Catalina.class", "Tomcat"),
    mark("org/apache/jasper/servlet/JspServlet.class", "Tomcat's JSP engine"),
    mark(
        "org/apache/tomcat/websocket/server/WsSci.class",
        "Tomcat's WebSocket server",
    ),
];
const BACKENDS: [Mark; 8] = [
    mark("ch/qos/logback/classic/Logger.class", "Logback"),
    mark("org/apache/logging/log4j/core/Logger.class", "Log4j 2"),
    // The bridges have Log4j 1's Logger; its network appenders only the original has.
    mark("org/apache/log4j/net/SocketAppender.class", "Log4j 1"),
    mark("org/slf4j/simple/SimpleLogger.class", "slf4j-simple"),
    mark("org/slf4j/impl/SimpleLogger.class", "slf4j-simple"),
    mark("org/slf4j/jul/JDK14LoggerAdapter.class", "slf4j-jdk14"),
    mark("org/slf4j/impl/JDK14LoggerAdapter.class", "slf4j-jdk14"),
    mark("org/jboss/logmanager/LogManager.class", "JBoss LogManager"),
];
/// Longest part of a library's coordinates, in bytes.
const LONGEST: usize = 200;
/// Classes of a library that are asked for the generation they speak: enough to know it.
const ASKED: usize = 40;

/// A library as it is read, entry by entry.
pub(super) struct Library {
    /// Name of the file.
    pub(super) file: String,
    /// Did the same build make it?
    pub(super) own: bool,
    own_generation: &'static str,
    other_generation: &'static str,
    /// What of the container's is in it.
    pub(super) interfaces: Vec<String>,
    /// The same of the generation that the container does not speak.
    pub(super) other_interfaces: Vec<String>,
    pub(super) server: Option<&'static str>,
    pub(super) el: bool,
    pub(super) backend: Option<&'static str>,
    asked: usize,
    /// The first class that speaks the other generation, and whether any speaks the container's.
    speaks_other: Option<String>,
    speaks_own: bool,
    /// All `pom.properties` in it: group, artifact, version.
    identities: Vec<(String, String, String)>,
}

impl Library {
    pub(super) fn new(file: &str, own: bool, servlet: ServletApi) -> Self {
        let (own_generation, other_generation) = match servlet {
            ServletApi::Javax => ("javax", "jakarta"),
            ServletApi::Jakarta => ("jakarta", "javax"),
        };
        Self {
            file: file.to_owned(),
            own,
            own_generation,
            other_generation,
            interfaces: Vec::new(),
            other_interfaces: Vec::new(),
            server: None,
            el: false,
            backend: None,
            asked: 0,
            speaks_other: None,
            speaks_own: false,
            identities: Vec::new(),
        }
    }

    /// An entry's name.
    pub(super) fn name(&mut self, name: &str) {
        let below = |generation: &str| name.strip_prefix(generation)?.strip_prefix('/');
        if let Some(rest) = below(self.own_generation) {
            self.el |= rest == EL;
            let found = INTERFACES.iter().find(|mark| mark.class == rest);
            self.interfaces.extend(found.map(|mark| mark.name.to_owned()));
        } else if let Some(rest) = below(self.other_generation) {
            let found = INTERFACES.iter().find(|mark| mark.class == rest);
            self.other_interfaces
                .extend(found.map(|mark| format!("{} of {}", mark.name, self.other_generation)));
        } else {
            let of = |marks: &'static [Mark]| marks.iter().find(|mark| mark.class == name).map(|mark| mark.name);
            self.server = self.server.or(of(&SERVERS));
            self.backend = self.backend.or(of(&BACKENDS));
        }
    }

    /// Shall this class be read whole, because its name says that it may speak of servlets?
    pub(super) fn wants(&self, name: &str) -> bool {
        let speaks = || name.contains("ervlet") || name.contains("ilter");
        let interfaces = || name.starts_with("javax/") || name.starts_with("jakarta/");
        self.asked < ASKED && !self.speaks_own && speaks() && !interfaces() && !name.starts_with("META-INF/")
    }

    /// A class that was wanted.
    pub(super) fn class(&mut self, name: &str, bytes: &[u8]) {
        let Ok(pool) = ConstantPool::read(bytes) else {
            return;
        };
        self.asked += 1;
        self.speaks_own |= pool.refers_to(&format!("{}/servlet/", self.own_generation));
        if pool.refers_to(&format!("{}/servlet/", self.other_generation)) && self.speaks_other.is_none() {
            self.speaks_other = Some(name.to_owned());
        }
    }

    /// A class that speaks the generation which the container does not, in a library that never speaks the other one.
    pub(super) fn foreign(&self) -> Option<&str> {
        self.speaks_other.as_deref().filter(|_| !self.speaks_own)
    }

    pub(super) fn other_generation(&self) -> &'static str {
        self.other_generation
    }

    /// Is this where Maven writes down what the library is?
    pub(super) fn is_identity(&self, name: &str) -> bool {
        name.starts_with("META-INF/maven/") && name.ends_with("/pom.properties")
    }

    /// The content of such a file.
    pub(super) fn identity(&mut self, text: &str) {
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.trim().strip_prefix(key)?.trim_start().strip_prefix('='))
                .map(|value| value.trim().to_owned())
                .filter(|value| value.len() <= LONGEST)
        };
        if let (Some(group), Some(artifact), Some(version)) = (value("groupId"), value("artifactId"), value("version"))
        {
            self.identities.push((group, artifact, version));
        }
    }

    /// Group (if known), artifact and version. A library that swallowed others has several `pom.properties`: the one
    /// that the file's name begins with counts.
    pub(super) fn coordinates(&self) -> Option<(Option<String>, String, String)> {
        let stem = self.file.strip_suffix(".jar").unwrap_or(&self.file);
        let named = self
            .identities
            .iter()
            .filter(|(_, artifact, version)| {
                stem.strip_prefix(artifact.as_str())
                    .and_then(|rest| rest.strip_prefix('-'))
                    // A SNAPSHOT has a time in its file name.
                    .is_some_and(|rest| rest.starts_with(version.trim_end_matches("-SNAPSHOT")))
            })
            .max_by_key(|(_, artifact, _)| artifact.len());
        let alone = match &self.identities[..] {
            [one] => Some(one),
            _ => None,
        };
        if let Some((group, artifact, version)) = named.or(alone) {
            return Some((Some(group.clone()), artifact.clone(), version.clone()));
        }
        // `name-1.2.3-classifier`: the version begins at the first dash before a digit, and goes to the next one.
        let at = stem
            .as_bytes()
            .windows(2)
            .position(|pair| pair[0] == b'-' && pair[1].is_ascii_digit())?;
        let version = stem[at + 1..].split('-').next().unwrap_or_default();
        Some((None, stem[..at].to_owned(), version.to_owned()))
    }
}
