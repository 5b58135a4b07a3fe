//! A made-up build with everything that a real one may have: templates are tried with it before the service starts.

use chrono::{DateTime, TimeDelta, Utc};

use super::outbox::Links;
use super::promotion_mail::PromotionView;
use super::view::{Known, View, log_lines};
use crate::model::{
    Build, BuildId, BuildState, Commit, Digest, Dockerfile, DockerfileException, Finding, MergeRequest, Person, Place,
    ProjectId, PromotionId, PromotionKind, PromotionState, PushedImage, Rule, RuleReport, Stage, StageState,
    TestCounts, TestFailure, TestReport, Trigger, Waived, WaiverNote, WarCheck, rule,
};
use crate::store::builds::BuildRecord;
use crate::store::images::ImageRecord;
use crate::store::promotions::{CopyRow, Promotion};
use crate::store::stages::StageRecord;

const HEAD: &str = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7";

/// The results that a mail can be about, each with everything that it may have and with as little as it can have.
pub(super) fn views() -> Vec<View> {
    let links = Links::new("https://ci.example.com");
    let states = [BuildState::Passed, BuildState::Failed, BuildState::Errored];
    let mut views: Vec<View> = states.into_iter().map(|state| view(state, &links)).collect();
    for state in states {
        let mut record = record(state);
        record.build.finding = None;
        record.build.error = None;
        record.build.target_tip = None;
        record.build.started_at = None;
        record.build.worker = None;
        record.tests = None;
        record.remarks.clear();
        record.war_check = None;
        record.build.merge_request.url.clear();
        let known = Known {
            record: &record,
            stages: &[],
            image: None,
            commits: &[],
            log: Vec::new(),
        };
        views.push(View::new(known, &links));
    }
    views.extend(states.map(|state| trunk_view(state, &links)));
    views
}

/// The same of a push to the trunk.
pub(super) fn trunk_view(state: BuildState, links: &Links) -> View {
    let mut record = record(state);
    let mr = &mut record.build.merge_request;
    mr.iid = None;
    mr.source_branch.clone_from(&mr.target_branch);
    mr.url = format!("https://gitlab.example.com/shop/basket/-/commit/{HEAD}");
    let known = Known {
        record: &record,
        stages: &stages(state),
        image: None,
        commits: &[commit("ada@example.com")],
        log: Vec::new(),
    };
    View::new(known, links)
}

pub(super) fn view(state: BuildState, links: &Links) -> View {
    let record = record(state);
    let image = image();
    let passed = state == BuildState::Passed;
    let log = "\
[INFO] -------------------------------------------------------
[INFO]  T E S T S
[INFO] -------------------------------------------------------
[INFO] Running com.example.basket.DiscountTest
[ERROR] Tests run: 3, Failures: 1, Errors: 0, Skipped: 0, Time elapsed: 0.084 s <<< FAILURE! -- in com.example.basket.DiscountTest
[INFO] BUILD FAILURE";
    let known = Known {
        record: &record,
        stages: &stages(state),
        image: passed.then_some(&image),
        commits: &[commit("ada@example.com")],
        log: if passed { Vec::new() } else { log_lines(log.lines()) },
    };
    View::new(known, links)
}

pub(super) fn merge_request() -> MergeRequest {
    MergeRequest {
        project_id: ProjectId(42),
        project: "shop/basket".parse().expect("a project path"),
        source_project_id: Some(ProjectId(42)),
        iid: Some(7),
        title: "Add a discount for regular customers".into(),
        draft: false,
        head: HEAD.parse().expect("a commit id"),
        source_branch: "discount".into(),
        target_branch: "main".into(),
        author: Person {
            name: "Ada Example".into(),
            username: "ada".into(),
            email: Some("ada@example.com".into()),
        },
        url: "https://gitlab.example.com/shop/basket/-/merge_requests/7".into(),
    }
}

