//! The shipped templates with made-up builds, hostile ones among them, and templates of a house.

use super::*;
use crate::model::{BuildState, rule};
use crate::notify::outbox::Links;

fn view(state: BuildState) -> View {
    sample::view(state, &Links::new("https://ci.example.com"))
}

fn shipped() -> MailTemplates {
    MailTemplates::load(None).expect("the shipped templates are right")
}

#[test]
fn each_result_says_what_counts_in_both_forms() {
    let templates = shipped();
    let expected: [(BuildState, &str, &[&str], &[&str]); 3] = [
        (
            BuildState::Passed,
            "PASSED basket !7: Add a discount for regular customers (build 12)",
            &[
                "registry.example.com/qa/basket@sha256:",
                "mr-7-da156088-12",
                "14 tests, 1 skipped",
                "42.3 s",
                "Unit test",
            ],
            &["Last lines", "LAST LINES", "Rebuild"],
        ),
        (
            BuildState::Failed,
            "FAILED basket !7: Add a discount for regular customers (build 12)",
            &[
                "Stage",
                "1 of 14 tests failed",
                "tenPerCent",
                "com.example.basket.DiscountTest",
                "DiscountTest.java:31",
                "seaworthy rebuild 12",
                "BUILD FAILURE",
            ],
            &["not your fault"],
        ),
        (
            BuildState::Errored,
            "ERROR basket !7: Add a discount for regular customers (build 12)",
            &[
                "not your fault",
                "connection refused",
                "Attempts",
                "ci.example.com",
                "seaworthy rebuild 12",
            ],
            &["What went wrong in the project"],
        ),
    ];
    for (state, subject, there, absent) in expected {
        let mail = templates.render(&view(state)).expect("rendered");
        assert_eq!(mail.subject, subject);
        let both = there
            .iter()
            .chain(&["https://ci.example.com/builds/12", "/-/merge_requests/7", "da156088"]);
        for part in both {
            assert!(mail.text.contains(part), "{part:?} is missing in {}", mail.text);
            assert!(mail.html.contains(part), "{part:?} is missing in {}", mail.html);
        }
        for part in absent {
            assert!(
                !mail.text.contains(part) && !mail.html.contains(part),
                "{part:?} is in {}",
                mail.text
            );
        }
    }
}

#[test]
fn a_push_to_the_trunk_has_no_merge_request() {
    let links = Links::new("https://ci.example.com");
    let view = sample::trunk_view(BuildState::Passed, &links);
    let mail = shipped().render(&view).expect("rendered");
    assert_eq!(
        mail.subject,
        "PASSED basket main: Add a discount for regular customers (build 12)"
    );
    for part in ["main at da156088", "pushed by Ada Example", "/-/commit/da156088"] {
        assert!(mail.text.contains(part), "{part:?} is missing in {}", mail.text);
    }
    for part in [
        "main</strong> at da156088, pushed by Ada Example",
        ">Commit da156088</a>",
    ] {
        assert!(mail.html.contains(part), "{part:?} is missing in {}", mail.html);
    }
    for absent in ["!7", "erge request", "null"] {
        assert!(
            !mail.text.contains(absent) && !mail.html.contains(absent),
            "{absent:?} is in {}",
            mail.text
        );
    }
}

#[test]
fn the_text_is_readable_at_78_columns() {
    let templates = shipped();
    for view in sample::views() {
        let text = templates.render(&view).expect("rendered").text;
        for line in text.lines() {
            // Names that cannot be broken, and lines of others' programs, are as long as they are.
            let ours = !line.starts_with('|') && !line.contains("sha256:") && !line.contains("https://");
            assert!(!ours || line.chars().count() <= WIDTH, "{line:?} in {text}");
        }
        assert!(!text.contains("\n\n\n"), "{text}");
    }
}

#[test]
fn a_report_of_all_rules_has_each_once_in_both_forms() {
    let templates = shipped();
    for state in [BuildState::Passed, BuildState::Failed, BuildState::Errored] {
        let mut record = sample::record(state);
        record.war_check = Some(crate::model::WarCheck {
            rules: rule::RULES
                .iter()
                .map(|rule| crate::model::RuleReport {
                    rule: rule.id.to_owned(),
                    severity: rule.severity,
                    title: rule.title.to_owned(),
                    why: rule.why.to_owned(),
                    mend: rule.mend.to_owned(),
                    count: 50,
                    places: (0..40)
                        .map(|n| crate::model::Place {
                            path: format!("WEB-INF/<b>{}-{n:02}", rule.id),
                            what: "what".to_owned(),
                        })
                        .collect(),
                    waived: Vec::new(),
                    expired: Vec::new(),
                })
                .collect(),
        });
        // As the pipeline makes it.
        record.build.finding = record.war_check.as_ref().and_then(crate::model::WarCheck::finding);
        let known = crate::notify::view::Known {
            record: &record,
            stages: &[],
            image: None,
            commits: &[],
            log: Vec::new(),
        };
        let mail = templates
            .render(&View::new(known, &Links::new("https://ci.example.com")))
            .expect("rendered");
        for rule in rule::RULES {
            let shout = rule.severity.as_str().to_uppercase();
            let heading = format!("\n{shout} {}: ", rule.id);
            assert_eq!(mail.text.matches(&heading).count(), 1, "{heading:?} in {}", mail.text);
            let heading = format!(">{}</span>", rule.id);
            assert_eq!(mail.html.matches(&heading).count(), 1, "{heading:?} in {}", mail.html);
            for text in [&mail.text, &mail.html] {
                assert!(text.contains(&format!("{}-00: what", rule.id)) && !text.contains(&format!("{}-11", rule.id)));
            }
        }
        assert!(mail.text.contains("5 errors, 18 warnings") && mail.text.contains("… and 40 more"));
        assert!(!mail.html.contains("<b>"), "{}", mail.html);
        let long = mail
            .text
            .lines()
            .find(|line| line.chars().count() > WIDTH && !line.contains("https://"));
        assert_eq!(long, None);
    }
}

