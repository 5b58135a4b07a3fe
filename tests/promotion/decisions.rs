//! Who may say yes, and what a no does.

use serde_json::json;

use super::scene::{Scene, means};

/// Neither who asked nor who wrote it approves, nor somebody without the role; two different people are two.
#[tokio::test]
async fn four_eyes_are_four_eyes() {
    let scene = Scene::open("approvals = 2\nprevious = false").await;
    let image = scene.image(1, &[1000], "rita", true).await;
    let id = scene.promote("rolf", &image, "production").await;
    scene.comes_to(id, &["waiting"]).await;
    for (who, sentence) in [
        ("dev", "may not approve a promotion"),
        ("pat", "approved by a release manager"),
        ("rolf", "asked for promotion"),
        ("rita", "wrote a commit"),
    ] {
        let (status, answer) = scene.approve(who, id).await;
        assert_eq!(status, 403, "{who}: {answer}");
        let error = answer["error"].as_str().expect("a sentence");
        assert!(error.contains(sentence), "{who}: {error}");
    }
    let detail = scene.get(&format!("/api/promotions/{id}")).await;
    assert_eq!(detail["state"], "waiting", "{detail:#}");
    assert_eq!(means(&scene.dc1, "live/basket", &image.tag).await, None);
    scene.close().await;
}

/// A rejection ends what is on its way and closes the gate for ever.
#[tokio::test]
async fn a_rejected_image_goes_nowhere() {
    let scene = Scene::open("approvals = 1\nprevious = false").await;
    let image = scene.image(2, &[1000], "ada", true).await;
    let id = scene.promote("dev", &image, "production").await;
    scene.comes_to(id, &["waiting"]).await;
    let order = json!({"image": image.digest, "category": "functional", "reason": "the sum is wrong"});
    let (status, answer) = scene.post("dev", "/api/rejections", order).await;
    assert_eq!(status, 200, "{answer}");
    let rejected = scene.comes_to(id, &["rejected"]).await;
    assert!(
        rejected["why"]
            .as_str()
            .is_some_and(|why| why.contains("the sum is wrong")),
        "{rejected:#}"
    );
    assert_eq!(scene.approve("rita", id).await.0, 409);
    let order = json!({"image": image.digest, "environment": "pre", "reason": "again"});
    let (status, answer) = scene.post("dev", "/api/promotions", order).await;
    assert_eq!(status, 409, "{answer}");
    assert!(
        answer["error"]
            .as_str()
            .is_some_and(|error| error.contains("dev rejected it")),
        "{answer}"
    );
    let order = json!({"image": image.digest, "category": "smell", "reason": "x"});
    assert_eq!(scene.post("dev", "/api/rejections", order).await.0, 400);
    scene.close().await;
}

/// What was there before comes back, as the same digest, without a byte of blobs.
#[tokio::test]
async fn a_rollback_puts_back_what_was_there() {
    let scene = Scene::open("approvals = 1\nprevious = false").await;
    let first = scene.image(3, &[40_000], "ada", true).await;
    let second = scene.image(4, &[40_001], "ada", true).await;
    scene.bring(&first, "production").await;
    scene.bring(&second, "production").await;
    let order = json!({"application": "basket", "environment": "production", "reason": "checkout is broken"});
    assert_eq!(scene.post("dev", "/api/rollbacks", order.clone()).await.0, 403);
    let (status, answer) = scene.post("rita", "/api/rollbacks", order).await;
    assert_eq!(status, 202, "{answer}");
    let id = answer["promotion"].as_i64().expect("a number");
    let done = scene.comes_to(id, &["done"]).await;
    assert_eq!(done["kind"], "rollback");
    assert_eq!(done["digest"], first.digest.as_str());
    for copy in done["copies"].as_array().expect("copies") {
        assert_eq!(copy["sent"], 0, "{copy}");
    }
    let history = scene.get("/api/history/basket").await;
    let now: Vec<&str> = history["placements"]
        .as_array()
        .expect("placements")
        .iter()
        .filter(|place| place["until"].is_null())
        .filter_map(|place| place["digest"].as_str())
        .collect();
    assert_eq!(now, [first.digest.as_str(); 2], "{history:#}");
    scene.close().await;
}
