//! What an event means: a build, or nothing, and why. Pure: everything that it must know is an argument.
//!
//! The rules (what receivers of GitLab's hooks got wrong is their reason):
//! - A build is made for an open merge request whose (head, target branch, draft mark) was not yet built. The commit
//!   decides, not the name of the event: label, title and assignee edits come as `update` like pushes do, a push made
//!   while a hook was lost is found by the next event, and the Test button does no harm.
//! - Approvals, closing and merging never build. Closing ends what waits or runs; merging lets it run, because the image
//!   of what was merged is wanted, but nobody will approve a fork's build any more.
//! - What was superseded, or cancelled because the merge request was closed, does not count as built. What a person
//!   cancelled counts: a label must not start it again.
//! - A reopened merge request whose head was built is built again only if the target branch has moved meanwhile.
//! - A new build supersedes every other one of its merge request that has not ended. A push back to a commit that was
//!   built supersedes what was pushed in between.
//! - GitLab promises no order. An event that arrived before the one that the newest build stands for changes nothing.

use super::event::{Action, Event, MergeRequestEvent, State};
use super::words;
use crate::model::{BuildId, BuildState, MergeRequest, Sha};
use crate::store::builds::Known;

/// Who ends the builds of a merge request that is closed.
pub const CLOSED: &str = "merge request closed";
/// Who ends a fork's build that waits for approval when its merge request is merged.
pub const MERGED: &str = "merge request merged";

/// What must be known beside the event.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// Name of the project's pipeline, or what to do so that it has one. Not looked at before the event is worth it.
    pub pipeline: Result<&'a str, &'a str>,
    /// The builds of the merge request, newest first.
    pub known: &'a [Known],
    /// The build that a delivery stands for which arrived later than this event.
    pub later: Option<BuildId>,
    /// The target branch's tip.
    pub tip: Tip<'a>,
}

/// The target branch at GitLab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tip<'a> {
    /// Not yet asked for.
    NotAsked,
    /// There is no such branch.
    Gone,
    /// Its newest commit.
    At(&'a Sha),
}

/// What shall be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Make a build.
    Build(Box<Plan>),
    /// Make none.
    Ignored {
        /// For people.
        why: String,
        /// The build that already stands for this event.
        standing: Option<BuildId>,
        /// Builds to end all the same.
        stop: Option<Stop>,
    },
    /// Ask GitLab for the tip of the target branch, and decide again.
    NeedsTip {
        /// The branch.
        branch: String,
    },
    /// A worker is just stopping a build of the same commit: decide again when it has.
    Later {
        /// The build.
        stopping: BuildId,
    },
}

/// A build to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// For people.
    pub why: String,
    /// What to build.
    pub merge_request: MergeRequest,
    /// By which pipeline.
    pub pipeline: String,
    /// [`BuildState::Queued`], or [`BuildState::AwaitingApproval`] for a fork.
    pub state: BuildState,
    /// The tip of the target branch, where it was asked for.
    pub seen_tip: Option<Sha>,
    /// Older builds that the new one supersedes.
    pub supersedes: Vec<BuildId>,
}

/// Builds to be ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Which.
    pub builds: Vec<BuildId>,
    /// `Superseded` or `Cancelled`.
    pub state: BuildState,
    /// By whom: for people.
    pub by: String,
}

/// Decides over everything but a push to the trunk, which `trunk` does.
pub fn decide(event: &Event, situation: &Situation<'_>) -> Decision {
    match event {
        Event::MergeRequest(event) => decide_merge_request(event, situation),
        Event::Push(push) => ignored(match push {
            Ok(push) => words::not_the_trunk(&push.branch),
            Err(why) => why.clone(),
        }),
        Event::Other { kind } => ignored(words::other_event(kind)),
        Event::NotJson { line, column, message } => {
            ignored(format!("not JSON at line {line} column {column}: {message}"))
        }
        Event::Unreadable { what } => ignored(format!("not readable: {what}")),
    }
}

fn decide_merge_request(event: &MergeRequestEvent, situation: &Situation<'_>) -> Decision {
    match &event.action {
        Action::Approval(name) => return ignored(format!("{name}: approvals start no build")),
        Action::Close => return ended(event, situation, "merge request is closed", CLOSED, |_| true),
        Action::Merge => {
            let waits = |state| state == BuildState::AwaitingApproval;
            return ended(event, situation, "merge request is merged", MERGED, waits);
        }
        Action::Open | Action::Reopen | Action::Update | Action::Missing | Action::Unknown(_) | Action::Listed => {}
    }
    match &event.state {
        State::Opened => {}
        State::Closed => return ignored("merge request is closed".to_owned()),
        State::Merged => return ignored("merge request is merged".to_owned()),
        State::Locked => return ignored("merge request is just being merged".to_owned()),
        State::Missing => return ignored("merge request event without a state: not sure that it is open".to_owned()),
        State::Unknown(state) => return ignored(format!("merge request is neither open nor closed but {state:?}")),
    }
    let merge_request = match &event.merge_request {
        Ok(merge_request) => merge_request,
        Err(missing) => return ignored(format!("merge request event that cannot be built: {missing}")),
    };
    match situation.pipeline {
        Err(what_to_do) => ignored(what_to_do.to_owned()),
        Ok(pipeline) => decide_open(event, merge_request, pipeline, situation),
    }
}

