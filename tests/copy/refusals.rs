//! What stops a copy, and what is said then.

use seaworthy::clients::registry::RegistryErrorKind as Kind;
use tokio_util::sync::CancellationToken;

use super::image::{MB, OCI, Pusher, client, copy, manifest, server, to};
use super::proxy::{Fault, Proxy, answer};

#[tokio::test]
async fn a_tag_of_another_image_is_never_overwritten() {
    let (from, there) = (server(None).await, server(None).await);
    let pusher = Pusher::new(&from, "app");
    let (first, second) = (
        pusher.image(OCI, 101, &[1000]).await,
        pusher.image(OCI, 102, &[1000]).await,
    );
    let counted = Proxy::start(&there.address, |_| Fault::Pass).await;
    let client = client(&[&from.address, &counted.address], &[]);
    let destination = [to(&counted.address, "app", "1")];
    let source = |digest| format!("{}/app@{digest}", from.address);
    let (arrivals, _) = copy(&client, &source(&first), &destination).await;
    arrivals[0].result.as_ref().expect("it arrives");
    let before = counted.up();

    let (arrivals, _) = copy(&client, &source(&second), &destination).await;
    let error = arrivals[0].result.as_ref().expect_err("the tag is taken");
    assert_eq!(error.kind(), Kind::Occupied);
    let text = error.to_string();
    assert!(
        text.contains(first.as_str()) && text.contains(second.as_str()) && text.contains("Choose another tag"),
        "{text}"
    );
    assert_eq!(counted.up(), before, "it is seen before anything is sent");
    assert_eq!(
        there.digest("app", "1").await.expect("an answer"),
        Some(first.to_string())
    );
}

#[tokio::test]
async fn a_tag_that_comes_while_it_is_copied_is_not_overwritten_either() {
    let (from, there) = (server(None).await, server(None).await);
    let digest = Pusher::new(&from, "app").image(OCI, 103, &[1000]).await;
    let theirs = Pusher::new(&there, "app").image(OCI, 104, &[1000]).await;
    let bytes = manifest(&there.address, "app", theirs.as_str())
        .await
        .expect("a manifest");
    let (address, done) = (there.address.clone(), super::proxy::Times::new(1));
    let counted = Proxy::start(&there.address, move |parts| {
        // When our manifest is put by its digest, somebody else sets the tag.
        if parts.method == "PUT" && parts.uri.path().contains("/manifests/sha256:") && done.take() {
            let (address, bytes) = (address.clone(), bytes.clone());
            let put = async move {
                let put = reqwest::Client::new().put(format!("http://{address}/v2/app/manifests/1"));
                let answer = put
                    .header("Content-Type", OCI)
                    .body(bytes)
                    .send()
                    .await
                    .expect("an answer");
                assert_eq!(answer.status(), 201);
            };
            std::thread::spawn(move || tokio::runtime::Runtime::new().expect("a runtime").block_on(put))
                .join()
                .expect("it is put");
        }
        Fault::Pass
    })
    .await;
    let client = client(&[&from.address, &counted.address], &[]);
    let source = format!("{}/app@{digest}", from.address);
    let (arrivals, _) = copy(&client, &source, &[to(&counted.address, "app", "1")]).await;
    let error = arrivals[0].result.as_ref().expect_err("the tag is taken");
    assert_eq!(error.kind(), Kind::Occupied, "{error}");
    assert_eq!(
        there.digest("app", "1").await.expect("an answer"),
        Some(theirs.to_string())
    );
}

