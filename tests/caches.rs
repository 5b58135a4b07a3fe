//! What Maven downloaded begins anew when it is old, and never under a build's feet: real volumes on a real engine.

use std::time::Duration;

use seaworthy::clients::engine::{Builder, CacheVolume, ContainerSpec, Limits, Owner, User};
use seaworthy::model::BuildId;

use crate::engine_client::{engine, scratch_image};
use crate::house::{House, PATIENCE};

#[tokio::test]
async fn an_old_cache_goes_as_soon_as_no_build_has_it() {
    let mut house = House::build().await;
    let cache = format!("caches-{}", house.installation().await);
    house.set("maven.cache", &cache);
    house.set("maven.cache_age", "1s");
    house.set("worker.sweep_interval", "1s");
    let engine = engine(Builder::BuildKit);
    let (own, fork, foreign) = (
        format!("{cache}-7"),
        format!("{cache}-7-fork"),
        format!("{cache}-of-another"),
    );
    let volume = |name: &String| CacheVolume {
        name: name.clone(),
        mount: format!("/{name}"),
    };
    let spec = ContainerSpec {
        image: scratch_image(&engine).await.to_owned(),
        workspace: "/workspace".to_owned(),
        env: Vec::new(),
        limits: Limits {
            memory: 64 << 20,
            cpus: 1.0,
            pids: 64,
            disk: 64 << 20,
            log: 4 << 20,
        },
        caches: [&own, &fork, &foreign].map(volume).to_vec(),
        user: User { uid: 10001, gid: 10001 },
    };
    let owner = Owner {
        installation: format!("{cache}-builds"),
        build: BuildId(7),
        attempt: 1,
        worker: "test".to_owned(),
    };
    let container = engine.create_build_container(&spec, &owner).await.expect("a container");
    let there = async || -> Vec<String> {
        let caches = engine.caches().await.expect("a list");
        let mut names: Vec<_> = caches.into_iter().map(|found| found.name).collect();
        names.retain(|name| name.starts_with(&cache));
        names.sort();
        names
    };
    assert_eq!(there().await, [own.as_str(), fork.as_str(), foreign.as_str()]);
    assert!(!engine.remove_cache(&own).await.expect("an answer"), "a build has it");
    // Each build touches the folder, which older engines take for the time of its making.
    let made = async || {
        engine
            .caches()
            .await
            .expect("a list")
            .into_iter()
            .find(|found| found.name == own)
    };
    let before = made().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let again = Owner {
        build: BuildId(8),
        ..owner.clone()
    };
    let mut more = spec.clone();
    more.caches.push(volume(&format!("{cache}-8")));
    let other = engine.create_build_container(&more, &again).await.expect("a container");
    other.remove().await.expect("removed");
    assert_eq!(made().await, before);

    let service = house.serve("sweeper", &[]).await;
    let swept = async |left: &[&str]| {
        let wait = async {
            while there().await != left {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await
    };
    let held = [own.as_str(), fork.as_str(), foreign.as_str()];
    swept(&held)
        .await
        .expect("the free one is swept away, those of a build stay");
    container.remove().await.expect("removed");
    swept(&[&foreign]).await.expect("the house's own are swept away");
    service.terminate().await;
    assert!(engine.remove_cache(&foreign).await.expect("an answer"));
    assert!(
        engine
            .remove_cache(&foreign)
            .await
            .expect("not there is what was wanted")
    );
    house.close().await;
}
