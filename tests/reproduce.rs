//! An image is made again from what it says of itself; what the registry hands out is compared with it.

use seaworthy::model::BuildId;
use seaworthy::store::{images, tokens};
use world::engine::Engine;

use crate::house::{House, Own, Service};

/// Runs `seaworthy reproduce` and gives its words, and whether all was equal.
async fn reproduce(house: &House, service: &Service, token: &str, arguments: &[&str]) -> (bool, String) {
    house
        .program_as(service, token, &[&["reproduce"], arguments].concat())
        .await
}

async fn image(house: &House, build: i64) -> String {
    let image = images::of_build(&house.pool, BuildId(build))
        .await
        .expect("read")
        .expect("an image");
    image.pushed.pinned()
}

/// The digest of an image's uppermost layer, as its manifest has it.
async fn last_layer(house: &House, pinned: &str) -> String {
    let (host, path) = pinned.split_once('/').expect("a host");
    let (repository, digest) = path.split_once('@').expect("a digest");
    let manifest: serde_json::Value = reqwest::Client::new()
        .get(format!("http://{host}/v2/{repository}/manifests/{digest}"))
        .header("Accept", "application/vnd.docker.distribution.manifest.v2+json")
        .basic_auth(&house.registry.user, Some(&house.registry.password))
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .expect("the registry has it")
        .json()
        .await
        .expect("JSON");
    let layers = manifest["layers"].as_array().expect("layers");
    layers
        .last()
        .and_then(|layer| layer["digest"].as_str())
        .expect("a digest")
        .to_owned()
}

#[tokio::test]
async fn an_image_is_what_it_says_and_a_replaced_layer_is_seen() {
    let mut house = House::build_with(Own {
        registry: true,
        ..Own::default()
    })
    .await;
    let first = house.serve("first", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    let mr = house.merge_request(&first, &project, "berths").await;
    house.passes(1).await;
    house.is_clean().await;
    let made = image(&house, 1).await;
    first.terminate().await;

    // Another worker, another engine; and the target branch has moved on.
    house
        .gitlab
        .push_to_target(&project.path, &[("src/main/webapp/later.html", "later")], "Later")
        .await
        .expect("pushed");
    let engine = Engine::private(&house.dir.join("engine"))
        .await
        .expect("a second engine");
    house.set("engine.url", &engine.host);
    let second = house.serve("second", &[]).await;
    let token = "swt_auditor";
    assert!(
        tokens::create(&house.pool, "auditor", token, seaworthy::model::Role::Developer)
            .await
            .expect("a token")
    );
    let (equal, text) = reproduce(&house, &second, token, &[&made]).await;
    assert!(equal, "{text}\n{}", house.log_of(2).await);
    assert!(text.contains("equal: all "), "{text}");
    for layer in [
        "house/",
        "layers/classes",
        "layers/libraries",
        "layers/pages",
        "layers/resources",
    ] {
        let line = text
            .lines()
            .find(|line| line.contains(layer))
            .unwrap_or_else(|| panic!("{layer}: {text}"));
        assert!(line.contains("  equal  "), "{line}");
    }
    let again = house.record(2).await.expect("a build");
    assert_eq!(again.build.merge_request.head.as_str(), mr.head);
    second.terminate().await;

    // Somebody changes the files of the registry itself.
    let classes = last_layer(&house, &made).await;
    let hex = classes.trim_start_matches("sha256:");
    let blob = house
        .dir
        .join("registry-storage/docker/registry/v2/blobs/sha256")
        .join(&hex[..2])
        .join(hex)
        .join("data");
    let bytes = std::fs::read(&blob).expect("the layer");
    let mut other = bytes.clone();
    let middle = other.len() / 2;
    other[middle] ^= 1;
    std::fs::write(&blob, other).expect("replaced");
    let third = house.serve("third", &[]).await;
    let (equal, text) = reproduce(&house, &third, token, &[&made, "--build", "2"]).await;
    assert!(!equal, "{text}");
    assert!(
        text.contains("REPLACED: the registry hands out")
            && text.contains(&classes)
            && text.contains("NOT equal: 1 of"),
        "{text}"
    );
    engine.stop().await.expect("it stops");
    house.close().await;
    drop(third);
}
