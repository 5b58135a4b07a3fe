//! `POST /hooks/gitlab`: who is let in, what is stored, and what happens while the database is away.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::{StatusCode, header};
use seaworthy::store;
use seaworthy::webhook::{self, Hooks};
use secrecy::SecretString;
use tokio::net::{TcpListener, TcpStream};

use crate::hooks::{Desk, MAX_BODY, SECRET, delivery_of, fixture, post, settings};

#[tokio::test]
async fn a_delivery_is_stored_as_it_came_without_its_secret() {
    let desk = Desk::open().await;
    let body = fixture("01-open.json");
    let headers = [
        ("x-gitlab-event", "Merge Request Hook"),
        ("x-gitlab-instance", "https://gitlab.example.com"),
        ("authorization", "Basic canary"),
    ];
    let answer = post(&desk.router, &headers, body.clone()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let id = delivery_of(&answer);
    let address = format!("https://ci.example.com/api/deliveries/{id}");
    assert_eq!(answer.body["address"], address);
    assert_eq!(answer.headers[header::LOCATION], address);
    assert_eq!(desk.woken.load(Ordering::SeqCst), 1);

    let stored = desk.stored(id).await;
    assert_eq!(stored.body, body);
    assert_eq!(stored.event.as_deref(), Some("Merge Request Hook"));
    assert_eq!(stored.headers["x-gitlab-instance"], "https://gitlab.example.com");
    let kept = stored.headers.to_string();
    assert!(!kept.contains(SECRET) && !kept.contains("canary"), "{kept}");
    assert_eq!(stored.decision, None);
    desk.close().await;
}

#[tokio::test]
async fn a_stranger_gets_401_and_leaves_no_row() {
    let desk = Desk::open().await;
    for token in ["wrong", "", "a-secret-of-the-tesT"] {
        let answer = post(&desk.router, &[("x-gitlab-token", token)], fixture("01-open.json")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.body["error"].is_string());
    }
    // Not even the size of a stranger's body is looked at.
    let answer = post(&desk.router, &[("x-gitlab-token", "wrong")], vec![b' '; MAX_BODY + 1]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(desk.count("select count(*) from delivery").await, 0);
    assert_eq!(desk.count("select count(*) from job").await, 0);
    assert_eq!(desk.woken.load(Ordering::SeqCst), 0);
    desk.close().await;
}

#[tokio::test]
async fn a_body_may_be_as_large_as_is_said_and_no_larger() {
    let desk = Desk::open().await;
    let answer = post(&desk.router, &[], vec![b' '; MAX_BODY]).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let length = (MAX_BODY + 1).to_string();
    for headers in [&[][..], &[("content-length", length.as_str())]] {
        let answer = post(&desk.router, headers, vec![b' '; MAX_BODY + 1]).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        let error = answer.body["error"].as_str().expect("an error");
        assert!(error.contains("webhook.max_body"), "{error}");
    }
    assert_eq!(desk.count("select count(*) from delivery").await, 1);
    desk.close().await;
}

#[tokio::test]
async fn nonsense_is_stored_and_ignored_with_its_place() {
    let desk = Desk::open().await;
    for (body, reason) in [
        (&br#"{"a"!"#[..], "not JSON at line 1 column 5: expected `:`"),
        (b"", "not readable: an empty body"),
        (b"[]", "not readable: JSON, but not an object"),
        (b"object_kind=push&x=%00", "not JSON at line 1 column 1: expected value"),
        (b"\x00\xff", "not JSON at line 1 column 1: expected value"),
        (
            br#"{"object_kind":"\u0000"}"#,
            "not readable: JSON without object_kind: not an event of GitLab",
        ),
    ] {
        let answer = post(&desk.router, &[("content-type", "text/plain")], body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        desk.work().await;
        let stored = desk.stored(delivery_of(&answer)).await;
        assert_eq!(stored.decision.as_deref(), Some("ignored"));
        assert_eq!(stored.reason.as_deref(), Some(reason));
        assert_eq!(stored.body, body);
    }
    desk.close().await;
}

#[tokio::test]
async fn a_signed_delivery_is_let_in_by_its_signature_alone() {
    let desk = Desk::open().await;
    let mut settings = settings();
    settings.signing_keys = vec![SecretString::from("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")];
    settings.signature_tolerance = Duration::from_secs(u64::MAX);
    let router = webhook::routes(Arc::new(Hooks::new(
        desk.pool.clone(),
        settings,
        "https://ci.example.com",
        || (),
    )));
    let body = br#"{"object_kind":"merge_request"}"#;
    let id = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f";
    let right = "v1,Yf7S/xy0a0e1FJjPF7MMuiZMQuHrwUb0jZmhALrhpbU=";
    let signed = |signature| {
        [
            ("webhook-id", id),
            ("webhook-timestamp", "1760000000"),
            ("webhook-signature", signature),
        ]
    };
    // The right secret token does not help a wrong signature.
    let refused = post(&router, &signed("v1,AAAA"), &body[..]).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let mut headers = signed(right).to_vec();
    headers.push(("x-gitlab-token", "no secret of ours"));
    let answer = post(&router, &headers, &body[..]).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(desk.stored(delivery_of(&answer)).await.key.as_deref(), Some(id));
    desk.close().await;
}

#[tokio::test]
async fn deliveries_that_come_together_keep_their_keys_and_one_that_is_refused_keeps_none_out() {
    let desk = Desk::open().await;
    for statement in [
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$",
        "create trigger refuse before insert on delivery for each row when (new.event = 'Poison') execute function refuse()",
    ] {
        sqlx::query(statement).execute(&desk.pool).await.expect("a trigger");
    }
    let mut hooks = Hooks::new(desk.pool.clone(), settings(), "https://ci.example.com", || ());
    hooks.patience = Duration::from_secs(2);
    let router = &webhook::routes(Arc::new(hooks));
    // Thirty deliveries of ten keys, thirty without a key, and the one that the database refuses.
    let sent = (0..61).map(async |number| {
        let key = format!("key-{}", number % 10);
        let event = if number == 60 { "Poison" } else { "Push Hook" };
        let mut headers = vec![("x-gitlab-event", event)];
        if number < 30 {
            headers.push(("idempotency-key", &*key));
        }
        post(router, &headers, b"{}".to_vec()).await
    });
    let mut answers = futures_util::future::join_all(sent).await;
    let refused = answers.pop().expect("the last");
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    let ids: Vec<_> = answers.iter().map(delivery_of).collect();
    for (number, id) in ids.iter().enumerate().take(30) {
        assert_eq!(*id, ids[number % 10], "a key has one delivery");
        let key = format!("key-{}", number % 10);
        assert_eq!(desk.stored(*id).await.key, Some(key));
    }
    assert_eq!(desk.count("select count(*) from delivery").await, 40);
    assert_eq!(desk.count("select count(distinct received_at) from delivery").await, 40);
    let orphans = "select count(*) from delivery d full join job j on j.subject = d.id::text \
                   where d.id is null or j.id is null";
    assert_eq!(desk.count(orphans).await, 0);
    desk.close().await;
}

#[tokio::test]
async fn while_the_database_is_away_a_delivery_is_held_and_at_last_refused() {
    let desk = Desk::open().await;
    let url = |port| SecretString::from(format!("postgres://postgres@127.0.0.1:{port}/{}", desk.name()));
    let hooks = |port, patience| {
        let pool = store::connect(&url(port), 2).expect("a URL of Postgres");
        let mut hooks = Hooks::new(pool, settings(), "https://ci.example.com", || ());
        hooks.patience = patience;
        webhook::routes(Arc::new(hooks))
    };

    // Nobody answers.
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = closed.local_addr().expect("an address").port();
    drop(closed);
    let answer = post(&hooks(port, Duration::from_millis(500)), &[], fixture("01-open.json")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key(header::RETRY_AFTER));

    // The first connection is never answered, the next two are cut off, the fourth goes through.
    let door = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = door.local_addr().expect("an address").port();
    let postgres = desk.port();
    let guard = tokio::spawn(async move {
        let (_silent, _) = door.accept().await.expect("a connection");
        let mut refused = 0;
        loop {
            let (mut client, _) = door.accept().await.expect("a connection");
            if refused < 2 {
                refused += 1;
                continue;
            }
            let mut server = TcpStream::connect(("127.0.0.1", postgres)).await.expect("Postgres");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    let answer = post(&hooks(port, Duration::from_secs(8)), &[], fixture("01-open.json")).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(desk.count("select count(*) from delivery").await, 1);
    guard.abort();
    desk.close().await;
}
