//! Several destinations at once: each blob is read once, and nobody waits for the slow and the dead.

use std::time::{Duration, Instant};

use seaworthy::clients::registry::CopyEvent;
use tokio_util::sync::CancellationToken;

use super::image::{MB, OCI, Pusher, client, copy, intact, server, to};
use super::proxy::{Fault, Proxy};

#[tokio::test]
async fn each_blob_is_read_once_for_all_destinations() {
    let from = server(None).await;
    let digest = Pusher::new(&from, "app")
        .image(OCI, 301, &[20 * MB, 5 * MB, 5 * MB, 1000, 1000])
        .await;
    let counted = Proxy::start(&from.address, |_| Fault::Pass).await;
    let there = [server(None).await, server(None).await, server(None).await];
    let hosts: Vec<&str> = there
        .iter()
        .map(|server| server.address.as_str())
        .chain([counted.address.as_str()])
        .collect();
    let client = client(&hosts, &[]);
    let destinations = [0, 1, 2].map(|at| to(hosts[at], "app", "1"));
    let (arrivals, _) = copy(&client, &format!("{}/app@{digest}", counted.address), &destinations).await;
    for (arrival, server) in arrivals.iter().zip(&there) {
        let copied = arrival.result.as_ref().expect("it arrives");
        assert_eq!(copied.blobs, 6);
        assert_eq!(intact(&server.address, "app", "1").await, 7);
    }
    assert_eq!(counted.count("GET", "/blobs/"), 6, "{:?}", counted.passed());
}

#[tokio::test]
async fn a_dead_destination_keeps_nobody_back() {
    let from = server(None).await;
    let digest = Pusher::new(&from, "app").image(OCI, 302, &[5 * MB, 5 * MB, 1000]).await;
    let (one, two) = (server(None).await, server(None).await);
    // One that nobody listens at, and one that takes a connection and never says a word.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let hung = silent.local_addr().expect("its number").to_string();
    let dead = closed.local_addr().expect("its number").to_string();
    drop(closed);
    let hosts = [
        one.address.as_str(),
        &dead,
        two.address.as_str(),
        &hung,
        from.address.as_str(),
    ];
    let client = client(&hosts, &[]);
    let destinations = [0, 1, 2, 3].map(|at| to(hosts[at], "app", "1"));
    let stop = CancellationToken::new();
    let (began, ended) = (Instant::now(), std::sync::Mutex::new(Vec::new()));
    let enough = stop.clone();
    let observer = |event| {
        if let CopyEvent::Ended { destination, error } = event {
            let mut ended = ended.lock().expect("no panic");
            ended.push((destination, error.is_none(), began.elapsed()));
            // The silent one is not waited for.
            if ended.len() == 3 {
                enough.cancel();
            }
        }
    };
    let arrivals = client
        .copy(
            &format!("{}/app@{digest}", from.address),
            &destinations,
            &observer,
            &stop,
        )
        .await;
    let ended = ended.into_inner().expect("no panic");
    assert!(
        ended[..2].iter().all(|(at, well, _)| *well && (*at == 0 || *at == 2)),
        "{ended:?}"
    );
    assert!(ended[1].2 < Duration::from_secs(15), "{ended:?}");
    assert!(arrivals[0].result.is_ok() && arrivals[2].result.is_ok());
    let error = arrivals[1].result.as_ref().expect_err("nobody is there");
    assert!(error.is_transient() && error.to_string().contains(&dead), "{error}");
    assert!(arrivals[3].result.is_err());
}

#[tokio::test]
async fn a_slow_destination_keeps_nobody_back() {
    let from = server(None).await;
    let digest = Pusher::new(&from, "app")
        .image(OCI, 303, &[12 * MB, 12 * MB, 12 * MB, 1000])
        .await;
    let (quick, there) = (server(None).await, server(None).await);
    let slow = Proxy::start(&there.address, |parts| match parts.method.as_str() {
        "PUT" if parts.uri.path().contains("/blobs/") => Fault::Slow(Duration::from_millis(400)),
        _ => Fault::Pass,
    })
    .await;
    let client = client(&[&from.address, &quick.address, &slow.address], &[]);
    let destinations = [to(&slow.address, "app", "1"), to(&quick.address, "app", "1")];
    let (began, ended) = (Instant::now(), std::sync::Mutex::new(Vec::new()));
    let observer = |event| {
        if let CopyEvent::Ended { destination, .. } = event {
            ended.lock().expect("no panic").push((destination, began.elapsed()));
        }
    };
    let source = format!("{}/app@{digest}", from.address);
    let arrivals = client
        .copy(&source, &destinations, &observer, &CancellationToken::new())
        .await;
    for arrival in &arrivals {
        arrival.result.as_ref().expect("it arrives");
    }
    let ended = ended.into_inner().expect("no panic");
    let [(first, early), (_, late)] = ended[..] else {
        panic!("{ended:?}");
    };
    assert_eq!(first, 1, "{ended:?}");
    assert!(early * 2 < late, "the quick one waited for the slow one: {ended:?}");
    assert_eq!(intact(&there.address, "app", "1").await, 6);
}

#[tokio::test]
async fn uploads_are_opened_before_it_is_their_turn() {
    let from = server(None).await;
    let digest = Pusher::new(&from, "app").image(OCI, 304, &[2 * MB; 10]).await;
    // Two large blobs are read at once, and each takes its time; four more are handed out.
    let source = Proxy::start(&from.address, |parts| match parts.uri.path().contains("/blobs/") {
        true => Fault::SlowAnswer(Duration::from_millis(100)),
        false => Fault::Pass,
    })
    .await;
    let (one, two) = (server(None).await, server(None).await);
    let watched = Proxy::start(&one.address, |_| Fault::Pass).await;
    let client = client(&[&source.address, &watched.address, &two.address], &[]);
    let destinations = [to(&watched.address, "app", "1"), to(&two.address, "app", "1")];
    let (arrivals, _) = copy(&client, &format!("{}/app@{digest}", source.address), &destinations).await;
    for arrival in &arrivals {
        arrival.result.as_ref().expect("it arrives");
    }
    // Uploads that are open when the first, the second … one gets its bytes.
    let (mut open, mut at_puts) = (0, Vec::new());
    for one in watched
        .passed()
        .iter()
        .filter(|one| one.path.contains("/blobs/uploads/"))
    {
        match one.method.as_str() {
            "POST" => open += 1,
            _ => at_puts.push(open),
        }
    }
    assert_eq!((open, at_puts.len()), (11, 11), "{:?}", watched.passed());
    assert!(at_puts[1] <= 6 && at_puts[2] >= 6, "{at_puts:?}");
}
