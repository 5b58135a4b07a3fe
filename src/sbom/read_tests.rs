//! WARs made in memory, and what is found in them.

use std::io::Cursor;

use zip::write::SimpleFileOptions;

use super::super::{Evidence, Sbom};
use super::*;
use crate::model::Digest;

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).expect("an entry");
        zip.write_all(content).expect("in memory");
    }
    zip.finish().expect("in memory").into_inner()
}

fn maven_jar(coordinates: &[(&str, &str, &str)]) -> Vec<u8> {
    let files: Vec<(String, String)> = coordinates
        .iter()
        .map(|(group, artifact, version)| {
            (
                format!("META-INF/maven/{group}/{artifact}/pom.properties"),
                format!("#Generated\nversion={version}\ngroupId={group}\nartifactId={artifact}\n"),
            )
        })
        .collect();
    let entries: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    zipped(&entries)
}

fn look(entries: &[(&str, &[u8])], limits: Limits) -> Result<Sbom, SbomError> {
    let directory = tempfile::tempdir().expect("a directory");
    let bytes = zipped(entries);
    let file = directory.path().join("shop.war");
    std::fs::write(&file, &bytes).expect("written");
    Ok(Sbom {
        name: "shop.war".to_owned(),
        war: Digest::of(&bytes),
        entries: read(&file, directory.path(), limits)?,
    })
}

fn lines(sbom: &Sbom) -> Vec<String> {
    let line = |entry: &Entry| format!("{} {}", entry.path, entry.component.name());
    sbom.entries.iter().map(line).collect()
}

const LOG4J: (&str, &str, &str) = ("org.apache.logging.log4j", "log4j-core", "2.14.1");

#[test]
fn every_jar_is_listed_with_its_checksums() {
    let log4j = maven_jar(&[LOG4J]);
    let spring = zipped(&[
        (
            "META-INF/MANIFEST.MF",
            b"Implementation-Title: spring-beans\nImplementation-Version: 5.3.17\n",
        ),
        ("org/springframework/beans/A.class", b""),
        ("org/springframework/beans/factory/B.class", b""),
        ("META-INF/versions/9/x/C.class", b""),
    ]);
    let sbom = look(
        &[
            ("WEB-INF/lib/spring-beans-5.3.17.jar", &spring),
            ("WEB-INF/lib/log4j-core-2.14.1.jar", &log4j),
            ("WEB-INF/classes/A.class", b""),
            ("WEB-INF/lib/broken-1.0.jar", b"no zip"),
        ],
        Limits::default(),
    )
    .expect("read");
    assert_eq!(
        lines(&sbom),
        [
            "WEB-INF/lib/broken-1.0.jar broken:1.0",
            "WEB-INF/lib/log4j-core-2.14.1.jar org.apache.logging.log4j:log4j-core:2.14.1",
            "WEB-INF/lib/spring-beans-5.3.17.jar spring-beans:5.3.17",
        ]
    );
    let [broken, core, beans] = &sbom.entries[..] else {
        panic!("three")
    };
    assert!(
        broken
            .note
            .as_ref()
            .is_some_and(|note| note.contains("not a readable archive")),
        "{broken:?}"
    );
    assert_eq!(format!("sha256:{}", core.sha256), Digest::of(&log4j).as_str());
    assert_eq!(core.evidence, Evidence::PomProperties);
    assert_eq!(beans.component.package, "org.springframework.beans");
    assert!(beans.component.is("org.springframework", "spring-beans"));
    // `printf 'no zip' | sha1sum`
    assert_eq!(broken.sha1, "5aa6366934eb820522dbc0b3017071a7c4b9fb32");
}

#[test]
fn jars_in_jars_are_found_up_to_a_depth() {
    let mut inner = maven_jar(&[LOG4J]);
    for level in 0..3 {
        let name = format!("lib/level{level}-1.jar");
        inner = zipped(&[(&name, &inner)]);
    }
    let war: &[(&str, &[u8])] = &[("WEB-INF/lib/outer-1.jar", &inner)];
    let all = look(war, Limits::default()).expect("read");
    let deepest = "WEB-INF/lib/outer-1.jar!/lib/level2-1.jar!/lib/level1-1.jar!/lib/level0-1.jar";
    assert_eq!(
        lines(&all).last().map(String::as_str),
        Some(&*format!("{deepest} org.apache.logging.log4j:log4j-core:2.14.1"))
    );
    let limits = Limits {
        depth: 2,
        ..Limits::default()
    };
    let some = look(war, limits).expect("read");
    assert_eq!(some.entries.len(), 2);
    assert!(
        some.entries[1]
            .note
            .as_ref()
            .is_some_and(|note| note.contains("3 deep")),
        "{some:?}"
    );
}

#[test]
fn a_shaded_jar_is_several_libraries() {
    let shaded = maven_jar(&[("com.example", "client", "1.0"), LOG4J]);
    let sbom = look(&[("WEB-INF/lib/client-1.0.jar", &shaded)], Limits::default()).expect("read");
    assert_eq!(
        lines(&sbom),
        [
            "WEB-INF/lib/client-1.0.jar com.example:client:1.0",
            "WEB-INF/lib/client-1.0.jar org.apache.logging.log4j:log4j-core:2.14.1",
        ]
    );
}

#[test]
fn what_is_beyond_the_limits_is_refused() {
    let jar = maven_jar(&[LOG4J]);
    let war: &[(&str, &[u8])] = &[("WEB-INF/lib/a.jar", &jar), ("WEB-INF/lib/b.jar", &jar)];
    let says = |limits| match look(war, limits) {
        Err(SbomError::Broken(why)) => why,
        other => panic!("{other:?}"),
    };
    let few = Limits {
        jars: 1,
        ..Limits::default()
    };
    assert!(says(few).contains("more than 1 jars"));
    let small = Limits {
        bytes: jar.len() as u64,
        ..Limits::default()
    };
    assert!(says(small).contains("bytes in all"));
}

#[test]
fn hostile_coordinates_are_not_believed() {
    let jar = maven_jar(&[("../../x", "a b", "1")]);
    let names = [
        (
            "META-INF/maven/g/a/pom.properties",
            &b"groupId=<script>\nversion=1\n"[..],
        ),
        ("META-INF/maven/x/pom.properties", b"version=2\n"),
    ];
    let sbom = look(
        &[
            ("WEB-INF/lib/evil-1.0.jar", &jar),
            ("WEB-INF/lib/half.jar", &zipped(&names)),
        ],
        Limits::default(),
    )
    .expect("read");
    assert_eq!(
        lines(&sbom),
        ["WEB-INF/lib/evil-1.0.jar evil:1.0", "WEB-INF/lib/half.jar g:a:1"]
    );
}
