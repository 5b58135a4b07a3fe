//! Intake over a real database: one build however often and however concurrently, older builds ended, lost hooks healed.

use std::time::Duration;

use axum::http::StatusCode;
use seaworthy::intake::event::{self, Event};
use seaworthy::intake::{self, IntakeError};
use seaworthy::model::{BuildId, BuildState, MergeRequest};
use seaworthy::store::jobs::{self, Beat, Claim, Lane};
use seaworthy::store::{builds, deliveries};
use serde_json::{Value, json};

use crate::hooks::{Desk, everything, fixture, no_look, post};

const MINUTE: Duration = Duration::from_secs(60);

/// A hook of `01-open.json` with other attributes.
fn hook(attributes: Value) -> Vec<u8> {
    let mut hook: Value = serde_json::from_slice(&fixture("01-open.json")).expect("JSON");
    for (name, value) in attributes.as_object().expect("an object") {
        hook["object_attributes"][name] = value.clone();
    }
    hook.to_string().into_bytes()
}

fn push(digit: &str, oldrev: &str) -> Vec<u8> {
    hook(json!({"action": "update", "last_commit": {"id": digit.repeat(40)}, "oldrev": oldrev.repeat(40)}))
}

impl Desk {
    /// A worker takes the next build.
    pub async fn start_build(&self) -> (Claim, BuildId) {
        let claim = jobs::claim(&self.pool, Lane::Build, "worker", MINUTE)
            .await
            .expect("the database answers");
        let claim = claim.expect("a build waits");
        let id = BuildId(claim.subject.parse().expect("a number"));
        let begun = builds::begin(&self.pool, &claim, id, "worker")
            .await
            .expect("the database answers");
        assert!(begun.is_some(), "build {id} begins");
        (claim, id)
    }

    pub async fn end_build(&self, claim: &Claim, id: BuildId, state: BuildState, by: Option<&str>) {
        let mut tx = self.pool.begin().await.expect("a transaction");
        builds::finish(&mut *tx, id, state, None, None, by)
            .await
            .expect("it is written");
        assert!(jobs::finish(&mut *tx, claim).await.expect("it is written"));
        tx.commit().await.expect("it is written");
    }

    pub async fn state(&self, id: i64) -> BuildState {
        let record = builds::get(&self.pool, BuildId(id))
            .await
            .expect("the database answers");
        record.expect("it is there").build.state
    }

    async fn beat(&self, claim: &Claim) -> Beat {
        jobs::heartbeat(&self.pool, claim, MINUTE)
            .await
            .expect("the database answers")
    }
}

fn cancelled(state: &str, by: &str) -> Beat {
    Beat::Cancel {
        state: state.to_owned(),
        by: by.to_owned(),
    }
}

