//! The words of intake's reasons: short enough for a list, exact enough that nobody has to ask.

use super::event::{Action, MergeRequestEvent};
use crate::model::{BuildId, BuildState, MergeRequest};
use crate::store::builds::Known;

/// An event that is about something else than a merge request.
pub(super) fn other_event(kind: &str) -> String {
    match kind {
        "tag_push" => "tag push event: tags are not built".to_owned(),
        "note" => "note event: comments start no build".to_owned(),
        "build" | "job" | "pipeline" => format!("{kind} event: GitLab's own pipelines start no build"),
        kind => format!("{kind} event: only merge requests are built"),
    }
}

/// A push to a branch that nothing is merged into.
pub(super) fn not_the_trunk(branch: &str) -> String {
    format!("push to {branch}: a branch is built through its merge request")
}

/// What has happened, as far as the event tells: "title edited, labels changed".
pub(super) fn happened(event: &MergeRequestEvent) -> String {
    match &event.action {
        Action::Open => "opened".to_owned(),
        Action::Reopen => "reopened".to_owned(),
        Action::Listed => "found in GitLab's list, its webhook was lost".to_owned(),
        Action::Missing => "event without an action".to_owned(),
        Action::Unknown(name) => format!("unknown action {name:?}"),
        Action::Update if event.pushed => "pushed".to_owned(),
        Action::Update | Action::Close | Action::Merge | Action::Approval(_) => edits(&event.changes),
    }
}

/// `changes` in words. It also holds what GitLab itself did (`updated_at`, `merge_status`, …), which tells nothing.
fn edits(changes: &[String]) -> String {
    const WORDS: [(&[&str], &str); 8] = [
        (&["title"], "title edited"),
        (&["description"], "description edited"),
        (&["labels"], "labels changed"),
        (&["assignees", "assignee", "assignee_id"], "assignees changed"),
        (&["reviewers"], "reviewers changed"),
        (&["milestone_id"], "milestone changed"),
        (&["draft", "work_in_progress"], "draft mark changed"),
        (&["target_branch"], "target branch changed"),
    ];
    let told: Vec<&str> = WORDS
        .iter()
        .filter(|(names, _)| changes.iter().any(|change| names.contains(&change.as_str())))
        .map(|(_, words)| *words)
        .collect();
    if told.is_empty() {
        "updated".to_owned()
    } else {
        told.join(", ")
    }
}

/// Why a build is made: what has happened, and what is new against the newest build.
pub(super) fn why_build(event: &MergeRequestEvent, merge_request: &MergeRequest, known: &[Known]) -> String {
    let happened = happened(event);
    let short = merge_request.head.short();
    let new = match known.first() {
        None => format!("commit {short} not yet built"),
        Some(newest) if newest.head != merge_request.head => format!("new commit {short}"),
        Some(newest) if newest.target_branch != merge_request.target_branch => {
            format!("target branch is {} now", merge_request.target_branch)
        }
        Some(newest) if newest.draft != merge_request.draft => {
            let mark = if merge_request.draft {
                "a draft now"
            } else {
                "no draft any more"
            };
            format!("it is {mark}")
        }
        Some(newest) => format!("#{} of commit {short} was stopped", newest.id),
    };
    format!("{happened}, {new}")
}

/// Why no build is made: "title edited, commit already built as #12".
pub(super) fn already_built(event: &MergeRequestEvent, standing: &Known) -> String {
    let state = match standing.state {
        BuildState::Passed | BuildState::Failed | BuildState::Superseded => "",
        BuildState::AwaitingApproval => " (waits for approval)",
        BuildState::Queued => " (queued)",
        BuildState::Running => " (running)",
        BuildState::Errored => " (errored; a rebuild can be asked for)",
        BuildState::Cancelled => " (cancelled; a rebuild can be asked for)",
    };
    format!("{}, commit already built as #{}{state}", happened(event), standing.id)
}

/// "#3", "#3 and #4", "#3, #4 and #5".
pub(super) fn numbers(builds: &[BuildId]) -> String {
    let mut numbers: Vec<String> = builds.iter().map(|id| format!("#{id}")).collect();
    numbers.sort();
    match numbers.pop() {
        None => String::new(),
        Some(last) if numbers.is_empty() => last,
        Some(last) => format!("{} and {last}", numbers.join(", ")),
    }
}
