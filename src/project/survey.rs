//! What a source tree tells before it is built: which JDK it asks for, where its WAR will be, what is unusual.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use super::arguments::Arguments;
use super::jdk::{self, Ask};
use super::pom::Pom;
use super::reactor::Reactor;
use crate::definition::Pipeline;
use crate::maven::unsupported_build;
use crate::model::{Finding, ServletApi};

/// Largest file of `.mvn/` that is read.
const SMALL: u64 = 64 << 10;

/// Packagings of Maven itself that make no WAR.
const NO_WAR: &[&str] = &["pom", "jar", "ear", "ejb", "rar", "maven-plugin"];

/// Plugins that can make a WAR in a module of another packaging.
const MAKERS: &[&str] = &[
    "maven-war-plugin",
    "maven-assembly-plugin",
    "maven-antrun-plugin",
    "maven-dependency-plugin",
    "exec-maven-plugin",
    "cargo-maven2-plugin",
    "cargo-maven3-plugin",
];

/// A module with the packaging `war`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarModule {
    /// Its directory in the repository; empty for the root.
    pub directory: String,
    /// Where Maven puts its WAR, as far as the POM tells: `web/target/web-1.0.war`.
    pub war: Option<String>,
    /// The module that takes it as an overlay: it is a part of that one's WAR then, and no application of its own.
    pub overlaid_by: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// Reasons for a JDK, the same reason once, in the order of the modules.
    pub asks: Vec<Ask>,
    /// Modules that make a WAR.
    pub wars: Vec<WarModule>,
    /// The parent POM that is not in the repository, as `group:artifact:version`: it may say what is not known here.
    pub outside: Option<String>,
    /// Which servlet generation the dependencies speak, and the evidence; the classes of the WAR decide in the end.
    pub servlet: Option<(ServletApi, String)>,
    /// Does a module use Maven's toolchains? It needs a `toolchains.xml` then.
    pub toolchains: bool,
    /// What is worth saying before the build: skipped tests, a wrapper's Maven, POMs that could not be read.
    pub notes: Vec<String>,
    /// Why this cannot become an image, if that is certain already.
    pub finding: Option<Finding>,
}

/// Reads the tree, with the profiles and properties that the pipeline and its stacks' command give to Maven.
///
/// # Errors
/// The disk fails; what is wrong with the project is a finding or a note.
pub fn survey(directory: &Path, pipeline: &Pipeline) -> io::Result<Survey> {
    // The builder is chosen by what is read here, so the first one's command stands for all.
    let command: &[String] = pipeline.stacks.first().map_or(&[], |stack| &stack.builder.command);
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    let config = small_file(&directory.join(".mvn/maven.config"))?.unwrap_or_default();
    let config = config.lines().filter(|line| !line.starts_with('#'));
    let mut arguments = Arguments::read(config.flat_map(str::split_whitespace))
        .under(&Arguments::read(command.iter().map(String::as_str)));
    arguments.profiles.extend(pipeline.profiles.iter().cloned());
    let elsewhere = arguments.file.is_some();
    if !elsewhere && let Some(finding) = unsupported_build(names.iter().map(String::as_str)) {
        return Ok(Survey {
            finding: Some(finding),
            ..Survey::default()
        });
    }
    let reactor = Reactor::read(directory, arguments)?;
    let mut survey = Survey {
        asks: asks(&reactor),
        wars: wars(&reactor),
        outside: outside(&reactor),
        servlet: servlet(&reactor),
        toolchains: reactor
            .modules()
            .any(|pom| !jdk::plugins(&reactor, pom, "maven-toolchains-plugin").is_empty()),
        notes: notes(&reactor, directory)?,
        finding: None,
    };
    survey.finding = certain(&reactor, &survey);
    Ok(survey)
}

fn asks(reactor: &Reactor) -> Vec<Ask> {
    let mut asks: Vec<Ask> = Vec::new();
    for ask in reactor.modules().flat_map(|pom| jdk::asks(reactor, pom)) {
        if !asks.contains(&ask) {
            asks.push(ask);
        }
    }
    asks
}

fn outside(reactor: &Reactor) -> Option<String> {
    let parent = reactor.chain(reactor.modules().next()?).1?;
    Some(format!("{}:{}:{}", parent.group, parent.artifact, parent.version))
}

fn wars(reactor: &Reactor) -> Vec<WarModule> {
    let modules: Vec<&Pom> = reactor
        .modules()
        .filter(|pom| reactor.packaging(pom) == "war")
        .collect();
    let overlays: Vec<(String, String)> = modules
        .iter()
        .flat_map(|pom| {
            let libraries = jdk::libraries(reactor, pom).into_iter();
            libraries
                .filter(|library| library.kind == "war")
                .map(|library| (library.artifact, pom.directory.clone()))
        })
        .collect();
    modules
        .into_iter()
        .map(|pom| WarModule {
            directory: pom.directory.clone(),
            war: final_name(reactor, pom).map(|name| {
                let place = if pom.directory.is_empty() { "" } else { "/" };
                format!("{}{place}target/{name}.war", pom.directory)
            }),
            overlaid_by: overlays
                .iter()
                .find(|(artifact, by)| artifact == pom.artifact() && *by != pom.directory)
                .map(|(_, by)| by.clone()),
        })
        .collect()
}

fn final_name(reactor: &Reactor, pom: &Pom) -> Option<String> {
    let (chain, _) = reactor.chain(pom);
    let named = chain.iter().find_map(|one| {
        one.sections(reactor.arguments())
            .into_iter()
            .find_map(|section| section.text_at(&["build", "finalName"]))
    });
    let name = named.unwrap_or("${project.artifactId}-${project.version}");
    reactor.interpolate(pom, name).filter(|name| !name.is_empty())
}

