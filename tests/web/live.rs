//! A log that is followed loses nothing and repeats nothing.

use futures_util::StreamExt as _;
use reqwest::Method;
use seaworthy::model::{BuildState, Stage, StageState};
use seaworthy::store::{logs, stages};
use seaworthy::wake::Event;

use super::site::{Live, Site, merge_request};

fn lines(from: i64, to: i64) -> Vec<String> {
    (from..=to).map(|n| format!("line {n}")).collect()
}

#[tokio::test]
async fn a_stream_that_is_cut_goes_on_where_it_was() {
    let site = Site::open().await;
    site.build(&merge_request(1, "a")).await;
    let (claim, id) = site.start().await;
    site.write(&claim, id, &lines(1, 100)).await;

    let mut seen = Vec::new();
    let mut live = Live::open(&site, id, None).await;
    let first = live.next().await.expect("an event");
    assert_eq!(
        (first.name.as_str(), first.data["state"].as_str()),
        ("state", Some("running"))
    );
    while seen.len() < 40 {
        seen.push(live.until("line").await.id.expect("a number"));
    }
    drop(live);
    // Written while nobody listens, and then while somebody does.
    site.write(&claim, id, &lines(101, 150)).await;
    let mut live = Live::open(&site, id, seen.last().copied()).await;
    while seen.len() < 150 {
        let sent = live.until("line").await;
        let number = sent.id.expect("a number");
        assert_eq!(sent.data["text"], format!("line {number}"));
        assert_eq!(sent.data["seq"], number);
        seen.push(number);
    }
    stages::begin(&site.pool, &claim, id, 1, Stage::UnitTest)
        .await
        .expect("written");
    site.hub.tell(Event::Build(id));
    let stage = live.until("stage").await;
    assert_eq!((stage.id, stage.data["state"].as_str()), (None, Some("running")));
    stages::end(
        &site.pool,
        &claim,
        id,
        1,
        Stage::UnitTest,
        StageState::Passed,
        Some("3 tests"),
    )
    .await
    .expect("written");
    site.hub.tell(Event::Build(id));
    assert_eq!(live.until("stage").await.data["note"], "3 tests");
    site.write(&claim, id, &lines(151, 200)).await;
    site.end(&claim, id, BuildState::Passed, None).await;
    let mut names = Vec::new();
    while let Some(sent) = live.next().await {
        seen.extend(sent.id);
        names.push(sent.name);
    }
    assert_eq!(names.last().map(String::as_str), Some("end"), "{names:?}");
    assert_eq!(seen, (1..=200).collect::<Vec<_>>());

    // Whoever comes after the end gets the rest and the end.
    let mut late = Live::open(&site, id, Some(199)).await;
    assert_eq!(late.until("line").await.id, Some(200));
    assert_eq!(late.next().await.map(|sent| sent.name).as_deref(), Some("end"));
    assert_eq!(late.next().await, None);
    site.close().await;
}

#[tokio::test]
async fn lines_that_were_thrown_away_are_counted_once() {
    let site = Site::open().await;
    site.build(&merge_request(1, "a")).await;
    let (claim, id) = site.start().await;
    for piece in 0..4 {
        site.write(&claim, id, &lines(piece * 10 + 1, piece * 10 + 10)).await;
    }
    // This reader has the lines up to 15 when 11 to 30 are thrown away.
    let mut tx = site.pool.begin().await.expect("a transaction");
    assert!(logs::drop_range(&mut tx, &claim, id, 11, 30).await.expect("written"));
    tx.commit().await.expect("written");
    let mut live = Live::open(&site, id, Some(15)).await;
    let dropped = live.until("dropped").await;
    assert_eq!(dropped.id, Some(30));
    assert_eq!(
        (dropped.data["first_seq"].as_i64(), dropped.data["last_seq"].as_i64()),
        (Some(16), Some(30))
    );
    assert_eq!(live.until("line").await.id, Some(31));

    let text = site.page(&format!("/api/builds/{id}/log?format=text")).await;
    assert!(
        text.contains("line 10\n… 20 lines dropped (11 to 30) …\nline 31\n"),
        "{text}"
    );
    let part = site.page(&format!("/api/builds/{id}/log?after=10&limit=2")).await;
    let part: Vec<serde_json::Value> = part
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        (part.len(), part[0]["last_seq"].as_i64(), part[1]["seq"].as_i64()),
        (2, Some(30), Some(31))
    );
    let page = site.page(&format!("/builds/{id}")).await;
    assert!(page.contains("… 20 lines dropped") && page.contains("id=\"L40\""));
    site.close().await;
}

#[tokio::test]
async fn streams_end_when_the_service_stops() {
    let site = Site::open().await;
    let id = site.build(&merge_request(1, "a")).await;
    let mut live = Live::open(&site, id, None).await;
    assert_eq!(live.until("state").await.data["state"], "queued");
    let changes = site
        .request(Method::GET, "/api/builds/stream", None)
        .send()
        .await
        .expect("an answer");
    let mut changes = Live::of(changes.bytes_stream().boxed());
    site.hub.tell(Event::Build(id));
    let change = changes.next().await.expect("an event");
    assert_eq!((change.name.as_str(), change.data.as_i64()), ("build", Some(id.0)));
    site.stop.cancel();
    assert_eq!(live.next().await, None);
    assert_eq!(changes.next().await, None);
    site.close().await;
}
