//! The Git client against the real `git http-backend`.

mod server;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seaworthy::clients::git::{Checkout, Fetched, Git, GitError, GitErrorKind, GitOptions, Merged};
use seaworthy::model::{ProjectId, ProjectPath, Sha};
use tokio_util::sync::CancellationToken;

use server::{Repository, Server, TOKEN};

const PROJECT: ProjectId = ProjectId(4711);

struct World {
    dir: tempfile::TempDir,
    repository: Repository,
    server: Server,
    git: Git,
}

impl World {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let repository = Repository::new(dir.path());
        let server = Server::start(&repository.root).await;
        let git = client(dir.path(), &server.url, TOKEN);
        Self {
            dir,
            repository,
            server,
            git,
        }
    }

    async fn fetch(&self) -> Result<Fetched, GitError> {
        fetch(&self.git, "shop/basket", "main").await
    }

    async fn merge(&self, fetched: &Fetched) -> Merged {
        let merged = self.git.merge(PROJECT, &fetched.head, &fetched.target_tip);
        merged.await.expect("merged")
    }

    async fn checkout(&self, tree: &str) -> Result<(PathBuf, Checkout), GitError> {
        let into = self.dir.path().join("out");
        let go = CancellationToken::new();
        let done = self.git.checkout(PROJECT, &sha(tree), &into, &go).await?;
        Ok((into, done))
    }

    fn mirror(&self, path: &str) -> PathBuf {
        self.dir.path().join("mirrors/4711.git").join(path)
    }
}

fn client(dir: &Path, url: &str, token: &str) -> Git {
    // Another test of this binary may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = GitOptions {
        mirrors: dir.join("mirrors"),
        username: "seaworthy".to_owned(),
        token: token.into(),
        base_url: url.to_owned(),
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(60),
    };
    Git::new(options, reqwest::Client::builder()).expect("a client")
}

async fn fetch(git: &Git, project: &str, branch: &str) -> Result<Fetched, GitError> {
    let project: ProjectPath = project.parse().expect("a path");
    let go = CancellationToken::new();
    git.fetch(&project, PROJECT, 7, branch, &go, |_| {}).await
}

fn sha(text: &str) -> Sha {
    text.parse().expect("a commit id")
}

#[tokio::test]
async fn a_second_fetch_brings_only_what_is_new() {
    let world = World::start().await;
    let head = world
        .repository
        .merge_request("main", "src/New.java", "class New {}");
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let project = "shop/basket".parse().expect("a path");
    let first = world
        .git
        .fetch(
            &project,
            PROJECT,
            7,
            "main",
            &CancellationToken::new(),
            move |line| {
                sink.lock().expect("unshared").push(line);
            },
        )
        .await
        .expect("fetched");
    assert_eq!(first.head, sha(&head));
    assert_eq!(
        first.target_tip.as_str(),
        world.repository.git(&["rev-parse", "main"])
    );
    assert!(first.objects > 40, "{first:?}");
    assert!(first.received_bytes > 1000, "{first:?}");
    let lines = lines.lock().expect("unshared").join("\n");
    assert!(
        lines.contains("remote: Counting objects") && lines.contains("received"),
        "{lines}"
    );

    let second = world
        .repository
        .merge_request("feature", "src/More.java", "class More {}");
    let again = world.fetch().await.expect("fetched");
    assert_eq!(again.head, sha(&second));
    assert!(
        (1..=4).contains(&again.objects),
        "commit, two trees, file: {again:?}"
    );

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
    fetch(&world.git, "shop/basket", "release")
        .await
        .expect("fetched");
    world
        .repository
        .git(&["push", "--quiet", "origin", ":refs/heads/release"]);
    world.repository.push("main", "refs/heads/release/1");
    fetch(&world.git, "shop/basket", "release/1")
        .await
        .expect("fetched");

    let gone = fetch(&world.git, "shop/basket", "release")
        .await
        .expect_err("gone");
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
    assert!(
        world
            .git
            .fetch_sha(&project, PROJECT, &lost, &go)
            .await
            .expect("asked")
    );
    assert!(world.git.has_commit(PROJECT, &lost).await.expect("asked"));
    let never = sha("00000000000000000000000000000000000000ff");
    assert!(
        !world
            .git
            .fetch_sha(&project, PROJECT, &never, &go)
            .await
            .expect("asked")
    );
    assert!(
        !world
            .git
            .has_commit(ProjectId(1), &lost)
            .await
            .expect("asked")
    );
}

#[tokio::test]
async fn a_ref_is_looked_up_without_fetching() {
    let world = World::start().await;
    let project = "shop/basket".parse().expect("a path");
    let main = world.repository.git(&["rev-parse", "main"]);
    for (reference, tip) in [
        ("refs/heads/main", Some(&main)),
        ("HEAD", Some(&main)),
        ("main", None),
    ] {
        let found = world
            .git
            .ls_remote(&project, reference)
            .await
            .expect("asked");
        assert_eq!(
            found.as_ref().map(Sha::as_str),
            tip.map(String::as_str),
            "{reference}"
        );
    }
    let moved = "moved/basket".parse().expect("a path");
    assert_eq!(
        world.git.ls_remote(&moved, "HEAD").await.expect("followed"),
        Some(sha(&main))
    );
}

