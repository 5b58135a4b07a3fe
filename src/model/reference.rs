//! The name of an image in a registry.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// Longest registry and repository together, in bytes.
const LONGEST_NAME: usize = 255;
/// Longest tag, in bytes.
const LONGEST_TAG: usize = 128;

/// `registry/repository:tag@digest`, complete: `tomcat:10.1` is `docker.io/library/tomcat:10.1`, and where there is
/// neither tag nor digest the tag is `latest`, as for Docker.
///
/// The grammar is that of github.com/distribution/reference (`reference.go`). It is read by hand, because the regular
/// expression of the OCI libraries takes six megabytes of memory for as long as the process lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl Reference {
    /// Host, and port where there is one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Path within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// What may mean another image tomorrow.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// What cannot.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid::new(
                "name of an image",
                text,
                "one like docker.io/library/tomcat:10.1-jdk17-temurin",
            )
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        // A colon after the last slash begins a tag; an earlier one, a port.
        let last = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match rest[last..].split_once(':') {
            Some((end, tag)) => (&rest[..last + end.len()], Some(tag)),
            None => (rest, None),
        };
        let (registry, repository) = match name.split_once('/') {
            Some((first, path)) if is_registry(first) => (first, path.to_owned()),
            _ => ("docker.io", name.to_owned()),
        };
        let registry = if registry == "index.docker.io" {
            "docker.io"
        } else {
            registry
        };
        let repository = if registry == "docker.io" && !repository.contains('/') {
            format!("library/{repository}")
        } else {
            repository
        };
        let fits = registry_fits(registry)
            && repository.split('/').all(component_fits)
            && registry.len() + 1 + repository.len() <= LONGEST_NAME
            && tag.is_none_or(tag_fits)
            && digest.is_none_or(digest_fits);
        if !fits {
            return Err(wrong());
        }
        let tag = tag.or(digest.is_none().then_some("latest"));
        Ok(Self {
            registry: registry.to_owned(),
            repository,
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }
}

/// `a/b` is a path on Docker's own registry, `a.b/c`, `a:1/c` and `localhost/c` are not ("familiar names").
fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

fn registry_fits(registry: &str) -> bool {
    let (host, port) = match registry.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (registry, None),
    };
    let label_fits = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    host.split('.').all(label_fits)
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()))
}

/// Lower-case letters and digits, in groups separated by `.`, `_`, `__` or any number of `-`.
fn component_fits(component: &str) -> bool {
    let group = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends_fit = bytes.first().copied().is_some_and(group) && bytes.last().copied().is_some_and(group);
    ends_fit
        && component
            .split(|c: char| c.is_ascii() && group(c as u8))
            .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|c| c == b'-'))
}

fn tag_fits(tag: &str) -> bool {
    let word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    tag.len() <= LONGEST_TAG
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|c| word(c) || matches!(c, b'.' | b'-'))
}

/// The two algorithms that the OCI image specification registers ("Registered Algorithms").
fn digest_fits(digest: &str) -> bool {
    let hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
    };
    match digest.split_once(':') {
        Some(("sha256", value)) => hex(value, 64),
        Some(("sha512", value)) => hex(value, 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Theirs = oci_distribution::Reference;

    #[test]
    fn a_short_name_is_completed() {
        for (given, complete) in [
            ("tomcat", "docker.io/library/tomcat:latest"),
            ("tomcat:10.1", "docker.io/library/tomcat:10.1"),
            ("bitnami/tomcat:10", "docker.io/bitnami/tomcat:10"),
            ("index.docker.io/tomcat:1", "docker.io/library/tomcat:1"),
            ("localhost/a:1", "localhost/a:1"),
            ("a:5000/b", "a:5000/b:latest"),
        ] {
            assert_eq!(given.parse::<Reference>().expect(given).to_string(), complete);
        }
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "Tomcat",
            "a:",
            "a@",
            "a@sha256:12",
            "a b",
            "a\nb",
            "a/_b",
            "a..b",
            "a_-b",
            "AB/c:1",
            "a:\u{e9}",
            "-a.b/c",
            "a:1x/b",
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad:?}");
        }
    }

    /// Small pieces that make names, near names and nonsense.
    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-z0-9]{1,4}",
            Just("/".to_owned()),
            "[._:@-]",
            Just("__".to_owned()),
            Just("localhost".to_owned()),
            Just("docker.io/".to_owned()),
            Just("index.docker.io/".to_owned()),
            Just(format!("@sha256:{}", "0f".repeat(32))),
            "[ $\\\\\n]",
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn it_reads_what_the_library_reads(text in text()) {
            let theirs = text.parse::<Theirs>();
            match text.parse::<Reference>() {
                Ok(ours) => prop_assert_eq!(Some(ours.to_string()), theirs.ok().map(|theirs| theirs.whole()), "{:?}", text),
                // Theirs takes a path for a registry when it has a dot: `a_b.c/d`.
                Err(_) => prop_assert!(theirs.is_err() || !registry_fits(text.split('/').next().unwrap_or_default()), "{:?}", text),
            }
        }
    }
}
