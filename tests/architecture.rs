//! The table of imports in ARCHITECTURE.md, held by a test, and the rules of the house that no lint knows.
//!
//! Plain text is enough: comments and literals are blanked out, then every path that begins with `crate::` or climbs by
//! `super::` is followed to the module that it names. What is wrong is told with file, line and rule.

use std::path::{Path, PathBuf};

mod rust_text;

use rust_text::{Source, sources};

/// Module → what it may import beside itself and the modules that are named by nobody: from the ground up, so that a
/// module can only import what stands above it in this list. The same table is in ARCHITECTURE.md.
const TABLE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("ansi", &[]),
    ("wire", &["model"]),
    ("config", &["model"]),
    ("maven", &["model", "ansi"]),
    ("sbom", &["model", "maven"]),
    ("definition", &["model", "maven"]),
    ("dockerfile", &["model", "definition"]),
    ("tomcat", &[]),
    ("project", &["model", "definition", "maven"]),
    ("standards", &["model", "definition", "maven"]),
    ("by_hand", &["model", "definition", "dockerfile", "standards"]),
    ("store", &["model"]),
    ("gates", &["model", "definition", "store"]),
    ("quality", &["model", "wire", "store"]),
    ("advisories", &["model", "maven", "store"]),
    ("wake", &["model", "store"]),
    ("build_log", &["model", "config", "store", "wake"]),
    ("clients", &["model", "config"]),
    ("webhook", &["model", "config", "store", "wake"]),
    ("intake", &["model", "config", "definition", "store", "clients"]),
    (
        "notify",
        &[
            "model",
            "ansi",
            "config",
            "definition",
            "store",
            "wake",
            "build_log",
            "clients",
        ],
    ),
    ("sign_in", &["config", "clients"]),
    (
        "web",
        &[
            "model",
            "ansi",
            "wire",
            "config",
            "maven",
            "definition",
            "store",
            "gates",
            "quality",
            "wake",
            "build_log",
            "webhook",
            "sign_in",
        ],
    ),
    (
        "pipeline",
        &[
            "model",
            "config",
            "maven",
            "sbom",
            "definition",
            "dockerfile",
            "tomcat",
            "project",
            "standards",
            "by_hand",
            "store",
            "advisories",
            "wake",
            "build_log",
            "clients",
        ],
    ),
    (
        "promotion",
        &["model", "definition", "store", "gates", "wake", "clients"],
    ),
    (
        "queue",
        &[
            "model",
            "config",
            "sbom",
            "definition",
            "store",
            "advisories",
            "wake",
            "build_log",
            "clients",
            "intake",
            "notify",
            "pipeline",
            "promotion",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "ansi",
            "wire",
            "config",
            "maven",
            "sbom",
            "definition",
            "dockerfile",
            "project",
            "by_hand",
            "store",
            "advisories",
            "wake",
            "build_log",
            "clients",
            "webhook",
            "intake",
            "notify",
            "sign_in",
            "web",
            "pipeline",
            "queue",
        ],
    ),
];

/// Clients that other clients may import; all others know nothing of each other.
const SHARED_CLIENTS: &[&str] = &["http", "certificates"];

/// Libraries that speak to one outside system: only that system's client names them.
const FENCED_CRATES: &[(&str, &str)] = &[("bollard", "src/clients/engine"), ("git2", "src/clients/git")];

/// What a module of nouns has no use for.
const NOT_IN_MODEL: &[&str] = &[
    "async fn",
    "tokio::",
    "std::fs",
    "std::net",
    "std::env",
    "Utc::now",
    "SystemTime",
    "Instant::now",
];

const LONGEST: usize = 450;

#[test]
fn imports_point_one_way() {
    let wrong: Vec<String> = product().iter().flat_map(forbidden_imports).collect();
    assert!(
        wrong.is_empty(),
        "{} import(s) against the table in ARCHITECTURE.md:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_table_has_no_cycle_and_no_gap() {
    for (at, (module, allowed)) in TABLE.iter().enumerate() {
        for import in *allowed {
            let stands_above = TABLE[..at].iter().any(|(above, _)| above == import);
            assert!(
                stands_above,
                "{module} may import {import}, which does not stand above it"
            );
        }
    }
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs is there");
    for module in lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
    {
        assert!(
            row(module).is_some(),
            "src/lib.rs has `pub mod {module};`, which has no row in tests/architecture.rs"
        );
    }
}

#[test]
fn the_table_in_the_documentation_is_the_same() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    for (module, allowed) in TABLE {
        let imports = if allowed.is_empty() {
            "nothing".to_owned()
        } else {
            allowed.join(", ")
        };
        let line = format!("| `{module}` | {imports} |");
        assert!(
            text.contains(&line),
            "ARCHITECTURE.md lacks the line of the table of imports:\n{line}"
        );
    }
}

