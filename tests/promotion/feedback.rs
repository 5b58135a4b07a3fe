//! Who hears of a promotion.

use super::scene::Scene;

/// Whoever approves hears that it waits, with what changes; the author hears of the outcome. Each once.
#[tokio::test]
async fn approvers_hear_that_it_waits_and_the_author_of_the_outcome() {
    let scene = Scene::open("approvals = 1\nprevious = false").await;
    let first = scene.image(1, &[1000], "ada", true).await;
    let id = scene.promote("dev", &first, "production").await;
    scene.house.mails(1).await;
    assert_eq!(scene.approve("rita", id).await.0, 200);
    let before = scene.house.mails(3).await.len();
    let image = scene.image(2, &[1001], "ada", true).await;
    let id = scene.promote("dev", &image, "production").await;
    let waits = scene.house.mails(before + 1).await;
    let mail = waits.last().expect("a mail");
    assert_eq!(mail.to, ["release@example.com"], "{}", mail.text);
    assert!(mail.text.contains(&format!("/promotions/{id}")), "{}", mail.text);
    let diff = format!("/diff?from={}&to={}", first.digest, image.digest);
    assert!(mail.text.contains(&diff), "{}", mail.text);
    assert_eq!(scene.approve("rita", id).await.0, 200);
    scene.comes_to(id, &["done"]).await;
    let all = scene.house.mails(before + 3).await;
    let mut told: Vec<&str> = all[before + 1..]
        .iter()
        .flat_map(|mail| mail.to.iter().map(String::as_str))
        .collect();
    told.sort_unstable();
    assert_eq!(told, ["ada@example.com", "release@example.com"]);
    scene.house.settled().await;
    assert_eq!(scene.house.mails(before + 3).await.len(), before + 3);
    scene.close().await;
}
