//! The one function that every change passes, and its counterpart for reading.

use super::caller::{Caller, Who};
use crate::model::{Actor, ActorKind, Permission, ProjectPath, Scope};
use crate::web::error::{Error, Result};

/// Who may do it, for the record; an error says who could. Without a project, what is asked for is the service as a
/// whole, or oneself.
pub(in crate::web) fn authorise(
    caller: &Caller,
    permission: Permission,
    project: Option<&ProjectPath>,
) -> Result<Actor> {
    let (name, kind) = match &caller.who {
        Who::Nobody { .. } => return Err(caller.sign_in(permission)),
        Who::Person(person) => (person.login.clone(), ActorKind::Person),
        Who::Token(token) => {
            let owner = token.owner.clone();
            (token.name.clone(), ActorKind::Token { owner })
        }
    };
    let roles = match (permission.scope(), project) {
        (Scope::Project, Some(project)) => caller.rights.on(project),
        (Scope::Service, None) => caller.rights.everywhere(),
        (Scope::Own, None) if kind == ActorKind::Person => caller.rights.anywhere(),
        (Scope::Own, None) => {
            return Err(Error::Forbidden(format!(
                "{name} is a token: sign in as a person to {permission}"
            )));
        }
        (scope, _) => {
            return Err(Error::Internal(format!(
                "{permission:?} was asked for {project:?}, and is of scope {scope:?}"
            )));
        }
    };
    if permission.scope() != Scope::Own && !roles.iter().any(|role| permission.allows(*role)) {
        return Err(refusal(caller, permission, project));
    }
    Ok(Actor {
        name,
        kind,
        email: None,
        address: caller.address.clone(),
        roles,
    })
}

/// May he see what belongs to this project?
pub(in crate::web) fn see(caller: &Caller, project: &ProjectPath) -> Result<()> {
    if caller.public_read || caller.rights.permit(Permission::Read, Some(project)) {
        return Ok(());
    }
    Err(match caller.who {
        Who::Nobody { .. } => caller.sign_in(Permission::Read),
        _ => refusal(caller, Permission::Read, Some(project)),
    })
}

/// Could he have it, for one project or another? What the gate asks before the project is known.
pub(super) fn could(caller: &Caller, permission: Permission) -> Result<()> {
    let reading = matches!(permission, Permission::Read | Permission::ReadDeliveries);
    if reading && caller.public_read {
        return Ok(());
    }
    match (&caller.who, permission.scope()) {
        (Who::Nobody { .. }, _) => Err(caller.sign_in(permission)),
        (_, Scope::Own | Scope::Service) => authorise(caller, permission, None).map(|_| ()),
        (_, Scope::Project) if caller.rights.may_permit(permission) => Ok(()),
        (_, Scope::Project) => Err(refusal(caller, permission, None)),
    }
}

/// Who he is, what he may not, and who may.
fn refusal(caller: &Caller, permission: Permission, project: Option<&ProjectPath>) -> Error {
    let roles = match project {
        Some(project) => caller.rights.on(project),
        None => caller.rights.anywhere(),
    };
    let names: Vec<String> = roles.iter().map(ToString::to_string).collect();
    let place = match (project, permission.scope()) {
        (Some(project), _) => format!(" for {project}"),
        (None, Scope::Service) => " for all projects".to_owned(),
        (None, _) => " for any project".to_owned(),
    };
    let held = match names.as_slice() {
        [] => "has no role".to_owned(),
        names => format!("is {}", names.join(" and ")),
    };
    let whom = match &caller.who {
        Who::Token(token) => format!("the token {}", token.name),
        who => who.to_string(),
    };
    // Someone who is it for some projects shall read that this is not enough.
    let held = match (project, permission.scope()) {
        (Some(_), _) => format!("{held} there"),
        (None, _) if names.is_empty() => held,
        (None, _) => format!("{held} somewhere"),
    };
    Error::Forbidden(format!(
        "{whom} may not {permission}{place}: that needs the role {}, and {whom} {held}",
        permission.roles_in_words()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Glob, Rights};
    use crate::model::Role;
    use crate::web::people::caller::TokenId;

    fn caller(role: Role, projects: &str, who: Who) -> Caller {
        let glob = Glob::project(projects).expect("a pattern");
        Caller {
            who,
            rights: Rights::of(role, vec![glob]),
            address: "192.0.2.1".to_owned(),
            public_read: false,
            csrf: None,
        }
    }

    fn token() -> Who {
        Who::Token(TokenId {
            name: "ci".to_owned(),
            owner: Some("anna".to_owned()),
        })
    }

    #[test]
    fn an_actor_carries_what_is_recorded() {
        let project = "shop/basket".parse().expect("a path");
        let caller = caller(Role::ReleaseManager, "shop/**", token());
        let actor = authorise(&caller, Permission::RollBack, Some(&project)).expect("he may");
        assert_eq!((actor.name.as_str(), actor.login()), ("ci", Some("anna")));
        assert_eq!(
            (actor.address.as_str(), &*actor.roles),
            ("192.0.2.1", &[Role::ReleaseManager][..])
        );
    }

    #[test]
    fn a_refusal_says_who_could() {
        let (ours, other) = (
            "shop/basket".parse().expect("a path"),
            "pay/api".parse().expect("a path"),
        );
        let caller = caller(Role::Developer, "shop/**", token());
        let told = |permission, project| {
            authorise(&caller, permission, project)
                .expect_err("he may not")
                .to_string()
        };
        assert_eq!(
            told(Permission::RollBack, Some(&ours)),
            "the token ci may not roll back for shop/basket: that needs the role release manager or admin, and the token \
             ci is developer there"
        );
        assert_eq!(
            told(Permission::OrderBuild, Some(&other)),
            "the token ci may not rebuild or cancel builds for pay/api: that needs the role developer, release manager, \
             platform or admin, and the token ci has no role there"
        );
        assert_eq!(
            told(Permission::ReadAudit, None),
            "the token ci may not read the audit for all projects: that needs the role release manager, platform or \
             admin, and the token ci is developer somewhere"
        );
        assert_eq!(
            told(Permission::OwnAccount, None),
            "ci is a token: sign in as a person to manage an account"
        );
        assert!(matches!(
            authorise(&caller, Permission::RollBack, None),
            Err(Error::Internal(_))
        ));
    }
}
