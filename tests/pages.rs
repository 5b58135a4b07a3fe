//! API, pages and live log over a running service.

use futures_util::StreamExt as _;
use seaworthy::model::{BuildId, BuildState, Role};
use seaworthy::store::tokens;
use serde_json::Value;
use world::gitlab::{Event, OpenMr};

use crate::house::{House, Service};

async fn get(service: &Service, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{}{path}", service.url)).await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a text"))
}

async fn post(service: &Service, path: &str, token: Option<&str>) -> (u16, Value) {
    let mut request = reqwest::Client::new().post(format!("{}{path}", service.url));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

/// Reads a live log from after line `last` to its end, or until `enough` lines have come: numbers of the lines.
async fn follow(service: &Service, build: i64, last: i64, enough: usize) -> (Vec<i64>, bool) {
    let answer = reqwest::Client::new()
        .get(format!("{}/api/builds/{build}/log/stream", service.url))
        .header("Last-Event-ID", last.to_string())
        .send()
        .await
        .expect("an answer");
    let mut stream = answer.bytes_stream();
    let (mut text, mut numbers) = (String::new(), Vec::new());
    while let Some(Ok(block)) = stream.next().await {
        text.push_str(&String::from_utf8_lossy(&block));
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            match field("event:") {
                Some("line") => numbers.push(field("id:").expect("a line has a number").parse().expect("a number")),
                Some("end") => return (numbers, true),
                _ => {}
            }
            if numbers.len() >= enough {
                return (numbers, false);
            }
        }
    }
    panic!("the stream ended without the build's end");
}

