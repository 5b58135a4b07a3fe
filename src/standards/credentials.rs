//! Passwords and tokens, by the name of what they are given to or by their own form. They are never shown whole.

use std::sync::LazyLock;

use regex::Regex;

use super::collector::Collector;
use super::names::file_name;
use super::statements::Statement;
use super::values;
use crate::model::rule;

/// What a key ends with that names a secret, small letters and digits alone.
const SECRETS: [&str; 10] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "secretkey",
    "apikey",
    "accesskey",
    "privatekey",
    "authtoken",
];
/// Keys that end so are secrets only as a word of their own: `access.token`, not `csrfToken`.
const TOKENS: [&str; 3] = ["accesstoken", "apitoken", "bearertoken"];
/// What values begin with that are kept elsewhere or made unreadable.
const NO_SECRETS: [&str; 12] = [
    "enc(",
    "{cipher}",
    "{bcrypt}",
    "{noop}$",
    "{aes",
    "vault:",
    "env:",
    "file:",
    "classpath:",
    "java:",
    "secret:",
    "$2",
];
const EMPTY_WORDS: [&str; 12] = [
    "true",
    "false",
    "null",
    "none",
    "yes",
    "no",
    "optional",
    "required",
    "prompt",
    "empty",
    "todo",
    "changeme?",
];

/// A pattern, and what it finds.
static TOKEN_FORMS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\bAKIA[0-9A-Z]{16}\b", "an access key of AWS"),
        (r"\bgh[pousr]_[A-Za-z0-9]{36}\b", "a token of GitHub"),
        (r"\bglpat-[A-Za-z0-9_-]{20}", "a token of GitLab"),
        (r"\bxox[baprs]-[A-Za-z0-9-]{10,}", "a token of Slack"),
        (r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----", "a private key"),
        (r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}", "a signed token (JWT)"),
    ]
    .into_iter()
    .map(|(text, what)| (Regex::new(text).expect("a constant pattern"), what))
    .collect()
});
static IN_ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b[a-z][a-z0-9+.-]*://[^/:@\s]*:([^/@\s]+)@|[?&;](?:password|passwd|pwd)=([^&;\s]+)")
        .expect("a constant pattern")
});

/// All that a configuration file states.
pub(super) fn judge_all(statements: &[Statement], path: &str, found: &mut Collector<'_>) {
    // In the words that people are shown, "password" is a label.
    let shown_to_people = is_of_words(file_name(path));
    for statement in statements {
        by_form(&statement.value, path, found);
        if !shown_to_people && is_secret_name(&statement.key) && is_secret(&statement.value) {
            tell(&statement.key, &statement.value, path, found);
        }
    }
}

/// A string constant of a class.
pub(super) fn judge_constant(value: &str, path: &str, found: &mut Collector<'_>) {
    by_form(value, path, found);
}

/// A constant field of a class, `static final String PASSWORD = "…"`.
pub(super) fn judge_field(name: &str, value: &str, path: &str, found: &mut Collector<'_>) {
    // `PASSWORD = "password"` and `PASSWORD = "db.password"` are names, and so is every word.
    let mixed = value.bytes().any(|c| c.is_ascii_digit() || b"!@#$%^&*+=?".contains(&c));
    let named = simple(value);
    let names_itself = ["pass", "pwd", "secret", "token", "key", "credential"]
        .iter()
        .any(|word| named.contains(word));
    if is_secret_name(name) && value.len() >= 6 && mixed && !names_itself && is_secret(value) {
        tell(name, value, path, found);
    }
}

/// What of this text has the form of a secret, whatever its name: tokens, keys, passwords in addresses. Masked.
pub fn secrets_by_form(value: &str) -> Vec<String> {
    // The shortest of the forms is longer; most values are none.
    if value.len() < 12 {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (form, what) in TOKEN_FORMS.iter() {
        if let Some(hit) = form.find(value) {
            found.push(format!("{what}: {}", masked(hit.as_str())));
        }
    }
    if !value.contains("://") && !value.contains('=') {
        return found;
    }
    for hit in IN_ADDRESS.captures_iter(value) {
        let (Some(secret), Some(whole)) = (hit.get(1).or(hit.get(2)), hit.get(0)) else {
            continue;
        };
        // Looked at in the whole, because a placeholder may begin before the hit.
        let filled = values::is_filled_in(secret.as_str()) || value[..secret.end()].ends_with('}');
        if !filled && is_secret(secret.as_str()) {
            let shown = values::without_secrets(whole.as_str());
            found.push(format!("a password in an address: {shown}"));
        }
    }
    found
}

/// Does this name say that its value is a secret, and is the value one? Masked.
pub fn secret_by_name(name: &str, value: &str) -> Option<String> {
    (is_secret_name(name) && is_secret(value)).then(|| format!("{name} = {}", masked(value)))
}

fn by_form(value: &str, path: &str, found: &mut Collector<'_>) {
    for what in secrets_by_form(value) {
        found.add(&rule::CREDENTIALS, path, what);
    }
}

fn tell(key: &str, value: &str, path: &str, found: &mut Collector<'_>) {
    found.add(&rule::CREDENTIALS, path, format!("{key} = {}", masked(value)));
}

/// The first letter of a longer text, and how long it is; nothing of a short one.
fn masked(secret: &str) -> String {
    let length = secret.chars().count();
    match secret.chars().next() {
        Some(first) if length >= 8 => format!("{first}*** ({length} characters)"),
        _ => format!("*** ({length} characters)"),
    }
}

/// `DB_PASSWORD`, `db.password`, `dbPassword` → `dbpassword`.
fn simple(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase()
}

fn is_secret_name(key: &str) -> bool {
    // Of `a.b.password` the last part counts: `password.length` is none.
    let last = key.rsplit(['.', '/', ':']).next().unwrap_or(key);
    let (last, whole) = (simple(last), simple(key));
    SECRETS.iter().any(|secret| last.ends_with(secret)) || TOKENS.iter().any(|token| whole.ends_with(token))
}

fn is_secret(value: &str) -> bool {
    let lower = value.to_lowercase();
    value.chars().count() >= 3
        && !value.contains(char::is_whitespace)
        && !values::is_filled_in(value)
        && !value.starts_with('*')
        && !value.starts_with('<')
        && !NO_SECRETS.iter().any(|start| lower.starts_with(start))
        && !EMPTY_WORDS.contains(&lower.as_str())
        // `password=password` in a mapping of names.
        && !SECRETS.contains(&simple(value).as_str())
        // Names of classes and message keys.
        && !lower.contains(".password")
        && !(value.contains('.') && value.split('.').count() > 2 && value.chars().all(|c| c.is_alphanumeric() || c == '.'))
}

/// `messages.properties`, `labels_de.properties`: texts for people.
fn is_of_words(name: &str) -> bool {
    static LANGUAGE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"_[a-z]{2}(_[A-Z]{2})?\.(properties|ya?ml|xml)$").expect("a constant pattern"));
    let lower = name.to_lowercase();
    let words = [
        "message",
        "label",
        "i18n",
        "texts",
        "language",
        "resources",
        "bundle",
        "translation",
    ];
    LANGUAGE.is_match(name) || words.iter().any(|word| lower.contains(word))
}
