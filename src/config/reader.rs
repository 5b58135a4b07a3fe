//! Values of the configuration, one by one: laid over each other, taken by key, each mistake kept.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use toml::{Table, Value};

use super::read::ConfigError;
use super::{Account, DEFAULT_FILE, Provider};
use crate::model::quantity::{parse_bytes, parse_duration};

/// The values so far, and what is wrong with them.
pub(super) struct Reader {
    values: Table,
    pub errors: Vec<ConfigError>,
}

const SECRET_KEYS: [&str; 9] = [
    "sign_in.client_secret",
    "database.url",
    "webhook.secrets",
    "webhook.signing_keys",
    "gitlab.token",
    "gitlab.git_token",
    "registry.password",
    "base_images.password",
    "smtp.password",
];

fn defaults() -> Table {
    DEFAULT_FILE
        .parse()
        .expect("the embedded default file is valid TOML (tested)")
}

fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a String>) -> String {
    known
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= 1 + word.len() / 3)
        .map(|(_, candidate)| format!("; did you mean {candidate:?}?"))
        .unwrap_or_default()
}

impl Reader {
    /// The defaults alone.
    pub fn new() -> Self {
        Self {
            values: defaults(),
            errors: Vec::new(),
        }
    }

    pub fn wrong(&mut self, key: &str, value: impl Into<String>, allowed: impl Into<String>) {
        self.errors.push(ConfigError {
            key: key.to_owned(),
            value: value.into(),
            allowed: allowed.into(),
        });
    }

