//! Sample projects, generated: each gets the right JDK, WAR and stack, or the right finding.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use zip::write::SimpleFileOptions;

use super::*;
use crate::definition::{Definitions, Pipeline};
use crate::maven::class_file::class_with;
use crate::maven::{WarError, WarLimits, war};
use crate::model::{Finding, ServletApi, War};

/// The shipped pipeline.
fn pipeline() -> Pipeline {
    definitions(None).pipeline("default").expect("shipped").clone()
}

fn definitions(directory: Option<&Path>) -> Definitions {
    Definitions::load(directory, &BTreeSet::from(["tomcat".to_owned()])).expect("definitions")
}

type Files<'a> = &'a [(&'a str, &'a str)];

/// A source tree; POMs come without `<project>`.
fn tree(files: Files<'_>) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (path, text) in files {
        let file = directory.path().join(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("made");
        let text = if path.ends_with("pom.xml") {
            format!(
                "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>{text}</project>"
            )
        } else {
            (*text).to_owned()
        };
        fs::write(file, text).expect("written");
    }
    directory
}

fn zipped(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).expect("an entry");
        zip.write_all(content).expect("in memory");
    }
    zip.finish().expect("in memory").into_inner()
}

/// A class of this major version that refers to these types.
fn class(major: u16, types: &[&str]) -> Vec<u8> {
    let mut class = class_with(types, &[], &[]);
    class[6..8].copy_from_slice(&major.to_be_bytes());
    class
}

const JAKARTA: &str = "jakarta/servlet/http/HttpServlet";
const JAVAX: &str = "javax/servlet/http/HttpServlet";

/// A WAR of these entries, as the package stage sees it.
fn packed(entries: &[(&str, Vec<u8>)]) -> Result<(War, crate::maven::Bytecode), Box<Finding>> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("app.war");
    fs::write(&file, zipped(entries)).expect("written");
    let told = |error| match error {
        WarError::Project(finding) => finding,
        WarError::Io { .. } => panic!("{error}"),
    };
    let war = war::inspect(&file, "target/app.war", WarLimits::default()).map_err(told)?;
    let code = war::bytecode(&war, WarLimits::default()).map_err(told)?;
    Ok((war, code))
}

/// JDK of the builder and name of the stack, or the rule and title of the finding.
fn road(pipeline: &Pipeline, files: Files<'_>, war: &[(&str, Vec<u8>)]) -> Result<(u8, String), (String, String)> {
    let told = |finding: Finding| {
        (
            finding.rule,
            format!("{} | {}", finding.title, finding.detail.join(" | ")),
        )
    };
    let directory = tree(files);
    let survey = survey(directory.path(), pipeline).expect("read");
    if let Some(finding) = survey.finding {
        return Err(told(finding));
    }
    let built = builder(pipeline, &survey).map_err(told)?;
    let (war, code) = packed(war).map_err(|finding| told(*finding))?;
    let chosen = runtime(pipeline, &war, &code, built.builder.jdk).map_err(told)?;
    Ok((built.builder.jdk, chosen.stack.name.clone()))
}

fn own(major: u16, servlet: &str) -> Vec<(&'static str, Vec<u8>)> {
    vec![("WEB-INF/classes/x/A.class", class(major, &[servlet]))]
}

const WAR: &str = "<artifactId>app</artifactId><version>1</version><packaging>war</packaging>";

fn properties(text: &str) -> String {
    format!("{WAR}<properties>{text}</properties>")
}