#[tokio::test]
async fn each_refusal_of_a_registry_says_what_to_do() {
    let (from, locked) = (server(None).await, server(Some(("ci", "canary~right"))).await);
    let there = server(None).await;
    let digest = Pusher::new(&from, "app").image(OCI, 105, &[1000]).await;
    let full = Proxy::start(&there.address, |parts| match parts.method.as_str() {
        "POST" => answer(507, &[], ""),
        _ => Fault::Pass,
    })
    .await;
    let quota = Proxy::start(&there.address, |parts| match parts.method.as_str() {
        "PUT" => answer(
            403,
            &[],
            r#"{"errors":[{"code":"DENIED","message":"adding 1 MiB will exceed the configured quota"}]}"#,
        ),
        _ => Fault::Pass,
    })
    .await;
    let forbidden = Proxy::start(&there.address, |parts| match parts.method.as_str() {
        "POST" => answer(
            403,
            &[],
            r#"{"errors":[{"code":"DENIED","message":"requested access is denied"}]}"#,
        ),
        _ => Fault::Pass,
    })
    .await;
    let nowhere = Proxy::start(&there.address, |parts| match parts.method.as_str() {
        "POST" => answer(
            404,
            &[],
            r#"{"errors":[{"code":"NAME_UNKNOWN","message":"project not found"}]}"#,
        ),
        _ => Fault::Pass,
    })
    .await;
    let busy = Proxy::start(&there.address, |parts| match parts.method.as_str() {
        "POST" => answer(429, &[("retry-after", "0")], ""),
        _ => Fault::Pass,
    })
    .await;
    let hosts = [
        &from.address,
        &locked.address,
        &full.address,
        &quota.address,
        &forbidden.address,
        &nowhere.address,
        &busy.address,
    ];
    let client = client(&hosts.map(String::as_str), &[]);
    let source = format!("{}/app@{digest}", from.address);
    let cases = [
        (&locked.address, Kind::Refused, "accounts_file"),
        (&full.address, Kind::Full, "clean up there"),
        (&quota.address, Kind::Full, "raise the quota"),
        (&forbidden.address, Kind::Refused, "the right to pull and push"),
        (&nowhere.address, Kind::Missing, "is the name right"),
        (&busy.address, Kind::Unreachable, "asked too often"),
    ];
    let destinations: Vec<_> = cases.iter().map(|(host, ..)| to(host, "live/app", "1")).collect();
    let (arrivals, _) = copy(&client, &source, &destinations).await;
    for (arrival, (host, kind, advice)) in arrivals.iter().zip(cases) {
        let error = arrival.result.as_ref().expect_err(host);
        assert_eq!(error.kind(), kind, "{error}");
        let text = error.to_string();
        assert!(text.contains(advice) && text.contains(host.as_str()), "{text}");
    }
    assert_eq!(there.digest("live/app", "1").await.expect("an answer"), None);

    // The same at the source: an image, and then a blob, that is not there.
    let missing = format!("{}/app@sha256:{}", from.address, "0".repeat(64));
    let (arrivals, _) = copy(&client, &missing, &destinations[..1]).await;
    let error = arrivals[0].result.as_ref().expect_err("no such image");
    assert_eq!(error.kind(), Kind::Missing, "{error}");
    let holes = Proxy::start(&from.address, |parts| match parts.uri.path().contains("/blobs/") {
        true => answer(404, &[], ""),
        false => Fault::Pass,
    })
    .await;
    let client = super::image::client(&[&holes.address, &there.address], &[]);
    let (arrivals, _) = copy(
        &client,
        &format!("{}/app@{digest}", holes.address),
        &[to(&there.address, "a", "1")],
    )
    .await;
    let error = arrivals[0].result.as_ref().expect_err("no such blob");
    assert_eq!(error.kind(), Kind::Missing, "{error}");
    assert!(error.to_string().contains("Build the image again"), "{error}");
}

#[tokio::test]
async fn a_copy_that_is_stopped_ends_at_once_and_sets_no_tag() {
    let (from, there) = (server(None).await, server(None).await);
    let digest = Pusher::new(&from, "app").image(OCI, 106, &[4 * MB, 4 * MB]).await;
    let slow = Proxy::start(&there.address, |parts| match parts.method.as_str() {
        "PUT" => Fault::Slow(std::time::Duration::from_millis(200)),
        _ => Fault::Pass,
    })
    .await;
    let client = client(&[&from.address, &slow.address], &[]);
    let stop = CancellationToken::new();
    let when_it_moves = stop.clone();
    let observer = move |event| {
        if matches!(
            event,
            seaworthy::clients::registry::CopyEvent::Progress { sent: 1.., .. }
        ) {
            when_it_moves.cancel();
        }
    };
    let source = format!("{}/app@{digest}", from.address);
    let destinations = [to(&slow.address, "app", "1")];
    let copying = client.copy(&source, &destinations, &observer, &stop);
    let arrivals = tokio::time::timeout(std::time::Duration::from_secs(20), copying)
        .await
        .expect("it ends");
    let error = arrivals[0].result.as_ref().expect_err("it was stopped");
    assert_eq!(error.kind(), Kind::Stopped, "{error}");
    assert_eq!(there.digest("app", "1").await.expect("an answer"), None);
}
