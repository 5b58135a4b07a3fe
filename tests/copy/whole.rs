//! Everything that belongs to an image arrives, once, and nothing else is touched.

use std::collections::BTreeSet;
use std::sync::Mutex;

use seaworthy::clients::registry::{CopyEvent, RegistryErrorKind};
use seaworthy::model::Digest;
use serde_json::json;

use super::image::{DOCKER, INDEX, MB, OCI, Pusher, client, copy, intact, manifest, noise, server, to};
use super::proxy::{Fault, Proxy, answer};

#[tokio::test]
async fn an_image_arrives_byte_for_byte_and_a_second_copy_sends_nothing() {
    let (from, there) = (server(None).await, server(Some(("ci", "canary~right"))).await);
    for (kind, seed) in [(OCI, 1), (DOCKER, 2)] {
        let digest = Pusher::new(&from, "qa/app")
            .image(kind, seed, &[3 * MB, 40_000, 0])
            .await;
        let source = format!("{}/qa/app@{digest}", from.address);
        let file = tempfile::NamedTempFile::new().expect("a file");
        let auths = json!({"auths": {&there.address: {"username": "ci", "password": "canary~right"}}});
        std::fs::write(file.path(), auths.to_string()).expect("written");
        let accounts = [("registries_accounts_file", file.path().display().to_string())];
        let client = client(&[&from.address, &there.address], &accounts);
        let tag = format!("v{seed}");
        let destination = [to(&there.address, "live/app", &tag)];

        let (arrivals, events) = copy(&client, &source, &destination).await;
        let copied = arrivals[0].result.as_ref().expect("it arrives");
        assert_eq!((copied.blobs, copied.manifests, copied.tag_was_there), (4, 1, false));
        let all = copied.bytes_sent;
        assert!(all > 3 * MB as u64 && copied.bytes_present == 0, "{copied:?}");
        assert_eq!(
            there.digest("live/app", &tag).await.expect("an answer"),
            Some(digest.to_string())
        );
        let last = events.iter().rev().find_map(|event| match event {
            CopyEvent::Progress { done, total, sent, .. } => Some((*done, *total, *sent)),
            _ => None,
        });
        assert_eq!(last, Some((all, all, all)));
        assert!(
            matches!(events.last(), Some(CopyEvent::Ended { error: None, .. })),
            "{events:?}"
        );

        let (arrivals, _) = copy(&client, &source, &destination).await;
        let copied = arrivals[0].result.as_ref().expect("it is there");
        assert_eq!(
            (copied.bytes_sent, copied.bytes_present, copied.tag_was_there),
            (0, all, true)
        );
    }
}

#[tokio::test]
async fn all_platforms_and_all_that_lies_beside_them_arrive() {
    let (from, there) = (server(None).await, server(None).await);
    let pusher = Pusher::new(&from, "app");
    let amd = pusher.image(OCI, 11, &[MB]).await;
    let arm = pusher.image(DOCKER, 12, &[MB]).await;
    let inner = pusher.index(&[(DOCKER, arm.clone(), 1)]).await;
    let index = pusher.index(&[(OCI, amd.clone(), 1), (INDEX, inner.clone(), 1)]).await;
    // Beside a platform's image, a document; beside the document, another one. The registry lists nothing by itself, so
    // there are indexes under tags.
    let note = |subject: &Digest, seed: u64| {
        let subject = json!({"mediaType": OCI, "digest": subject, "size": 1});
        let pusher = &pusher;
        async move {
            let (layer, size) = pusher.blob(noise(seed, 5_000)).await;
            let layers = vec![json!({"mediaType": "application/vnd.example.note", "digest": layer, "size": size})];
            pusher.image_of(OCI, seed, layers, Some(subject)).await
        }
    };
    let list = |subject: &Digest, entry: &Digest| {
        let entries = [json!({"mediaType": OCI, "digest": entry, "size": 1})];
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        let tag = subject.as_str().replace(':', "-");
        let pusher = &pusher;
        async move { pusher.manifest(Some(&tag), INDEX, &index).await }
    };
    let first = note(&amd, 13).await;
    let second = note(&first, 14).await;
    list(&amd, &first).await;
    list(&first, &second).await;

    let client = client(&[&from.address, &there.address], &[]);
    let source = format!("{}/app@{index}", from.address);
    // Somebody has put another document beside the same image there: its entry stays.
    let stranger = Digest::of(b"stranger");
    let theirs = Pusher::new(&there, "app");
    let kept = theirs.image(OCI, 99, &[10]).await;
    let tag = amd.as_str().replace(':', "-");
    let entries =
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"mediaType": OCI, "digest": kept, "size": 1}]});
    theirs.manifest(Some(&tag), INDEX, &entries).await;

    let (arrivals, _) = copy(&client, &source, &[to(&there.address, "app", "1.0")]).await;
    let copied = arrivals[0].result.as_ref().expect("it arrives");
    assert_eq!(copied.manifests, 6, "{copied:?}");
    assert_eq!(
        manifest(&there.address, "app", "1.0").await,
        manifest(&from.address, "app", index.as_str()).await
    );
    // The two indexes, two images with a layer and a configuration each.
    assert_eq!(intact(&there.address, "app", index.as_str()).await, 2 + 2 + 4);
    for (subject, entries) in [(&amd, vec![&kept, &first]), (&first, vec![&second])] {
        let tag = subject.as_str().replace(':', "-");
        let listed = manifest(&there.address, "app", &tag).await.expect("a list");
        let text = String::from_utf8(listed).expect("a text");
        assert!(entries.iter().all(|entry| text.contains(entry.as_str())), "{text}");
        assert!(!text.contains(stranger.as_str()));
        let last = entries.last().expect("one");
        assert!(
            text.contains("application/vnd.example.note"),
            "the kind of the document is in the list: {text}"
        );
        assert_eq!(intact(&there.address, "app", last.as_str()).await, 3);
    }
}

