//! Dockerfiles that are good, and each rule broken in the ways in which people break it.

use std::collections::BTreeMap;
use std::fs;

use chrono::NaiveDate;

use super::files::{gather, read};
use super::lint::{House, lint};
use super::rules::RULES;
use super::*;
use crate::definition::{ByHand, Definitions, Glob, ImageName};
use crate::dockerfile::{BaseSays, DockerfileInput, PinnedBase, Templates, render};
use crate::model::{Digest, DockerfileException, Finding, Layer};

const BASE: &str = "docker.io/library/tomcat:10.1-jdk17-temurin";

/// One that breaks nothing; `{…}` are the places where cases put something else.
const GOOD: &str = "\
# The fonts of the print room.
FROM tomcat:10.1-jdk17-temurin AS runtime
RUN rm -rf webapps/* \\
    # empty the base's own
    && mkdir -p /var/log/tomcat
COPY house/ /
COPY --chown=0:0 files/docker/fonts/ /usr/share/fonts/
COPY layers/*/ /usr/local/tomcat/webapps/
ENV APPLICATION=\"shop\" CATALINA_OPTS=\"-XX:MaxRAMPercentage=75.0\"
LABEL com.example.team=print
USER 10001:0
EXPOSE 8080
HEALTHCHECK --interval=10s CMD [\"/usr/share/seaworthy/health\", \"8080\", \"/\"]
CMD [\"catalina.sh\", \"run\"]
";

fn images(names: &[&str]) -> Vec<ImageName> {
    names
        .iter()
        .map(|name| ImageName::parse(name).expect("a name"))
        .collect()
}

fn judged(text: &str) -> Result<Written, Finding> {
    let last = images(&[BASE]);
    let any = images(&[BASE, "registry.example.com/house/node:22"]);
    lint(text, "docker/Dockerfile", House { last: &last, any: &any })
}

/// The lines `ERROR rule (count): title` and the places of a finding.
fn told(text: &str) -> String {
    match judged(text) {
        Ok(_) => String::new(),
        Err(finding) => {
            assert_eq!(finding.rule, RULE);
            finding.detail.join("\n")
        }
    }
}

/// Breaks this rule at this place and no other rule; or what is told instead.
fn broken(text: &str, rule: &str, place: &str) -> Result<(), String> {
    let told = told(text);
    let right =
        told.contains(&format!("ERROR {rule} (")) && told.contains(place) && told.matches("ERROR ").count() == 1;
    right
        .then_some(())
        .ok_or_else(|| format!("not {rule} alone, with {place:?}:\n{text}\n{told}\n"))
}

#[track_caller]
fn breaks(text: &str, rule: &str, place: &str) {
    assert_eq!(broken(text, rule, place), Ok(()));
}

#[test]
fn a_good_one_is_pinned_where_it_names_images_and_carries_itself() {
    let written = judged(GOOD).expect("nothing is wrong");
    assert_eq!(written.base().as_str(), BASE);
    let pin = PinnedBase::new(BASE, &Digest::of(b"base")).expect("a name");
    let text = written
        .pinned(&BTreeMap::from([(BASE.to_owned(), pin.clone())]))
        .expect("pinned");
    let (head, tail) = text.split_at(text.find("# Added by Seaworthy").expect("what is added"));
    assert_eq!(head, GOOD.replace("tomcat:10.1-jdk17-temurin", pin.as_str()));
    assert!(
        tail.ends_with("COPY --chown=0:0 house/usr/share/seaworthy/ /usr/share/seaworthy/\n"),
        "{tail}"
    );
    assert_eq!(written.pinned(&BTreeMap::new()), Err(BASE.to_owned()));
    // As an editor on Windows writes it.
    let windows = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    assert_eq!(judged(&windows), Ok(written));
}

#[test]
fn what_is_generated_breaks_no_rule_but_one_has_to_name_the_base_without_digest() {
    let templates = Templates::load(None).expect("the shipped templates");
    let definitions = Definitions::load(None, &templates.names()).expect("the shipped definitions");
    for stack in definitions.stacks() {
        let digest = Digest::of(b"base");
        let input = DockerfileInput {
            application: "a \"quoted\" $NAME".to_owned(),
            base: PinnedBase::new(stack.runtime.image.as_str(), &digest).expect("a name"),
            base_says: BaseSays::default(),
            layers: Layer::ALL.to_vec(),
            webapp: "ROOT".to_owned(),
            health_path: "/".to_owned(),
        };
        let text = render(&templates, stack, &input).expect("a Dockerfile").text;
        let house = [stack.runtime.image.clone()];
        let house = House {
            last: &house,
            any: &house,
        };
        let pinned = lint(&text, "Dockerfile", house).expect_err("a digest");
        assert!(
            pinned
                .detail
                .join("\n")
                .contains("it has a digest, which the service puts there"),
            "{pinned:?}"
        );
        let plain = text.replace(&format!("@{digest}"), "");
        assert_eq!(lint(&plain, "Dockerfile", house).map(|_| ()), Ok(()), "{}", stack.name);
    }
}

#[test]
fn several_stages_are_followed_to_what_they_stand_on() {
    let text = "\
FROM registry.example.com/house/node:22 AS assets
USER root
COPY files/web/ /src/
RUN node /src/build.js
FROM tomcat:10.1-jdk17-temurin AS lower
COPY layers/libraries layers/own-libraries/ /usr/local/tomcat/webapps/
USER 10001
HEALTHCHECK CMD [\"/x\"]
FROM lower
COPY --from=assets /src/fonts /usr/share/fonts
COPY --from=0 /src/more /usr/share/more/
COPY --from=docker.io/library/tomcat:10.1-jdk17-temurin /etc/x /etc/x
COPY ./layers/pages/ /layers/resources layers//classes /usr/local/tomcat/webapps
CMD [\"catalina.sh\", \"run\"]
";
    let written = judged(text).expect("nothing is wrong");
    assert_eq!(written.base().as_str(), BASE);
    assert_eq!(
        written.images().into_iter().collect::<Vec<_>>(),
        [BASE, "registry.example.com/house/node:22"]
    );
    let pins: BTreeMap<String, PinnedBase> = written
        .images()
        .into_iter()
        .map(|image| {
            (
                image.to_owned(),
                PinnedBase::new(image, &Digest::of(image.as_bytes())).expect("a name"),
            )
        })
        .collect();
    let pinned = written.pinned(&pins).expect("pinned");
    assert_eq!(pinned.matches("@sha256:").count(), 3, "{pinned}");
    // The builder's base is approved for that alone.
    let upon_the_builder = told(&text.replace("FROM lower", "FROM assets"));
    let expected =
        "docker/Dockerfile:9: the last stage stands on registry.example.com/house/node:22; approved here: docker.io";
    assert!(upon_the_builder.contains(expected), "{upon_the_builder}");
    for (from, to, place) in [
        (
            "COPY --from=0",
            "COPY --from=2",
            "docker/Dockerfile:11: --from=2: there is no such stage before",
        ),
        (
            "--from=docker.io/library/tomcat:10.1-jdk17-temurin",
            "--from=evil/x:1",
            "docker/Dockerfile:12: evil/x:1: approved here: ",
        ),
        (
            "--from=assets",
            "--from=${WHERE}",
            "docker/Dockerfile:10: ${WHERE}: the name is a variable",
        ),
        (
            "FROM tomcat:10.1-jdk17-temurin AS",
            "FROM later AS",
            "docker/Dockerfile:5: later: approved here",
        ),
    ] {
        breaks(&text.replacen(from, to, 1), "base-approved", place);
    }
    // What the last stage inherits counts.
    breaks(
        &text.replace("USER 10001\n", ""),
        "user-not-root",
        "docker/Dockerfile:8: the last stage has no USER",
    );
    breaks(
        &text.replace("USER 10001\n", "USER 10001\nUSER 0:0\n"),
        "user-not-root",
        "docker/Dockerfile:8: USER 0:0",
    );
}

#[test]
fn each_rule_is_broken_in_the_ways_in_which_people_do() {
    let from = "FROM tomcat:10.1-jdk17-temurin AS runtime";
    let cases: &[(&str, &str, &str, &str)] = &[
        // What stands in the good one, what takes its place, the rule, and what is told.
        (
            "# The fonts of the print room.",
            "# syntax=docker/dockerfile:1",
            "builder-directive",
            ":1: # syntax=docker/dockerfile:1",
        ),
        (
            "# The fonts of the print room.",
            "#escape = `",
            "builder-directive",
            ":1: #escape = `",
        ),
        (
            "# The fonts of the print room.",
            "#!/usr/bin/x\n# syntax=evil/x",
            "builder-directive",
            ":2: # syntax=evil/x",
        ),
        (
            "# The fonts of the print room.",
            "// syntax=evil/x",
            "dockerfile-unreadable",
            ":1",
        ),
        (
            "# The fonts of the print room.",
            "{\"syntax\": \"evil/x\"}",
            "dockerfile-unreadable",
            ":1",
        ),
        (
            "LABEL com",
            "\u{a0}LABEL com",
            "dockerfile-unreadable",
            ":10: the character U+00A0",
        ),
        (
            "LABEL com",
            "\rLABEL com",
            "dockerfile-unreadable",
            ":10: the character U+000D",
        ),
        (
            "EXPOSE 8080",
            "EXPOSE 8080 \\\\\nUSER 0",
            "dockerfile-unreadable",
            ":12: it ends in two backslashes",
        ),
        ("EXPOSE 8080", "EXPOSED 8080", "dockerfile-unreadable", ":12"),
        (
            "CMD [\"catalina.sh\", \"run\"]\n",
            "CMD [\"catalina.sh\", \"run\"] \\",
            "dockerfile-unreadable",
            ":14: the instruction is not ended",
        ),
        (
            from,
            "FROM tomcat:latest",
            "base-approved",
            ":2: tomcat:latest: approved here: docker.io/library/tomcat:10.1-jdk17-temurin",
        ),
        (from, "FROM scratch", "base-approved", ":2: scratch"),
        (
            from,
            "FROM registry.example.com/house/node:22",
            "base-approved",
            ":2: registry.example.com/house/node:22: approved here: docker.io",
        ),
        (
            from,
            "ARG BASE=tomcat:10.1-jdk17-temurin\nFROM $BASE",
            "base-approved",
            ":3: $BASE: the name is a variable",
        ),
        (
            from,
            "FROM tomcat:10.1-jdk17-temurin@sha256:1111111111111111111111111111111111111111111111111111111111111111",
            "base-approved",
            "it has a digest, which the service puts there",
        ),
        (
            from,
            "FROM --platform=linux/arm64 tomcat:10.1-jdk17-temurin",
            "base-approved",
            ":2: FROM has the flag --platform",
        ),
        (from, "FROM tomcat:10.1-\\\njdk17-temurin", "base-approved", ":2: "),
        ("USER 10001:0", "USER tomcat", "user-not-root", ":11: USER tomcat"),
        ("USER 10001:0", "USER 0", "user-not-root", ":11: USER 0"),
        ("USER 10001:0", "USER 00:7", "user-not-root", ":11: USER 00:7"),
        ("USER 10001:0", "USER $WHO", "user-not-root", ":11: USER $WHO"),
        (
            "USER 10001:0",
            "USER 10001:root",
            "user-not-root",
            ":11: USER 10001:root",
        ),
        ("USER 10001:0", "USER 4294967296", "user-not-root", ":11"),
        ("USER 10001:0\n", "", "user-not-root", ":2: the last stage has no USER"),
        (
            "EXPOSE 8080",
            "ADD https://example.com/a.tar.gz /opt/",
            "no-add",
            ":12: https://example.com/a.tar.gz /opt/",
        ),
        ("EXPOSE 8080", "ADD files/a.tar.gz /opt/", "no-add", ":12"),
        (
            "EXPOSE 8080",
            "ENV DB_PASSWORD=hunter22",
            "no-secret",
            ":12: ENV DB_PASSWORD = h*** (8 characters)",
        ),
        (
            "EXPOSE 8080",
            "ENV DB_PASSWORD hunter22",
            "no-secret",
            ":12: ENV DB_PASSWORD = h***",
        ),
        (
            "EXPOSE 8080",
            "ARG NPM_TOKEN\nARG API_TOKEN='x7Gh92kq'",
            "no-secret",
            ":13: ARG API_TOKEN = x*** (8 characters)",
        ),
        (
            "EXPOSE 8080",
            "LABEL a=b \\\n  com.example.secret=\"s3cr3t!!\"",
            "no-secret",
            ":12: LABEL com.example.secret = s***",
        ),
        (
            "EXPOSE 8080",
            "# was AKIAABCDEFGHIJKLMNOP\nEXPOSE 8080",
            "no-secret",
            ":12: an access key of AWS: A***",
        ),
        (
            "EXPOSE 8080",
            "RUN echo \"https://ci:geheim123@nexus.example.com\" > /etc/x",
            "no-secret",
            ":12: a password in an address",
        ),
        (
            "COPY layers/*/ /usr/local/tomcat/webapps/\n",
            "",
            "one-application",
            ":2: not copied: layers/libraries/, layers/own-libraries/",
        ),
        (
            "layers/*/ /usr",
            "layers/libraries/ layers/classes/ /usr",
            "one-application",
            "not copied: layers/own-libraries/, layers/pages/, layers/resources/",
        ),
        (
            "EXPOSE 8080",
            "COPY house/x.war /usr/local/tomcat/webapps/x.war",
            "one-application",
            ":12: house/x.war goes to /usr/local/tomcat/webapps/x.war",
        ),
        (
            "EXPOSE 8080",
            "COPY --from=runtime /a /opt/a",
            "base-approved",
            ":12: --from=runtime: that stage comes later",
        ),
        (
            "EXPOSE 8080",
            "COPY --from=tomcat:10.1-jdk17-temurin /a /usr/local/./tomcat//webapps/a/",
            "one-application",
            ":12: /usr/local/tomcat/webapps/a is filled from another stage or image",
        ),
        (
            "EXPOSE 8080",
            "COPY layers/classes/ROOT/ /srv/",
            "one-application",
            ":12: layers/classes/ROOT/ is a part of a layer",
        ),
        (
            "EXPOSE 8080",
            "COPY layers/pages/ /srv/",
            "one-application",
            ":12: layers go to /usr/local/tomcat/webapps/, not to /srv",
        ),
        (
            "COPY layers",
            "COPY --chown=10001 layers",
            "one-application",
            ":8: --chown=10001: the application belongs to root",
        ),
        (
            "COPY layers",
            "COPY --chmod=777 layers",
            "one-application",
            ":8: --chmod=777",
        ),
        (
            "EXPOSE 8080",
            "ENV A=1 CATALINA_BASE=/opt/other",
            "one-application",
            ":12: ENV CATALINA_BASE=/opt/other",
        ),
        (
            "CMD [\"catalina.sh\", \"run\"]",
            "CMD catalina.sh run",
            "exec-form",
            ":14: CMD catalina.sh run",
        ),
        (
            "CMD [\"catalina.sh\", \"run\"]",
            "CMD ['catalina.sh', 'run']",
            "exec-form",
            ":14",
        ),
        (
            "CMD [\"catalina.sh\", \"run\"]",
            "ENTRYPOINT [\"/bin/sh\", \"-c\", \"catalina.sh run\"]",
            "exec-form",
            ":14: ENTRYPOINT",
        ),
        (
            "CMD [\"/usr/share/seaworthy/health\", \"8080\", \"/\"]",
            "CMD curl localhost",
            "exec-form",
            ":13",
        ),
        (
            "HEALTHCHECK --interval=10s CMD [\"/usr/share/seaworthy/health\", \"8080\", \"/\"]\n",
            "",
            "health-check",
            ":2: the last stage has no HEALTHCHECK",
        ),
        (
            "HEALTHCHECK --interval=10s CMD [\"/usr/share/seaworthy/health\", \"8080\", \"/\"]",
            "HEALTHCHECK NONE",
            "health-check",
            ":13: HEALTHCHECK NONE",
        ),
        ("EXPOSE 8080", "RUN <<EOF\nUSER 0\nEOF", "no-heredoc", ":12: <<EOF"),
        (
            "EXPOSE 8080",
            "COPY <<X /etc/motd\nhello\nX",
            "no-heredoc",
            ":12: <<X /etc/motd",
        ),
        (
            "EXPOSE 8080",
            "RUN --mount=type=secret,id=npm cat /run/secrets/npm",
            "no-run-flag",
            ":12: --mount=type=secret,id=npm",
        ),
        (
            "EXPOSE 8080",
            "RUN --mount=type=ssh true",
            "no-run-flag",
            ":12: --mount=type=ssh",
        ),
        (
            "EXPOSE 8080",
            "RUN --network=host true",
            "no-run-flag",
            ":12: --network=host",
        ),
        (
            "EXPOSE 8080",
            "RUN --mount=type=bind,from=evil/x,target=/x true",
            "no-run-flag",
            ":12: --mount=",
        ),
        ("EXPOSE 8080", "ONBUILD RUN id", "no-onbuild", ":12: RUN id"),
        (
            "EXPOSE 8080",
            "COPY . /srv/",
            "copy-paths",
            ":12: . is not in the context",
        ),
        (
            "EXPOSE 8080",
            "COPY target/shop.war /srv/",
            "copy-paths",
            ":12: target/shop.war is not in the context",
        ),
        (
            "EXPOSE 8080",
            "COPY files/../Dockerfile /srv/",
            "copy-paths",
            ":12: files/../Dockerfile is no plain path",
        ),
        (
            "EXPOSE 8080",
            "COPY files/$X /srv/",
            "copy-paths",
            ":12: files/$X is no plain path",
        ),
        (
            "EXPOSE 8080",
            "COPY files/x $CATALINA_HOME/webapps/",
            "copy-paths",
            ":12: $CATALINA_HOME/webapps/ is no plain absolute path",
        ),
        (
            "EXPOSE 8080",
            "COPY files/x webapps/",
            "copy-paths",
            ":12: webapps/ is no plain absolute path",
        ),
        (
            "EXPOSE 8080",
            "COPY files/x /usr/local/tomcat/conf/../webapps/",
            "copy-paths",
            ":12",
        ),
        (
            "layers/*/ /usr",
            "layers/*/ layers/lib/ /usr",
            "copy-paths",
            ":8: there is no layer lib; there are libraries, own-libraries",
        ),
        (
            "LABEL com.example.team=print",
            "LABEL dev.seaworthy.build=7",
            "reserved-label",
            ":10: dev.seaworthy.build",
        ),
        (
            "LABEL com.example.team=print",
            "LABEL \"Org.OpenContainers.Image.source\"=x",
            "reserved-label",
            ":10: Org.OpenContainers",
        ),
        (
            "LABEL com.example.team=print",
            "LABEL $K=x",
            "reserved-label",
            ":10: $K",
        ),
    ];
    let mut wrong = Vec::new();
    for (good, bad, rule, place) in cases {
        assert!(GOOD.contains(good), "{good}");
        let place = if place.starts_with(':') {
            format!("docker/Dockerfile{place}")
        } else {
            (*place).to_owned()
        };
        wrong.extend(broken(&GOOD.replacen(good, bad, 1), rule, &place).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Each rule has its case.
    for rule in RULES {
        assert!(
            cases.iter().any(|(_, _, id, _)| *id == rule.id),
            "{} is never broken",
            rule.id
        );
        assert!(rule.why.ends_with('.') && !rule.title.ends_with('.'), "{}", rule.id);
    }
}

#[test]
fn all_that_is_wrong_is_in_one_report() {
    let text = "FROM evil/base\nADD https://example.com/x /x\nENV API_KEY=abcdef123456\nCOPY target/a.war /usr/local/tomcat/webapps/\nCMD run\n";
    let finding = judged(text).expect_err("wrong");
    assert!(
        finding
            .title
            .starts_with("docker/Dockerfile breaks 8 rules for Dockerfiles, the first: "),
        "{}",
        finding.title
    );
    let all = finding.detail.join("\n");
    for rule in [
        "base-approved",
        "user-not-root",
        "no-add",
        "no-secret",
        "one-application",
        "exec-form",
        "health-check",
        "copy-paths",
    ] {
        assert_eq!(all.matches(&format!("ERROR {rule} (")).count(), 1, "{rule}\n{all}");
    }
    assert_eq!(all.matches("  Mend: ").count(), 8, "{all}");
}

#[test]
fn an_empty_file_and_one_without_from_are_refused() {
    for text in ["", "# only a comment\n", "USER 7\n", "ARG A=1\n"] {
        assert!(told(text).contains("ERROR dockerfile-unreadable ("), "{text:?}");
    }
}

fn by_hand(path: &str, files: &[&str]) -> ByHand {
    ByHand {
        allowed: DockerfileException {
            path: path.to_owned(),
            reason: "fonts".to_owned(),
            owner: "Ada".to_owned(),
            last_day: NaiveDate::MAX,
        },
        files: files.iter().map(|glob| Glob::file(glob).expect("a pattern")).collect(),
        approved_bases: Vec::new(),
    }
}

#[test]
fn only_files_of_the_tree_are_read_and_no_link_is_followed() {
    let outside = tempfile::tempdir().expect("a directory");
    fs::write(outside.path().join("Dockerfile"), "secret").expect("written");
    let tree = tempfile::tempdir().expect("a directory");
    let at = |path: &str| tree.path().join(path);
    fs::create_dir_all(at("docker/fonts")).expect("made");
    fs::write(at("docker/Dockerfile"), GOOD).expect("written");
    fs::write(at("docker/binary"), [0xff, 0xfe]).expect("written");
    fs::write(at("docker/large"), vec![b'#'; 100_000]).expect("written");
    fs::write(at("docker/fonts/a.ttf"), "a").expect("written");
    std::os::unix::fs::symlink(outside.path(), at("linked")).expect("linked");
    std::os::unix::fs::symlink(at("docker/Dockerfile"), at("docker/link")).expect("linked");

    assert_eq!(
        read(tree.path(), &by_hand("docker/Dockerfile", &[])).expect("read"),
        Ok(GOOD.to_owned())
    );
    for (path, why) in [
        ("Dockerfile", "not in the merge result"),
        ("docker/Dockerfile/x", "not in the merge result"),
        ("docker", "no file"),
        ("docker/binary", "no text in UTF-8"),
        ("docker/large", "more than 65536 bytes"),
        ("docker/link", "a link is in its path"),
        ("linked/Dockerfile", "a link is in its path"),
    ] {
        let finding = read(tree.path(), &by_hand(path, &[])).expect("read").expect_err(path);
        assert_eq!(finding.rule, "dockerfile-missing");
        assert!(finding.title.contains(why), "{path}: {}", finding.title);
    }

    let gathered = |globs: &[&str]| gather(tree.path(), &by_hand("x", globs)).expect("read");
    let paths: Vec<String> = gathered(&["docker/fonts/**", "docker/Dockerfile"])
        .expect("files")
        .into_iter()
        .map(|file| file.path)
        .collect();
    assert_eq!(paths, ["docker/Dockerfile", "docker/fonts/a.ttf"]);
    assert_eq!(gathered(&[]), Ok(Vec::new()));
    let title = |globs: &[&str]| gathered(globs).expect_err("refused").title;
    assert!(title(&["docker/**"]).contains("docker/link is a link"));
    assert!(title(&["nothing/**"]).contains("No file of the repository is named nothing/**"));
    fs::write(at("docker/fonts/id"), "-----BEGIN RSA PRIVATE KEY-----\n").expect("written");
    let finding = gathered(&["docker/fonts/**"]).expect_err("a key");
    assert!(
        finding.detail.join("\n").contains("docker/fonts/id:1: a private key"),
        "{finding:?}"
    );
}