/// The interface that the WAR's module is compiled against.
fn servlet(reactor: &Reactor) -> Option<(ServletApi, String)> {
    let generation = |library: &jdk::Library| {
        let major: u32 = library.version.split(['.', '-']).next()?.parse().ok()?;
        Some(match (library.group.as_str(), library.artifact.as_str()) {
            ("jakarta.servlet", "jakarta.servlet-api") if major >= 5 => ServletApi::Jakarta,
            ("jakarta.platform", _) if major >= 9 => ServletApi::Jakarta,
            ("org.springframework.boot", _) if major >= 3 => ServletApi::Jakarta,
            ("org.springframework", _) if major >= 6 => ServletApi::Jakarta,
            // Version 4 of the new name is still the old package.
            ("jakarta.servlet" | "jakarta.platform", _) => ServletApi::Javax,
            ("javax.servlet" | "javax" | "javax.platform", _) => ServletApi::Javax,
            ("org.springframework.boot" | "org.springframework", _) => ServletApi::Javax,
            _ => return None,
        })
    };
    let wars = reactor.modules().filter(|pom| reactor.packaging(pom) == "war");
    wars.flat_map(|pom| jdk::libraries(reactor, pom)).find_map(|library| {
        let api = generation(&library)?;
        Some((
            api,
            format!("{} {} in {}", library.artifact, library.version, library.file),
        ))
    })
}

fn notes(reactor: &Reactor, directory: &Path) -> io::Result<Vec<String>> {
    let mut notes = reactor.gaps.clone();
    let mut skipped: BTreeMap<String, ()> = BTreeMap::new();
    for pom in reactor.modules() {
        for name in ["skipTests", "maven.test.skip"] {
            if let Some(stated) = reactor.property(pom, name)
                && matches!(stated.value.as_str(), "true" | "")
            {
                skipped.insert(format!("{name} is true in {}", stated.file), ());
            }
        }
        for (file, plugin) in jdk::plugins(reactor, pom, "maven-surefire-plugin") {
            for name in ["skip", "skipTests"] {
                let text = plugin.text_at(&["configuration", name]);
                if text.and_then(|text| reactor.interpolate(pom, text)).as_deref() == Some("true") {
                    skipped.insert(format!("<{name}> of maven-surefire-plugin is true in {file}"), ());
                }
            }
        }
        for (file, plugin) in jdk::plugins(reactor, pom, "maven-enforcer-plugin") {
            for configuration in jdk::configurations(plugin) {
                if let Some(range) = configuration.text_at(&["rules", "requireMavenVersion", "version"]) {
                    let note = format!("requireMavenVersion is {range} in {file}");
                    if !notes.contains(&note) {
                        notes.push(note);
                    }
                }
            }
        }
    }
    notes.extend(skipped.into_keys().map(|why| format!("Tests are skipped: {why}")));
    if let Some(version) = wrapper(directory)? {
        notes.push(format!(
            "Maven {version}, by the wrapper (.mvn/wrapper/maven-wrapper.properties)"
        ));
    }
    Ok(notes)
}

/// The version in the wrapper's `distributionUrl`: `…/apache-maven-3.9.9-bin.zip`.
fn wrapper(directory: &Path) -> io::Result<Option<String>> {
    let Some(text) = small_file(&directory.join(".mvn/wrapper/maven-wrapper.properties"))? else {
        return Ok(None);
    };
    Ok(text.lines().find_map(|line| {
        let url = line.trim().strip_prefix("distributionUrl")?;
        let name = url.rsplit('/').next()?.strip_prefix("apache-maven-")?;
        name.split("-bin").next().map(str::to_owned)
    }))
}

/// What no build can change: no module makes a WAR, and nothing is there that could make one beside Maven's own
/// packagings.
fn certain(reactor: &Reactor, survey: &Survey) -> Option<Finding> {
    let open = !survey.wars.is_empty()
        || !reactor.gaps.is_empty()
        || reactor.modules().next().is_none()
        || reactor.modules().any(|pom| {
            // Which of its profiles are active may depend on what is not known here: files, the JDK, the system.
            pom.has_modules_in_profiles()
                || !NO_WAR.contains(&&*reactor.packaging(pom))
                || MAKERS.iter().any(|maker| !jdk::plugins(reactor, pom, maker).is_empty())
        });
    if open {
        return None;
    }
    let modules = reactor
        .modules()
        .take(40)
        .map(|pom| format!("{}: packaging {}", pom.file, reactor.packaging(pom)));
    let has = |packaging: &str| reactor.modules().any(|pom| reactor.packaging(pom) == packaging);
    let boot = reactor
        .modules()
        .any(|pom| !jdk::plugins(reactor, pom, "spring-boot-maven-plugin").is_empty());
    let supported =
        "Supported are Maven projects with a module whose packaging is war, Spring Boot's executable WAR included.";
    let finding = if has("ear") || has("ejb") {
        Finding::new(
            "needs-jakarta-ee",
            "The project makes an EAR or EJBs, which need a Jakarta EE server, and no WAR",
            format!(
                "{supported} Move the web part into a WAR that runs on Tomcat alone, or deploy this project by other means."
            ),
        )
    } else if boot {
        Finding::new(
            "no-war",
            "The project makes an executable JAR of Spring Boot, and no WAR",
            format!(
                "{supported} Set <packaging>war</packaging> and let the application extend SpringBootServletInitializer."
            ),
        )
    } else {
        Finding::new(
            "no-war",
            "No module of the project has the packaging war",
            format!("{supported} Set <packaging>war</packaging> in the module that is the web application."),
        )
    };
    Some(finding.with_detail(modules))
}

fn small_file(path: &Path) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    match fs::File::open(path) {
        Ok(file) => file.take(SMALL).read_to_end(&mut bytes)?,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