#[tokio::test]
async fn referrers_are_read_from_a_registry_that_lists_them_by_itself() {
    let (from, there) = (server(None).await, server(None).await);
    let pusher = Pusher::new(&from, "app");
    let image = pusher.image(OCI, 21, &[1000]).await;
    let subject = json!({"mediaType": OCI, "digest": image, "size": 1});
    let (layer, size) = pusher.blob(noise(22, 500)).await;
    let layers = vec![json!({"mediaType": "application/vnd.example.note", "digest": layer, "size": size})];
    let note = pusher.image_of(OCI, 22, layers, Some(subject)).await;
    // The list comes in two pages, the first of them empty.
    let (wanted, entry) = (format!("/referrers/{image}"), note.clone());
    let lists = move |path: &str| {
        let list = |entries: serde_json::Value, headers: &[(&str, &str)]| {
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
            answer(200, headers, &index.to_string())
        };
        match path {
            path if path.ends_with("?page=2") => list(json!([{"mediaType": OCI, "digest": entry, "size": 1}]), &[]),
            path if path.contains(&wanted) => list(json!([]), &[("link", "<?page=2>; rel=\"next\"")]),
            path if path.contains("/referrers/") => list(json!([]), &[]),
            _ => Fault::Pass,
        }
    };
    let again = lists.clone();
    let source = Proxy::start(&from.address, move |parts| lists(&parts.uri.to_string())).await;
    let destination = Proxy::start(&there.address, move |parts| {
        // All of it on one page there, as the specification's own example does.
        let path = parts.uri.to_string();
        match path.contains("/referrers/") {
            true => again(&format!("{path}?page=2")),
            false => Fault::Pass,
        }
    })
    .await;
    let client = client(&[&source.address, &destination.address], &[]);
    let name = format!("{}/app@{image}", source.address);
    let (arrivals, _) = copy(&client, &name, &[to(&destination.address, "app", "1")]).await;
    assert_eq!(arrivals[0].result.as_ref().expect("it arrives").manifests, 2);
    assert_eq!(intact(&there.address, "app", note.as_str()).await, 3);
    // It lists them by itself, so there is no need for the index under a tag.
    assert_eq!(
        destination.count("GET", "/manifests/sha256-"),
        0,
        "{:?}",
        destination.passed()
    );
    assert_eq!(source.count("GET", "/manifests/sha256-"), 0);
}

#[tokio::test]
async fn the_same_registry_takes_its_own_blobs_over() {
    let one = server(None).await;
    let digest = Pusher::new(&one, "qa/app").image(OCI, 31, &[2 * MB, 1000]).await;
    let counted = Proxy::start(&one.address, |_| Fault::Pass).await;
    let client = client(&[&counted.address], &[]);
    let source = format!("{}/qa/app@{digest}", counted.address);
    let (arrivals, _) = copy(&client, &source, &[to(&counted.address, "live/app", "1")]).await;
    let copied = arrivals[0].result.as_ref().expect("it arrives");
    assert_eq!((copied.bytes_sent, copied.bytes_present), (0, 0), "{copied:?}");
    assert!(copied.bytes_mounted > 2 * MB as u64, "{copied:?}");
    assert_eq!(counted.count("GET", "/blobs/"), 0);
    assert_eq!(intact(&one.address, "live/app", "1").await, 4);
}

