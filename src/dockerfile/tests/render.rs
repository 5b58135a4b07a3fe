//! No value changes what a Dockerfile does, and a template's faults are shown with their place.

use proptest::prelude::*;

use super::hostile;
use crate::definition::{Definitions, Stack};
use crate::dockerfile::*;
use crate::model::{Digest, Layer};

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
    assert!(open.is_empty(), "the last instruction is not closed:\n{text}");
    found
}

/// The value of `key="…"` in an ENV instruction as Docker unescapes it; panics at an unescaped `$`.
fn variable(rest: &str, key: &str) -> String {
    let at = rest.find(&format!("{key}=\"")).expect("the variable is there");
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
    let stack = definitions.stack("tomcat10").expect("the stack is shipped").clone();
    (templates, stack)
}

fn input(application: &str) -> DockerfileInput {
    let base = PinnedBase::new("docker.io/library/tomcat:10.1-jdk17-temurin", &Digest::of(b"base")).expect("a name");
    DockerfileInput {
        application: application.to_owned(),
        base,
        base_says: BaseSays::default(),
        layers: vec![Layer::Libraries, Layer::Classes],
        webapp: "ROOT".to_owned(),
        health_path: "/".to_owned(),
    }
}

fn dockerfile(templates: &Templates, stack: &Stack, application: &str) -> Result<String, RenderError> {
    render(templates, stack, &input(application)).map(|rendered| rendered.text)
}

/// The instructions by two readers that know nothing of each other: ours above, and one of a library.
fn names(text: &str) -> Vec<String> {
    let names: Vec<String> = instructions(text).into_iter().map(|(name, _)| name).collect();
    let parsed = parse_dockerfile::parse(text).expect("a Dockerfile");
    let kinds: Vec<String> = parsed
        .instructions
        .iter()
        .map(|instruction| {
            let shown = format!("{instruction:?}");
            shown.split('(').next().unwrap_or_default().to_uppercase()
        })
        .collect();
    assert_eq!(names, kinds, "two readers see two programs:\n{text}");
    names
}

