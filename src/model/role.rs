//! What somebody is in this house. A role is held for projects (see `definition::People`); what it may do stands in
//! [`Permission`](super::Permission).
//!
//! A release manager decides what runs in production, the platform team keeps the machinery running: neither is the
//! other's superior, therefore the roles are not in one line.
//!
//! ```text
//!                      ┌─ release manager ─┐
//! viewer < developer < ┤                   ├ < admin
//!                      └───── platform ────┘
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// A role. The order of the variants is that in which they are shown, and no rank: for that there is
/// [`Role::covers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Has builds made, asks for promotions.
    Developer,
    /// Decides on promotions.
    ReleaseManager,
    /// Keeps pipelines, environments and the service.
    Platform,
    /// May do everything.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [
        Self::Viewer,
        Self::Developer,
        Self::ReleaseManager,
        Self::Platform,
        Self::Admin,
    ];

    /// As files, database and command line name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::ReleaseManager => "release-manager",
            Self::Platform => "platform",
            Self::Admin => "admin",
        }
    }

    /// Is whoever holds this role as good as one who holds `other`?
    pub const fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::Admin, _) | (_, Self::Viewer) => true,
            (Self::Viewer, _) => false,
            (_, Self::Developer) => true,
            (Self::ReleaseManager, Self::ReleaseManager) | (Self::Platform, Self::Platform) => true,
            _ => false,
        }
    }

    /// What is left of this role under a ceiling: the greatest role that both cover.
    pub fn under(self, ceiling: Self) -> Self {
        if self.covers(ceiling) {
            ceiling
        } else if ceiling.covers(self) {
            self
        } else {
            // Release manager and platform: what they have in common.
            Self::Developer
        }
    }
}

impl fmt::Display for Role {
    /// As people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReleaseManager => "release manager",
            other => other.as_str(),
        })
    }
}

impl FromStr for Role {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| Invalid::new("role", text, "viewer, developer, release-manager, platform or admin"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_manager_and_platform_are_not_ordered() {
        use Role::{Admin, Developer, Platform, ReleaseManager, Viewer};
        let covers = |role: Role| {
            Role::ALL
                .into_iter()
                .filter(|other| role.covers(*other))
                .collect::<Vec<_>>()
        };
        assert_eq!(covers(Viewer), [Viewer]);
        assert_eq!(covers(Developer), [Viewer, Developer]);
        assert_eq!(covers(ReleaseManager), [Viewer, Developer, ReleaseManager]);
        assert_eq!(covers(Platform), [Viewer, Developer, Platform]);
        assert_eq!(covers(Admin), Role::ALL);
    }

    #[test]
    fn a_ceiling_never_lifts() {
        for role in Role::ALL {
            for ceiling in Role::ALL {
                let left = role.under(ceiling);
                assert!(
                    role.covers(left) && ceiling.covers(left),
                    "{role} under {ceiling}: {left}"
                );
                assert_eq!(left, ceiling.under(role), "{role} under {ceiling}");
            }
        }
        assert_eq!(Role::Platform.under(Role::ReleaseManager), Role::Developer);
    }

    #[test]
    fn the_name_of_a_role_is_read_back() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        let error = "boss".parse::<Role>().expect_err("no role").to_string();
        assert!(error.contains("release-manager"), "{error}");
    }
}