#[tokio::test]
async fn a_layer_that_is_fetched_from_elsewhere_is_no_concern_of_the_registry() {
    let (from, there) = (server(None).await, server(None).await);
    let pusher = Pusher::new(&from, "app");
    let (held, size) = pusher.blob(noise(41, 1000)).await;
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let absent = Digest::of(b"absent");
    let layers = vec![
        json!({"mediaType": foreign, "digest": held, "size": size, "urls": ["https://elsewhere.example/held"]}),
        json!({"mediaType": foreign, "digest": absent, "size": 7, "urls": ["https://elsewhere.example/absent"]}),
    ];
    let config = pusher.blob(b"{}".to_vec()).await;
    let image = json!({
        "schemaVersion": 2, "mediaType": DOCKER, "layers": layers,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": config.0, "size": config.1},
    });
    let bytes = image.to_string();
    let digest = Digest::of(bytes.as_bytes());
    // Debian's registry refuses manifests with addresses by default, so the proxies hold this one, under the names that it
    // was put under.
    let rule = move |held: &[&str]| {
        let (digest, bytes) = (digest.clone(), bytes.clone());
        let held: BTreeSet<String> = held.iter().map(|name| (*name).to_owned()).collect();
        let held = Mutex::new(held);
        move |parts: &axum::http::request::Parts| {
            let Some((_, name)) = parts.uri.path().split_once("/manifests/") else {
                return Fault::Pass;
            };
            let mut held = held.lock().expect("no panic");
            let known = [("docker-content-digest", digest.as_str()), ("content-type", DOCKER)];
            if parts.method == "PUT" {
                held.insert(name.to_owned());
                return answer(201, &known[..1], "");
            }
            match held.contains(name) {
                true => answer(200, &known, &bytes),
                false => answer(404, &[], ""),
            }
        }
    };
    let image = Digest::of(image.to_string().as_bytes());
    let source = Proxy::start(&from.address, rule(&[image.as_str()])).await;
    let destination = Proxy::start(&there.address, rule(&[])).await;
    let client = client(&[&source.address, &destination.address], &[]);
    let name = format!("{}/app@{image}", source.address);
    let (arrivals, _) = copy(&client, &name, &[to(&destination.address, "app", "1")]).await;
    let copied = arrivals[0].result.as_ref().expect("it arrives");
    // What the source holds is brought along.
    assert_eq!((copied.blobs, copied.bytes_sent), (2, 1002), "{copied:?}");
    assert_eq!(destination.count("PUT", "/manifests/"), 2, "by digest and by tag");
}

#[tokio::test]
async fn what_cannot_be_copied_with_its_digest_is_refused() {
    let (from, there) = (server(None).await, server(None).await);
    let old = r#"{"schemaVersion": 1, "name": "app", "tag": "1", "fsLayers": [], "history": []}"#;
    let digest = Digest::of(old.as_bytes());
    let source = Proxy::start(&from.address, |parts| match parts.uri.path().contains("/manifests/") {
        true => answer(
            200,
            &[(
                "content-type",
                "application/vnd.docker.distribution.manifest.v1+prettyjws",
            )],
            old,
        ),
        false => Fault::Pass,
    })
    .await;
    let client = client(&[&source.address, &there.address], &[]);
    let destination = [to(&there.address, "app", "1")];
    let (arrivals, _) = copy(&client, &format!("{}/app@{digest}", source.address), &destination).await;
    let error = arrivals[0].result.as_ref().expect_err("schema 1");
    assert_eq!(error.kind(), RegistryErrorKind::Unsupported);
    assert!(error.to_string().contains("schema 1"), "{error}");

    let (arrivals, _) = copy(&client, &format!("{}/app:latest", source.address), &destination).await;
    let error = arrivals[0].result.as_ref().expect_err("a tag");
    assert_eq!(error.kind(), RegistryErrorKind::Name);
    assert!(error.to_string().contains("by its digest"), "{error}");
}