#[test]
fn sql_is_in_the_store_alone() {
    let wrong = places(
        &product(),
        |source| !source.path.starts_with("src/store/"),
        &["sqlx::query", "QueryBuilder"],
    );
    assert!(
        wrong.is_empty(),
        "SQL belongs into src/store, one file a table:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_model_has_no_io_no_async_and_no_clock() {
    let wrong = places(&product(), |source| source.path.starts_with("src/model/"), NOT_IN_MODEL);
    assert!(
        wrong.is_empty(),
        "src/model holds nouns; time and the world are arguments:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_library_for_an_outside_system_stays_in_its_client() {
    for (library, home) in FENCED_CRATES {
        let needle = format!("{library}::");
        let wrong = places(&product(), |source| !source.path.starts_with(home), &[&needle]);
        assert!(wrong.is_empty(), "{library} belongs into {home}:\n{}", wrong.join("\n"));
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = everything()
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.path)
        .collect();
    assert!(
        silent.is_empty(),
        "these files do not open with `//! `:\n{}",
        silent.join("\n")
    );
}

#[test]
fn no_file_is_a_home_of_many_nouns() {
    let long: Vec<String> = everything()
        .into_iter()
        // Tests may be long: a scenario is read by itself.
        .filter(|source| !source.is_test() || source.path.starts_with("tests/world/src/"))
        .filter_map(|source| {
            let lines = source.product_lines();
            (lines > LONGEST).then(|| format!("{}: {lines} lines above its tests", source.path))
        })
        .collect();
    assert!(
        long.is_empty(),
        "a file has at most {LONGEST} lines; split it by its nouns:\n{}",
        long.join("\n")
    );
}

#[test]
fn nothing_is_unwrapped_and_nothing_left_to_do() {
    let wrong = places(
        &product(),
        |source| !source.is_test(),
        &[".unwrap()", "todo!(", "unimplemented!(", "dbg!("],
    );
    assert!(
        wrong.is_empty(),
        "say the invariant with `expect`, or handle the error:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_forbidden_import_is_seen_in_every_spelling() {
    let text = "//! Doc: crate::queue is only mentioned.\n\
                use crate::{model::Build, store::{self, builds}};\n\
                use super::super::pipeline;\n\
                const S: &str = \"crate::cli\"; // crate::cli\n\
                fn f<'a>(c: char) -> bool { c == '\"' || crate::queue::x() }\n";
    let source = Source::new("src/clients/git/mod.rs".to_owned(), text.to_owned());
    let found: Vec<(usize, String)> = source
        .paths()
        .into_iter()
        .map(|(line, path)| (line, path.join("::")))
        .collect();
    let expected = [
        (2, "model::Build"),
        (2, "store::self"),
        (2, "store::builds"),
        (3, "pipeline"),
        (5, "queue::x"),
    ];
    assert_eq!(found, expected.map(|(line, path)| (line, path.to_owned())));
    let told = forbidden_imports(&source);
    assert_eq!(
        told.len(),
        4,
        "store twice, pipeline and queue are forbidden to a client: {told:?}"
    );
    assert!(told[0].starts_with("src/clients/git/mod.rs:2: "), "{}", told[0]);
    let neighbour = Source::new(
        "src/clients/git/links.rs".to_owned(),
        "use super::super::engine::X;".to_owned(),
    );
    assert_eq!(
        forbidden_imports(&neighbour).len(),
        1,
        "a client must not know another one"
    );
    let shared = Source::new(
        "src/clients/git/links.rs".to_owned(),
        "use crate::clients::http;".to_owned(),
    );
    assert!(
        forbidden_imports(&shared).is_empty(),
        "what clients share may be imported"
    );
}

/// The imports of a file that the table does not allow.
fn forbidden_imports(source: &Source) -> Vec<String> {
    let here = source.module();
    // lib.rs joins the modules, main.rs is outside of them.
    let Some((module, allowed)) = here.first().and_then(|module| row(module)) else {
        return Vec::new();
    };
    let mut wrong = Vec::new();
    for (line, path) in source.paths() {
        let Some(import) = path.first().filter(|import| row(import).is_some()) else {
            continue;
        };
        let told = if import != module && !allowed.contains(&import.as_str()) {
            format!("{module} must not import {import}")
        } else if module == "clients" && import == "clients" {
            let (mine, other) = (here.get(1), path.get(1));
            let is_client = other.is_some_and(|other| root().join("src/clients").join(other).is_dir())
                || other.is_some_and(|other| root().join(format!("src/clients/{other}.rs")).is_file());
            match other {
                Some(other) if is_client && mine != Some(other) && !SHARED_CLIENTS.contains(&other.as_str()) => {
                    format!(
                        "a client must not import another one ({other}); shared are {}",
                        SHARED_CLIENTS.join(", ")
                    )
                }
                _ => continue,
            }
        } else {
            continue;
        };
        wrong.push(format!("{}:{line}: {told}", source.path));
    }
    wrong
}

fn row(module: &str) -> Option<(&'static str, &'static [&'static str])> {
    TABLE.iter().find(|(name, _)| *name == module).copied()
}

/// Where one of the texts stands in the code of these files, inline tests left out.
fn places(sources: &[Source], wanted: impl Fn(&Source) -> bool, needles: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| wanted(source)) {
        for (index, line) in source.code.lines().take(source.product_lines()).enumerate() {
            for needle in needles.iter().filter(|needle| mentions(line, needle)) {
                found.push(format!("{}:{}: {needle}", source.path, index + 1));
            }
        }
    }
    found
}

/// Is the text there, and not as the tail of a longer word?
fn mentions(line: &str, needle: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(needle)
        .any(|(at, _)| !needle.starts_with(word) || !line[..at].ends_with(word))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files of the product.
fn product() -> Vec<Source> {
    let found = sources(&root(), Path::new("src"));
    assert!(found.len() > 50, "the product has more files than {}", found.len());
    found
}

/// The product, its tests and the test world; without the sample applications, which have no Rust.
fn everything() -> Vec<Source> {
    let mut all = product();
    all.extend(sources(&root(), Path::new("tests")));
    all
}
