//! A build: one try to make an image from one merge request, or one push to the trunk, at one commit.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{BuildId, Finding, Invalid, MergeRequest, Sha};

/// Where a build is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildState {
    /// From a fork: waits until somebody with rights says that it may run.
    AwaitingApproval,
    /// Waits for a worker.
    Queued,
    /// A worker is at it.
    Running,
    /// Ends with an image.
    Passed,
    /// The project is at fault: see the finding.
    Failed,
    /// The world is at fault and stayed so over all attempts.
    Errored,
    /// Stopped by a person.
    Cancelled,
    /// Stopped because a newer push of the same merge request came.
    Superseded,
}

impl BuildState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::AwaitingApproval,
        Self::Queued,
        Self::Running,
        Self::Passed,
        Self::Failed,
        Self::Errored,
        Self::Cancelled,
        Self::Superseded,
    ];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingApproval => "awaiting_approval",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
        }
    }

    /// Will nothing more happen to it?
    pub fn is_final(self) -> bool {
        !matches!(self, Self::AwaitingApproval | Self::Queued | Self::Running)
    }
}

impl fmt::Display for BuildState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for BuildState {
    type Err = Invalid;
    fn from_str(s: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == s)
            .ok_or_else(|| Invalid {
                what: "build state",
                value: s.to_owned(),
                expected: "awaiting_approval, queued, running, passed, failed, errored, cancelled or superseded",
            })
    }
}

/// What made a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A webhook delivery.
    Webhook,
    /// The comparison with GitLab's open merge requests and target branches: a hook was lost.
    Poll,
    /// A person asked for it again.
    Person,
}

impl Trigger {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Poll => "poll",
            Self::Person => "person",
        }
    }
}

impl FromStr for Trigger {
    type Err = Invalid;
    fn from_str(s: &str) -> Result<Self, Invalid> {
        [Self::Webhook, Self::Poll, Self::Person]
            .into_iter()
            .find(|trigger| trigger.as_str() == s)
            .ok_or_else(|| Invalid {
                what: "trigger",
                value: s.to_owned(),
                expected: "webhook, poll or person",
            })
    }
}

/// One build with what is known of it so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Its number.
    pub id: BuildId,
    /// The merge request as it was when the build was made.
    pub merge_request: MergeRequest,
    /// Name of the pipeline that was matched, for example `default`.
    pub pipeline: String,
    /// What made it.
    pub trigger: Trigger,
    /// Where it is in its life.
    pub state: BuildState,
    /// How often a worker has begun it.
    pub attempt: i32,
    /// The target branch's tip that was merged with, of a push the pushed commit; known after checkout.
    pub target_tip: Option<Sha>,
    /// Tree of the merge result or the pushed commit, what is built; known after checkout.
    pub merge_tree: Option<Sha>,
    /// Why it failed.
    pub finding: Option<Finding>,
    /// What the world did wrong, when it errored or is waiting for its next attempt.
    pub error: Option<String>,
    /// The worker that ran it last.
    pub worker: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its present attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it reached a final state.
    pub finished_at: Option<DateTime<Utc>>,
}