async fn a_hundred_at_once(key: Option<&str>) -> Desk {
    let desk = Desk::open().await;
    let body = fixture("01-open.json");
    let posts = (0..100).map(|_| {
        let mut headers = vec![("x-gitlab-event", "Merge Request Hook")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        let (router, body) = (&desk.router, &body);
        async move { post(router, &headers, body.clone()).await.status }
    });
    let statuses = futures_util::future::join_all(posts).await;
    assert!(
        statuses.iter().all(|status| *status == StatusCode::ACCEPTED),
        "{statuses:?}"
    );
    futures_util::future::join_all((0..8).map(|_| desk.work())).await;
    assert_eq!(desk.count("select count(*) from job where lane = 'intake'").await, 0);
    assert_eq!(desk.count("select count(*) from build").await, 1);
    assert_eq!(desk.count("select count(*) from job where lane = 'build'").await, 1);
    desk
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hook_a_hundred_times_at_once_is_one_build() {
    let desk = a_hundred_at_once(None).await;
    assert_eq!(
        desk.count("select count(*) from delivery where decision = 'build'")
            .await,
        1
    );
    let repeated = "select count(*) from delivery where decision = 'ignored' and build_id is not null
                    and reason = 'opened, commit already built as #' || build_id || ' (queued)'";
    assert_eq!(desk.count(repeated).await, 99);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_a_hundred_times_at_once_is_one_delivery() {
    let desk = a_hundred_at_once(Some("f5e5f430-f57b-4e6e-9fac-d9128cd7232f")).await;
    assert_eq!(desk.count("select count(*) from delivery").await, 1);
    desk.close().await;
}

#[tokio::test]
async fn a_push_stops_what_runs_and_a_push_back_waits_for_its_end() {
    let desk = Desk::open().await;
    desk.decide("Merge Request Hook", fixture("01-open.json")).await;
    let (claim, first) = desk.start_build().await;
    desk.deliver("Merge Request Hook", push("b", "a")).await;
    assert_eq!(desk.work().await[0].stopped, [first]);
    assert_eq!(desk.beat(&claim).await, cancelled("superseded", "#2"));

    // Back to the first commit, while its build is still being stopped: too early to decide.
    let back = desk.deliver("Merge Request Hook", push("a", "b")).await;
    let early = desk.interpret_next().await.expect("it is due");
    assert!(
        matches!(early, Err(IntakeError::Stopping(id)) if id == first),
        "{early:?}"
    );
    assert_eq!(desk.stored(back).await.decision, None);
    desk.end_build(&claim, first, BuildState::Superseded, Some("#2")).await;
    sqlx::query("update job set fence = null, leased_until = null where lane = 'intake'")
        .execute(&desk.pool)
        .await
        .expect("given back");
    desk.work().await;
    let decided = desk.stored(back).await;
    assert_eq!(decided.reason.as_deref(), Some("pushed, new commit aaaaaaaa"));
    assert_eq!(desk.state(2).await, BuildState::Superseded);
    assert_eq!(desk.state(3).await, BuildState::Queued);
    desk.close().await;
}

#[tokio::test]
async fn a_push_back_to_a_built_commit_ends_the_newer_build() {
    let desk = Desk::open().await;
    desk.decide("Merge Request Hook", fixture("01-open.json")).await;
    let (claim, first) = desk.start_build().await;
    desk.end_build(&claim, first, BuildState::Passed, None).await;
    desk.decide("Merge Request Hook", push("b", "a")).await;
    let back = desk.decide("Merge Request Hook", push("a", "b")).await;
    assert_eq!(back.reason.as_deref(), Some("pushed, commit already built as #1"));
    assert_eq!(back.build_id, Some(1));
    assert_eq!(desk.state(2).await, BuildState::Superseded);
    desk.close().await;
}

#[tokio::test]
async fn closing_stops_and_reopening_builds_again() {
    let desk = Desk::open().await;
    desk.decide("Merge Request Hook", fixture("01-open.json")).await;
    let (claim, first) = desk.start_build().await;
    let closed = desk
        .decide(
            "Merge Request Hook",
            hook(json!({"action": "close", "state": "closed"})),
        )
        .await;
    assert_eq!(closed.reason.as_deref(), Some("merge request is closed; #1 cancelled"));
    assert_eq!(desk.beat(&claim).await, cancelled("cancelled", "merge request closed"));
    desk.end_build(&claim, first, BuildState::Cancelled, Some("merge request closed"))
        .await;

    let reopen = || hook(json!({"action": "reopen"}));
    let reopened = desk.decide("Merge Request Hook", reopen()).await;
    assert_eq!(reopened.decision.as_deref(), Some("build"));
    let (claim, second) = desk.start_build().await;
    desk.end_build(&claim, second, BuildState::Failed, None).await;
    // Built to its end, and the target was at another commit (none that is known): once more, and then no more.
    let again = desk.decide("Merge Request Hook", reopen()).await;
    assert_eq!(
        again.reason.as_deref(),
        Some("reopened, main is at 99999999 now, commit aaaaaaaa not yet built with it")
    );
    let (claim, third) = desk.start_build().await;
    desk.end_build(&claim, third, BuildState::Passed, None).await;
    let no_more = desk.decide("Merge Request Hook", reopen()).await;
    assert_eq!(
        no_more.reason.as_deref(),
        Some("reopened, commit already built as #3 with main at 99999999")
    );
    desk.close().await;
}

#[tokio::test]
async fn a_delivery_of_yesterday_and_a_replay_change_nothing() {
    let desk = Desk::open().await;
    let first = desk.deliver("Merge Request Hook", fixture("01-open.json")).await;
    let old = jobs::claim(&desk.pool, Lane::Intake, "slow", MINUTE)
        .await
        .expect("the database answers");
    let old = old.expect("the first delivery");
    desk.decide("Merge Request Hook", push("b", "a")).await;
    let tip = |_, _| async { Ok(None) };
    let late = intake::interpret(&desk.pool, &old, &everything, tip, no_look)
        .await
        .expect("decided");
    assert_eq!(
        late.reason,
        "opened, but a later event, which stands for #1, arrived before"
    );
    assert_eq!((late.made, desk.state(1).await), (None, BuildState::Queued));

    // A replay is the same delivery again.
    jobs::enqueue(&desk.pool, Lane::Intake, &first.to_string(), "", Duration::ZERO)
        .await
        .expect("asked for");
    assert_eq!(desk.work().await.len(), 1);
    assert_eq!(desk.count("select count(*) from build").await, 1);

    // Whoever lost the job changes nothing.
    let lost = intake::interpret(&desk.pool, &old, &everything, tip, no_look).await;
    assert!(matches!(lost, Err(IntakeError::Lost)), "{lost:?}");
    desk.close().await;
}

#[tokio::test]
async fn gitlab_away_leaves_the_delivery_for_another_try() {
    let desk = Desk::open().await;
    desk.decide("Merge Request Hook", fixture("01-open.json")).await;
    let (claim, id) = desk.start_build().await;
    desk.end_build(&claim, id, BuildState::Passed, None).await;
    let delivery = desk
        .deliver("Merge Request Hook", hook(json!({"action": "reopen"})))
        .await;
    let claim = jobs::claim(&desk.pool, Lane::Intake, "test", MINUTE)
        .await
        .expect("the database answers");
    let claim = claim.expect("the delivery");
    let away = |_, _| async { Err(intake::Source::from("connection refused")) };
    let error = intake::interpret(&desk.pool, &claim, &everything, away, no_look)
        .await
        .expect_err("GitLab is away");
    assert_eq!(
        error.to_string(),
        "GitLab could not be asked for the tip of branch main: connection refused"
    );
    assert_eq!(desk.stored(delivery).await.decision, None);
    assert_eq!(desk.beat(&claim).await, Beat::Held);
    desk.close().await;
}

#[tokio::test]
async fn an_unknown_project_is_told_what_to_do_and_is_not_watched() {
    let desk = Desk::open().await;
    desk.deliver("Merge Request Hook", fixture("01-open.json")).await;
    let claim = jobs::claim(&desk.pool, Lane::Intake, "test", MINUTE)
        .await
        .expect("the database answers");
    let unknown = |project: &seaworthy::model::ProjectPath| Err(format!("add {project}"));
    let tip = |_, _| async { Ok(None) };
    let outcome = intake::interpret(&desk.pool, &claim.expect("it is due"), &unknown, tip, no_look)
        .await
        .expect("decided");
    assert_eq!(outcome.reason, "add shop/basket");
    assert_eq!(desk.count("select count(*) from project").await, 0);
    desk.close().await;
}

#[tokio::test]
async fn a_lost_hook_heals_once() {
    let desk = Desk::open().await;
    desk.decide("Merge Request Hook", fixture("01-open.json")).await;
    let Event::MergeRequest(event) = event::read(&push("b", "a")) else {
        panic!("a merge request event")
    };
    let listed = event.merge_request.expect("it can be built");
    let project = listed.project_id;
    let closed_fork = MergeRequest {
        iid: Some(8),
        source_project_id: None,
        ..listed.clone()
    };
    let heal = async |open: Vec<MergeRequest>| {
        let made = intake::heal(&desk.pool, &everything, |_| async { Ok(open) }, project)
            .await
            .expect("healed");
        made.into_iter()
            .map(|outcome| (outcome.made, outcome.reason))
            .collect::<Vec<_>>()
    };
    let lost = "found in GitLab's list, its webhook was lost";
    assert_eq!(
        heal(vec![listed.clone(), closed_fork.clone()]).await,
        [
            (Some(BuildId(2)), format!("{lost}, new commit bbbbbbbb")),
            (
                Some(BuildId(3)),
                format!("{lost}, commit bbbbbbbb not yet built; it comes from a fork and waits for approval")
            ),
        ]
    );
    assert_eq!(desk.state(1).await, BuildState::Superseded);
    assert_eq!(desk.state(3).await, BuildState::AwaitingApproval);
    assert_eq!(heal(vec![listed.clone(), closed_fork]).await, []);
    assert_eq!(desk.count("select count(*) from build where trigger = 'poll'").await, 2);

    // What is pushed while the list is made is newer than the list.
    let list = |_| async {
        desk.decide("Merge Request Hook", push("c", "b")).await;
        Ok(vec![MergeRequest {
            head: "d".repeat(40).parse().expect("a commit id"),
            ..listed
        }])
    };
    let made = intake::heal(&desk.pool, &everything, list, project)
        .await
        .expect("healed");
    assert_eq!(made, []);
    assert_eq!(desk.state(4).await, BuildState::Queued);
    desk.close().await;
}

#[tokio::test]
async fn lists_show_decisions() {
    let desk = Desk::open().await;
    desk.decide("Merge Request Hook", fixture("01-open.json")).await;
    desk.decide("Push Hook", fixture("22-push-feature-branch.json")).await;
    let ignored = deliveries::list(&desk.pool, Some("ignored"), 10).await.expect("a list");
    assert_eq!(ignored.len(), 1);
    assert_eq!(ignored[0].event.as_deref(), Some("Push Hook"));
    desk.close().await;
}
