//! The layers of an image: the same files are the same layers on every engine, and a change of one class is one small
//! layer.

use std::collections::BTreeMap;

use seaworthy::model::BuildId;
use seaworthy::store::images;
use serde_json::Value;
use world::engine::Engine;

use crate::house::House;

/// An image as the registry has it.
struct Image {
    /// Diff id and bytes in the registry of each layer of the application, by the layer's name.
    layers: BTreeMap<String, (String, u64)>,
    /// Bytes of manifest and configuration.
    rest: u64,
}

/// Manifest and configuration of a build's image, as the registry has them.
pub async fn manifest_and_config(house: &House, build: i64) -> [Vec<u8>; 2] {
    let image = images::of_build(&house.pool, BuildId(build))
        .await
        .expect("read")
        .expect("an image");
    let (host, path) = image.pushed.reference.split_once('/').expect("a host");
    let repository = path.rsplit_once(':').expect("a tag").0;
    let get = async |what: &str| {
        reqwest::Client::new()
            .get(format!("http://{host}/v2/{repository}/{what}"))
            .header(
                "Accept",
                "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json",
            )
            .basic_auth(&house.registry.user, Some(&house.registry.password))
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .expect("the registry has it")
            .bytes()
            .await
            .expect("all of it")
            .to_vec()
    };
    let manifest = get(&format!("manifests/{}", image.pushed.digest)).await;
    let parsed: Value = serde_json::from_slice(&manifest).expect("JSON");
    let digest = parsed["config"]["digest"].as_str().expect("a digest");
    let config = get(&format!("blobs/{digest}")).await;
    [manifest, config]
}

async fn image(house: &House, build: i64) -> Image {
    let [manifest_bytes, config_bytes] = manifest_and_config(house, build).await;
    let manifest: Value = serde_json::from_slice(&manifest_bytes).expect("JSON");
    let config: Value = serde_json::from_slice(&config_bytes).expect("JSON");
    // Steps that made a layer stand in the history in the layers' order.
    let steps = config["history"]
        .as_array()
        .expect("a history")
        .iter()
        .filter(|step| step["empty_layer"] != true);
    let diffs = config["rootfs"]["diff_ids"].as_array().expect("diff ids");
    let blobs = manifest["layers"].as_array().expect("layers");
    assert_eq!(diffs.len(), blobs.len());
    let layers = steps
        .zip(diffs.iter().zip(blobs))
        .filter_map(|(step, (diff, blob))| {
            let told = step["created_by"].as_str()?;
            // The base's layers are the others'.
            let name = match told.split_once("layers/") {
                Some((_, rest)) => rest.split_once('/')?.0,
                None if told.contains("COPY house/") => "house",
                None => return None,
            };
            Some((name.to_owned(), (diff.as_str()?.to_owned(), blob["size"].as_u64()?)))
        })
        .collect();
    Image {
        layers,
        rest: (manifest_bytes.len() + config_bytes.len()) as u64,
    }
}

#[tokio::test]
async fn two_engines_make_the_same_layers_and_a_changed_class_is_a_small_one() {
    let mut house = House::build().await;
    let first_engine = house.serve("first", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    let mr = house.merge_request(&first_engine, &project, "berths").await;
    house.passes(1).await;
    let first = image(&house, 1).await;
    let names: Vec<&str> = first.layers.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["classes", "house", "libraries", "pages", "resources"],
        "no module made a jar"
    );
    first_engine.terminate().await;

    // One class is changed, and another engine builds it.
    let engine = Engine::private(&house.dir.join("engine"))
        .await
        .expect("a second engine");
    let usual = house.world.engine.host.clone();
    house.set("engine.url", &engine.host);
    let second_engine = house.serve("second", &[]).await;
    let ship = "src/main/java/com/example/harbour/Ship.java";
    let changed = "package com.example.harbour;\n\n/** A guest. */\n\
                   public record Ship(String name, double length, double draught) { static final int WORD = 7; }\n";
    let mr = house.push(&second_engine, &mr, &[(ship, changed)], "One line").await;
    house.passes(2).await;
    second_engine.terminate().await;
    engine.stop().await.expect("it stops");
    let second = image(&house, 2).await;
    for layer in ["house", "libraries", "pages", "resources"] {
        assert_eq!(second.layers[layer].0, first.layers[layer].0, "{layer}");
    }
    assert_ne!(second.layers["classes"].0, first.layers["classes"].0);
    let pushed = second.layers["classes"].1 + second.rest;
    assert!(
        pushed <= 20 << 10,
        "{pushed} bytes for one class: {} of layer, {} of manifest and configuration",
        second.layers["classes"].1,
        second.rest
    );

    // The same application again, on the first engine.
    house.set("engine.url", &usual);
    let service = house.serve("first-again", &[]).await;
    house.push(&service, &mr, &[("CHANGES.md", "more")], "Words").await;
    house.passes(3).await;
    let third = image(&house, 3).await;
    let ids = |image: &Image| image.layers.values().map(|(id, _)| id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&third), ids(&second));

    // What a release manager is told of it.
    let (ok, told) = house.program(&service, &["diff", "1", "3", "--json"]).await;
    assert!(ok, "{told}");
    let told: seaworthy::wire::Diff = serde_json::from_str(&told).expect("a diff");
    let layers = told.layers.expect("both are recorded");
    let changes: Vec<_> = layers.changes.iter().map(|layer| (layer.new, layer.bytes)).collect();
    assert_eq!(
        changes,
        [(false, first.layers["classes"].1), (true, third.layers["classes"].1)]
    );
    assert!(
        layers.changes.iter().all(|layer| layer.made_by.contains("classes")),
        "{layers:?}"
    );
    assert!(layers.shared_bytes > 1 << 20, "the base is shared: {layers:?}");
    house.is_clean().await;
    house.close().await;
    drop(service);
}
