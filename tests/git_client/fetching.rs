//! What comes into the mirror, and how the mirror survives.

use seaworthy::clients::git::{GitErrorKind, Merged};
use seaworthy::model::{ProjectId, Sha};
use tokio_util::sync::CancellationToken;

use super::{PROJECT, World, fetch, sha};

#[tokio::test]
async fn a_second_fetch_brings_only_what_is_new() {
    let world = World::start().await;
    let head = world.repository.merge_request("main", "src/New.java", "class New {}");
    let (first, lines) = world.fetch_told().await;
    assert_eq!(first.head, sha(&head));
    assert_eq!(first.target_tip.as_str(), world.repository.git(&["rev-parse", "main"]));
    assert!(first.objects > 40, "{first:?}");
    assert!(first.received_bytes > 1000, "{first:?}");
    let lines = lines.join("\n");
    assert!(
        lines.contains("remote: Counting objects") && lines.contains("received"),
        "{lines}"
    );

    let second = world
        .repository
        .merge_request("feature", "src/More.java", "class More {}");
    let again = world.fetch().await.expect("fetched");
    assert_eq!(again.head, sha(&second));
    assert!((1..=4).contains(&again.objects), "commit, two trees, file: {again:?}");

    let nothing = world.fetch().await.expect("fetched");
    assert_eq!((nothing.head, nothing.objects), (again.head, 0));
}

#[tokio::test]
async fn a_forced_push_and_a_renamed_branch_are_followed() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    world.fetch().await.expect("fetched");
    let forced = world.repository.merge_request("main", "b", "2");
    assert_eq!(world.fetch().await.expect("fetched").head, sha(&forced));

    world.repository.push("main", "refs/heads/release");
    fetch(&world.git, "shop/basket", "release").await.expect("fetched");
    world
        .repository
        .git(&["push", "--quiet", "origin", ":refs/heads/release"]);
    world.repository.push("main", "refs/heads/release/1");
    fetch(&world.git, "shop/basket", "release/1").await.expect("fetched");

    let gone = fetch(&world.git, "shop/basket", "release").await.expect_err("gone");
    assert_eq!(gone.kind(), GitErrorKind::NotFound);
    assert!(gone.to_string().contains("no branch release"), "{gone}");
}

#[tokio::test]
async fn a_commit_without_a_ref_is_fetched_by_its_id() {
    let world = World::start().await;
    let first = world.repository.merge_request("main", "a", "1");
    world.repository.merge_request("main", "b", "2");
    world.fetch().await.expect("fetched");
    let project = "shop/basket".parse().expect("a path");
    let go = CancellationToken::new();
    let lost = sha(&first);
    assert!(!world.git.has_commit(PROJECT, &lost).await.expect("asked"));
    assert!(world.git.fetch_sha(&project, PROJECT, &lost, &go).await.expect("asked"));
    assert!(world.git.has_commit(PROJECT, &lost).await.expect("asked"));
    let never = sha("00000000000000000000000000000000000000ff");
    assert!(
        !world
            .git
            .fetch_sha(&project, PROJECT, &never, &go)
            .await
            .expect("asked")
    );
    assert!(!world.git.has_commit(ProjectId(1), &lost).await.expect("asked"));
}

#[tokio::test]
async fn a_ref_is_looked_up_without_fetching() {
    let world = World::start().await;
    let project = "shop/basket".parse().expect("a path");
    let main = world.repository.git(&["rev-parse", "main"]);
    for (reference, tip) in [("refs/heads/main", Some(&main)), ("HEAD", Some(&main)), ("main", None)] {
        let found = world.git.ls_remote(&project, reference).await.expect("asked");
        assert_eq!(found.as_ref().map(Sha::as_str), tip.map(String::as_str), "{reference}");
    }
    let moved = "moved/basket".parse().expect("a path");
    assert_eq!(
        world.git.ls_remote(&moved, "HEAD").await.expect("followed"),
        Some(sha(&main))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_share_one_mirror() {
    let world = World::start().await;
    let head = world.repository.merge_request("main", "a", "1");
    world.repository.advance_main("b", "2");
    let builds = (0..8).map(|_| async {
        let fetched = world.fetch().await.expect("fetched");
        assert_eq!(fetched.head, sha(&head));
        (world.merge(&fetched).await, fetched.objects)
    });
    let done = futures_util::future::join_all(builds).await;
    assert!(done.iter().all(|(merged, _)| *merged == done[0].0));
    assert_eq!(
        done.iter().filter(|(_, objects)| *objects > 0).count(),
        1,
        "one brought all: {done:?}"
    );
}

#[tokio::test]
async fn what_a_dead_process_left_is_no_obstacle() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    world.fetch().await.expect("fetched");
    let left = [
        "HEAD.lock",
        "config.lock",
        "packed-refs.lock",
        "refs/targets/main.lock",
        "refs/merge-requests/7/head.lock",
        "objects/tmp_object_git2_dead",
        "objects/pack/pack_git2_dead",
        "objects/pack/pack-1.idx.lock",
    ];
    for file in left {
        std::fs::write(world.mirror(file), "dead").expect("written");
    }
    world.repository.advance_main("b", "2");
    let head = world.repository.merge_request("feature", "c", "3");
    assert_eq!(world.fetch().await.expect("fetched").head, sha(&head));
    for file in left {
        assert!(!world.mirror(file).exists(), "{file} is still there");
    }
}

#[tokio::test]
async fn a_damaged_mirror_is_made_anew() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    world.repository.advance_main("b", "2");
    let fetched = world.fetch().await.expect("fetched");

    // Found by a fetch: the mirror died while it was made.
    std::fs::remove_file(world.mirror("HEAD")).expect("removed");
    assert!(world.fetch().await.expect("fetched").objects > 0);

    // Found by a reader: the packs are cut, and nothing new is there to fetch.
    for entry in std::fs::read_dir(world.mirror("objects/pack")).expect("packs") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|e| e == "pack") {
            std::fs::remove_file(&path).expect("removed");
            std::fs::write(&path, "PACK").expect("cut");
        }
    }
    let error = world
        .git
        .merge(PROJECT, &fetched.head, &fetched.target_tip)
        .await
        .expect_err("damaged");
    assert_eq!(error.kind(), GitErrorKind::Local, "{error}");
    let again = world.fetch().await.expect("fetched");
    assert!(again.objects > 0, "{again:?}");
    assert!(matches!(world.merge(&again).await, Merged::Tree { .. }));
}
