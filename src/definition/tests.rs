//! Files that are right, and files that are wrong in every way at once.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::model::{ServletApi, Severity, rule};

const STACK: &str = include_str!("../../pipelines/stacks/tomcat10.toml");

fn templates() -> BTreeSet<String> {
    BTreeSet::from(["tomcat".to_owned()])
}

/// Loads a directory with these files (`stacks/a.toml` or `a.toml`); messages come without the directory's name.
fn load(files: &[(&str, &str)]) -> Result<Definitions, Vec<String>> {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join("stacks")).expect("made");
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).expect("written");
    }
    let prefix = format!("{}/", directory.path().display());
    Definitions::load(Some(directory.path()), &templates()).map_err(|errors| {
        errors
            .0
            .iter()
            .map(|problem| problem.to_string().replace(&prefix, ""))
            .collect()
    })
}

fn path(text: &str) -> ProjectPath {
    text.parse().expect("a project path")
}

#[test]
fn the_shipped_files_build_every_project_on_the_stack_of_its_war() {
    let definitions = Definitions::load(None, &templates()).expect("the shipped definitions");
    let pipeline = definitions
        .pipeline_for(&path("any/group/project"))
        .expect("a pipeline");
    assert_eq!(pipeline.name, "default");
    for (jdk, image) in [(8, "8"), (17, "17"), (25, "25")] {
        let builder = pipeline.builder_with(jdk).expect("a builder");
        assert_eq!(
            builder.image.as_str(),
            format!("docker.io/library/maven:3.9-eclipse-temurin-{image}")
        );
    }
    let order: Vec<&str> = pipeline
        .smallest_first()
        .iter()
        .map(|stack| stack.name.as_str())
        .collect();
    assert_eq!(
        (order[0], order[2], order[5], order[order.len() - 1]),
        ("tomcat9-jdk8", "tomcat9", "tomcat10-jdk11", "tomcat11-jdk25")
    );
    assert_eq!(pipeline.limits.time, Duration::from_secs(1_800));
    assert_eq!(pipeline.limits.memory, 3 << 30);
}

#[test]
fn flags_reach_the_jvms_and_a_wrapper_takes_the_place_of_maven() {
    let definitions = Definitions::load(None, &templates()).expect("the shipped definitions");
    let mut builder = definitions.stack("tomcat9").expect("shipped").builder.clone();
    assert_eq!(
        builder.variables()["JDK_JAVA_OPTIONS"],
        "-XX:+NeverActAsServerClassMachine -XX:TieredStopAtLevel=1"
    );
    assert_eq!(builder.command_line(false)[..2], ["mvn", "--batch-mode"]);
    assert_eq!(builder.command_line(true)[..3], ["sh", "./mvnw", "--batch-mode"]);
    builder.jdk = 8;
    assert!(builder.variables().contains_key("JAVA_TOOL_OPTIONS"));
    builder.command = vec!["ant".to_owned()];
    assert_eq!(builder.command_line(true), ["ant"]);
}

#[test]
fn a_stack_says_only_in_what_it_differs_and_each_shipped_one_is_whole() {
    let definitions = Definitions::load(None, &templates()).expect("the shipped definitions");
    let whole = definitions.stack("tomcat10").expect("shipped");
    for stack in definitions.stacks() {
        let jdk = stack.builder.jdk;
        assert_eq!(stack.servlet_version.api(), stack.servlet, "{}", stack.name);
        let expected = format!("jdk{jdk}-temurin");
        assert!(stack.runtime.image.as_str().ends_with(&expected), "{}", stack.name);
        assert!(stack.title.ends_with(&format!("on Java {jdk}")), "{}", stack.name);
        assert_eq!(stack.limits, whole.limits);
        assert_eq!(stack.builder.environment, whole.builder.environment);
    }
    let old = definitions.stack("tomcat9-jdk8").expect("shipped");
    assert_eq!(old.servlet, ServletApi::Javax, "it is inherited over two files");
    assert!(old.builder.variables().contains_key("JAVA_TOOL_OPTIONS"));
    assert_eq!(definitions.stacks().count(), 16);
}

