//! Red builds: each ends as *failed* with a finding that its developer understands, inside its limits, and leaves the
//! builds of the others alone.

use seaworthy::model::{BuildId, BuildState, Finding};
use seaworthy::store::images;

use crate::house::House;

/// Sends a sample application down the road and gives the finding that it must end with.
async fn finding(house: &House, application: &str) -> Finding {
    let service = house.serve("worker", &[]).await;
    let project = house.project(&format!("red/{application}"), application).await;
    house.merge_request(&service, &project, "change").await;
    let record = house.end(1).await;
    assert_eq!(
        record.build.state,
        BuildState::Failed,
        "{:#?}\n{}",
        record.build,
        house.log_of(1).await
    );
    house.is_clean().await;
    let mails = house.mails(1).await;
    let finding = record.build.finding.expect("a failed build has a finding");
    assert!(mails[0].subject.starts_with("FAILED "), "{}", mails[0].subject);
    // The text is broken into lines of 78 characters.
    let words = mails[0].text.split_whitespace().collect::<Vec<_>>().join(" ");
    let title = finding.title.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&title), "{}", mails[0].text);
    drop(service);
    finding
}

#[tokio::test]
async fn red_tests_are_named() {
    let house = House::build().await;
    let finding = finding(&house, "redtests").await;
    assert_eq!(finding.rule, "tests-failed");
    assert!(finding.title.contains("2 of 5 tests"), "{}", finding.title);
    let mail = &house.mails(1).await[0];
    assert!(
        mail.text.contains("ReceiptTest") && mail.text.contains("printsTheTax"),
        "{}",
        mail.text
    );
    house.close().await;
}

#[tokio::test]
async fn a_compile_error_is_shown_with_its_place() {
    let house = House::build().await;
    let finding = finding(&house, "nocompile").await;
    assert_eq!(finding.rule, "compile-error");
    let all = format!("{}\n{}", finding.title, finding.detail.join("\n"));
    assert!(
        all.contains("PilotServlet.java") && all.contains("cannot find symbol"),
        "{all}"
    );
    house.close().await;
}

#[tokio::test]
async fn a_jar_is_no_war() {
    let house = House::build().await;
    assert_eq!(finding(&house, "justajar").await.rule, "no-war");
    house.close().await;
}

#[tokio::test]
async fn two_wars_need_a_word_which_one_is_meant() {
    let house = House::build().await;
    let finding = finding(&house, "twowars").await;
    assert_eq!(finding.rule, "several-wars");
    let all = format!("{}\n{}", finding.detail.join("\n"), finding.help);
    assert!(all.contains("quay/target") && all.contains("war ="), "{all}");
    house.close().await;
}

