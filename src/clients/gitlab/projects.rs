//! The server, the token and the projects.

use serde::Deserialize;

use super::error::{Doing, GitLabErrorKind};
use super::{GitLab, GitLabError};
use crate::model::{ProjectId, ProjectPath, Sha};

/// A user of GitLab.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Number.
    pub id: i64,
    /// Login name, without `@`.
    pub username: String,
    /// Full name.
    #[serde(default)]
    pub name: String,
}

/// What GitLab says of the token itself (15.5 and newer).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TokenInfo {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What it may be used for, for example `api`.
    pub scopes: Vec<String>,
    /// Its last day.
    #[serde(default)]
    pub expires_at: Option<chrono::NaiveDate>,
}

/// How a project is asked for.
#[derive(Debug, Clone, Copy)]
pub enum ProjectKey<'a> {
    /// By number.
    Id(ProjectId),
    /// By path; GitLab follows a path that the project had before.
    Path(&'a ProjectPath),
}

impl From<ProjectId> for ProjectKey<'_> {
    fn from(id: ProjectId) -> Self {
        Self::Id(id)
    }
}

impl<'a> From<&'a ProjectPath> for ProjectKey<'a> {
    fn from(path: &'a ProjectPath) -> Self {
        Self::Path(path)
    }
}

/// A role, by GitLab's numbers: 20 Reporter, 30 Developer, 40 Maintainer, 50 Owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct AccessLevel(pub i32);

impl AccessLevel {
    /// May push, set commit statuses, write notes.
    pub const DEVELOPER: Self = Self(30);
    /// May manage hooks.
    pub const MAINTAINER: Self = Self(40);
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Number, stays when the project moves.
    pub id: ProjectId,
    /// Path as it is now.
    pub path: ProjectPath,
    /// Branch that merge requests go to by default; `None` in an empty repository.
    pub default_branch: Option<String>,
    /// Address that Git clones from.
    pub http_url: String,
    /// Address of its page.
    pub web_url: String,
    /// Is it archived (read only)?
    pub archived: bool,
    /// Role of the token's user, the higher one of project and group; `None` if it is no member.
    pub access_level: Option<AccessLevel>,
}

#[derive(Deserialize)]
struct ProjectAnswer {
    id: ProjectId,
    path_with_namespace: ProjectPath,
    #[serde(default)]
    default_branch: Option<String>,
    #[serde(default)]
    http_url_to_repo: String,
    #[serde(default)]
    web_url: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    permissions: Option<Permissions>,
}

#[derive(Deserialize)]
struct Permissions {
    project_access: Option<Access>,
    group_access: Option<Access>,
}

#[derive(Deserialize)]
struct Access {
    access_level: AccessLevel,
}

impl GitLab {
    /// GitLab's version, for example `17.5.1-ee`.
    ///
    /// # Errors
    /// If GitLab does not answer or does not take the token.
    pub async fn version(&self) -> Result<String, GitLabError> {
        #[derive(Deserialize)]
        struct Version {
            version: String,
        }
        let doing = Doing::new("ask for GitLab's version", "scope `api`");
        let answer: Version = self.get(&doing, self.url(["version"])).await?;
        Ok(answer.version)
    }

    /// Who the token belongs to; asked once.
    ///
    /// # Errors
    /// If GitLab does not answer or does not take the token.
    pub async fn current_user(&self) -> Result<&User, GitLabError> {
        let doing = Doing::new("ask who the token belongs to", "scope `api`");
        self.me.get_or_try_init(|| self.get(&doing, self.url(["user"]))).await
    }

    /// Scopes and last day of the token; `None` if this GitLab does not tell (older than 15.5) or the token is not an
    /// access token.
    ///
    /// # Errors
    /// If GitLab does not answer or does not take the token.
    pub async fn token_scopes(&self) -> Result<Option<TokenInfo>, GitLabError> {
        let doing = Doing::new("ask for the token's scopes", "scope `api`");
        let url = self.url(["personal_access_tokens", "self"]);
        none_if(self.get(&doing, url).await, |_| true)
    }

    /// A project, by number or path.
    ///
    /// # Errors
    /// `NotThere` if there is none or the token may not see it.
    pub async fn project<'a>(&self, project: impl Into<ProjectKey<'a>>) -> Result<Project, GitLabError> {
        let key = match project.into() {
            ProjectKey::Id(id) => id.to_string(),
            ProjectKey::Path(path) => path.to_string(),
        };
        let doing = Doing::new(format!("read project {key}"), "role Reporter in the project");
        let answer: ProjectAnswer = self.get(&doing, self.url(["projects", key.as_str()])).await?;
        let permissions = answer.permissions.into_iter();
        let access_level = permissions
            .flat_map(|permissions| [permissions.project_access, permissions.group_access])
            .flatten()
            .map(|access| access.access_level)
            .max();
        Ok(Project {
            id: answer.id,
            path: answer.path_with_namespace,
            default_branch: answer.default_branch,
            http_url: answer.http_url_to_repo,
            web_url: answer.web_url,
            archived: answer.archived,
            access_level,
        })
    }

    /// Newest commit of a branch; `None` if there is no such branch.
    ///
    /// # Errors
    /// `NotThere` if the project is not there.
    pub async fn branch_tip(&self, project: ProjectId, branch: &str) -> Result<Option<Sha>, GitLabError> {
        #[derive(Deserialize)]
        struct Branch {
            commit: Commit,
        }
        #[derive(Deserialize)]
        struct Commit {
            id: Sha,
        }
        let doing = Doing::new(
            format!("read branch {branch:?} of project {project}"),
            "role Reporter in the project",
        );
        let url = self.project_url(project, ["repository", "branches", branch]);
        let answer: Result<Branch, _> = self.get(&doing, url).await;
        let found = none_if(answer, |error| error.message.contains("Branch"))?;
        Ok(found.map(|branch| branch.commit.id))
    }

    /// Address that a user may be written to: the one that an administrator's token sees, else the public one; `None`
    /// if there is no such user or no address to be seen.
    ///
    /// # Errors
    /// If GitLab does not answer or does not take the token.
    pub async fn user_email(&self, username: &str) -> Result<Option<String>, GitLabError> {
        #[derive(Deserialize)]
        struct Found {
            id: i64,
        }
        #[derive(Deserialize)]
        struct Addresses {
            #[serde(default)]
            email: Option<String>,
            #[serde(default)]
            public_email: Option<String>,
        }
        let doing = Doing::new(format!("look for the address of @{username}"), "scope `api`");
        let mut url = self.url(["users"]);
        url.query_pairs_mut().append_pair("username", username);
        let found: Vec<Found> = self.get(&doing, url).await?;
        let Some(user) = found.first() else {
            return Ok(None);
        };
        let id = user.id.to_string();
        let user: Result<Addresses, _> = self.get(&doing, self.url(["users", id.as_str()])).await;
        let Some(user) = none_if(user, |_| true)? else {
            return Ok(None);
        };
        let addresses = [user.email, user.public_email];
        Ok(addresses.into_iter().flatten().find(|address| address.contains('@')))
    }
}

/// 404 as `None`, if `really` says that it is meant so.
fn none_if<T>(
    answer: Result<T, GitLabError>,
    really: impl FnOnce(&GitLabError) -> bool,
) -> Result<Option<T>, GitLabError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == GitLabErrorKind::NotThere && really(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
