//! JSON of the public API, as the service writes it and the command line reads it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{BuildState, Commit, Finding, Stage, StageState, TestReport, Trigger};

/// A build in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildSummary {
    /// Its number.
    pub id: i64,
    /// Path of the project.
    pub project: String,
    /// Number of the merge request in the project.
    pub iid: i64,
    /// Title of the merge request.
    pub title: String,
    /// Page of the merge request.
    pub merge_request_url: String,
    /// Who opened it.
    pub author: String,
    /// The commit.
    pub head: String,
    /// Branch that it comes from.
    pub source_branch: String,
    /// Branch that it shall be merged into.
    pub target_branch: String,
    /// Where the build is.
    pub state: BuildState,
    /// What made it.
    pub trigger: Trigger,
    /// How often a worker has begun it.
    pub attempt: i32,
    /// The worker that has or had it.
    pub worker: Option<String>,
    /// Why it failed, or what the world did wrong, in one line.
    pub reason: Option<String>,
    /// Page of the build.
    pub url: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its last attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A page of a list of builds, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildList {
    /// The builds.
    pub builds: Vec<BuildSummary>,
    /// Value of `before` for the next page, if there is one.
    pub next: Option<i64>,
}

/// One stage of one attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StageView {
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
    /// Milliseconds that it took; none while it runs.
    pub millis: Option<i64>,
}

/// The image that a build made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageView {
    /// Name of the application.
    pub application: String,
    /// Name with tag.
    pub reference: String,
    /// Digest of its manifest.
    pub digest: String,
    /// The name that can never mean another image.
    pub pinned: String,
    /// The stack.
    pub stack: String,
    /// The base and its digest.
    pub base: String,
    /// Digest that the base's tag had.
    pub base_digest: String,
    /// The WAR in the project.
    pub war: String,
    /// Its checksum.
    pub war_sha256: String,
    /// Its size in bytes.
    pub war_bytes: i64,
    /// Which servlet generation it speaks, and on what grounds that was chosen.
    pub servlet: String,
    /// The whole Dockerfile.
    pub dockerfile: String,
    /// When it reached the registry.
    pub pushed_at: DateTime<Utc>,
}

/// A mail and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MailView {
    /// To whom.
    pub recipient: String,
    /// Is it sent?
    pub sent: bool,
    /// Why the mail server refused it for good.
    pub refused: Option<String>,
}

/// Everything about one build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildView {
    /// As in a list.
    #[serde(flatten)]
    pub summary: BuildSummary,
    /// Name of the pipeline.
    pub pipeline: String,
    /// The target's tip that was merged with.
    pub target_tip: Option<String>,
    /// Tree of the merge result.
    pub merge_tree: Option<String>,
    /// Who asked for it, let it run or stopped it.
    pub requested_by: Option<String>,
    /// Who let a fork's build run.
    pub approved_by: Option<String>,
    /// Who stopped it.
    pub ended_by: Option<String>,
    /// Why it failed.
    pub finding: Option<Finding>,
    /// What the world did wrong.
    pub error: Option<String>,
    /// Findings that did not end it.
    pub remarks: Vec<Finding>,
    /// What the tests said.
    pub tests: Option<TestReport>,
    /// Commits between target and head, newest first.
    pub commits: Vec<Commit>,
    /// Its stages, attempt by attempt.
    pub stages: Vec<StageView>,
    /// Its image.
    pub image: Option<ImageView>,
    /// Its mails.
    pub mails: Vec<MailView>,
    /// Number of the last line of its log.
    pub log_lines: i64,
}

/// A webhook delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeliveryView {
    /// Its address.
    pub id: String,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// `X-Gitlab-Event`.
    pub event: Option<String>,
    /// `build`, `ignored`, or nothing yet.
    pub decision: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The build that it made or that already stood for it.
    pub build: Option<i64>,
    /// Headers without secrets; only for a single delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<serde_json::Value>,
    /// The body as text; only for a single delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// The answer to an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Done {
    /// The build that it is about: for a rebuild, the new one.
    pub build: Option<i64>,
    /// What was done, a sentence.
    pub message: String,
}

/// Any error.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Problem {
    /// A sentence that says what is wrong and what to do.
    pub error: String,
}
