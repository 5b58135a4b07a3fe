//! What is built: the merge, and its tree on the disk.

use std::path::Path;

use seaworthy::clients::git::{GitErrorKind, Merged};
use tokio_util::sync::CancellationToken;

use super::{PROJECT, World, sha};

#[tokio::test]
async fn what_is_built_is_the_merge_with_the_target() {
    let world = World::start().await;
    let git = |args: &[&str]| world.repository.git(args);
    let head = world.repository.merge_request("main", "src/New.java", "class New {}");
    let fetched = world.fetch().await.expect("fetched");
    let Merged::Tree { tree, commit, commits } = world.merge(&fetched).await else {
        panic!("no conflict here");
    };
    assert_eq!(commit, sha(&head), "the target can be moved forward");
    assert_eq!(tree.as_str(), git(&["rev-parse", "feature^{tree}"]));
    assert_eq!(commits.len(), 1);
    assert_eq!(commits[0].subject, "Change src/New.java");
    assert_eq!(
        (commits[0].author_name.as_str(), commits[0].author_email.as_str()),
        ("Ada", "ada@example.com")
    );
    assert_eq!(commits[0].committer_email, "bob@example.com");

    world.repository.advance_main("README", "one\ntwo\nthree\nfour\n");
    let fetched = world.fetch().await.expect("fetched");
    let merged = world.merge(&fetched).await;
    assert_eq!(merged, world.merge(&fetched).await, "the same merge is the same commit");
    git(&["merge", "--quiet", "--no-edit", "feature"]);
    let Merged::Tree { tree, commits, .. } = merged else {
        panic!("no conflict here");
    };
    assert_eq!(
        tree.as_str(),
        git(&["rev-parse", "HEAD^{tree}"]),
        "as Git itself merges"
    );
    assert_eq!(commits.len(), 1);

    world.repository.push("main", "refs/heads/main");
    let fetched = world.fetch().await.expect("fetched");
    let Merged::Tree { commit, commits, .. } = world.merge(&fetched).await else {
        panic!("merged already");
    };
    assert_eq!((commit, commits.len()), (fetched.target_tip, 0));
}

#[tokio::test]
async fn a_conflict_names_its_files() {
    let world = World::start().await;
    world.repository.git(&["checkout", "--quiet", "-B", "feature", "main"]);
    world.repository.git(&["rm", "--quiet", "src/File3.java"]);
    world.repository.merge_request("feature", "README", "one\n2\nthree\n");
    world
        .repository
        .advance_main("src/File3.java", "class File3 { int changed; }\n");
    world.repository.advance_main("README", "one\nzwei\nthree\n");
    let fetched = world.fetch().await.expect("fetched");
    let files = vec!["README".to_owned(), "src/File3.java".to_owned()];
    assert_eq!(world.merge(&fetched).await, Merged::Conflict { files });

    world.repository.git(&["checkout", "--quiet", "--orphan", "stranger"]);
    world.repository.commit("From nowhere");
    world.repository.push("stranger", "refs/merge-requests/7/head");
    let fetched = world.fetch().await.expect("fetched");
    assert_eq!(world.merge(&fetched).await, Merged::Unrelated);
}

