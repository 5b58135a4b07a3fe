//! Everything that one may be allowed to do, and the one table that says which role is.

use std::fmt;

use super::Role;

/// Something that a route can need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// See builds, images, promotions.
    Read,
    /// See what GitLab sent: deliveries of all projects.
    ReadDeliveries,
    /// Rebuild, cancel.
    OrderBuild,
    /// Let a fork's build run: it executes a stranger's code.
    ApproveFork,
    /// Have a delivery interpreted again.
    ReplayDelivery,
    /// Ask for a promotion.
    RequestPromotion,
    /// Approve a promotion; whose approval counts, the environment's gate says.
    ApprovePromotion,
    /// Say that an image must not go on. It stops and lets nothing through, therefore the tester may.
    RejectImage,
    /// Put back what ran before.
    RollBack,
    /// Cancel a promotion, or have it finish what it left undone.
    SteerPromotion,
    /// Read who did what.
    ReadAudit,
    /// See and end one's own sessions and tokens, make a token.
    OwnAccount,
    /// See and end everybody's.
    AllAccounts,
}

/// What a permission is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One project: a role for that project counts.
    Project,
    /// The service as a whole: only a role for all projects counts.
    Service,
    /// Oneself: whoever is signed in may, with or without a role.
    Own,
}

use Role::{Admin, Developer, Platform, ReleaseManager, Viewer};
use Scope::{Own, Project, Service};

impl Permission {
    /// The table: what it is asked for, who is allowed, how it goes on after "may not".
    #[rustfmt::skip]
    const TABLE: [(Self, Scope, &'static [Role], &'static str); 13] = [
        (Self::Read,             Project, &[Viewer, Developer, ReleaseManager, Platform, Admin], "read"),
        (Self::ReadDeliveries,   Service, &[Viewer, Developer, ReleaseManager, Platform, Admin], "see deliveries"),
        (Self::OrderBuild,       Project, &[        Developer, ReleaseManager, Platform, Admin], "rebuild or cancel builds"),
        (Self::ApproveFork,      Project, &[        Developer, ReleaseManager, Platform, Admin], "let the build of a fork run"),
        (Self::ReplayDelivery,   Service, &[                                   Platform, Admin], "have a delivery interpreted again"),
        (Self::RequestPromotion, Project, &[        Developer, ReleaseManager, Platform, Admin], "ask for a promotion"),
        (Self::ApprovePromotion, Project, &[                   ReleaseManager, Platform, Admin], "approve a promotion"),
        (Self::RejectImage,      Project, &[        Developer, ReleaseManager, Platform, Admin], "reject an image"),
        (Self::RollBack,         Project, &[                   ReleaseManager,           Admin], "roll back"),
        (Self::SteerPromotion,   Project, &[                   ReleaseManager, Platform, Admin], "cancel or resume a promotion"),
        (Self::ReadAudit,        Service, &[                   ReleaseManager, Platform, Admin], "read the audit"),
        (Self::OwnAccount,       Own,     &[Viewer, Developer, ReleaseManager, Platform, Admin], "manage an account"),
        (Self::AllAccounts,      Service, &[                                             Admin], "manage the sessions and tokens of others"),
    ];

    /// All permissions.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::TABLE.into_iter().map(|(permission, ..)| permission)
    }

    fn row(self) -> (Scope, &'static [Role], &'static str) {
        let (_, scope, roles, words) = Self::TABLE[self as usize];
        (scope, roles, words)
    }

    /// What it is asked for.
    pub fn scope(self) -> Scope {
        self.row().0
    }

    /// The roles that have it.
    pub fn roles(self) -> &'static [Role] {
        self.row().1
    }

    /// Does this role have it?
    pub fn allows(self, role: Role) -> bool {
        self.roles().contains(&role)
    }

    /// The roles that have it, for people: "developer, release manager, platform or admin".
    pub fn roles_in_words(self) -> String {
        let names: Vec<String> = self.roles().iter().map(ToString::to_string).collect();
        match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => names.concat(),
        }
    }
}

impl fmt::Display for Permission {
    /// A verb with its object: "approve a promotion".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_that_of_its_permission() {
        for (at, (permission, ..)) in Permission::TABLE.iter().enumerate() {
            assert_eq!(*permission as usize, at, "{permission:?}");
        }
    }

    #[test]
    fn who_covers_a_role_may_what_it_may() {
        for permission in Permission::all() {
            for role in Role::ALL {
                for other in Role::ALL.into_iter().filter(|other| role.covers(*other)) {
                    assert!(
                        !permission.allows(other) || permission.allows(role),
                        "{other} may {permission}, {role} may not"
                    );
                }
            }
        }
    }

    #[test]
    fn roles_are_told_as_people_say_them() {
        assert_eq!(Permission::RollBack.roles_in_words(), "release manager or admin");
        assert_eq!(Permission::AllAccounts.roles_in_words(), "admin");
    }
}
