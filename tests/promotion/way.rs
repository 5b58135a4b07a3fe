//! The whole way, and what may go wrong on it.

use serde_json::json;
use world::process::Signal;

use super::scene::{Scene, means, move_tag};

/// QA, pre-production, production: one digest, in every registry, under its tag.
#[tokio::test]
async fn the_digest_that_was_tested_is_the_digest_that_runs() {
    let scene = Scene::open("approvals = 1").await;
    let image = scene.image(1, &[300_000, 20_000], "ada", true).await;
    scene.bring(&image, "pre").await;
    let order = json!({"image": image.digest, "environment": "production", "dry_run": true});
    let (status, outlook) = scene.post("dev", "/api/promotions", order).await;
    assert_eq!(status, 200, "{outlook}");
    assert_eq!(outlook["allowed"], true, "{outlook:#}");
    assert_eq!(outlook["copies"].as_array().map(Vec::len), Some(2), "{outlook:#}");
    let id = scene.promote("dev", &image, "production").await;
    let waiting = scene.comes_to(id, &["waiting"]).await;
    assert!(
        waiting["gates"].as_array().is_some_and(|gates| gates.len() > 3),
        "{waiting:#}"
    );
    assert_eq!(means(&scene.dc1, "live/basket", &image.tag).await, None);
    assert_eq!(scene.approve("rita", id).await.0, 200);
    let done = scene.comes_to(id, &["done"]).await;
    for (server, repository) in [
        (&scene.pre, "pre/basket"),
        (&scene.dc1, "live/basket"),
        (&scene.dc2, "live/basket"),
    ] {
        assert_eq!(
            means(server, repository, &image.tag).await.as_deref(),
            Some(image.digest.as_str())
        );
    }
    for copy in done["copies"].as_array().expect("copies") {
        assert_eq!(copy["state"], "there", "{copy}");
        assert!(copy["sent"].as_i64() >= Some(320_000), "{copy}");
    }
    let board = scene.get("/api/environments").await;
    let places = board["applications"][0]["placements"].as_array().expect("placements");
    assert_eq!(places.len(), 4, "{board:#}");
    assert!(
        places.iter().all(|place| place["digest"] == image.digest.as_str()),
        "{board:#}"
    );
    scene.close().await;
}

/// One data centre is away: the other has the image, the promotion says what is missing, and `resume` finishes it.
#[tokio::test]
async fn one_data_centre_failing_leaves_it_partial_and_resume_finishes_it() {
    let scene = Scene::open("approvals = 0\nprevious = false").await;
    let image = scene.image(2, &[50_000], "ada", true).await;
    scene.dc2.stop().await.expect("stopped");
    let id = scene.promote("dev", &image, "production").await;
    let partial = scene.comes_to(id, &["partial"]).await;
    let why = partial["why"].as_str().expect("a reason");
    assert!(why.starts_with("dc2: ") && why.contains(&scene.dc2.address), "{why}");
    assert_eq!(
        means(&scene.dc1, "live/basket", &image.tag).await.as_deref(),
        Some(image.digest.as_str())
    );
    let board = scene.get("/api/environments").await;
    let places = board["applications"][0]["placements"].as_array().expect("placements");
    assert!(places.iter().any(|place| place["data_centre"] == "dc1"), "{board:#}");
    assert!(!places.iter().any(|place| place["data_centre"] == "dc2"), "{board:#}");
    scene.dc2.start_again().await.expect("started");
    let (status, answer) = scene
        .post("rita", &format!("/api/promotions/{id}/resume"), json!({}))
        .await;
    assert_eq!(status, 200, "{answer}");
    scene.comes_to(id, &["done"]).await;
    assert_eq!(
        means(&scene.dc2, "live/basket", &image.tag).await.as_deref(),
        Some(image.digest.as_str())
    );
    // Nothing is left to resume.
    let (status, answer) = scene
        .post("rita", &format!("/api/promotions/{id}/resume"), json!({}))
        .await;
    assert_eq!(status, 409, "{answer}");
    scene.close().await;
}

