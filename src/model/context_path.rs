//! Where a web application is in the addresses of its server.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::Invalid;

/// The context path of a web application: `/`, or a path like `/shop` or `/shop/admin`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContextPath(Vec<String>);

impl ContextPath {
    /// The directory below Tomcat's `webapps` that is served there: `ROOT`, `shop`, `shop#admin` (Tomcat, "The Context
    /// Container", Naming).
    pub fn directory(&self) -> String {
        if self.0.is_empty() {
            "ROOT".to_owned()
        } else {
            self.0.join("#")
        }
    }

    /// A path inside the application, as a client asks for it: `/health` becomes `/shop/health`.
    pub fn inside(&self, path: &str) -> String {
        let prefix: String = self.0.iter().map(|part| format!("/{part}")).collect();
        format!("{prefix}{path}")
    }
}

impl FromStr for ContextPath {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid {
            what: "context path",
            value: text.to_owned(),
            expected: "\"/\", or a path of letters, digits, '.', '_', '-' like \"/shop\"",
        };
        let parts = text.strip_prefix('/').ok_or_else(invalid)?;
        if parts.is_empty() {
            return Ok(Self::default());
        }
        let parts: Vec<String> = parts.split('/').map(str::to_owned).collect();
        let good = |part: &String| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        // Tomcat takes this name for "/".
        if !parts.iter().all(good) || parts[0] == "ROOT" {
            return Err(invalid());
        }
        Ok(Self(parts))
    }
}

impl fmt::Display for ContextPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0.join("/"))
    }
}

impl Serialize for ContextPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_path_names_its_directory() {
        for (path, directory, health) in [
            ("/", "ROOT", "/health"),
            ("/shop", "shop", "/shop/health"),
            ("/shop/admin", "shop#admin", "/shop/admin/health"),
        ] {
            let parsed: ContextPath = path.parse().expect(path);
            assert_eq!(parsed.directory(), directory);
            assert_eq!(parsed.inside("/health"), health);
            assert_eq!(parsed.to_string(), path);
        }
        for bad in ["", "shop", "//", "/shop/", "/a b", "/a#b", "/../x", "/ROOT", "/-a"] {
            assert!(bad.parse::<ContextPath>().is_err(), "{bad} was taken");
        }
    }
}
