//! A registry that lies, breaks off and forgets: each fault is put between us and a real registry.

use std::time::{Duration, Instant};

use seaworthy::clients::registry::{Arrival, Copied, RegistryErrorKind as Kind};
use seaworthy::model::Digest;
use world::registry::Registry as Server;

use super::image::{MB, OCI, Pusher, client, copy, intact, server, to};
use super::proxy::{Fault, Proxy, Times, answer};

/// Larger than a chunk of 64 MiB, so that it goes in two.
const LARGE: usize = 72 * MB;

/// A real registry with an image, and an empty one.
struct Pair {
    from: Server,
    there: Server,
    digest: Digest,
}

impl Pair {
    async fn new(seed: u64, sizes: &[usize]) -> Self {
        let (from, there) = (server(None).await, server(None).await);
        let digest = Pusher::new(&from, "app").image(OCI, seed, sizes).await;
        Self { from, there, digest }
    }

    /// Copies from one address to another.
    async fn copy(&self, from: &str, there: &str) -> Arrival {
        let client = client(&[from, there], &[]);
        let source = format!("{from}/app@{}", self.digest);
        copy(&client, &source, &[to(there, "app", "1")]).await.0.remove(0)
    }

    async fn arrived(&self, arrival: &Arrival) -> Copied {
        let copied = arrival.result.clone().expect("it arrives");
        assert_eq!(
            intact(&self.there.address, "app", self.digest.as_str()).await as u64,
            copied.blobs + 1
        );
        assert_eq!(
            self.there.digest("app", "1").await.expect("an answer"),
            Some(self.digest.to_string())
        );
        copied
    }

    async fn has_no_tag(&self) {
        assert_eq!(self.there.digest("app", "1").await.expect("an answer"), None);
    }
}

#[tokio::test]
async fn a_wrong_digest_in_a_header_ends_it_before_the_tag() {
    let pair = Pair::new(201, &[1000]).await;
    let wrong = Digest::of(b"wrong").to_string();
    let liar = Proxy::start(&pair.there.address, move |parts| {
        match parts.method == "HEAD" && parts.uri.path().contains("/manifests/sha256:") {
            true => Fault::Header("docker-content-digest", wrong.clone()),
            false => Fault::Pass,
        }
    })
    .await;
    let arrival = pair.copy(&pair.from.address, &liar.address).await;
    let error = arrival.result.expect_err("it lies");
    assert_eq!(error.kind(), Kind::Mismatch, "{error}");
    assert!(error.to_string().contains("not to be trusted"), "{error}");
    pair.has_no_tag().await;
}

#[tokio::test]
async fn other_bytes_read_back_end_it_before_the_tag() {
    let pair = Pair::new(202, &[1000]).await;
    let liar = Proxy::start(&pair.there.address, |parts| {
        match parts.method == "GET" && parts.uri.path().contains("/manifests/sha256:") {
            true => Fault::Body(b"{\"schemaVersion\": 2}".to_vec()),
            false => Fault::Pass,
        }
    })
    .await;
    let error = pair
        .copy(&pair.from.address, &liar.address)
        .await
        .result
        .expect_err("it lies");
    assert_eq!(error.kind(), Kind::Mismatch, "{error}");
    pair.has_no_tag().await;
}

#[tokio::test]
async fn a_blob_that_breaks_off_is_read_on_from_there() {
    let pair = Pair::new(203, &[8 * MB]).await;
    let times = Times::new(3);
    let breaking = Proxy::start(&pair.from.address, move |parts| {
        let large = parts.uri.path().contains("/blobs/") && times.take();
        if large {
            Fault::CutAnswer(3 * MB as u64)
        } else {
            Fault::Pass
        }
    })
    .await;
    let counted = Proxy::start(&pair.there.address, |_| Fault::Pass).await;
    let copied = pair
        .arrived(&pair.copy(&breaking.address, &counted.address).await)
        .await;
    // What had arrived was not sent again.
    assert!(copied.bytes_sent < 8 * MB as u64 + 1000, "{copied:?}");
    assert_eq!(counted.count("PUT", "/blobs/"), 2, "{:?}", counted.passed());
}

#[tokio::test]
async fn a_blob_of_other_bytes_goes_nowhere() {
    for (seed, body) in [(204, vec![7; 5000]), (205, vec![7; 4000]), (206, vec![7; 6000])] {
        let pair = Pair::new(seed, &[5000]).await;
        let layer = Digest::of(&super::image::noise(seed * 1000, 5000));
        let liar = {
            let layer = layer.to_string();
            Proxy::start(&pair.from.address, move |parts| {
                match parts.uri.path().contains(&layer) {
                    true => Fault::Body(body.clone()),
                    false => Fault::Pass,
                }
            })
            .await
        };
        let error = pair
            .copy(&liar.address, &pair.there.address)
            .await
            .result
            .expect_err("it lies");
        assert_eq!(error.kind(), Kind::Mismatch, "{error}");
        assert!(error.to_string().contains(layer.as_str()), "{error}");
        pair.has_no_tag().await;
        let held = format!("http://{}/v2/app/blobs/{layer}", pair.there.address);
        assert_eq!(reqwest::get(held).await.expect("an answer").status(), 404);
    }
}

