//! Commit status and note: by level, with GitLab's quirks.

use seaworthy::model::{BuildId, BuildState, Finding, MergeRequest};
use seaworthy::notify::outbox;
use seaworthy::store::notices::{self, Subject};
use seaworthy::store::trunk;
use world::gitlab::{Access, Mr, OpenMr, Strategy};

use super::scene::{End, Scene, merge_request, notifier};

fn posts(scene: &Scene, path: &str) -> usize {
    let seen = scene.house.gitlab.seen();
    seen.iter()
        .filter(|request| request.method != "GET" && request.path.contains(path))
        .count()
}

async fn refused_status(scene: &Scene, build: BuildId) -> Option<String> {
    sqlx::query_scalar("select refused from told_status where build_id = $1")
        .bind(build.0)
        .fetch_one(&scene.house.pool)
        .await
        .expect("it was told")
}

/// A merge request from a fork.
async fn gift(scene: &Scene) -> Mr {
    scene.house.project("shop/harbour", "harbour").await;
    let options = OpenMr {
        fork: Some("mallory/harbour".into()),
        author: "mallory".into(),
        ..OpenMr::default()
    };
    let gitlab = &scene.house.gitlab;
    let opened = gitlab
        .open_mr("shop/harbour", "gift", &[("CHANGES.md", "x")], options)
        .await;
    opened.expect("a merge request")
}

/// The branch is at the head of this merge request, and that build is its image.
async fn tip(scene: &Scene, mr: &MergeRequest, branch: &str, build: BuildId) -> Subject {
    let (pool, head) = (&scene.house.pool, &mr.head);
    let row = trunk::record(pool, mr.project_id, branch, head, head, build, "ben").await;
    Subject::Tip(row.expect("written").expect("a row"))
}