/// A worker that dies in the middle: another process goes on.
#[tokio::test]
async fn a_promotion_outlives_its_worker() {
    let mut scene = Scene::open("approvals = 0\nprevious = false").await;
    let image = scene.image(3, &[60_000_000, 40_000_000], "ada", true).await;
    // The destination takes everything and answers nothing.
    scene.dc2.daemon().signal(Signal::Stop).await.expect("stopped");
    let id = scene.promote("dev", &image, "production").await;
    scene.comes_to(id, &["copying"]).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let dead = std::mem::replace(&mut scene.service, scene.house.serve("second", &[]).await);
    dead.kill().await;
    scene.dc2.daemon().signal(Signal::Cont).await.expect("goes on");
    scene.comes_to(id, &["done"]).await;
    for server in [&scene.dc1, &scene.dc2] {
        assert_eq!(
            means(server, "live/basket", &image.tag).await.as_deref(),
            Some(image.digest.as_str())
        );
    }
    scene.close().await;
}

/// What cannot be is refused with a sentence.
#[tokio::test]
async fn bad_orders_are_told_what_to_do() {
    let scene = Scene::open("approvals = 1").await;
    let image = scene.image(4, &[1000], "ada", true).await;
    let open = scene.image(5, &[1001], "ada", false).await;
    let unknown = "sha256:".to_owned() + &"0".repeat(64);
    for (who, image, environment, reason, status, sentence) in [
        ("dev", unknown.as_str(), "pre", "x", 404, "no image is known of"),
        (
            "dev",
            image.digest.as_str(),
            "nowhere",
            "x",
            404,
            "there are qa, pre, production",
        ),
        ("dev", image.digest.as_str(), "qa", "x", 400, "builds push to"),
        (
            "dev",
            image.digest.as_str(),
            "production",
            "x",
            409,
            "promote it to pre first",
        ),
        ("dev", open.digest.as_str(), "pre", "x", 409, "not merged"),
        ("dev", image.digest.as_str(), "pre", " ", 400, "needs a reason"),
    ] {
        let order = json!({"image": image, "environment": environment, "reason": reason});
        let (found, answer) = scene.post(who, "/api/promotions", order).await;
        assert_eq!(found, status, "{answer}");
        let error = answer["error"].as_str().expect("a sentence");
        assert!(error.contains(sentence), "{error}");
    }
    let (status, _) = scene.post("dev", "/api/promotions", json!({"image": "x"})).await;
    assert_eq!(status, 400);
    let rollback = json!({"application": "basket", "environment": "pre", "reason": "x"});
    let (status, answer) = scene.post("rita", "/api/rollbacks", rollback).await;
    assert_eq!(
        (
            status.as_u16(),
            answer["error"]
                .as_str()
                .is_some_and(|text| text.contains("nothing to go back to"))
        ),
        (409, true)
    );
    scene.close().await;
}

/// A tag that means something else is never overwritten.
#[tokio::test]
async fn a_foreign_tag_is_left_alone() {
    let scene = Scene::open("approvals = 0\nprevious = false").await;
    let image = scene.image(6, &[5000], "ada", true).await;
    let pusher = crate::copy::image::Pusher::new(&scene.dc1, "live/basket");
    let foreign = pusher.image(crate::copy::image::OCI, 99, &[10]).await;
    move_tag(&scene.dc1, "live/basket", &image.tag, &foreign).await;
    let id = scene.promote("dev", &image, "production").await;
    let partial = scene.comes_to(id, &["partial"]).await;
    assert!(
        partial["why"].as_str().is_some_and(|why| why.starts_with("dc1: ")),
        "{partial:#}"
    );
    assert_eq!(
        means(&scene.dc1, "live/basket", &image.tag).await.as_deref(),
        Some(foreign.as_str())
    );
    assert_eq!(
        means(&scene.dc2, "live/basket", &image.tag).await.as_deref(),
        Some(image.digest.as_str())
    );
    scene.close().await;
}
