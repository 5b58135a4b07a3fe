//! Documents beside an image: on Debian's registry, which knows nothing of referrers, and on one that lists them.

use std::sync::{Arc, Mutex};

use seaworthy::model::Digest;
use serde_json::{Value, json};
use world::World;

use super::fake::{Fake, answer};
use super::registry::{client, server};

const KIND: &str = "application/vnd.cyclonedx+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[tokio::test]
async fn a_registry_without_the_interface_lists_documents_under_a_tag() {
    let world = World::attach();
    let (server, image) = server(&world).await;
    let client = client(&server.address, &server.user, &server.password);
    let digest = client.digest(&image).await.expect("an answer").expect("an image");
    let (name, _) = image.rsplit_once(':').expect("a tag");
    let pinned = format!("{name}@{digest}");
    assert_eq!(client.attached(&pinned, KIND).await.expect("an answer"), None);

    let document = br#"{"bomFormat":"CycloneDX"}"#;
    let first = client
        .attach(&pinned, KIND, "a.cdx.json", document)
        .await
        .expect("attached");
    let again = client
        .attach(&pinned, KIND, "a.cdx.json", document)
        .await
        .expect("attached");
    assert_eq!(first, again, "a document that is attached twice is one");
    let found = client.attached(&pinned, KIND).await.expect("an answer");
    assert_eq!(found.as_deref(), Some(&document[..]));

    // As anybody finds it who follows the specification.
    let repository = name
        .strip_prefix(&format!("{}/", server.address))
        .expect("a repository");
    let get = async |reference: &str, accept: &str| -> Value {
        let url = format!("http://{}/v2/{repository}/manifests/{reference}", server.address);
        let request = reqwest::Client::new().get(url).header("Accept", accept);
        let response = request
            .basic_auth(&server.user, Some(&server.password))
            .send()
            .await
            .expect("an answer");
        assert_eq!(response.status(), 200, "{reference}");
        response.json().await.expect("JSON")
    };
    let index = get(&digest.as_str().replace(':', "-"), INDEX).await;
    let entries = index["manifests"].as_array().expect("a list");
    assert_eq!(entries.len(), 1, "{index}");
    assert_eq!(
        (&entries[0]["digest"], &entries[0]["artifactType"]),
        (&json!(first), &json!(KIND))
    );
    let artifact = get(first.as_str(), "application/vnd.oci.image.manifest.v1+json").await;
    assert_eq!(
        (&artifact["subject"]["digest"], &artifact["artifactType"]),
        (&json!(digest), &json!(KIND))
    );
    assert_eq!(artifact["layers"][0]["digest"], json!(Digest::of(document)));

    // Another kind of document joins it and does not push it out.
    let other = client
        .attach(&pinned, "text/plain", "a.txt", b"seen")
        .await
        .expect("attached");
    let index = get(&digest.as_str().replace(':', "-"), INDEX).await;
    let listed: Vec<&Value> = index["manifests"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| &entry["digest"])
        .collect();
    assert_eq!(listed, [&json!(first), &json!(other)]);
    assert_eq!(
        client.attached(&pinned, KIND).await.expect("an answer").as_deref(),
        Some(&document[..])
    );

    let nothing = format!("{name}@{}", Digest::of(b"nothing"));
    assert!(
        client.attach(&nothing, KIND, "a", document).await.is_err(),
        "there is no such image"
    );
}

#[tokio::test]
async fn a_registry_with_the_interface_gets_no_tag() {
    let subject = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}).to_string();
    let digest = Digest::of(subject.as_bytes());
    let put: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&put);
    let pinned = digest.clone();
    let fake = Fake::start(move |seen| {
        let mut put = kept.lock().expect("no panic");
        let path = seen.path.split('?').next().unwrap_or_default();
        match path.rsplit('/').next().unwrap_or_default() {
            _ if path.contains("/referrers/") => {
                let entry = |body: &String| {
                    json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": body.len(),
                           "digest": Digest::of(body.as_bytes()), "artifactType": KIND})
                };
                let manifests: Vec<Value> = put.iter().map(entry).collect();
                let body = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string();
                answer(200, &[("Content-Type", INDEX)], body)
            }
            last if path.contains("/manifests/") && last == pinned.as_str() => {
                let kind = ("Content-Type", "application/vnd.oci.image.manifest.v1+json");
                answer(
                    200,
                    &[kind, ("Docker-Content-Digest", pinned.as_str())],
                    subject.clone(),
                )
            }
            last if path.contains("/manifests/") && !seen.body.is_empty() => {
                put.push(seen.body.clone());
                answer(201, &[("Location", &format!("/v2/qa/app/manifests/{last}"))], "")
            }
            _ if path.contains("/blobs/") => answer(200, &[("Content-Length", "2")], ""),
            _ => answer(200, &[], "{}"),
        }
    })
    .await;
    let host = fake.address.to_string();
    let client = client(&host, "", "");
    let image = format!("{host}/qa/app@{digest}");
    let artifact = client
        .attach(&image, KIND, "a.cdx.json", b"{}")
        .await
        .expect("attached");
    let put = put.lock().expect("no panic").clone();
    assert_eq!(put.len(), 1, "one manifest, and no index: {put:?}");
    assert_eq!(Digest::of(put[0].as_bytes()), artifact);
    let manifest: Value = serde_json::from_str(&put[0]).expect("JSON");
    assert_eq!(manifest["subject"]["digest"], json!(digest));
}
