//! No value changes what a Dockerfile does, and what goes into labels comes out again.

use std::collections::BTreeMap;

use chrono::DateTime;
use proptest::prelude::*;

use super::labels::without_credentials;
use super::*;
use crate::definition::{Definitions, Stack};
use crate::model::{BuildId, Digest, ProjectId, TestCounts};

/// An instruction of a Dockerfile as a line-oriented reader sees it: name and the rest. Made for this test, after the
/// reference manual, and knowing nothing of how the text was written.
fn instructions(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = String::new();
    // What Docker takes for a line ends at LF; CR is cut off with it.
    for line in text.split('\n') {
        let line = line.trim_end_matches('\r');
        if line.trim_start().starts_with('#') || (open.is_empty() && line.trim().is_empty()) {
            continue;
        }
        match line.trim_end().strip_suffix('\\') {
            Some(head) => open.push_str(head),
            None => {
                open.push_str(line);
                let whole = std::mem::take(&mut open);
                let (name, rest) = whole.trim_start().split_once(' ').unwrap_or((&whole, ""));
                found.push((name.to_uppercase(), rest.trim().to_owned()));
            }
        }
    }
    assert!(
        open.is_empty(),
        "the last instruction is not closed:\n{text}"
    );
    found
}

/// The value of `key="…"` in an ENV instruction as Docker unescapes it; panics at an unescaped `$`.
fn variable(rest: &str, key: &str) -> String {
    let at = rest
        .find(&format!("{key}=\""))
        .expect("the variable is there");
    let mut chars = rest[at + key.len() + 2..].chars();
    let mut value = String::new();
    loop {
        match chars.next().expect("the quote is closed") {
            '"' => return value,
            '$' => panic!("{key} would be expanded in {rest}"),
            '\\' => match chars.next().expect("the quote is closed") {
                c @ ('"' | '$' | '\\') => value.push(c),
                c => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
}

fn shipped() -> (Templates, Stack) {
    let templates = Templates::load(None).expect("the shipped templates");
    let definitions = Definitions::load(None, &templates.names()).expect("the shipped definitions");
    let stack = definitions
        .stack("tomcat10")
        .expect("the stack is shipped")
        .clone();
    (templates, stack)
}

fn input(application: &str) -> DockerfileInput {
    let base = PinnedBase::new(
        "docker.io/library/tomcat:10.1-jdk17-temurin",
        &Digest::of(b"base"),
    )
    .expect("a name");
    DockerfileInput {
        application: application.to_owned(),
        base,
    }
}

fn names(text: &str) -> Vec<String> {
    instructions(text)
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn the_shipped_dockerfile_is_the_one_that_was_meant() {
    let (templates, stack) = shipped();
    let text = render(&templates, &stack, &input("basket")).expect("a Dockerfile");
    assert!(text.starts_with("# Made by Seaworthy"), "{text}");
    assert_eq!(
        names(&text),
        [
            "FROM",
            "USER",
            "WORKDIR",
            "ENV",
            "RUN",
            "COPY",
            "COPY",
            "USER",
            "EXPOSE",
            "STOPSIGNAL",
            "CMD"
        ]
    );
    let found = instructions(&text);
    let digest = Digest::of(b"base");
    assert_eq!(
        found[0].1,
        format!("docker.io/library/tomcat:10.1-jdk17-temurin@{digest}")
    );
    assert_eq!(
        variable(&found[3].1, "CATALINA_OPTS"),
        "-XX:MaxRAMPercentage=75.0 -XX:+ExitOnOutOfMemoryError"
    );
    assert!(
        found[4].1.contains(r#"chown "10001:0" "/var/log/tomcat" "#),
        "{}",
        found[4].1
    );
    assert_eq!(
        found[5].1,
        format!("--chown=0:0 {CONTEXT_DOCKERFILE} {IMAGE_DOCKERFILE}")
    );
    assert_eq!(
        found[6].1,
        format!("--chown=0:0 {CONTEXT_WEBAPP}/ /usr/local/tomcat/webapps/ROOT/")
    );
    assert_eq!(found[7].1, "10001:0");
    assert_eq!(found[8].1, "8080");
    assert_eq!(
        serde_json::from_str::<Vec<String>>(&found[10].1).expect("the exec form"),
        ["catalina.sh", "run"]
    );
}

#[test]
fn another_port_is_set_in_tomcat_too() {
    let (templates, mut stack) = shipped();
    stack.runtime.ports = vec![9090, 9999];
    let found = instructions(&render(&templates, &stack, &input("basket")).expect("a Dockerfile"));
    assert!(
        found[4].1.contains(r#"s/port="8080"/port="9090"/"#),
        "{}",
        found[4].1
    );
    assert_eq!(found[8].1, "9090 9999");
}

#[test]
fn every_stack_that_is_shipped_renders() {
    let (templates, _) = shipped();
    let definitions = Definitions::load(None, &templates.names()).expect("the shipped definitions");
    assert_eq!(templates.check(&definitions), Ok(()));
}

#[test]
fn a_template_of_the_house_takes_the_place_of_the_shipped_one_and_its_faults_are_shown() {
    let (_, stack) = shipped();
    let directory = tempfile::tempdir().expect("a directory");
    let try_with = |text: &str| {
        std::fs::write(directory.path().join("tomcat.Dockerfile.tera"), text).expect("written");
        Templates::load(Some(directory.path()))
            .and_then(|templates| render(&templates, &stack, &input(r#"a"$b\"#)))
    };
    assert_eq!(
        try_with(
            "# x\nFROM {{ base }}\nENV A=\"{{ application }}\"\nCMD [{{ application | json }}]\n"
        )
        .map(|text| text.split_off_first_two()),
        Ok("ENV A=\"a\\\"\\$b\\\\\"\nCMD [\"a\\\"$b\\\\\"]\n".to_owned())
    );
    for (text, place, reason) in [
        (
            "# x\nFROM {{ base | safe }}\n",
            "tomcat.Dockerfile.tera:2:",
            "would let a value become an instruction",
        ),
        ("# x\nFROM {{ bas }}\n", "tomcat.Dockerfile.tera:2:", "bas"),
        ("# x\nFROM {{ base \n", "tomcat.Dockerfile.tera:", "error"),
        (
            "FROM {{ base }}\n",
            "tomcat.Dockerfile.tera",
            "must be a comment",
        ),
        (
            "# escape=`\nFROM {{ base }}\n",
            "tomcat.Dockerfile.tera",
            "must be a comment",
        ),
        (
            "# x\n{% for a in range(end=90000) %}{% for b in range(end=90000) %}x{% endfor %}{% endfor %}",
            "tomcat",
            "grows beyond",
        ),
        ("# x\n{% include \"nothing.tera\" %}", "", "nothing.tera"),
    ] {
        let error = try_with(text).expect_err(text).to_string();
        assert!(
            error.contains(place) && error.contains(reason),
            "{text}\n{error}"
        );
        assert!(
            error.contains(&directory.path().display().to_string()),
            "the path is missing: {error}"
        );
    }
}

/// Cuts the two first lines off.
trait FirstTwo {
    fn split_off_first_two(self) -> String;
}

impl FirstTwo for String {
    fn split_off_first_two(self) -> String {
        self.splitn(3, '\n').nth(2).unwrap_or_default().to_owned()
    }
}

#[test]
fn a_base_has_one_digest() {
    let digest = Digest::of(b"");
    let pinned = PinnedBase::new("tomcat:10", &digest).expect("a name");
    assert_eq!(
        pinned.as_str(),
        format!("docker.io/library/tomcat:10@{digest}")
    );
    assert_eq!(
        PinnedBase::new(pinned.as_str(), &digest),
        Ok(pinned.clone())
    );
    assert!(PinnedBase::new(pinned.as_str(), &Digest::of(b"other")).is_err());
    assert!(PinnedBase::new("tomcat:10\nRUN x", &digest).is_err());
}

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
        (
            "https://git.example.com/a@b.git",
            "https://git.example.com/a@b.git",
        ),
    ] {
        assert_eq!(without_credentials(given), expected);
    }
}

#[test]
fn labels_of_the_base_do_not_speak_for_the_image() {
    let base = BTreeMap::from([
        (
            "org.opencontainers.image.licenses".to_owned(),
            "MIT".to_owned(),
        ),
        (
            "org.opencontainers.image.title".to_owned(),
            "ubuntu".to_owned(),
        ),
        ("dev.seaworthy.dockerfile.7".to_owned(), "old".to_owned()),
        ("com.example.team".to_owned(), "platform".to_owned()),
    ]);
    let made = labels(&example("FROM x\n"), &base);
    assert_eq!(made["org.opencontainers.image.licenses"], "");
    assert_eq!(made["org.opencontainers.image.title"], "basket");
    assert_eq!(made["dev.seaworthy.dockerfile.7"], "");
    assert!(
        !made.contains_key("com.example.team"),
        "other labels are left alone"
    );
    assert_eq!(describe(&made), Ok(example("FROM x\n")));
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
    assert_eq!(text.lines().count(), 12, "{text}");
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
        merge_request: MergeRequestOrigin {
            project: "shop/web/basket".parse().expect("a path"),
            project_id: ProjectId(42),
            iid: 7,
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
        war: WarOrigin {
            path: "target/basket.war".to_owned(),
            sha256: Digest::of(b"war"),
        },
        base: BaseImage {
            name: "docker.io/library/tomcat:10.1-jdk17-temurin".to_owned(),
            digest: Digest::of(b"base"),
        },
        dockerfile: dockerfile.to_owned(),
    }
}

/// Text with what hurts: line breaks, quotes, variables, comments, heredocs, directives.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "\n",
        "\r\n",
        "\r",
        "\\",
        "\"",
        "'",
        "$",
        "${PATH}",
        "`id`",
        "#",
        "<<EOF",
        "\nRUN id\n",
        "\" EVIL=\"",
        "\\\n",
        "a b",
        "|",
        ";",
        "&&",
        "# escape=`\n",
        "{{ base }}",
        "{% raw %}",
        "ä",
        "\u{2028}",
        "\0",
        "\t",
        "]",
        "/",
        "..",
        "basket",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 0..8).prop_map(|parts| parts.concat()),
        any::<String>()
    ]
}

proptest! {
    #[test]
    fn no_value_changes_the_instructions(application in hostile(), log in hostile(), title in hostile(), options in prop::collection::vec(hostile(), 0..3)) {
        let (templates, mut stack) = shipped();
        let expected = names(&render(&templates, &stack, &input("basket")).expect("a Dockerfile"));
        stack.runtime.log_directory = log.clone();
        stack.runtime.java_options = options.clone();
        stack.title = title;
        // Refusing is right as well; whatever comes out must be the same program with the values whole.
        if let Ok(text) = render(&templates, &stack, &input(&application)) {
            prop_assert_eq!(names(&text), expected);
            let found = instructions(&text);
            prop_assert_eq!(variable(&found[3].1, "APPLICATION"), application);
            prop_assert_eq!(variable(&found[3].1, "LOG_DIRECTORY"), log);
            prop_assert_eq!(variable(&found[3].1, "CATALINA_OPTS"), options.join(" "));
        }
    }

    #[test]
    fn harmless_names_are_not_refused(application in "[a-zA-Z0-9_.$\"\\\\ -]{1,40}") {
        let (templates, stack) = shipped();
        prop_assert!(render(&templates, &stack, &input(&application)).is_ok());
    }

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
        description.merge_request.iid = numbers[1];
        description.merge_request.project_id = ProjectId(numbers[2]);
        let made = labels(&description, &BTreeMap::new());
        for (key, value) in made.iter().filter(|(key, _)| key.starts_with("dev.seaworthy.dockerfile")) {
            prop_assert!(key.len() + value.len() <= 4_096, "{} is too long", key);
        }
        prop_assert_eq!(describe(&made), Ok(description));
    }
}
