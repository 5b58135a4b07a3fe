//! JSON of the public API. The web module writes these types, the command line reads them: they cannot drift apart.
//!
//! Field names are part of the interface. New fields may come, none changes its meaning or goes. Times are RFC 3339 in
//! UTC; durations are milliseconds.

mod diff;
mod promotion;
mod quality;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{
    BuildId, BuildState, Choice, DeliveryId, Digest, DockerfileException, Finding, ProjectId, ProjectPath, Sha, Stage,
    StageState, TestReport, Trigger, WarCheck, full_mark, mark,
};

pub use diff::*;
pub use promotion::*;
pub use quality::*;

/// Every answer that is not 2xx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A sentence: what is wrong and what to do.
    pub error: String,
    /// The same number stands in the service's log.
    pub request_id: String,
}

/// `GET /readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// May requests be sent here?
    pub ready: bool,
    /// What is missing, a sentence each.
    pub missing: Vec<String>,
}

/// `GET /api/builds`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildList {
    /// Newest first.
    pub builds: Vec<Build>,
    /// Path of the next page, if there is one.
    pub next: Option<String>,
}

/// A build in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// Its number.
    pub id: BuildId,
    /// Address of its page.
    pub url: String,
    /// Where it is in its life.
    pub state: BuildState,
    /// Number of the target project.
    pub project_id: ProjectId,
    /// Path of the target project.
    pub project: ProjectPath,
    /// Number of the merge request inside the project; null where the build is of a push to the target branch.
    pub iid: Option<i64>,
    /// Title of the merge request, or of the pushed commit.
    pub title: String,
    /// Address of the merge request's page, or of the pushed commit's.
    pub merge_request_url: String,
    /// Who opened the merge request, or pushed.
    pub author: String,
    /// Login name of the author, may be empty.
    pub author_username: String,
    /// The commit that is built.
    pub head: Sha,
    /// Branch that the commits come from.
    pub source_branch: String,
    /// Branch that they are merged into.
    pub target_branch: String,
    /// Do the commits come from another project?
    pub fork: bool,
    /// Name of the pipeline.
    pub pipeline: String,
    /// What made it.
    pub trigger: Trigger,
    /// How often a worker has begun it.
    pub attempt: i32,
    /// Stages of the newest attempt.
    pub stages: Vec<StageRun>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its newest attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Build {
    /// What people call it: `!7`, or the branch that was pushed to.
    pub fn mark(&self) -> String {
        mark(self.iid, &self.target_branch)
    }

    /// The same with the project: `shop/basket!7`, or `shop/basket main`.
    pub fn full_mark(&self) -> String {
        full_mark(&self.project, self.iid, &self.target_branch)
    }
}

/// `GET /api/images?with=group:artifact<version`: the images that hold a library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageList {
    /// What was asked for.
    pub with: String,
    /// How many images hold it.
    pub total: i64,
    /// The newest of them, newest first.
    pub images: Vec<HoldingImage>,
}

/// An image that holds a library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldingImage {
    /// Name of the application.
    pub application: String,
    /// Path of the project.
    pub project: ProjectPath,
    /// The furthest environment that it is in now; `qa` if it was promoted nowhere.
    pub environment: String,
    /// All environments that it was promoted into and is in now.
    #[serde(default)]
    pub environments: Vec<String>,
    /// Its name with tag.
    pub reference: String,
    /// Its digest.
    pub digest: Digest,
    /// The build that made it.
    pub build: BuildId,
    /// What it holds of what was asked for, each as `group:artifact:version`.
    pub libraries: Vec<String>,
    /// When it reached the registry.
    pub pushed_at: DateTime<Utc>,
}

/// One stage of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageRun {
    /// Of which attempt.
    pub attempt: i32,
    /// Which.
    pub stage: Stage,
    /// How far.
    pub state: StageState,
    /// The outcome in a few words.
    pub note: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

impl StageRun {
    /// How long it took, or has taken until `now`.
    pub fn millis(&self, now: DateTime<Utc>) -> i64 {
        (self.finished_at.unwrap_or(now) - self.started_at)
            .num_milliseconds()
            .max(0)
    }
}

/// `GET /api/builds/{id}`: everything that is known of a build. `GET /api/trace/{what}` is a list of these, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildDetail {
    /// What the list shows too.
    #[serde(flatten)]
    pub build: Build,
    /// Was the merge request a draft?
    pub draft: bool,
    /// The target branch's tip that was merged with.
    pub target_tip: Option<Sha>,
    /// Tree of the merge result: what was built.
    pub merge_tree: Option<Sha>,
    /// Commits between target and head, newest first.
    pub commits: Vec<Commit>,
    /// Stages of earlier attempts.
    pub earlier_stages: Vec<StageRun>,
    /// The worker that ran it last.
    pub worker: Option<String>,
    /// Who asked for it.
    pub requested_by: Option<String>,
    /// Who let it run.
    pub approved_by: Option<String>,
    /// Who stopped it: a name, or `#<build>` of the one that superseded it.
    pub ended_by: Option<String>,
    /// Who wants it stopped, while its worker has not yet done so.
    pub stopping: Option<String>,
    /// When the next attempt is due, while it waits for one.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// What the tests said.
    pub tests: Option<TestReport>,
    /// Why it failed.
    pub finding: Option<Finding>,
    /// Findings that did not end it.
    pub remarks: Vec<Finding>,
    /// What the service chose by itself, with the evidence.
    #[serde(default)]
    pub choices: Vec<Choice>,
    /// What the WAR check said, if it came that far.
    #[serde(default)]
    pub war_check: Option<WarCheck>,
    /// What the world did wrong.
    pub error: Option<String>,
    /// What came of it.
    pub image: Option<Image>,
    /// Who was written to.
    pub mails: Vec<Mail>,
    /// What GitLab refused for good to take.
    #[serde(default)]
    pub untaken: Vec<Untaken>,
    /// Number of the last line of its log.
    pub log_lines: i64,
}

