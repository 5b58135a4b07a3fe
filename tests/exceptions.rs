//! Images whose Dockerfile was hand-written: the one that is allowed goes the road and says everywhere that it is an
//! exception; those that break rules, hide something or come too late end with a finding.

use chrono::{Days, Utc};
use seaworthy::dockerfile::describe;
use seaworthy::model::{BuildId, BuildState, Finding, Stage, StageState};
use seaworthy::store::{images, stages};

use crate::house::{House, Service};

/// A pipeline for one project that may bring this Dockerfile, until so many days from today.
fn pipeline(project: &str, path: &str, days: i64, more: &str) -> String {
    let today = Utc::now().date_naive();
    let last_day = match u64::try_from(days) {
        Ok(days) => today + Days::new(days),
        Err(_) => today - Days::new(days.unsigned_abs()),
    };
    format!(
        "projects = [\"{project}\"]\nstacks = [\"tomcat9\"]\n[dockerfile_exception]\npath = \"{path}\"\n\
         reason = \"shows a chart\"\nowner = \"Ada Example\"\nlast_day = {last_day}\n{more}\n"
    )
}

/// The part of the service that people read without signing in.
async fn asked(service: &Service, path: &str) -> String {
    let answer = reqwest::get(format!("{}{path}", service.url)).await.expect("an answer");
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.text().await.expect("a body")
}

