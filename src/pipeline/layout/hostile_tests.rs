//! WARs that are made to hurt, and one that is merely very large: what all steps that look into a WAR need of time and memory.
//!
//! The steps are those of the road: looking into it after packing, its libraries, its classes, the check, the survey, and
//! the build context.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio_stream::StreamExt as _;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{Layout, Portion};
use crate::definition::Checks;
use crate::maven::{WarError, WarLimits, war};
use crate::model::ServletApi;
use crate::sbom::{self, SbomError};
use crate::standards::{self, CheckError, Subject};

/// The most that the worker may hold.
const MOST_KIB: u64 = 150_000;
const LARGE: u64 = 300_000_000;
const PATH: &str = "SEAWORTHY_TEST_LARGE_WAR";

/// Names of the rules that the steps find broken, up to the first step that ends the build.
async fn judged(file: &Path) -> Vec<String> {
    let scratch = file.parent().expect("a directory");
    // Both at once, as on the road: memory is spent together.
    let (inspected, inventory) = std::thread::scope(|scope| {
        let inventory = scope.spawn(|| sbom::read(file, scratch, sbom::Limits::default()));
        let inspected = war::inspect(file, "target/a.war", WarLimits::default());
        (inspected, inventory.join().expect("it ends"))
    });
    let inspected = match inspected {
        Ok(inspected) => inspected,
        Err(WarError::Project(finding)) => return vec![finding.rule],
        Err(error @ WarError::Io { .. }) => panic!("{error}"),
    };
    match inventory {
        Ok(_) => {}
        Err(SbomError::Broken(_)) => return vec!["war-broken".to_owned()],
        Err(error) => panic!("{error}"),
    }
    match war::bytecode(&inspected, WarLimits::default()) {
        Ok(_) => {}
        Err(WarError::Project(finding)) => return vec![finding.rule],
        Err(error @ WarError::Io { .. }) => panic!("{error}"),
    }
    let siblings = BTreeSet::new();
    let subject = Subject {
        file,
        siblings: &siblings,
        servlet: ServletApi::Javax,
        jdk: 17,
        log_directory: "/var/log/tomcat",
        limits: WarLimits::default(),
    };
    let today = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
    let check = match standards::check(&subject, &Checks::default(), today, scratch) {
        Ok(check) => check,
        Err(CheckError::Project(finding)) => return vec![finding.rule],
        Err(CheckError::Io(error)) => panic!("{error}"),
    };
    let mut rules: Vec<String> = check.rules.iter().map(|rule| rule.rule.clone()).collect();
    let layout = match Layout::survey(file, &siblings).expect("read") {
        Ok(layout) => layout,
        Err(finding) => {
            rules.push(finding.rule);
            return rules;
        }
    };
    let rendered = std::sync::Arc::new(crate::dockerfile::Rendered {
        text: "FROM scratch\n".to_owned(),
        files: Vec::new(),
        directories: Vec::new(),
    });
    let mut context = layout.context("ROOT", &rendered.text, &rendered, Portion::All, None);
    while let Some(block) = context.next().await {
        block.expect("a block");
    }
    rules
}

fn zip(file: &Path) -> ZipWriter<BufWriter<File>> {
    ZipWriter::new(BufWriter::new(File::create(file).expect("a file")))
}

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored)
}

/// A zip of two short entries that claim nearly 4 GiB each.
fn lying(file: &Path) {
    let mut zip = zip(file);
    for name in ["a", "b"] {
        zip.start_file(name, SimpleFileOptions::default()).expect("an entry");
        zip.write_all(b"short").expect("written");
    }
    zip.finish().expect("a zip").flush().expect("written");
    let mut bytes = std::fs::read(file).expect("read");
    let records: Vec<usize> = (0..bytes.len() - 4)
        .filter(|&at| bytes[at..].starts_with(b"PK\x01\x02"))
        .collect();
    assert_eq!(records.len(), 2);
    for at in records {
        // Size when unpacked (APPNOTE 4.3.12).
        bytes[at + 24..at + 28].copy_from_slice(&0xffff_fffe_u32.to_le_bytes());
    }
    std::fs::write(file, bytes).expect("written");
}

