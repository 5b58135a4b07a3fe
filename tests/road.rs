//! The road on real parts: from GitLab's hook to an image that runs, and to the mail.

use std::time::Duration;

use seaworthy::model::{BuildId, BuildState, ServletApi};
use seaworthy::store::{builds, images, stages};
use world::gitlab::Event;

use crate::house::House;

/// Starts an image as the engine would anywhere, and asks it for its first page from inside; removed at the end.
async fn first_page(house: &House, reference: &str) -> (String, String) {
    // The worker takes its own copy off the engine after the result is recorded; ours is pulled after that.
    house.is_clean().await;
    let name = format!("seaworthy-test-{}", uuid::Uuid::new_v4().simple());
    let docker = async |arguments: &[&str]| {
        let output = house.docker().args(arguments).output().await.expect("docker runs");
        assert!(
            output.status.success(),
            "docker {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    docker(&["run", "--detach", "--name", &name, reference]).await;
    let answer = async {
        loop {
            let asked = house
                .docker()
                .args([
                    "exec",
                    &name,
                    "curl",
                    "--silent",
                    "--show-error",
                    "--write-out",
                    "\n%{http_code}",
                    "http://127.0.0.1:8080/",
                ])
                .output()
                .await
                .expect("docker runs");
            if asked.status.success() {
                return String::from_utf8_lossy(&asked.stdout).into_owned();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let page = tokio::time::timeout(Duration::from_secs(60), answer)
        .await
        .expect("Tomcat answers");
    let user = docker(&["exec", &name, "id", "--user"]).await;
    docker(&["rm", "--force", &name]).await;
    (page, user)
}

#[tokio::test]
async fn a_merge_request_becomes_an_image_that_runs_and_a_mail() {
    let house = House::build().await;
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    let mr = house.merge_request(&service, &project, "berths").await;

    let record = house.passes(1).await;
    let tests = record.tests.expect("tests");
    assert_eq!(
        (
            tests.counts.run,
            tests.counts.skipped,
            tests.counts.failed,
            tests.counts.errors
        ),
        (12, 1, 0, 0)
    );
    assert_eq!(builds::commits(&house.pool, BuildId(1)).await.expect("read").len(), 1);
    let stages: Vec<_> = stages::of_build(&house.pool, BuildId(1))
        .await
        .expect("read")
        .into_iter()
        .map(|s| s.stage)
        .collect();
    assert_eq!(stages, seaworthy::model::Stage::ALL);

    // What the record says is what the registry has, under a tag that names merge request, commit and build.
    let image = images::of_build(&house.pool, BuildId(1))
        .await
        .expect("read")
        .expect("an image");
    let tag = format!("mr-{}-{}-1", mr.iid, &mr.head[..8]);
    assert_eq!(image.pushed.reference, format!("{}/harbour:{tag}", house.repository()));
    assert_eq!(image.servlet, ServletApi::Javax.as_str());
    assert!(
        image
            .dockerfile
            .text
            .contains(&format!("@{}", image.dockerfile.base_digest)),
        "FROM is not pinned"
    );
    let repository = image
        .pushed
        .reference
        .rsplit_once(':')
        .expect("a tag")
        .0
        .split_once('/')
        .expect("a host")
        .1
        .to_owned();
    let found = house.registry.digest(&repository, &tag).await.expect("asked");
    assert_eq!(found.as_deref(), Some(image.pushed.digest.as_str()));

    // The image says of itself what the database says of it.
    let described = seaworthy::dockerfile::describe(&image.dockerfile.labels).expect("labels of ours");
    assert_eq!(described.dockerfile, image.dockerfile.text);
    assert_eq!(described.merge_request.head.as_str(), mr.head);
    assert_eq!(described.war.sha256, image.war_sha256);
    let check = record.war_check.expect("a report");
    assert_eq!(described.findings, check.summary());

    let (page, user) = first_page(&house, &image.pushed.pinned()).await;
    assert!(page.contains("berths free") && page.ends_with("200"), "{page}");
    assert_eq!(user, "10001");

    let mails = house.mails(1).await;
    let to: Vec<_> = mails.iter().flat_map(|mail| mail.to.clone()).collect();
    assert_eq!(to.len(), 1, "author and committer are one person: {to:?}");
    assert!(
        mails[0].subject.starts_with(&format!("PASSED harbour !{}: ", mr.iid)),
        "{}",
        mails[0].subject
    );
    assert!(
        mails[0].text.contains(image.pushed.digest.as_str()),
        "{}",
        mails[0].text
    );
    house.settled().await;
    let history = house
        .gitlab
        .statuses()
        .into_iter()
        .find(|status| status.sha == mr.head)
        .expect("a status")
        .history;
    assert_eq!(history.last().map(String::as_str), Some("success"), "{history:?}");
    let notes = house.gitlab.notes();
    assert_eq!(notes.len(), 1, "one note, edited in place");
    assert!(
        notes[0].body.contains(image.pushed.digest.as_str()),
        "{}",
        notes[0].body
    );

    house.is_clean().await;
    assert!(service.terminate().await < Duration::from_secs(10));
    house.close().await;
}

#[tokio::test]
async fn a_reactor_of_jakarta_modules_takes_the_other_stack() {
    let house = House::build().await;
    let service = house.serve("worker", &[]).await;
    let project = house.project("coast/lighthouse", "lighthouse").await;
    house.merge_request(&service, &project, "lamp").await;
    let record = house.passes(1).await;
    assert_eq!(record.tests.expect("tests").counts.run, 14);
    let image = images::of_build(&house.pool, BuildId(1))
        .await
        .expect("read")
        .expect("an image");
    assert_eq!(
        (image.dockerfile.stack.as_str(), image.servlet.as_str()),
        ("tomcat10", "jakarta")
    );
    assert_eq!(image.war_path, "web/target/lighthouse-web-1.0.war");
    let (page, _) = first_page(&house, &image.pushed.pinned()).await;
    assert!(page.ends_with("200"), "{page}");
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn a_newer_push_supersedes_and_a_label_does_not() {
    let house = House::build().await;
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/slow", "hangs").await;
    let mr = house.merge_request(&service, &project, "fog").await;
    house
        .wait(1, "its tests", |record| {
            record.build.state == BuildState::Running && record.log_lines > 20
        })
        .await;

    let labelled = house.gitlab.edit_labels(&mr, &["urgent"]).expect("labelled");
    house.deliver(&service, &labelled, Event::Labels).await;
    let pushed = house
        .gitlab
        .push(&labelled, &[("CHANGES.md", "second")], "Second")
        .await
        .expect("pushed");
    let begin = tokio::time::Instant::now();
    house.deliver(&service, &pushed, Event::Push).await;
    let first = house.wait(1, "its end", |record| record.build.state.is_final()).await;
    assert_eq!(first.build.state, BuildState::Superseded);
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "the older build stopped after {:?}",
        begin.elapsed()
    );
    house
        .wait(2, "its start", |record| record.build.state == BuildState::Running)
        .await;
    assert!(house.record(3).await.is_none(), "a label made a build");
    let (state, by) = (seaworthy::store::jobs::Lane::Build, "test");
    assert!(
        seaworthy::store::jobs::request_cancel(&house.pool, BuildId(2), "cancelled", by)
            .await
            .expect("asked"),
        "{state:?}"
    );
    assert_eq!(house.end(2).await.build.state, BuildState::Cancelled);
    house.is_clean().await;
    house.close().await;
    drop(service);
}
