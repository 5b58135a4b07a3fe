//! The boot check: what starts passes, what does not is a finding with the cause in its first line.

use seaworthy::model::{BuildState, Finding, Stage, StageState};
use seaworthy::store::stages;

use crate::house::House;

/// Sends the sample application down the road with these lines in its pipeline.
async fn sent(lines: &str) -> (House, seaworthy::store::builds::BuildRecord) {
    let mut house = House::build().await;
    house.define(lines);
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/moods", "moods").await;
    house.merge_request(&service, &project, "mood").await;
    let record = house.end(1).await;
    house.is_clean().await;
    drop(service);
    (house, record)
}

/// What the boot check must find, and nothing of it may have been pushed.
async fn finding(mood: &str, lines: &str) -> Finding {
    finding_with(mood, lines, "").await
}

async fn finding_with(mood: &str, lines: &str, variables: &str) -> Finding {
    let (house, record) = sent(&format!(
        "[boot]\n{lines}\n[boot.environment]\nMOOD = \"{mood}\"\n{variables}"
    ))
    .await;
    let log = house.log_of(1).await;
    assert_eq!(record.build.state, BuildState::Failed, "{log}");
    let all = stages::of_build(&house.pool, record.build.id).await.expect("read");
    let last = all.last().expect("a stage");
    assert_eq!((last.stage, last.state), (Stage::Boot, StageState::Failed), "{log}");
    let finding = record.build.finding.expect("a finding");
    let mails = house.mails(1).await;
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words(&mails[0].text).contains(&words(&finding.title)),
        "{}",
        mails[0].text
    );
    house.close().await;
    finding
}

#[track_caller]
fn says(finding: &Finding, rule: &str, title: &str) {
    assert_eq!(finding.rule, rule, "{finding:#?}");
    assert!(finding.title.contains(title), "{finding:#?}");
}

#[tokio::test]
async fn a_listener_that_throws_is_told_with_its_cause() {
    let finding = finding("throws", "").await;
    says(&finding, "boot-failed", "com.example.moods.Mood");
    says(&finding, "boot-failed", "java.io.IOException: the ledger is locked");
    assert!(
        finding.detail.iter().any(|line| line.contains("Mood.java:")),
        "{finding:#?}"
    );
}

#[tokio::test]
async fn a_start_without_an_end_is_told_with_the_place_that_waits() {
    let finding = finding("sleeps", "time = \"15s\"").await;
    says(&finding, "boot-timeout", "did not open port 8080 within 15 s");
    says(&finding, "boot-timeout", "com.example.moods.Mood.sleep(Mood.java:");
}

#[tokio::test]
async fn memory_outside_of_the_heap_is_told_with_the_limit() {
    // As somebody does who sets the heap and forgets the rest.
    let options = "CATALINA_OPTS = \"-Xmx128m -XX:MaxDirectMemorySize=1g\"";
    let finding = finding_with("greedy", "memory = \"256MiB\"", options).await;
    says(&finding, "boot-memory", "was killed for memory: it may have 256 MiB");
}

#[tokio::test]
async fn a_heap_that_is_too_small_is_told() {
    let finding = finding("heap", "memory = \"256MiB\"").await;
    says(&finding, "boot-memory", "java.lang.OutOfMemoryError: Java heap space");
}

#[tokio::test]
async fn an_application_that_ends_itself_is_told_with_its_code() {
    says(&finding("exits", "").await, "boot-ended", "code 7");
}

#[tokio::test]
async fn an_answer_of_500_is_told() {
    says(&finding("ill", "time = \"15s\"").await, "boot-unhealthy", "answers 500");
}

#[tokio::test]
async fn who_ignores_sigterm_is_told_with_what_still_runs() {
    let finding = finding("stubborn", "").await;
    says(&finding, "boot-stop", "13 s after SIGTERM it was killed");
    says(&finding, "boot-stop", "com.example.moods.Mood.sleep(Mood.java:");
}

#[tokio::test]
async fn a_database_is_there_for_tests_and_boot_check() {
    let (house, record) = sent(
        "[boot.environment]\nMOOD = \"database\"\nDATABASE_URL = \"jdbc:postgresql://postgres/postgres?user=postgres&password=only-for-tests\"\n\
         [[service]]\nname = \"postgres\"\nimage = \"docker.io/library/postgres:15\"\nmemory = \"256MiB\"\ntime = \"1m\"\n\
         health = [\"pg_isready\", \"--host=127.0.0.1\"]\n[service.environment]\nPOSTGRES_PASSWORD = \"only-for-tests\"\n",
    )
    .await;
    let log = house.log_of(1).await;
    assert_eq!(record.build.state, BuildState::Passed, "{log}");
    // The test needs an empty database, and so does the boot check: each had one of its own.
    let counts = record.tests.expect("tests").counts;
    assert_eq!((counts.run, counts.skipped), (2, 0), "{log}");
    assert_eq!(log.matches("Starting service postgres").count(), 2, "{log}");
    assert!(
        log.contains("[postgres] ") && log.contains("database system is ready"),
        "{log}"
    );
    house.close().await;
}

#[tokio::test]
async fn a_service_that_does_not_start_is_named() {
    let (house, record) = sent(
        "[[service]]\nname = \"postgres\"\nimage = \"docker.io/library/postgres:15\"\nmemory = \"256MiB\"\ntime = \"1m\"\n\
         command = [\"false\"]\nhealth = [\"true\"]\n",
    )
    .await;
    let finding = record.build.finding.expect("a finding");
    says(&finding, "service-failed", "postgres ended by itself with code 1");
    house.close().await;
}

#[tokio::test]
async fn a_boot_check_that_is_off_is_said_by_the_image() {
    let (house, record) = sent("[boot]\ncheck = false\n[boot.environment]\nMOOD = \"throws\"").await;
    assert_eq!(record.build.state, BuildState::Passed, "{}", house.log_of(1).await);
    let image = seaworthy::store::images::of_build(&house.pool, record.build.id)
        .await
        .expect("read")
        .expect("an image");
    assert!(
        !seaworthy::dockerfile::describe(&image.dockerfile.labels)
            .expect("ours")
            .boot_check
    );
    house.close().await;
}