pub(super) fn commit(committer: &str) -> Commit {
    Commit {
        sha: HEAD.parse().expect("a commit id"),
        subject: "Give regular customers ten per cent".into(),
        author_name: "Ada Example".into(),
        author_email: "ada@example.com".into(),
        committer_email: committer.to_owned(),
        authored_at: 1_760_000_000,
    }
}

pub(super) fn record(state: BuildState) -> BuildRecord {
    let started = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(1_760_000_000);
    let failed = state == BuildState::Failed;
    let counts = TestCounts {
        run: 14,
        failed: u32::from(failed),
        errors: 0,
        skipped: 1,
    };
    BuildRecord {
        build: Build {
            id: BuildId(12),
            merge_request: merge_request(),
            pipeline: "default".into(),
            trigger: Trigger::Webhook,
            state,
            attempt: if state == BuildState::Errored { 4 } else { 1 },
            target_tip: Some("0a1b2c3d4e5f60718293a4b5c6d7e8f901234567".parse().expect("a commit id")),
            merge_tree: None,
            finding: failed.then(|| {
                Finding::new(
                    "tests-failed",
                    "1 of 14 tests failed: DiscountTest.tenPerCent",
                    "Run the tests on your branch merged into the target branch: that merge is what is tested here, a \
                     change of the target may be the cause.",
                )
            }),
            error: (state == BuildState::Errored)
                .then(|| "registry.example.com: connection refused (attempt 4, the last one)".into()),
            worker: Some("worker-1".into()),
            created_at: started,
            started_at: Some(started),
            finished_at: state.is_final().then(|| started + TimeDelta::milliseconds(42_300)),
        },
        tests: Some(TestReport {
            counts,
            millis: 1_900,
            failures: if failed { vec![failure()] } else { Vec::new() },
            ..TestReport::default()
        }),
        remarks: vec![Finding::new(
            "tests-skipped",
            "1 test is skipped",
            "Look whether it still has to be.",
        )],
        war_check: Some(check()),
        ended_by: None,
        requested_by: None,
        approved_by: None,
        log_lines: 6,
    }
}

/// A rule that is broken, and one that is waived.
fn check() -> WarCheck {
    let report = |rule: &Rule, count: usize| RuleReport {
        rule: rule.id.to_owned(),
        severity: rule.severity,
        title: rule.title.to_owned(),
        why: rule.why.to_owned(),
        mend: rule.mend.to_owned(),
        count,
        places: (0..count)
            .map(|n| Place {
                path: format!("WEB-INF/classes/shop-{n}.properties"),
                what: "10.1.2.3".to_owned(),
            })
            .collect(),
        waived: Vec::new(),
        expired: Vec::new(),
    };
    let waiver = WaiverNote {
        path: "WEB-INF/lib/rates-*.jar".to_owned(),
        reason: "released with the next version".to_owned(),
        owner: "Ada Example".to_owned(),
        last_day: DateTime::<Utc>::UNIX_EPOCH.date_naive(),
    };
    let mut broken = report(&rule::IP_ADDRESS, 12);
    broken.expired.push(waiver.clone());
    let mut waived = report(&rule::SNAPSHOT, 0);
    waived.waived.push(Waived {
        waiver,
        count: 1,
        places: Vec::new(),
    });
    WarCheck {
        rules: vec![broken, waived],
    }
}

fn failure() -> TestFailure {
    TestFailure {
        class: "com.example.basket.DiscountTest".into(),
        method: "tenPerCent".into(),
        kind: "org.opentest4j.AssertionFailedError".into(),
        message: "expected: <90.00> but was: <99.00>".into(),
        trace: vec!["at com.example.basket.DiscountTest.tenPerCent(DiscountTest.java:31)".into()],
    }
}

