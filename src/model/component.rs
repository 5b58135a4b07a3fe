//! A library that is part of something bigger.

use serde::{Deserialize, Serialize};

/// A library by its Maven coordinates, as far as its jar tells them.
///
/// Jars that Maven made say all of it. Those that Gradle made (Spring, Hibernate) keep their group to themselves; their
/// classes give it away, because groups and packages begin alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Component {
    /// The groupId; empty where the jar does not say it.
    pub group: String,
    /// The artifactId.
    pub artifact: String,
    /// The version; empty where nothing says it.
    pub version: String,
    /// Where `group` is empty: the package that all its classes are in, for example `org.springframework.beans`.
    pub package: String,
}

impl Component {
    /// Is it this library? Where its group is not known, the artifact has to be the same, and of group and package one has
    /// to be the beginning of the other, by at least two names. Groups that are named like their artifact (`junit:junit`),
    /// as they were before groups were domains, follow from the artifact alone.
    pub fn is(&self, group: &str, artifact: &str) -> bool {
        if self.artifact != artifact {
            return false;
        }
        if !self.group.is_empty() {
            return self.group == group;
        }
        if group == artifact {
            return true;
        }
        self.package.contains('.') && (begins(&self.package, group) || begins(group, &self.package))
    }

    /// `group:artifact:version` for people; what is not known is left out.
    pub fn name(&self) -> String {
        let parts = [&self.group, &self.artifact, &self.version];
        let known: Vec<&str> = parts
            .into_iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        known.join(":")
    }
}

/// Does `long` begin with the names of `short`?
fn begins(long: &str, short: &str) -> bool {
    long.strip_prefix(short)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(group: &str, package: &str) -> Component {
        Component {
            group: group.to_owned(),
            artifact: "spring-beans".to_owned(),
            version: "5.3.17".to_owned(),
            package: package.to_owned(),
        }
    }

    #[test]
    fn a_group_is_known_or_follows_from_the_classes() {
        assert!(component("org.springframework", "").is("org.springframework", "spring-beans"));
        assert!(!component("com.example", "").is("org.springframework", "spring-beans"));
        assert!(!component("org.springframework", "").is("org.springframework", "spring-core"));
        let gradle = component("", "org.springframework.beans");
        assert!(gradle.is("org.springframework", "spring-beans"));
        assert!(!gradle.is("org.spring", "spring-beans"));
        assert!(component("", "org.hibernate").is("org.hibernate.orm", "spring-beans"));
        for nothing in ["", "org"] {
            assert!(
                !component("", nothing).is("org.springframework", "spring-beans"),
                "{nothing:?}"
            );
        }
    }

    #[test]
    fn old_groups_are_named_like_their_artifact() {
        let junit = Component {
            artifact: "junit".to_owned(),
            ..component("", "")
        };
        assert!(junit.is("junit", "junit") && !junit.is("org.junit", "junit"));
        assert!(!component("com.example", "").is("spring-beans", "spring-beans"));
    }

    #[test]
    fn a_name_has_no_holes() {
        assert_eq!(component("g", "").name(), "g:spring-beans:5.3.17");
        assert_eq!(component("", "p.q").name(), "spring-beans:5.3.17");
    }
}
