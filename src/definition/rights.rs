//! What somebody may do and where: the grants that fit him, as they are asked at every request.

use super::Glob;
use crate::model::{Permission, ProjectPath, Role, Scope};

/// Roles with the projects that each is held for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    held: Vec<Holding>,
}

/// One role for the projects that fit every one of these lists (a list fits if one of its patterns does).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holding {
    role: Role,
    within: Vec<Vec<Glob>>,
}

impl Holding {
    fn is_for(&self, project: &ProjectPath) -> bool {
        let fits = |list: &Vec<Glob>| list.iter().any(|glob| glob.matches(project.as_str()));
        self.within.iter().all(fits)
    }

    fn is_for_all(&self) -> bool {
        self.within.iter().all(|list| list.iter().any(Glob::is_everything))
    }
}

impl Rights {
    /// One role for these projects.
    pub fn of(role: Role, projects: Vec<Glob>) -> Self {
        Self::default().with(role, projects)
    }

    /// These, and one role more.
    #[must_use]
    pub fn with(mut self, role: Role, projects: Vec<Glob>) -> Self {
        let within = vec![projects];
        self.held.push(Holding { role, within });
        self
    }

    /// What is left of them for a token that was made with this role for these projects: never more than either.
    #[must_use]
    pub fn under(&self, ceiling: Role, projects: &[Glob]) -> Self {
        let held = self.held.iter().map(|holding| {
            let mut within = holding.within.clone();
            within.push(projects.to_vec());
            Holding {
                role: holding.role.under(ceiling),
                within,
            }
        });
        Self { held: held.collect() }
    }

    /// The roles for this project.
    pub fn on(&self, project: &ProjectPath) -> Vec<Role> {
        self.roles(|holding| holding.is_for(project))
    }

    /// The roles for all projects, which count for the service as a whole.
    pub fn everywhere(&self) -> Vec<Role> {
        self.roles(Holding::is_for_all)
    }

    /// The roles for at least one pattern of projects.
    pub fn anywhere(&self) -> Vec<Role> {
        self.roles(|_| true)
    }

    fn roles(&self, counts: impl Fn(&Holding) -> bool) -> Vec<Role> {
        let counting = self.held.iter().filter(|holding| counts(holding));
        let mut roles: Vec<Role> = counting.map(|holding| holding.role).collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// Is this permitted for the project, or without one for the service as a whole?
    pub fn permit(&self, permission: Permission, project: Option<&ProjectPath>) -> bool {
        let roles = match project {
            Some(project) => self.on(project),
            None => self.everywhere(),
        };
        roles.into_iter().any(|role| permission.allows(role))
    }

    /// May it be that this is permitted, for one project or another?
    pub fn may_permit(&self, permission: Permission) -> bool {
        match permission.scope() {
            Scope::Service => self.permit(permission, None),
            Scope::Project | Scope::Own => self.anywhere().into_iter().any(|role| permission.allows(role)),
        }
    }

    /// A line for each role, for people: "developer for shop/**".
    pub fn in_words(&self) -> Vec<String> {
        let lines = self.held.iter().map(|holding| {
            let lists = holding.within.iter().map(|list| {
                let names: Vec<&str> = list.iter().map(Glob::as_str).collect();
                names.join(", ")
            });
            let lists: Vec<String> = lists.collect();
            format!("{} for {}", holding.role, lists.join(" within "))
        });
        let mut lines: Vec<String> = lines.collect();
        lines.dedup();
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(patterns: &[&str]) -> Vec<Glob> {
        patterns
            .iter()
            .map(|text| Glob::project(text).expect("a pattern"))
            .collect()
    }

    fn path(text: &str) -> ProjectPath {
        text.parse().expect("a path")
    }

    #[test]
    fn a_role_counts_where_it_is_held() {
        let rights =
            Rights::of(Role::Developer, globs(&["**"])).with(Role::ReleaseManager, globs(&["pay/**", "shop/a"]));
        assert_eq!(rights.on(&path("shop/b")), [Role::Developer]);
        assert_eq!(rights.on(&path("pay/x/y")), [Role::Developer, Role::ReleaseManager]);
        assert_eq!(rights.everywhere(), [Role::Developer]);
        assert!(rights.permit(Permission::RollBack, Some(&path("shop/a"))));
        assert!(!rights.permit(Permission::RollBack, Some(&path("shop/b"))));
        assert!(rights.may_permit(Permission::RollBack));
        assert!(!rights.may_permit(Permission::ReadAudit), "not held for all projects");
    }

    #[test]
    fn a_token_never_has_more_than_its_owner() {
        let owner = Rights::of(Role::Platform, globs(&["shop/**"]));
        let token = owner.under(Role::ReleaseManager, &globs(&["**"]));
        assert_eq!(token.on(&path("shop/a")), [Role::Developer]);
        assert_eq!(token.on(&path("pay/a")), []);
        assert_eq!(token.everywhere(), []);
        let narrow = owner.under(Role::Admin, &globs(&["shop/a"]));
        assert_eq!(narrow.on(&path("shop/a")), [Role::Platform]);
        assert_eq!(narrow.on(&path("shop/b")), []);
        assert_eq!(narrow.in_words(), ["platform for shop/** within shop/a"]);
    }
}
