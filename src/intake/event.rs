//! A hook's body, read as far as intake needs it (fields: GitLab's "Webhook events", 13.x to 19.x).
//!
//! Nothing that a body holds or lacks is an error: what cannot be used becomes words for people. Dates are not looked
//! at, because GitLab has five forms of them; `changes` serves for words alone, because it is empty or wrong now and
//! then.

use serde::Deserialize;

use super::lenient::{Keys, Part, Scalar};
use super::push::{self, Push};
use super::text::{branch_problem, clean, one_line};
use crate::model::{MergeRequest, Person, ProjectId, ProjectPath, Sha};

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something about a merge request.
    MergeRequest(Box<MergeRequestEvent>),
    /// A push to a branch, or why it is of no interest whatever is known.
    Push(Result<Box<Push>, String>),
    /// Another event of GitLab.
    Other {
        /// Its `object_kind`.
        kind: String,
    },
    /// Not JSON, or cut off.
    NotJson {
        /// Counted from 1.
        line: usize,
        /// In bytes, counted from 1.
        column: usize,
        /// The parser's words.
        message: String,
    },
    /// JSON, but no event.
    Unreadable {
        /// What it is or lacks.
        what: String,
    },
}

/// An event of a merge request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeRequestEvent {
    /// What GitLab says has happened.
    pub action: Action,
    /// State of the merge request.
    pub state: State,
    /// Target project and number, if both are there: enough to end builds.
    pub key: Option<(ProjectId, i64)>,
    /// Everything that a build needs, or what of it is missing.
    pub merge_request: Result<MergeRequest, String>,
    /// Does GitLab say that commits were pushed (`oldrev`)? A hint; it is not always told.
    pub pushed: bool,
    /// What was edited, by GitLab's field names; for words.
    pub changes: Vec<String>,
}

/// `object_attributes.action`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Opened.
    Open,
    /// Opened again after it was closed.
    Reopen,
    /// Anything from a push to a label.
    Update,
    /// Closed without being merged.
    Close,
    /// Merged.
    Merge,
    /// One of `approval`, `approved`, `unapproval`, `unapproved`.
    Approval(String),
    /// None is told: the Test button of older versions, some system hooks.
    Missing,
    /// One that is not known here.
    Unknown(String),
    /// No hook: it stands in GitLab's list of open merge requests.
    Listed,
}

/// `object_attributes.state`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Open.
    Opened,
    /// Closed without being merged.
    Closed,
    /// Merged.
    Merged,
    /// Just being merged.
    Locked,
    /// None is told.
    Missing,
    /// One that is not known here.
    Unknown(String),
}

/// Reads a body. Pure, and total: every input has an event.
pub fn read(body: &[u8]) -> Event {
    let hook = match serde_json::from_slice::<Part<Hook>>(body) {
        Ok(Part(Some(hook))) => hook,
        Ok(Part(None)) => return unreadable("JSON, but not an object"),
        Err(_) if body.is_empty() => return unreadable("an empty body"),
        Err(error) if error.is_data() => return unreadable(&format!("JSON that contradicts itself: {error}")),
        Err(error) => {
            let place = format!(" at line {} column {}", error.line(), error.column());
            return Event::NotJson {
                line: error.line(),
                column: error.column(),
                message: one_line(error.to_string().trim_end_matches(&place)),
            };
        }
    };
    let kind = [&hook.object_kind, &hook.event_type, &hook.event_name]
        .into_iter()
        .find_map(Scalar::text)
        .map(one_line)
        .filter(|kind| !kind.is_empty());
    match kind {
        Some(kind) if kind == "merge_request" => Event::MergeRequest(Box::new(hook.merge_request())),
        Some(kind) if kind == "push" => Event::Push(push::read(body).map(Box::new)),
        Some(kind) => Event::Other { kind },
        None => unreadable("JSON without object_kind: not an event of GitLab"),
    }
}

impl Event {
    /// The merge request that it is about: project and number.
    pub fn key(&self) -> Option<(ProjectId, i64)> {
        match self {
            Self::MergeRequest(event) => event.key,
            _ => None,
        }
    }