#[test]
fn waivers_are_told_in_mails() {
    let mail = shipped().render(&view(BuildState::Passed)).expect("rendered");
    for text in [&mail.text, &mail.html] {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("waived until 1970-01-01 by Ada Example: released with"),
            "{text}"
        );
        assert!(words.contains("ran out on 1970-01-01"), "{text}");
        assert!(words.contains("1 warning, 1 waived"), "{text}");
    }
}

#[test]
fn strangers_text_stays_text() {
    let templates = shipped();
    let hostile = "</pre><script>alert(1)</script>\"'\r\nBcc: evil@example.com";
    for state in [BuildState::Passed, BuildState::Failed, BuildState::Errored] {
        let mut record = sample::record(state);
        record.build.merge_request.title = hostile.into();
        record.build.merge_request.source_branch = hostile.into();
        record.build.merge_request.author.name = hostile.into();
        record.build.merge_request.url = "javascript:alert(1)".into();
        record.build.error = Some(hostile.into());
        let finding = crate::model::Finding::new("r", hostile, hostile).with_detail([hostile.to_owned()]);
        record.build.finding = Some(finding.clone());
        record.remarks = vec![finding];
        if let Some(failure) = record.tests.as_mut().and_then(|tests| tests.failures.first_mut()) {
            failure.class = hostile.into();
            failure.method = hostile.into();
            failure.message = hostile.into();
            failure.trace = vec![hostile.into()];
        }
        let known = crate::notify::view::Known {
            record: &record,
            stages: &[],
            image: Some(&sample::image()),
            commits: &[],
            log: crate::notify::view::log_lines([hostile]),
        };
        let view = View::new(known, &Links::new("https://ci.example.com"));
        let mail = templates.render(&view).expect("rendered");
        assert!(
            !mail.subject.contains('\n') && mail.subject.contains("Bcc: evil"),
            "{:?}",
            mail.subject
        );
        assert!(
            !mail.html.contains("<script") && !mail.html.contains("javascript:"),
            "{}",
            mail.html
        );
        assert!(mail.html.contains("&lt;script&gt;"), "escaped once: {}", mail.html);
        assert!(!mail.html.contains("&amp;lt;"), "escaped twice: {}", mail.html);
        assert!(mail.text.contains("<script>alert(1)</script>"), "{}", mail.text);
    }
}

#[test]
fn a_template_of_the_house_takes_the_place_of_a_shipped_one() {
    let house = tempfile::tempdir().expect("a directory");
    std::fs::write(house.path().join("subject.tera"), "[{{ application }}]\n{{ result }}").expect("written");
    let templates = MailTemplates::load(Some(house.path())).expect("loaded");
    let mail = templates.render(&view(BuildState::Passed)).expect("rendered");
    assert_eq!(mail.subject, "[basket] passed");
    assert!(mail.html.contains("The image is in the QA registry"));
}

#[test]
fn a_mistake_of_the_house_is_told_at_the_start() {
    let house = tempfile::tempdir().expect("a directory");
    for (name, text, expected) in [
        ("subject.tera", "{{ aplication }}", "aplication"),
        ("failed.txt.tera", "{% if %}", "failed.txt"),
        ("passed.html.tera", "{{ title | safe }}", "safe"),
        ("errored.txt.tera", "{{ image.digest }}", "image"),
    ] {
        let file = house.path().join(name);
        std::fs::write(&file, text).expect("written");
        let error = MailTemplates::load(Some(house.path()))
            .expect_err("refused")
            .to_string();
        assert!(error.contains(expected), "{error}");
        std::fs::remove_file(file).expect("removed");
    }
}

#[test]
fn a_template_that_fails_with_a_real_build_does_not_lose_the_news() {
    let house = tempfile::tempdir().expect("a directory");
    let text = "{% if build == 13 %}{{ nothing.here }}{% endif %}house";
    std::fs::write(house.path().join("passed.txt.tera"), text).expect("written");
    let templates = MailTemplates::load(Some(house.path())).expect("it works with the sample");
    let mut view = view(BuildState::Passed);
    assert_eq!(templates.render(&view).expect("rendered").text, "house\n");
    view.build = 13;
    assert!(
        templates
            .render(&view)
            .expect("rendered")
            .text
            .contains("The image is in the QA registry")
    );
}

#[test]
fn running_text_is_broken_between_words() {
    let text = wrap(&"word ".repeat(30), 4);
    assert!(text.lines().skip(1).all(|line| line.starts_with("    word")), "{text}");
    assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
    assert_eq!(text.split_whitespace().count(), 30);
}
