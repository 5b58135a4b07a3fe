//! What is pushed to a target branch: the image of the tree that was tested, or a build of its own. First over a real database,
//! then with real Git, then on the whole road.

use std::time::Duration;

use seaworthy::clients::git::Merged;
use seaworthy::intake;
use seaworthy::model::{BuildId, BuildState, ProjectId, ProjectPath, Role, Sha, Trigger};
use seaworthy::store::jobs::{self, Claim, Lane};
use seaworthy::store::{audit, builds, images, tokens, trunk};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use world::gitlab::{GitLab, OpenMr, Pushed, Strategy};

use crate::hooks::{Desk, everything, fixture, tree_of};
use crate::house::{HOOK_SECRET, House, PATIENCE, Service, sample};

/// The project of the fixtures.
const PROJECT: ProjectId = ProjectId(4711);

/// A commit of the desk: the last eight digits decide about its tree.
fn commit(begin: &str, end: &str) -> Sha {
    format!("{}{}", begin.repeat(32), end.repeat(8))
        .parse()
        .expect("a commit id")
}

/// The hook of a push to `main`.
fn push(tip: &Sha) -> Vec<u8> {
    let mut hook: Value = serde_json::from_slice(&fixture("20-push-event.json")).expect("JSON");
    hook["after"] = tip.as_str().into();
    hook.to_string().into_bytes()
}

impl Desk {
    async fn pushed(&self, tip: &Sha) -> (String, Option<i64>) {
        let delivery = self.decide("Push Hook", push(tip)).await;
        (delivery.reason.expect("a reason"), delivery.build_id)
    }

    /// The build of `01-open.json` runs and has looked at its source.
    async fn running(&self) -> (Claim, BuildId) {
        self.decide("Merge Request Hook", fixture("01-open.json")).await;
        let (claim, id) = self.start_build().await;
        self.check_out(&claim, id, &tree_of(&commit("a", "a"))).await;
        (claim, id)
    }

    async fn check_out(&self, claim: &Claim, id: BuildId, tree: &Sha) {
        let known = builds::record_source(&self.pool, claim, id, &commit("9", "9"), Some(tree)).await;
        assert!(known.expect("it is written"));
    }

    /// The end of a build as the lane writes it.
    async fn end(&self, claim: &Claim, id: BuildId, state: BuildState) {
        let record = builds::get(&self.pool, id).await.expect("read").expect("a build");
        let mr = record.build.merge_request;
        let mut tx = self.pool.begin().await.expect("a transaction");
        trunk::lock(&mut *tx, mr.project_id, &mr.target_branch)
            .await
            .expect("locked");
        builds::finish(&mut *tx, id, state, None, None, None)
            .await
            .expect("written");
        if state == BuildState::Passed {
            sqlx::query(
                "insert into image (build_id, application, stack, reference, digest, image_id, dockerfile, dockerfile_sha256,
                                    base_name, base_digest, war_path, war_sha256, war_bytes, servlet, servlet_evidence,
                                    labels, worker)
                 values ($1, 'basket', 's', 'r', $2, $2, '', $2, 'b', $2, 'w', $2, 1, 'javax', '', '{}', 'w')",
            )
            .bind(id.0)
            .bind(format!("sha256:{:064}", id.0))
            .execute(&mut *tx)
            .await
            .expect("an image");
        }
        assert!(jobs::finish(&mut *tx, claim).await.expect("written"));
        intake::settle(&mut tx, id, state == BuildState::Passed)
            .await
            .expect("settled");
        tx.commit().await.expect("written");
    }

    async fn image(&self, tip: &Sha) -> Option<BuildId> {
        trunk::image(&self.pool, PROJECT, "main", tip).await.expect("read")
    }

    /// Action and actor of each row of the audit trail.
    async fn trail(&self) -> Vec<(String, String)> {
        let rows = audit::after(&self.pool, 0, 100).await.expect("read");
        rows.into_iter().map(|row| (row.action, row.actor)).collect()
    }

    async fn builds(&self) -> i64 {
        self.count("select count(*) from build").await
    }
}