#[test]
fn what_is_inherited_is_told_at_the_line_that_inherits() {
    let problems = load(&[
        ("stacks/whole.toml", STACK),
        (
            "stacks/old.toml",
            "inherits = \"whole\"\njdk = 8\n[builder.environment]\nJAVA_TOOL_OPTIONS = \"x\"\n",
        ),
        ("stacks/lost.toml", "title = \"x\"\ninherits = \"whoel\"\n"),
        ("stacks/ring.toml", "inherits = \"ring-too\"\n"),
        ("stacks/ring-too.toml", "inherits = \"ring\"\n"),
        ("stacks/wrong.toml", &STACK.replace("user = 10001", "user = 0")),
        ("stacks/under-wrong.toml", "inherits = \"wrong\"\nports = 1\n"),
        ("stacks/contrary.toml", "inherits = \"whole\"\nservlet = \"javax\"\n"),
        (
            "default.toml",
            "projects = [\"**\"]\nstacks = [\"whole\"]\nstack = \"old\"\njdk = 21\nprofiles = [\"a,b\"]\n",
        ),
    ])
    .expect_err("wrong files");
    let expected = [
        "default.toml:3:9: stack: \"old\" is none of the pipeline's stacks; valid are \"whole\"",
        "default.toml:4:7: jdk: none of the pipeline's stacks has JDK 21; add one to stacks",
        "default.toml:5:13: profiles: \"a,b\" is not the name of one profile",
        "stacks/contrary.toml:1:12: servlet_version: \"6.0\" is a version of jakarta.servlet, and servlet says \"javax\"",
        "stacks/lost.toml:2:12: inherits: there is no stack \"whoel\"; did you mean \"whole\"?",
        "stacks/old.toml:4:21: builder.environment.JAVA_TOOL_OPTIONS: JAVA_TOOL_OPTIONS is made from builder.jvm_flags; put the flags there",
        "stacks/ring-too.toml:1:12: inherits: this stack inherits from itself in a circle",
        "stacks/ring.toml:1:12: inherits: this stack inherits from itself in a circle",
        "stacks/under-wrong.toml:2:1: unknown key \"ports\"",
        "stacks/wrong.toml:",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem}\n{expected}");
    }
}

#[test]
fn priority_then_the_pattern_that_says_more_decides() {
    let of = |projects: &str, more: &str| format!("projects = {projects}\nstacks = [\"a\"]\n{more}");
    let definitions = load(&[
        ("stacks/a.toml", STACK),
        ("all.toml", &of("[\"**\"]", "")),
        ("shop.toml", &of("[\"shop/**\"]", "")),
        ("basket.toml", &of("[\"other/*\", \"Shop/Web/Basket\"]", "")),
        ("wars.toml", &of("[\"**/*-war\"]", "priority = 1")),
        ("one.toml", &of("[\"tie/ab*\"]", "")),
        ("two.toml", &of("[\"tie/*bc\"]", "")),
    ])
    .expect("right files");
    for (project, expected) in [
        ("x/y", "all"),
        ("shop/y", "shop"),
        ("shop/web/basket", "basket"),
        ("shop/web/basket-war", "wars"),
        ("tie/abc", "one"),
    ] {
        assert_eq!(
            definitions
                .pipeline_for(&path(project))
                .map(|found| found.name.as_str()),
            Some(expected),
            "{project}"
        );
    }
}

#[test]
fn a_project_without_pipeline_is_told_the_line_to_change() {
    let definitions = load(&[
        ("stacks/a.toml", STACK),
        ("default.toml", "projects = [\"shop/*\"]\nstacks = [\"a\"]\n"),
    ])
    .expect("right files");
    assert_eq!(definitions.pipeline_for(&path("bank/x")), None);
    let advice = definitions.how_to_add(&path("bank/x"));
    assert!(
        advice.contains("default.toml") && advice.ends_with("projects = [\"shop/*\", \"bank/x\"]"),
        "{advice}"
    );
}

#[test]
fn a_pipeline_overrides_limits_and_its_hash_sees_values_only() {
    let of = |text: &str| {
        load(&[("stacks/a.toml", STACK), ("default.toml", text)])
            .expect("right files")
            .pipeline("default")
            .expect("it")
            .clone()
    };
    let plain = of("projects = [\"**\"]\nstacks = [\"a\"]\n");
    let commented = of("# a comment\nprojects = [ \"**\" ]\nstacks = [\"a\"]\npriority = 0\n");
    let changed = of(
        "projects = [\"**\"]\nstacks = [\"a\"]\nwar = \"web/target/*.war\"\n[limits]\nmemory = \"4GiB\"\ncpus = 1\n[tests]\nrequired = true\n",
    );
    assert_eq!(plain.hash(), commented.hash());
    assert_ne!(plain.hash(), changed.hash());
    assert_eq!(
        (changed.limits.memory, changed.limits.cpus, changed.limits.pids),
        (4 << 30, 1.0, plain.limits.pids)
    );
    assert!(changed.tests.required && !plain.tests.required);
    assert!(changed.war.is_some_and(|war| war.matches("web/target/x.war")));
}

