//! `seaworthy plan` of a project in GitLab, `seaworthy stacks check` of the test world's images, and
//! what a build chose by itself.

use std::process::ExitCode;

use seaworthy::cli::{plan, stacks};
use seaworthy::config::Config;
use seaworthy::model::BuildId;
use seaworthy::store::{choices, images};
use world::World;
use world::gitlab::GitLab;

use crate::house::{House, sample, write_pipelines};
use crate::outside_clients::verbs::{same, settings};

#[tokio::test]
async fn a_project_is_planned_from_its_address_and_nothing_stays() {
    seaworthy::clients::http::install_crypto_provider();
    let world = World::attach();
    let dir = world.scratch().expect("a folder");
    let gitlab = GitLab::start(&dir.join("gitlab"), 0)
        .await
        .expect("the stand-in starts");
    gitlab
        .create_project("coast/lighthouse", &sample("lighthouse"))
        .await
        .expect("a project");
    let config = Config::load(
        None,
        settings(&[
            ("gitlab_url", gitlab.url()),
            ("gitlab_token", gitlab.api_token()),
            ("gitlab_git_token", gitlab.git_token()),
        ]),
    )
    .expect("a configuration");
    let mut out = Vec::new();
    let address = format!("{}/coast/lighthouse.git", gitlab.url());
    let code = plan::run(&plan::Args::new(address, None), Some(&config), &mut out)
        .await
        .expect("planned");
    let text = String::from_utf8(out).expect("a text");
    assert!(same(code, ExitCode::SUCCESS), "{text}");
    for expected in [
        "project        lighthouse",
        "builder        JDK 17",
        "maven.compiler.release is 17 in pom.xml",
        "WAR            web/target/lighthouse-web-1.0.war",
        "stack          tomcat10 ",
        "FROM docker.io/library/tomcat:10.1-jdk17-temurin",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
    let elsewhere = plan::Args::new("https://elsewhere.example.com/a/b.git", None);
    let refused = plan::run(&elsewhere, Some(&config), &mut Vec::new()).await;
    let refused = format!("{:#}", refused.expect_err("another server"));
    assert!(refused.contains("is not below"), "{refused}");
}

#[tokio::test]
async fn a_plan_lists_all_checks_and_judges_a_hand_written_dockerfile() {
    let world = World::attach();
    let pipelines = world.scratch().expect("a folder").join("pipelines");
    let config = Config::load(
        None,
        settings(&[("definitions_pipelines", pipelines.display().to_string())]),
    )
    .expect("a configuration");
    let planned = async |path: &str, last_day: &str| {
        let rest = format!("reason = \"r\"\nowner = \"Ada\"\nlast_day = {last_day}\n");
        write_pipelines(&pipelines, "");
        let text = format!(
            "projects = [\"shop/beacon\"]\nstacks = [\"tomcat9\"]\n[checks]\nsnapshot = \"error\"\nservice-url = \"off\"\n\
             [vulnerabilities]\nfail_from = \"high\"\n[boot.environment]\nMODE = \"qa\"\n\
             [[ban]]\nlibrary = \"log4j:log4j\"\nreason = \"Dead since 2015.\"\n\
             [[waiver]]\nrule = \"banned-library\"\nlibrary = \"log4j:log4j\"\n{rest}\
             [[waiver]]\nrule = \"size\"\npath = \"**\"\nreason = \"r\"\nowner = \"Bob\"\nlast_day = 2020-01-01\n\
             [[service]]\nname = \"postgres\"\nimage = \"docker.io/library/postgres:15\"\nmemory = \"256MiB\"\ntime = \"1m\"\n\
             [dockerfile_exception]\npath = \"{path}\"\nfiles = [\"docker/chart.txt\"]\n{rest}"
        );
        std::fs::write(pipelines.join("beacon.toml"), text).expect("written");
        let project = "shop/beacon".parse().expect("a path");
        let args = plan::Args::new(sample("beacon").display().to_string(), Some(project));
        let mut out = Vec::new();
        let code = plan::run(&args, Some(&config), &mut out).await.expect("planned");
        (same(code, ExitCode::SUCCESS), String::from_utf8(out).expect("a text"))
    };
    let (well, text) = planned("docker/Dockerfile", "2999-12-31").await;
    assert!(well, "{text}");
    for expected in [
        "checks         unit tests: ",
        "               boot check: the image is started with 1024 MiB and must answer below 500 at / within ",
        ", with the variables MODE\n",
        "WAR rules      error    class-version         Classes are newer than the Java that runs them\n",
        "               error    snapshot              ",
        " (warning by itself, the pipeline says otherwise)\n",
        "               off      service-url           ",
        "waivers        RUN OUT: size **, until 2020-01-01 by Bob: r\n               bans of log4j:log4j, until 2999-12-31 by Ada: r\n",
        "bans           log4j:log4j: Dead since 2015.\n",
        "vulnerable     libraries with a known vulnerability fail the build, if it is high or worse\n",
        "services       postgres: docker.io/library/postgres:15 with 256 MiB, ready within 60 s",
        "exception      hand-written docker/Dockerfile, until 2999-12-31 by Ada: r\n               it may copy files/docker/chart.txt (",
        "Dockerfile     docker/Dockerfile, hand-written; its bases are pinned",
        "\n# Tomcat as the house runs it",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
    for rule in seaworthy::model::rule::RULES {
        assert!(text.contains(&format!(" {} ", rule.id)), "{}\n{text}", rule.id);
    }
    let (well, text) = planned("docker/Dockerfile.wrong", "2999-12-31").await;
    assert!(
        !well && text.contains("ERROR no-secret (1)") && text.contains("docker/Dockerfile.wrong:4: "),
        "{text}"
    );
    // What the house would make, for whoever wants to do without.
    let (well, text) = planned("docker/Dockerfile", "2020-12-31").await;
    assert!(!well && text.contains("ran out on 2020-12-31"), "{text}");
    assert!(
        text.contains("\nFROM docker.io/library/tomcat:9.0-jdk17-temurin\n"),
        "{text}"
    );
}

#[tokio::test]
async fn the_images_of_a_stack_are_looked_into() {
    seaworthy::clients::http::install_crypto_provider();
    let world = World::attach();
    let registry = &world.registry;
    let config = Config::load(
        None,
        settings(&[
            ("engine_url", world.engine.host.clone()),
            ("registry_repository", format!("{}/qa", registry.address)),
            ("registry_username", registry.user.clone()),
            ("registry_password", registry.password.clone()),
            ("base_images_mirrors", format!("docker.io={}/mirror", registry.address)),
        ]),
    )
    .expect("a configuration");
    let mut out = Vec::new();
    let code = stacks::run(&stacks::Args::check(&["tomcat9", "tomcat10"]), Some(&config), &mut out)
        .await
        .expect("looked");
    let text = String::from_utf8(out).expect("a text");
    assert!(same(code, ExitCode::SUCCESS), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(
        lines[0].starts_with("ok tomcat10 builder ") && lines[0].contains("Maven 3.9."),
        "{text}"
    );
    assert!(
        lines[3].starts_with("ok tomcat9 runtime ") && lines[3].contains("curl; Tomcat 9.0."),
        "{text}"
    );
    // The test world has no image with this JDK: a stack whose images are not there is told, not passed over.
    let mut out = Vec::new();
    let code = stacks::run(&stacks::Args::check(&["tomcat85-jdk21"]), Some(&config), &mut out)
        .await
        .expect("looked");
    let text = String::from_utf8(out).expect("a text");
    assert!(same(code, ExitCode::FAILURE), "{text}");
    assert!(text.starts_with("PROBLEM tomcat85-jdk21 builder "), "{text}");
}

/// The sample harbour with a toolchain, and a profile in which no test runs.
fn harbour_with_toolchain(into: &std::path::Path) {
    let from = sample("harbour");
    let copied = std::process::Command::new("cp")
        .args(["-r", "--"])
        .args([&from, into])
        .status();
    assert!(copied.expect("cp").success());
    let pom = into.join("pom.xml");
    let text = std::fs::read_to_string(&pom).expect("the POM");
    let toolchains = "<plugins><plugin><groupId>org.apache.maven.plugins</groupId><artifactId>maven-toolchains-plugin</artifactId>\
         <version>3.2.0</version><executions><execution><goals><goal>toolchain</goal></goals></execution></executions>\
         <configuration><toolchains><jdk><version>[17,21)</version></jdk></toolchains></configuration></plugin></plugins><resources>";
    let profile = "<profiles><profile><id>qa</id><properties><skipTests>true</skipTests></properties></profile></profiles></project>";
    let text = text
        .replacen("<resources>", toolchains, 1)
        .replacen("</project>", profile, 1);
    std::fs::write(pom, text).expect("written");
}

#[tokio::test]
async fn profile_and_toolchain_reach_maven_and_each_choice_is_kept_with_its_evidence() {
    let mut house = House::build().await;
    house.define("profiles = [\"qa\"]\nwar = \"target/*.war\"");
    let service = house.serve("worker", &[]).await;
    let directory = house.dir.join("sample");
    harbour_with_toolchain(&directory);
    let project = house
        .gitlab
        .create_project("shop/harbour", &directory)
        .await
        .expect("a project");
    house.merge_request(&service, &project, "berths").await;
    let record = house.passes(1).await;
    let remark = record.remarks.first().expect("a remark");
    assert_eq!(
        remark.title,
        "No test was executed: the project tells Maven to skip the tests"
    );
    let log = house.log_of(1).await;
    for expected in [
        "Tests are skipped: skipTests is true in pom.xml",
        "builder JDK 17: maven.compiler.release is 17 in pom.xml; the toolchain's JDK is [17,21) in pom.xml",
        "--activate-profiles=qa",
        "--toolchains=/seaworthy/toolchains.xml",
        "stack tomcat9: javax: ",
    ] {
        assert!(log.contains(expected), "{expected} is missing in\n{log}");
    }
    let choices = choices::of_build(&house.pool, BuildId(1)).await.expect("read");
    let told: Vec<(&str, &str, bool)> = choices
        .iter()
        .map(|choice| (choice.what.as_str(), choice.value.as_str(), choice.overridden))
        .collect();
    assert_eq!(
        told,
        [
            ("builder", "JDK 17", false),
            ("WAR", "target/harbour-1.0.war", true),
            ("stack", "tomcat9", false)
        ]
    );
    let image = images::of_build(&house.pool, BuildId(1))
        .await
        .expect("read")
        .expect("an image");
    let evidence = &image.dockerfile.labels["dev.seaworthy.stack.evidence"];
    assert!(
        evidence.contains("WEB-INF/classes has major version 61 (Java 17) in "),
        "{evidence}"
    );
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn the_container_is_made_ahead_and_one_for_the_wrong_builder_does_no_harm() {
    let house = House::build().await;
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    let mr = house.merge_request(&service, &project, "berths").await;
    house.passes(1).await;
    // As if the project had asked for another JDK until now.
    let builder = |jdk: u8| format!("{}/library/maven:3.9-eclipse-temurin-{jdk}", house.world.mirror());
    let docker = async |words: &[&str]| {
        let ended = house.docker().args(words).status().await.expect("it runs");
        assert!(ended.success(), "{words:?}");
    };
    docker(&["tag", &builder(17), &builder(11)]).await;
    sqlx::query("update build set choices = '[{\"what\": \"builder\", \"value\": \"JDK 11\", \"evidence\": [], \"overridden\": false}]'")
        .execute(&house.pool)
        .await
        .expect("written");
    let mr = house.push(&service, &mr, &[("CHANGES.md", "more")], "Words").await;
    house.passes(2).await;
    let log = house.log_of(2).await;
    assert!(
        log.contains("builder JDK 17: ") && log.contains("temurin-11 as before, which goes unused"),
        "{log}"
    );
    docker(&["rmi", "--no-prune", &builder(11)]).await;

    house.push(&service, &mr, &[("CHANGES.md", "yet more")], "Words").await;
    house.passes(3).await;
    let log = house.log_of(3).await;
    assert!(
        log.contains("temurin-17 was made while the source was fetched"),
        "{log}"
    );
    house.is_clean().await;
    house.close().await;
}
