//! Which JDK a project asks for: what its POMs say of the Java that they compile for, and what their libraries need.

use super::pom::Pom;
use super::reactor::Reactor;
use super::xml::Element;

/// One reason for a JDK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Major version of Java, for example 17.
    pub jdk: u8,
    /// The reason, a sentence without its end: `maven.compiler.release is 17 in pom.xml`.
    pub why: String,
    /// Is it the version that is compiled for? Compilers do not know those any more that are too old.
    pub level: bool,
}

/// Libraries, plugins and parents that are made of classes of a certain version, so that an older JDK cannot read them:
/// group, artifact (`*`: all of the group), major version from which on, JDK.
const NEED: &[(&str, &str, u32, u8)] = &[
    ("org.springframework.boot", "*", 3, 17),
    ("org.springframework", "*", 6, 17),
    ("jakarta.servlet", "jakarta.servlet-api", 6, 11),
    ("jakarta.platform", "*", 10, 11),
    ("jakarta.platform", "*", 11, 17),
    ("org.hibernate.orm", "*", 6, 11),
    ("org.hibernate.orm", "*", 7, 17),
    ("org.eclipse.jetty", "*", 12, 17),
];

/// Everything that this module of the reactor asks for; the same reason may come from several modules.
pub(super) fn asks(reactor: &Reactor, pom: &Pom) -> Vec<Ask> {
    let mut asks = compiled_for(reactor, pom);
    let compiled = !asks.is_empty();
    asks.extend(configured(reactor, pom));
    asks.extend(needed(reactor, pom));
    // It means something to a parent alone that is not in the repository, Spring Boot's first of all.
    if !compiled && let Some(level) = level_of(reactor, pom, "java.version") {
        asks.push(level);
    }
    asks
}

/// `release` beats `source` and `target`, as for the compiler plugin; a plugin's configuration beats the property.
fn compiled_for(reactor: &Reactor, pom: &Pom) -> Vec<Ask> {
    let mut asks = Vec::new();
    for (release, others) in [
        ("release", ["source", "target"]),
        ("testRelease", ["testSource", "testTarget"]),
    ] {
        let stated = |name: &str| {
            let configured = plugins(reactor, pom, "maven-compiler-plugin")
                .into_iter()
                .find_map(|(file, plugin)| {
                    let text = plugin.text_at(&["configuration", name])?;
                    let value = reactor.interpolate(pom, text)?;
                    Some(Ask {
                        jdk: version(&value)?,
                        why: format!("<{name}> of maven-compiler-plugin is {} in {file}", told(text, &value)),
                        level: true,
                    })
                });
            configured.or_else(|| level_of(reactor, pom, &format!("maven.compiler.{name}")))
        };
        match stated(release) {
            Some(ask) => asks.push(ask),
            None => asks.extend(others.into_iter().filter_map(stated)),
        }
    }
    asks
}

fn level_of(reactor: &Reactor, pom: &Pom, name: &str) -> Option<Ask> {
    let stated = reactor.property(pom, name)?;
    Some(Ask {
        jdk: version(&stated.value)?,
        why: format!("{name} is {} in {}", stated.value, stated.file),
        level: true,
    })
}

/// The toolchain that is wanted, and what the enforcer requires.
fn configured(reactor: &Reactor, pom: &Pom) -> Vec<Ask> {
    let mut asks = Vec::new();
    let mut look = |plugin: &str, path: &[&str], what: &str| {
        for (file, plugin) in plugins(reactor, pom, plugin) {
            for configuration in configurations(plugin) {
                if let Some(text) = configuration.text_at(path)
                    && let Some(value) = reactor.interpolate(pom, text)
                    && let Some(jdk) = lower_bound(&value)
                {
                    asks.push(Ask {
                        jdk,
                        why: format!("{what} is {} in {file}", told(text, &value)),
                        level: false,
                    });
                }
            }
        }
    };
    look(
        "maven-toolchains-plugin",
        &["toolchains", "jdk", "version"],
        "the toolchain's JDK",
    );
    look("maven-toolchains-plugin", &["version"], "the toolchain's JDK");
    look(
        "maven-enforcer-plugin",
        &["rules", "requireJavaVersion", "version"],
        "requireJavaVersion",
    );
    asks
}

fn needed(reactor: &Reactor, pom: &Pom) -> Vec<Ask> {
    let mut asks = Vec::new();
    for library in libraries(reactor, pom) {
        let major = library
            .version
            .split(['.', '-'])
            .next()
            .and_then(|n| n.parse::<u32>().ok());
        let need = NEED.iter().filter(|(group, artifact, from, _)| {
            *group == library.group
                && (*artifact == "*" || *artifact == library.artifact)
                && major.is_some_and(|major| major >= *from)
        });
        let mut jdk = need.map(|(_, _, _, jdk)| *jdk).max();
        // 6.1 is the one of them that moved on within a major version (Jakarta Servlet 6.1, "Java SE 17").
        if library.artifact == "jakarta.servlet-api" && library.version.starts_with("6.1") {
            jdk = Some(17);
        }
        if let Some(jdk) = jdk {
            asks.push(Ask {
                jdk,
                why: format!(
                    "{} {} ({}) needs Java {jdk}",
                    library.artifact, library.version, library.file
                ),
                level: false,
            });
        }
    }
    asks
}

