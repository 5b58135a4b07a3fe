//! What is linked into the program is allowed by deny.toml: licences and banned crates.
//!
//! cargo-deny does the same and more, but is not on every machine; a list that is only held on some machines is not held.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

#[test]
fn every_linked_crate_has_a_licence_that_is_allowed() {
    let rules = rules();
    let allowed: BTreeSet<&str> = texts(&rules["licenses"]["allow"]);
    let mut wrong = Vec::new();
    for (name, package) in linked() {
        let licence = package["license"].as_str().unwrap_or("");
        match is_allowed(licence, &allowed) {
            Ok(true) => {}
            Ok(false) => wrong.push(format!("{name}: {licence}")),
            Err(why) => wrong.push(format!("{name}: {licence:?} {why}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "not in [licenses] of deny.toml:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn nothing_that_is_banned_is_linked() {
    let rules = rules();
    let banned = rules["bans"]["deny"].as_array().expect("a list").clone();
    assert!(!banned.is_empty(), "deny.toml bans nothing");
    let linked = linked();
    for entry in &banned {
        let name = entry["name"].as_str().expect("each ban has a name");
        assert!(
            !linked.keys().any(|package| package.split(' ').next() == Some(name)),
            "{name} is linked, deny.toml bans it: see `cargo tree --invert {name}`"
        );
    }
}

#[test]
fn an_expression_is_read_as_spdx_says() {
    let allowed = BTreeSet::from(["MIT", "ISC"]);
    for yes in [
        "MIT",
        "GPL-3.0 OR MIT",
        "Apache-2.0/MIT",
        "(GPL-3.0 OR ISC) AND MIT",
        "MIT WITH some-exception OR MIT",
    ] {
        assert_eq!(is_allowed(yes, &allowed), Ok(true), "{yes}");
    }
    // AND binds stronger than OR; an exception makes another licence.
    for no in [
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "GPL-3.0 OR MIT AND GPL-2.0",
        "MIT WITH some-exception",
    ] {
        assert_eq!(is_allowed(no, &allowed), Ok(false), "{no}");
    }
    for broken in ["", "MIT OR", "(MIT", "MIT ISC"] {
        assert!(is_allowed(broken, &allowed).is_err(), "{broken:?} was understood");
    }
}

fn rules() -> toml::Table {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml");
    std::fs::read_to_string(file)
        .expect("deny.toml is there")
        .parse()
        .expect("deny.toml is TOML")
}

fn texts(list: &toml::Value) -> BTreeSet<&str> {
    list.as_array()
        .expect("a list")
        .iter()
        .map(|text| text.as_str().expect("of texts"))
        .collect()
}

/// The packages that the program is made of on this machine's kind, by `name version`: normal and build dependencies of
/// `seaworthy`; what only tests use is not handed on.
fn linked() -> BTreeMap<String, Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform",
            &platform,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be run");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata writes JSON");
    let by_id = |list: &Value| -> BTreeMap<String, Value> {
        let entries = list.as_array().expect("a list").iter();
        entries
            .map(|entry| (entry["id"].as_str().expect("an id").to_owned(), entry.clone()))
            .collect()
    };
    let (packages, nodes) = (by_id(&metadata["packages"]), by_id(&metadata["resolve"]["nodes"]));
    let mut waiting: Vec<String> = packages
        .iter()
        .filter(|(_, package)| package["name"] == "seaworthy")
        .map(|(id, _)| id.clone())
        .collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        for dependency in nodes[&id]["deps"].as_array().expect("a list") {
            let kinds = dependency["dep_kinds"].as_array().expect("a list");
            if kinds.iter().any(|kind| kind["kind"] != "dev") {
                waiting.push(dependency["pkg"].as_str().expect("an id").to_owned());
            }
        }
    }
    assert!(
        seen.len() > 100,
        "the program is made of more crates than {}",
        seen.len()
    );
    let name = |package: &Value| {
        format!(
            "{} {}",
            package["name"].as_str().expect("a name"),
            package["version"].as_str().expect("a version")
        )
    };
    seen.into_iter()
        .map(|id| (name(&packages[&id]), packages[&id].clone()))
        .collect()
}

/// Is an SPDX expression satisfied by the licences that are allowed? `/` is the old spelling of `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> Result<bool, &'static str> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let satisfied = any_of(&mut words, allowed)?;
    match words.next() {
        None => Ok(satisfied),
        Some(_) => Err("has words too many"),
    }
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &BTreeSet<&str>) -> Result<bool, &'static str> {
    let mut satisfied = all_of(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        satisfied |= all_of(words, allowed)?;
    }
    Ok(satisfied)
}

fn all_of(words: &mut Words<'_>, allowed: &BTreeSet<&str>) -> Result<bool, &'static str> {
    let mut satisfied = one(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        satisfied &= one(words, allowed)?;
    }
    Ok(satisfied)
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<&str>) -> Result<bool, &'static str> {
    match words.next() {
        Some("(") => {
            let satisfied = any_of(words, allowed)?;
            words
                .next_if_eq(&")")
                .map(|_| satisfied)
                .ok_or("lacks a closing bracket")
        }
        None | Some(")" | "OR" | "AND" | "WITH") => Err("lacks a licence"),
        Some(name) if words.next_if_eq(&"WITH").is_some() => {
            let exception = words.next().ok_or("lacks an exception")?;
            Ok(allowed.contains(format!("{name} WITH {exception}").as_str()))
        }
        Some(name) => Ok(allowed.contains(name)),
    }
}
