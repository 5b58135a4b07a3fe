//! The web application archive that the build made.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Digest;

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