#[test]
fn every_problem_of_every_file_is_reported_at_once_with_its_place() {
    let wrong_stack = "title = \"\"\nservlet = \"java\"\njdk = 700\nnonsense = 1\n[builder]\nimage = \"maven\"\ncommand = []\njvm_flags = [\"-a b\", 7]\nenvironment.JDK_JAVA_OPTIONS = \"x\"\n[runtime]\nimage = \"tomcat:10.1\"\ntemplate = \"tomcta\"\nports = [8080, 0]\nlog_directory = \"logs\"\nuser = 0\n[lmits]\nmemory = \"2GB\"\n[tests]\nrequired = 1\n";
    let problems = load(&[
        ("stacks/bad.toml", wrong_stack),
        ("stacks/good.toml", STACK),
        ("stacks/twin.toml", STACK),
        ("stacks/broken.toml", "title = \n"),
        ("stacks/slow.toml", &STACK.replace("servlet_version = \"6.0\"", "servlet_version = \"6.1\"").replace("\"30m\"\n", "\"1h\"\n")),
        ("stacks/Upper.toml", STACK),
        ("one.toml", "projects = [\"shop/*\", \"a/[b]\"]\nstacks = [\"good\", \"twin\", \"goood\", \"slow\", \"bad\"]\nrecipients = [\"nobody\"]\n[limits]\ntime = \"soon\"\nmemry = \"1GiB\"\n"),
        ("two.toml", "projects = [\"SHOP/*\"]\nstacks = [\"good\", \"good\"]\n"),
        ("three.toml", ""),
        ("four.toml", "projects = [\"shop/*\"]\nstacks = [\"good\"]\n"),
        (
            "stacks/vars.toml",
            &STACK.replace("TZ = ", "JDK_JAVA_OPTIONS = "),
        ),
    ])
    .expect_err("wrong files")
    .join("\n");
    for expected in [
        "stacks/bad.toml:1:9: title: expected one line",
        "stacks/bad.toml:2:11: servlet: \"java\" is none of \"javax\", \"jakarta\"",
        "stacks/bad.toml:3:7: jdk: expected a whole number from 8 to 99",
        "stacks/bad.toml:4:1: unknown key \"nonsense\"; valid are \"title\"",
        "stacks/bad.toml:6:9: builder.image: \"maven\" is pinned to nothing",
        "stacks/bad.toml:7:11: builder.command: the list is empty",
        "stacks/bad.toml:8:14: builder.jvm_flags: \"-a b\" is not one flag",
        "stacks/bad.toml:8:22: builder.jvm_flags: expected a text in quotes, not a whole number",
        "stacks/bad.toml:12:12: runtime.template: there is no template \"tomcta\"; did you mean \"tomcat\"?",
        "stacks/bad.toml:13:16: runtime.ports: expected a whole number from 1 to 65535",
        "stacks/bad.toml:14:17: runtime.log_directory: \"logs\" is no absolute path",
        "stacks/bad.toml:15:8: runtime.user: expected a whole number from 1",
        "stacks/bad.toml:16:2: unknown key \"lmits\"; did you mean \"limits\"?",
        "stacks/bad.toml: the file lacks the key \"limits\"",
        "stacks/bad.toml:19:12: tests.required: expected true or false, not a whole number",
        "stacks/broken.toml:1:",
        "builder.environment.JDK_JAVA_OPTIONS: JDK_JAVA_OPTIONS is made from builder.jvm_flags",
        "stacks/Upper.toml: \"Upper\" is no name of a stack",
        "one.toml:1:23: projects: \"a/[b]\" has '[' in it",
        "one.toml:2:19: stacks: \"twin\" and \"good\" are both for jakarta.servlet 6.0 on JDK 17: a WAR would fit both",
        "one.toml:2:27: stacks: there is no stack \"goood\"; did you mean \"good\"?",
        "one.toml:2:36: stacks: \"slow\" and \"good\" differ in limits.time",
        "one.toml:3:15: recipients: \"nobody\" is no mail address",
        "one.toml:5:8: limits.time: \"soon\" is no time",
        "one.toml:6:1: unknown key \"memry\" in [limits]; did you mean \"memory\"?",
        "two.toml:1:13: projects: \"SHOP/*\" belongs to pipeline \"four\" already",
        "two.toml:2:19: stacks: \"good\" stands here twice",
        "three.toml: the file lacks the key \"projects\"",
        "three.toml: the file lacks the key \"stacks\"",
    ] {
        assert!(problems.contains(expected), "{expected} is missing in\n{problems}");
    }
    assert!(
        !problems.contains("\"bad\" "),
        "a wrong stack was called missing:\n{problems}"
    );
}

