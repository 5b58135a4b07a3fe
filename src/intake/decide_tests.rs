//! Each rule of the decision, and the words it is told in.

use super::*;
use crate::model::{Person, ProjectId};

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";

fn sha(text: &str) -> Sha {
    text.parse().expect("a commit id")
}

fn merge_request(head: &str) -> MergeRequest {
    MergeRequest {
        project_id: ProjectId(11),
        project: "shop/basket".parse().expect("a path"),
        source_project_id: Some(ProjectId(11)),
        iid: Some(3),
        title: "Add a bell".to_owned(),
        draft: false,
        head: sha(head),
        source_branch: "bell".to_owned(),
        target_branch: "main".to_owned(),
        author: Person::default(),
        url: String::new(),
    }
}

fn event(action: Action, merge_request: MergeRequest) -> MergeRequestEvent {
    MergeRequestEvent {
        action,
        ..MergeRequestEvent::listed(merge_request)
    }
}

fn pushed(head: &str) -> MergeRequestEvent {
    MergeRequestEvent {
        pushed: true,
        ..event(Action::Update, merge_request(head))
    }
}

fn edited(head: &str, changes: &[&str]) -> MergeRequestEvent {
    MergeRequestEvent {
        changes: changes.iter().map(|name| (*name).to_owned()).collect(),
        ..event(Action::Update, merge_request(head))
    }
}

fn known(id: i64, head: &str, state: BuildState) -> Known {
    Known {
        id: BuildId(id),
        head: sha(head),
        target_branch: "main".to_owned(),
        draft: false,
        state,
        target_tip: None,
        ended_by: None,
        stopping: false,
    }
}

fn situation(known: &[Known]) -> Situation<'_> {
    Situation {
        pipeline: Ok("default"),
        known,
        later: None,
        tip: Tip::NotAsked,
    }
}

fn with(event: MergeRequestEvent, situation: Situation<'_>) -> Decision {
    decide(&Event::MergeRequest(Box::new(event)), &situation)
}

fn plan(event: MergeRequestEvent, situation: Situation<'_>) -> Plan {
    match with(event, situation) {
        Decision::Build(plan) => *plan,
        other => panic!("no build: {other:?}"),
    }
}

/// Reason, build that stands, builds that end.
fn why_not(event: MergeRequestEvent, situation: Situation<'_>) -> (String, Option<i64>, Vec<i64>) {
    match with(event, situation) {
        Decision::Ignored { why, standing, stop } => (
            why,
            standing.map(|id| id.0),
            stop.map(|stop| stop.builds.iter().map(|id| id.0).collect())
                .unwrap_or_default(),
        ),
        other => panic!("not ignored: {other:?}"),
    }
}

#[test]
fn an_open_merge_request_is_built_whatever_event_tells_of_it() {
    for (action, why) in [
        (Action::Open, "opened, commit 22222222 not yet built"),
        (Action::Reopen, "reopened, commit 22222222 not yet built"),
        (Action::Update, "updated, commit 22222222 not yet built"),
        (
            Action::Missing,
            "event without an action, commit 22222222 not yet built",
        ),
        (
            Action::Unknown("shake".to_owned()),
            "unknown action \"shake\", commit 22222222 not yet built",
        ),
        (
            Action::Listed,
            "found in GitLab's list, its webhook was lost, commit 22222222 not yet built",
        ),
    ] {
        let plan = plan(event(action, merge_request(NEW)), situation(&[]));
        assert_eq!((plan.why.as_str(), plan.state), (why, BuildState::Queued));
        assert_eq!(plan.pipeline, "default");
    }
}

#[test]
fn the_same_commit_is_built_once() {
    let builds = [known(12, NEW, BuildState::Passed)];
    for (changes, why) in [
        (&["title"][..], "title edited, commit already built as #12"),
        (
            &["updated_at", "labels", "assignees"],
            "labels changed, assignees changed, commit already built as #12",
        ),
        (&["reviewers"], "reviewers changed, commit already built as #12"),
        (&["merge_status"], "updated, commit already built as #12"),
        (&[], "updated, commit already built as #12"),
    ] {
        assert_eq!(
            why_not(edited(NEW, changes), situation(&builds)),
            (why.to_owned(), Some(12), vec![])
        );
    }
    let (why, ..) = why_not(event(Action::Open, merge_request(NEW)), situation(&builds));
    assert_eq!(why, "opened, commit already built as #12");
}