#[tokio::test]
async fn each_state_is_told_once_and_links_to_the_build() {
    let scene = Scene::build().await;
    let mr = scene.merge_request("states").await;
    let build = scene.add(&mr, BuildState::Queued, End::default()).await;
    let status = Subject::Status(build);
    for _ in 0..2 {
        scene.notifier.tell(status).await.expect("told");
    }
    scene.go_on(build, &mr, BuildState::Running, End::default()).await;
    scene.notifier.tell(status).await.expect("told");
    // Forgotten, as by a worker that died before it could write down what it had told: GitLab's 400 is no failure.
    sqlx::query("delete from told_status")
        .execute(&scene.house.pool)
        .await
        .expect("deleted");
    scene.notifier.tell(status).await.expect("told");
    sqlx::query("update build set state = 'passed', finished_at = now()")
        .execute(&scene.house.pool)
        .await
        .expect("set");
    let (one, other) = tokio::join!(scene.notifier.tell(status), scene.notifier.tell(status));
    one.and(other).expect("told");

    let statuses = scene.house.gitlab.statuses();
    assert_eq!(statuses.len(), 1, "{statuses:?}");
    assert_eq!(statuses[0].history, ["pending", "running", "success"]);
    assert_eq!(
        (statuses[0].name.as_str(), statuses[0].r#ref.as_str()),
        ("seaworthy", "states")
    );
    let page = format!("https://ci.example.com/builds/{build}");
    assert_eq!(statuses[0].target_url.as_deref(), Some(page.as_str()));
    assert_eq!(posts(&scene, "/statuses/"), 4);
    scene.close().await;
}

#[tokio::test]
async fn a_late_worker_tells_only_how_it_is_now_and_whose_fault_it_is() {
    let scene = Scene::build().await;
    let mr = scene.merge_request("late").await;
    let end = End {
        error: Some("registry.example.com does not answer"),
        ..End::default()
    };
    let build = scene.add(&mr, BuildState::Errored, end).await;
    scene.notifier.tell(Subject::Status(build)).await.expect("told");
    let statuses = scene.house.gitlab.statuses();
    assert_eq!(statuses[0].history, ["failed"]);
    let description = statuses[0].description.as_deref();
    assert_eq!(
        description,
        Some("not your fault: registry.example.com does not answer")
    );
    scene.close().await;
}

#[tokio::test]
async fn a_commit_that_gitlab_does_not_know_is_written_down_and_left_alone() {
    let scene = Scene::build().await;
    let mut mr = scene.merge_request("unknown").await;
    mr.head = "00000000000000000000000000000000deadbeef".parse().expect("a commit");
    let build = scene.add(&mr, BuildState::Queued, End::default()).await;
    for _ in 0..2 {
        scene
            .notifier
            .tell(Subject::Status(build))
            .await
            .expect("no error of the job");
    }
    let refused = refused_status(&scene, build).await.expect("written down");
    assert!(refused.contains("404"), "{refused}");
    assert_eq!(posts(&scene, "/statuses/"), 1);
    scene.close().await;
}

#[tokio::test]
async fn the_status_of_a_fork_goes_to_the_fork() {
    let scene = Scene::build().await;
    let mr = merge_request(&gift(&scene).await);
    assert!(mr.from_fork());
    let build = scene.add(&mr, BuildState::Failed, End::default()).await;
    scene.notifier.tell(Subject::Status(build)).await.expect("told");
    let statuses = scene.house.gitlab.statuses();
    assert_eq!(statuses.len(), 1, "{statuses:?}");
    assert_eq!(
        (statuses[0].project.as_str(), statuses[0].state.as_str()),
        ("mallory/harbour", "failed")
    );
    assert_eq!(refused_status(&scene, build).await, None);

    // The fork is gone: nobody can be told, and nobody is asked again.
    let mut orphan = mr.clone();
    orphan.source_project_id = None;
    let build = scene.add(&orphan, BuildState::Failed, End::default()).await;
    scene
        .notifier
        .tell(Subject::Status(build))
        .await
        .expect("no error of the job");
    assert!(
        refused_status(&scene, build)
            .await
            .expect("written down")
            .contains("References")
    );
    scene.close().await;
}

#[tokio::test]
async fn a_tip_from_a_fork_is_told_in_the_project_even_if_it_was_fast_forwarded() {
    let scene = Scene::build().await;
    let gitlab = &scene.house.gitlab;
    let opened = gift(&scene).await;
    let mr = merge_request(&opened);
    let build = scene.add(&mr, BuildState::Passed, End::default()).await;
    scene.notifier.tell(Subject::Status(build)).await.expect("told");
    let merged = gitlab.merge(&opened, Strategy::FastForward).await.expect("merged");
    assert_eq!(merged.after, mr.head.as_str());
    let tip = tip(&scene, &mr, "main", build).await;
    for _ in 0..2 {
        scene.notifier.tell(tip).await.expect("told");
    }
    let statuses = gitlab.statuses();
    let told: Vec<_> = statuses
        .iter()
        .map(|status| (status.project.as_str(), status.r#ref.as_str(), status.state.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("mallory/harbour", "gift", "success"),
            ("shop/harbour", "main", "success")
        ]
    );
    scene.close().await;
}

#[tokio::test]
async fn a_tip_that_is_the_head_of_another_merge_request_keeps_the_status_of_that() {
    let scene = Scene::build().await;
    let mr = scene.merge_request("onward").await;
    let tested = scene.merge_request("tested").await;
    let image = scene.add(&tested, BuildState::Passed, End::default()).await;
    let running = scene.add(&mr, BuildState::Running, End::default()).await;
    scene.notifier.tell(Subject::Status(running)).await.expect("told");
    let tip = tip(&scene, &mr, "onward", image).await;
    scene.notifier.tell(tip).await.expect("told");
    let statuses = scene.house.gitlab.statuses();
    assert_eq!(statuses.len(), 1, "{statuses:?}");
    assert_eq!(statuses[0].history, ["running"]);
    assert_eq!(posts(&scene, "/statuses/"), 1);
    scene.close().await;
}

#[tokio::test]
async fn a_tip_whose_own_build_came_to_nothing_is_told_of_its_image() {
    let scene = Scene::build().await;
    let tested = scene.merge_request("tested").await;
    let image = scene.add(&tested, BuildState::Passed, End::default()).await;
    let mut push = scene.merge_request("trunk").await;
    push.iid = None;
    push.target_branch.clone_from(&push.source_branch);
    let red = scene.add(&push, BuildState::Errored, End::default()).await;
    scene.notifier.tell(Subject::Status(red)).await.expect("told");
    let tip = tip(&scene, &push, "trunk", image).await;
    scene.notifier.tell(tip).await.expect("told");
    let states: Vec<_> = scene
        .house
        .gitlab
        .statuses()
        .into_iter()
        .map(|status| status.state)
        .collect();
    assert_eq!(states, ["failed", "success"]);
    scene.close().await;
}

#[tokio::test]
async fn an_older_build_of_the_same_commit_leaves_the_status_to_the_newer_one() {
    let scene = Scene::build().await;
    let mr = scene.merge_request("again").await;
    let older = scene.add(&mr, BuildState::Superseded, End::default()).await;
    let newer = scene.add(&mr, BuildState::Running, End::default()).await;
    for build in [newer, older] {
        scene.notifier.tell(Subject::Status(build)).await.expect("told");
    }
    let statuses = scene.house.gitlab.statuses();
    assert_eq!(statuses.len(), 1);
    assert_eq!(statuses[0].history, ["running"]);
    scene.close().await;
}

#[tokio::test]
async fn what_gitlab_cannot_take_now_is_told_later() {
    let scene = Scene::build().await;
    let mr = scene.merge_request("down").await;
    let build = scene.add(&mr, BuildState::Running, End::default()).await;
    let subjects = [
        Subject::Status(build),
        Subject::Note(mr.project_id, mr.iid.expect("a number")),
    ];
    for subject in subjects {
        for status in [503, 429, 409] {
            scene.house.gitlab.fail("/api/v4/projects", status, 1);
            let error = scene.notifier.tell(subject).await.expect_err("refused");
            assert!(error.is_transient(), "{error}");
        }
        // A token that has run out is mended by its owner; the merge request must not wait for ever.
        let stranger = notifier(&scene.house, &[("GITLAB_TOKEN", "glpat-00000000000000000000")]);
        let error = stranger.tell(subject).await.expect_err("refused");
        assert!(error.is_transient() && error.to_string().contains("401"), "{error}");
        scene.house.gitlab.go_down().await;
        let error = scene.notifier.tell(subject).await.expect_err("nobody is there");
        assert!(error.is_transient(), "{error}");
        scene.house.gitlab.come_back().await.expect("there again");
        scene.notifier.tell(subject).await.expect("told");
    }
    assert_eq!(scene.house.gitlab.statuses()[0].history, ["running"]);
    assert_eq!(scene.house.gitlab.notes().len(), 1);
    scene.close().await;
}

#[tokio::test]
async fn a_right_that_is_missing_is_written_down() {
    let scene = Scene::build().await;
    let mr = scene.merge_request("rights").await;
    let build = scene.add(&mr, BuildState::Running, End::default()).await;
    scene.house.gitlab.set_access(Access {
        scopes: vec!["api".into()],
        level: 10,
    });
    for subject in [
        Subject::Status(build),
        Subject::Note(mr.project_id, mr.iid.expect("a number")),
    ] {
        scene.notifier.tell(subject).await.expect("no error of the job");
    }
    assert!(
        refused_status(&scene, build)
            .await
            .expect("written down")
            .contains("Developer")
    );
    let refused: Option<String> = sqlx::query_scalar("select refused from told_note")
        .fetch_one(&scene.house.pool)
        .await
        .expect("it was told");
    assert!(refused.expect("written down").contains("Reporter"));
    scene.close().await;
}

#[tokio::test]
async fn one_note_tells_of_all_builds() {
    let scene = Scene::build().await;
    let mr = scene.merge_request("note").await;
    let note = Subject::Note(mr.project_id, mr.iid.expect("a number"));
    let finding = Finding::new("no-war", "No WAR was made", "Set <packaging>war</packaging>.");
    let failed = End {
        finding: Some(finding),
        ..End::default()
    };
    let first = scene.add(&mr, BuildState::Failed, failed).await;
    let (one, other) = tokio::join!(scene.notifier.tell(note), scene.notifier.tell(note));
    one.and(other).expect("told");
    let notes = scene.house.gitlab.notes();
    assert_eq!(
        (notes.len(), notes[0].edits),
        (1, 0),
        "written once, although two told it"
    );
    assert!(notes[0].body.contains("**No WAR was made**"), "{}", notes[0].body);
    assert!(
        notes[0]
            .body
            .contains("What to do: Set &lt;packaging&gt;war&lt;/packaging&gt;."),
        "{}",
        notes[0].body
    );

    let second = scene.add(&mr, BuildState::Superseded, End::default()).await;
    scene.notifier.tell(note).await.expect("told");
    // The number is lost, and then it leads nowhere: the note is found by its mark.
    sqlx::query("delete from told_note")
        .execute(&scene.house.pool)
        .await
        .expect("deleted");
    scene.notifier.tell(note).await.expect("told");
    let third = scene.add(&mr, BuildState::Passed, End::default()).await;
    notices::set_told_note(
        &scene.house.pool,
        mr.project_id,
        mr.iid.expect("a number"),
        Some(987_654),
        None,
        None,
    )
    .await
    .expect("set");
    for _ in 0..2 {
        scene.notifier.tell(note).await.expect("told");
    }
    let notes = scene.house.gitlab.notes();
    assert_eq!((notes.len(), notes[0].edits), (1, 3), "{notes:?}");
    let body = &notes[0].body;
    let place = |build: BuildId| body.find(&format!("/builds/{build})")).expect("named");
    assert!(
        place(third) < place(second) && place(second) < place(first),
        "newest first: {body}"
    );
    assert!(body.contains("- Digest: `sha256:"), "{body}");
    let known = notices::told_note(&scene.house.pool, mr.project_id, mr.iid.expect("a number"))
        .await
        .expect("read");
    assert_eq!(known.expect("told").0, i64::try_from(notes[0].id).ok());
    scene.close().await;
}

#[tokio::test]
async fn the_queue_is_asked_to_look_at_status_and_note() {
    let scene = Scene::build().await;
    let mr = scene.merge_request("announce").await;
    let build = scene.add(&mr, BuildState::Queued, End::default()).await;
    let mut tx = scene.house.pool.begin().await.expect("a transaction");
    for _ in 0..2 {
        outbox::announce(&mut tx, &mr, build).await.expect("written");
    }
    tx.commit().await.expect("committed");
    assert_eq!(
        scene.jobs().await,
        [
            Subject::Status(build),
            Subject::Note(mr.project_id, mr.iid.expect("a number"))
        ]
    );
    scene.close().await;
}
