//! A registry beside its record.

use serde_json::json;

use super::scene::{Scene, move_tag};
use super::trail::{seaworthy, text};
use crate::copy::image::{OCI, Pusher};

/// 300 repositories and 1,000 tags: registries give a hundred at a time, and none may be missed.
#[tokio::test]
async fn reconcile_sees_everything() {
    let scene = Scene::open("approvals = 0").await;
    let image = scene.image(1, &[1000], "ada", true).await;
    scene.bring(&image, "pre").await;
    let good = seaworthy(&scene, &["images", "reconcile", "pre"]).await;
    assert!(good.status.success(), "{}", text(&good));
    assert!(
        text(&good).contains("1 tags found, 1 recorded, 0 differences"),
        "{}",
        text(&good)
    );

    // In QA what builds push ahead of their images is not taken for one.
    let repository = scene.house.repository();
    let (_, path) = repository.split_once('/').expect("a namespace");
    let qa = &scene.house.registry;
    move_tag(qa, &format!("{path}/basket"), &image.tag, &image.digest).await;
    let pusher = Pusher::new(qa, &format!("{path}/seaworthy-libraries"));
    let ahead = pusher.image(OCI, 50, &[10]).await;
    move_tag(qa, &format!("{path}/seaworthy-libraries"), "0123456789abcdef", &ahead).await;
    let good = seaworthy(&scene, &["images", "reconcile", "qa"]).await;
    assert!(good.status.success(), "{}", text(&good));

    let manifest = |digest, size| {
        json!({
            "schemaVersion": 2, "mediaType": OCI,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": size},
            "layers": [],
        })
    };
    // 299 strange repositories, and a thousand strange tags in the one that is ours.
    for at in 0..299 {
        let pusher = Pusher::new(&scene.pre, &format!("pre/strange-{at}"));
        let (digest, size) = pusher.blob(b"{}".to_vec()).await;
        pusher.manifest(Some("1"), OCI, &manifest(digest, size)).await;
    }
    let pusher = Pusher::new(&scene.pre, "pre/basket");
    let (digest, size) = pusher.blob(b"{}".to_vec()).await;
    let body = manifest(digest, size);
    for at in 0..999 {
        pusher.manifest(Some(&format!("strange-{at}")), OCI, &body).await;
    }
    // And ours is moved.
    pusher.manifest(Some(&image.tag), OCI, &body).await;
    let found = seaworthy(&scene, &["images", "reconcile", "pre"]).await;
    assert!(!found.status.success());
    let said = text(&found);
    assert!(
        said.contains("1299 tags found, 1 recorded, 1299 differences"),
        "{}",
        &said[..400.min(said.len())]
    );
    assert_eq!(said.matches("UNRECORDED").count(), 1298);
    let moved = said
        .lines()
        .find(|line| line.contains("DIFFERENT"))
        .expect("the moved tag");
    assert!(
        moved.contains(&image.tag) && moved.contains(image.digest.as_str()),
        "{moved}"
    );
    scene.close().await;
}
