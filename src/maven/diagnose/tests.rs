//! What a developer reads, for the logs that Maven 3.8 and 3.9 really write.

use super::*;
use crate::model::{TestCounts, TestFailure};

fn heard(log: &str) -> Console {
    let mut console = Console::in_directory("/build");
    for line in log.lines() {
        console.line(line);
    }
    console
}

fn finding(code: i64, log: &str) -> Finding {
    diagnose(&Ended::Code(code), &heard(log), &TestReport::default(), true).expect_err("it is red")
}

fn red() -> TestReport {
    let failure = |class: &str, method: &str, kind: &str, message: &str| TestFailure {
        class: class.to_owned(),
        method: method.to_owned(),
        kind: kind.to_owned(),
        message: message.to_owned(),
        trace: vec![format!("{kind}: {message}"), format!("\tat {class}.{method}(X.java:8)")],
    };
    TestReport {
        counts: TestCounts {
            run: 14,
            failed: 1,
            errors: 1,
            skipped: 0,
        },
        failures: vec![
            failure(
                "com.x.CartTest",
                "addsTwice",
                "org.opentest4j.AssertionFailedError",
                "expected: <3>\nbut was: <2>",
            ),
            failure("com.x.OrderTest", "", "java.sql.SQLException", "no table"),
        ],
        ..TestReport::default()
    }
}

const TESTING: &str = "\
[INFO] Scanning for projects...
[INFO] --- surefire:3.5.4:test (default-test) @ app ---
[INFO] Running com.x.HangTest
";

#[test]
fn red_tests_are_named_with_their_messages() {
    let finding = diagnose(&Ended::Code(1), &heard(TESTING), &red(), true).expect_err("red");
    assert_eq!(finding.rule, "tests-failed");
    assert_eq!(
        finding.title,
        "2 of 14 tests failed: CartTest.addsTwice, OrderTest (set-up)"
    );
    assert_eq!(
        finding.detail,
        [
            "com.x.CartTest#addsTwice: expected: <3>",
            "    but was: <2>",
            "    at com.x.CartTest.addsTwice(X.java:8)",
            "com.x.OrderTest (set-up or tear-down of the class): SQLException: no table",
            "    at com.x.OrderTest.(X.java:8)",
        ]
    );
}

#[test]
fn red_tests_fail_the_build_even_when_maven_is_content() {
    let log = format!("{TESTING}[INFO] BUILD SUCCESS\n");
    let finding = diagnose(&Ended::Code(0), &heard(&log), &red(), false).expect_err("red");
    assert_eq!(finding.rule, "tests-failed");
    assert!(
        finding
            .detail
            .last()
            .is_some_and(|line| line.contains("testFailureIgnore"))
    );
}

#[test]
fn many_red_tests_are_counted_and_not_all_listed() {
    let mut report = red();
    report.counts.run = 500;
    report.counts.failed = 400;
    report.failures = vec![report.failures[0].clone(); 401];
    let finding = diagnose(&Ended::Code(1), &heard(""), &report, true).expect_err("red");
    assert!(finding.title.ends_with("and 398 more"), "{}", finding.title);
    assert!(finding.detail.len() < 200, "{} lines", finding.detail.len());
}

#[test]
fn a_compile_error_is_told_with_its_place() {
    let log = "\
[INFO] --- maven-compiler-plugin:3.14.1:compile (default-compile) @ harbour ---
[ERROR] COMPILATION ERROR : 
[INFO] -------------------------------------------------------------
[ERROR] /build/src/main/java/com/x/Bad.java:[1,42] cannot find symbol
  symbol:   class Missing
  location: class com.x.Bad
[ERROR] /build/src/main/java/com/x/Bad.java:[1,61] incompatible types: java.lang.String cannot be converted to int
[INFO] 2 errors 
[INFO] BUILD FAILURE
[ERROR] Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin:3.14.1:compile (default-compile) on project harbour: Compilation failure: Compilation failure: 
[ERROR] /build/src/main/java/com/x/Bad.java:[1,42] cannot find symbol
[ERROR]   symbol:   class Missing
[ERROR] /build/src/main/java/com/x/Bad.java:[1,61] incompatible types: java.lang.String cannot be converted to int
[ERROR] -> [Help 1]
";
    let finding = finding(1, log);
    assert_eq!(finding.rule, "compile-error");
    assert_eq!(
        finding.title,
        "The code does not compile: src/main/java/com/x/Bad.java:1:42: cannot find symbol (and 1 more)"
    );
    assert_eq!(
        finding.detail,
        [
            "src/main/java/com/x/Bad.java:1:42: cannot find symbol",
            "  symbol:   class Missing",
            "  location: class com.x.Bad",
            "src/main/java/com/x/Bad.java:1:61: incompatible types: java.lang.String cannot be converted to int",
        ]
    );
}

