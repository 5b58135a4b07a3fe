//! Logging configurations: do they write where the stack wants logs?

use std::collections::HashMap;

use super::collector::Collector;
use super::names::file_name;
use super::statements::Statement;
use crate::model::rule;

/// The variable of the image that holds the standard directory.
const VARIABLE: &str = "LOG_DIRECTORY";
/// Where Tomcat's own directory of logs leads to the standard one.
const TOMCAT: [&str; 4] = ["catalina.base", "catalina.home", "CATALINA_BASE", "CATALINA_HOME"];
/// How many variables are filled in for one path: they may name each other in circles, and more than once.
const STEPS: usize = 100;

/// A file that a logging library or Tomcat reads.
fn is_logging(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let known = ["log4j2", "log4j", "logback", "logging"];
    known.iter().any(|start| {
        lower.strip_prefix(start).is_some_and(|rest| {
            rest.starts_with(['.', '-'])
                && (rest.ends_with(".xml")
                    || rest.ends_with(".properties")
                    || rest.ends_with(".yaml")
                    || rest.ends_with(".yml"))
        })
    })
}

/// Looks at the files that a logging configuration writes.
pub(super) fn judge(statements: &[Statement], path: &str, directory: &str, found: &mut Collector<'_>) {
    let name = file_name(path);
    if !is_logging(name) {
        return;
    }
    let variables: HashMap<&str, &str> = statements
        .iter()
        .map(|statement| {
            let key = statement.key.strip_prefix("property.").unwrap_or(&statement.key);
            (key, statement.value.as_str())
        })
        .collect();
    for statement in statements.iter().filter(|statement| is_file(name, &statement.key)) {
        // A path that nobody but the running application knows is not judged.
        let Some(file) = resolve(&statement.value, &variables, directory, &mut { STEPS }) else {
            continue;
        };
        if !is_standard(&file, directory) {
            found.add(&rule::LOGGING_FILE, path, format!("writes to {file}"));
        }
    }
}

fn is_file(name: &str, key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    if name.starts_with("logging") {
        return key.contains("filehandler.") && (key.ends_with(".pattern") || key.ends_with(".directory"));
    }
    let last = key.rsplit('.').next().unwrap_or(&key);
    matches!(last, "file" | "filename" | "filepattern" | "filenamepattern")
}

/// The value with its variables filled in; `None` if one is not known here.
fn resolve(value: &str, variables: &HashMap<&str, &str>, directory: &str, steps: &mut usize) -> Option<String> {
    *steps = steps.checked_sub(1)?;
    let mut text = String::new();
    let mut rest = value;
    while let Some(at) = rest.find("${") {
        text.push_str(&rest[..at]);
        let end = at + rest[at..].find('}')?;
        let inside = &rest[at + 2..end];
        rest = &rest[end + 1..];
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let name = name.rsplit(':').next().unwrap_or(name);
        if name == VARIABLE {
            text.push_str(directory);
        } else if TOMCAT.contains(&name) {
            text.push_str("${catalina.base}");
        } else {
            let known = variables.get(name).copied().or(default)?;
            text.push_str(&resolve(known, variables, directory, steps)?);
        }
        if text.len() > 4096 {
            return None;
        }
    }
    text.push_str(rest);
    Some(text)
}

fn is_standard(file: &str, directory: &str) -> bool {
    let file = file.trim_start_matches("file://").trim_start_matches("./");
    let below = |parent: &str| {
        file.strip_prefix(parent)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let climbs = file.split('/').any(|part| part == "..");
    // Relative paths begin in Tomcat's directory, whose `logs` leads to the standard one.
    let standard = below(directory)
        || below("${catalina.base}/logs")
        || below("logs")
        || below("/dev/stdout")
        || below("/dev/stderr");
    standard && !climbs
}
