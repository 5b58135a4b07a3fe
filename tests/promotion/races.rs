//! Things that happen at once: each ends in the one right state.

use serde_json::json;
use world::process::Signal;

use super::scene::{Scene, means, move_tag};

/// Nothing that happens to tags between approval and copy changes what is copied.
#[tokio::test]
async fn an_approval_is_of_the_digest_and_not_of_a_tag() {
    let scene = Scene::open("approvals = 1\nprevious = false").await;
    let image = scene.image(1, &[9000], "ada", true).await;
    let id = scene.promote("dev", &image, "production").await;
    scene.comes_to(id, &["waiting"]).await;
    // Somebody moves the tag in QA to another image.
    let repository = scene.house.repository();
    let (_, path) = repository.split_once('/').expect("a namespace");
    let pusher = crate::copy::image::Pusher::new(&scene.house.registry, &format!("{path}/basket"));
    let other = pusher.image(crate::copy::image::OCI, 77, &[8000]).await;
    move_tag(&scene.house.registry, &format!("{path}/basket"), &image.tag, &other).await;
    assert_eq!(scene.approve("rita", id).await.0, 200);
    scene.comes_to(id, &["done"]).await;
    for server in [&scene.dc1, &scene.dc2] {
        assert_eq!(
            means(server, "live/basket", &image.tag).await.as_deref(),
            Some(image.digest.as_str())
        );
    }
    scene.close().await;
}

/// Two release managers press at once: one promotion, and the other is told its number.
#[tokio::test]
async fn two_who_press_at_once_get_one_promotion() {
    let scene = Scene::open("approvals = 1\nprevious = false").await;
    let image = scene.image(2, &[1000], "ada", true).await;
    let order = json!({"image": image.digest, "environment": "production", "reason": "now"});
    let answers = futures_util::future::join_all((0..8).map(|n| {
        let who = if n % 2 == 0 { "rita" } else { "rolf" };
        scene.post(who, "/api/promotions", order.clone())
    }))
    .await;
    let taken: Vec<_> = answers.iter().filter(|(status, _)| *status == 202).collect();
    assert_eq!(taken.len(), 1, "{answers:#?}");
    let id = taken[0].1["promotion"].as_i64().expect("a number");
    for (status, answer) in answers.iter().filter(|(status, _)| *status != 202) {
        assert_eq!(*status, 409, "{answer}");
        let error = answer["error"].as_str().expect("a sentence");
        assert!(
            error.contains(&format!("promotion {id} of this very digest is on its way")),
            "{error}"
        );
    }
    scene.close().await;
}

/// A rollback while a copy is going on is refused; when the copy was given up, what has arrived is recorded.
#[tokio::test]
async fn a_rollback_does_not_cross_a_copy() {
    let scene = Scene::open("approvals = 0\nprevious = false").await;
    let first = scene.image(3, &[1000], "ada", true).await;
    let second = scene.image(4, &[3_000_000], "ada", true).await;
    scene.bring_without_approval(&first).await;
    scene.dc2.daemon().signal(Signal::Stop).await.expect("stopped");
    let id = scene.promote("dev", &second, "production").await;
    scene.comes_to(id, &["copying"]).await;
    let order = json!({"application": "basket", "environment": "production", "reason": "back"});
    let (status, answer) = scene.post("rita", "/api/rollbacks", order).await;
    assert_eq!(status, 409, "{answer}");
    let cancel = json!({"reason": "wrong one"});
    let (status, answer) = scene
        .post("rita", &format!("/api/promotions/{id}/cancel"), cancel)
        .await;
    assert_eq!(status, 200, "{answer}");
    let ended = scene.comes_to(id, &["cancelled"]).await;
    scene.dc2.daemon().signal(Signal::Cont).await.expect("goes on");
    assert!(
        ended["why"].as_str().is_some_and(|why| why.contains("rita stopped it")),
        "{ended:#}"
    );
    assert_eq!(means(&scene.dc2, "live/basket", &second.tag).await, None);
    let there = means(&scene.dc1, "live/basket", &second.tag).await;
    let board = scene.get("/api/environments").await;
    let recorded = board["applications"][0]["placements"]
        .as_array()
        .expect("placements")
        .iter()
        .find(|place| place["data_centre"] == "dc1")
        .and_then(|place| place["digest"].as_str().map(str::to_owned));
    // What is recorded is what is there.
    match there {
        Some(digest) => assert_eq!(recorded.as_deref(), Some(digest.as_str())),
        None => assert_eq!(recorded.as_deref(), Some(first.digest.as_str())),
    }
    scene.close().await;
}

/// A freeze that begins between approval and copy: nothing is copied, and it says until when.
#[tokio::test]
async fn a_freeze_that_begins_meanwhile_holds_the_copy() {
    let scene = Scene::open("approvals = 1\nprevious = false").await;
    let image = scene.image(5, &[1000], "ada", true).await;
    let id = scene.promote("dev", &image, "production").await;
    scene.comes_to(id, &["waiting"]).await;
    let file = scene.house.dir.join("pipelines/environments.toml");
    let mut text = std::fs::read_to_string(&file).expect("environments");
    text.push_str("\n[[environment.freeze]]\nreason = \"stock-taking\"\nfrom = 2000-01-01T00:00:00\nuntil = 2100-01-01T00:00:00\n");
    std::fs::write(&file, text).expect("written");
    let scene = scene.restarted().await;
    let (status, answer) = scene.approve("rita", id).await;
    assert_eq!(status, 200, "{answer}");
    let detail = scene.waits_for(id, "frozen").await;
    assert!(
        detail["why"].as_str().is_some_and(|why| why.contains("2100-01-01")),
        "{detail:#}"
    );
    assert_eq!(means(&scene.dc1, "live/basket", &image.tag).await, None);
    let other = scene.image(6, &[1000], "ada", true).await;
    let order = json!({"image": other.digest, "environment": "production", "dry_run": true});
    let (_, outlook) = scene.post("dev", "/api/promotions", order).await;
    assert_eq!(outlook["allowed"], false, "{outlook:#}");
    scene.close().await;
}