#[test]
fn the_shipped_dockerfile_is_the_one_that_was_meant() {
    let (templates, stack) = shipped();
    let text = dockerfile(&templates, &stack, "basket").expect("a Dockerfile");
    assert!(text.starts_with("# Made by Seaworthy"), "{text}");
    assert_eq!(
        names(&text),
        [
            "FROM",
            "WORKDIR",
            "RUN",
            "COPY",
            "COPY",
            "COPY",
            "ENV",
            "USER",
            "EXPOSE",
            "HEALTHCHECK",
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
        variable(&found[6].1, "CATALINA_OPTS"),
        "-XX:MaxRAMPercentage=75.0 -XX:+ExitOnOutOfMemoryError"
    );
    assert!(
        found[2]
            .1
            .contains(r#"for d in "/var/log/tomcat" conf/Catalina/localhost temp work; "#),
        "{}",
        found[2].1
    );
    assert_eq!(found[3].1, format!("--chown=0:0 {CONTEXT_HOUSE}/ /"));
    for (at, layer) in [(4, "libraries"), (5, "classes")] {
        let copied = format!("--chown=0:0 {CONTEXT_LAYERS}/{layer}/ /usr/local/tomcat/webapps/");
        assert_eq!(found[at].1, copied);
    }
    assert_eq!(found[7].1, "10001:0");
    assert_eq!(found[8].1, "8080");
    assert_eq!(
        serde_json::from_str::<Vec<String>>(&found[10].1).expect("the exec form"),
        ["catalina.sh", "run"]
    );
}

#[test]
fn the_files_of_the_house_say_what_the_stack_says() {
    let (templates, mut stack) = shipped();
    stack.runtime.ports = vec![9090, 9999];
    let rendered = render(&templates, &stack, &input("basket")).expect("a Dockerfile");
    let found = instructions(&rendered.text);
    assert_eq!(found[8].1, "9090 9999");
    assert!(
        found[9]
            .1
            .ends_with(r#"CMD ["/usr/share/seaworthy/health", "9090", "/"]"#),
        "{}",
        found[9].1
    );
    let file = |path: &str| {
        let file = rendered.files.iter().find(|file| file.path == path);
        file.unwrap_or_else(|| panic!("{path} is missing"))
    };
    let server = &file("usr/local/tomcat/conf/server.xml").text;
    assert!(
        server.contains(r#"port="9090""#) && server.contains(r#"gracefulStopAwaitMillis="8000""#),
        "{server}"
    );
    assert!(
        file("usr/local/tomcat/conf/context.xml")
            .text
            .contains(r#"base="/config""#)
    );
    assert!(file("usr/share/seaworthy/health").is_program());
    assert_eq!(file(IMAGE_DOCKERFILE.trim_start_matches('/')).text, rendered.text);
}

#[test]
fn what_the_base_says_is_not_said_again() {
    let (templates, stack) = shipped();
    let with = |user: &str, working_dir: &str, stop_signal: &str| {
        let input = DockerfileInput {
            base_says: BaseSays {
                user: user.to_owned(),
                working_dir: working_dir.to_owned(),
                stop_signal: stop_signal.to_owned(),
            },
            ..input("basket")
        };
        names(&render(&templates, &stack, &input).expect("a Dockerfile").text)
    };
    assert_eq!(with("", "/usr/local/tomcat", "")[..2], ["FROM", "RUN"]);
    assert_eq!(with("tomcat", "/srv", "")[..4], ["FROM", "USER", "WORKDIR", "RUN"]);
    assert!(with("", "", "SIGQUIT").contains(&"STOPSIGNAL".to_owned()));
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
        Templates::load(Some(directory.path())).and_then(|templates| dockerfile(&templates, &stack, r#"a"$b\"#))
    };
    let text = try_with("# x\nFROM {{ base }}\nENV A=\"{{ application }}\"\nCMD [{{ application | json }}]\n")
        .expect("a right template");
    let lines: Vec<&str> = text.lines().skip(2).collect();
    assert_eq!(lines, [r#"ENV A="a\"\$b\\""#, r#"CMD ["a\"$b\\"]"#]);
    for (text, place, reason) in [
        (
            "# x\nFROM {{ base | safe }}\n",
            "tomcat.Dockerfile.tera:2:",
            "would let a value become an instruction",
        ),
        ("# x\nFROM {{ bas }}\n", "tomcat.Dockerfile.tera:2:", "bas"),
        ("# x\nFROM {{ base \n", "tomcat.Dockerfile.tera:", "error"),
        ("FROM {{ base }}\n", "tomcat.Dockerfile.tera", "must be a comment"),
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
        assert!(error.contains(place) && error.contains(reason), "{text}\n{error}");
        assert!(
            error.contains(&directory.path().display().to_string()),
            "the path is missing: {error}"
        );
    }
}

#[test]
fn a_base_has_one_digest() {
    let digest = Digest::of(b"");
    let pinned = PinnedBase::new("tomcat:10", &digest).expect("a name");
    assert_eq!(pinned.as_str(), format!("docker.io/library/tomcat:10@{digest}"));
    assert_eq!(PinnedBase::new(pinned.as_str(), &digest), Ok(pinned.clone()));
    assert!(PinnedBase::new(pinned.as_str(), &Digest::of(b"other")).is_err());
    assert!(PinnedBase::new("tomcat:10\nRUN x", &digest).is_err());
}

proptest! {
    #[test]
    fn no_value_changes_the_instructions(
        application in hostile(),
        log in hostile(),
        title in hostile(),
        options in prop::collection::vec(hostile(), 0..3),
        paths in prop::collection::vec(hostile(), 4),
    ) {
        let (templates, mut stack) = shipped();
        let expected = names(&dockerfile(&templates, &stack, "basket").expect("a Dockerfile"));
        stack.runtime.log_directory = log.clone();
        stack.runtime.java_options = options.clone();
        stack.title = title;
        stack.runtime.config_directory = paths[0].clone();
        stack.runtime.time_zone = paths[1].clone();
        // Refusing is right as well; whatever comes out must be the same program with the values whole.
        let input = DockerfileInput {
            webapp: paths[2].clone(),
            health_path: paths[3].clone(),
            ..input(&application)
        };
        if let Ok(text) = render(&templates, &stack, &input).map(|rendered| rendered.text) {
            prop_assert_eq!(names(&text), expected);
            let found = instructions(&text);
            prop_assert_eq!(variable(&found[6].1, "APPLICATION"), application);
            prop_assert_eq!(variable(&found[6].1, "LOG_DIRECTORY"), log);
            prop_assert_eq!(variable(&found[6].1, "CONFIG_DIRECTORY"), paths[0].clone());
            prop_assert_eq!(variable(&found[6].1, "TZ"), paths[1].clone());
            let (_, command) = found[9].1.split_once("CMD ").expect("a command");
            let command: Vec<String> = serde_json::from_str(command).expect("the exec form");
            prop_assert_eq!(command.last(), Some(&paths[3]));
            prop_assert_eq!(variable(&found[6].1, "CATALINA_OPTS"), options.join(" "));
        }
    }

    #[test]
    fn harmless_names_are_not_refused(application in "[a-zA-Z0-9_.$\"\\\\ -]{1,40}") {
        let (templates, stack) = shipped();
        prop_assert!(dockerfile(&templates, &stack, &application).is_ok());
    }
}