pub(super) fn image() -> ImageRecord {
    let digest = Digest::of(b"a made-up image");
    ImageRecord {
        build: BuildId(12),
        application: "basket".into(),
        pushed: PushedImage {
            reference: "registry.example.com/qa/basket:mr-7-da156088-12".into(),
            digest: digest.clone(),
        },
        layers: None,
        image_id: digest.clone(),
        dockerfile: Dockerfile {
            text: String::new(),
            sha256: digest.clone(),
            stack: "tomcat10".into(),
            base_name: "docker.io/library/tomcat:10.1-jdk17-temurin".into(),
            base_digest: digest.clone(),
            exception: Some(exception()),
            labels: std::collections::BTreeMap::new(),
        },
        war_path: "target/basket.war".into(),
        war_sha256: digest,
        war_bytes: 12_360_000,
        servlet: "jakarta".into(),
        servlet_evidence: String::new(),
        worker: "worker-1".into(),
        pushed_at: DateTime::<Utc>::UNIX_EPOCH,
    }
}

fn exception() -> DockerfileException {
    DockerfileException {
        path: "docker/Dockerfile".into(),
        reason: "needs the fonts of the print room".into(),
        owner: "Ada Example".into(),
        last_day: DateTime::<Utc>::UNIX_EPOCH.date_naive(),
    }
}

fn stages(state: BuildState) -> Vec<StageRecord> {
    // What the stages before the push say.
    let upto_push = [
        "merged into main",
        "14 tests",
        "target/basket.war",
        "1 warning",
        "",
        "",
        "up in 1.9 s",
    ];
    let (how, notes) = match state {
        BuildState::Passed => (StageState::Passed, [&upto_push[..], &[""]].concat()),
        BuildState::Failed => (StageState::Failed, vec!["merged into main", "1 of 14 tests failed"]),
        _ => (StageState::Errored, [&upto_push[..], &["no answer"]].concat()),
    };
    let last = notes.len();
    let started_at = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(1_760_000_000);
    (Stage::ALL.into_iter().zip(notes).enumerate())
        .map(|(n, (stage, note))| StageRecord {
            attempt: if state == BuildState::Errored { 4 } else { 1 },
            stage,
            state: if n + 1 == last { how } else { StageState::Passed },
            note: Some((*note).to_owned()),
            started_at,
            finished_at: Some(started_at + TimeDelta::milliseconds(700 * (n as i64 + 1))),
        })
        .collect()
}

/// Promotions in every state that a mail can be about, one with everything and one with as little as it can have.
pub(super) fn promotion_views() -> Vec<PromotionView> {
    let links = Links::new("https://ci.example.com");
    let mut views = Vec::new();
    for state in PromotionState::ALL {
        let mut promotion = promotion(*state);
        let copy = CopyRow {
            data_centre: "dc1".to_owned(),
            reference: "registry.example.com/apps/basket:mr-7-da156088-12".to_owned(),
            state: "failed".to_owned(),
            total: 2,
            sent: 1,
            skipped: 1,
            error: Some("it answers 507: its disk is full".to_owned()),
            at: promotion.requested_at,
        };
        views.push(PromotionView::new(&promotion, vec!["rita".to_owned()], &[copy], &links));
        promotion.replaces = None;
        promotion.why = None;
        views.push(PromotionView::new(&promotion, Vec::new(), &[], &links));
    }
    views
}

fn promotion(state: PromotionState) -> Promotion {
    Promotion {
        id: PromotionId(3),
        kind: PromotionKind::Promotion,
        application: "basket".to_owned(),
        project: merge_request().project,
        build: BuildId(12),
        digest: Digest::of(b"new"),
        environment: "production".to_owned(),
        source: Some("registry.example.com/qa/basket@sha256:00".to_owned()),
        replaces: Some(Digest::of(b"old")),
        requested_by: "dev".to_owned(),
        reason: "the discount is right again".to_owned(),
        state,
        why: Some("0 of 1 approval by a release manager".to_owned()),
        requested_at: DateTime::UNIX_EPOCH,
        started_at: None,
        finished_at: None,
    }
}