#[tokio::test]
async fn a_checkout_keeps_modes_and_links_and_tells_what_it_cannot_bring() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let world = World::start().await;
    let repository = &world.repository;
    repository.write("mvnw", "#!/bin/sh\n");
    std::fs::set_permissions(repository.path("mvnw"), std::fs::Permissions::from_mode(0o755)).expect("executable");
    symlink("../README", repository.path("src/readme")).expect("a link");
    symlink("../../etc/passwd", repository.path("src/out")).expect("a link");
    symlink("/etc/passwd", repository.path("absolute")).expect("a link");
    repository.write(
        "logo.png",
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n",
    );
    let commit = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{commit},libs/common"),
    ]);
    repository.git(&["add", "mvnw", "src", "absolute", "logo.png"]);
    repository.git(&["commit", "--quiet", "-m", "All sorts"]);
    repository.push("HEAD", "refs/merge-requests/7/head");
    world.fetch().await.expect("fetched");

    let (out, done) = world
        .checkout(&repository.git(&["rev-parse", "HEAD^{tree}"]))
        .await
        .expect("written");
    assert_eq!(done.submodules, ["libs/common"]);
    assert_eq!(done.lfs_pointers, ["logo.png"]);
    assert_eq!(
        done.outside_links,
        ["absolute -> /etc/passwd", "src/out -> ../../etc/passwd"]
    );
    assert_eq!(done.files, 41 + 5, "{done:?}");
    let mode = |path: &str| out.join(path).metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!((mode("mvnw"), mode("README"), mode("src")), (0o755, 0o644, 0o755));
    assert_eq!(
        std::fs::read_link(out.join("src/readme")).expect("a link"),
        Path::new("../README")
    );
    assert!(!out.join("absolute").is_symlink() && !out.join("src/out").is_symlink());
    assert!(out.join("libs/common").is_dir());
    assert_eq!(
        std::fs::read_to_string(out.join("README")).expect("there"),
        "one\ntwo\nthree\n"
    );
}

#[tokio::test]
async fn a_tree_cannot_write_through_its_own_link() {
    let world = World::start().await;
    let repository = &world.repository;
    let outside = world.dir.path().to_str().expect("UTF-8");
    let file = repository.git_with(&["hash-object", "-w", "--stdin"], b"owned");
    let entry = format!("100644 blob {file}\towned\n");
    let inner = repository.git_with(&["mktree"], entry.as_bytes());
    let raw = |mode: &str, id: &str| {
        let mut entry = format!("{mode} a\0").into_bytes();
        entry.extend((0..20).map(|n| u8::from_str_radix(&id[2 * n..2 * n + 2], 16).expect("hex")));
        entry
    };
    // The name `a` stands twice: as a link, and as a directory with a file.
    for (target, refused) in [(outside, false), ("src", true)] {
        let link = repository.git_with(&["hash-object", "-w", "--stdin"], target.as_bytes());
        let evil = [raw("120000", &link), raw("40000", &inner)].concat();
        let write = ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"];
        let tree = repository.git_with(&write, &evil);
        let commit = repository.git(&["commit-tree", &tree, "-m", "evil"]);
        repository.push(&commit, "refs/merge-requests/7/head");
        world.fetch().await.expect("fetched");
        match world.checkout(&tree).await {
            Err(error) => {
                assert!(refused, "{error}");
                assert_eq!(error.kind(), GitErrorKind::BadTree, "{error}");
            }
            Ok((out, done)) => {
                assert!(!refused, "{done:?}");
                assert_eq!(done.outside_links, [format!("a -> {outside}")]);
                std::fs::remove_dir_all(out).expect("removed");
            }
        }
        assert!(!world.dir.path().join("owned").exists());
    }
}

#[tokio::test]
async fn a_checkout_wants_an_absolute_and_empty_directory() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    world.fetch().await.expect("fetched");
    let tree = world.repository.git(&["rev-parse", "HEAD^{tree}"]);
    let go = CancellationToken::new();
    let relative = world.git.checkout(PROJECT, &sha(&tree), Path::new("out"), &go).await;
    assert!(relative.expect_err("relative").to_string().contains("absolute"));
    world.checkout(&tree).await.expect("written");
    let error = world.checkout(&tree).await.expect_err("full");
    assert!(error.to_string().contains("must be empty"), "{error}");

    std::fs::remove_dir_all(world.dir.path().join("out")).expect("removed");
    go.cancel();
    let into = world.dir.path().join("out");
    let cancelled = world.git.checkout(PROJECT, &sha(&tree), &into, &go).await;
    assert_eq!(cancelled.expect_err("cancelled").kind(), GitErrorKind::Cancelled);
}
