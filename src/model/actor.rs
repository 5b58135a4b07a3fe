//! Who did something: recorded with every order, and what the audit is about.

use std::fmt;

use super::Role;

/// Somebody whose right to what he does was found good (`web::authorise` makes it, nobody else).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// A person's login at GitLab, or the name of a token.
    pub name: String,
    /// Person or token.
    pub kind: ActorKind,
    /// Mail address, where the provider tells it: commits name their authors by it.
    pub email: Option<String>,
    /// The IP address that he came from; behind a proxy that is trusted, what the proxy says.
    pub address: String,
    /// The roles that he has where he acts: for the project, or for the whole service.
    pub roles: Vec<Role>,
}

/// What an actor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActorKind {
    /// Signed in with GitLab.
    Person,
    /// A token of the API.
    Token {
        /// Login of the person who made it for himself; none if it was made beside the database.
        owner: Option<String>,
    },
}

impl ActorKind {
    /// `person` or `token`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Token { .. } => "token",
        }
    }
}

impl Actor {
    /// The login of the person who stands behind it, if one is known: what tells an author from an approver.
    pub fn login(&self) -> Option<&str> {
        match &self.kind {
            ActorKind::Person => Some(&self.name),
            ActorKind::Token { owner } => owner.as_deref(),
        }
    }

    /// Whose deed it is: the person behind a token, or the token itself where nobody is known. What four eyes are counted by.
    pub fn person(&self) -> &str {
        self.login().unwrap_or(&self.name)
    }

    /// Has he this role here, or one that covers it?
    pub fn is(&self, role: Role) -> bool {
        self.roles.iter().any(|held| held.covers(role))
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