#[tokio::test]
async fn what_is_built_is_the_merge_with_the_target() {
    let world = World::start().await;
    let git = |args: &[&str]| world.repository.git(args);
    let head = world
        .repository
        .merge_request("main", "src/New.java", "class New {}");
    let fetched = world.fetch().await.expect("fetched");
    let Merged::Tree {
        tree,
        commit,
        commits,
    } = world.merge(&fetched).await
    else {
        panic!("no conflict here");
    };
    assert_eq!(commit, sha(&head), "the target can be moved forward");
    assert_eq!(tree.as_str(), git(&["rev-parse", "feature^{tree}"]));
    assert_eq!(commits.len(), 1);
    assert_eq!(commits[0].subject, "Change src/New.java");
    assert_eq!(
        (
            commits[0].author_name.as_str(),
            commits[0].author_email.as_str()
        ),
        ("Ada", "ada@example.com")
    );
    assert_eq!(commits[0].committer_email, "bob@example.com");

    world
        .repository
        .advance_main("README", "one\ntwo\nthree\nfour\n");
    let fetched = world.fetch().await.expect("fetched");
    let merged = world.merge(&fetched).await;
    assert_eq!(
        merged,
        world.merge(&fetched).await,
        "the same merge is the same commit"
    );
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
    let Merged::Tree {
        commit, commits, ..
    } = world.merge(&fetched).await
    else {
        panic!("merged already");
    };
    assert_eq!((commit, commits.len()), (fetched.target_tip, 0));
}

#[tokio::test]
async fn a_conflict_names_its_files() {
    let world = World::start().await;
    world
        .repository
        .git(&["checkout", "--quiet", "-B", "feature", "main"]);
    world.repository.git(&["rm", "--quiet", "src/File3.java"]);
    world
        .repository
        .merge_request("feature", "README", "one\n2\nthree\n");
    world
        .repository
        .advance_main("src/File3.java", "class File3 { int changed; }\n");
    world
        .repository
        .advance_main("README", "one\nzwei\nthree\n");
    let fetched = world.fetch().await.expect("fetched");
    let files = vec!["README".to_owned(), "src/File3.java".to_owned()];
    assert_eq!(world.merge(&fetched).await, Merged::Conflict { files });

    world
        .repository
        .git(&["checkout", "--quiet", "--orphan", "stranger"]);
    world.repository.commit("From nowhere");
    world
        .repository
        .push("stranger", "refs/merge-requests/7/head");
    let fetched = world.fetch().await.expect("fetched");
    assert_eq!(world.merge(&fetched).await, Merged::Unrelated);
}

#[tokio::test]
async fn a_checkout_keeps_modes_and_links_and_tells_what_it_cannot_bring() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let world = World::start().await;
    let repository = &world.repository;
    repository.write("mvnw", "#!/bin/sh\n");
    std::fs::set_permissions(
        repository.path("mvnw"),
        std::fs::Permissions::from_mode(0o755),
    )
    .expect("executable");
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
    let mode = |path: &str| {
        out.join(path)
            .metadata()
            .expect("there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode("mvnw"), mode("README"), mode("src")),
        (0o755, 0o644, 0o755)
    );
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
    let target = world.dir.path().to_str().expect("UTF-8").as_bytes();
    let link = repository.git_with(&["hash-object", "-w", "--stdin"], target);
    let file = repository.git_with(&["hash-object", "-w", "--stdin"], b"owned");
    let inner = repository.git_with(
        &["mktree"],
        format!("100644 blob {file}\towned\n").as_bytes(),
    );
    let raw = |mode: &str, id: &str| {
        let mut entry = format!("{mode} a\0").into_bytes();
        entry.extend((0..20).map(|n| u8::from_str_radix(&id[2 * n..2 * n + 2], 16).expect("hex")));
        entry
    };
    let evil = [raw("120000", &link), raw("40000", &inner)].concat();
    let tree = repository.git_with(
        &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"],
        &evil,
    );
    let commit = repository.git(&["commit-tree", &tree, "-m", "evil"]);
    repository.push(&commit, "refs/merge-requests/7/head");
    world.fetch().await.expect("fetched");
    let error = world.checkout(&tree).await.expect_err("refused");
    assert_eq!(error.kind(), GitErrorKind::BadTree, "{error}");
    assert!(!world.dir.path().join("owned").exists());
}

#[tokio::test]
async fn a_checkout_wants_an_absolute_and_empty_directory() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    world.fetch().await.expect("fetched");
    let tree = world.repository.git(&["rev-parse", "HEAD^{tree}"]);
    let go = CancellationToken::new();
    let relative = world
        .git
        .checkout(PROJECT, &sha(&tree), Path::new("out"), &go)
        .await;
    assert!(
        relative
            .expect_err("relative")
            .to_string()
            .contains("absolute")
    );
    world.checkout(&tree).await.expect("written");
    let error = world.checkout(&tree).await.expect_err("full");
    assert!(error.to_string().contains("must be empty"), "{error}");

    std::fs::remove_dir_all(world.dir.path().join("out")).expect("removed");
    go.cancel();
    let into = world.dir.path().join("out");
    let cancelled = world.git.checkout(PROJECT, &sha(&tree), &into, &go).await;
    assert_eq!(
        cancelled.expect_err("cancelled").kind(),
        GitErrorKind::Cancelled
    );
}