#[tokio::test]
async fn a_build_is_shown_followed_and_ordered_about() {
    let house = House::build().await;
    tokens::create(&house.pool, "writer", "swt_writer", Role::Platform)
        .await
        .expect("made");
    tokens::create(&house.pool, "reader", "swt_reader", Role::Viewer)
        .await
        .expect("made");
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/quick", "notests").await;
    let hostile = OpenMr {
        title: "<script>alert(1)</script> & more".to_owned(),
        ..OpenMr::default()
    };
    let mr = house
        .gitlab
        .open_mr(&project.path, "x", &[("A.md", "a")], hostile)
        .await
        .expect("a merge request");
    house.deliver(&service, &mr, Event::Open).await;
    house.wait(1, "its start", |record| record.log_lines > 3).await;

    // A stream that is cut and resumed loses and repeats nothing.
    let (first, ended) = follow(&service, 1, 0, 3).await;
    assert!(!ended);
    let (rest, ended) = follow(&service, 1, first[first.len() - 1], usize::MAX).await;
    assert!(ended);
    let all: Vec<i64> = first.into_iter().chain(rest).collect();
    assert_eq!(all, (1..=all.len() as i64).collect::<Vec<_>>());
    let record = house.passes(1).await;
    assert_eq!(all.len() as i64, record.log_lines);

    let (status, page) = get(&service, "/builds/1").await;
    assert_eq!(status, 200);
    assert!(
        !page.contains("<script>alert") && page.contains("&#60;script&#62;"),
        "{page}"
    );
    assert!(page.contains("sha256:") && page.contains("BUILD SUCCESS"));
    assert!(get(&service, "/").await.1.contains("shop/quick"));
    assert_eq!(get(&service, "/builds/99").await.0, 404);

    // By number, digest, reference and commit: the same build.
    let (_, build) = get(&service, "/api/builds/1").await;
    let build: Value = serde_json::from_str(&build).expect("JSON");
    let image = &build["image"];
    for what in [
        "1",
        image["digest"].as_str().expect("a digest"),
        image["reference"].as_str().expect("a reference"),
        image["pinned"].as_str().expect("a name"),
        &mr.head[..8],
    ] {
        let (status, found) = get(&service, &format!("/api/trace/{what}")).await;
        assert_eq!(status, 200, "{what}: {found}");
        let found: Value = serde_json::from_str(&found).expect("JSON");
        assert_eq!(found[0]["id"], 1, "{what}");
    }
    assert_eq!(get(&service, "/api/trace/sha256:0000000000000000").await.0, 404);

    // Changing needs a token that may.
    assert_eq!(post(&service, "/api/builds/1/rebuild", None).await.0, 401);
    assert_eq!(post(&service, "/api/builds/1/rebuild", Some("swt_wrong")).await.0, 401);
    assert_eq!(post(&service, "/api/builds/1/rebuild", Some("swt_reader")).await.0, 403);
    let (status, done) = post(&service, "/api/builds/1/cancel", Some("swt_writer")).await;
    assert_eq!(
        (status, done["error"].as_str()),
        (409, Some("build 1 has already ended (passed)"))
    );
    let (status, done) = post(&service, "/api/builds/1/rebuild", Some("swt_writer")).await;
    assert_eq!((status, &done["build"]), (200, &Value::from(2)));
    house
        .wait(2, "its start", |record| record.build.state == BuildState::Running)
        .await;
    assert_eq!(post(&service, "/api/builds/2/cancel", Some("swt_writer")).await.0, 200);
    let record = house.end(2).await;
    assert_eq!(
        (record.build.state, record.ended_by.as_deref()),
        (BuildState::Cancelled, Some("writer"))
    );
    assert_eq!(record.requested_by.as_deref(), Some("writer"));

    // A delivery can be looked at and interpreted again, which changes nothing.
    let (_, list) = get(&service, "/api/deliveries").await;
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let id = list["deliveries"][0]["id"].as_str().expect("an id");
    assert!(
        !get(&service, &format!("/api/deliveries/{id}"))
            .await
            .1
            .contains(crate::house::HOOK_SECRET)
    );
    assert_eq!(
        post(&service, &format!("/api/deliveries/{id}/replay"), Some("swt_writer"))
            .await
            .0,
        200
    );
    house.is_clean().await;
    assert!(house.record(3).await.is_none());
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn reading_can_be_closed() {
    let mut house = House::build().await;
    house.set("server.public_read", "false");
    tokens::create(&house.pool, "reader", "swt_reader", Role::Viewer)
        .await
        .expect("made");
    let service = house.serve("worker", &[]).await;
    assert_eq!(get(&service, "/api/builds").await.0, 401);
    assert!(get(&service, "/").await.1.contains("Sign in"));
    assert_eq!(get(&service, "/healthz").await.0, 200);
    let with_token = reqwest::Client::new()
        .get(format!("{}/api/builds", service.url))
        .bearer_auth("swt_reader");
    assert_eq!(with_token.send().await.expect("an answer").status(), 200);
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn a_fork_builds_nothing_until_somebody_says_so() {
    let house = House::build().await;
    tokens::create(&house.pool, "writer", "swt_writer", Role::Platform)
        .await
        .expect("made");
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/quick", "notests").await;
    let fork = OpenMr {
        fork: Some("stranger/quick".to_owned()),
        ..OpenMr::default()
    };
    let mr = house
        .gitlab
        .open_mr(&project.path, "gift", &[("A.md", "a")], fork)
        .await
        .expect("a merge request");
    house.deliver(&service, &mr, Event::Open).await;
    let record = house.wait(1, "its row", |_| true).await;
    assert_eq!(record.build.state, BuildState::AwaitingApproval);
    let (status, _) = post(&service, "/api/builds/1/approve", Some("swt_writer")).await;
    assert_eq!(status, 200);
    assert_eq!(house.passes(1).await.approved_by.as_deref(), Some("writer"));
    house.push(&service, &mr, &[("A.md", "b")], "Second").await;
    let record = house.wait(2, "its row", |_| true).await;
    assert_eq!(
        record.build.state,
        BuildState::AwaitingApproval,
        "a push voids the approval"
    );
    assert_eq!(record.build.id, BuildId(2));
    house.close().await;
    drop(service);
}