/// A commit between target and head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its id.
    pub sha: Sha,
    /// First line of its message.
    pub subject: String,
    /// Name of its author.
    pub author: String,
    /// The author's date.
    pub authored_at: Option<DateTime<Utc>>,
}

/// An image in the QA registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Name of the application.
    pub application: String,
    /// Its name with tag.
    pub reference: String,
    /// Digest of its manifest.
    pub digest: Digest,
    /// `repository@digest`: the name that can never mean another image.
    pub pinned: String,
    /// The engine's id: digest of the configuration.
    pub image_id: Digest,
    /// Name of the stack.
    pub stack: String,
    /// The base image as the stack names it.
    pub base_name: String,
    /// What that name meant.
    pub base_digest: Digest,
    /// Is the Dockerfile hand-written, and who allowed that?
    #[serde(default)]
    pub exception: Option<DockerfileException>,
    /// The whole Dockerfile.
    pub dockerfile: String,
    /// Its checksum.
    pub dockerfile_sha256: Digest,
    /// Where the WAR lay in the project.
    pub war_path: String,
    /// Its checksum.
    pub war_sha256: Digest,
    /// Its size in bytes.
    pub war_bytes: i64,
    /// `javax` or `jakarta`.
    pub servlet: String,
    /// On what grounds.
    pub servlet_evidence: String,
    /// When it reached the registry.
    pub pushed_at: DateTime<Utc>,
}

/// A mail about a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// To whom.
    pub recipient: String,
    /// Has the mail server taken it?
    pub sent: bool,
    /// Why it never will.
    pub refused: Option<String>,
}

/// Something about a build that GitLab does not show, because it refused it for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untaken {
    /// The commit status, the note, or the commit status of a tip of the trunk.
    pub what: String,
    /// Why, and what to do.
    pub why: String,
}

/// What a reader of a log meets: one JSON line of `GET /api/builds/{id}/log`, or the data of a `line` or `dropped` event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LogEntry {
    /// A line.
    Line(LogLine),
    /// Lines that were thrown away because the log was too long.
    Dropped(DroppedLines),
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Its number, counted from 1 over the whole log.
    pub seq: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// The stage that wrote it.
    pub stage: Option<Stage>,
    /// The text as it came; may hold terminal escapes.
    pub text: String,
    /// The same as safe HTML, where it was asked for (`html=1`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

/// Lines of a log that were thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedLines {
    /// Number of the first of them.
    pub first_seq: i64,
    /// Number of the last of them.
    pub last_seq: i64,
}

impl DroppedLines {
    /// How many.
    pub fn count(&self) -> i64 {
        self.last_seq - self.first_seq + 1
    }
}

/// Data of the `state` and `end` events of a log stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChange {
    /// Where the build is now.
    pub state: BuildState,
    /// Its attempt.
    pub attempt: i32,
}

/// Answer to an order: rebuild, cancel, approve, replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// What was done, a sentence.
    pub message: String,
    /// The build that it was done to or that was made.
    pub build: Option<BuildId>,
    /// Where to look now.
    pub url: String,
}

/// `GET /api/deliveries`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryList {
    /// Newest first.
    pub deliveries: Vec<Delivery>,
    /// Path of the next page, if there is one.
    pub next: Option<String>,
}

/// A delivery in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Address of its page.
    pub url: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// `X-Gitlab-Event`.
    pub event: Option<String>,
    /// `build`, `ignored`, or nothing as long as it is not interpreted.
    pub decision: Option<String>,
    /// Why, for people.
    pub reason: Option<String>,
    /// The build that it made or that already stood for it.
    pub build: Option<BuildId>,
    /// When it was interpreted.
    pub decided_at: Option<DateTime<Utc>>,
}

/// `GET /api/deliveries/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryDetail {
    /// What the list shows too.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// The sender's own key, the same for a resend.
    pub key: Option<String>,
    /// Headers without secrets.
    pub headers: Value,
    /// Size of the body in bytes.
    pub body_bytes: usize,
    /// The body, if it is JSON.
    pub json: Option<Value>,
    /// The body as text, if it is not JSON; what is not UTF-8 is replaced.
    pub text: Option<String>,
}