#[test]
fn a_directory_without_stacks_or_without_anything_says_what_to_do() {
    let none = load(&[]).expect_err("nothing there").join("\n");
    assert!(none.contains("no stack is defined"), "{none}");
    let missing = Definitions::load(Some(std::path::Path::new("/nonexistent/pipelines")), &templates())
        .expect_err("no directory");
    assert!(
        missing
            .to_string()
            .starts_with("/nonexistent/pipelines: cannot list this directory"),
        "{missing}"
    );
}

#[test]
fn severities_and_waivers_are_read() {
    let definitions = load(&[
        ("stacks/a.toml", STACK),
        (
            "default.toml",
            "projects = [\"**\"]\nstacks = [\"a\"]\n[checks]\nsnapshot = \"error\"\nsize = \"off\"\n\
             [[waiver]]\nrule = \"snapshot\"\npath = \"WEB-INF/lib/a-*.jar\"\nreason = \"r\"\nowner = \"o\"\nlast_day = 2026-12-31\n\
             [[waiver]]\nrule = \"credentials\"\npath = \"**\"\nreason = \"r\"\nowner = \"o\"\nlast_day = 2026-12-30\n",
        ),
    ])
    .expect("right files");
    let checks = &definitions.pipeline("default").expect("it").checks;
    assert_eq!(checks.severity(&rule::SNAPSHOT), Severity::Error);
    assert_eq!(checks.severity(&rule::SIZE), Severity::Off);
    assert_eq!(checks.severity(&rule::CASE_CLASH), Severity::Error);
    assert_eq!(checks.severity(&rule::CREDENTIALS), Severity::Warning);
    let [first, second] = &checks.waivers[..] else {
        panic!("two waivers: {checks:?}");
    };
    let last = first.last_day;
    assert_eq!(last.to_string(), "2026-12-31");
    assert!(first.holds(last) && !first.holds(last.succ_opt().expect("a day")));
    assert!(first.covers(&rule::SNAPSHOT, "WEB-INF/lib/a-1.jar"));
    assert!(first.covers(&rule::SNAPSHOT, "WEB-INF/lib/a-1.jar!/x/B.class"));
    assert!(!first.covers(&rule::SNAPSHOT, "WEB-INF/lib/b-1.jar"));
    assert!(!first.covers(&rule::SIZE, "WEB-INF/lib/a-1.jar"));
    assert!(second.covers(&rule::CREDENTIALS, "WEB-INF/classes/a/b.properties"));
}

