//! Accounts of registries in the format that `docker login` writes and Kubernetes hands to pods
//! (`kubernetes.io/dockerconfigjson`): `{"auths": {"host": {"auth": base64("user:password")}}}`.

use std::collections::BTreeMap;

use base64::Engine as _;
use secrecy::SecretString;
use serde::Deserialize;

use super::reader::Reader;
use super::{Account, Registries};

#[derive(Default)]
struct Accounts {
    accounts: BTreeMap<String, Account>,
    identity_tokens: BTreeMap<String, SecretString>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(rename = "credsStore", default)]
    store: Option<String>,
    #[serde(rename = "credHelpers", default)]
    helpers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(rename = "identitytoken", default)]
    identity_token: String,
}

impl Reader {
    /// The section `[registries]`.
    pub(super) fn registries(&mut self) -> Registries {
        let key = "registries.accounts_file";
        let mut found = Accounts::default();
        if let Some(path) = self.path(key) {
            let read = std::fs::read(&path)
                .map_err(|error| format!("cannot be read: {error}"))
                .and_then(|bytes| parse(&bytes));
            match read {
                Ok(accounts) => found = accounts,
                Err(wrong) => self.wrong(key, format!("{path:?}"), wrong),
            }
        }
        let plain_http = self.list("registries.plain_http");
        for host in &plain_http {
            if host.is_empty() || host.contains(['/', ' ', '@']) {
                let allowed = "must be a host, with its port where it has one, and without http://";
                self.wrong("registries.plain_http", format!("{host:?}"), allowed);
            }
        }
        Registries {
            accounts: found.accounts,
            identity_tokens: found.identity_tokens,
            plain_http,
        }
    }
}

/// No message holds anything of an entry but its host.
fn parse(bytes: &[u8]) -> Result<Accounts, String> {
    // The parser's own message may quote a secret.
    let file: File = serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("is no file of `docker login`: {{\"auths\": {{…}}}} is expected (line {line}, column {column})")
    })?;
    if let Some(store) = file.store.filter(|store| !store.is_empty()) {
        return Err(format!(
            "keeps its passwords elsewhere (credsStore {store:?}), which a service cannot open: make a file of its own \
             with `docker --config DIRECTORY login HOST` where no store is set"
        ));
    }
    if let Some(host) = file.helpers.keys().next() {
        return Err(format!(
            "asks a program for the password of {host:?} (credHelpers), which is not done here: write the account into auths"
        ));
    }
    let mut found = Accounts::default();
    for (name, entry) in file.auths {
        let host = host_of(&name)?;
        if !entry.identity_token.is_empty() {
            found.identity_tokens.insert(host, entry.identity_token.into());
            continue;
        }
        let account = if entry.auth.is_empty() {
            (!entry.username.is_empty()).then_some((entry.username, entry.password))
        } else {
            let pair = decode(&entry.auth).ok_or_else(|| {
                format!("the entry of {name:?} has an auth that is not user:password in base64: log in there again")
            })?;
            Some(pair)
        };
        // `docker logout` and stores leave empty entries.
        if let Some((username, password)) = account {
            let password = password.into();
            found.accounts.insert(host, Account { username, password });
        }
    }
    Ok(found)
}

fn decode(auth: &str) -> Option<(String, String)> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(auth.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    // Docker pads with zero bytes.
    Some((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// `https://index.docker.io/v1/` is what Docker calls its own registry; other hosts may be written as addresses too.
fn host_of(name: &str) -> Result<String, String> {
    let rest = name
        .strip_prefix("https://")
        .or_else(|| name.strip_prefix("http://"))
        .unwrap_or(name);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.is_empty() || !matches!(path.trim_end_matches('/'), "" | "v1" | "v2") {
        return Err(format!(
            "has an entry for {name:?}: accounts are by host here, so write the host alone"
        ));
    }
    Ok(match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        host => host.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_file_of_docker_login_is_read() {
        // "ci:a:b" with the padding of an old Docker.
        let auth = base64::engine::general_purpose::STANDARD.encode("ci:a:b\0\0");
        let text = format!(
            r#"{{"auths": {{
                "a.example:5000": {{"auth": "{auth}"}},
                "https://index.docker.io/v1/": {{"username": "me", "password": "x"}},
                "https://c.example": {{"auth": "{auth}", "identitytoken": "long"}},
                "empty.example": {{}}
            }}, "HttpHeaders": {{}}}}"#
        );
        let found = parse(text.as_bytes()).expect("a file");
        let account = |host: &str| {
            let account = found.accounts.get(host).expect(host);
            (account.username.clone(), account.password.expose_secret().to_owned())
        };
        assert_eq!(account("a.example:5000"), ("ci".to_owned(), "a:b".to_owned()));
        assert_eq!(account("docker.io"), ("me".to_owned(), "x".to_owned()));
        assert_eq!(found.accounts.len(), 2);
        assert_eq!(found.identity_tokens["c.example"].expose_secret(), "long");
    }

    #[test]
    fn what_cannot_be_used_is_named_without_secrets() {
        for (text, word) in [
            ("canary", "is no file of `docker login`"),
            (r#"{"auths": {"a": {"auth": 7, "password": "canary"}}}"#, "line 1"),
            (r#"{"auths": {"a": {"auth": "Y2FuYXJ5"}}}"#, "\"a\""),
            (r#"{"auths": {}, "credsStore": "desktop"}"#, "credsStore \"desktop\""),
            (r#"{"credHelpers": {"b.example": "ecr-login"}}"#, "\"b.example\""),
            (
                r#"{"auths": {"a.example/team": {"auth": "YTpjYW5hcnk="}}}"#,
                "a.example/team",
            ),
        ] {
            let error = parse(text.as_bytes()).err().expect(text);
            assert!(error.contains(word) && !error.contains("canary"), "{error}");
        }
    }
}