#[tokio::test]
async fn a_mount_that_is_not_granted_becomes_an_upload() {
    let one = server(None).await;
    let digest = Pusher::new(&one, "qa/app").image(OCI, 207, &[2 * MB, 1000]).await;
    for (repository, status) in [("a/app", 202), ("b/app", 401), ("c/app", 403)] {
        let proxy = Proxy::start(&one.address, move |parts| {
            let mount = parts.uri.query().is_some_and(|query| query.contains("mount="));
            match (mount, status) {
                (true, 202) => Fault::Path(parts.uri.path().to_owned()),
                (true, _) => answer(status, &[], ""),
                (false, _) => Fault::Pass,
            }
        })
        .await;
        let client = client(&[&proxy.address], &[]);
        let source = format!("{}/qa/app@{digest}", proxy.address);
        let (arrivals, _) = copy(&client, &source, &[to(&proxy.address, repository, "1")]).await;
        let copied = arrivals[0].result.as_ref().expect("it arrives");
        assert_eq!(copied.bytes_mounted, 0);
        assert!(copied.bytes_sent > 2 * MB as u64, "{copied:?}");
        assert_eq!(intact(&one.address, repository, "1").await, 4);
        // The upload that was opened instead of the mount is the one that is used.
        let opened = proxy.count("POST", "/uploads/");
        assert_eq!(opened, if status == 202 { 3 } else { 6 }, "{:?}", proxy.passed());
    }
}

