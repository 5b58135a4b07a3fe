//! What `java -version` prints, and what follows from it.

use std::fmt;

/// A version of Java: 17.0.9 is feature 17, update 9; 1.8.0_372 is feature 8, update 372.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JavaVersion {
    pub(super) feature: u8,
    update: u32,
    text: String,
}

impl JavaVersion {
    /// Finds it in the output: `openjdk version "17.0.9" 2023-10-17` (JEP 223; before: JDK 8's own form).
    pub(super) fn find(output: &str) -> Option<Self> {
        let text = output.lines().find_map(|line| {
            let (_, rest) = line.split_once("version \"")?;
            rest.split('"').next()
        })?;
        let old = text.strip_prefix("1.");
        let mut numbers = old.unwrap_or(text).split(['.', '_', '-', '+']);
        let feature = numbers.next()?.parse().ok()?;
        let update = numbers.nth(1).and_then(|update| update.parse().ok()).unwrap_or(0);
        Some(Self {
            feature,
            update,
            text: text.to_owned(),
        })
    }

    /// Does it see the limits of a container on a host with cgroup v2? (JDK-8230305: in 15, and in 11.0.16 and 8u372.)
    /// One that does not takes its heap from the host's memory and is killed.
    pub(super) fn knows_cgroup_v2(&self) -> bool {
        match self.feature {
            15.. => true,
            11 => self.update >= 16,
            8 => self.update >= 372,
            _ => false,
        }
    }
}

impl fmt::Display for JavaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_ages_are_read_and_know_their_cgroups_or_not() {
        for (line, feature, knows) in [
            ("openjdk version \"17.0.9\" 2023-10-17", 17, true),
            ("openjdk version \"1.8.0_372\"", 8, true),
            ("openjdk version \"1.8.0_362\"", 8, false),
            ("openjdk version \"11.0.16.1\" 2022-08-12", 11, true),
            ("openjdk version \"11.0.15\" 2022-04-19", 11, false),
            ("openjdk version \"14.0.2\" 2020-07-14", 14, false),
            ("openjdk version \"25\" 2025-09-16", 25, true),
            (
                "Picked up JAVA_TOOL_OPTIONS: -Xss1m\nopenjdk version \"21-ea\" 2023-09-19",
                21,
                true,
            ),
        ] {
            let version = JavaVersion::find(line).expect(line);
            assert_eq!((version.feature, version.knows_cgroup_v2()), (feature, knows), "{line}");
        }
        assert_eq!(JavaVersion::find("sh: java: not found"), None);
    }
}
