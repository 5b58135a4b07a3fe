//! The web application archive that the build made.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use super::{Digest, Invalid};

/// Which generation of the servlet interface the classes speak: decides between Tomcat 9 and 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServletApi {
    /// `javax.servlet`, up to Servlet 4 (Tomcat 9).
    Javax,
    /// `jakarta.servlet`, from Servlet 5 (Tomcat 10).
    Jakarta,
}

impl ServletApi {
    /// The name in pipeline files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Javax => "javax",
            Self::Jakarta => "jakarta",
        }
    }
}

/// A version of the servlet interface, for example 6.0: what a container implements and a `web.xml` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServletVersion {
    /// 2 to 99.
    pub major: u8,
    /// 0 to 99.
    pub minor: u8,
}

impl ServletVersion {
    /// The generation that it belongs to: the package was renamed with version 5.0 (Jakarta Servlet 5.0, "Change log").
    pub fn api(self) -> ServletApi {
        if self.major >= 5 {
            ServletApi::Jakarta
        } else {
            ServletApi::Javax
        }
    }
}

impl fmt::Display for ServletVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for ServletVersion {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let number = |text: &str| text.parse().ok().filter(|number: &u8| *number <= 99);
        text.split_once('.')
            .and_then(|(major, minor)| {
                Some(Self {
                    major: number(major).filter(|major| *major >= 2)?,
                    minor: number(minor)?,
                })
            })
            .ok_or_else(|| Invalid {
                what: "version of the servlet interface",
                value: text.to_owned(),
                expected: "two numbers, like 4.0 or 6.1",
            })
    }
}

impl Serialize for ServletVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A WAR that was found and looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct War {
    /// Where it lies on the worker's disk.
    pub file: PathBuf,
    /// Where it lay in the project, for example `web/target/shop.war`.
    pub path: String,
    /// Its checksum.
    pub sha256: Digest,
    /// Bytes.
    pub size: u64,
    /// Which servlet generation its classes use.
    pub servlet: ServletApi,
    /// On what grounds `servlet` was chosen, a sentence.
    pub evidence: String,
}