/// The merge request is closed or merged: nothing is built, but what is not wanted any more ends.
fn ended(
    event: &MergeRequestEvent,
    situation: &Situation<'_>,
    why: &str,
    by: &str,
    unwanted: impl Fn(BuildState) -> bool,
) -> Decision {
    if let Some(later) = situation.later {
        return ignored(format!(
            "{why}; a later event, which stands for #{later}, arrived before"
        ));
    }
    let builds: Vec<BuildId> = situation
        .known
        .iter()
        .filter(|build| is_open(build) && unwanted(build.state))
        .map(|build| build.id)
        .collect();
    if builds.is_empty() || event.key.is_none() {
        return ignored(why.to_owned());
    }
    Decision::Ignored {
        why: format!("{why}; {} cancelled", words::numbers(&builds)),
        standing: None,
        stop: Some(Stop {
            builds,
            state: BuildState::Cancelled,
            by: by.to_owned(),
        }),
    }
}

fn decide_open(
    event: &MergeRequestEvent,
    merge_request: &MergeRequest,
    pipeline: &str,
    situation: &Situation<'_>,
) -> Decision {
    let known = situation.known;
    if let Some(later) = situation.later
        && !known
            .iter()
            .any(|build| build.id == later && is_same(build, merge_request))
    {
        return ignored(format!(
            "{}, but a later event, which stands for #{later}, arrived before",
            words::happened(event)
        ));
    }
    let same: Vec<&Known> = known
        .iter()
        .filter(|build| is_same(build, merge_request) && counts(build))
        .collect();
    if let Some(stopping) = same.iter().find(|build| build.stopping) {
        return Decision::Later { stopping: stopping.id };
    }
    let build = |seen_tip: Option<&Sha>, why: String| {
        Decision::Build(Box::new(Plan {
            why: if merge_request.from_fork() {
                format!("{why}; it comes from a fork and waits for approval")
            } else {
                why
            },
            merge_request: merge_request.clone(),
            pipeline: pipeline.to_owned(),
            state: if merge_request.from_fork() {
                BuildState::AwaitingApproval
            } else {
                BuildState::Queued
            },
            seen_tip: seen_tip.cloned(),
            supersedes: known
                .iter()
                .filter(|build| is_open(build))
                .map(|build| build.id)
                .collect(),
        }))
    };
    let Some(newest) = same.first() else {
        return build(None, words::why_build(event, merge_request, known));
    };
    let standing = same.iter().find(|build| !build.state.is_final()).unwrap_or(newest);
    let mut why = words::already_built(event, standing);
    if event.action == Action::Reopen && standing.state.is_final() {
        match situation.tip {
            Tip::NotAsked => {
                return Decision::NeedsTip {
                    branch: merge_request.target_branch.clone(),
                };
            }
            Tip::At(tip) if !same.iter().any(|build| build.target_tip.as_ref() == Some(tip)) => {
                let branch = &merge_request.target_branch;
                return build(
                    Some(tip),
                    format!(
                        "reopened, {branch} is at {} now, commit {} not yet built with it",
                        tip.short(),
                        merge_request.head.short()
                    ),
                );
            }
            Tip::At(tip) => why.push_str(&format!(" with {} at {}", merge_request.target_branch, tip.short())),
            Tip::Gone => why.push_str(&format!(
                "; there is no branch {} any more",
                merge_request.target_branch
            )),
        }
    }
    // Without the hint that somebody pushed or reopened, an event may have been passed by a push: it ends nothing.
    let returned = event.pushed || event.action == Action::Reopen;
    let others: Vec<BuildId> = known
        .iter()
        .filter(|build| is_open(build) && !is_same(build, merge_request))
        .map(|build| build.id)
        .collect();
    Decision::Ignored {
        why,
        standing: Some(standing.id),
        stop: (returned && !others.is_empty()).then(|| Stop {
            builds: others,
            state: BuildState::Superseded,
            by: format!("#{}", standing.id),
        }),
    }
}

fn ignored(why: String) -> Decision {
    Decision::Ignored {
        why,
        standing: None,
        stop: None,
    }
}

fn is_same(build: &Known, merge_request: &MergeRequest) -> bool {
    build.head == merge_request.head
        && build.target_branch == merge_request.target_branch
        && build.draft == merge_request.draft
}

/// Does it wait or run, and has nobody asked for its end?
fn is_open(build: &Known) -> bool {
    !build.state.is_final() && !build.stopping
}

/// Does it stand for what it built?
fn counts(build: &Known) -> bool {
    match build.state {
        BuildState::Superseded => false,
        BuildState::Cancelled => !matches!(build.ended_by.as_deref(), Some(CLOSED | MERGED)),
        _ => true,
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
