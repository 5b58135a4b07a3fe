//! What goes into labels comes out again, and nothing else is taken for it.

use std::collections::BTreeMap;

use chrono::DateTime;
use proptest::prelude::*;

use super::hostile;
use crate::dockerfile::labels::without_credentials;
use crate::dockerfile::*;
use crate::model::{BuildId, Digest, DockerfileException, ProjectId, TestCounts};

#[test]
fn credentials_do_not_get_into_a_label() {
    for (given, expected) in [
        (
            "https://user:se@cret@git.example.com:8443/a/b.git",
            "https://git.example.com:8443/a/b.git",
        ),
        (
            "https://git.example.com/a/b.git?private_token=x#y",
            "https://git.example.com/a/b.git",
        ),
        ("https://token@git.example.com", "https://git.example.com"),
        ("https://git.example.com/a@b.git", "https://git.example.com/a@b.git"),
    ] {
        assert_eq!(without_credentials(given), expected);
    }
}

#[test]
fn labels_of_the_base_do_not_speak_for_the_image() {
    let base = BTreeMap::from([
        ("org.opencontainers.image.licenses".to_owned(), "MIT".to_owned()),
        ("org.opencontainers.image.title".to_owned(), "ubuntu".to_owned()),
        ("dev.seaworthy.dockerfile.7".to_owned(), "old".to_owned()),
        ("com.example.team".to_owned(), "platform".to_owned()),
    ]);
    let made = labels(&example("FROM x\n"), &base);
    assert_eq!(made["org.opencontainers.image.licenses"], "");
    assert_eq!(made["org.opencontainers.image.title"], "basket");
    assert_eq!(made["dev.seaworthy.dockerfile.7"], "");
    assert!(!made.contains_key("com.example.team"), "other labels are left alone");
    assert_eq!(describe(&made), Ok(example("FROM x\n")));
    assert_eq!(made["dev.seaworthy.findings"], "2 warnings, 1 waived");
    assert!(made["dev.seaworthy.waivers"].starts_with("snapshot WEB-INF/lib/**: waived until 2026-12-31"));
}

#[test]
fn an_exception_is_told_and_only_where_there_is_one() {
    let mut by_hand = example("FROM x\n");
    by_hand.exception = Some(DockerfileException {
        path: "docker/Dockerfile".to_owned(),
        reason: "fonts of the print room".to_owned(),
        owner: "Ada".to_owned(),
        last_day: "2026-12-31".parse().expect("a day"),
    });
    let made = labels(&by_hand, &BTreeMap::new());
    assert_eq!(made["dev.seaworthy.exception.last-day"], "2026-12-31");
    assert_eq!(describe(&made), Ok(by_hand.clone()));
    assert!(
        by_hand
            .to_string()
            .contains("exception      hand-written docker/Dockerfile, until 2026-12-31 by Ada: fonts"),
        "{by_hand}"
    );
    // An ordinary image that stands on it says nothing of an exception.
    let ordinary = labels(&example("FROM x\n"), &made);
    assert_eq!(describe(&ordinary).map(|found| found.exception), Ok(None));
    assert!(
        !labels(&example("FROM x\n"), &BTreeMap::new())
            .keys()
            .any(|key| key.contains("exception"))
    );
}

#[test]
fn an_image_from_before_the_check_is_still_understood() {
    let mut made = labels(&example("FROM x\n"), &BTreeMap::new());
    made.remove("dev.seaworthy.findings");
    made.remove("dev.seaworthy.waivers");
    made.remove("dev.seaworthy.sbom");
    let described = describe(&made).expect("a description");
    assert_eq!((described.findings.as_str(), described.waivers.as_str()), ("", ""));
    assert_eq!(described.sbom, None);
    assert!(!described.to_string().contains("WAR check"));
    assert!(example("FROM x\n").to_string().contains("2 warnings, 1 waived"));
}

#[test]
fn an_image_that_is_not_ours_or_not_whole_says_so() {
    let of = |change: &dyn Fn(&mut BTreeMap<String, String>)| {
        let mut made = labels(&example("FROM x\n"), &BTreeMap::new());
        change(&mut made);
        describe(&made).expect_err("damaged").to_string()
    };
    assert_eq!(describe(&BTreeMap::new()), Err(DescribeError::NotOurs));
    assert!(
        of(&|l| {
            l.insert("dev.seaworthy.schema".to_owned(), "9".to_owned());
        })
        .contains("\"9\"")
    );
    assert!(
        of(&|l| {
            l.remove("dev.seaworthy.war.path");
        })
        .contains("dev.seaworthy.war.path is missing")
    );
    assert!(
        of(&|l| {
            l.insert("dev.seaworthy.build".to_owned(), "x".to_owned());
        })
        .contains("dev.seaworthy.build is \"x\"")
    );
    assert!(
        of(&|l| {
            l.remove("dev.seaworthy.dockerfile.0");
        })
        .contains("dev.seaworthy.dockerfile.0 is missing")
    );
    assert!(
        of(&|l| {
            l.insert(
                "dev.seaworthy.dockerfile.sha256".to_owned(),
                Digest::of(b"").to_string(),
            );
        })
        .contains("but the Dockerfile in the labels has")
    );
}