#[test]
fn rules_that_do_not_exist_and_waivers_that_lack_something_are_refused() {
    let problems = load(&[
        ("stacks/a.toml", STACK),
        (
            "default.toml",
            "projects = [\"**\"]\nstacks = [\"a\"]\n[checks]\nsnapshots = \"error\"\nsize = \"fatal\"\n\
             [[waiver]]\nrule = \"credential\"\npath = \"/x\"\nreason = \"\"\nlast_day = \"2026-12-31\"\n\
             [[waiver]]\nrule = \"size\"\npath = \"x\"\nreason = \"r\"\nowner = \"o\"\nlast_day = 2026-12-31T10:00:00\nuntil = 1\n",
        ),
    ])
    .expect_err("wrong");
    let text = problems.join("\n");
    for expected in [
        "default.toml:4:13: checks.snapshots: there is no rule \"snapshots\"; did you mean \"snapshot\"?",
        "checks.size: \"fatal\" is none of \"off\", \"note\", \"warning\", \"error\"",
        "waiver.rule: there is no rule \"credential\"; did you mean \"credentials\"?",
        "waiver.path: \"/x\" has an empty",
        "waiver.reason: expected one line",
        "[waiver] lacks the key \"owner\"",
        "waiver.last_day: expected a day like 2026-12-31, without quotes, not a text",
        "waiver.last_day: expected a day like 2026-12-31, without quotes, not a date",
        "unknown key \"until\" in [waiver]",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    let problems = load(&[
        ("stacks/a.toml", STACK),
        ("default.toml", "projects = [\"**\"]\nstacks = [\"a\"]\nwaiver = 1\n"),
    ])
    .expect_err("wrong");
    assert!(problems[0].contains("[[waiver]]"), "{problems:?}");
}

#[test]
fn every_rule_is_in_the_documentation_of_pipelines() {
    let text = include_str!("../../pipelines/default.toml");
    for rule in rule::RULES {
        let line = format!("#   {:<21} {:<8} ", rule.id, rule.severity.as_str());
        assert!(text.contains(&line), "pipelines/default.toml lacks {line:?}");
    }
}

#[test]
fn bans_of_a_pipeline_and_of_the_house_come_together() {
    let pipeline = "projects = [\"**\"]\nstacks = [\"a\"]\n[[ban]]\nlibrary = \"a:b<2\"\nreason = \"Old.\"\n\
                    [vulnerabilities]\nfail_from = \"high\"\n";
    let house = "[[ban]]\nlibrary = \"log4j:log4j\"\nreason = \"Dead since 2015.\"\n";
    let files = [("stacks/a.toml", STACK), ("p.toml", pipeline), ("bans.toml", house)];
    let definitions = load(&files).expect("good files");
    let found = definitions.pipeline("p").expect("the pipeline");
    let bans: Vec<String> = found
        .bans
        .iter()
        .map(|ban| format!("{}: {}", ban.library, ban.reason))
        .collect();
    assert_eq!(bans, ["a:b<2: Old.", "log4j:log4j: Dead since 2015."]);
    assert_eq!(found.fail_from, Some(crate::model::Level::High));
    assert!(definitions.pipeline("bans").is_none());
    let without = load(&files[..2]).expect("bans.toml may be missing");
    assert_ne!(without.pipeline("p").expect("the pipeline").hash(), found.hash());
}

#[test]
fn a_ban_that_cannot_be_is_told_with_its_place() {
    let house = "ban = 1\n";
    let pipeline = "projects = [\"**\"]\nstacks = [\"a\"]\n[[ban]]\nlibrary = \"log4j<2\"\n\
                    [vulnerabilities]\nfail_from = \"severe\"\n";
    let problems =
        load(&[("stacks/a.toml", STACK), ("p.toml", pipeline), ("bans.toml", house)]).expect_err("bad files");
    for says in [
        "bans.toml:1:7: ban: expected tables [[ban]], not a whole number",
        "p.toml:3:1: [ban] lacks the key \"reason\"",
        "p.toml:4:11: ban.library: \"log4j<2\" names no library",
        "p.toml:6:13: vulnerabilities.fail_from: \"severe\" is none of",
    ] {
        assert!(
            problems.iter().any(|problem| problem.starts_with(says)),
            "{says}\n{problems:#?}"
        );
    }
}

#[test]
fn an_exception_is_for_named_projects_and_says_who_why_and_until_when() {
    let exception = "[dockerfile_exception]\npath = \"docker/Dockerfile\"\nreason = \"fonts\"\nowner = \"Ada\"\n\
                     last_day = 2026-12-31\nfiles = [\"docker/fonts/**\"]\napproved_bases = [\"registry.example.com/node:22\"]\n";
    let pipeline = format!("projects = [\"shop/print\"]\nstacks = [\"a\"]\n{exception}");
    let definitions = load(&[("stacks/a.toml", STACK), ("print.toml", &pipeline)]).expect("good files");
    let found = definitions
        .pipeline("print")
        .expect("the pipeline")
        .by_hand
        .clone()
        .expect("an exception");
    assert_eq!(
        found.allowed.to_string(),
        "hand-written docker/Dockerfile, until 2026-12-31 by Ada: fonts"
    );
    assert_eq!(found.files[0].as_str(), "docker/fonts/**");
    assert_eq!(found.approved_bases[0].as_str(), "registry.example.com/node:22");

    let wrong = "projects = [\"shop/*\"]\nstacks = [\"a\"]\n[dockerfile_exception]\npath = \"../x\"\nreason = \"\"\n\
                 last_day = \"2026-12-31\"\nuntil = 1\napproved_bases = [\"node\"]\n";
    let problems = load(&[("stacks/a.toml", STACK), ("p.toml", wrong)])
        .expect_err("wrong")
        .join("\n");
    for expected in [
        "p.toml:3:1: [dockerfile_exception] lacks the key \"owner\"",
        "p.toml:4:8: dockerfile_exception.path: \"../x\" has an empty, '.' or '..' part",
        "dockerfile_exception.reason: expected one line",
        "dockerfile_exception.last_day: expected a day like 2026-12-31",
        "unknown key \"until\" in [dockerfile_exception]",
        "dockerfile_exception.approved_bases: \"node\" is pinned to nothing",
    ] {
        assert!(problems.contains(expected), "{expected} in\n{problems}");
    }
    let pattern = pipeline.replace("shop/print", "shop/*");
    let problems = load(&[("stacks/a.toml", STACK), ("p.toml", &pattern)]).expect_err("a pattern");
    assert!(
        problems[0]
            .starts_with("p.toml:1:13: projects: \"shop/*\" is a pattern, and [dockerfile_exception] is for projects"),
        "{problems:?}"
    );
    let several = pipeline.replace("docker/Dockerfile", "docker/*");
    let problems = load(&[("stacks/a.toml", STACK), ("p.toml", &several)]).expect_err("a pattern");
    assert!(
        problems[0].contains("is a pattern; the Dockerfile is one file"),
        "{problems:?}"
    );
}

#[test]
fn bans_and_vulnerabilities_are_waived_by_name() {
    let head = "projects = [\"**\"]\nstacks = [\"a\"]\n";
    let house = "[[ban]]\nlibrary = \"log4j:log4j\"\nreason = \"Dead.\"\n";
    let rest = "reason = \"r\"\nowner = \"Ada\"\nlast_day = 2026-12-31\n";
    let good = format!(
        "{head}[[waiver]]\nrule = \"banned-library\"\nlibrary = \"log4j:log4j=1.2.17\"\nban = \"log4j:log4j\"\n{rest}\
         [[waiver]]\nrule = \"known-vulnerability\"\nlibrary = \"a:b\"\nadvisory = \"CVE-1\"\n{rest}\
         [[waiver]]\nrule = \"snapshot\"\npath = \"**\"\n{rest}"
    );
    let files = |pipeline: &str| load(&[("stacks/a.toml", STACK), ("p.toml", pipeline), ("bans.toml", house)]);
    let definitions = files(&good).expect("good files");
    let pipeline = definitions.pipeline("p").expect("the pipeline");
    assert_eq!(pipeline.checks.waivers.len(), 1);
    let what: Vec<String> = pipeline.library_waivers.iter().map(LibraryWaiver::what).collect();
    assert_eq!(what, ["the ban log4j:log4j of log4j:log4j=1.2.17", "CVE-1 of a:b"]);

    let wrong = format!(
        "{head}[[waiver]]\nrule = \"banned-library\"\nlibrary = \"log4j\"\nban = \"log4j:log4k\"\n{rest}\
         [[waiver]]\nrule = \"banned-library\"\nlibrary = \"log4j:log4j\"\nban = \"log4j:log4k\"\n{rest}\
         [[waiver]]\nrule = \"known-vulnerability\"\nlibrary = \"a:b\"\npath = \"**\"\n{rest}\
         [[waiver]]\nrule = \"banned-librarys\"\n"
    );
    let problems = files(&wrong).expect_err("wrong").join("\n");
    for expected in [
        "waiver.library: \"log4j\" names no library",
        "waiver.ban: there is no ban \"log4j:log4k\"; did you mean \"log4j:log4j\"?",
        "[waiver] lacks the key \"advisory\"",
        "unknown key \"path\" in [waiver]",
        "waiver.rule: there is no rule \"banned-librarys\"; did you mean \"banned-library\"?",
    ] {
        assert!(problems.contains(expected), "{expected} in\n{problems}");
    }
}