#[tokio::test]
async fn each_hostile_war_is_a_finding_in_a_short_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("a.war");
    type Make = fn(&Path);
    let wars: [(&str, &str, Make); 6] = [
        ("unpacks to more than is allowed", "war-broken", lying),
        ("leads out", "war-broken", |file| {
            let mut zip = zip(file);
            zip.start_file("../../etc/cron.d/x", stored()).expect("an entry");
            zip.finish().expect("a zip");
        }),
        ("has a link", "war-entry", |file| {
            let mut zip = zip(file);
            zip.add_symlink("page.html", "/etc/passwd", stored()).expect("an entry");
            zip.finish().expect("a zip");
        }),
        ("has 200,000 entries", "war-broken", |file| {
            let mut zip = zip(file);
            for number in 0..200_000 {
                zip.start_file(format!("a/{number}"), stored()).expect("an entry");
            }
            zip.finish().expect("a zip");
        }),
        ("differs in case", "case-clash", |file| {
            let mut zip = zip(file);
            for name in ["css/a.css", "css/A.css"] {
                zip.start_file(name, stored()).expect("an entry");
            }
            zip.finish().expect("a zip");
        }),
        ("has a library of 200,000 entries", "archive-limits", |file| {
            let mut library = ZipWriter::new(std::io::Cursor::new(Vec::new()));
            for number in 0..200_000 {
                library.start_file(format!("a/{number}"), stored()).expect("an entry");
            }
            let mut zip = zip(file);
            zip.start_file("WEB-INF/lib/a.jar", SimpleFileOptions::default())
                .expect("an entry");
            zip.write_all(library.finish().expect("a zip").get_ref())
                .expect("written");
            zip.finish().expect("a zip");
        }),
    ];
    for (what, rule, make) in wars {
        make(&file);
        let begin = Instant::now();
        let rules = judged(&file).await;
        assert!(rules.iter().any(|found| found == rule), "{what}: {rule} in {rules:?}");
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "{what}: {:?}",
            begin.elapsed()
        );
    }
}

/// Fills a WAR with libraries whose bytes do not compress, one of them as large as may be, and with many small files.
fn fill(file: &Path) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = move |length: usize| -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    };
    let mut war = zip(file);
    let mut written = 0;
    let mut number = 0;
    while written < LARGE {
        let classes = if number == 0 { 3_500 } else { 200 };
        let mut jar = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for class in 0..classes {
            jar.start_file(format!("p{number}/Servlet{class}.class"), stored())
                .expect("an entry");
            jar.write_all(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52]).expect("written");
            jar.write_all(&noise(17_000)).expect("written");
        }
        let jar = jar.finish().expect("a zip").into_inner();
        written += jar.len() as u64;
        let name = format!("WEB-INF/lib/l{number}-1.0.jar");
        war.start_file(name, SimpleFileOptions::default().compression_level(Some(1)))
            .expect("an entry");
        war.write_all(&jar).expect("written");
        number += 1;
    }
    for number in 0..20_000 {
        war.start_file(format!("static/{}/{number}.js", number % 100), stored())
            .expect("an entry");
        war.write_all(b"let x = 1;").expect("written");
    }
    for number in 0..5_000 {
        war.start_file(format!("WEB-INF/classes/own/C{number}.class"), stored())
            .expect("an entry");
        war.write_all(&crate::maven::class_file::class_with(
            &["java/lang/Object"],
            &[],
            &["a text of the class"],
        ))
        .expect("written");
    }
    war.finish().expect("a zip").flush().expect("written");
}

#[test]
fn a_war_of_300_mb_needs_less_than_150_mb_of_memory() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("large.war");
    fill(&file);
    let size = file.metadata().expect("it is there").len();
    assert!(size > LARGE, "{size}");
    // A process of its own, because the highest mark is one of the whole process.
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "--exact",
            "pipeline::layout::hostile_tests::looks_at_the_large_war",
            "--ignored",
            "--nocapture",
        ])
        .env(PATH, &file)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let peak: u64 = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("peak KiB: ")?.parse().ok())
        .unwrap_or_else(|| panic!("no number in {text}"));
    assert!(peak < MOST_KIB, "{peak} KiB for a WAR of {size} bytes");
    println!("{peak} KiB for a WAR of {size} bytes");
}

#[tokio::test]
#[ignore = "started by the test above, in a process of its own"]
async fn looks_at_the_large_war() {
    let file = std::env::var_os(PATH).expect("the test above says where the WAR is");
    let rules = judged(Path::new(&file)).await;
    assert_eq!(rules, ["size"]);
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a mark");
    println!("peak KiB: {}", peak.trim().trim_end_matches(" kB"));
}
