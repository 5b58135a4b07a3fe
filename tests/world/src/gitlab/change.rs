//! What people do in GitLab: make projects, open merge requests, push, edit, close.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use chrono::Utc;
use serde::Deserialize;

use super::repository::{self, Edit};
use super::state::{Mr, Project, User};
use super::{GitLab, Shared};

/// What is special about a merge request that is opened; the default is a plain one by Ana.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenMr {
    /// `Draft: ` is put before it by `draft`.
    pub title: String,
    /// Markdown.
    pub description: String,
    /// The handle of who opens it and commits; made if unknown, with the address `<handle>@example.com`.
    pub author: String,
    /// Whether the author's profile shows that address.
    pub public_email: bool,
    /// Not ready yet.
    pub draft: bool,
    /// The default branch if absent.
    pub target_branch: Option<String>,
    /// Path of a fork to open it from, like `mallory/cart`; made if unknown.
    pub fork: Option<String>,
}

impl Default for OpenMr {
    fn default() -> Self {
        Self {
            title: "Count the articles".to_owned(),
            description: String::new(),
            author: "ana".to_owned(),
            public_email: true,
            draft: false,
            target_branch: None,
            fork: None,
        }
    }
}

impl GitLab {
    /// Makes a project whose default branch `main` holds the files of a folder.
    ///
    /// # Errors
    /// If it exists, or if the folder cannot be read.
    pub async fn create_project(&self, path: &str, files: &Path) -> Result<Project> {
        let owner = self.shared.user("ana", true);
        let project = self.shared.new_project(path)?;
        repository::create(&project.repository, files, &project.default_branch, &owner).await?;
        self.shared.lock().projects.push(project.clone());
        Ok(project)
    }

