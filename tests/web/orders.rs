//! Rebuild, cancel, approve, replay: what is left behind, and when they are refused.

use std::time::Duration;

use seaworthy::model::{BuildId, BuildState, Trigger};
use seaworthy::store::jobs::{self, Beat, Lane};
use seaworthy::wake::{Event, wait_for};

use super::site::{Site, fork, merge_request};

fn sentence(answer: &(u16, serde_json::Value)) -> (u16, &str) {
    (answer.0, answer.1["error"].as_str().expect("a sentence"))
}

#[tokio::test]
async fn a_rebuild_is_a_build_of_its_own() {
    let site = Site::open().await;
    let mr = merge_request(1, "a");
    let first = site.ended(&mr, BuildState::Failed).await;
    let (status, done) = site.order(&format!("/api/builds/{first}/rebuild")).await;
    assert_eq!((status, done["build"].as_i64()), (200, Some(2)));
    assert_eq!(done["url"], format!("{}/builds/2", site.url));
    let made = site.record(BuildId(2)).await;
    assert_eq!(
        (made.build.state, made.build.trigger),
        (BuildState::Queued, Trigger::Person)
    );
    assert_eq!(
        (made.build.merge_request, made.requested_by.as_deref()),
        (mr, Some("writer"))
    );
    assert_eq!(site.jobs(Lane::Build).await, 1);
    assert_eq!(site.jobs(Lane::Notify).await, 2, "the commit's status and the note");

    // Pressed twice, it is one build; and what still runs is not begun again.
    let again = site.order(&format!("/api/builds/{first}/rebuild")).await;
    assert_eq!(
        sentence(&again),
        (409, "build 2 is already at commit aaaaaaaa: it is queued")
    );
    let again = site.order("/api/builds/2/rebuild").await;
    assert_eq!(
        sentence(&again),
        (409, "build 2 is still queued: wait for its end, or cancel it first")
    );
    let (claim, id) = site.start().await;
    assert_eq!(id, BuildId(2), "a worker takes it");
    site.end(&claim, id, BuildState::Passed, None).await;
    assert_eq!(site.order("/api/builds/2/rebuild").await.0, 200);
    assert_eq!(
        sentence(&site.order("/api/builds/99/rebuild").await),
        (404, "there is no build 99")
    );
    site.close().await;
}

#[tokio::test]
async fn a_build_that_waits_is_cancelled_at_once_and_one_that_runs_by_its_worker() {
    let site = Site::open().await;
    let waiting = site.build(&merge_request(1, "a")).await;
    let (status, done) = site.order(&format!("/api/builds/{waiting}/cancel")).await;
    assert_eq!((status, done["message"].as_str()), (200, Some("build 1 is cancelled")));
    let record = site.record(waiting).await;
    assert_eq!(
        (record.build.state, record.ended_by.as_deref()),
        (BuildState::Cancelled, Some("writer"))
    );
    assert_eq!(site.jobs(Lane::Build).await, 0);
    let again = site.order(&format!("/api/builds/{waiting}/cancel")).await;
    assert_eq!(sentence(&again), (409, "build 1 has already ended (cancelled)"));

    site.build(&merge_request(2, "b")).await;
    let (claim, running) = site.start().await;
    let mut wakes = site.hub.subscribe();
    let (status, done) = site.order(&format!("/api/builds/{running}/cancel")).await;
    assert_eq!(
        (status, done["message"].as_str()),
        (200, Some("build 2 is being stopped by its worker"))
    );
    let begun = std::time::Instant::now();
    wait_for(&mut wakes, Duration::from_secs(60), |event| {
        event == Event::Cancel(running)
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(60), "the worker is woken");
    let beat = jobs::heartbeat(&site.pool, &claim, Duration::from_secs(60))
        .await
        .expect("asked");
    let (state, by) = ("cancelled".to_owned(), "writer".to_owned());
    assert_eq!(beat, Beat::Cancel { state, by });
    assert_eq!(site.record(running).await.build.state, BuildState::Running);
    let (_, detail) = site.json(&format!("/api/builds/{running}")).await;
    assert_eq!(detail["stopping"], "writer");
    site.close().await;
}

#[tokio::test]
async fn a_fork_runs_when_somebody_says_so() {
    let site = Site::open().await;
    let id = site.build(&fork(1, "a")).await;
    assert_eq!(site.jobs(Lane::Build).await, 0);
    let early = site.order(&format!("/api/builds/{id}/rebuild")).await;
    assert_eq!(
        sentence(&early),
        (409, "build 1 has not run yet: it waits for approval, approve it")
    );
    assert_eq!(site.order(&format!("/api/builds/{id}/approve")).await.0, 200);
    let record = site.record(id).await;
    assert_eq!(
        (record.build.state, record.approved_by.as_deref()),
        (BuildState::Queued, Some("writer"))
    );
    let twice = site.order(&format!("/api/builds/{id}/approve")).await;
    assert_eq!(
        sentence(&twice),
        (409, "build 1 does not wait for approval: it is queued")
    );
    let (claim, id) = site.start().await;
    site.end(&claim, id, BuildState::Failed, None).await;

    // A rebuild executes a stranger's code as well: who ordered it has approved it, and the record says so.
    assert_eq!(site.order(&format!("/api/builds/{id}/rebuild")).await.0, 200);
    let made = site.record(BuildId(2)).await;
    assert_eq!(
        (made.build.state, made.approved_by.as_deref()),
        (BuildState::Queued, Some("writer"))
    );
    site.close().await;
}
