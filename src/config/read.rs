//! From the default file, the user's file and the environment to a [`Config`]: every key is taken once, every mistake kept.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use secrecy::SecretString;
use toml::{Table, Value};

use super::*;
use crate::model::quantity::{parse_bytes, parse_duration};

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, for example `worker.builds`.
    pub key: String,
    /// Where the value came from and what it was; secrets are not shown.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

/// All mistakes of one start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the configuration has {} mistake(s):", self.0.len())?;
        for error in &self.0 {
            writeln!(f, "  {} = {}: {}", error.key, error.value, error.allowed)?;
        }
        f.write_str("`seaworthy config` prints every option with its explanation")
    }
}

impl std::error::Error for ConfigErrors {}

struct Reader {
    values: Table,
    errors: Vec<ConfigError>,
}

const SECRET_KEYS: [&str; 8] = [
    "database.url",
    "webhook.secrets",
    "webhook.signing_keys",
    "gitlab.token",
    "gitlab.git_token",
    "registry.password",
    "base_images.password",
    "smtp.password",
];

pub(super) fn load(
    file: Option<(&str, &str)>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigErrors> {
    let mut reader = Reader {
        values: defaults(),
        errors: Vec::new(),
    };
    if let Some((name, text)) = file {
        reader.lay_file(name, text);
    }
    reader.lay_environment(environment);
    let config = reader.config();
    if reader.errors.is_empty() {
        Ok(config)
    } else {
        Err(ConfigErrors(reader.errors))
    }
}

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
    fn wrong(&mut self, key: &str, value: impl Into<String>, allowed: impl Into<String>) {
        self.errors.push(ConfigError {
            key: key.to_owned(),
            value: value.into(),
            allowed: allowed.into(),
        });
    }

    fn lay_file(&mut self, name: &str, text: &str) {
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

    fn lay_environment(&mut self, environment: impl IntoIterator<Item = (String, String)>) {
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

    fn put(&mut self, section: &str, key: &str, value: Value) {
        let slot = self.values.get_mut(section).and_then(|content| content.get_mut(key));
        *slot.expect("the key was looked up among the defaults") = value;
    }

    /// Parses the value of `key`; a mistake is noted and the default is used, so that the reading goes on.
    fn take<T>(&mut self, key: &str, parse: impl Fn(&Value) -> Result<T, String>) -> T {
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

    fn text(&mut self, key: &str) -> String {
        self.take(key, |value| {
            value
                .as_str()
                .map(str::to_owned)
                .ok_or("must be a text in quotes".to_owned())
        })
    }

    fn required(&mut self, key: &str, example: &str) -> String {
        let text = self.text(key);
        if text.is_empty() {
            self.wrong(key, "\"\"", format!("required, for example {example}"));
        }
        text
    }

    fn secret(&mut self, key: &str) -> SecretString {
        self.text(key).into()
    }

    fn path(&mut self, key: &str) -> Option<PathBuf> {
        Some(self.text(key)).filter(|text| !text.is_empty()).map(PathBuf::from)
    }

    fn boolean(&mut self, key: &str) -> bool {
        self.take(key, |value| value.as_bool().ok_or("must be true or false".to_owned()))
    }

    fn integer(&mut self, key: &str, from: i64, to: i64) -> i64 {
        self.take(key, |value| {
            value
                .as_integer()
                .filter(|number| (from..=to).contains(number))
                .ok_or_else(|| format!("must be a whole number from {from} to {to}"))
        })
    }

    fn size(&mut self, key: &str) -> u64 {
        self.take(key, |value| parse_bytes(value.as_str().unwrap_or_default()))
    }

    fn duration(&mut self, key: &str, least: Duration) -> Duration {
        self.take(key, |value| {
            let time = parse_duration(value.as_str().unwrap_or_default())?;
            if time < least {
                Err(format!("must be at least {least:?}"))
            } else {
                Ok(time)
            }
        })
    }

    fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> T {
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

    fn list(&mut self, key: &str) -> Vec<String> {
        self.take(key, |value| {
            let texts = value
                .as_array()
                .map(|list| list.iter().map(|v| v.as_str().map(str::to_owned)).collect());
            texts
                .and_then(|texts: Option<Vec<_>>| texts)
                .ok_or("must be a list of texts".to_owned())
        })
    }

    fn url(&mut self, key: &str, required: bool) -> String {
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

    fn account(&mut self, section: &str) -> Option<Account> {
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

    fn secrets(&mut self, key: &str, allowed: &str, ok: impl Fn(&str) -> bool) -> Vec<SecretString> {
        let texts = self.list(key);
        if texts.len() > 2 || !texts.iter().all(|text| ok(text)) {
            self.wrong(key, "(hidden)", allowed);
        }
        texts.into_iter().map(SecretString::from).collect()
    }

    fn mirrors(&mut self) -> BTreeMap<String, String> {
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

    fn config(&mut self) -> Config {
        let second = Duration::from_secs(1);
        let config = Config {
            server: Server {
                listen: self.take("server.listen", |value| {
                    let address = value.as_str().and_then(|text| text.parse().ok());
                    address.ok_or("must be an address with a port, for example \"0.0.0.0:8080\"".to_owned())
                }),
                public_url: self.url("server.public_url", true),
                public_read: self.boolean("server.public_read"),
            },
            database: Database {
                url: self
                    .required("database.url", "postgres://seaworthy:…@localhost/seaworthy")
                    .into(),
                max_connections: self.integer("database.max_connections", 4, 200) as u32,
            },
            storage: Storage {
                directory: self.required("storage.directory", "/var/lib/seaworthy").into(),
            },
            webhook: Webhook {
                secrets: self.secrets(
                    "webhook.secrets",
                    "two secrets at most, each of 8 bytes or more, no spaces",
                    |text| text.len() >= 8 && !text.contains(char::is_whitespace),
                ),
                signing_keys: self.secrets(
                    "webhook.signing_keys",
                    "two keys at most, each whsec_ and 24 to 64 bytes in base64",
                    is_signing_key,
                ),
                signature_tolerance: self.duration("webhook.signature_tolerance", second),
                max_body: self.size("webhook.max_body") as usize,
            },
            gitlab: GitLab {
                url: self.url("gitlab.url", true),
                token: self.required("gitlab.token", "glpat-…").into(),
                git_username: self.required("gitlab.git_username", "seaworthy"),
                git_token: self.secret("gitlab.git_token"),
                timeout: self.duration("gitlab.timeout", second),
                poll_interval: self.duration("gitlab.poll_interval", second),
            },
            tls: Tls {
                ca_file: self.path("tls.ca_file"),
            },
            engine: Engine {
                url: self.required("engine.url", "unix:///var/run/docker.sock"),
                builder: self.choice(
                    "engine.builder",
                    &[("buildkit", Builder::BuildKit), ("classic", Builder::Classic)],
                ),
            },
            registry: Registry {
                repository: self
                    .required("registry.repository", "registry.example.com/qa")
                    .trim_end_matches('/')
                    .to_owned(),
                account: self.account("registry"),
                plain_http: self.boolean("registry.plain_http"),
            },
            base_images: BaseImages {
                mirrors: self.mirrors(),
                account: self.account("base_images"),
                plain_http: self.boolean("base_images.plain_http"),
            },
            maven: Maven {
                settings_file: self.path("maven.settings_file"),
                mirror_url: Some(self.url("maven.mirror_url", false)).filter(|url| !url.is_empty()),
                hand_in_certificates: self.boolean("maven.hand_in_certificates"),
            },
            smtp: Smtp {
                host: self.required("smtp.host", "mail.example.com"),
                port: self.integer("smtp.port", 1, 65_535) as u16,
                tls: self.choice(
                    "smtp.tls",
                    &[
                        ("starttls", SmtpTls::StartTls),
                        ("tls", SmtpTls::Tls),
                        ("none", SmtpTls::None),
                    ],
                ),
                account: self.account("smtp"),
                from: self.required("smtp.from", "\"Seaworthy <ci@example.com>\""),
            },
            worker: Worker {
                builds: self.integer("worker.builds", 1, 64) as usize,
                name: self.text("worker.name"),
                lease: self.duration("worker.lease", 3 * second),
                attempts: self.integer("worker.attempts", 1, 20) as i32,
                backoff: self.duration("worker.backoff", Duration::from_millis(10)),
                sweep_interval: self.duration("worker.sweep_interval", second),
            },
            definitions: Definitions {
                pipelines: self.path("definitions.pipelines"),
                templates: self.path("definitions.templates"),
            },
            build_log: BuildLog {
                head: self.size("build_log.head"),
                tail: self.size("build_log.tail"),
            },
            logging: Logging {
                format: self.choice(
                    "logging.format",
                    &[("text", LogFormat::Text), ("json", LogFormat::Json)],
                ),
                filter: self.required("logging.filter", "info"),
            },
        };
        self.check_together(config)
    }

    /// Rules over more than one key.
    fn check_together(&mut self, mut config: Config) -> Config {
        use secrecy::ExposeSecret as _;
        if config.webhook.secrets.is_empty() && config.webhook.signing_keys.is_empty() {
            self.wrong(
                "webhook.secrets",
                "[]",
                "required: one secret (or one of webhook.signing_keys)",
            );
        }
        if config.gitlab.git_token.expose_secret().is_empty() {
            config.gitlab.git_token = config.gitlab.token.clone();
        }
        if !config.registry.repository.is_empty() && !is_repository(&config.registry.repository) {
            let shown = format!("{:?}", config.registry.repository);
            self.wrong(
                "registry.repository",
                shown,
                "must be host[:port]/namespace, without https://, in lower case",
            );
        }
        if config.maven.settings_file.is_some() && config.maven.mirror_url.is_some() {
            self.wrong(
                "maven.mirror_url",
                "set",
                "not together with maven.settings_file: write the mirror into that file",
            );
        }
        for (key, file) in [
            ("tls.ca_file", &config.tls.ca_file),
            ("maven.settings_file", &config.maven.settings_file),
        ] {
            if let Some(Err(error)) = file.as_ref().map(std::fs::File::open) {
                self.wrong(
                    key,
                    format!("{:?}", file.as_deref().unwrap_or_else(|| "".as_ref())),
                    format!("cannot be read: {error}"),
                );
            }
        }
        if !config.smtp.from.is_empty() && config.smtp.from.parse::<lettre::message::Mailbox>().is_err() {
            self.wrong(
                "smtp.from",
                format!("{:?}", config.smtp.from),
                "must be an address, for example \"Seaworthy <ci@example.com>\"",
            );
        }
        let url = config.database.url.expose_secret();
        let scheme = url.starts_with("postgres://") || url.starts_with("postgresql://");
        if !url.is_empty() && !(scheme && url.parse::<sqlx::postgres::PgConnectOptions>().is_ok()) {
            self.wrong(
                "database.url",
                "(hidden)",
                "must be like postgres://user:password@host/database",
            );
        }
        config
    }
}

fn is_signing_key(text: &str) -> bool {
    text.strip_prefix("whsec_")
        .and_then(|key| base64::engine::general_purpose::STANDARD.decode(key).ok())
        .is_some_and(|key| (24..=64).contains(&key.len()))
}

/// `host[:port]/part/part`, by the distribution specification's grammar of repository names.
fn is_repository(text: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    const GOOD: &str = r#"
        [database]
        url = "postgres://u:canary@localhost/db"
        [webhook]
        secrets = ["0123456789"]
        [gitlab]
        url = "https://gitlab.example.com/"
        token = "glpat-canary"
        [registry]
        repository = "registry.example.com:5000/qa"
        [smtp]
        host = "mail.example.com"
        from = "Seaworthy <ci@example.com>"
    "#;

    fn load_with(environment: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::load(Some(("test.toml", GOOD)), environment)
    }

    #[test]
    fn a_small_file_is_enough() {
        let config = load_with(&[]).expect("valid");
        assert_eq!(config.gitlab.url, "https://gitlab.example.com");
        assert_eq!(config.gitlab.git_token.expose_secret(), "glpat-canary");
        assert_eq!(config.registry_host(), "registry.example.com:5000");
        assert!(!format!("{config:?}").contains("canary"), "a secret is shown by Debug");
    }

    #[test]
    fn the_environment_wins() {
        let config = load_with(&[
            ("SEAWORTHY_WORKER_BUILDS", "7"),
            (
                "SEAWORTHY_BASE_IMAGES_MIRRORS",
                "docker.io=127.0.0.1:5000/mirror, quay.io=127.0.0.1:5000/quay",
            ),
        ])
        .expect("valid");
        assert_eq!(config.worker.builds, 7);
        assert_eq!(config.base_images.mirrors["quay.io"], "127.0.0.1:5000/quay");
    }

    #[test]
    fn all_mistakes_are_told_at_once_and_no_secret_with_them() {
        let file = r#"
            [serverr]
            [database]
            url = "mysql://u:canary@h/d"
            [webhook]
            secrets = ["canary1", "canary22", "canary33"]
            [worker]
            bilds = 3
            lease = "1"
            [engine]
            builder = "podman"
        "#;
        let errors = Config::load(
            Some(("test.toml", file)),
            [("SEAWORTHY_WORKER_BUILDS".to_owned(), "many".to_owned())],
        )
        .expect_err("invalid");
        let text = errors.to_string();
        for expected in [
            "serverr = in test.toml: there is no such section; did you mean \"server\"?",
            "worker.bilds = in test.toml: there is no such option; did you mean \"builds\"?",
            "SEAWORTHY_WORKER_BUILDS = \"many\"",
            "worker.lease = \"1\": \"1\" is no time; write",
            "engine.builder = \"podman\": must be one of \"buildkit\", \"classic\"",
            "database.url = (hidden)",
            "webhook.secrets = (hidden)",
            "gitlab.url = \"\": required",
        ] {
            assert!(text.contains(expected), "missing {expected:?} in:\n{text}");
        }
        assert!(!text.contains("canary"), "a secret is shown:\n{text}");
    }

    #[test]
    fn each_default_is_valid_and_each_key_is_read() {
        // Only the required keys may be missing: any other error would mean a default that is refused by its own rule.
        let errors = Config::load(None, []).expect_err("the required keys are missing");
        for error in &errors.0 {
            assert!(error.allowed.starts_with("required"), "{error:?}");
        }
    }
}
