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

/// Half an arrival is taken away again: what was there before it comes back everywhere, not something older; and what was rolled
/// back is not what the next rollback brings.
#[tokio::test]
async fn a_rollback_of_half_an_arrival_goes_one_step_back() {
    let scene = Scene::open("approvals = 0\nprevious = false").await;
    let oldest = scene.image(5, &[1000], "ada", true).await;
    let good = scene.image(6, &[1001], "ada", true).await;
    let bad = scene.image(7, &[1002], "ada", true).await;
    scene.bring_without_approval(&oldest).await;
    scene.bring_without_approval(&good).await;
    scene.dc2.stop().await.expect("stopped");
    let id = scene.promote("dev", &bad, "production").await;
    scene.comes_to(id, &["partial"]).await;
    scene.dc2.start_again().await.expect("started");
    let order = json!({"application": "basket", "environment": "production", "reason": "it does not answer"});
    let (status, answer) = scene.post("rita", "/api/rollbacks", order.clone()).await;
    assert_eq!(status, 202, "{answer}");
    let done = scene
        .comes_to(answer["promotion"].as_i64().expect("a number"), &["done"])
        .await;
    assert_eq!(done["digest"], good.digest.as_str(), "{done:#}");
    assert_eq!(done["replaces"], bad.digest.as_str(), "{done:#}");
    let given_up = scene.get(&format!("/api/promotions/{id}")).await;
    assert_eq!(given_up["state"], "cancelled", "{given_up:#}");
    // Pressed once more, it goes on back, and never forward to what was bad.
    let (status, answer) = scene.post("rita", "/api/rollbacks", order).await;
    assert_eq!(status, 202, "{answer}");
    let done = scene
        .comes_to(answer["promotion"].as_i64().expect("a number"), &["done"])
        .await;
    assert_eq!(done["digest"], oldest.digest.as_str(), "{done:#}");
    scene.close().await;
}

/// Two projects whose applications are called alike: the second is refused, or a rollback of the one would bring the other.
#[tokio::test]
async fn two_projects_do_not_share_a_name() {
    let scene = Scene::open("approvals = 0\nprevious = false").await;
    let ours = scene.image(8, &[1000], "ada", true).await;
    let theirs = scene.image(9, &[1001], "ada", true).await;
    let moved = "update build set project_id = 8, project_path = 'other/basket' where head like '%9'";
    sqlx::query(moved).execute(&scene.house.pool).await.expect("written");
    scene.bring_without_approval(&ours).await;
    let order = json!({"image": theirs.digest, "environment": "production", "reason": "now"});
    let (status, answer) = scene.post("dev", "/api/promotions", order).await;
    assert_eq!(status, 409, "{answer}");
    let error = answer["error"].as_str().expect("a sentence");
    assert!(
        error.contains("shop/basket") && error.contains("two projects cannot share a name"),
        "{error}"
    );
    scene.close().await;
}

/// A known vulnerability closes the gate; one that the pipeline waives for a while does not.
#[tokio::test]
async fn what_is_waived_is_not_open() {
    let waiver = "[[waiver]]\nrule = \"known-vulnerability\"\nlibrary = \"a:b\"\nadvisory = \"CVE-1\"\n\
                  reason = \"not reachable\"\nowner = \"ada\"\nlast_day = 2100-01-01\n";
    for (pipeline, allowed) in [("", false), (waiver, true)] {
        let scene = Scene::open_with(pipeline, "approvals = 0\nprevious = false\nfindings_up_to = \"none\"").await;
        let image = scene.image(10, &[1000], "ada", true).await;
        for statement in [
            "insert into component (group_id, artifact, version, package) values ('a', 'b', '1.0', '')",
            "insert into image_component select c.id, i.build_id from component c, image i",
            "insert into advisory (id, aliases, summary, level, modified, withdrawn)
             values ('GHSA-1', '{CVE-1}', '', 'critical', now(), false)",
            "insert into component_advisory select id, 'GHSA-1', null from component",
        ] {
            sqlx::query(statement)
                .execute(&scene.house.pool)
                .await
                .expect(statement);
        }
        let order = json!({"image": image.digest, "environment": "production", "dry_run": true});
        let (_, outlook) = scene.post("dev", "/api/promotions", order).await;
        assert_eq!(outlook["allowed"], allowed, "{outlook:#}");
        let gates = outlook["gates"].as_array().expect("gates");
        let findings = gates.iter().find(|gate| gate["gate"] == "findings").expect("a gate");
        let named = findings["why"]
            .as_str()
            .is_some_and(|why| why.contains("GHSA-1 (critical)"));
        assert_eq!(named, !allowed, "{findings}");
        if allowed {
            // Which images hold the library, and where they are.
            scene.bring_without_approval(&image).await;
            let held = scene.get("/api/images?with=a:b").await;
            assert_eq!(held["images"][0]["environment"], "production", "{held:#}");
        }
        scene.close().await;
    }
}