#[test]
fn every_end_but_superseded_counts_as_built() {
    for (state, suffix) in [
        (BuildState::AwaitingApproval, " (waits for approval)"),
        (BuildState::Queued, " (queued)"),
        (BuildState::Running, " (running)"),
        (BuildState::Passed, ""),
        (BuildState::Failed, ""),
        (BuildState::Errored, " (errored; a rebuild can be asked for)"),
        (BuildState::Cancelled, " (cancelled; a rebuild can be asked for)"),
    ] {
        let (why, ..) = why_not(edited(NEW, &["title"]), situation(&[known(1, NEW, state)]));
        assert_eq!(why, format!("title edited, commit already built as #1{suffix}"));
    }
    let again = plan(
        edited(NEW, &["title"]),
        situation(&[known(1, NEW, BuildState::Superseded)]),
    );
    assert_eq!(again.why, "title edited, #1 of commit 22222222 was stopped");
}

#[test]
fn a_push_supersedes_what_has_not_ended() {
    let builds = [
        known(5, OLD, BuildState::Running),
        known(4, OLD, BuildState::Queued),
        known(3, OLD, BuildState::AwaitingApproval),
        known(2, OLD, BuildState::Passed),
        Known {
            stopping: true,
            ..known(1, OLD, BuildState::Running)
        },
    ];
    let plan = plan(pushed(NEW), situation(&builds));
    assert_eq!(plan.why, "pushed, new commit 22222222");
    assert_eq!(plan.supersedes, [BuildId(5), BuildId(4), BuildId(3)]);
}

#[test]
fn target_branch_and_draft_mark_make_another_build() {
    let builds = [known(1, NEW, BuildState::Passed)];
    let mut to_release = merge_request(NEW);
    to_release.target_branch = "release".to_owned();
    // GitLab tells no more than `merge_status` of it.
    let plan_of = |mr| plan(event(Action::Update, mr), situation(&builds));
    assert_eq!(plan_of(to_release).why, "updated, target branch is release now");
    let mut draft = merge_request(NEW);
    draft.draft = true;
    assert_eq!(plan_of(draft).why, "updated, it is a draft now");
}

#[test]
fn a_push_back_to_a_built_commit_ends_what_came_in_between() {
    let builds = [known(2, NEW, BuildState::Running), known(1, OLD, BuildState::Passed)];
    assert_eq!(
        why_not(pushed(OLD), situation(&builds)),
        ("pushed, commit already built as #1".to_owned(), Some(1), vec![2])
    );
    // A label edit that the push has passed on its way ends nothing.
    assert_eq!(why_not(edited(OLD, &["labels"]), situation(&builds)).2, [0; 0]);
    // A person's rebuild of the same commit is not in between.
    let rebuilt = [known(3, OLD, BuildState::Running), known(1, OLD, BuildState::Passed)];
    assert_eq!(
        why_not(pushed(OLD), situation(&rebuilt)),
        (
            "pushed, commit already built as #3 (running)".to_owned(),
            Some(3),
            vec![]
        )
    );
    // The first one was superseded: it is built again.
    let builds = [
        known(2, NEW, BuildState::Running),
        known(1, OLD, BuildState::Superseded),
    ];
    assert_eq!(plan(pushed(OLD), situation(&builds)).supersedes, [BuildId(2)]);
}

#[test]
fn a_build_that_is_being_stopped_is_waited_for() {
    let builds = [
        known(2, NEW, BuildState::Running),
        Known {
            stopping: true,
            ..known(1, OLD, BuildState::Running)
        },
    ];
    assert_eq!(
        with(pushed(OLD), situation(&builds)),
        Decision::Later { stopping: BuildId(1) }
    );
}

#[test]
fn approvals_never_build() {
    for name in ["approval", "approved", "unapproval", "unapproved"] {
        let event = event(Action::Approval(name.to_owned()), merge_request(NEW));
        let (why, ..) = why_not(event, situation(&[]));
        assert_eq!(why, format!("{name}: approvals start no build"));
    }
}

#[test]
fn closing_ends_and_merging_lets_run() {
    let builds = [
        known(4, NEW, BuildState::AwaitingApproval),
        known(3, NEW, BuildState::Running),
        known(2, OLD, BuildState::Queued),
        known(1, OLD, BuildState::Passed),
    ];
    let close = || event(Action::Close, merge_request(NEW));
    assert_eq!(
        why_not(close(), situation(&builds)),
        (
            "merge request is closed; #2, #3 and #4 cancelled".to_owned(),
            None,
            vec![4, 3, 2]
        )
    );
    assert_eq!(why_not(close(), situation(&[])).0, "merge request is closed");
    let merge = event(Action::Merge, merge_request(NEW));
    assert_eq!(
        why_not(merge, situation(&builds)),
        ("merge request is merged; #4 cancelled".to_owned(), None, vec![4])
    );
    let passed_by = Situation {
        later: Some(BuildId(4)),
        ..situation(&builds)
    };
    assert_eq!(why_not(close(), passed_by).2, [0; 0]);
}