#[tokio::test]
async fn a_tested_tree_is_not_built_again_however_often_it_is_told() {
    let desk = Desk::open().await;
    let (claim, id) = desk.running().await;
    desk.end(&claim, id, BuildState::Passed).await;
    let tip = commit("1", "a");
    sqlx::query("delete from job").execute(&desk.pool).await.expect("empty");
    let first = desk.deliver("Push Hook", push(&tip)).await;
    desk.work().await;
    let decided = desk.stored(first).await;
    assert_eq!(
        decided.reason.as_deref(),
        Some("main is at 11111111: the tree that build 1 tested; its image is the trunk's")
    );
    assert_eq!(
        (decided.decision.as_deref(), decided.build_id),
        (Some("ignored"), Some(1))
    );
    assert_eq!(desk.image(&tip).await, Some(id));
    // The note on the merge request is looked over.
    assert_eq!(
        desk.count("select count(*) from job where subject = 'note:4711!7'")
            .await,
        1
    );

    // And GitLab is told of the commit, which no build is of.
    assert_eq!(
        desk.count("select count(*) from job where subject like 'tip:%'").await,
        1
    );

    // The same again, and the same delivery once more.
    assert_eq!(desk.pushed(&tip).await.0, "main is at 11111111: build 1 is its image");
    jobs::enqueue(&desk.pool, Lane::Intake, &first.to_string(), "", Duration::ZERO)
        .await
        .expect("asked for");
    desk.work().await;
    assert_eq!(desk.builds().await, 1);
    assert_eq!(desk.trail().await, [("trunk.tested".to_owned(), "ada".to_owned())]);
    desk.close().await;
}

#[tokio::test]
async fn merged_while_its_build_is_under_way() {
    let desk = Desk::open().await;
    desk.decide("Merge Request Hook", fixture("01-open.json")).await;
    // Before a worker has looked at the source, and after.
    let (early, late) = (commit("1", "a"), commit("2", "a"));
    let waits = |tip: &Sha| {
        let short = tip.short();
        format!("main is at {short}: the tree that build 1 is at; its image will be the trunk's")
    };
    assert_eq!(desk.pushed(&early).await, (waits(&early), Some(1)));
    let (claim, id) = desk.start_build().await;
    desk.check_out(&claim, id, &tree_of(&early)).await;
    assert_eq!(desk.pushed(&late).await, (waits(&late), Some(1)));
    assert_eq!(desk.image(&late).await, None);
    desk.end(&claim, id, BuildState::Passed).await;
    assert_eq!(
        (desk.image(&early).await, desk.image(&late).await),
        (Some(id), Some(id))
    );
    assert_eq!(desk.builds().await, 1);
    assert_eq!(desk.trail().await.len(), 2);
    desk.close().await;
}

#[tokio::test]
async fn a_build_that_gives_no_image_leaves_the_tip_to_one_of_its_own() {
    let desk = Desk::open().await;
    let (claim, id) = desk.running().await;
    let tip = commit("1", "a");
    let delivery = desk.deliver("Push Hook", push(&tip)).await;
    desk.work().await;
    desk.end(&claim, id, BuildState::Errored).await;
    assert_eq!(desk.work().await.len(), 1, "the push is looked at again");
    let again = desk.stored(delivery).await;
    assert_eq!((again.decision.as_deref(), again.build_id), (Some("build"), Some(2)));
    let (claim, own) = desk.start_build().await;
    desk.check_out(&claim, own, &tree_of(&tip)).await;
    desk.end(&claim, own, BuildState::Failed).await;
    // Its own build has said what there is to say: nothing is looked at for ever.
    assert_eq!(desk.work().await.len(), 0);
    let reason = desk.pushed(&tip).await.0;
    assert_eq!(reason, "main is at 11111111: already built as #2, without an image");
    assert_eq!((desk.image(&tip).await, desk.builds().await), (None, 2));
    desk.close().await;
}

