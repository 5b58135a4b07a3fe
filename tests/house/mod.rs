//! One installation of the product for one test: its own database, registry namespace, GitLab and mail server, and the
//! real program as a process of its own, so that it can be killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use seaworthy::clients::engine::{Engine, EngineOptions};
use seaworthy::model::{BuildId, BuildState};
use seaworthy::store::builds::{self, BuildRecord};
use seaworthy::store::{self, PgPool};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use world::World;
use world::gitlab::{Event, GitLab, Mr, OpenMr, Project};
use world::postgres::{Database, Postgres};
use world::registry::{Registry, RegistryOptions};
use world::smtp::{Mail, Smtp};

pub const HOOK_SECRET: &str = "canary-hook-secret-4711";

/// The longest that any build of the sample applications may take, downloads of a first build included.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// An installation.
pub struct House {
    pub dir: PathBuf,
    pub world: World,
    pub gitlab: GitLab,
    pub smtp: Smtp,
    pub pool: PgPool,
    pub database_url: String,
    /// A registry and a Postgres of its own, if the test wants to stop them.
    pub registry: Registry,
    pub postgres: Postgres,
    database: Option<Database>,
    namespace: String,
    extra: Vec<(String, String)>,
    services: std::sync::Mutex<Vec<Weak<Mutex<Child>>>>,
}

/// Which parts a test wants for itself, because it stops them.
#[derive(Clone, Copy, Default)]
pub struct Own {
    pub registry: bool,
    pub postgres: bool,
}

impl House {
    /// Everything but the service itself.
    pub async fn build() -> Self {
        Self::build_with(Own::default()).await
    }

    pub async fn build_with(own: Own) -> Self {
        seaworthy::clients::http::install_crypto_provider();
        let world = World::attach();
        let dir = world.scratch().expect("a folder");
        let namespace = format!("t{}", &uuid::Uuid::new_v4().simple().to_string()[..10]);
        let gitlab = GitLab::start(&dir.join("gitlab"), 0).await.expect("GitLab starts");
        let smtp = Smtp::start(&dir.join("smtp")).await.expect("SMTP starts");
        let postgres = if own.postgres {
            Postgres::start(&dir.join("postgres")).await.expect("Postgres starts")
        } else {
            world.postgres.clone()
        };
        let registry = if own.registry {
            let storage = dir.join("registry-storage");
            world.images.seed(&storage).expect("the mirror is copied");
            let login = Some((world.registry.user.clone(), world.registry.password.clone()));
            Registry::start(
                &dir.join("registry"),
                RegistryOptions {
                    storage,
                    port: 0,
                    login,
                },
            )
            .await
            .expect("a registry")
        } else {
            world.registry.clone()
        };
        let database = postgres.create_database(&namespace).await.expect("a database");
        let url = database.url.clone();
        let pool = store::connect(&url.clone().into(), 4).expect("a pool");
        store::migrate(&pool).await.expect("migrations");
        Self {
            dir,
            gitlab,
            smtp,
            pool,
            database_url: url,
            registry,
            postgres,
            database: Some(database),
            namespace,
            world,
            extra: Vec::new(),
            services: std::sync::Mutex::default(),
        }
    }

    /// Sets an option of the configuration, as `section.key`, for services started later.
    pub fn set(&mut self, key: &str, value: &str) {
        self.extra.push((
            format!("SEAWORTHY_{}", key.replace('.', "_").to_uppercase()),
            value.to_owned(),
        ));
    }

    /// Pipelines of this house: the shipped ones, with these lines at the end of `default.toml`.
    pub fn define(&mut self, lines: &str) {
        let directory = self.dir.join("pipelines");
        write_pipelines(&directory, lines);
        self.set("definitions.pipelines", &directory.display().to_string());
    }

    /// A pipeline beside the shipped ones.
    pub fn define_beside(&mut self, name: &str, text: &str) {
        let file = self.dir.join("pipelines").join(format!("{name}.toml"));
        if !file.parent().is_some_and(Path::exists) {
            self.define("");
        }
        std::fs::write(file, text).expect("written");
    }

