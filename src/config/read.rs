//! From the default file, the user's file and the environment to a [`Config`]: every key is taken once, every mistake kept.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;

use super::reader::Reader;
use super::*;

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

pub(super) fn load(
    file: Option<(&str, &str)>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigErrors> {
    let mut reader = Reader::new();
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

impl Reader {
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
                trusted_proxies: self.networks("server.trusted_proxies"),
            },
            sign_in: SignIn {
                provider: self.provider(),
                session_idle: self.duration("sign_in.session_idle", second),
                session_longest: self.duration("sign_in.session_longest", second),
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
                foundations: self.integer("engine.foundations", 0, 10_000) as usize,
            },
            registry: Registry {
                repository: self
                    .required("registry.repository", "registry.example.com/qa")
                    .trim_end_matches('/')
                    .to_owned(),
                libraries: self.text("registry.libraries"),
                account: self.account("registry"),
                plain_http: self.boolean("registry.plain_http"),
            },
            registries: self.registries(),
            base_images: BaseImages {
                mirrors: self.mirrors(),
                account: self.account("base_images"),
                plain_http: self.boolean("base_images.plain_http"),
            },
            maven: Maven {
                settings_file: self.path("maven.settings_file"),
                mirror_url: Some(self.url("maven.mirror_url", false)).filter(|url| !url.is_empty()),
                hand_in_certificates: self.boolean("maven.hand_in_certificates"),
                cache: self.take("maven.cache", |value| {
                    let name = value.as_str().unwrap_or_default();
                    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
                    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
                    if begins && plain {
                        Ok(name.to_owned())
                    } else {
                        Err("must be a volume's name: letters, digits, '_', '.', '-'".to_owned())
                    }
                }),
                cache_age: self.duration("maven.cache_age", second),
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
        if !config.registry.repository.is_empty() && !super::reader::is_repository(&config.registry.repository) {
            let shown = format!("{:?}", config.registry.repository);
            self.wrong(
                "registry.repository",
                shown,
                "must be host[:port]/namespace, without https://, in lower case",
            );
        }
        let libraries = &config.registry.libraries;
        if !libraries.is_empty() && !super::reader::is_repository(&format!("localhost/{libraries}")) {
            self.wrong(
                "registry.libraries",
                format!("{libraries:?}"),
                "must be the name of a repository in lower case, or empty",
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
        let sound = scheme && url.parse::<sqlx::postgres::PgConnectOptions>().is_ok();
        if !url.is_empty() && !sound {
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
    fn a_provider_needs_its_application_and_proxies_are_networks() {
        let config = load_with(&[]).expect("valid");
        assert!(
            config.sign_in.provider.is_none(),
            "nothing is set, so people sign in with tokens"
        );
        let errors = load_with(&[
            ("SEAWORTHY_SIGN_IN_ISSUER", "gitlab.example.com"),
            ("SEAWORTHY_SIGN_IN_CLIENT_ID", "id"),
            ("SEAWORTHY_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, ::1, proxy"),
        ]);
        let text = errors.expect_err("invalid").to_string();
        for expected in [
            "sign_in.issuer = \"gitlab.example.com\": not a URL",
            "sign_in.client_secret = \"\": required with sign_in.issuer",
            "server.trusted_proxies = \"proxy\": must be an address or a network",
        ] {
            assert!(text.contains(expected), "missing {expected:?} in:\n{text}");
        }
        assert!(!text.contains("client_id") && !text.contains("::1"), "{text}");
        let config = load_with(&[
            ("SEAWORTHY_SIGN_IN_ISSUER", "https://gitlab.example.com/"),
            ("SEAWORTHY_SIGN_IN_CLIENT_ID", "id"),
            ("SEAWORTHY_SIGN_IN_CLIENT_SECRET", "canary"),
            ("SEAWORTHY_SIGN_IN_GROUPS_CLAIM", ""),
        ]);
        let config = config.expect("valid");
        assert!(!format!("{config:?}").contains("canary"), "a secret is shown by Debug");
        let provider = config.sign_in.provider.expect("a provider");
        // As it was written: the provider's own name of itself is compared with it.
        assert_eq!(provider.issuer, "https://gitlab.example.com/");
        assert_eq!(provider.groups_claim, None);
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