#[test]
fn only_an_open_merge_request_is_built() {
    for (state, why) in [
        (State::Closed, "merge request is closed"),
        (State::Merged, "merge request is merged"),
        (State::Locked, "merge request is just being merged"),
        (
            State::Missing,
            "merge request event without a state: not sure that it is open",
        ),
        (
            State::Unknown("frozen".to_owned()),
            "merge request is neither open nor closed but \"frozen\"",
        ),
    ] {
        let event = MergeRequestEvent {
            state,
            ..event(Action::Open, merge_request(NEW))
        };
        // A label on a closed merge request ends no rebuild that a person asked for.
        let builds = [known(1, OLD, BuildState::Running)];
        assert_eq!(why_not(event, situation(&builds)), (why.to_owned(), None, vec![]));
    }
}

#[test]
fn closed_and_opened_again_is_built_again_but_a_cancelled_one_is_not() {
    let ended_by = |by: &str| Known {
        ended_by: Some(by.to_owned()),
        ..known(1, NEW, BuildState::Cancelled)
    };
    let reopen = || event(Action::Reopen, merge_request(NEW));
    let plan = plan(reopen(), situation(&[ended_by(CLOSED)]));
    assert_eq!(plan.why, "reopened, #1 of commit 22222222 was stopped");
    let (why, ..) = why_not(edited(NEW, &["labels"]), situation(&[ended_by("ada")]));
    assert_eq!(
        why,
        "labels changed, commit already built as #1 (cancelled; a rebuild can be asked for)"
    );
}

#[test]
fn reopened_is_built_again_only_where_the_target_has_moved() {
    let (tip, moved) = (sha(OLD), sha("3333333333333333333333333333333333333333"));
    let builds = [Known {
        target_tip: Some(tip.clone()),
        ..known(1, NEW, BuildState::Passed)
    }];
    let reopen = || event(Action::Reopen, merge_request(NEW));
    let at = |tip| Situation {
        tip,
        ..situation(&builds)
    };
    assert_eq!(
        with(reopen(), at(Tip::NotAsked)),
        Decision::NeedsTip {
            branch: "main".to_owned()
        }
    );
    assert_eq!(
        why_not(reopen(), at(Tip::At(&tip))).0,
        "reopened, commit already built as #1 with main at 11111111"
    );
    assert_eq!(
        why_not(reopen(), at(Tip::Gone)).0,
        "reopened, commit already built as #1; there is no branch main any more"
    );
    let again = plan(reopen(), at(Tip::At(&moved)));
    assert_eq!(again.seen_tip, Some(moved));
    assert_eq!(
        again.why,
        "reopened, main is at 33333333 now, commit 22222222 not yet built with it"
    );
    // While it runs there is nothing to ask.
    let running = [known(1, NEW, BuildState::Running)];
    assert_eq!(why_not(reopen(), situation(&running)).1, Some(1));
}

#[test]
fn a_fork_waits_for_approval_and_a_new_push_waits_again() {
    let mut fork = merge_request(NEW);
    fork.source_project_id = Some(ProjectId(99));
    let approved = [known(1, OLD, BuildState::Running)];
    let plan = plan(event(Action::Update, fork.clone()), situation(&approved));
    assert_eq!(plan.state, BuildState::AwaitingApproval);
    assert_eq!(plan.supersedes, [BuildId(1)]);
    assert_eq!(
        plan.why,
        "updated, new commit 22222222; it comes from a fork and waits for approval"
    );
}

#[test]
fn an_event_of_yesterday_changes_nothing() {
    let builds = [
        known(2, NEW, BuildState::Running),
        known(1, OLD, BuildState::Superseded),
    ];
    let late = Situation {
        later: Some(BuildId(2)),
        ..situation(&builds)
    };
    assert_eq!(
        why_not(pushed(OLD), late),
        (
            "pushed, but a later event, which stands for #2, arrived before".to_owned(),
            None,
            vec![]
        )
    );
    // The later one tells the same: no contradiction.
    assert_eq!(why_not(edited(NEW, &["title"]), late).1, Some(2));
}

#[test]
fn an_unknown_project_is_told_what_to_do() {
    let unknown = Situation {
        pipeline: Err("add it"),
        ..situation(&[])
    };
    assert_eq!(why_not(pushed(NEW), unknown).0, "add it");
}

#[test]
fn other_bodies_are_ignored_with_a_reason() {
    let why = |event: Event| match decide(&event, &situation(&[])) {
        Decision::Ignored { why, .. } => why,
        other => panic!("not ignored: {other:?}"),
    };
    let other = |kind: &str| why(Event::Other { kind: kind.to_owned() });
    assert_eq!(other("push"), "push event: a branch is built through its merge request");
    assert_eq!(other("moon_phase"), "moon_phase event: only merge requests are built");
    let broken = Event::NotJson {
        line: 1,
        column: 5,
        message: "expected `:`".to_owned(),
    };
    assert_eq!(why(broken), "not JSON at line 1 column 5: expected `:`");
    let nothing = Event::Unreadable {
        what: "an empty body".to_owned(),
    };
    assert_eq!(why(nothing), "not readable: an empty body");
}
