//! Mails: once, to everybody whom the server takes, in one thread, and harmless.

use std::time::Duration;

use seaworthy::model::{BuildState, Finding, TestCounts, TestFailure, TestReport};
use seaworthy::store::notices::{self, Subject};
use world::process::Signal;

use super::scene::{End, Scene, notifier};

fn by(committer: &'static str) -> End {
    End {
        committer,
        ..End::default()
    }
}

#[tokio::test]
async fn a_mail_goes_once_however_often_it_is_told() {
    let scene = Scene::build().await;
    let mr = scene.merge_request("once").await;
    let build = scene.add(&mr, BuildState::Passed, by("ben@example.com")).await;
    let jobs = scene.write_mails(build, &["qa@example.com", "ANA@example.com"]).await;
    assert_eq!(
        jobs.len(),
        3,
        "author, committer and pipeline; one of them was named twice: {jobs:?}"
    );
    // Written again, as by a transaction that was tried twice: the same mails.
    assert_eq!(scene.write_mails(build, &["qa@example.com"]).await, jobs);

    let (first, second) = (notifier(&scene.house, &[]), &scene.notifier);
    let told = jobs.iter().flat_map(|job| [first.tell(*job), second.tell(*job)]);
    for told in futures_util::future::join_all(told).await {
        told.expect("told");
    }
    second.tell(jobs[0]).await.expect("nothing to do");

    let mails = scene.house.smtp.mails().await.expect("read");
    let mut to: Vec<_> = mails.iter().flat_map(|mail| mail.to.clone()).collect();
    to.sort();
    assert_eq!(to, ["ana@example.com", "ben@example.com", "qa@example.com"]);
    for mail in &mails {
        let subject = format!(
            "PASSED harbour !{}: Count the articles (build {build})",
            mr.iid.expect("a number")
        );
        assert_eq!(mail.subject, subject);
        let root = format!("<mr.{}.{}@ci.example.com>", mr.project_id, mr.iid.expect("a number"));
        assert_eq!(mail.header("In-Reply-To"), Some(root.as_str()));
        assert_eq!(mail.header("References"), Some(root.as_str()));
        assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
        assert_eq!(mail.header("List-Id"), Some("<harbour.shop.seaworthy.ci.example.com>"));
        assert_eq!(mail.header("X-Seaworthy-Build"), Some(build.to_string().as_str()));
        assert!(
            mail.message_id.starts_with(&format!("<build.{build}.")),
            "{}",
            mail.message_id
        );
        for text in [&mail.text, &mail.html] {
            assert!(text.contains("registry.example.com/qa/harbour@sha256:"), "{text}");
            assert!(
                text.contains(&format!("https://ci.example.com/builds/{build}")),
                "{text}"
            );
        }
    }
    let mut ids: Vec<_> = mails.iter().map(|mail| &mail.message_id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3, "each mail has an id of its own");
    scene.close().await;
}

#[tokio::test]
async fn an_address_that_is_refused_keeps_no_news_from_the_others() {
    let scene = Scene::build().await;
    let mr = scene.merge_request("refused").await;
    let build = scene.add(&mr, BuildState::Passed, by("gone@refused.example")).await;
    for job in scene
        .write_mails(build, &["qa@example.com", "team@later.example"])
        .await
    {
        let told = scene.notifier.tell(job).await;
        let later = matches!(job, Subject::Mail(_)) && told.as_ref().is_err();
        if let Err(error) = &told {
            assert!(error.is_transient() && error.to_string().contains("451"), "{error}");
        }
        assert_eq!(told.is_err(), later);
    }
    let mails = notices::mails_of_build(&scene.house.pool, build).await.expect("read");
    let state = |to: &str| {
        let (_, sent, refused) = mails.iter().find(|mail| mail.0 == to).expect("written");
        (*sent, refused.clone())
    };
    assert_eq!(state("ana@example.com"), (true, None));
    assert_eq!(state("qa@example.com"), (true, None));
    assert_eq!(state("team@later.example"), (false, None), "it is tried again");
    let (sent, refused) = state("gone@refused.example");
    let refused = refused.expect("written down");
    assert!(
        !sent && refused.contains("550") && refused.contains("No such user"),
        "{refused}"
    );
    scene.close().await;
}

#[tokio::test]
async fn a_server_that_is_down_or_refuses_our_password_loses_no_mail() {
    let scene = Scene::build().await;
    let mr = scene.merge_request("down").await;
    let build = scene.add(&mr, BuildState::Passed, by("ana@example.com")).await;
    let jobs = scene.write_mails(build, &[]).await;
    assert_eq!(jobs.len(), 1);

    scene.house.smtp.stop().await.expect("stopped");
    let error = scene.notifier.tell(jobs[0]).await.expect_err("nobody is there");
    assert!(error.is_transient(), "{error}");
    scene.house.smtp.start_again().await.expect("started");

    let stranger = notifier(&scene.house, &[("SMTP_PASSWORD", "wrong")]);
    let error = stranger.tell(jobs[0]).await.expect_err("the password is wrong");
    assert!(error.is_transient() && !error.to_string().contains("wrong"), "{error}");

    scene.notifier.tell(jobs[0]).await.expect("sent");
    assert_eq!(scene.house.smtp.mails().await.expect("read").len(), 1);
    scene.close().await;
}