#[tokio::test]
async fn a_newer_tip_supersedes_what_waits_and_lets_run_what_runs() {
    let desk = Desk::open().await;
    let tips = [commit("1", "b"), commit("2", "c"), commit("3", "d")];
    desk.pushed(&tips[0]).await;
    let (claim, first) = desk.start_build().await;
    desk.pushed(&tips[1]).await;
    let (reason, third) = desk.pushed(&tips[2]).await;
    assert_eq!(
        (reason.as_str(), third),
        ("main is at 33333333: a tree that no build has tested", Some(3))
    );
    let states = [desk.state(1).await, desk.state(2).await, desk.state(3).await];
    assert_eq!(
        states,
        [BuildState::Running, BuildState::Superseded, BuildState::Queued]
    );
    desk.check_out(&claim, first, &tree_of(&tips[0])).await;
    desk.end(&claim, first, BuildState::Passed).await;
    assert_eq!(desk.image(&tips[0]).await, Some(first));
    assert_eq!(desk.trail().await, [("trunk.built".to_owned(), "ada".to_owned())]);
    // The time of a tip is that of its push: a build that ends late does not turn the order round.
    let known = trunk::known(&desk.pool, PROJECT, "main")
        .await
        .expect("read")
        .expect("a trunk");
    assert_eq!(known.tip, tips[2]);
    let record = builds::get(&desk.pool, BuildId(3))
        .await
        .expect("read")
        .expect("a build");
    let mr = record.build.merge_request;
    assert_eq!((mr.iid, mr.title.as_str()), (None, "Change 33333333"));
    assert_eq!(
        (mr.author.username.as_str(), mr.source_branch.as_str()),
        ("ada", "main")
    );
    assert!(
        mr.url.ends_with(&format!("/shop/basket/-/commit/{}", tips[2])),
        "{}",
        mr.url
    );
    desk.close().await;
}

