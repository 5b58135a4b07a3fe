//! What the name of a file tells.

use std::sync::LazyLock;

use regex::Regex;

use super::collector::Collector;
use crate::model::rule;

static ENVIRONMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)[^/][-_.](prod|production|preprod|pre-prod|dev|devel|development|test|testing|qa|uat|sit|staging|stage|int|integration|acc|acceptance|local)\.(properties|ya?ml|xml|json|conf|cfg|ini|env|toml)$",
    )
    .expect("a constant pattern")
});

/// Names of files, without their directory, that only tools of a desk need.
const STRAY: [&str; 9] = [
    ".project",
    ".classpath",
    ".ds_store",
    "thumbs.db",
    ".env",
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".npmrc",
];
const STRAY_ENDS: [(&str, &str); 14] = [
    (".java", "a source file"),
    (".kt", "a source file"),
    (".scala", "a source file"),
    ("-sources.jar", "sources of a library"),
    ("-javadoc.jar", "documentation of a library"),
    (".iml", "a file of an editor"),
    (".swp", "a file of an editor"),
    (".bak", "a backup"),
    (".orig", "a backup"),
    ("~", "a backup"),
    (".jks", "a key store"),
    (".p12", "a key store"),
    (".pfx", "a key store"),
    (".keystore", "a key store"),
];
const STRAY_DIRECTORIES: [&str; 6] = [".idea", ".settings", ".vscode", ".svn", ".hg", "node_modules"];
const KEYS: [&str; 5] = ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "identity"];

/// Where configuration lies: descriptors and resources, not what browsers get, nor Maven's own notes.
pub(super) fn is_configuration(path: &str) -> bool {
    let inside = path.split_once("!/");
    let private = inside.is_some() || path.starts_with("WEB-INF/") || path.starts_with("META-INF/") || is_env(path);
    let within = inside.map_or(path, |(_, within)| within);
    private && !within.starts_with("META-INF/maven/") && !path.starts_with("WEB-INF/lib-provided/")
}

fn is_env(path: &str) -> bool {
    path == ".env" || path.ends_with("/.env")
}

/// Names of files and directories that do not belong.
pub(super) fn judge(path: &str, found: &mut Collector<'_>) {
    let name = file_name(path);
    let lower = name.to_ascii_lowercase();
    if is_configuration(path) && ENVIRONMENT.is_match(path) {
        found.add(&rule::ENVIRONMENT_FILE, path, "");
    }
    if lower.ends_with(".war") || lower.ends_with(".ear") {
        found.add(&rule::SEVERAL_APPLICATIONS, path, "is an archive of its own");
    } else if path.ends_with("/WEB-INF/web.xml") {
        found.add(&rule::SEVERAL_APPLICATIONS, path, "describes another web application");
    }
    let mut directories = path.split('/').rev().skip(1);
    if directories.clone().any(|part| part == ".git") {
        found.add(&rule::SECRET_FILE, path, "belongs to a Git repository");
    } else if let Some(directory) = directories.find(|part| STRAY_DIRECTORIES.contains(part)) {
        found.add(&rule::STRAY_FILE, path, format!("lies in {directory}"));
    } else if STRAY.contains(&lower.as_str()) {
        found.add(&rule::STRAY_FILE, path, "belongs to a desk");
    } else if let Some((_, what)) = STRAY_ENDS.iter().find(|(end, _)| lower.ends_with(end)) {
        found.add(&rule::STRAY_FILE, path, format!("is {what}"));
    }
}

/// May it be a private key, by its name?
pub(super) fn may_be_key(path: &str) -> bool {
    let name = file_name(path);
    name.ends_with(".pem") || name.ends_with(".key") || KEYS.contains(&name)
}

/// A file that may be a key, by its content.
pub(super) fn judge_key(path: &str, content: &[u8], found: &mut Collector<'_>) {
    let text = String::from_utf8_lossy(content);
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        found.add(&rule::SECRET_FILE, path, "is a private key");
    }
}

/// Two names that are the same in lower case.
pub(super) fn case_clash(one: &str, other: &str, found: &mut Collector<'_>) {
    // The very same name twice is refused before; a hash may also lie.
    if one == other || one.to_lowercase() != other.to_lowercase() {
        return;
    }
    let (first, second) = if one < other { (one, other) } else { (other, one) };
    let classes = one.ends_with(".class") && other.ends_with(".class");
    let rule = if classes {
        &rule::CASE_CLASH_CLASS
    } else {
        &rule::CASE_CLASH
    };
    found.add(rule, first, format!("beside {second}"));
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