#[tokio::test]
async fn no_test_is_a_remark_or_fatal_as_the_pipeline_says() {
    let mut house = House::build().await;
    let service = house.serve("worker", &[]).await;
    let project = house.project("red/notests", "notests").await;
    house.merge_request(&service, &project, "change").await;
    let record = house.passes(1).await;
    assert_eq!(
        record.remarks.first().map(|remark| remark.rule.as_str()),
        Some("no-tests")
    );
    service.terminate().await;
    house.define("[tests]\nrequired = true");
    let service = house.serve("strict", &[]).await;
    house.merge_request(&service, &project, "another").await;
    let record = house.end(2).await;
    assert_eq!(
        record.build.finding.map(|finding| finding.rule).as_deref(),
        Some("no-tests")
    );
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn a_merge_conflict_names_the_files() {
    let house = House::build().await;
    let service = house.serve("worker", &[]).await;
    let project = house.project("red/conflict", "harbour").await;
    let mr = house
        .gitlab
        .open_mr(
            &project.path,
            "mine",
            &[("NOTES.md", "mine\n")],
            world::gitlab::OpenMr::default(),
        )
        .await
        .expect("a merge request");
    house
        .gitlab
        .push_to_target(&project.path, &[("NOTES.md", "theirs\n")], "Theirs")
        .await
        .expect("pushed");
    house.deliver(&service, &mr, world::gitlab::Event::Open).await;
    let record = house.end(1).await;
    let finding = record.build.finding.expect("a finding");
    assert_eq!(finding.rule, "merge-conflict");
    assert_eq!(finding.detail, ["NOTES.md"]);
    assert!(
        record.build.target_tip.is_some(),
        "what it was to be merged with is recorded"
    );
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn a_test_that_hangs_ends_at_the_time_limit() {
    let mut house = House::build().await;
    house.define("[limits]\ntime = \"25s\"");
    let finding = finding(&house, "hangs").await;
    assert_eq!(finding.rule, "time-limit");
    assert!(
        house.log_of(1).await.contains("Full thread dump"),
        "the log lacks a thread dump"
    );
    house.close().await;
}

#[tokio::test]
async fn a_flood_of_output_ends_at_its_limit() {
    let mut house = House::build().await;
    house.define("[limits]\nlog = \"8MiB\"");
    let finding = finding(&house, "floods").await;
    assert_eq!(finding.rule, "log-limit");
    let bytes: i64 = sqlx::query_scalar("select sum(length(data))::bigint from log_chunk")
        .fetch_one(&house.pool)
        .await
        .expect("read");
    assert!(bytes < 8 << 20, "{bytes} bytes of log are kept");
    house.close().await;
}

#[tokio::test]
async fn a_fork_bomb_ends_and_its_neighbour_does_not_notice() {
    let mut house = House::build().await;
    house.define("[limits]\npids = 400\ntime = \"2m\"");
    let service = house.serve("worker", &[]).await;
    let bomb = house.project("red/forkbomb", "forkbomb").await;
    let neighbour = house.project("green/harbour", "harbour").await;
    house.merge_request(&service, &bomb, "change").await;
    house.merge_request(&service, &neighbour, "change").await;
    let record = house.end(1).await;
    assert_eq!(record.build.state, BuildState::Failed, "{:#?}", record.build);
    let finding = record.build.finding.expect("a finding");
    assert_eq!(finding.rule, "process-limit", "{finding:#?}");
    house.passes(2).await;
    house.is_clean().await;
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn a_wrapper_brings_its_own_maven() {
    let house = House::build().await;
    let service = house.serve("worker", &[]).await;
    let project = house.project("green/wrapper", "wrapper").await;
    house.merge_request(&service, &project, "change").await;
    house.passes(1).await;
    assert!(
        house.log_of(1).await.contains("Apache Maven 3.9.11"),
        "{}",
        house.log_of(1).await
    );
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn a_war_against_the_rules_is_one_report_and_a_waiver_lets_it_pass() {
    let mut house = House::build().await;
    let service = house.serve("worker", &[]).await;
    let project = house.project("red/wreck", "wreck").await;
    house.merge_request(&service, &project, "change").await;
    let record = house.end(1).await;
    let finding = record.build.finding.expect("a finding");
    assert_eq!(finding.rule, "war-check", "{finding:#?}");
    assert!(
        finding.detail[1].contains("WEB-INF/lib/javax.servlet-api-4.0.1.jar: has the Servlet interfaces of javax"),
        "{finding:#?}"
    );
    let check = record.war_check.expect("a report");
    let rules: Vec<&str> = check.rules.iter().map(|rule| rule.rule.as_str()).collect();
    assert_eq!(
        rules,
        [
            "container-api",
            "logging-file",
            "credentials",
            "jdbc-url",
            "ip-address",
            "service-url",
            "environment-file",
            "several-applications",
            "stray-file",
        ]
    );
    let mail = house.mails(1).await.remove(0);
    let page = reqwest::get(format!("{}/builds/1", service.url)).await.expect("asked");
    let page = page.text().await.expect("a page");
    let log = house.log_of(1).await;
    for (rule, heading) in rules.iter().zip(&check.rules) {
        assert_eq!(
            mail.text.matches(&format!(" {rule}: ")).count(),
            1,
            "{rule} in {}",
            mail.text
        );
        assert_eq!(page.matches(&format!("id=\"rule-{rule}\"")).count(), 1, "{rule}");
        assert_eq!(log.matches(&heading.heading()).count(), 1, "{rule} in {log}");
    }
    for text in [&mail.text, &page, &log] {
        assert!(!text.contains("Tr0ub4dor"), "a password is never shown: {text}");
    }
    service.terminate().await;

    house.define(
        "[[waiver]]\nrule = \"container-api\"\npath = \"WEB-INF/lib/javax.*.jar\"\nreason = \"ticket 7\"\n\
         owner = \"Ada\"\nlast_day = 2999-12-31\n[checks]\nstray-file = \"off\"\nservice-url = \"note\"",
    );
    let service = house.serve("lenient", &[]).await;
    house.merge_request(&service, &project, "another").await;
    let record = house.passes(2).await;
    let check = record.war_check.expect("a report");
    assert_eq!(check.summary(), "6 warnings, 1 note, 1 waived");
    let image = images::of_build(&house.pool, BuildId(2))
        .await
        .expect("read")
        .expect("an image");
    assert_eq!(image.dockerfile.labels["dev.seaworthy.findings"], check.summary());
    assert_eq!(
        image.dockerfile.labels["dev.seaworthy.waivers"],
        "container-api WEB-INF/lib/javax.*.jar: waived until 2999-12-31 by Ada: ticket 7"
    );
    let mails = house.mails(2).await;
    assert!(
        mails[1].text.contains("WAR CHECK: 6 warnings, 1 note, 1 waived"),
        "{}",
        mails[1].text
    );
    house.close().await;
    drop(service);
}
