//! Nothing accepted is lost and nothing is done twice: dead workers, parts that are away, many workers at once.

use std::collections::BTreeSet;
use std::time::Duration;

use seaworthy::clients::certificates::Certificates;
use seaworthy::clients::registry::Registry;
use seaworthy::config::Config;
use seaworthy::model::{BuildId, BuildState, Digest, Stage, StageState};
use seaworthy::sbom::MEDIA_TYPE;
use seaworthy::store::{components, images, stages};
use world::gitlab::OpenMr;

use crate::house::{House, Own};

/// How long a part is away.
const OUTAGE: Duration = Duration::from_secs(30);

/// Waits until this stage of the build is running.
async fn reaches(house: &House, build: i64, stage: Stage) {
    let wait = async {
        loop {
            let all = stages::of_build(&house.pool, BuildId(build)).await.unwrap_or_default();
            if all.iter().any(|s| s.stage == stage && s.state == StageState::Running) {
                return;
            }
            assert!(
                !all.iter().any(|s| s.stage == stage && s.state != StageState::Running),
                "stage {stage} was over before it was seen"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), wait)
        .await
        .expect("the stage begins");
}

/// The tags of an application in the registry, those apart under which documents beside an image are listed.
async fn tags(house: &House, application: &str) -> Vec<String> {
    let (host, namespace) = house
        .repository()
        .split_once('/')
        .map(|(h, n)| (h.to_owned(), n.to_owned()))
        .expect("a host");
    let answer = reqwest::Client::new()
        .get(format!("http://{host}/v2/{namespace}/{application}/tags/list"))
        .basic_auth(&house.registry.user, Some(&house.registry.password))
        .send()
        .await
        .expect("the registry answers");
    let list: serde_json::Value = answer.json().await.expect("a list");
    list["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tag| tag.as_str().map(str::to_owned))
        .filter(|tag| !tag.starts_with("sha256-"))
        .collect()
}

/// After all is told: one mail, one tag, the right end of the commit status, nothing left.
async fn ended_once(house: &House, application: &str, head: &str) {
    house.settled().await;
    assert_eq!(house.mails(1).await.len(), 1, "one mail");
    assert_eq!(tags(house, application).await.len(), 1, "one tag");
    let image = images::of_build(&house.pool, BuildId(1))
        .await
        .expect("read")
        .expect("an image");
    let (name, tag) = image.pushed.reference.rsplit_once(':').expect("a tag");
    let repository = name.split_once('/').expect("a host").1;
    let found = house.registry.digest(repository, tag).await.expect("asked");
    assert_eq!(
        found.as_deref(),
        Some(image.pushed.digest.as_str()),
        "the record has what the registry has"
    );
    let kept = components::document(&house.pool, BuildId(1))
        .await
        .expect("read")
        .expect("a document");
    let config = Config::load(None, house.environment(1)).expect("a configuration");
    let client = Registry::new(&config, &Certificates::load(None).expect("certificates"));
    let beside = client
        .attached(&image.pushed.pinned(), MEDIA_TYPE)
        .await
        .expect("an answer");
    let beside = beside.map(|document| Digest::of(&document));
    assert_eq!(
        beside,
        Some(kept.0),
        "the libraries in the record are those beside the image"
    );
    let last = house
        .gitlab
        .statuses()
        .into_iter()
        .rfind(|status| status.sha == head)
        .expect("a status");
    assert_eq!(last.state, "success");
    house.is_clean().await;
}

async fn killed_in(stage: Stage) {
    let house = House::build().await;
    let service = house.serve("first", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    let mr = house.merge_request(&service, &project, "berths").await;
    reaches(&house, 1, stage).await;
    service.kill().await;
    let service = house.serve("second", &[]).await;
    let record = house.passes(1).await;
    assert_eq!(record.build.worker.as_deref(), Some("second"));
    ended_once(&house, "harbour", &mr.head).await;
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn killed_in_checkout_the_build_still_ends_right() {
    killed_in(Stage::Checkout).await;
}

#[tokio::test]
async fn killed_in_unit_test_the_build_still_ends_right() {
    killed_in(Stage::UnitTest).await;
}

#[tokio::test]
async fn killed_in_package_the_build_still_ends_right() {
    killed_in(Stage::Package).await;
}

#[tokio::test]
async fn killed_in_dockerfile_the_build_still_ends_right() {
    killed_in(Stage::Dockerfile).await;
}

#[tokio::test]
async fn killed_in_image_the_build_still_ends_right() {
    killed_in(Stage::Image).await;
}

#[tokio::test]
async fn killed_in_push_the_build_still_ends_right() {
    killed_in(Stage::Push).await;
}

#[tokio::test]
async fn two_services_share_twenty_builds() {
    let house = House::build().await;
    let services = [
        house.serve("one", &[]).await,
        house.serve("two", &["--worker-only"]).await,
    ];
    for project in ["a/first", "a/second", "b/third", "b/fourth"] {
        let project = house.project(project, "notests").await;
        for branch in ["v", "w", "x", "y", "z"] {
            house.merge_request(&services[0], &project, branch).await;
        }
    }
    let mut workers = BTreeSet::new();
    for id in 1..=20 {
        let record = house.passes(id).await;
        assert_eq!(record.build.attempt, 1, "build {id} was begun more than once");
        workers.extend(record.build.worker);
    }
    assert_eq!(workers.len(), 2, "both worked: {workers:?}");
    assert!(house.record(21).await.is_none());
    house.is_clean().await;
    house.close().await;
    drop(services);
}

#[tokio::test]
async fn a_worker_that_stops_hands_its_build_back() {
    let house = House::build().await;
    let service = house.serve("first", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    house.merge_request(&service, &project, "berths").await;
    reaches(&house, 1, Stage::UnitTest).await;
    assert!(service.terminate().await < Duration::from_secs(10));
    let record = house.record(1).await.expect("the build");
    assert_eq!(record.build.state, BuildState::Queued, "handed back");
    assert_eq!(house.leftovers().await, Vec::<String>::new());
    let service = house.serve("second", &[]).await;
    let record = house.passes(1).await;
    assert_eq!(record.build.attempt, 2);
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn postgres_may_be_away_for_a_while() {
    let house = House::build_with(Own {
        postgres: true,
        ..Own::default()
    })
    .await;
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    let mr = house.merge_request(&service, &project, "berths").await;
    reaches(&house, 1, Stage::UnitTest).await;
    house.postgres.stop().await.expect("stopped");
    tokio::time::sleep(OUTAGE).await;
    house.postgres.start_again().await.expect("started");
    house.passes(1).await;
    ended_once(&house, "harbour", &mr.head).await;
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn the_registry_may_be_away_for_a_while() {
    let mut house = House::build_with(Own {
        registry: true,
        ..Own::default()
    })
    .await;
    house.set("worker.attempts", "8");
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    let mr = house.merge_request(&service, &project, "berths").await;
    reaches(&house, 1, Stage::UnitTest).await;
    house.wait(1, "its tests", |record| record.log_lines > 25).await;
    house.registry.stop().await.expect("stopped");
    tokio::time::sleep(OUTAGE).await;
    house.registry.start_again().await.expect("started");
    house.passes(1).await;
    ended_once(&house, "harbour", &mr.head).await;
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn mail_server_and_gitlab_may_be_away_for_a_while() {
    let house = House::build().await;
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    let mr = house.merge_request(&service, &project, "berths").await;
    reaches(&house, 1, Stage::UnitTest).await;
    house.smtp.stop().await.expect("stopped");
    house.gitlab.go_down().await;
    let begin = tokio::time::Instant::now();
    // Neither changes the colour of a build, nor holds it up.
    house.passes(1).await;
    tokio::time::sleep_until(begin + OUTAGE).await;
    house.gitlab.come_back().await.expect("back");
    house.smtp.start_again().await.expect("started");
    ended_once(&house, "harbour", &mr.head).await;
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn a_hook_that_was_lost_is_healed() {
    let mut house = House::build().await;
    house.set("gitlab.poll_interval", "1s");
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/quick", "notests").await;
    house.merge_request(&service, &project, "known").await;
    house.passes(1).await;
    // Nobody tells the service of this one.
    house
        .gitlab
        .open_mr(&project.path, "lost", &[("LOST.md", "x")], OpenMr::default())
        .await
        .expect("a merge request");
    let record = house.passes(2).await;
    assert_eq!(record.build.trigger, seaworthy::model::Trigger::Poll);
    house.close().await;
    drop(service);
}
