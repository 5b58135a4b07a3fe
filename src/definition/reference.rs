//! Names of images: complete, pinned to something, and reachable through a company's mirror.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::model::Reference;

/// The name of an image with registry, repository and a tag other than `latest`, or a digest.
///
/// `tomcat:10.1` becomes `docker.io/library/tomcat:10.1`, as for Docker (distribution/reference, "familiar names").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName(String);

impl ImageName {
    /// Reads a name; refuses one that may mean another image tomorrow without anybody having changed it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let reference: Reference = text.parse().map_err(|error: crate::model::Invalid| error.to_string())?;
        // A missing tag is read as `latest`: the same fault.
        if reference.digest().is_none() && reference.tag().is_none_or(|tag| tag == "latest") {
            return Err(format!(
                "{text:?} is pinned to nothing: give it a tag other than \"latest\", or a digest (@sha256:…)"
            ));
        }
        Ok(Self(reference.to_string()))
    }

    /// The complete name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name under which it is pulled; see [`mirrored`].
    pub fn mirrored(&self, mirrors: &BTreeMap<String, String>) -> String {
        mirrored(&self.0, mirrors)
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ImageName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Replaces the registry of `reference` by its mirror: with `docker.io` → `registry.example.com/mirror`, `tomcat:10.1`
/// becomes `registry.example.com/mirror/library/tomcat:10.1`.
///
/// A registry without mirror stays, with the name completed; what is no name of an image comes back as it is, for the
/// engine to refuse.
pub fn mirrored(reference: &str, mirrors: &BTreeMap<String, String>) -> String {
    let Ok(parsed) = reference.parse::<Reference>() else {
        return reference.to_owned();
    };
    let whole = parsed.to_string();
    match (mirrors.get(parsed.registry()), whole.split_once('/')) {
        (Some(mirror), Some((_, path))) => format!("{}/{path}", mirror.trim_end_matches('/')),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_takes_the_place_of_the_registry() {
        let mirrors = BTreeMap::from([
            ("docker.io".to_owned(), "registry.example.com/mirror/".to_owned()),
            ("localhost:5000".to_owned(), "other.example.com:8443".to_owned()),
        ]);
        let pinned = format!("quay.io/a/b:1@sha256:{}", "a".repeat(64));
        for (given, expected) in [
            ("tomcat:10", "registry.example.com/mirror/library/tomcat:10"),
            ("bitnami/tomcat:10", "registry.example.com/mirror/bitnami/tomcat:10"),
            (
                "docker.io/library/tomcat:10",
                "registry.example.com/mirror/library/tomcat:10",
            ),
            (
                "index.docker.io/library/tomcat:10",
                "registry.example.com/mirror/library/tomcat:10",
            ),
            ("localhost:5000/a/b:1", "other.example.com:8443/a/b:1"),
            ("quay.io/a/b:1", "quay.io/a/b:1"),
            (pinned.as_str(), pinned.as_str()),
            ("tomcat", "registry.example.com/mirror/library/tomcat:latest"),
        ] {
            assert_eq!(mirrored(given, &mirrors), expected);
        }
        assert_eq!(mirrored("tomcat:10", &BTreeMap::new()), "docker.io/library/tomcat:10");
    }

    #[test]
    fn a_name_is_pinned_to_something() {
        assert_eq!(
            ImageName::parse("maven:3.9").map(|name| name.to_string()),
            Ok("docker.io/library/maven:3.9".to_owned())
        );
        for bad in [
            "tomcat",
            "tomcat:latest",
            "",
            "Tomcat:9",
            "tomcat:9 \nRUN x",
            "tomcat:$TAG",
            "tomcat@sha256:12",
        ] {
            assert!(ImageName::parse(bad).is_err(), "{bad:?} was taken for a pinned name");
        }
    }
}