    /// The merge request that it tells of, if it tells enough.
    pub fn merge_request(&self) -> Option<&MergeRequest> {
        match self {
            Self::MergeRequest(event) => event.merge_request.as_ref().ok(),
            _ => None,
        }
    }
}

impl MergeRequestEvent {
    /// A merge request that stands in GitLab's list of open ones.
    pub fn listed(merge_request: MergeRequest) -> Self {
        Self {
            action: Action::Listed,
            state: State::Opened,
            key: merge_request.iid.map(|iid| (merge_request.project_id, iid)),
            merge_request: Ok(merge_request),
            pushed: false,
            changes: Vec::new(),
        }
    }
}

fn unreadable(what: &str) -> Event {
    Event::Unreadable { what: one_line(what) }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Hook {
    object_kind: Scalar,
    event_type: Scalar,
    event_name: Scalar,
    user: Part<User>,
    project: Part<Project>,
    object_attributes: Part<Attributes>,
    changes: Keys,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct User {
    id: Scalar,
    name: Scalar,
    username: Scalar,
    email: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Project {
    id: Scalar,
    path_with_namespace: Scalar,
    web_url: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attributes {
    iid: Scalar,
    target_project_id: Scalar,
    source_project_id: Scalar,
    author_id: Scalar,
    action: Scalar,
    state: Scalar,
    oldrev: Scalar,
    title: Scalar,
    url: Scalar,
    draft: Scalar,
    work_in_progress: Scalar,
    source_branch: Scalar,
    target_branch: Scalar,
    last_commit: Part<LastCommit>,
    target: Part<Project>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LastCommit {
    id: Scalar,
}

impl Hook {
    fn merge_request(self) -> MergeRequestEvent {
        let project = self.project.0.unwrap_or_default();
        let user = self.user.0.unwrap_or_default();
        let of = self.object_attributes.0.unwrap_or_default();
        let target = of.target.0.as_ref();

        // The number beside the source's is the one that forks are told by; the trimmed bodies of some senders lack it.
        let project_id = positive(&of.target_project_id).or_else(|| positive(&project.id));
        let iid = positive(&of.iid);
        let action = action(&of.action);

        let mut missing = Missing::default();
        let path = project
            .path_with_namespace
            .text()
            .or_else(|| target.and_then(|target| target.path_with_namespace.text()));
        let path: Option<ProjectPath> = match path.map(str::parse) {
            Some(Ok(path)) => Some(path),
            Some(Err(error)) => missing.say(format!("project.path_with_namespace is {error}")),
            None => missing.say("project.path_with_namespace is missing".to_owned()),
        };
        let head: Option<Sha> = match of.last_commit.0.as_ref().map(|commit| &commit.id) {
            None => missing.say("object_attributes.last_commit is missing".to_owned()),
            Some(id) => match id.text().map(str::parse) {
                Some(Ok(head)) => Some(head),
                Some(Err(error)) => missing.say(format!("object_attributes.last_commit.id is {error}")),
                None => missing.say(format!("object_attributes.last_commit.id is {}", id.kind())),
            },
        };
        let source_branch = missing.branch("object_attributes.source_branch", &of.source_branch);
        let target_branch = missing.branch("object_attributes.target_branch", &of.target_branch);
        if project_id.is_none() {
            missing.number("object_attributes.target_project_id", &of.target_project_id);
        }
        if iid.is_none() {
            missing.number("object_attributes.iid", &of.iid);
        }

        let title = of.title.text().map_or_else(|| "(no title)".to_owned(), one_line);
        let merge_request = match (project_id, path, iid, head, source_branch, target_branch) {
            (Some(id), Some(project_path), Some(iid), Some(head), Some(source_branch), Some(target_branch)) => {
                Ok(MergeRequest {
                    project_id: ProjectId(id),
                    project: project_path,
                    source_project_id: positive(&of.source_project_id).map(ProjectId),
                    iid: Some(iid),
                    draft: draft(&of, &title),
                    title,
                    head,
                    source_branch,
                    target_branch,
                    author: author(&user, &of.author_id, &action),
                    url: page(&of.url, &project, iid),
                })
            }
            _ => Err(missing.0.join(", ")),
        };
        MergeRequestEvent {
            action,
            state: state(&of.state),
            key: project_id.zip(iid).map(|(id, iid)| (ProjectId(id), iid)),
            merge_request,
            pushed: of.oldrev.text().is_some(),
            changes: self.changes.0.iter().map(|name| one_line(name)).collect(),
        }
    }
}

/// What a build would need and the event lacks, in words.
#[derive(Default)]
pub(super) struct Missing(pub(super) Vec<String>);

impl Missing {
    pub(super) fn say<T>(&mut self, what: String) -> Option<T> {
        self.0.push(one_line(&what));
        None
    }

    pub(super) fn number(&mut self, field: &str, value: &Scalar) {
        let what = match value {
            Scalar::Int(_) | Scalar::Text(_) => "not a positive whole number",
            other => other.kind(),
        };
        self.0.push(format!("{field} is {what}"));
    }

    pub(super) fn branch(&mut self, field: &str, value: &Scalar) -> Option<String> {
        match value.text().map(|name| (name, branch_problem(name))) {
            Some((name, None)) => Some(name.to_owned()),
            Some((name, Some(problem))) => self.say(format!("{field} is not a branch name: {name:?} {problem}")),
            None => self.say(format!("{field} is {}", value.kind())),
        }
    }
}

pub(super) fn positive(value: &Scalar) -> Option<i64> {
    value.int().filter(|number| *number > 0)
}

fn action(value: &Scalar) -> Action {
    match value.text() {
        Some("open") => Action::Open,
        Some("reopen") => Action::Reopen,
        Some("update") => Action::Update,
        Some("close") => Action::Close,
        Some("merge") => Action::Merge,
        Some(name @ ("approval" | "approved" | "unapproval" | "unapproved")) => Action::Approval(name.to_owned()),
        Some(name) => Action::Unknown(one_line(name)),
        None => Action::Missing,
    }
}

fn state(value: &Scalar) -> State {
    match value.text() {
        Some("opened") => State::Opened,
        Some("closed") => State::Closed,
        Some("merged") => State::Merged,
        Some("locked") => State::Locked,
        Some(name) => State::Unknown(one_line(name)),
        None => State::Missing,
    }
}

/// `draft` since 2023, `work_in_progress` before, the title's beginning where neither is told.
fn draft(of: &Attributes, title: &str) -> bool {
    of.draft
        .bool()
        .or_else(|| of.work_in_progress.bool())
        .unwrap_or_else(|| {
            let title = title.to_lowercase();
            ["draft:", "[draft]", "(draft)", "wip:", "[wip]"]
                .iter()
                .any(|mark| title.starts_with(mark))
        })
}

/// Who opened the merge request. An event names only who caused it: that is the author if the numbers say so, or if
/// there is no number and the event is the opening itself. Otherwise nobody, rather than a wrong person.
fn author(user: &User, author_id: &Scalar, action: &Action) -> Person {
    let is_author = match (positive(&user.id), positive(author_id)) {
        (Some(user), Some(author)) => user == author,
        _ => *action == Action::Open,
    };
    if !is_author {
        return Person::default();
    }
    let text = |value: &Scalar| value.text().map(one_line).unwrap_or_default();
    Person {
        name: text(&user.name),
        username: text(&user.username),
        email: user.email.text().map(clean).filter(|email| email.contains('@')),
    }
}

/// The merge request's page. Only a web address is taken: it becomes a link in mails and pages.
fn page(url: &Scalar, project: &Project, iid: i64) -> String {
    web(url)
        .or_else(|| web(&project.web_url).map(|project| format!("{project}/-/merge_requests/{iid}")))
        .unwrap_or_default()
}

pub(super) fn web(value: &Scalar) -> Option<String> {
    let web = |url: &&str| url.starts_with("https://") || url.starts_with("http://");
    value.text().filter(web).map(clean)
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
