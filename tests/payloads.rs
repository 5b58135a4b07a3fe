//! What is decided over hooks of GitLab, against the table `payloads.toml`.
//!
//! The 150 captured payloads come from the tests of other projects. They are not part of this repository: they stand
//! under those projects' licences and hold names and addresses of people. Where the folder with them is
//! (`SEAWORTHY_GITLAB_PAYLOADS`, or `../shared/gitlab-payloads` beside this repository) all of them are posted; elsewhere
//! the test says so and does nothing. The hooks in `tests/fixtures/gitlab` are our own; they cover each rule and are
//! always posted.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::hooks::{Desk, fixture};

const FOLDER: &str = "SEAWORTHY_GITLAB_PAYLOADS";

/// File name → decision and reason.
type Table = BTreeMap<String, [String; 2]>;

fn table(name: &str) -> Table {
    let mut tables: BTreeMap<String, Table> = toml::from_str(include_str!("payloads.toml")).expect("the table");
    tables.remove(name).expect("its part")
}

/// Where the captured payloads are, if they are here. A folder that is named must be there.
fn folder() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(FOLDER) {
        let named = PathBuf::from(named);
        assert!(named.is_dir(), "{FOLDER} names {}, which is no folder", named.display());
        return Some(named);
    }
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/gitlab-payloads"));
    beside.is_dir().then_some(beside)
}

/// `X-Gitlab-Event` as GitLab sets it for this body.
fn event_name(body: &[u8], remarks: &str) -> String {
    let body: Value = serde_json::from_slice(body).expect("JSON");
    let kind = body["object_kind"].as_str().expect("object_kind");
    if remarks.contains("system hook") {
        return "System Hook".to_owned();
    }
    let words = kind.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.chain(["Hook".to_owned()]).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn each_captured_payload_gets_the_decision_of_the_table() {
    let Some(folder) = folder() else {
        // Past the test runner, which would show it only if the test failed.
        let _ = writeln!(
            std::io::stderr(),
            "left out: the captured payloads are not on this machine (they are not ours to hand on); set {FOLDER} to \
             their folder. The hooks in tests/fixtures/gitlab cover the same rules."
        );
        return;
    };
    let table = table("captured");
    let index = std::fs::read_to_string(folder.join("INDEX.tsv")).expect("INDEX.tsv");
    let listed: BTreeMap<&str, &str> = index.lines().skip(1).filter_map(|line| line.split_once('\t')).collect();
    assert_eq!(
        table.keys().map(String::as_str).collect::<Vec<_>>(),
        listed.keys().copied().collect::<Vec<_>>(),
        "the table and INDEX.tsv hold the same files"
    );
    assert_eq!(table.len(), 150);

    let desk = Desk::open_careless().await;
    let mut wrong = Vec::new();
    for (file, expected) in &table {
        desk.empty().await;
        let body = std::fs::read(folder.join(file)).expect("the payload");
        let event = event_name(&body, listed[file.as_str()]);
        let stored = desk.decide(&event, body.clone()).await;
        assert_eq!(stored.body, body, "{file}: stored as it came");
        assert_eq!(stored.event.as_deref(), Some(event.as_str()));
        let decided = [stored.decision.unwrap_or_default(), stored.reason.unwrap_or_default()];
        let builds = desk.count("select count(*) from build").await;
        if decided != *expected || builds != i64::from(expected[0] == "build") {
            wrong.push(format!(
                "{file}\n  expected {expected:?}\n  decided  {decided:?}, {builds} builds"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        table.len(),
        wrong.join("\n")
    );
    desk.close().await;
}

#[tokio::test]
async fn our_own_hooks_tell_the_story_of_the_table() {
    let table = table("own");
    let mut files: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/gitlab"))
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    files.sort();
    assert_eq!(
        files,
        table.keys().cloned().collect::<Vec<_>>(),
        "the table names each file"
    );

    let desk = Desk::open().await;
    for (file, expected) in &table {
        let body = fixture(file);
        let event = event_name(&body, "");
        let stored = desk.decide(&event, body).await;
        let decided = [stored.decision.unwrap_or_default(), stored.reason.unwrap_or_default()];
        assert_eq!(decided, *expected, "{file}");
    }
    // The author of a push is told by the hook that opened the merge request.
    let authors = "select count(*) from build where iid = 7 and merge_request -> 'author' ->> 'username' = 'ada'";
    assert_eq!(desk.count(authors).await, 5);
    let states: Vec<(i64, String, Option<String>)> =
        sqlx::query_as("select id, state, ended_by from build order by id")
            .fetch_all(&desk.pool)
            .await
            .expect("the builds");
    let states: Vec<(i64, &str, &str)> = states
        .iter()
        .map(|(id, state, by)| (*id, state.as_str(), by.as_deref().unwrap_or_default()))
        .collect();
    assert_eq!(
        states,
        [
            (1, "superseded", "#2"),
            (2, "superseded", "#3"),
            (3, "superseded", "#4"),
            (4, "cancelled", "merge request closed"),
            (5, "queued", ""),
            (6, "superseded", "#7"),
            (7, "cancelled", "merge request merged"),
            (8, "queued", ""),
            (9, "superseded", "#10"),
            (10, "queued", ""),
            (11, "queued", ""),
        ]
    );
    // Only what waits for a worker has a job; GitLab is to be told of each build, and of each merge request.
    assert_eq!(desk.count("select count(*) from job where lane = 'build'").await, 4);
    assert_eq!(
        desk.count("select count(*) from job where subject like 'status:%'")
            .await,
        11
    );
    assert_eq!(
        desk.count("select count(*) from job where subject like 'note:4711!%'")
            .await,
        3
    );
    assert_eq!(desk.count("select count(*) from project where id = 4711").await, 1);
    desk.close().await;
}