/// Runs a program in an image in place of its own.
async fn runs(house: &House, image: &str, command: &[&str]) -> String {
    let output = house
        .docker()
        .args(["run", "--rm", "--network=none", "--entrypoint", command[0], image])
        .args(&command[1..])
        .output()
        .await
        .expect("docker runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_hand_written_dockerfile_goes_the_road_and_is_called_an_exception() {
    let mut house = House::build().await;
    let files = "files = [\"docker/chart.txt\"]";
    house.define_beside("beacon", &pipeline("shop/beacon", "docker/Dockerfile", 10, files));
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/beacon", "beacon").await;
    let mr = house
        .gitlab
        .open_mr(&project.path, "light", &[("CHANGES.md", "light")], Default::default())
        .await
        .expect("a merge request");
    // The merge result counts, not the branch.
    house
        .gitlab
        .push_to_target(
            &project.path,
            &[("docker/chart.txt", "shallows to the south\n")],
            "A better chart",
        )
        .await
        .expect("pushed");
    house.deliver(&service, &mr, world::gitlab::Event::Open).await;

    let record = house.passes(1).await;
    let log = house.log_of(1).await;
    assert!(
        log.contains("EXCEPTION: hand-written docker/Dockerfile, until "),
        "{log}"
    );
    assert!(log.contains("is file by file the WAR that was checked"), "{log}");
    let all = stages::of_build(&house.pool, BuildId(1)).await.expect("read");
    let note = all
        .iter()
        .find(|stage| stage.stage == Stage::Dockerfile)
        .and_then(|stage| stage.note.clone());
    assert!(
        note.as_deref()
            .unwrap_or_default()
            .starts_with("exception: hand-written docker/Dockerfile"),
        "{note:?}"
    );
    // Ten days before the end it is told.
    let remark = record
        .remarks
        .iter()
        .find(|remark| remark.rule == "dockerfile-exception-ends");
    assert!(
        remark.expect("a remark").title.ends_with("it ends in 10 days"),
        "{remark:?}"
    );

    let image = images::of_build(&house.pool, BuildId(1))
        .await
        .expect("read")
        .expect("an image");
    let exception = image.dockerfile.exception.clone().expect("an exception");
    assert_eq!(
        (
            exception.path.as_str(),
            exception.reason.as_str(),
            exception.owner.as_str()
        ),
        ("docker/Dockerfile", "shows a chart", "Ada Example")
    );
    let described = describe(&image.dockerfile.labels).expect("labels of ours");
    assert_eq!(described.exception.as_ref(), Some(&exception));
    assert_eq!(described.dockerfile, image.dockerfile.text);
    let text = &image.dockerfile.text;
    assert!(
        text.starts_with("# Tomcat as the house runs it, with a chart"),
        "{text}"
    );
    assert_eq!(
        text.matches(&format!("@{}", image.dockerfile.base_digest)).count(),
        2,
        "{text}"
    );

    let pinned = image.pushed.pinned();
    assert_eq!(
        &runs(&house, &pinned, &["cat", "/usr/share/seaworthy/Dockerfile"]).await,
        text
    );
    assert_eq!(
        runs(&house, &pinned, &["cat", "/usr/share/beacon/chart.txt"]).await,
        "SHALLOWS TO THE SOUTH\n"
    );
    assert_eq!(runs(&house, &pinned, &["id", "-u"]).await, "10001\n");
    // Its own labels stay, the service's are on it all the same.
    let labels = house
        .docker()
        .args(["inspect", "--format", "{{json .Config.Labels}}", &pinned])
        .output()
        .await
        .expect("docker runs");
    let labels = String::from_utf8_lossy(&labels.stdout).into_owned();
    assert!(labels.contains("\"com.example.team\":\"pilots\""), "{labels}");
    assert!(
        labels.contains("\"dev.seaworthy.exception.owner\":\"Ada Example\""),
        "{labels}"
    );

    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = exception.to_string();
    let mail = &house.mails(1).await[0];
    assert!(
        words(&mail.text).contains(&format!("EXCEPTION {said}")),
        "{}",
        mail.text
    );
    assert!(
        mail.html.contains("Exception") && mail.html.contains("docker/Dockerfile"),
        "{}",
        mail.html
    );
    assert!(words(&mail.text).contains("it ends in 10 days"), "{}", mail.text);
    house.settled().await;
    let note = &house.gitlab.notes()[0].body;
    assert!(note.contains("Exception: hand-written"), "{note}");
    let page = asked(&service, "/builds/1").await;
    assert!(
        page.contains("<dt>Exception</dt>") && page.contains("allowed by Ada Example until"),
        "{page}"
    );
    let api: serde_json::Value = serde_json::from_str(&asked(&service, "/api/builds/1").await).expect("JSON");
    assert_eq!(api["image"]["exception"]["owner"], "Ada Example");
    for arguments in [&["trace", "1"][..], &["describe", pinned.as_str()]] {
        let (well, said_by_program) = house.program(&service, arguments).await;
        assert!(
            well && said_by_program.contains(&format!("exception      {said}")),
            "{said_by_program}"
        );
    }
    let (well, checked) = house.program(&service, &["check"]).await;
    assert!(checked.contains(&format!("beacon: {said}")), "{well} {checked}");
    house.is_clean().await;
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn rules_that_are_broken_what_run_hides_and_an_end_that_is_over_are_findings() {
    let mut house = House::build().await;
    let files = "files = [\"docker/chart.txt\"]";
    let all = [
        ("wrong", "docker/Dockerfile.wrong", 100, ""),
        ("smuggles", "docker/Dockerfile.smuggles", 100, files),
        ("late", "docker/Dockerfile", -1, files),
        ("nothing", "Dockerfile", 100, ""),
    ];
    for (name, path, days, more) in all {
        house.define_beside(name, &pipeline(&format!("red/{name}"), path, days, more));
    }
    let service = house.serve("worker", &[]).await;
    let mut findings: Vec<Finding> = Vec::new();
    for (id, (name, ..)) in (1..).zip(all) {
        let project = house.project(&format!("red/{name}"), "beacon").await;
        house.merge_request(&service, &project, "light").await;
        let record = house.end(id).await;
        assert_eq!(record.build.state, BuildState::Failed, "{}", house.log_of(id).await);
        let reached = stages::of_build(&house.pool, BuildId(id)).await.expect("read");
        let last = reached.last().expect("a stage");
        let expected = if name == "smuggles" {
            Stage::Image
        } else {
            Stage::Dockerfile
        };
        assert_eq!((last.stage, last.state), (expected, StageState::Failed), "{name}");
        assert!(last.note.is_some() || name == "smuggles", "{last:?}");
        let image = images::of_build(&house.pool, BuildId(id)).await.expect("read");
        assert!(image.is_none(), "{image:?}");
        findings.push(record.build.finding.expect("a finding"));
    }
    let [wrong, smuggles, late, nothing] = &findings[..] else {
        panic!("{findings:?}");
    };
    assert_eq!(wrong.rule, "dockerfile-rules");
    let report = wrong.detail.join("\n");
    for (rule, line) in [
        ("builder-directive", 1),
        ("base-approved", 2),
        ("no-add", 3),
        ("no-secret", 4),
        ("no-run-flag", 5),
        ("copy-paths", 6),
        ("reserved-label", 7),
        ("user-not-root", 8),
        ("no-onbuild", 9),
        ("exec-form", 10),
    ] {
        assert_eq!(
            report.matches(&format!("ERROR {rule} (1): ")).count(),
            1,
            "{rule}\n{report}"
        );
        assert!(
            report.contains(&format!("  docker/Dockerfile.wrong:{line}: ")),
            "{line}\n{report}"
        );
    }
    assert!(!report.contains("hunter22"), "{report}");
    let mails = house.mails(4).await;
    let mail = mails
        .iter()
        .find(|mail| mail.text.contains("ERROR no-secret (1)"))
        .expect("a mail with the report");
    assert!(
        mail.text.contains("Mend: ") && mail.subject.starts_with("FAILED "),
        "{}",
        mail.text
    );

    assert_eq!(smuggles.rule, "dockerfile-image", "{smuggles:?}");
    let found = smuggles.detail.join("\n");
    assert!(
        found.contains("/usr/local/tomcat/webapps/manager is beside the application"),
        "{found}"
    );
    assert!(
        found.contains("/usr/local/tomcat/webapps/ROOT/docs.txt is not in the WAR"),
        "{found}"
    );

    assert_eq!(late.rule, "dockerfile-exception-expired", "{late:?}");
    assert!(
        late.help.contains("Ask Ada Example") && late.help.contains("pipeline late"),
        "{}",
        late.help
    );
    assert_eq!(nothing.rule, "dockerfile-missing", "{nothing:?}");
    house.is_clean().await;
    house.close().await;
    drop(service);
}
