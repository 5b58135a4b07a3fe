//! What a WAR's classes need of the runtime: the version of Java, the servlet interface, a full Jakarta EE server.
//!
//! The version of a class file (JVM Specification, section 4.1) is what decides whether a JVM loads it at all. Versioned
//! directories of multi-release jars are left apart: a JVM takes from them what it can read.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek};

use zip::ZipArchive;

use super::class_file::{ConstantPool, major_version};
use super::servlet;
use super::zip_guard::{self, Limits, Trouble};
use crate::model::ServletVersion;

/// Largest class that is read as a whole.
const CLASS: u64 = 16 << 20;

/// Largest `web.xml` that is read.
const WEB_XML: u64 = 4 << 20;

/// What a class needs of a Jakarta EE server: name, packages of the interface without `javax/` or `jakarta/`, packages of
/// implementations that a WAR can bring with it. Where there are none, to bring the interface is enough.
const TECHNOLOGIES: &[(&str, &[&str], &[&str])] = &[
    ("EJB", &["ejb/"], &["org/apache/openejb/"]),
    ("JSF", &["faces/"], &["com/sun/faces/", "org/apache/myfaces/"]),
    (
        "CDI",
        &["enterprise/context/", "enterprise/inject/", "enterprise/event/"],
        &["org/jboss/weld/", "org/apache/webbeans/"],
    ),
    ("JMS", &["jms/"], &[]),
];

/// Spring's ways to be started by a container (Servlet 3.0, `ServletContainerInitializer`).
const INITIALIZERS: &[&str] = &["SpringBootServletInitializer", "WebApplicationInitializer"];

/// What was found in a WAR.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bytecode {
    /// Its own classes (`WEB-INF/classes`): how many have which major version.
    pub own: BTreeMap<u16, usize>,
    /// The libraries that have classes, in the order of the archive.
    pub libraries: Vec<LibraryCode>,
    /// The version that `web.xml` states.
    pub descriptor: Option<ServletVersion>,
    /// What its own classes use and nothing in it implements.
    pub missing: Vec<Missing>,
    /// Is it an executable WAR of Spring Boot? Its launcher is of no use on Tomcat and does no harm.
    pub executable: bool,
    /// Does it have a class by which Tomcat starts it: a web initializer of Spring, or a `web.xml`? Only looked for in an
    /// executable WAR.
    pub initializer: bool,
}

/// The classes of one library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryCode {
    /// File name, for example `spring-core-6.1.3.jar`.
    pub name: String,
    /// Highest major version outside of `META-INF/versions`.
    pub highest: u16,
    /// The first class that has it.
    pub class: String,
}

/// A technology of Jakarta EE that the WAR's own classes use and nothing in it implements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// `EJB`, `JSF`, `CDI` or `JMS`.
    pub technology: &'static str,
    /// The first class that uses it, for example `com/example/Orders.class`.
    pub class: String,
    /// How many of its own classes use it.
    pub classes: usize,
}

/// The version of Java that loads classes of this major version: 61 is Java 17 (JVM Specification, table 4.1-A).
pub fn java_of(major: u16) -> u16 {
    major.saturating_sub(44)
}

impl Bytecode {
    /// The highest version of its own classes, and the highest of its libraries.
    pub fn highest(&self) -> (Option<u16>, Option<&LibraryCode>) {
        // The first of equals, so that the same WAR always gives the same evidence.
        let library = self.libraries.iter().rev().max_by_key(|library| library.highest);
        (self.own.keys().next_back().copied(), library)
    }
}

pub(super) fn survey<R: Read + Seek>(war: &mut ZipArchive<R>, limits: Limits) -> Result<Bytecode, Trouble> {
    let names = zip_guard::names(war)?;
    let mut found = Bytecode {
        executable: names
            .iter()
            .any(|(_, name)| name.starts_with("org/springframework/boot/loader/")),
        ..Bytecode::default()
    };
    found.initializer = names.iter().any(|(_, name)| name == "WEB-INF/web.xml");
    let mut uses = vec![(0, String::new()); TECHNOLOGIES.len()];
    let mut brings = vec![(false, false); TECHNOLOGIES.len()];
    let mut left = limits;
    for (index, name) in &names {
        if let Some(path) = name.strip_prefix("WEB-INF/classes/") {
            note_brought(path, &mut brings);
            if is_class(path)
                && let Some(class) = zip_guard::content(war, *index, CLASS)?
            {
                own_class(path, &class, &mut found, &mut uses);
            }
        } else if name == "WEB-INF/web.xml" {
            found.descriptor = zip_guard::content(war, *index, WEB_XML)?.and_then(|bytes| descriptor(&bytes));
        } else if let Some(library) = name.strip_prefix("WEB-INF/lib/").filter(|name| name.ends_with(".jar"))
            && let Some(jar) = zip_guard::content(war, *index, limits.library)?
        {
            match look_into(library, jar, &mut left, &mut brings) {
                Ok(code) => found.libraries.extend(code),
                // The container passes a broken library over, too.
                Err(Trouble::Broken(_)) => {}
                Err(trouble) => return Err(trouble),
            }
        }
    }
    if found.executable && !found.initializer {
        found.initializer = initializer_in_libraries(war, &names, limits)?;
    }
    for (at, (technology, _, implementations)) in TECHNOLOGIES.iter().enumerate() {
        let (classes, class) = std::mem::take(&mut uses[at]);
        let (interface, implementation) = brings[at];
        if classes > 0 && !(implementation || (interface && implementations.is_empty())) {
            found.missing.push(Missing {
                technology,
                class,
                classes,
            });
        }
    }
    Ok(found)
}