/// A dependency, parent or managed dependency with a version that is known in the repository.
#[derive(Debug)]
pub(super) struct Library {
    pub(super) group: String,
    pub(super) artifact: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) file: String,
}

/// What this POM and its parents name: dependencies, imported BOMs, and a parent outside of the repository. Of managed
/// dependencies only the BOMs count: the rest may never be used.
pub(super) fn libraries(reactor: &Reactor, pom: &Pom) -> Vec<Library> {
    let (chain, outside) = reactor.chain(pom);
    let mut found = Vec::new();
    let mut managed = Vec::new();
    for pom_of in &chain {
        for section in pom_of.sections(reactor.arguments()) {
            let read = |dependency: &Element| {
                let text = |name: &str| reactor.interpolate(pom, dependency.text_at(&[name])?);
                Some(Library {
                    group: text("groupId")?,
                    artifact: text("artifactId")?,
                    version: text("version").unwrap_or_default(),
                    kind: text("type").unwrap_or_else(|| "jar".to_owned()),
                    file: pom_of.file.clone(),
                })
            };
            found.extend(section.list(&["dependencies"]).iter().filter_map(read));
            for dependency in section.list(&["dependencyManagement", "dependencies"]) {
                let Some(library) = read(dependency) else { continue };
                match dependency.text_at(&["scope"]) {
                    Some("import") => found.push(library),
                    _ => managed.push(library),
                }
            }
        }
    }
    for library in found.iter_mut().filter(|library| library.version.is_empty()) {
        let version = managed
            .iter()
            .find(|managed| managed.group == library.group && managed.artifact == library.artifact);
        library.version = version.map(|managed| managed.version.clone()).unwrap_or_default();
    }
    if let Some(parent) = outside {
        found.push(Library {
            group: parent.group,
            artifact: parent.artifact,
            version: reactor.interpolate(pom, &parent.version).unwrap_or_default(),
            kind: "pom".to_owned(),
            file: chain.last().map(|pom| pom.file.clone()).unwrap_or_default(),
        });
    }
    found
}

/// The declarations of a plugin in a POM and its parents, nearest first, each with its file.
pub(super) fn plugins<'a>(reactor: &'a Reactor, pom: &'a Pom, artifact: &str) -> Vec<(&'a str, &'a Element)> {
    let (chain, _) = reactor.chain(pom);
    let mut found = Vec::new();
    for pom in chain {
        for section in pom.sections(reactor.arguments()) {
            for path in [&["build", "plugins"][..], &["build", "pluginManagement", "plugins"]] {
                found.extend(
                    section
                        .list(path)
                        .iter()
                        .filter(|plugin| plugin.text_at(&["artifactId"]) == Some(artifact))
                        .map(|plugin| (pom.file.as_str(), plugin)),
                );
            }
        }
    }
    found
}

/// The configuration of a plugin and of each of its executions.
pub(super) fn configurations(plugin: &Element) -> impl Iterator<Item = &Element> {
    plugin.child("configuration").into_iter().chain(
        plugin
            .list(&["executions"])
            .iter()
            .filter_map(|execution| execution.child("configuration")),
    )
}

fn told(text: &str, value: &str) -> String {
    if text == value {
        value.to_owned()
    } else {
        format!("{text}, which is {value},")
    }
}

/// `17` of `17`, `17.0.2`, `1.8` of old: the major version.
pub(super) fn version(text: &str) -> Option<u8> {
    let text = text.trim();
    let text = text
        .strip_prefix("1.")
        .filter(|rest| !rest.starts_with('0'))
        .unwrap_or(text);
    let digits = text.split(['.', '-', '_', '+']).next()?;
    digits.parse().ok().filter(|version| (1..=99).contains(version))
}

/// The least version of a range (`[17,)`, `[1.8,12)`) or of a plain one.
fn lower_bound(text: &str) -> Option<u8> {
    let text = text.trim().trim_start_matches(['[', '(']);
    version(text.split([',', ']', ')']).next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_ranges_are_read_as_java_writes_them() {
        for (text, expected) in [
            ("17", Some(17)),
            ("1.8", Some(8)),
            ("8", Some(8)),
            ("1.5", Some(5)),
            ("17.0.2", Some(17)),
            ("21-ea", Some(21)),
            ("", None),
            ("x", None),
            ("1", Some(1)),
        ] {
            assert_eq!(version(text), expected, "{text}");
        }
        for (text, expected) in [
            ("[17,)", Some(17)),
            ("[1.8,12)", Some(8)),
            ("(,17]", None),
            ("11", Some(11)),
            ("[21]", Some(21)),
        ] {
            assert_eq!(lower_bound(text), expected, "{text}");
        }
    }
}