#[tokio::test]
async fn a_refused_token_is_tried_once_and_shown_nowhere() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    let wrong = client(world.dir.path(), &world.server.url, "canary-wrong-77");
    let error = fetch(&wrong, "shop/basket", "main")
        .await
        .expect_err("refused");
    assert_eq!(error.kind(), GitErrorKind::Refused);
    assert_eq!(world.server.seen.requests.load(Ordering::SeqCst), 1);
    assert_eq!(world.server.seen.refused.load(Ordering::SeqCst), 1);
    assert!(error.to_string().contains("check gitlab.token"), "{error}");
    let shown = format!("{error} {error:?} {wrong:?} {:?}", world.git);
    assert!(!shown.contains("canary-wrong"), "{shown}");

    // Both clients live in one process, each with its own token.
    world
        .fetch()
        .await
        .expect("the right token is not spoilt by the wrong one");
    let config = std::fs::read_to_string(world.mirror("config")).expect("a mirror");
    assert!(!config.contains(TOKEN) && !format!("{:?}", world.git).contains(TOKEN));
}

#[tokio::test]
async fn each_trouble_says_where_and_what_to_do() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    for (project, kind, words) in [
        (
            "shop/nothing",
            GitErrorKind::NotFound,
            "knows no such project",
        ),
        ("broken/basket", GitErrorKind::Unreachable, "HTTP 502"),
        ("page/basket", GitErrorKind::Unreachable, "not Git's"),
        (
            "elsewhere/basket",
            GitErrorKind::Unreachable,
            "redirects to http://other.invalid",
        ),
    ] {
        let error = fetch(&world.git, project, "main")
            .await
            .expect_err("no such luck");
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(text.contains(words), "{text}");
        assert!(
            text.contains(&format!("{}/{project}.git", world.server.url)),
            "{text}"
        );
        assert!(!format!("{error:?}").contains(TOKEN), "{error:?}");
    }
    for branch in ["nothing", "main:refs/heads/x", "*", "a b", ""] {
        let error = fetch(&world.git, "shop/basket", branch)
            .await
            .expect_err("no branch");
        assert_eq!(error.kind(), GitErrorKind::NotFound, "{error}");
    }

    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address")
    };
    let down = client(world.dir.path(), &format!("http://{port}"), TOKEN);
    let error = fetch(&down, "shop/basket", "main").await.expect_err("down");
    assert_eq!(error.kind(), GitErrorKind::Unreachable);
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_silent_server_is_left_at_the_time_limit() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    world.server.seen.mute.store(true, Ordering::SeqCst);
    let options = GitOptions {
        mirrors: world.dir.path().join("mirrors"),
        username: "seaworthy".to_owned(),
        token: TOKEN.into(),
        base_url: world.server.url.clone(),
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_millis(200),
    };
    let git = Git::new(options, reqwest::Client::builder()).expect("a client");
    let error = fetch(&git, "shop/basket", "main")
        .await
        .expect_err("silence");
    assert_eq!(error.kind(), GitErrorKind::Unreachable);
    assert!(error.to_string().contains("kept silent"), "{error}");
}

#[tokio::test]
async fn cancelling_does_not_wait_for_a_silent_server() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    world.server.seen.mute.store(true, Ordering::SeqCst);
    let stop = CancellationToken::new();
    let (git, token) = (world.git.clone(), stop.clone());
    let running = tokio::spawn(async move {
        let project = "shop/basket".parse().expect("a path");
        git.fetch(&project, PROJECT, 7, "main", &token, |_| {})
            .await
    });
    world.server.seen.muted.notified().await;
    stop.cancel();
    let limit = Duration::from_secs(2);
    let ended = tokio::time::timeout(limit, running).await.expect("at once");
    assert_eq!(
        ended.expect("no panic").expect_err("cancelled").kind(),
        GitErrorKind::Cancelled
    );

    // A dropped future lets go as well: else the lock would keep the next one out.
    let (git, seen) = (world.git.clone(), Arc::clone(&world.server.seen));
    tokio::select! {
        _ = fetch(&git, "shop/basket", "main") => panic!("the server is silent"),
        () = seen.muted.notified() => {}
    }
    world.server.seen.mute.store(false, Ordering::SeqCst);
    let next = tokio::time::timeout(limit * 5, world.fetch())
        .await
        .expect("the lock is free");
    next.expect("fetched");
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
    std::fs::write(world.mirror("HEAD"), "").expect("written");
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

#[tokio::test]
async fn the_check_names_the_library() {
    let world = World::start().await;
    let version = world.git.check().await.expect("checked");
    assert!(version.starts_with("libgit2 1."), "{version}");
}