    pub fn lay_file(&mut self, name: &str, text: &str) {
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let error: toml::de::Error = error;
                return self.wrong(name, "not TOML", error.to_string().trim_end().replace('\n', "\n    "));
            }
        };
        let known = defaults();
        for (section, content) in table {
            let Some(known_section) = known.get(&section).and_then(Value::as_table) else {
                let hint = nearest(&section, known.keys());
                self.wrong(
                    &section,
                    format!("in {name}"),
                    format!("there is no such section{hint}"),
                );
                continue;
            };
            let Value::Table(content) = content else {
                self.wrong(&section, content.to_string(), format!("must be a section: [{section}]"));
                continue;
            };
            for (key, value) in content {
                let full = format!("{section}.{key}");
                if known_section.contains_key(&key) {
                    self.put(&section, &key, value);
                } else {
                    let hint = nearest(&key, known_section.keys());
                    self.wrong(&full, format!("in {name}"), format!("there is no such option{hint}"));
                }
            }
        }
    }

    pub fn lay_environment(&mut self, environment: impl IntoIterator<Item = (String, String)>) {
        let known = defaults();
        for (variable, text) in environment {
            // SEAWORTHY_CONFIG and SEAWORTHY_TOKEN belong to the command line, SEAWORTHY_URL to the client commands.
            let Some(rest) = variable.strip_prefix("SEAWORTHY_") else {
                continue;
            };
            if matches!(rest, "CONFIG" | "TOKEN" | "URL" | "WORLD") {
                continue;
            }
            let find = |name: &str| {
                known.iter().find_map(|(section, content)| {
                    let key = name
                        .strip_prefix(&section.to_uppercase())?
                        .strip_prefix('_')?
                        .to_lowercase();
                    let default = content.get(&key)?;
                    Some((section.clone(), key, default.clone()))
                })
            };
            let (found, text) = match (find(rest), rest.strip_suffix("_FILE").and_then(find)) {
                (Some(found), _) => (found, text),
                (None, Some(found)) => match std::fs::read_to_string(&text) {
                    Ok(content) => (found, content.trim_end_matches(['\r', '\n']).to_owned()),
                    Err(error) => {
                        self.wrong(
                            &variable,
                            format!("{text:?}"),
                            format!("the file cannot be read: {error}"),
                        );
                        continue;
                    }
                },
                (None, None) => {
                    self.wrong(&variable, "in the environment", "there is no such option");
                    continue;
                }
            };
            let (section, key, default) = found;
            let value = match default {
                Value::Array(_) => Some(Value::Array(
                    text.split(',')
                        .map(str::trim)
                        .filter(|s| !s.is_empty())
                        .map(|s| Value::String(s.to_owned()))
                        .collect(),
                )),
                Value::Integer(_) => text.parse().ok().map(Value::Integer),
                Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
                _ => Some(Value::String(text.clone())),
            };
            match value {
                Some(value) => self.put(&section, &key, value),
                None => self.wrong(
                    &variable,
                    format!("{text:?}"),
                    format!("must be like its default {default}"),
                ),
            }
        }
    }

    pub fn put(&mut self, section: &str, key: &str, value: Value) {
        let slot = self.values.get_mut(section).and_then(|content| content.get_mut(key));
        *slot.expect("the key was looked up among the defaults") = value;
    }

    /// Parses the value of `key`; a mistake is noted and the default is used, so that the reading goes on.
    pub fn take<T>(&mut self, key: &str, parse: impl Fn(&Value) -> Result<T, String>) -> T {
        let (section, name) = key.split_once('.').expect("keys have a section");
        let value = self.values[section][name].clone();
        parse(&value).unwrap_or_else(|allowed| {
            let shown = if SECRET_KEYS.contains(&key) {
                "(hidden)".to_owned()
            } else {
                value.to_string()
            };
            self.wrong(key, shown, allowed);
            parse(&defaults()[section][name]).unwrap_or_else(|_| unreachable!("the default of {key} is valid (tested)"))
        })
    }

    pub fn text(&mut self, key: &str) -> String {
        self.take(key, |value| {
            value
                .as_str()
                .map(str::to_owned)
                .ok_or("must be a text in quotes".to_owned())
        })
    }

    pub fn required(&mut self, key: &str, example: &str) -> String {
        let text = self.text(key);
        if text.is_empty() {
            self.wrong(key, "\"\"", format!("required, for example {example}"));
        }
        text
    }

    pub fn secret(&mut self, key: &str) -> SecretString {
        self.text(key).into()
    }

    pub fn path(&mut self, key: &str) -> Option<PathBuf> {
        Some(self.text(key)).filter(|text| !text.is_empty()).map(PathBuf::from)
    }

    pub fn boolean(&mut self, key: &str) -> bool {
        self.take(key, |value| value.as_bool().ok_or("must be true or false".to_owned()))
    }

    pub fn integer(&mut self, key: &str, from: i64, to: i64) -> i64 {
        self.take(key, |value| {
            value
                .as_integer()
                .filter(|number| (from..=to).contains(number))
                .ok_or_else(|| format!("must be a whole number from {from} to {to}"))
        })
    }

    pub fn size(&mut self, key: &str) -> u64 {
        self.take(key, |value| parse_bytes(value.as_str().unwrap_or_default()))
    }

    pub fn duration(&mut self, key: &str, least: Duration) -> Duration {
        self.take(key, |value| {
            let time = parse_duration(value.as_str().unwrap_or_default())?;
            if time < least {
                Err(format!("must be at least {least:?}"))
            } else {
                Ok(time)
            }
        })
    }

    pub fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> T {
        self.take(key, |value| {
            let chosen = choices.iter().find(|(name, _)| Some(*name) == value.as_str());
            let names = || {
                choices
                    .iter()
                    .map(|(name, _)| format!("{name:?}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            chosen
                .map(|(_, choice)| *choice)
                .ok_or_else(|| format!("must be one of {}", names()))
        })
    }

    pub fn list(&mut self, key: &str) -> Vec<String> {
        self.take(key, |value| {
            let texts = value
                .as_array()
                .map(|list| list.iter().map(|v| v.as_str().map(str::to_owned)).collect());
            texts
                .and_then(|texts: Option<Vec<_>>| texts)
                .ok_or("must be a list of texts".to_owned())
        })
    }

    pub fn url(&mut self, key: &str, required: bool) -> String {
        let text = if required {
            self.required(key, "https://gitlab.example.com")
        } else {
            self.text(key)
        };
        let Some(parsed) = Some(&text).filter(|text| !text.is_empty()) else {
            return text;
        };
        match reqwest::Url::parse(parsed) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() => {
                self.wrong(
                    key,
                    format!("{text:?}"),
                    "must begin with http:// or https:// and name a host",
                );
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                self.wrong(
                    key,
                    "(hidden)",
                    "must not hold a password: there is an option for the token",
                );
            }
            Ok(_) => {}
            Err(error) => self.wrong(key, format!("{text:?}"), format!("not a URL: {error}")),
        }
        text.trim_end_matches('/').to_owned()
    }

    pub fn account(&mut self, section: &str) -> Option<Account> {
        let username = self.text(&format!("{section}.username"));
        let password = self.text(&format!("{section}.password"));
        match (username.is_empty(), password.is_empty()) {
            (true, true) => None,
            (false, false) => Some(Account {
                username,
                password: password.into(),
            }),
            (no_name, _) => {
                let missing = if no_name { "username" } else { "password" };
                self.wrong(
                    &format!("{section}.{missing}"),
                    "\"\"",
                    "user name and password belong together",
                );
                None
            }
        }
    }

    /// Networks like `10.0.0.0/8`, or single addresses.
    pub fn networks(&mut self, key: &str) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for text in self.list(key) {
            let network = text.parse().ok();
            match network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)) {
                Some(network) => networks.push(network),
                None => self.wrong(
                    key,
                    format!("{text:?}"),
                    "must be an address or a network like \"10.0.0.0/8\"",
                ),
            }
        }
        networks
    }

    /// The OpenID provider; none if no address is set.
    pub fn provider(&mut self) -> Option<Provider> {
        let issuer = self.take("sign_in.issuer", |value| {
            value
                .as_str()
                .map(str::to_owned)
                .ok_or("must be a text in quotes".to_owned())
        });
        // Checked as an address; kept as it was written, because the provider's own writing is compared with it.
        self.url("sign_in.issuer", false);
        let provider = Provider {
            client_id: self.text("sign_in.client_id"),
            client_secret: self.secret("sign_in.client_secret"),
            scopes: self.list("sign_in.scopes"),
            user_claim: self.required("sign_in.user_claim", "preferred_username"),
            groups_claim: Some(self.text("sign_in.groups_claim")).filter(|claim| !claim.is_empty()),
            clock_skew: self.duration("sign_in.clock_skew", Duration::ZERO),
            issuer,
        };
        let missing = [
            ("sign_in.client_id", provider.client_id.is_empty()),
            (
                "sign_in.client_secret",
                provider.client_secret.expose_secret().is_empty(),
            ),
        ];
        let set = !provider.issuer.is_empty();
        for (key, _) in missing.into_iter().filter(|(_, is)| set && *is) {
            self.wrong(
                key,
                "\"\"",
                "required with sign_in.issuer: the provider shows it when the application is registered",
            );
        }
        set.then_some(provider)
    }

    pub fn secrets(&mut self, key: &str, allowed: &str, ok: impl Fn(&str) -> bool) -> Vec<SecretString> {
        let texts = self.list(key);
        if texts.len() > 2 || !texts.iter().all(|text| ok(text)) {
            self.wrong(key, "(hidden)", allowed);
        }
        texts.into_iter().map(SecretString::from).collect()
    }

    pub fn mirrors(&mut self) -> BTreeMap<String, String> {
        let mut mirrors = BTreeMap::new();
        for text in self.list("base_images.mirrors") {
            match text.split_once('=') {
                Some((from, to)) if !from.trim().is_empty() && is_repository(to.trim()) => {
                    mirrors.insert(from.trim().to_owned(), to.trim().trim_end_matches('/').to_owned());
                }
                _ => self.wrong(
                    "base_images.mirrors",
                    format!("{text:?}"),
                    "must be like \"docker.io=registry.example.com/mirror\"",
                ),
            }
        }
        mirrors
    }
}

/// `host[:port]/part/part`, by the distribution specification's grammar of repository names.
pub(super) fn is_repository(text: &str) -> bool {
    let Some((host, path)) = text.split_once('/') else {
        return false;
    };
    let part = |p: &str| {
        !p.is_empty()
            && p.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
    };
    let host_ok = host.contains(['.', ':']) || host == "localhost";
    host_ok && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-[]".contains(&b)) && path.split('/').all(part)
}