#[test]
fn a_description_is_a_dozen_lines_that_cannot_move_the_cursor() {
    let mut description = example("FROM x\nUSER 1\n");
    description.merge_request.title = "Add \u{1b}[2J coupons".to_owned();
    let text = description.to_string();
    assert_eq!(text.lines().count(), 17, "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    for part in [
        "shop/web/basket!7",
        "Ada Lovelace (@ada)",
        "12 run, 0 failed, 0 errors, 1 skipped",
        "build 12",
        "2 lines",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

fn example(dockerfile: &str) -> Description {
    let sha = |digit: &str| digit.repeat(40).parse().expect("a commit id");
    Description {
        application: "basket".to_owned(),
        version: "mr-7-aaaaaaaa-12".to_owned(),
        vendor: "Example Ltd".to_owned(),
        created: DateTime::from_timestamp(1_780_000_000, 0).expect("a time"),
        source: "https://gitlab.example.com/shop/web/basket".to_owned(),
        build: BuildId(12),
        pipeline: "default".to_owned(),
        pipeline_hash: Digest::of(b"pipeline"),
        stack: "tomcat10".to_owned(),
        stack_evidence: "jakarta: 3 of 3 classes refer to jakarta.servlet".to_owned(),
        merge_request: MergeRequestOrigin {
            project: "shop/web/basket".parse().expect("a path"),
            project_id: ProjectId(42),
            iid: Some(7),
            title: "Add coupons".to_owned(),
            url: "https://gitlab.example.com/shop/web/basket/-/merge_requests/7".to_owned(),
            author: "Ada Lovelace".to_owned(),
            author_username: "ada".to_owned(),
            head: sha("a"),
            target_branch: "main".to_owned(),
            target_tip: sha("b"),
            merge_tree: sha("c"),
        },
        tests: TestCounts {
            run: 12,
            failed: 0,
            errors: 0,
            skipped: 1,
        },
        sbom: Some(Digest::of(b"materials")),
        findings: "2 warnings, 1 waived".to_owned(),
        waivers: "snapshot WEB-INF/lib/**: waived until 2026-12-31 by Ada: ticket 7".to_owned(),
        war: WarOrigin {
            path: "target/basket.war".to_owned(),
            sha256: Digest::of(b"war"),
        },
        boot_check: true,
        exception: None,
        base: BaseImage {
            name: "docker.io/library/tomcat:10.1-jdk17-temurin".to_owned(),
            digest: Digest::of(b"base"),
        },
        dockerfile: dockerfile.to_owned(),
    }
}

proptest! {
    #[test]
    fn what_goes_into_labels_comes_out(
        texts in prop::collection::vec(hostile(), 8),
        counts in any::<[u32; 4]>(),
        seconds in 0_i64..4_000_000_000,
        numbers in any::<[i64; 3]>(),
        noise in prop::collection::vec(any::<u8>(), 0..20_000),
    ) {
        // Noise does not compress: several chunks.
        let dockerfile: String = noise.iter().map(|byte| char::from(*byte)).collect();
        let mut description = example(&dockerfile);
        let [a, b, c, d, e, f, g, h]: [String; 8] = texts.try_into().expect("eight");
        description.application = a;
        description.version = b;
        description.vendor = c;
        description.merge_request.title = d;
        description.merge_request.author = e;
        description.merge_request.target_branch = f;
        description.war.path = g;
        description.source = without_credentials(&h);
        description.tests = TestCounts { run: counts[0], failed: counts[1], errors: counts[2], skipped: counts[3] };
        description.created = DateTime::from_timestamp(seconds, 0).expect("a time");
        description.build = BuildId(numbers[0]);
        description.merge_request.iid = Some(numbers[1]).filter(|iid| iid % 2 == 0);
        description.merge_request.project_id = ProjectId(numbers[2]);
        let made = labels(&description, &BTreeMap::new());
        for (key, value) in made.iter().filter(|(key, _)| key.starts_with("dev.seaworthy.dockerfile")) {
            prop_assert!(key.len() + value.len() <= 4_096, "{} is too long", key);
        }
        prop_assert_eq!(describe(&made), Ok(description));
    }
}