    /// Runs the program beside the service, which it knows; whether it went well, and its words.
    pub async fn program(&self, service: &Service, arguments: &[&str]) -> (bool, String) {
        self.program_as(service, "", arguments).await
    }

    /// The same, with a token.
    pub async fn program_as(&self, service: &Service, token: &str, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
            .args(arguments)
            .env_clear()
            .envs(std::env::var("PATH").map(|path| ("PATH", path)))
            .envs(self.environment(1))
            .env("SEAWORTHY_URL", &service.url)
            .envs((!token.is_empty()).then_some(("SEAWORTHY_TOKEN", token)))
            .output()
            .await
            .expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text)
    }

    /// The environment of the service: everything is configured by it.
    pub fn environment(&self, port: u16) -> Vec<(String, String)> {
        let mut environment: Vec<(String, String)> = [
            ("SERVER_LISTEN", format!("127.0.0.1:{port}")),
            ("SERVER_PUBLIC_URL", format!("http://127.0.0.1:{port}")),
            ("DATABASE_URL", self.database_url.clone()),
            ("STORAGE_DIRECTORY", self.dir.join("storage").display().to_string()),
            ("WEBHOOK_SECRETS", HOOK_SECRET.to_owned()),
            ("GITLAB_URL", self.gitlab.url()),
            ("GITLAB_TOKEN", self.gitlab.api_token()),
            ("GITLAB_GIT_TOKEN", self.gitlab.git_token()),
            ("REGISTRY_REPOSITORY", self.repository()),
            ("REGISTRY_USERNAME", self.registry.user.clone()),
            ("REGISTRY_PASSWORD", self.registry.password.clone()),
            ("REGISTRY_PLAIN_HTTP", "true".to_owned()),
            (
                "BASE_IMAGES_MIRRORS",
                format!("docker.io={}/mirror", self.registry.address),
            ),
            ("SMTP_HOST", "127.0.0.1".to_owned()),
            ("SMTP_PORT", self.smtp.port.to_string()),
            ("SMTP_TLS", "none".to_owned()),
            ("SMTP_USERNAME", self.smtp.user.clone()),
            ("SMTP_PASSWORD", self.smtp.password.clone()),
            ("SMTP_FROM", "Seaworthy <ci@example.com>".to_owned()),
            ("ENGINE_URL", self.world.engine.host.clone()),
            ("WORKER_LEASE", "5s".to_owned()),
            ("WORKER_BACKOFF", "1s".to_owned()),
            ("WORKER_SWEEP_INTERVAL", "5s".to_owned()),
            ("LOGGING_FILTER", "info,seaworthy=debug".to_owned()),
        ]
        .into_iter()
        .map(|(key, value)| (format!("SEAWORTHY_{key}"), value))
        .collect();
        environment.extend(self.extra.iter().cloned());
        environment
    }

    /// `registry/namespace`, without an application.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.registry.address, self.namespace)
    }

    /// Docker's command line, signed in at the registry.
    pub fn docker(&self) -> Command {
        use base64::Engine as _;
        let login = format!("{}:{}", self.registry.user, self.registry.password);
        let auth = base64::engine::general_purpose::STANDARD.encode(login);
        let config = serde_json::json!({ "auths": { &self.registry.address: { "auth": auth } } });
        let directory = self.dir.join("docker");
        std::fs::create_dir_all(&directory).expect("a directory");
        std::fs::write(directory.join("config.json"), config.to_string()).expect("a file");
        let mut command = self.world.engine.docker();
        command.env("DOCKER_CONFIG", directory);
        command
    }

    /// Starts the service and waits until it is ready.
    pub async fn serve(&self, name: &str, arguments: &[&str]) -> Service {
        let port = free_port();
        let log = self.dir.join(format!("{name}.log"));
        let file = std::fs::File::create(&log).expect("a log file");
        let child = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
            .arg("serve")
            .args(arguments)
            .env_clear()
            .envs(std::env::var("PATH").map(|path| ("PATH", path)))
            .envs(self.environment(port))
            .env("SEAWORTHY_WORKER_NAME", name)
            .stdout(Stdio::null())
            .stderr(file)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let pid = child.id().expect("it runs");
        let child = Arc::new(Mutex::new(child));
        {
            let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
            services.push(Arc::downgrade(&child));
        }
        let service = Service {
            child,
            pid,
            url: format!("http://127.0.0.1:{port}"),
            log,
        };
        service.ready().await;
        service
    }

    /// A project with the files of a sample application.
    pub async fn project(&self, path: &str, application: &str) -> Project {
        self.gitlab
            .create_project(path, &sample(application))
            .await
            .expect("a project")
    }

    /// A merge request that changes the readme, and its hook delivered.
    pub async fn merge_request(&self, service: &Service, project: &Project, branch: &str) -> Mr {
        let mr = self
            .gitlab
            .open_mr(&project.path, branch, &[("CHANGES.md", branch)], OpenMr::default())
            .await
            .expect("a merge request");
        self.deliver(service, &mr, Event::Open).await;
        mr
    }

    /// A commit pushed to its branch, and its hook delivered.
    pub async fn push(&self, service: &Service, mr: &Mr, edits: &[(&str, &str)], message: &str) -> Mr {
        let pushed = self.gitlab.push(mr, edits, message).await.expect("pushed");
        self.deliver(service, &pushed, Event::Push).await;
        pushed
    }

    pub async fn deliver(&self, service: &Service, mr: &Mr, event: Event) {
        let hook = self.gitlab.webhook(mr, event).await.expect("a webhook");
        let answer = hook
            .deliver(&format!("{}/hooks/gitlab", service.url), Some(HOOK_SECRET))
            .await
            .expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.body);
    }

    /// The build as it is now.
    pub async fn record(&self, id: i64) -> Option<BuildRecord> {
        builds::get(&self.pool, BuildId(id)).await.ok().flatten()
    }

    /// Waits until something is true of a build.
    pub async fn wait(&self, id: i64, what: &str, is: impl Fn(&BuildRecord) -> bool) -> BuildRecord {
        let wait = async {
            loop {
                if let Some(record) = self.record(id).await
                    && is(&record)
                {
                    return record;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(record) => record,
            Err(_) => panic!(
                "build {id} did not come to {what}:\n{:#?}\n{}",
                self.record(id).await,
                self.log_of(id).await
            ),
        }
    }

    /// Waits for the end of a build.
    pub async fn end(&self, id: i64) -> BuildRecord {
        self.wait(id, "an end", |record| record.build.state.is_final()).await
    }

    /// The same, and it must have passed.
    pub async fn passes(&self, id: i64) -> BuildRecord {
        let record = self.end(id).await;
        assert_eq!(
            record.build.state,
            BuildState::Passed,
            "{:#?}\n{}",
            record.build,
            self.log_of(id).await
        );
        record
    }

    /// The build's log as text.
    pub async fn log_of(&self, id: i64) -> String {
        let chunks = store::logs::read(&self.pool, BuildId(id), 0, 10_000)
            .await
            .unwrap_or_default();
        let mut text = String::new();
        for chunk in chunks {
            for entry in seaworthy::build_log::decode(&chunk).expect("a sound log") {
                match entry {
                    seaworthy::build_log::Entry::Line(line) => {
                        text.push_str(&line.text);
                        text.push('\n');
                    }
                    seaworthy::build_log::Entry::Dropped {
                        first_seq, last_seq, ..
                    } => {
                        text.push_str(&format!("… lines {first_seq} to {last_seq} dropped\n"));
                    }
                }
            }
        }
        text
    }

    /// Waits until so many mails have come, and a little longer for one too many.
    pub async fn mails(&self, count: usize) -> Vec<Mail> {
        let wait = async {
            loop {
                let mails = self.smtp.mails().await.unwrap_or_default();
                if mails.len() >= count {
                    return mails;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait)
            .await
            .expect("the mails arrive")
    }

    /// Waits until everything that is to be told is told.
    pub async fn settled(&self) {
        let wait = async {
            while store::jobs::count(&self.pool, store::jobs::Lane::Notify)
                .await
                .unwrap_or(1)
                > 0
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait)
            .await
            .expect("everything is told");
    }

    /// The world's engine.
    pub fn engine(&self) -> Engine {
        Engine::connect(&EngineOptions::at(&self.world.engine.host)).expect("an engine")
    }

    /// The mark of this house on the engine.
    pub async fn installation(&self) -> String {
        store::installation(&self.pool).await.expect("an installation")
    }

    /// Names of what builds of this house left on the engine.
    pub async fn leftovers(&self) -> Vec<String> {
        let left = self.engine().leftovers(&self.installation().await).await;
        left.expect("a list").into_iter().map(|left| left.name).collect()
    }

    /// Waits until nothing is left: containers, networks, images, directories.
    pub async fn is_clean(&self) {
        let wait = async {
            loop {
                let left = self.leftovers().await;
                let directories = std::fs::read_dir(self.dir.join("storage/work"))
                    .map(Iterator::count)
                    .unwrap_or_default();
                if left.is_empty() && directories == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(60), wait).await.is_err() {
            panic!("still there after 60 s: {:?}", self.leftovers().await);
        }
    }

    /// Takes the house down with its services and what they made on the world's engine; call it at the end of a test that
    /// went well.
    pub async fn close(mut self) {
        let services = std::mem::take(&mut *self.services.lock().unwrap_or_else(PoisonError::into_inner));
        for service in services.iter().filter_map(Weak::upgrade) {
            // One that has ended is no trouble.
            let _ = service.lock().await.kill().await;
        }
        self.clear_engine().await;
        self.pool.close().await;
        if let Some(database) = self.database.take() {
            let _ = database.close().await;
        }
        let _ = self.smtp.stop().await;
    }
}

impl House {
    /// What a build in the middle leaves: an engine has some thirty networks to give. Whose database is gone is nobody's.
    async fn clear_engine(&self) {
        let Ok(installation) = store::installation(&self.pool).await else {
            return;
        };
        let engine = self.engine();
        for leftover in engine.leftovers(&installation).await.unwrap_or_default() {
            let _ = engine.remove(&leftover).await;
        }
        for foundation in engine.foundations(&installation).await.unwrap_or_default() {
            let _ = engine.remove_foundation(&foundation).await;
        }
    }
}

/// The running program.
pub struct Service {
    child: Arc<Mutex<Child>>,
    pid: u32,
    pub url: String,
    pub log: PathBuf,
}

impl Service {
    async fn ready(&self) {
        let client = reqwest::Client::new();
        let wait = async {
            loop {
                if let Ok(answer) = client.get(format!("{}/readyz", self.url)).send().await
                    && answer.status().is_success()
                {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(20), wait).await.is_err() {
            panic!(
                "the service is not ready:\n{}",
                std::fs::read_to_string(&self.log).unwrap_or_default()
            );
        }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// `kill -9`.
    pub async fn kill(self) {
        self.child.lock().await.kill().await.expect("killed");
    }

    /// SIGTERM, and how long it took to end.
    pub async fn terminate(self) -> Duration {
        let begin = std::time::Instant::now();
        let pid = self.pid();
        let sent = Command::new("kill")
            .args(["-TERM", &pid.to_string()])
            .status()
            .await
            .expect("kill");
        assert!(sent.success());
        let status = self.child.lock().await.wait().await.expect("it ends");
        assert!(
            status.success(),
            "ended with {status}:\n{}",
            std::fs::read_to_string(&self.log).unwrap_or_default()
        );
        begin.elapsed()
    }
}

/// The mark of this run on the engine: what an earlier run left when it failed is not taken for our own.
pub fn installation() -> String {
    format!("test{}", std::process::id())
}

/// The shipped pipelines in a directory, with these lines at the end of `default.toml`.
pub fn write_pipelines(directory: &Path, lines: &str) {
    std::fs::create_dir_all(directory.join("stacks")).expect("a directory");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
    for stack in std::fs::read_dir(shipped.join("stacks")).expect("stacks") {
        let stack = stack.expect("a stack");
        std::fs::copy(stack.path(), directory.join("stacks").join(stack.file_name())).expect("copied");
    }
    let default = std::fs::read_to_string(shipped.join("default.toml")).expect("the default pipeline");
    std::fs::write(directory.join("default.toml"), format!("{default}\n{lines}\n")).expect("written");
}

/// The folder of a sample application.
pub fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps").join(name)
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("its number")
        .port()
}
