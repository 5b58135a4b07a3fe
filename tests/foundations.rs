//! An image that is built on one which has the libraries already is the image that is built in one piece; and the engine
//! keeps as many of those as it shall, whoever else removes them.

use std::time::Duration;

use seaworthy::clients::engine::Foundation;
use serde_json::Value;

use crate::house::{House, PATIENCE};
use crate::layers::manifest_and_config;

const NEW: &str = "The libraries are new to the engine";
const KNOWN: &str = "The engine has the libraries already";

/// All that an image's configuration says, without times and without the labels, which tell of the build.
async fn configuration(house: &House, build: i64) -> Value {
    let [_, config] = manifest_and_config(house, build).await;
    let mut config: Value = serde_json::from_slice(&config).expect("JSON");
    let labels = config["config"]["Labels"].take();
    assert!(labels["dev.seaworthy.build"].is_string(), "{labels}");
    assert!(labels["org.opencontainers.image.revision"].is_string(), "{labels}");
    config["created"].take();
    // The classic builder tells of its last container, too.
    for key in ["container", "container_config"] {
        config.as_object_mut().expect("an object").remove(key);
    }
    config["config"].as_object_mut().expect("an object").remove("Image");
    for step in config["history"].as_array_mut().expect("a history") {
        step["created"].take();
    }
    config
}

async fn foundations(house: &House) -> Vec<Foundation> {
    let installation = house.installation().await;
    house.engine().foundations(&installation).await.expect("a list")
}

#[tokio::test]
async fn built_on_a_foundation_or_in_one_piece_is_the_same_image() {
    let mut house = House::build().await;
    house.set("engine.foundations", "0");
    let service = house.serve("whole", &[]).await;
    // No other test has a project of this name: equal foundations are one image on the engine, with one time of last use.
    let project = house.project("shop/mole", "harbour").await;
    let mut mr = house.merge_request(&service, &project, "berths").await;
    house.passes(1).await;
    let log = house.log_of(1).await;
    assert!(!log.contains(NEW) && !log.contains(KNOWN), "{log}");
    assert!(foundations(&house).await.is_empty());
    service.terminate().await;
    let whole = configuration(&house, 1).await;

    let mut build = 1;
    for builder in ["buildkit", "classic"] {
        house.set("engine.builder", builder);
        house.set("engine.foundations", "50");
        let service = house.serve(builder, &[]).await;
        for said in [NEW, KNOWN] {
            build += 1;
            let words = format!("{builder} {said}");
            mr = house.push(&service, &mr, &[("CHANGES.md", &words)], "Words").await;
            house.passes(build).await;
            let log = house.log_of(build).await;
            assert!(log.contains(said), "{builder}, {said}:\n{log}");
            if builder == "buildkit" {
                assert_eq!(configuration(&house, build).await, whole);
            }
            let kept = foundations(&house).await;
            assert_eq!(kept.len(), 1);
            assert_eq!(
                kept[0].names.len(),
                1,
                "the name that it was pushed by is gone: {kept:?}\n{log}"
            );
            if said == NEW {
                assert!(log.contains("are in the registry already"), "{log}");
            }
        }
        service.terminate().await;
        let kept = foundations(&house).await;
        house.engine().remove_foundation(&kept[0]).await.expect("removed");
    }
    house.close().await;
}

#[tokio::test]
async fn the_last_used_are_kept_and_one_that_goes_is_made_again() {
    let mut house = House::build().await;
    house.set("engine.foundations", "1");
    let service = house.serve("one", &[]).await;
    let first = house.project("shop/jetty", "harbour").await;
    let mut mr = house.merge_request(&service, &first, "berths").await;
    house.passes(1).await;
    let kept = foundations(&house).await;
    assert_eq!(kept.len(), 1);

    // The name of the application is in the Dockerfile, so that another project has a foundation of its own.
    let second = house.project("shop/pier", "harbour").await;
    house.merge_request(&service, &second, "berths").await;
    house.passes(2).await;
    let swept = async {
        while foundations(&house).await.contains(&kept[0]) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, swept)
        .await
        .expect("the older one is swept away");
    assert_eq!(foundations(&house).await.len(), 1, "the younger one is kept");

    // Somebody removes all there is, again and again, while a build goes its way.
    let installation = house.installation().await;
    let engine = house.engine();
    let remover = tokio::spawn(async move {
        loop {
            for foundation in engine.foundations(&installation).await.unwrap_or_default() {
                let _ = engine.remove_foundation(&foundation).await;
            }
        }
    });
    let mut taken = 0;
    for build in 3..6 {
        let words = format!("{build}");
        mr = house.push(&service, &mr, &[("CHANGES.md", &words)], "Words").await;
        let ended = house.passes(build).await;
        let log = house.log_of(build).await;
        assert_eq!(ended.build.attempt, 1, "{log}");
        taken += usize::from(log.contains("removed from the engine meanwhile"));
    }
    assert!(taken > 0, "it was never in time");
    remover.abort();
    house.close().await;
}
