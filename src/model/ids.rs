//! Identifiers that must not be mixed up: each checks its own shape once, where it enters the program.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not what it claims to be: says what was expected and what came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {what}: {value:?} ({expected})")]
pub struct Invalid {
    /// The noun that was expected, for example `commit id`.
    pub what: &'static str,
    /// What came instead, shortened to 80 characters.
    pub value: String,
    /// The shape that is allowed.
    pub expected: &'static str,
}

impl Invalid {
    pub(super) fn new(what: &'static str, value: &str, expected: &'static str) -> Self {
        Self {
            what,
            value: value.chars().take(80).collect(),
            expected,
        }
    }
}

/// Number of a build: counts up over the whole service, the number that people say aloud ("build 12").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BuildId(pub i64);

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A stored webhook delivery (UUID version 7, so that the ids sort by time of arrival).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub uuid::Uuid);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// GitLab's number of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectId(pub i64);

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Fencing token of one attempt at a job: a write that carries an old one changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub i64);

/// Path of a GitLab project with its groups, for example `shop/web/basket`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectPath(String);

impl ProjectPath {
    /// The whole path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part: the name of the application.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl FromStr for ProjectPath {
    type Err = Invalid;

    /// GitLab's own rule (`Gitlab::PathRegex`): letters, digits, `_`, `-`, `.`, at least one group, no empty, `.` or `..` part.
    fn from_str(s: &str) -> Result<Self, Invalid> {
        let part = |p: &str| {
            !p.is_empty()
                && p != "."
                && p != ".."
                && p.chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        };
        if s.len() <= 512 && s.contains('/') && s.split('/').all(part) {
            Ok(Self(s.to_owned()))
        } else {
            Err(Invalid::new(
                "project path",
                s,
                "group/project, of letters, digits, '_', '-', '.'",
            ))
        }
    }
}

impl TryFrom<String> for ProjectPath {
    type Error = Invalid;
    fn try_from(s: String) -> Result<Self, Invalid> {
        s.parse()
    }
}

impl From<ProjectPath> for String {
    fn from(p: ProjectPath) -> Self {
        p.0
    }
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Object id of Git: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha(String);

impl Sha {
    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight digits, as GitLab shows them.
    pub fn short(&self) -> &str {
        &self.0[..8]
    }
}

impl FromStr for Sha {
    type Err = Invalid;
    fn from_str(s: &str) -> Result<Self, Invalid> {
        let hex = s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hex && matches!(s.len(), 40 | 64) && s.bytes().any(|b| b != b'0') {
            Ok(Self(s.to_owned()))
        } else {
            Err(Invalid::new(
                "commit id",
                s,
                "40 or 64 lower-case hexadecimal digits, not all zero",
            ))
        }
    }
}

impl TryFrom<String> for Sha {
    type Error = Invalid;
    fn try_from(s: String) -> Result<Self, Invalid> {
        s.parse()
    }
}

impl From<Sha> for String {
    fn from(s: Sha) -> Self {
        s.0
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Digest of an image, a blob or a file: `sha256:` and 64 hexadecimal digits (OCI image specification, "Digests").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// With its `sha256:` in front.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 digits alone.
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }

    /// Digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self::from_sha256(sha2::Sha256::digest(bytes).into())
    }

    /// From a finished SHA-256.
    pub fn from_sha256(sum: [u8; 32]) -> Self {
        use fmt::Write as _;
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in sum {
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        }
        Self(text)
    }
}

impl FromStr for Digest {
    type Err = Invalid;
    fn from_str(s: &str) -> Result<Self, Invalid> {
        let ok = s
            .strip_prefix("sha256:")
            .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        if ok {
            Ok(Self(s.to_owned()))
        } else {
            Err(Invalid::new(
                "digest",
                s,
                "sha256: and 64 lower-case hexadecimal digits",
            ))
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = Invalid;
    fn try_from(s: String) -> Result<Self, Invalid> {
        s.parse()
    }
}

impl From<Digest> for String {
    fn from(d: Digest) -> Self {
        d.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_id_is_checked_where_it_enters() {
        let sha: Sha = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7".parse().expect("a commit id");
        assert_eq!(sha.short(), "da156088");
        for bad in [
            "",
            "da15",
            "0000000000000000000000000000000000000000",
            "DA1560886d4f094c3e6c9ef40349f7d38b5d27d7",
        ] {
            assert!(bad.parse::<Sha>().is_err(), "{bad:?} was taken for a commit id");
        }
    }

    #[test]
    fn a_project_path_cannot_leave_its_place() {
        let path: ProjectPath = "shop/web/basket".parse().expect("a path");
        assert_eq!(path.name(), "basket");
        for bad in ["basket", "a//b", "../a", "a/..", "a/b c", "a/b\n", "/a/b"] {
            assert!(
                bad.parse::<ProjectPath>().is_err(),
                "{bad:?} was taken for a project path"
            );
        }
    }

    #[test]
    fn a_digest_of_nothing_is_the_known_one() {
        let empty = Digest::of(b"");
        assert_eq!(
            empty.as_str(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(empty.as_str().parse(), Ok(empty));
    }
}
