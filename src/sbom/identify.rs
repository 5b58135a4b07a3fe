//! Which libraries a jar is: by the `pom.properties` in it, else by its manifest and its file name.

use std::collections::BTreeMap;

use super::Evidence;
use crate::maven::range::is_coordinate;
use crate::model::Component;

/// Longest version that is believed.
const LONGEST_VERSION: usize = 200;

/// Words in the middle of a version; others are the end of a name, as in `log4j-1.2-api-2.17.1`.
const IN_VERSIONS: &[&str] = &[
    "alpha",
    "beta",
    "milestone",
    "rc",
    "cr",
    "sp",
    "snapshot",
    "ga",
    "final",
    "release",
    "m",
    "b",
    "a",
    "build",
    "rev",
];

/// What was seen in a jar.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// File name, for example `spring-beans-5.3.18.jar`.
    pub file: String,
    /// Main attributes of the manifest.
    pub manifest: BTreeMap<String, String>,
    /// Groups, artifacts and versions of all `pom.properties`, sorted.
    pub poms: Vec<(String, String, String)>,
    /// The package that all classes are in; empty if there is none.
    pub package: String,
}

/// All that this jar is; the jar itself first, then what was put into it. Never empty.
pub(super) fn identify(seen: &Seen) -> Vec<(Component, Evidence)> {
    let stem = stem(&seen.file);
    let (named, version) = split(stem, seen.stated_version());
    let is_it =
        |artifact: &str| stem == artifact || stem.strip_prefix(artifact).is_some_and(|rest| rest.starts_with('-'));
    let own = seen
        .poms
        .iter()
        .filter(|(_, artifact, _)| is_it(artifact))
        .max_by_key(|(_, artifact, _)| artifact.len())
        // A jar that was renamed is still the one thing that it says it is.
        .or_else(|| match &seen.poms[..] {
            [only] if version.is_none() => Some(only),
            _ => None,
        });
    let mut found = match own {
        Some(pom) => vec![by_pom(pom, version)],
        None => vec![seen.by_itself(named, version)],
    };
    let others = seen
        .poms
        .iter()
        .filter(|pom| Some(*pom) != own)
        .map(|pom| by_pom(pom, None));
    found.extend(others);
    found
}

fn by_pom((group, artifact, version): &(String, String, String), of_file: Option<&str>) -> (Component, Evidence) {
    let component = Component {
        group: group.clone(),
        artifact: artifact.clone(),
        version: match is_version(version) {
            true => version.clone(),
            false => of_file.unwrap_or_default().to_owned(),
        },
        package: String::new(),
    };
    (component, Evidence::PomProperties)
}

impl Seen {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.manifest.get(name).map(String::as_str)
    }

    fn stated_version(&self) -> Option<&str> {
        ["implementation-version", "bundle-version"]
            .into_iter()
            .filter_map(|name| self.attribute(name))
            .find(|version| is_version(version))
    }

    /// Without a pom: the repository's file name says artifact and version, the manifest the rest.
    fn by_itself(&self, named: &str, version: Option<&str>) -> (Component, Evidence) {
        let title = ["implementation-title", "bundle-symbolicname"]
            .into_iter()
            .filter_map(|name| self.attribute(name))
            // `Bundle-SymbolicName` may carry directives.
            .map(|value| value.split(';').next().unwrap_or(value).trim())
            .find(|value| is_coordinate(value));
        let (artifact, evidence) = match (version, title, self.stated_version()) {
            (Some(_), _, None) => (named, Evidence::FileName),
            (Some(_), _, Some(_)) => (named, Evidence::Manifest),
            (None, Some(title), _) => (title, Evidence::Manifest),
            (None, None, Some(_)) => (named, Evidence::Manifest),
            (None, None, None) => (named, Evidence::FileName),
        };
        let group = self
            .attribute("implementation-vendor-id")
            .filter(|id| is_coordinate(id) && id.contains('.'))
            .unwrap_or_default();
        let component = Component {
            group: group.to_owned(),
            artifact: artifact.to_owned(),
            version: version.or(self.stated_version()).unwrap_or_default().to_owned(),
            package: match group {
                "" => self.package.clone(),
                _ => String::new(),
            },
        };
        (component, evidence)
    }
}

/// The name without its ending.
fn stem(file: &str) -> &str {
    match file.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => file,
    }
}

/// Artifact and version out of `artifact-version` or `artifact-version-classifier`; the manifest's version helps.
fn split<'a>(stem: &'a str, stated: Option<&str>) -> (&'a str, Option<&'a str>) {
    let by_manifest = stated.and_then(|version| {
        stem.match_indices(version).find_map(|(at, found)| {
            let end = at + found.len();
            let before = stem[..at].strip_suffix('-').filter(|artifact| !artifact.is_empty())?;
            let whole = end == stem.len() || stem[end..].starts_with('-');
            whole.then_some((before, Some(&stem[at..end])))
        })
    });
    if let Some(found) = by_manifest {
        return found;
    }
    let starts_version = |at: usize| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit());
    stem.match_indices('-')
        .map(|(at, _)| at)
        .find(|at| *at > 0 && starts_version(*at) && !goes_on(&stem[at + 1..]))
        .map_or((stem, None), |at| (&stem[..at], Some(&stem[at + 1..])))
}