/// The database goes away between the server's "250" and the mark: the mail must not go twice.
#[tokio::test]
async fn a_mail_that_is_out_is_marked_although_the_database_went_away() {
    let scene = Scene::build().await;
    let mr = scene.merge_request("cut").await;
    let build = scene.add(&mr, BuildState::Passed, by("ana@example.com")).await;
    let jobs = scene.write_mails(build, &[]).await;
    let pool = scene.house.pool.clone();

    scene
        .house
        .smtp
        .daemon()
        .signal(Signal::Stop)
        .await
        .expect("stands still");
    let told = scene.notifier.tell(jobs[0]);
    let cut = async {
        // The last thing that is read before the server is spoken to.
        let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database()
                    and state = 'idle in transaction' and query like '%from build_commit%'";
        while sqlx::query_scalar::<_, i64>(kill)
            .fetch_one(&pool)
            .await
            .expect("asked")
            == 0
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        scene.house.smtp.daemon().signal(Signal::Cont).await.expect("goes on");
    };
    let (told, ()) = tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(told, cut) })
        .await
        .expect("in time");
    told.expect("sent and marked");
    scene.notifier.tell(jobs[0]).await.expect("nothing to do");
    assert_eq!(scene.house.smtp.mails().await.expect("read").len(), 1);
    let mails = notices::mails_of_build(&pool, build).await.expect("read");
    assert_eq!(mails, [("ana@example.com".to_owned(), true, None)]);
    scene.close().await;
}

#[tokio::test]
async fn a_red_build_says_which_tests_and_ends_with_its_log() {
    let scene = Scene::build().await;
    let mut mr = scene.merge_request("red").await;
    let hostile = "\"><script>alert(1)</script>\r\nBcc: evil@example.com\r\n\r\n/merge @all";
    mr.title = hostile.into();
    let failure = TestFailure {
        class: "com.example.CartTest".into(),
        method: "adds".into(),
        kind: "org.opentest4j.AssertionFailedError".into(),
        message: hostile.into(),
        trace: vec!["at com.example.CartTest.adds(CartTest.java:9)".into()],
    };
    let end = End {
        finding: Some(Finding::new(
            "tests-failed",
            "1 of 5 tests failed: CartTest.adds",
            "Mend it.",
        )),
        tests: TestReport {
            counts: TestCounts {
                run: 5,
                failed: 1,
                ..TestCounts::default()
            },
            failures: vec![failure],
            ..TestReport::default()
        },
        log: (1..=80).map(|n| format!("\u{1b}[1;31mline {n} <b>\u{1b}[0m")).collect(),
        committer: "ana@example.com",
        ..End::default()
    };
    let build = scene.add(&mr, BuildState::Failed, end).await;
    for job in scene.write_mails(build, &[]).await {
        scene.notifier.tell(job).await.expect("sent");
    }
    let mails = scene.house.smtp.mails().await.expect("read");
    let mail = &mails[0];
    assert_eq!((mails.len(), mail.to.len()), (1, 1));
    assert!(mail.header("Bcc").is_none(), "{:?}", mail.headers);
    assert!(
        mail.subject
            .starts_with(&format!("FAILED harbour !{}: ", mr.iid.expect("a number"))),
        "{}",
        mail.subject
    );
    assert!(mail.subject.ends_with(&format!("(build {build})")), "{}", mail.subject);
    assert!(
        !mail.html.contains("<script") && mail.html.contains("&lt;script&gt;"),
        "{}",
        mail.html
    );
    for text in [&mail.text, &mail.html] {
        assert!(
            text.contains("1 of 5 tests failed") && text.contains("Mend it."),
            "{text}"
        );
        assert!(
            text.contains("com.example.CartTest") && text.contains("CartTest.java:9"),
            "{text}"
        );
        assert!(
            text.contains("line 31 ") && text.contains("line 80 ") && !text.contains("line 30 "),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "colours are gone");
    }
    scene.close().await;
}

#[tokio::test]
async fn the_authors_address_is_asked_from_gitlab_where_the_event_hides_it() {
    let scene = Scene::build().await;
    let mut mr = scene.merge_request("hidden").await;
    mr.author.email = Some("[REDACTED]".into());
    let end = End {
        error: Some("the registry does not answer"),
        committer: "1-ana@users.noreply.gitlab.example.com",
        ..End::default()
    };
    let build = scene.add(&mr, BuildState::Errored, end).await;
    let jobs = scene.write_mails(build, &["qa@example.com"]).await;
    assert!(jobs.contains(&Subject::Author(build)) && jobs.len() == 2, "{jobs:?}");

    scene.house.gitlab.go_down().await;
    let error = scene
        .notifier
        .tell(Subject::Author(build))
        .await
        .expect_err("nobody is there");
    assert!(error.is_transient(), "{error}");
    scene.house.gitlab.come_back().await.expect("there again");
    for _ in 0..2 {
        scene.notifier.tell(Subject::Author(build)).await.expect("asked");
    }
    for job in scene.jobs().await {
        scene.notifier.tell(job).await.expect("told");
    }
    let mails = scene.house.smtp.mails().await.expect("read");
    let mut to: Vec<_> = mails.iter().flat_map(|mail| mail.to.clone()).collect();
    to.sort();
    assert_eq!(to, ["ana@example.com", "qa@example.com"]);
    assert!(
        mails.iter().all(|mail| mail.subject.starts_with("ERROR ")),
        "{}",
        mails[0].subject
    );
    assert!(mails[0].text.contains("not your fault"), "{}", mails[0].text);
    scene.close().await;
}

#[tokio::test]
async fn nobody_is_mailed_about_what_somebody_stopped() {
    let scene = Scene::build().await;
    let mr = scene.merge_request("stopped").await;
    for state in [BuildState::Cancelled, BuildState::Superseded] {
        let build = scene.add(&mr, state, by("ana@example.com")).await;
        assert_eq!(scene.write_mails(build, &["qa@example.com"]).await, []);
    }
    scene.close().await;
}
