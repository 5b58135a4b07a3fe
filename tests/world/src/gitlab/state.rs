//! What the stand-in knows: the nouns of GitLab that the product ever meets, and what it was told about them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A person or a bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Given by the stand-in.
    pub id: u64,
    /// The handle.
    pub username: String,
    /// The full name, also for commits.
    pub name: String,
    /// The address in this person's commits.
    pub email: String,
    /// Whether the profile shows the address; webhooks say `[REDACTED]` otherwise, as GitLab's do.
    pub public_email: bool,
}

/// A project and its bare repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Unique in the instance.
    pub id: u64,
    /// Like `shop/cart`.
    pub path: String,
    /// `main`.
    pub default_branch: String,
    /// For cloning over HTTP.
    pub git_http_url: String,
    /// The page of the project.
    pub web_url: String,
    /// The bare repository on disk.
    pub repository: PathBuf,
}

impl Project {
    /// The last part of the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Everything before it.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(namespace, _)| namespace)
    }
}

/// A merge request as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mr {
    /// Unique in the instance.
    pub id: u64,
    /// Unique in the target project.
    pub iid: u64,
    /// The target project.
    pub project_id: u64,
    /// The same, or a fork.
    pub source_project_id: u64,
    /// Path of the target project.
    pub project: String,
    /// With its `Draft: ` prefix.
    pub title: String,
    /// May be empty.
    pub description: String,
    /// In the source project.
    pub source_branch: String,
    /// In the target project.
    pub target_branch: String,
    /// Who opened it.
    pub author: User,
    /// opened, closed, merged.
    pub state: String,
    /// Names of labels.
    pub labels: Vec<String>,
    /// The tip of the source branch.
    pub head: String,
    /// The tip before the newest push, for `oldrev`.
    pub previous_head: Option<String>,
    /// Whether the fork that it came from was deleted: webhooks say `source: null` then.
    pub source_gone: bool,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// Any change counts.
    pub updated_at: DateTime<Utc>,
}

impl Mr {
    /// GitLab tells a draft by its title.
    #[must_use]
    pub fn draft(&self) -> bool {
        self.title.starts_with("Draft:")
    }
}

/// One row of a commit's statuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Unique in the instance.
    pub id: u64,
    /// Path of the project.
    pub project: String,
    /// The commit.
    pub sha: String,
    /// The branch.
    pub r#ref: String,
    /// The context.
    pub name: String,
    /// As it is now.
    pub state: String,
    /// Every state that it had, in order.
    pub history: Vec<String>,
    /// The link behind it.
    pub target_url: Option<String>,
    /// The words beside it.
    pub description: Option<String>,
    /// The external pipeline that it belongs to.
    pub pipeline_id: u64,
    /// Who posted it.
    pub user_id: u64,
}

/// A note on a merge request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Unique in the instance.
    pub id: u64,
    /// Path of the project.
    pub project: String,
    /// The merge request.
    pub iid: u64,
    /// Markdown.
    pub body: String,
    /// How often it was edited.
    pub edits: u32,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was edited last.
    pub updated_at: DateTime<Utc>,
}

/// A webhook of a project. GitLab never shows the token again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Unique in the instance.
    pub id: u64,
    /// Path of the project.
    pub project: String,
    /// Where deliveries go.
    pub url: String,
    /// Sent as `X-Gitlab-Token`.
    pub token: Option<String>,
    /// `merge_requests_events`, `push_events`, `enable_ssl_verification` and so on, as they were set.
    pub flags: BTreeMap<String, bool>,
}

/// One request that the API or Git answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Like `POST`.
    pub method: String,
    /// With the query.
    pub path: String,
    /// What was answered.
    pub status: u16,
}

/// "Answer so many requests like this with that."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Any if absent.
    pub method: Option<String>,
    /// The beginning of the path, like `/api/v4/projects`; `/` is everything, Git included.
    pub path: String,
    /// Like 503.
    pub status: u16,
    /// How many requests more.
    pub times: u32,
}

/// A pipeline that exists only to hold external statuses.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub id: u64,
    pub project_id: u64,
    pub sha: String,
    pub r#ref: String,
}

/// What the API token may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Like `api`, `read_api`, `read_repository`.
    pub scopes: Vec<String>,
    /// 20 reporter, 30 developer, 40 maintainer.
    pub level: u32,
}

/// Everything.
#[derive(Debug)]
pub(crate) struct State {
    pub root: PathBuf,
    pub base_url: String,
    pub api_token: String,
    pub git_token: String,
    pub access: Access,
    pub bot: User,
    pub users: Vec<User>,
    pub projects: Vec<Project>,
    pub mrs: Vec<Mr>,
    pub statuses: Vec<Status>,
    pub pipelines: Vec<Pipeline>,
    pub notes: Vec<Note>,
    pub hooks: Vec<Hook>,
    pub failures: Vec<Failure>,
    pub seen: Vec<Seen>,
    pub failed_git_logins: u32,
    next_id: u64,
}

impl State {
    pub fn new(root: PathBuf, base_url: String, api_token: String, git_token: String) -> Self {
        let bot = User {
            id: 2,
            username: "seaworthy-bot".to_owned(),
            name: "Seaworthy".to_owned(),
            email: "seaworthy-bot@noreply.world.test".to_owned(),
            public_email: false,
        };
        Self {
            root,
            base_url,
            api_token,
            git_token,
            access: Access {
                scopes: vec!["api".to_owned(), "read_repository".to_owned()],
                level: 40,
            },
            users: vec![bot.clone()],
            bot,
            projects: Vec::new(),
            mrs: Vec::new(),
            statuses: Vec::new(),
            pipelines: Vec::new(),
            notes: Vec::new(),
            hooks: Vec::new(),
            failures: Vec::new(),
            seen: Vec::new(),
            failed_git_logins: 0,
            next_id: 100,
        }
    }

    /// A number never given before.
    pub fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// By id or path, as it stands in the API's addresses.
    pub fn project(&self, key: &str) -> Option<&Project> {
        let id = key.parse().ok();
        self.projects
            .iter()
            .find(|project| Some(project.id) == id || project.path == key)
    }

    pub fn mr(&self, project_id: u64, iid: u64) -> Option<&Mr> {
        self.mrs.iter().find(|mr| mr.project_id == project_id && mr.iid == iid)
    }

    /// The failure that this request meets, used up by one.
    pub fn take_failure(&mut self, method: &str, path: &str) -> Option<u16> {
        let found = self.failures.iter_mut().find(|failure| {
            failure.times > 0
                && path.starts_with(&failure.path)
                && failure
                    .method
                    .as_deref()
                    .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
        })?;
        found.times -= 1;
        let status = found.status;
        self.failures.retain(|failure| failure.times > 0);
        Some(status)
    }
}