/// Is this, though it begins with a digit, still a part of the name: `1.2-api-2.17.1`?
fn goes_on(rest: &str) -> bool {
    let words: Vec<&str> = rest.split('-').collect();
    words.windows(2).skip(1).any(|pair| {
        let word = pair[0].to_ascii_lowercase();
        let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic());
        is_word && !IN_VERSIONS.contains(&word.as_str()) && pair[1].starts_with(|c: char| c.is_ascii_digit())
    })
}

/// A version that somebody meant: not empty, no `${…}` that was never filled in.
fn is_version(version: &str) -> bool {
    (1..=LONGEST_VERSION).contains(&version.len())
        && version.chars().any(|c| c.is_ascii_alphanumeric())
        && !version
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "${}<>\"".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(seen: &Seen) -> Vec<String> {
        identify(seen).iter().map(|(component, _)| component.name()).collect()
    }

    fn pom(group: &str, artifact: &str, version: &str) -> (String, String, String) {
        (group.to_owned(), artifact.to_owned(), version.to_owned())
    }

    #[test]
    fn a_file_name_is_artifact_and_version() {
        for (file, artifact, version) in [
            ("spring-beans-5.3.18.jar", "spring-beans", "5.3.18"),
            ("log4j-1.2-api-2.17.1.jar", "log4j-1.2-api", "2.17.1"),
            ("jetty-1.0-beta-2.jar", "jetty", "1.0-beta-2"),
            ("app-1.0-20230101.120000-3.jar", "app", "1.0-20230101.120000-3"),
            ("guava-31.1-jre.jar", "guava", "31.1-jre"),
            ("servlet-api.jar", "servlet-api", ""),
            ("h2.JAR", "h2", ""),
            ("-1.0.jar", "-1.0", ""),
        ] {
            let (found, evidence) = identify(&Seen {
                file: file.to_owned(),
                ..Seen::default()
            })
            .remove(0);
            assert_eq!((&*found.artifact, &*found.version), (artifact, version), "{file}");
            assert_eq!(evidence, Evidence::FileName);
        }
    }

    #[test]
    fn a_manifest_helps_where_no_pom_is() {
        let manifest = [
            ("implementation-version", "4.1.100.Final"),
            ("implementation-title", "Netty"),
        ];
        let seen = Seen {
            file: "netty-epoll-4.1.100.Final-linux-x86_64.jar".to_owned(),
            manifest: manifest.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            package: "io.netty.channel".to_owned(),
            ..Seen::default()
        };
        let (found, evidence) = identify(&seen).remove(0);
        assert_eq!((&*found.artifact, &*found.version), ("netty-epoll", "4.1.100.Final"));
        assert_eq!((&*found.group, &*found.package), ("", "io.netty.channel"));
        assert_eq!(evidence, Evidence::Manifest);
        let manifest = [
            ("implementation-title", "spring-beans"),
            ("implementation-version", "5.3.17"),
            ("implementation-vendor-id", "org.springframework"),
        ];
        let renamed = Seen {
            file: "beans.jar".to_owned(),
            manifest: manifest.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..Seen::default()
        };
        assert_eq!(names(&renamed), ["org.springframework:spring-beans:5.3.17"]);
    }

    #[test]
    fn a_shaded_jar_is_all_that_it_was_made_of() {
        let seen = Seen {
            file: "client-1.0.jar".to_owned(),
            poms: vec![
                pom("com.example", "client", "1.0"),
                pom("org.apache.logging.log4j", "log4j-core", "2.14.1"),
            ],
            ..Seen::default()
        };
        assert_eq!(
            names(&seen),
            ["com.example:client:1.0", "org.apache.logging.log4j:log4j-core:2.14.1"]
        );
        let by_gradle = Seen {
            file: "fat-2.jar".to_owned(),
            poms: vec![pom("org.apache.logging.log4j", "log4j-core", "2.14.1")],
            ..Seen::default()
        };
        assert_eq!(
            names(&by_gradle),
            ["fat:2", "org.apache.logging.log4j:log4j-core:2.14.1"]
        );
    }

    #[test]
    fn a_renamed_jar_is_what_its_pom_says_and_a_hole_is_filled_by_the_name() {
        let renamed = Seen {
            file: "logging.jar".to_owned(),
            poms: vec![pom("log4j", "log4j", "1.2.17")],
            ..Seen::default()
        };
        assert_eq!(names(&renamed), ["log4j:log4j:1.2.17"]);
        let unfilled = Seen {
            file: "lib-3.1.jar".to_owned(),
            poms: vec![pom("com.example", "lib", "${revision}")],
            ..Seen::default()
        };
        assert_eq!(names(&unfilled), ["com.example:lib:3.1"]);
    }
}