#[test]
fn a_compile_error_of_the_tests_is_told_apart() {
    let log = "\
[INFO] --- compiler:3.14.1:testCompile (default-testCompile) @ app ---
[ERROR] COMPILATION ERROR : 
[ERROR] /build/src/test/java/BadTest.java:[1,46] cannot find symbol
[INFO] BUILD FAILURE
";
    let finding = finding(1, log);
    assert_eq!(
        finding.title,
        "The test classes do not compile: src/test/java/BadTest.java:1:46: cannot find symbol"
    );
}

#[test]
fn a_missing_dependency_is_the_projects_fault() {
    let log = "\
[INFO] BUILD FAILURE
[ERROR] Failed to execute goal on project app: Could not resolve dependencies for project com.x:app:war:1.0: Could not find artifact javax.servlet:javax.servlet-api:jar:4.0.99 in central (https://repo.maven.apache.org/maven2) -> [Help 1]
";
    assert_eq!(world_fault(&heard(log)), None);
    let finding = finding(1, log);
    assert_eq!(finding.rule, "dependency-missing");
    assert!(
        finding.title.contains("javax.servlet-api:jar:4.0.99"),
        "{}",
        finding.title
    );
    assert!(finding.help.contains("settings.xml"));
}

#[test]
fn a_repository_that_does_not_answer_is_the_worlds() {
    for line in [
        // 3.9
        "[ERROR] Failed to execute goal on project app: Could not resolve dependencies for project com.x:app:war:1.0: Could not transfer artifact a:b:jar:1 from/to house (https://nexus:9/maven): Connect to nexus:9 [nexus/10.0.0.1] failed: Connection refused -> [Help 1]",
        // 3.8
        "[ERROR] [ERROR] Some problems were encountered while processing the POMs:\n[ERROR] Non-resolvable import POM: Could not transfer artifact a:b:pom:1 from/to house (https://nexus:9/maven): transfer failed for https://nexus:9/maven/a/b/1/b-1.pom @ line 27, column 19",
        "[ERROR] Plugin a:b:1 or one of its dependencies could not be resolved: Could not transfer artifact a:b:pom:1 from/to house (https://nexus/): status code: 503, reason phrase: Service Unavailable (503) -> [Help 1]",
    ] {
        let console = heard(&format!(
            "[INFO] Scanning for projects...\n[INFO] BUILD FAILURE\n{line}"
        ));
        let fault = world_fault(&console).expect(line);
        assert!(fault.contains("nexus"), "{fault}");
    }
    let wrapper = heard("Exception in thread \"main\" java.net.UnknownHostException: repo.maven.apache.org\n");
    assert!(world_fault(&wrapper).is_some_and(|fault| fault.contains("Wrapper")));
}

#[test]
fn what_a_test_prints_is_not_taken_for_mavens_word() {
    let log = format!(
        "{TESTING}[ERROR] Could not transfer artifact a:b:jar:1 from/to x (http://x): Connection refused\n\
         [ERROR] /a/B.java:[1,2] cannot find symbol\njava.net.ConnectException: Connection refused\n[INFO] BUILD FAILURE\n"
    );
    assert_eq!(world_fault(&heard(&log)), None);
    assert_eq!(finding(1, &log).rule, "maven-failed");
}

#[test]
fn a_refusal_of_the_repository_manager_is_for_a_person() {
    let log = "[ERROR] Failed to execute goal on project app: Could not transfer artifact a:b:jar:1 from/to house (https://nexus/): status code: 403, reason phrase: Forbidden (403) -> [Help 1]\n";
    assert_eq!(world_fault(&heard(log)), None);
    assert!(finding(1, log).help.contains("platform team"));
}

#[test]
fn limits_say_what_was_running() {
    let stopped = |ended| diagnose(&ended, &heard(TESTING), &TestReport::default(), true).expect_err("stopped");
    let after = Duration::from_secs(600);
    let time = stopped(Ended::TimedOut { after });
    assert_eq!(time.rule, "time-limit");
    assert_eq!(
        time.title,
        "The build was stopped after 10 min while the test com.x.HangTest was running"
    );
    assert_eq!(stopped(Ended::OutOfMemory).rule, "out-of-memory");
    let log = stopped(Ended::LogLimit { bytes: 64 << 20 });
    assert!(log.title.contains("64 MiB"), "{}", log.title);
    assert_eq!(stopped(Ended::DiskLimit { bytes: 1 << 30 }).rule, "disk-limit");
}

#[test]
fn a_fork_bomb_is_called_by_its_name() {
    let log = format!(
        "{TESTING}[4.5s][warning][os,thread] Failed to start thread \"Unknown thread\" - pthread_create failed (EAGAIN)\n[INFO] BUILD FAILURE\n"
    );
    assert_eq!(finding(1, &log).rule, "process-limit");
    let mut report = red();
    report.failures[0].message =
        "unable to create native thread: possibly out of memory or process/resource limits reached".to_owned();
    let finding = diagnose(&Ended::Code(1), &heard(TESTING), &report, true).expect_err("red");
    assert_eq!(finding.rule, "process-limit");
    assert!(
        finding.detail.contains(&"failed: com.x.CartTest#addsTwice".to_owned()),
        "{:?}",
        finding.detail
    );
}

#[test]
fn a_jvm_that_died_is_told_with_its_test() {
    let log = |code: &str| {
        format!(
            "{TESTING}[INFO] BUILD FAILURE\n\
             [ERROR] Failed to execute goal org.apache.maven.plugins:maven-surefire-plugin:3.5.4:test (default-test) on project red: \n\
             [ERROR] The forked VM terminated without properly saying goodbye. VM crash or System.exit called?\n\
             [ERROR] Command was /bin/sh -c cd '/build' && java\n\
             [ERROR] Process Exit Code: {code}\n[ERROR] Crashed tests:\n[ERROR] com.x.KillTest\n\
             [ERROR] org.apache.maven.surefire.booter.SurefireBooterForkException: The forked VM terminated\n"
        )
    };
    let died = finding(1, &log("3"));
    assert_eq!(died.rule, "test-jvm-died");
    assert_eq!(died.title, "The JVM of the tests died (exit code 3) in com.x.KillTest");
    assert_eq!(finding(1, &log("137")).rule, "out-of-memory");
}

#[test]
fn other_failures_keep_mavens_words() {
    let log = "\
[INFO] BUILD FAILURE
[ERROR] Failed to execute goal org.apache.maven.plugins:maven-enforcer-plugin:3.4.1:enforce (jdk) on project app: Some rules have failed. -> [Help 1]
[ERROR] 
[ERROR] To see the full stack trace of the errors, re-run Maven with the -e switch.
[ERROR] [Help 1] http://cwiki.apache.org/confluence/display/MAVEN/MojoFailureException
";
    let failed = finding(1, log);
    assert_eq!(failed.rule, "maven-failed");
    assert_eq!(
        failed.title,
        "Maven failed: maven-enforcer-plugin:enforce of app: Some rules have failed."
    );
    assert_eq!(failed.detail.len(), 1, "{:?}", failed.detail);
    assert_eq!(finding(1, "[ERROR] The goal you specified requires a project to execute but there is no POM in this directory (/build).\n").rule, "not-maven");
    let silent = finding(3, "something\nelse\n");
    assert_eq!(silent.detail, ["something", "else"]);
}

#[test]
fn a_command_that_is_not_there() {
    let missing = finding(127, "sh: 1: mvn: not found\n");
    assert_eq!(missing.title, "The build command was not found: sh: 1: mvn: not found");
    assert!(
        finding(126, "sh: 1: ./mvnw: Permission denied\n")
            .help
            .contains("chmod=+x")
    );
}

#[test]
fn no_test_is_fatal_only_where_the_stack_says_so() {
    let log = heard(
        "[INFO] --- surefire:3.5.4:test (default-test) @ app ---\n[INFO] Tests are skipped.\n[INFO] BUILD SUCCESS\n",
    );
    let none = TestReport::default();
    let fatal = diagnose(&Ended::Code(0), &log, &none, true).expect_err("required");
    assert_eq!(fatal.rule, "no-tests");
    assert!(fatal.title.contains("tells Maven to skip"), "{}", fatal.title);
    assert_eq!(diagnose(&Ended::Code(0), &log, &none, false), Ok(vec![fatal]));
    let mut green = TestReport::default();
    green.counts.run = 3;
    assert_eq!(diagnose(&Ended::Code(0), &log, &green, true), Ok(Vec::new()));
    green.damaged.push("TEST-x.xml: it is empty".to_owned());
    let remarks = diagnose(&Ended::Code(0), &log, &green, true).expect("green");
    assert_eq!(remarks[0].rule, "reports-damaged");
}

#[test]
fn other_build_tools_are_named() {
    assert_eq!(unsupported_build(["pom.xml", "build.gradle"]), None);
    let gradle = unsupported_build(["src", "build.gradle.kts"]).expect("not Maven");
    assert!(gradle.title.contains("Gradle"), "{}", gradle.title);
    assert!(unsupported_build(["README"]).is_some_and(|finding| finding.title.starts_with("There is no POM")));
}