#[tokio::test]
async fn a_push_of_yesterday_builds_nothing() {
    let desk = Desk::open().await;
    *desk.tip.lock().expect("nobody panics here") = Some(commit("2", "c"));
    let reason = desk.pushed(&commit("1", "b")).await.0;
    assert_eq!(reason, "main is at 22222222 by now: 11111111 is not built");
    assert_eq!(
        (desk.builds().await, desk.count("select count(*) from trunk").await),
        (0, 0)
    );
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_and_the_end_of_its_build_never_miss_each_other() {
    let desk = Desk::open().await;
    for round in 0..40 {
        desk.empty().await;
        let (claim, id) = desk.running().await;
        let tip = commit("1", "a");
        desk.deliver("Push Hook", push(&tip)).await;
        let end = async {
            tokio::time::sleep(Duration::from_micros(200 * (round % 20))).await;
            desk.end(&claim, id, BuildState::Passed).await;
        };
        tokio::join!(desk.work(), end);
        desk.work().await;
        assert_eq!(desk.image(&tip).await, Some(id), "round {round}");
        assert_eq!(desk.builds().await, 1, "round {round}");
    }
    desk.close().await;
}

#[tokio::test]
async fn a_trunk_that_moved_unseen_heals_once() {
    let desk = Desk::open().await;
    let (claim, id) = desk.running().await;
    desk.end(&claim, id, BuildState::Passed).await;
    let path: ProjectPath = "shop/basket".parse().expect("a path");
    let heal = async |tip: Sha| {
        let tip = &tip;
        let tip_of = |_, _| async move { Ok(Some(tip.clone())) };
        let look = |push, waiting| desk.look(push, waiting);
        let healed = intake::heal_trunk(&desk.pool, &everything, tip_of, look, (PROJECT, &path)).await;
        let healed = healed.expect("healed");
        healed
            .into_iter()
            .map(|outcome| (outcome.made.map(|id| id.0), outcome.reason))
            .collect::<Vec<_>>()
    };
    // At first sight nothing is built, and after that only what moved.
    let old = commit("1", "b");
    let remembered = "main is at 11111111, seen for the first time".to_owned();
    assert_eq!(heal(old.clone()).await, [(None, remembered)]);
    assert_eq!(heal(old).await, []);
    let moved = commit("2", "c");
    let lost = "main is at 22222222: found by comparing, its webhook was lost".to_owned();
    assert_eq!(heal(moved.clone()).await, [(Some(2), lost)]);
    assert_eq!(heal(moved.clone()).await, []);
    let record = builds::get(&desk.pool, BuildId(2))
        .await
        .expect("read")
        .expect("a build");
    assert_eq!(record.build.trigger, Trigger::Poll);
    // A merge whose hook was lost, and the hook that comes late.
    let merged = commit("3", "a");
    let tested = "main is at 33333333: the tree that build 1 tested; its image is the trunk's".to_owned();
    assert_eq!(heal(merged.clone()).await, [(None, tested)]);
    assert_eq!(desk.state(2).await, BuildState::Superseded);
    assert_eq!(heal(merged.clone()).await, []);
    assert_eq!(
        desk.pushed(&merged).await.0,
        "main is at 33333333: build 1 is its image"
    );
    assert_eq!(
        desk.trail().await,
        [("trunk.tested".to_owned(), "seaworthy".to_owned())]
    );
    desk.close().await;
}

#[tokio::test]
async fn every_way_to_merge_gives_the_tree_that_was_tested() {
    let dir = world::World::attach().scratch().expect("a folder");
    let gitlab = GitLab::start(&dir.join("gitlab"), 0).await.expect("GitLab starts");
    let git = crate::git_client::client(&dir, &gitlab.url(), &gitlab.git_token());
    let go = CancellationToken::new();
    for (at, strategy) in [
        Strategy::MergeCommit,
        Strategy::FastForward,
        Strategy::Squash,
        Strategy::Rebase,
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("shop/basket-{at}");
        let project = gitlab
            .create_project(&path, &sample("notests"))
            .await
            .expect("a project");
        let mr = gitlab
            .open_mr(
                &path,
                "bell",
                &[("BELL", "ding"), ("pom.xml", "<!-- other -->")],
                OpenMr::default(),
            )
            .await
            .expect("a merge request");
        let mr = gitlab.push(&mr, &[("BELL", "dong")], "Louder").await.expect("pushed");
        let id = ProjectId(project.id.try_into().expect("a small number"));
        let named: ProjectPath = path.parse().expect("a path");
        let fetched = git
            .fetch(&named, id, Some(1), "main", &go, |_| {})
            .await
            .expect("fetched");
        let tree = async |head: &Sha, target: &Sha| match git.merge(id, head, target).await {
            Ok(Merged::Tree { tree, .. }) => tree,
            other => panic!("{strategy:?}: {other:?}"),
        };
        let tested = tree(&fetched.head, &fetched.target_tip).await;
        let pushed = gitlab.merge(&mr, strategy).await.expect("merged");
        let now = git.fetch(&named, id, None, "main", &go, |_| {}).await.expect("fetched");
        assert_eq!((now.head.as_str(), &now.target_tip), (pushed.after.as_str(), &now.head));
        assert_eq!(tree(&now.head, &now.head).await, tested, "{strategy:?}");
        // A build that begins only now builds the same.
        assert_eq!(tree(&fetched.head, &now.head).await, tested, "{strategy:?}");
        let since = git
            .commits(id, &now.head, Some(&fetched.target_tip))
            .await
            .expect("a list");
        let count = match strategy {
            Strategy::MergeCommit => 3,
            Strategy::FastForward | Strategy::Rebase => 2,
            Strategy::Squash => 1,
        };
        assert_eq!(since.len(), count, "{strategy:?}");
        let gone: Sha = "5".repeat(40).parse().expect("a commit id");
        for none in [None, Some(&now.head), Some(&gone)] {
            let alone = git.commits(id, &now.head, none).await.expect("a list");
            assert_eq!((alone.len(), &alone[0].sha), (1, &now.head));
        }
    }
}

impl House {
    async fn deliver_push(&self, service: &Service, pushed: &Pushed) {
        let hook = self.gitlab.push_webhook(pushed).await.expect("a webhook");
        // Twice, as GitLab does when it did not hear the answer.
        for _ in 0..2 {
            let url = format!("{}/hooks/gitlab", service.url);
            let answer = hook.deliver(&url, Some(HOOK_SECRET)).await.expect("an answer");
            assert_eq!(answer.status, 202, "{}", answer.body);
        }
    }

    /// Waits until all that was delivered is decided; the newest reason.
    async fn decided(&self) -> String {
        let wait = async {
            loop {
                let newest: Option<(Option<String>, i64)> = sqlx::query_as(
                    "select reason, (select count(*) from delivery where decision is null) from delivery
                     order by id desc limit 1",
                )
                .fetch_optional(&self.pool)
                .await
                .expect("read");
                if let Some((Some(reason), 0)) = newest {
                    return reason;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("it is decided")
    }

    async fn digest(&self, build: i64) -> String {
        let image = images::of_build(&self.pool, BuildId(build)).await.expect("read");
        image.expect("an image").pushed.digest.to_string()
    }

    /// The digest of the trunk's image at this tip.
    async fn trunk_digest(&self, pushed: &Pushed) -> String {
        let project = self.gitlab.project(&pushed.project).expect("a project");
        let project = ProjectId(project.id.try_into().expect("a small number"));
        let tip: Sha = pushed.after.parse().expect("a commit id");
        let build = trunk::image(&self.pool, project, &pushed.branch, &tip)
            .await
            .expect("read");
        self.digest(build.expect("the tip has an image").0).await
    }
}

#[tokio::test]
async fn a_merged_tree_keeps_its_digest_and_a_moved_trunk_is_built() {
    let house = House::build().await;
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    let first = house.merge_request(&service, &project, "berths").await;
    house.passes(1).await;
    let options = OpenMr::default();
    let edits = [("src/main/webapp/second.html", "second")];
    let second = house
        .gitlab
        .open_mr(&project.path, "second", &edits, options)
        .await
        .expect("opened");
    house.deliver(&service, &second, world::gitlab::Event::Open).await;
    house.passes(2).await;

    // The target did not move: what was tested is what is merged.
    let merged = house.gitlab.merge(&first, Strategy::Squash).await.expect("merged");
    house.deliver_push(&service, &merged).await;
    let reason = house.decided().await;
    let short = &merged.after[..8];
    assert_eq!(
        reason,
        format!("main is at {short}: the tree that build 1 tested; its image is the trunk's")
    );
    assert_eq!(house.trunk_digest(&merged).await, house.digest(1).await);
    assert!(house.record(3).await.is_none(), "a second build");
    house.settled().await;
    let note = house
        .gitlab
        .notes()
        .into_iter()
        .find(|note| note.iid == first.iid)
        .expect("a note");
    assert!(
        note.body
            .contains(&format!("Image of the trunk: main at {}", merged.after)),
        "{}",
        note.body
    );

    let statuses = house.gitlab.statuses();
    let shown: Vec<_> = statuses.iter().filter(|status| status.sha == merged.after).collect();
    let [shown] = shown[..] else {
        panic!("not one status at the merge: {statuses:?}")
    };
    assert_eq!((shown.state.as_str(), shown.r#ref.as_str()), ("success", "main"));
    let digest = house.digest(1).await;
    assert_eq!(
        shown.description.as_deref().unwrap_or_default(),
        format!("the tree that build 1 tested; its image is this commit's: {digest}")
    );
    let page = shown.target_url.as_deref().unwrap_or_default();
    assert!(page.ends_with("/builds/1"), "{page}");

    // It has moved: the merge is a tree that nobody has seen.
    let moved = house
        .gitlab
        .merge(&second, Strategy::MergeCommit)
        .await
        .expect("merged");
    house.deliver_push(&service, &moved).await;
    let record = house.passes(3).await;
    let mr = &record.build.merge_request;
    assert_eq!((mr.iid, mr.head.as_str()), (None, moved.after.as_str()));
    assert_eq!(record.build.target_tip.as_ref(), Some(&mr.head));
    let commits = builds::commits(&house.pool, BuildId(3)).await.expect("read");
    assert_eq!(commits.len(), 2, "the merge and what it brought: {commits:?}");
    let digest = house.trunk_digest(&moved).await;
    assert_eq!(digest, house.digest(3).await);
    assert_ne!(digest, house.digest(2).await);
    let image = images::of_build(&house.pool, BuildId(3))
        .await
        .expect("read")
        .expect("an image");
    let tag = format!("main-{}-3", &moved.after[..8]);
    assert_eq!(image.pushed.reference, format!("{}/harbour:{tag}", house.repository()));
    let described = seaworthy::dockerfile::describe(&image.dockerfile.labels).expect("labels of ours");
    assert_eq!(
        (described.merge_request.iid, described.merge_request.head.as_str()),
        (None, moved.after.as_str())
    );
    assert!(
        described.to_string().contains("push to        shop/harbour main  "),
        "{described}"
    );
    house.settled().await;
    let statuses = house.gitlab.statuses();
    let status = statuses
        .iter()
        .find(|status| status.sha == moved.after)
        .expect("a status");
    assert_eq!((status.state.as_str(), status.r#ref.as_str()), ("success", "main"));
    assert_eq!(house.gitlab.notes().len(), 2, "one a merge request");
    let mails = house.mails(3).await;
    let mail = mails
        .iter()
        .find(|mail| mail.subject.starts_with("PASSED harbour main: "))
        .expect("a mail");
    assert!(
        mail.text
            .contains(&format!("main at {}, pushed by Ben", &moved.after[..8])),
        "{}",
        mail.text
    );

    // It can be made again from what it says of itself.
    let token = "swt_auditor";
    let made = tokens::create(&house.pool, "auditor", token, Role::Developer).await;
    assert!(made.expect("a token"));
    let (equal, text) = house
        .program_as(&service, token, &["reproduce", &image.pushed.pinned()])
        .await;
    assert!(equal, "{text}\n{}", house.log_of(4).await);
    assert_eq!(
        house.trunk_digest(&moved).await,
        digest,
        "what is made again is not the trunk's"
    );
    house.is_clean().await;
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn merged_while_it_is_built_and_a_push_whose_hook_is_lost() {
    let mut house = House::build().await;
    house.set("gitlab.poll_interval", "2s");
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    let mr = house.merge_request(&service, &project, "berths").await;
    house
        .wait(1, "its start", |record| record.build.state == BuildState::Running)
        .await;
    let merged = house.gitlab.merge(&mr, Strategy::FastForward).await.expect("merged");
    house.deliver_push(&service, &merged).await;
    let reason = house.decided().await;
    assert!(
        reason.ends_with("the tree that build 1 is at; its image will be the trunk's"),
        "{reason}"
    );
    house.passes(1).await;
    assert_eq!(house.trunk_digest(&merged).await, house.digest(1).await);
    assert!(house.record(2).await.is_none(), "a second build");
    house.settled().await;
    let statuses = house.gitlab.statuses();
    let of_tip = statuses.iter().filter(|status| status.sha == merged.after);
    assert_eq!(
        of_tip.count(),
        1,
        "fast-forwarded, it has that of its build: {statuses:?}"
    );
    let told: bool = sqlx::query_scalar("select told_at is not null from trunk where tip = $1")
        .bind(&merged.after)
        .fetch_one(&house.pool)
        .await
        .expect("read");
    assert!(told, "it was looked at");

    // Nobody tells of this one, nor of the branch that nothing is merged into.
    let lost = house
        .gitlab
        .push_to(&project.path, "main", &[("LOST", "1")], "Lost")
        .await
        .expect("pushed");
    let build = house.wait(2, "its making", |_| true).await.build;
    assert_eq!(
        (build.trigger, build.merge_request.head.as_str()),
        (Trigger::Poll, lost.after.as_str())
    );
    assert_eq!(build.merge_request.title, "Lost");
    let page = format!("{}/shop/harbour/-/commit/{}", house.gitlab.url(), lost.after);
    assert_eq!(build.merge_request.url, page);
    let side = house
        .gitlab
        .push_to(&project.path, "side", &[("SIDE", "1")], "Side")
        .await
        .expect("pushed");
    house.deliver_push(&service, &side).await;
    assert_eq!(
        house.decided().await,
        "push to side: a branch is built through its merge request"
    );
    let gone = house
        .gitlab
        .delete_branch(&project.path, "side")
        .await
        .expect("deleted");
    house.deliver_push(&service, &gone).await;
    assert_eq!(house.decided().await, "branch side was deleted");
    house.passes(2).await;
    assert_eq!(house.trunk_digest(&lost).await, house.digest(2).await);
    assert!(house.record(3).await.is_none(), "a third build");
    house.close().await;
    drop(service);
}