    /// Commits `edits` on a new branch, and opens a merge request for it.
    ///
    /// # Errors
    /// If the project is unknown or Git refuses.
    pub async fn open_mr(&self, project: &str, branch: &str, edits: &[Edit<'_>], options: OpenMr) -> Result<Mr> {
        let target = self.project(project)?;
        let author = self.shared.user(&options.author, options.public_email);
        let target_branch = options.target_branch.unwrap_or_else(|| target.default_branch.clone());
        let source = match &options.fork {
            Some(fork) => self.fork(&target, fork).await?,
            None => target.clone(),
        };
        let head = repository::change(
            &source.repository,
            branch,
            Some(&target_branch),
            edits,
            &options.title,
            &author,
        )
        .await?;
        let now = Utc::now();
        let draft = if options.draft { "Draft: " } else { "" };
        let mr = {
            let mut state = self.shared.lock();
            let iid = state.mrs.iter().filter(|mr| mr.project_id == target.id).count() as u64 + 1;
            let mr = Mr {
                id: state.id(),
                iid,
                project_id: target.id,
                source_project_id: source.id,
                project: target.path.clone(),
                title: format!("{draft}{}", options.title),
                description: options.description,
                source_branch: branch.to_owned(),
                target_branch,
                author,
                state: "opened".to_owned(),
                labels: Vec::new(),
                head,
                previous_head: None,
                source_gone: false,
                created_at: now,
                updated_at: now,
            };
            state.mrs.push(mr.clone());
            mr
        };
        repository::set_head(&target.repository, &source.repository, branch, mr.iid).await?;
        Ok(mr)
    }

    /// Another commit on the merge request's branch.
    ///
    /// # Errors
    /// If it is unknown or Git refuses.
    pub async fn push(&self, mr: &Mr, edits: &[Edit<'_>], message: &str) -> Result<Mr> {
        let (source, target) = {
            let state = self.shared.lock();
            let project = |id: u64| state.projects.iter().find(|project| project.id == id).cloned();
            (
                project(mr.source_project_id).context("the source project is gone")?,
                project(mr.project_id),
            )
        };
        let target = target.context("the project is gone")?;
        let head = repository::change(&source.repository, &mr.source_branch, None, edits, message, &mr.author).await?;
        repository::set_head(&target.repository, &source.repository, &mr.source_branch, mr.iid).await?;
        self.edit(mr, |mr| mr.previous_head = Some(std::mem::replace(&mut mr.head, head)))
    }

    /// A commit on the project's default branch, returned as SHA.
    ///
    /// # Errors
    /// If the project is unknown or Git refuses.
    pub async fn push_to_target(&self, project: &str, edits: &[Edit<'_>], message: &str) -> Result<String> {
        let project = self.project(project)?;
        let author = self.shared.user("ben", true);
        repository::change(
            &project.repository,
            &project.default_branch,
            None,
            edits,
            message,
            &author,
        )
        .await
    }

    /// A new title; `Draft: ` before it makes it a draft.
    ///
    /// # Errors
    /// If the merge request is unknown.
    pub fn edit_title(&self, mr: &Mr, title: &str) -> Result<Mr> {
        self.edit(mr, |mr| title.clone_into(&mut mr.title))
    }

    /// New labels.
    ///
    /// # Errors
    /// If the merge request is unknown.
    pub fn edit_labels(&self, mr: &Mr, labels: &[&str]) -> Result<Mr> {
        self.edit(mr, |mr| {
            mr.labels = labels.iter().map(|&label| label.to_owned()).collect()
        })
    }

    /// Another target branch, which must exist.
    ///
    /// # Errors
    /// If the merge request is unknown.
    pub fn edit_target(&self, mr: &Mr, branch: &str) -> Result<Mr> {
        self.edit(mr, |mr| branch.clone_into(&mut mr.target_branch))
    }

    /// Closed without merging.
    ///
    /// # Errors
    /// If the merge request is unknown.
    pub fn close(&self, mr: &Mr) -> Result<Mr> {
        self.edit(mr, |mr| "closed".clone_into(&mut mr.state))
    }

    /// Open again.
    ///
    /// # Errors
    /// If the merge request is unknown.
    pub fn reopen(&self, mr: &Mr) -> Result<Mr> {
        self.edit(mr, |mr| "opened".clone_into(&mut mr.state))
    }

    /// The fork that it came from is deleted; the merge request's ref in the target stays.
    ///
    /// # Errors
    /// If the merge request is unknown.
    pub fn delete_fork(&self, mr: &Mr) -> Result<Mr> {
        ensure!(
            mr.source_project_id != mr.project_id,
            "!{} does not come from a fork",
            mr.iid
        );
        self.shared
            .lock()
            .projects
            .retain(|project| project.id != mr.source_project_id);
        self.edit(mr, |mr| mr.source_gone = true)
    }

    /// A project by path or id.
    ///
    /// # Errors
    /// If it is unknown.
    pub fn project(&self, key: &str) -> Result<Project> {
        self.shared
            .lock()
            .project(key)
            .cloned()
            .with_context(|| format!("no project {key}"))
    }

    /// A merge request as it is now.
    ///
    /// # Errors
    /// If it is unknown.
    pub fn mr(&self, project: &str, iid: u64) -> Result<Mr> {
        let project = self.project(project)?;
        self.shared
            .lock()
            .mr(project.id, iid)
            .cloned()
            .with_context(|| format!("no {}!{iid}", project.path))
    }

    async fn fork(&self, origin: &Project, path: &str) -> Result<Project> {
        if let Ok(known) = self.project(path) {
            return Ok(known);
        }
        let fork = self.shared.new_project(path)?;
        repository::fork(&origin.repository, &fork.repository, &fork.default_branch).await?;
        self.shared.lock().projects.push(fork.clone());
        Ok(fork)
    }

    pub(super) fn edit(&self, mr: &Mr, how: impl FnOnce(&mut Mr)) -> Result<Mr> {
        let mut state = self.shared.lock();
        let found = state.mrs.iter_mut().find(|known| known.id == mr.id);
        let found = found.with_context(|| format!("no {}!{}", mr.project, mr.iid))?;
        how(found);
        found.updated_at = Utc::now();
        Ok(found.clone())
    }
}

impl Shared {
    /// The person of that handle, made if unknown.
    pub(super) fn user(&self, username: &str, public_email: bool) -> User {
        let mut state = self.lock();
        if let Some(known) = state.users.iter().find(|user| user.username == username) {
            return known.clone();
        }
        let mut name = username.to_owned();
        name[..1].make_ascii_uppercase();
        let user = User {
            id: state.id(),
            username: username.to_owned(),
            name: format!("{name} Example"),
            email: format!("{username}@example.com"),
            public_email,
        };
        state.users.push(user.clone());
        user
    }

    fn new_project(&self, path: &str) -> Result<Project> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
        ensure!(
            path.contains('/') && path.chars().all(plain),
            "not a project path: {path:?}"
        );
        let mut state = self.lock();
        ensure!(state.project(path).is_none(), "the project {path} exists");
        Ok(Project {
            id: state.id(),
            path: path.to_owned(),
            default_branch: "main".to_owned(),
            git_http_url: format!("{}/{path}.git", state.base_url),
            web_url: format!("{}/{path}", state.base_url),
            repository: repository::place(&state.root, path),
        })
    }
}
