//! The configuration: one struct, validated as a whole before anything starts.
//!
//! `default.toml` beside this file is both the list of all keys and their documentation. The user's file and the
//! environment are laid over it; `read` then takes every key and collects what is wrong, so that one start shows all
//! mistakes.

mod accounts;
mod read;
mod reader;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

pub use read::{ConfigError, ConfigErrors};

/// The default file, which explains every option.
pub const DEFAULT_FILE: &str = include_str!("default.toml");

/// Everything that can be set. The meaning of each field is said in [`DEFAULT_FILE`].
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "the fields are the keys of the default file, which explains each of them"
)]
pub struct Config {
    pub server: Server,
    pub sign_in: SignIn,
    pub database: Database,
    pub storage: Storage,
    pub webhook: Webhook,
    pub gitlab: GitLab,
    pub tls: Tls,
    pub engine: Engine,
    pub registry: Registry,
    pub registries: Registries,
    pub base_images: BaseImages,
    pub maven: Maven,
    pub smtp: Smtp,
    pub worker: Worker,
    pub definitions: Definitions,
    pub build_log: BuildLog,
    pub logging: Logging,
}

macro_rules! section {
    ($name:ident { $($field:ident : $type:ty),* $(,)? }) => {
        #[doc = concat!("Section of the configuration; see the default file.")]
        #[derive(Debug, Clone)]
        #[expect(missing_docs, reason = "the fields are the keys of the default file, which explains each of them")]
        pub struct $name { $(pub $field: $type),* }
    };
}

section!(Server {
    listen: SocketAddr,
    public_url: String,
    public_read: bool,
    trusted_proxies: Vec<IpNet>,
});
section!(SignIn {
    provider: Option<Provider>,
    session_idle: Duration,
    session_longest: Duration,
});
section!(Provider {
    issuer: String,
    client_id: String,
    client_secret: SecretString,
    scopes: Vec<String>,
    user_claim: String,
    groups_claim: Option<String>,
    clock_skew: Duration,
});
section!(Database {
    url: SecretString,
    max_connections: u32
});
section!(Storage { directory: PathBuf });
section!(Webhook {
    secrets: Vec<SecretString>,
    signing_keys: Vec<SecretString>,
    signature_tolerance: Duration,
    max_body: usize,
});
section!(GitLab {
    url: String,
    token: SecretString,
    git_username: String,
    git_token: SecretString,
    timeout: Duration,
    poll_interval: Duration,
});
section!(Tls { ca_file: Option<PathBuf> });
section!(Engine {
    url: String,
    builder: Builder,
    foundations: usize
});
section!(Registry { repository: String, libraries: String, account: Option<Account>, plain_http: bool });
impl Registry {
    /// Where the libraries of images are pushed ahead of them: a repository beside the applications', and no image of one.
    /// `None` if that is not wanted.
    pub fn libraries_repository(&self) -> Option<String> {
        let wanted = !self.libraries.is_empty();
        wanted.then(|| format!("{}/{}", self.repository, self.libraries))
    }
}
section!(Registries {
    accounts: BTreeMap<String, Account>,
    identity_tokens: BTreeMap<String, SecretString>,
    plain_http: Vec<String>,
});
section!(BaseImages { mirrors: BTreeMap<String, String>, account: Option<Account>, plain_http: bool });
section!(Maven { settings_file: Option<PathBuf>, mirror_url: Option<String>, hand_in_certificates: bool, cache: String, cache_age: Duration });
section!(Smtp { host: String, port: u16, tls: SmtpTls, account: Option<Account>, from: String });
section!(Worker {
    builds: usize,
    name: String,
    lease: Duration,
    attempts: i32,
    backoff: Duration,
    sweep_interval: Duration,
});
section!(Definitions { pipelines: Option<PathBuf>, templates: Option<PathBuf> });
section!(BuildLog { head: u64, tail: u64 });
section!(Logging {
    format: LogFormat,
    filter: String
});

/// User name and password of an outside system.
#[derive(Debug, Clone)]
pub struct Account {
    /// Login name.
    pub username: String,
    /// Password or token.
    pub password: SecretString,
}

/// Which of the engine's two builders makes the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builder {
    /// BuildKit, the default of Docker since 23.
    BuildKit,
    /// The old builder, one container a step.
    Classic,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Plain text.
    None,
    /// Plain at first, then TLS; refused if the server does not offer it.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// Form of the service's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl Config {
    /// Reads the default file, then `file` (if given), then the environment, and checks everything.
    ///
    /// # Errors
    /// All mistakes at once, each with its key, its value and what is allowed.
    pub fn load(
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        read::load(file, environment)
    }

    /// Host and port of the QA registry.
    pub fn registry_host(&self) -> &str {
        self.registry.repository.split('/').next().unwrap_or_default()
    }

    /// Account for the registry at `host`: the QA registry's own, else the base images' one, else the one in the file of
    /// accounts.
    pub fn account_for(&self, host: &str) -> Option<&Account> {
        let own = if host == self.registry_host() {
            self.registry.account.as_ref()
        } else if self.mirror_hosts().any(|mirror| mirror == host) {
            self.base_images.account.as_ref()
        } else {
            None
        };
        own.or_else(|| self.registries.accounts.get(host))
    }

    /// Is plain HTTP spoken to the registry at `host`?
    pub fn plain_http(&self, host: &str) -> bool {
        (host == self.registry_host() && self.registry.plain_http)
            || (self.base_images.plain_http && self.mirror_hosts().any(|mirror| mirror == host))
            || self.registries.plain_http.iter().any(|plain| plain == host)
    }

    /// Every registry of which something is configured.
    pub fn registry_hosts(&self) -> impl Iterator<Item = &str> {
        let more = self.registries.plain_http.iter().chain(self.registries.accounts.keys());
        self.mirror_hosts()
            .chain([self.registry_host()])
            .chain(more.map(String::as_str))
    }

    /// Hosts of the base images' mirrors.
    pub fn mirror_hosts(&self) -> impl Iterator<Item = &str> {
        self.base_images
            .mirrors
            .values()
            .filter_map(|mirror| mirror.split('/').next())
    }

    /// Every secret, for the test that looks for them in logs, and for the masks.
    pub fn secrets(&self) -> Vec<&SecretString> {
        let accounts = [&self.registry.account, &self.base_images.account, &self.smtp.account];
        let mut all = vec![&self.database.url, &self.gitlab.token, &self.gitlab.git_token];
        all.extend(self.sign_in.provider.as_ref().map(|provider| &provider.client_secret));
        all.extend(&self.webhook.secrets);
        all.extend(&self.webhook.signing_keys);
        let others = self.registries.accounts.values();
        all.extend(
            accounts
                .into_iter()
                .flatten()
                .chain(others)
                .map(|account| &account.password),
        );
        all.extend(self.registries.identity_tokens.values());
        all
    }
}
