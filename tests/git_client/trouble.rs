//! Servers that refuse, fail, or say nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use seaworthy::clients::git::{Git, GitErrorKind, GitOptions};
use tokio_util::sync::CancellationToken;

use super::server::TOKEN;
use super::{PROJECT, World, client, fetch};

#[tokio::test]
async fn a_refused_token_is_tried_once_and_shown_nowhere() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    let wrong = client(world.dir.path(), &world.server.url, "canary-wrong-77");
    let error = fetch(&wrong, "shop/basket", "main").await.expect_err("refused");
    assert_eq!(error.kind(), GitErrorKind::Refused);
    assert_eq!(world.server.seen.requests.load(Ordering::SeqCst), 1);
    assert_eq!(world.server.seen.refused.load(Ordering::SeqCst), 1);
    assert!(error.to_string().contains("check gitlab.token"), "{error}");
    let shown = format!("{error} {error:?} {wrong:?} {:?}", world.git);
    assert!(!shown.contains("canary-wrong"), "{shown}");

    // Both clients live in one process, each with its own token.
    world
        .fetch()
        .await
        .expect("the right token is not spoilt by the wrong one");
    let config = std::fs::read_to_string(world.mirror("config")).expect("a mirror");
    assert!(!config.contains(TOKEN) && !format!("{:?}", world.git).contains(TOKEN));
}

#[tokio::test]
async fn each_trouble_says_where_and_what_to_do() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    for (project, kind, words) in [
        ("shop/nothing", GitErrorKind::NotFound, "knows no such project"),
        ("broken/basket", GitErrorKind::Unreachable, "HTTP 502"),
        ("page/basket", GitErrorKind::Unreachable, "not Git's"),
        (
            "elsewhere/basket",
            GitErrorKind::Unreachable,
            "redirects to http://other.invalid",
        ),
    ] {
        let error = fetch(&world.git, project, "main").await.expect_err("no such luck");
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(text.contains(words), "{text}");
        assert!(text.contains(&format!("{}/{project}.git", world.server.url)), "{text}");
        assert!(!format!("{error:?}").contains(TOKEN), "{error:?}");
    }
    for branch in ["nothing", "main:refs/heads/x", "*", "a b", ""] {
        let error = fetch(&world.git, "shop/basket", branch).await.expect_err("no branch");
        assert_eq!(error.kind(), GitErrorKind::NotFound, "{error}");
    }

    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address")
    };
    let down = client(world.dir.path(), &format!("http://{port}"), TOKEN);
    let error = fetch(&down, "shop/basket", "main").await.expect_err("down");
    assert_eq!(error.kind(), GitErrorKind::Unreachable);
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_silent_server_is_left_at_the_time_limit() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    world.server.seen.mute.store(true, Ordering::SeqCst);
    let options = GitOptions {
        mirrors: world.dir.path().join("mirrors"),
        username: "seaworthy".to_owned(),
        token: TOKEN.into(),
        base_url: world.server.url.clone(),
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_millis(200),
    };
    let git = Git::new(options, reqwest::Client::builder()).expect("a client");
    let error = fetch(&git, "shop/basket", "main").await.expect_err("silence");
    assert_eq!(error.kind(), GitErrorKind::Unreachable);
    assert!(error.to_string().contains("kept silent"), "{error}");
}

#[tokio::test]
async fn cancelling_does_not_wait_for_a_silent_server() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    world.server.seen.mute.store(true, Ordering::SeqCst);
    let stop = CancellationToken::new();
    let (git, token) = (world.git.clone(), stop.clone());
    let running = tokio::spawn(async move {
        let project = "shop/basket".parse().expect("a path");
        git.fetch(&project, PROJECT, Some(7), "main", &token, |_| {}).await
    });
    world.server.seen.muted.notified().await;
    stop.cancel();
    let limit = Duration::from_secs(2);
    let ended = tokio::time::timeout(limit, running).await.expect("at once");
    assert_eq!(
        ended.expect("no panic").expect_err("cancelled").kind(),
        GitErrorKind::Cancelled
    );

    // A dropped future lets go as well: else the lock would keep the next one out.
    let (git, seen) = (world.git.clone(), Arc::clone(&world.server.seen));
    tokio::select! {
        _ = fetch(&git, "shop/basket", "main") => panic!("the server is silent"),
        () = seen.muted.notified() => {}
    }
    world.server.seen.mute.store(false, Ordering::SeqCst);
    let next = tokio::time::timeout(limit * 5, world.fetch())
        .await
        .expect("the lock is free");
    next.expect("fetched");
}

#[tokio::test]
async fn the_check_names_the_library() {
    let world = World::start().await;
    let version = world.git.check().await.expect("checked");
    assert!(version.starts_with("libgit2 1."), "{version}");
}