/// What a sample must come to.
enum Is {
    /// JDK of the builder, stack.
    On(u8, &'static str),
    /// Rule of the finding, words in its title or detail.
    Told(&'static str, &'static str),
}

struct Sample<'a> {
    name: &'static str,
    files: Vec<(&'static str, String)>,
    war: Vec<(&'a str, Vec<u8>)>,
    is: Is,
}

#[test]
fn each_sample_project_gets_the_right_stack_or_the_right_finding() {
    let boot = "<parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId><version>3.2.1</version><relativePath/></parent>";
    let mut samples = vec![
        Sample {
            name: "single module, javax, source and target of old",
            files: vec![("pom.xml", properties("<maven.compiler.source>1.8</maven.compiler.source><maven.compiler.target>1.8</maven.compiler.target>"))],
            war: own(52, JAVAX),
            is: Is::On(8, "tomcat9-jdk8"),
        },
        Sample {
            name: "several modules, jakarta, properties of the parent POM",
            files: vec![
                ("pom.xml", "<artifactId>p</artifactId><version>1</version><packaging>pom</packaging><properties><java>21</java><maven.compiler.release>${java}</maven.compiler.release></properties><modules><module>model</module><module>web</module></modules>".to_owned()),
                ("model/pom.xml", "<parent><artifactId>p</artifactId><version>1</version></parent><artifactId>model</artifactId>".to_owned()),
                ("web/pom.xml", "<parent><artifactId>p</artifactId><version>1</version></parent><artifactId>web</artifactId><packaging>war</packaging>".to_owned()),
            ],
            war: own(65, JAKARTA),
            is: Is::On(21, "tomcat10-jdk21"),
        },
        Sample {
            name: "the parent POM lies beside the project, the compiler plugin is configured in it",
            files: vec![
                ("pom.xml", format!("<parent><artifactId>house</artifactId><version>1</version><relativePath>parent</relativePath></parent>{WAR}")),
                ("parent/pom.xml", "<artifactId>house</artifactId><version>1</version><packaging>pom</packaging><build><pluginManagement><plugins><plugin><artifactId>maven-compiler-plugin</artifactId><configuration><release>11</release></configuration></plugin></plugins></pluginManagement></build>".to_owned()),
            ],
            war: own(55, JAKARTA),
            is: Is::On(11, "tomcat10-jdk11"),
        },
        Sample {
            name: "wrapper",
            files: vec![
                ("pom.xml", properties("<maven.compiler.release>17</maven.compiler.release>")),
                (".mvn/wrapper/maven-wrapper.properties", "distributionUrl=https://repo.example.com/apache-maven/3.9.9/apache-maven-3.9.9-bin.zip\n".to_owned()),
            ],
            war: own(61, JAKARTA),
            is: Is::On(17, "tomcat10"),
        },
        Sample {
            name: "a profile of .mvn/maven.config raises the release",
            files: vec![
                ("pom.xml", format!("{}<profiles><profile><id>new</id><properties><maven.compiler.release>25</maven.compiler.release></properties></profile></profiles>", properties("<maven.compiler.release>17</maven.compiler.release>"))),
                (".mvn/maven.config", "-Pnew\n".to_owned()),
            ],
            war: own(69, JAKARTA),
            is: Is::On(25, "tomcat10-jdk25"),
        },
        Sample {
            name: "executable WAR of Spring Boot",
            files: vec![("pom.xml", format!("{boot}{WAR}"))],
            war: vec![
                ("org/springframework/boot/loader/launch/WarLauncher.class", class(61, &[])),
                ("WEB-INF/classes/x/App.class", class(61, &["org/springframework/boot/web/servlet/support/SpringBootServletInitializer"])),
                ("WEB-INF/lib/spring-web.jar", zipped(&[("org/s/W.class", class(61, &[JAKARTA]))])),
                ("WEB-INF/lib-provided/tomcat-embed-core.jar", zipped(&[("jakarta/servlet/Servlet.class", class(70, &[]))])),
            ],
            is: Is::On(17, "tomcat10"),
        },
        Sample {
            name: "executable WAR of Spring Boot that only its launcher can start",
            files: vec![("pom.xml", format!("{boot}{WAR}"))],
            war: vec![
                ("org/springframework/boot/loader/launch/WarLauncher.class", class(61, &[])),
                ("WEB-INF/classes/x/App.class", class(61, &["org/springframework/boot/SpringApplication"])),
                ("WEB-INF/lib/spring-boot.jar", zipped(&[("org/springframework/boot/web/servlet/support/SpringBootServletInitializer.class", class(61, &[JAKARTA, "org/springframework/web/WebApplicationInitializer"]))])),
            ],
            is: Is::Told("starts-nothing", "extends SpringBootServletInitializer"),
        },
        Sample {
            name: "executable WAR of Spring Boot whose initializer is in a sibling module",
            files: vec![("pom.xml", format!("{boot}{WAR}"))],
            war: vec![
                ("org/springframework/boot/loader/launch/WarLauncher.class", class(61, &[])),
                ("WEB-INF/classes/x/App.class", class(61, &[JAKARTA])),
                ("WEB-INF/lib/start-1.0.jar", zipped(&[("x/Start.class", class(61, &["org/springframework/boot/web/servlet/support/SpringBootServletInitializer"]))])),
            ],
            is: Is::On(17, "tomcat10"),
        },
        Sample {
            name: "a JAR",
            files: vec![("pom.xml", "<artifactId>app</artifactId>".to_owned())],
            war: vec![],
            is: Is::Told("no-war", "No module of the project has the packaging war | pom.xml: packaging jar"),
        },
        Sample {
            name: "an executable JAR of Spring Boot",
            files: vec![("pom.xml", format!("{boot}<artifactId>app</artifactId><build><plugins><plugin><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build>"))],
            war: vec![],
            is: Is::Told("no-war", "executable JAR of Spring Boot"),
        },
        Sample {
            name: "Gradle",
            files: vec![("build.gradle.kts", String::new())],
            war: vec![],
            is: Is::Told("not-maven", "Gradle project (build.gradle.kts)"),
        },
        Sample {
            name: "Ant",
            files: vec![("build.xml", String::new())],
            war: vec![],
            is: Is::Told("not-maven", "Ant project"),
        },
        Sample {
            name: "EAR",
            files: vec![
                ("pom.xml", "<artifactId>p</artifactId><packaging>pom</packaging><modules><module>ejb</module><module>ear</module></modules>".to_owned()),
                ("ejb/pom.xml", "<artifactId>e</artifactId><packaging>ejb</packaging>".to_owned()),
                ("ear/pom.xml", "<artifactId>a</artifactId><packaging>ear</packaging>".to_owned()),
            ],
            war: vec![],
            is: Is::Told("needs-jakarta-ee", "ear/pom.xml: packaging ear"),
        },
        Sample {
            name: "a library of a newer class version than any JDK",
            files: vec![("pom.xml", properties("<maven.compiler.release>17</maven.compiler.release>"))],
            war: vec![
                ("WEB-INF/classes/x/A.class", class(61, &[JAKARTA])),
                ("WEB-INF/lib/future-1.0.jar", zipped(&[("f/F.class", class(70, &[]))])),
            ],
            is: Is::Told("class-too-new", "WEB-INF/lib/future-1.0.jar is made for Java 26, and the newest JDK for jakarta here is 25 | WEB-INF/lib/future-1.0.jar: f/F.class has major version 70"),
        },
        Sample {
            name: "the container's interface is packed with it, of the other generation",
            files: vec![("pom.xml", properties("<maven.compiler.release>17</maven.compiler.release>"))],
            war: vec![
                ("WEB-INF/lib/app.jar", zipped(&[("x/A.class", class(61, &[JAKARTA]))])),
                ("WEB-INF/lib/servlet-api-2.3.jar", zipped(&[("javax/servlet/Servlet.class", class(45, &["javax/servlet/ServletConfig"])), ("javax/servlet/http/HttpServlet.class", class(45, &["javax/servlet/Servlet"]))])),
            ],
            is: Is::On(17, "tomcat10"),
        },
    ];
    samples.extend(untidy());
    assert!(samples.len() >= 12, "the table is the proof of the choices");
    let pipeline = pipeline();
    let mut wrong = Vec::new();
    for sample in samples {
        let files: Vec<(&str, &str)> = sample.files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let came = road(&pipeline, &files, &sample.war);
        let right = match (&sample.is, &came) {
            (Is::On(jdk, stack), Ok((builder, chosen))) => jdk == builder && stack == chosen,
            (Is::Told(rule, words), Err((found, told))) => rule == found && told.contains(words),
            _ => false,
        };
        if !right {
            wrong.push(format!("{}: {came:?}", sample.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is met in the wild.
fn untidy() -> Vec<Sample<'static>> {
    let pom = |release: u8| {
        vec![(
            "pom.xml",
            properties(&format!("<maven.compiler.release>{release}</maven.compiler.release>")),
        )]
    };
    vec![
        Sample {
            name: "no class of its own: all are in jars",
            files: pom(11),
            war: vec![(
                "WEB-INF/lib/app.jar",
                zipped(&[("x/A.class", class(55, &[JAVAX])), ("x/B.class", class(55, &[]))]),
            )],
            is: Is::On(11, "tomcat9-jdk11"),
        },
        Sample {
            name: "all of another generation's Tomcat in WEB-INF/lib",
            files: pom(17),
            war: vec![
                ("WEB-INF/lib/app.jar", zipped(&[("x/A.class", class(61, &[JAKARTA]))])),
                (
                    "WEB-INF/lib/catalina.jar",
                    zipped(&[
                        ("org/apache/catalina/A.class", class(52, &[JAVAX])),
                        ("org/apache/catalina/B.class", class(52, &[JAVAX])),
                    ]),
                ),
            ],
            is: Is::On(17, "tomcat10"),
        },
        Sample {
            name: "jakarta.persistence beside javax.servlet",
            files: pom(17),
            war: vec![
                ("WEB-INF/classes/x/A.class", class(61, &[JAVAX])),
                ("WEB-INF/classes/x/E.class", class(61, &["jakarta/persistence/Entity"])),
                ("WEB-INF/classes/x/F.class", class(61, &["jakarta/persistence/Entity"])),
            ],
            is: Is::On(17, "tomcat9"),
        },
        Sample {
            name: "multi-release jars and descriptions of modules count by their base alone",
            files: pom(8),
            war: vec![
                ("WEB-INF/classes/x/A.class", class(52, &[JAVAX])),
                (
                    "WEB-INF/lib/multi.jar",
                    zipped(&[
                        ("m/M.class", class(52, &[])),
                        ("module-info.class", class(53, &[])),
                        ("META-INF/versions/21/m/M.class", class(65, &[])),
                    ]),
                ),
            ],
            is: Is::On(8, "tomcat9-jdk8"),
        },
        Sample {
            name: "a library needs a newer JDK than the POM asks for",
            files: pom(8),
            war: vec![
                ("WEB-INF/classes/x/A.class", class(52, &[JAVAX])),
                ("WEB-INF/lib/new.jar", zipped(&[("n/N.class", class(61, &[]))])),
            ],
            is: Is::On(8, "tomcat9"),
        },
        Sample {
            name: "built by an older release, jakarta: the smallest JDK of those stacks builds it",
            files: vec![(
                "pom.xml",
                format!(
                    "{}<dependencies><dependency><groupId>jakarta.servlet</groupId><artifactId>jakarta.servlet-api</artifactId><version>6.0.0</version><scope>provided</scope></dependency></dependencies>",
                    properties("<maven.compiler.release>8</maven.compiler.release>")
                ),
            )],
            war: own(52, JAKARTA),
            is: Is::On(11, "tomcat10-jdk11"),
        },
        Sample {
            name: "nothing is said: the pipeline's default, and no lower JDK to run on",
            files: vec![("pom.xml", WAR.to_owned())],
            war: own(52, JAVAX),
            is: Is::On(17, "tomcat9"),
        },
        Sample {
            name: "Servlet 6.1 in web.xml",
            files: pom(17),
            war: vec![
                ("WEB-INF/classes/x/A.class", class(61, &[JAKARTA])),
                (
                    "WEB-INF/web.xml",
                    b"<?xml version='1.0'?><web-app xmlns=\"https://jakarta.ee/xml/ns/jakartaee\" version=\"6.1\"/>"
                        .to_vec(),
                ),
            ],
            is: Is::On(17, "tomcat11"),
        },
        Sample {
            name: "Java 30",
            files: pom(30),
            war: vec![],
            is: Is::Told(
                "jdk-missing",
                "asks for Java 30, and the stacks of pipeline default have JDK 8, 11, 17, 21, 25 | maven.compiler.release is 30 in pom.xml",
            ),
        },
        Sample {
            name: "EJB and CDI without implementation",
            files: pom(17),
            war: vec![
                ("WEB-INF/classes/x/A.class", class(61, &[JAKARTA, "jakarta/ejb/EJB"])),
                (
                    "WEB-INF/classes/x/B.class",
                    class(61, &["jakarta/enterprise/context/RequestScoped"]),
                ),
                // The interface alone implements nothing.
                (
                    "WEB-INF/lib/cdi-api.jar",
                    zipped(&[("jakarta/enterprise/context/RequestScoped.class", class(55, &[]))]),
                ),
            ],
            is: Is::Told("needs-jakarta-ee", "uses EJB and CDI"),
        },
        Sample {
            name: "JSF, CDI and JMS that it brings along",
            files: pom(17),
            war: vec![
                (
                    "WEB-INF/classes/x/A.class",
                    class(
                        61,
                        &[JAKARTA, "jakarta/faces/context/FacesContext", "jakarta/jms/Queue"],
                    ),
                ),
                (
                    "WEB-INF/classes/x/B.class",
                    class(61, &["jakarta/enterprise/inject/Produces"]),
                ),
                (
                    "WEB-INF/lib/mojarra.jar",
                    zipped(&[("com/sun/faces/A.class", class(55, &[]))]),
                ),
                (
                    "WEB-INF/lib/weld.jar",
                    zipped(&[("org/jboss/weld/A.class", class(55, &[]))]),
                ),
                (
                    "WEB-INF/lib/jms.jar",
                    zipped(&[("jakarta/jms/Queue.class", class(55, &[]))]),
                ),
            ],
            is: Is::On(17, "tomcat10"),
        },
    ]
}

#[test]
fn the_evidence_says_where_and_how_many() {
    let directory = tree(&[(
        "pom.xml",
        &properties("<maven.compiler.release>17</maven.compiler.release>"),
    )]);
    let pipeline = pipeline();
    let survey = survey(directory.path(), &pipeline).expect("read");
    let built = builder(&pipeline, &survey).expect("a builder");
    assert_eq!(
        built.choice.to_string(),
        "builder JDK 17: maven.compiler.release is 17 in pom.xml"
    );
    let (war, code) = packed(&[
        ("WEB-INF/classes/x/A.class", class(61, &[JAKARTA])),
        ("WEB-INF/classes/x/B.class", class(61, &[])),
        ("WEB-INF/lib/a.jar", zipped(&[("a/A.class", class(52, &[]))])),
    ])
    .expect("a WAR");
    let chosen = runtime(&pipeline, &war, &code, 17).expect("a stack");
    assert_eq!(
        chosen.choice.to_string(),
        "stack tomcat10: jakarta: 1 of 2 classes refer to jakarta.servlet, none to javax.servlet; \
         WEB-INF/classes has major version 61 (Java 17) in 2 of 2 classes; \
         the highest of its libraries is a.jar with major version 52 (Java 8)"
    );
}

#[test]
fn what_the_pipeline_says_wins_and_is_called_overridden() {
    let directory = tree(&[(
        "pom.xml",
        &properties("<maven.compiler.release>17</maven.compiler.release>"),
    )]);
    let mut pipeline = pipeline();
    pipeline.jdk = Some(21);
    pipeline.stack = Some("tomcat11-jdk25".to_owned());
    let survey = survey(directory.path(), &pipeline).expect("read");
    let built = builder(&pipeline, &survey).expect("a builder");
    assert_eq!(built.builder.jdk, 21);
    assert_eq!(
        built.choice.to_string(),
        "builder JDK 21 (overridden): jdk = 21 in pipeline default; \
         the project says: maven.compiler.release is 17 in pom.xml"
    );
    let (war, code) = packed(&own(61, JAKARTA)).expect("a WAR");
    let chosen = runtime(&pipeline, &war, &code, 21).expect("a stack");
    assert_eq!(chosen.stack.name, "tomcat11-jdk25");
    assert!(chosen.choice.overridden);
    assert!(
        chosen
            .choice
            .grounds(500)
            .starts_with("overridden: stack = \"tomcat11-jdk25\" in pipeline default, instead of tomcat10-jdk21"),
        "{}",
        chosen.choice.grounds(500)
    );
    // Without `jdk`, the stack's own builder.
    pipeline.jdk = None;
    assert_eq!(builder(&pipeline, &survey).expect("a builder").builder.jdk, 25);
    // Classes that its JVM cannot load are refused all the same.
    pipeline.stack = Some("tomcat10-jdk11".to_owned());
    let finding = runtime(&pipeline, &war, &code, 11).expect_err("too new");
    assert_eq!(finding.rule, "class-too-new");
}

#[test]
fn of_several_wars_leftovers_and_overlays_are_not_the_application() {
    let pipeline = pipeline();
    let directory = tree(&[
        (
            "pom.xml",
            "<artifactId>p</artifactId><version>1</version><packaging>pom</packaging><modules><module>base</module><module>web</module></modules>",
        ),
        (
            "base/pom.xml",
            "<artifactId>base</artifactId><version>1</version><packaging>war</packaging>",
        ),
        (
            "web/pom.xml",
            "<artifactId>web</artifactId><version>2</version><packaging>war</packaging><dependencies><dependency><groupId>g</groupId><artifactId>base</artifactId><version>1</version><type>war</type></dependency></dependencies>",
        ),
    ]);
    let survey = survey(directory.path(), &pipeline).expect("read");
    let paths = |list: &[&str]| list.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    let found = paths(&[
        "base/target/base-1.war",
        "old/app.war",
        "web/target/test-data/tiny.war",
        "web/target/web-1.war",
        "web/target/web-2.war",
    ]);
    let before = paths(&["old/app.war"]);
    let chosen = candidates(&found, &before, &survey, false);
    assert_eq!(chosen.wars, ["web/target/web-2.war"]);
    assert_eq!(
        chosen.notes,
        [
            "old/app.war lies in the repository and was not made by this build",
            "web/target/test-data/tiny.war was not made by a module with packaging war",
            "base/target/base-1.war is an overlay of another WAR",
            "web/target/web-1.war is not the WAR that the module's POM names",
        ]
    );
    // An old WAR is never taken for want of a new one.
    assert!(candidates(&before, &before, &survey, false).wars.is_empty());
    // The pipeline's word is not narrowed.
    assert_eq!(candidates(&found, &before, &survey, true).wars.len(), 4);
    // The only one is taken wherever it lies.
    let only = paths(&["dist/app.war"]);
    assert_eq!(candidates(&only, &[], &survey, false).wars, only);
}

#[test]
fn skipped_tests_wrapper_and_gaps_are_told_before_the_build() {
    let directory = tree(&[
        (
            "pom.xml",
            &format!(
                "{}<modules><module>gone</module></modules><build><plugins><plugin><artifactId>maven-enforcer-plugin</artifactId><executions><execution><configuration><rules><requireMavenVersion><version>[3.9,)</version></requireMavenVersion></rules></configuration></execution></executions></plugin></plugins></build>",
                properties("<skipTests>true</skipTests>")
            ),
        ),
        (
            ".mvn/wrapper/maven-wrapper.properties",
            "distributionUrl=https://x/apache-maven-3.8.6-bin.zip",
        ),
    ]);
    let survey = survey(directory.path(), &pipeline()).expect("read");
    assert_eq!(
        survey.notes,
        [
            "gone is not there",
            "requireMavenVersion is [3.9,) in pom.xml",
            "Tests are skipped: skipTests is true in pom.xml",
            "Maven 3.8.6, by the wrapper (.mvn/wrapper/maven-wrapper.properties)",
        ]
    );
}

#[test]
fn what_may_still_make_a_war_is_not_refused_before_the_build() {
    let pipeline = pipeline();
    let finding = |pom: &str| {
        let directory = tree(&[("pom.xml", pom)]);
        survey(directory.path(), &pipeline).expect("read").finding
    };
    let plugin =
        |name: &str| format!("<build><plugins><plugin><artifactId>{name}</artifactId></plugin></plugins></build>");
    for open in [
        "<artifactId>a</artifactId><packaging>grails-app</packaging>".to_owned(),
        "<artifactId>a</artifactId><properties><p>war</p></properties><packaging>${p}</packaging>".to_owned(),
        "<artifactId>a</artifactId><packaging>${from.elsewhere}</packaging>".to_owned(),
        format!("<artifactId>a</artifactId>{}", plugin("maven-war-plugin")),
        "<artifactId>a</artifactId><modules><module>gone</module></modules>".to_owned(),
        "<artifactId>a</artifactId><profiles><profile><id>x</id><activation><jdk>17</jdk></activation><modules><module>web</module></modules></profile></profiles>".to_owned(),
    ] {
        assert_eq!(finding(&open), None, "{open}");
    }
    assert!(finding(&format!("<artifactId>a</artifactId>{}", plugin("maven-jar-plugin"))).is_some());
}

#[test]
fn where_the_parent_is_not_in_the_repository_the_default_says_so() {
    let pom = format!(
        "<parent><groupId>com.example</groupId><artifactId>house</artifactId><version>7</version></parent>{WAR}"
    );
    let directory = tree(&[("pom.xml", &pom)]);
    let pipeline = pipeline();
    let survey = survey(directory.path(), &pipeline).expect("read");
    assert_eq!(
        builder(&pipeline, &survey).expect("a builder").choice.to_string(),
        "builder JDK 17: no POM in the repository says for which Java it is \
         (the parent com.example:house:7 is not in it); 17 is the default of pipeline default"
    );
}

#[test]
fn profiles_of_the_pipeline_are_read_and_a_default_profile_gives_way() {
    let pom = format!(
        "{WAR}<profiles>\
         <profile><id>a</id><activation><activeByDefault>true</activeByDefault></activation><properties><maven.compiler.release>21</maven.compiler.release></properties></profile>\
         <profile><id>qa</id><properties><maven.compiler.release>11</maven.compiler.release></properties></profile>\
         </profiles>"
    );
    let directory = tree(&[("pom.xml", &pom)]);
    let mut pipeline = pipeline();
    let jdk = |pipeline: &Pipeline| {
        let survey = survey(directory.path(), pipeline).expect("read");
        builder(pipeline, &survey).expect("a builder").builder.jdk
    };
    assert_eq!(jdk(&pipeline), 21);
    pipeline.profiles = vec!["qa".to_owned()];
    assert_eq!(jdk(&pipeline), 11);
}

#[test]
fn toolchains_and_the_enforcer_ask_too_and_the_highest_counts() {
    let plugin = |name: &str, configuration: &str| {
        format!(
            "<plugin><artifactId>{name}</artifactId><executions><execution><configuration>{configuration}</configuration></execution></executions></plugin>"
        )
    };
    let pom = format!(
        "{}<build><plugins>{}{}</plugins></build>",
        properties("<maven.compiler.release>8</maven.compiler.release><jdk>21</jdk>"),
        plugin(
            "maven-toolchains-plugin",
            "<toolchains><jdk><version>${jdk}</version></jdk></toolchains>"
        ),
        plugin(
            "maven-enforcer-plugin",
            "<rules><requireJavaVersion><version>[17,)</version></requireJavaVersion></rules>"
        ),
    );
    let directory = tree(&[("pom.xml", &pom)]);
    let pipeline = pipeline();
    let survey = survey(directory.path(), &pipeline).expect("read");
    assert!(survey.toolchains);
    let whys: Vec<&str> = survey.asks.iter().map(|ask| ask.why.as_str()).collect();
    assert_eq!(
        whys,
        [
            "maven.compiler.release is 8 in pom.xml",
            "the toolchain's JDK is ${jdk}, which is 21, in pom.xml",
            "requireJavaVersion is [17,) in pom.xml",
        ]
    );
    assert_eq!(builder(&pipeline, &survey).expect("a builder").builder.jdk, 21);
}

#[test]
fn a_project_that_compiles_for_the_oldest_java_needs_an_old_compiler() {
    let files = [(
        "pom.xml",
        properties("<maven.compiler.target>1.5</maven.compiler.target>"),
    )];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let mut pipeline = pipeline();
    assert_eq!(
        road(&pipeline, &files, &own(49, JAVAX)),
        Ok((8, "tomcat9-jdk8".to_owned()))
    );
    pipeline.stacks.retain(|stack| stack.builder.jdk > 8);
    let (rule, told) = road(&pipeline, &files, &own(49, JAVAX)).expect_err("no compiler");
    assert_eq!(rule, "jdk-missing");
    assert!(
        told.contains("compiles for Java 5 (maven.compiler.target is 1.5 in pom.xml)"),
        "{told}"
    );
}

#[test]
fn a_generation_that_no_stack_serves_is_a_finding() {
    let mut pipeline = pipeline();
    pipeline.stacks.retain(|stack| stack.servlet == ServletApi::Jakarta);
    let files = [("pom.xml", WAR)];
    let (rule, told) = road(&pipeline, &files, &own(61, JAVAX)).expect_err("no stack");
    assert_eq!(rule, "no-stack");
    assert!(told.contains("speaks javax"), "{told}");
}