fn own_class(path: &str, class: &[u8], found: &mut Bytecode, uses: &mut [(usize, String)]) {
    if let Some(major) = major_version(class) {
        *found.own.entry(major).or_default() += 1;
    }
    let Ok(pool) = ConstantPool::read(class) else {
        return;
    };
    found.initializer |= INITIALIZERS.iter().any(|name| pool.names_class(name));
    for ((_, packages, _), (count, first)) in TECHNOLOGIES.iter().zip(uses) {
        let used = packages.iter().any(|package| {
            pool.refers_to(&format!("javax/{package}")) || pool.refers_to(&format!("jakarta/{package}"))
        });
        if used {
            if *count == 0 {
                path.clone_into(first);
            }
            *count += 1;
        }
    }
}

/// Is there a class that names one of Spring's initializers, Spring's own jars apart? It may be in a sibling module.
fn initializer_in_libraries<R: Read + Seek>(
    war: &mut ZipArchive<R>,
    names: &[(usize, String)],
    limits: Limits,
) -> Result<bool, Trouble> {
    for (index, _) in names
        .iter()
        .filter(|(_, name)| name.starts_with("WEB-INF/lib/") && name.ends_with(".jar"))
    {
        let Some(jar) = zip_guard::content(war, *index, limits.library)? else {
            continue;
        };
        match has_initializer(jar, limits) {
            Ok(true) => return Ok(true),
            Ok(false) | Err(Trouble::Broken(_)) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(false)
}

fn has_initializer(jar: Vec<u8>, limits: Limits) -> Result<bool, Trouble> {
    let mut jar = zip_guard::open(Cursor::new(jar), limits)?;
    let names = zip_guard::names(&mut jar)?;
    if names.iter().any(|(_, name)| name.starts_with("org/springframework/")) {
        return Ok(false);
    }
    for (index, _) in names.iter().filter(|(_, path)| is_class(path)) {
        let Some(class) = zip_guard::content(&mut jar, *index, CLASS)? else {
            continue;
        };
        let names_it = |pool: ConstantPool<'_>| INITIALIZERS.iter().any(|name| pool.names_class(name));
        if ConstantPool::read(&class).is_ok_and(names_it) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn look_into(
    name: &str,
    jar: Vec<u8>,
    left: &mut Limits,
    brings: &mut [(bool, bool)],
) -> Result<Option<LibraryCode>, Trouble> {
    let mut jar = zip_guard::open(Cursor::new(jar), *left)?;
    left.unpacked -= zip_guard::unpacked(&jar)?.min(left.unpacked);
    let names = zip_guard::names(&mut jar)?;
    // Tomcat does not load it (Servlet 6.0, section 10.7.2).
    if servlet::is_interface(&names) {
        return Ok(None);
    }
    let mut highest: Option<(u16, usize)> = None;
    for (at, (index, path)) in names.iter().enumerate() {
        note_brought(path, brings);
        if is_class(path)
            && let Some(major) = major_version(&zip_guard::head(&mut jar, *index, 8)?)
            && highest.is_none_or(|(most, _)| major > most)
        {
            highest = Some((major, at));
        }
    }
    Ok(highest.map(|(highest, at)| LibraryCode {
        name: name.to_owned(),
        highest,
        class: names[at].1.clone(),
    }))
}

/// A class that a JVM of any version would load from the class path.
fn is_class(path: &str) -> bool {
    path.ends_with(".class") && !path.starts_with("META-INF/") && !path.ends_with("module-info.class")
}

fn note_brought(path: &str, brings: &mut [(bool, bool)]) {
    if !path.ends_with(".class") {
        return;
    }
    let name = path.strip_prefix("javax/").or_else(|| path.strip_prefix("jakarta/"));
    for ((_, packages, implementations), (interface, implementation)) in TECHNOLOGIES.iter().zip(brings) {
        *interface |= name.is_some_and(|name| packages.iter().any(|package| name.starts_with(package)));
        *implementation |= implementations.iter().any(|package| path.starts_with(package));
    }
}

/// `<web-app … version="6.0">`.
fn descriptor(bytes: &[u8]) -> Option<ServletVersion> {
    let text = String::from_utf8_lossy(bytes);
    let root = &text[text.find("<web-app")?..];
    let root = &root[..root.find('>')?];
    let (_, rest) = root.split_once("version")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest[1..].split(quote).next()?.trim().parse().ok()
}