#[tokio::test]
async fn after_416_the_registry_is_asked_how_far_it_is() {
    let pair = Pair::new(208, &[LARGE]).await;
    let (chunks, times) = (Times::new(1), Times::new(1));
    let proxy = Proxy::start(&pair.there.address, move |parts| {
        // The second chunk is refused once.
        match parts.method == "PATCH" && !chunks.take() && times.take() {
            true => answer(416, &[], ""),
            false => Fault::Pass,
        }
    })
    .await;
    let copied = pair.arrived(&pair.copy(&pair.from.address, &proxy.address).await).await;
    assert_eq!(proxy.count("GET", "/blobs/uploads/"), 1);
    assert_eq!(
        proxy.count("POST", "/blobs/uploads/"),
        2,
        "one upload for each blob: {:?}",
        proxy.passed()
    );
    // The chunk that was refused is sent again and nothing else.
    assert!(copied.bytes_sent <= (LARGE + 16 * MB) as u64 + 1000, "{copied:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_in_a_chunk_is_taken_up_again() {
    // Once before the registry has seen a byte of the chunk, once in its middle: then Debian's registry gives the upload up,
    // and it begins anew.
    for (seed, forward) in [(209, false), (210, true)] {
        let pair = Pair::new(seed, &[LARGE]).await;
        let (chunks, times) = (Times::new(1), Times::new(1));
        let proxy = Proxy::start(&pair.there.address, move |parts| {
            match parts.method == "PATCH" && !chunks.take() && times.take() {
                true => Fault::CutRequest {
                    after: 5 * MB as u64,
                    forward,
                },
                false => Fault::Pass,
            }
        })
        .await;
        let copied = pair.arrived(&pair.copy(&pair.from.address, &proxy.address).await).await;
        let uploads = proxy.count("POST", "/blobs/uploads/");
        let (begun, sent) = if forward { (3, 2 * LARGE) } else { (2, LARGE + 16 * MB) };
        assert_eq!(uploads, begun, "{:?}", proxy.passed());
        assert!(copied.bytes_sent <= sent as u64 + 1000, "{copied:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_does_no_harm() {
    let pair = Pair::new(211, &[LARGE, 1000]).await;
    let (patch, blob, manifest, tag) = (Times::new(1), Times::new(1), Times::new(1), Times::new(1));
    let proxy = Proxy::start(&pair.there.address, move |parts| {
        let path = parts.uri.path();
        let lost = match parts.method.as_str() {
            "PATCH" => patch.take(),
            "PUT" if path.contains("/blobs/") => blob.take(),
            "PUT" if path.contains("/manifests/sha256") => manifest.take(),
            "PUT" => tag.take(),
            _ => false,
        };
        if lost { Fault::LoseAnswer } else { Fault::Pass }
    })
    .await;
    pair.arrived(&pair.copy(&pair.from.address, &proxy.address).await).await;
}

#[tokio::test]
async fn too_many_requests_wait_as_long_as_the_registry_wishes() {
    let pair = Pair::new(212, &[LARGE, 1000]).await;
    let (manifest, open, chunk) = (Times::new(1), Times::new(1), Times::new(1));
    let limited = Proxy::start(&pair.from.address, move |parts| {
        match parts.uri.path().contains("/manifests/") && manifest.take() {
            true => {
                let at = chrono::Utc::now() + chrono::TimeDelta::seconds(3);
                answer(
                    429,
                    &[("retry-after", &at.format("%a, %d %b %Y %H:%M:%S GMT").to_string())],
                    "",
                )
            }
            false => Fault::Pass,
        }
    })
    .await;
    let proxy = Proxy::start(&pair.there.address, move |parts| {
        match (parts.method.as_str() == "POST" && open.take()) || (parts.method.as_str() == "PATCH" && chunk.take()) {
            true => answer(429, &[("retry-after", "2")], ""),
            false => Fault::Pass,
        }
    })
    .await;
    let began = Instant::now();
    pair.arrived(&pair.copy(&limited.address, &proxy.address).await).await;
    // Two to three seconds, and twice two, of which the two may be at the same time.
    assert!(began.elapsed() >= Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(limited.count("GET", &format!("/manifests/{}", pair.digest)), 2);
}

#[tokio::test]
async fn errors_of_the_server_are_tried_again() {
    let pair = Pair::new(213, &[LARGE, 1000]).await;
    let faults = || {
        let (get, head, post, patch, put, manifest) = (
            Times::new(2),
            Times::new(1),
            Times::new(1),
            Times::new(1),
            Times::new(1),
            Times::new(1),
        );
        move |parts: &axum::http::request::Parts| {
            let path = parts.uri.path();
            let code = match parts.method.as_str() {
                "GET" if path.contains("/blobs/sha256") && get.take() => 502,
                "HEAD" if head.take() => 503,
                "POST" if post.take() => 500,
                "PATCH" if patch.take() => 500,
                "PUT" if path.contains("/manifests/") && manifest.take() => 504,
                "PUT" if put.take() => 503,
                _ => return Fault::Pass,
            };
            answer(code, &[], "<html>oops</html>")
        }
    };
    let source = Proxy::start(&pair.from.address, faults()).await;
    let destination = Proxy::start(&pair.there.address, faults()).await;
    pair.arrived(&pair.copy(&source.address, &destination.address).await)
        .await;

    let always = Proxy::start(&pair.there.address, |parts| match parts.method.as_str() {
        "POST" => answer(
            500,
            &[],
            r#"{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"the disk is ill"}]}"#,
        ),
        _ => Fault::Pass,
    })
    .await;
    let client = client(&[&source.address, &always.address], &[]);
    let name = format!("{}/app@{}", source.address, pair.digest);
    let (arrivals, _) = copy(&client, &name, &[to(&always.address, "other", "1")]).await;
    let error = arrivals[0].result.as_ref().expect_err("it never works");
    assert!(
        error.is_transient() && error.to_string().contains("the disk is ill"),
        "{error}"
    );
}

#[tokio::test]
async fn credentials_do_not_follow_to_another_host() {
    let login = Some(("ci", "canary~right"));
    let (from, there) = (server(login).await, server(login).await);
    let digest = Pusher::new(&from, "app").image(OCI, 214, &[LARGE, 5000]).await;
    // The storage behind each registry: it takes and gives blobs, and must be asked without credentials; to the registry
    // behind it they are added here.
    let basic = "Basic Y2k6Y2FuYXJ5fnJpZ2h0";
    let behind_from = Proxy::start_as(&from.address, Some(basic), |_| Fault::Pass).await;
    let behind_there = Proxy::start_as(&there.address, Some(basic), |_| Fault::Pass).await;
    let storage = behind_from.address.clone();
    let source = Proxy::start(&from.address, move |parts| match parts.uri.path().contains("/blobs/") {
        true => answer(307, &[("location", &format!("http://{storage}{}", parts.uri))], ""),
        false => Fault::Pass,
    })
    .await;
    // The Location of an upload names the host that was asked, so the other one is told to ask for it.
    let elsewhere = behind_there.address.clone();
    let destination = Proxy::start(&there.address, move |parts| match parts.method.as_str() {
        "POST" => Fault::Host(elsewhere.clone()),
        _ => Fault::Pass,
    })
    .await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    let auth = serde_json::json!({"username": "ci", "password": "canary~right"});
    let auths = serde_json::json!({"auths": {&source.address: auth, &destination.address: auth}});
    std::fs::write(file.path(), auths.to_string()).expect("written");
    let client = client(
        &[&source.address, &destination.address],
        &[("registries_accounts_file", file.path().display().to_string())],
    );
    let name = format!("{}/app@{digest}", source.address);
    let (arrivals, _) = copy(&client, &name, &[to(&destination.address, "app", "1")]).await;
    arrivals[0].result.as_ref().expect("it arrives");
    assert_eq!(
        there.digest("app", "1").await.expect("an answer"),
        Some(digest.to_string())
    );
    for (host, near, method) in [(&behind_from, &source, "GET"), (&behind_there, &destination, "PATCH")] {
        assert!(host.count(method, "") > 0, "{method} did not go to the other host");
        assert!(
            host.passed().iter().all(|one| one.authorization.is_none()),
            "{:?}",
            host.passed()
        );
        assert!(
            near.passed()
                .iter()
                .any(|one| one.authorization.as_deref() == Some(basic))
        );
    }
}
