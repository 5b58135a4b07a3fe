//! The whole router on a port of its own, over a database of its own. The tests play the worker.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use reqwest::{Method, RequestBuilder, Response};
use seaworthy::build_log::Writer;
use seaworthy::cli::assembly;
use seaworthy::clients::certificates::Certificates;
use seaworthy::clients::http::install_crypto_provider;
use seaworthy::config::Config;
use seaworthy::definition::People;
use seaworthy::model::{
    BuildId, BuildState, BuiltImage, Commit, Digest, Dockerfile, Finding, MergeRequest, Person, ProjectId, PushedImage,
    Role, ServletApi, Sha, Trigger, War,
};
use seaworthy::sign_in::SignIn;
use seaworthy::store::builds::{self, BuildRecord, NewBuild};
use seaworthy::store::images::{self, NewImage};
use seaworthy::store::jobs::{self, Claim, Lane};
use seaworthy::store::persons::{self, Told};
use seaworthy::store::sessions::{self, NewSession, SignedIn};
use seaworthy::store::{self, PgPool, tokens};
use seaworthy::wake::{Event, Hub};
use seaworthy::web::{self, AppState};
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use world::World;
use world::postgres::Database;

/// A token that may only read, and one that may write.
pub const READER: &str = "swt_reader";
pub const WRITER: &str = "swt_writer";

const MINUTE: Duration = Duration::from_secs(60);

pub struct Site {
    pub pool: PgPool,
    pub hub: Arc<Hub>,
    pub stop: CancellationToken,
    pub url: String,
    pub http: reqwest::Client,
    pub config: Arc<Config>,
    database: Database,
}

impl Site {
    pub async fn open() -> Self {
        Self::open_with(true).await
    }

    pub async fn open_with(public_read: bool) -> Self {
        Self::open_as(public_read, "", &[]).await
    }

    /// With these grants in `people.toml`, and these options beside the usual ones.
    pub async fn open_as(public_read: bool, grants: &str, options: &[(&str, &str)]) -> Self {
        install_crypto_provider();
        let world = World::attach();
        let name = format!("web_{}", uuid::Uuid::new_v4().simple());
        let database = world.postgres.create_database(&name).await.expect("a database");
        let pool = store::connect(&SecretString::from(database.url.clone()), 8).expect("a URL of Postgres");
        store::migrate(&pool).await.expect("the schema");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its number"));
        let config = Arc::new(config(&url, &database.url, public_read, options));
        let (hub, stop) = (Hub::new(), CancellationToken::new());
        let certificates = Certificates::load(None).expect("the system's authorities");
        let sign_in = assembly::openid(&config, &certificates).expect("a client");
        let state = AppState::new(pool.clone(), Arc::clone(&config), Arc::clone(&hub), stop.clone())
            .with_people(people(grants))
            .with_sign_in(sign_in.map(SignIn::new));
        state.set_migrated();
        let shutdown = stop.clone();
        let served = axum::serve(
            listener,
            web::router(state).into_make_service_with_connect_info::<std::net::SocketAddr>(),
        )
        .with_graceful_shutdown(shutdown.cancelled_owned());
        tokio::spawn(served.into_future());
        for (name, secret, role) in [("reader", READER, Role::Viewer), ("writer", WRITER, Role::Platform)] {
            assert!(tokens::create(&pool, name, secret, role).await.expect("a token"));
        }
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self {
            pool,
            hub,
            stop,
            url,
            http: http.build().expect("a client"),
            config,
            database,
        }
    }

    pub async fn close(self) {
        self.stop.cancel();
        self.pool.close().await;
        self.database.close().await.expect("the database goes");
    }

    pub fn request(&self, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Somebody of these groups signs in; his session lasts so long. The cookie, as the browser sends it.
    pub async fn sign_in(&self, login: &str, groups: &[&str], lasts: Duration) -> String {
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        let told = Told {
            issuer: "https://gitlab.example.com",
            subject: login,
            login,
            name: "",
            email: None,
            groups: &groups,
        };
        let person = persons::signed_in(&self.pool, &told).await.expect("written");
        let secret = format!("secret-of-{}", uuid::Uuid::new_v4().simple());
        let new = NewSession {
            who: SignedIn::Person(person.id),
            address: "192.0.2.1",
            agent: "test",
            longest: lasts,
        };
        sessions::open(&self.pool, &secret, &new).await.expect("written");
        format!("seaworthy-session={secret}")
    }

    /// The time of this token is over.
    pub async fn expire(&self, token: &str) {
        sqlx::query("update api_token set expires_at = now() - interval '1 day' where name = $1")
            .bind(token)
            .execute(&self.pool)
            .await
            .expect("written");
    }

    /// The mark that a page's forms bring back, for the browser with this cookie.
    pub async fn mark(&self, path: &str, cookie: &str) -> String {
        let page = self
            .request(Method::GET, path, None)
            .header("cookie", cookie)
            .send()
            .await
            .expect("an answer");
        mark_in(&page.text().await.expect("a text"))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path, None).send().await.expect("an answer")
    }

    /// Status and JSON of a page of the API.
    pub async fn json(&self, path: &str) -> (u16, Value) {
        let answer = self.get(path).await;
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.expect("a text")
    }

    /// Orders something as `writer`.
    pub async fn order(&self, path: &str) -> (u16, Value) {
        let answer = self
            .request(Method::POST, path, Some(WRITER))
            .send()
            .await
            .expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// A build as intake makes it, with its job.
    pub async fn build(&self, mr: &MergeRequest) -> BuildId {
        let state = if mr.from_fork() {
            BuildState::AwaitingApproval
        } else {
            BuildState::Queued
        };
        let new = NewBuild {
            merge_request: mr,
            pipeline: "default",
            trigger: Trigger::Webhook,
            state,
            seen_tip: None,
            requested_by: None,
        };
        let id = builds::create(&self.pool, &new)
            .await
            .expect("written")
            .expect("a new intent");
        if state == BuildState::Queued {
            let (subject, project) = (id.to_string(), mr.project.as_str());
            jobs::enqueue(&self.pool, Lane::Build, &subject, project, Duration::ZERO)
                .await
                .expect("written");
        }
        id
    }

    /// A worker takes the next build.
    pub async fn start(&self) -> (Claim, BuildId) {
        let claim = jobs::claim(&self.pool, Lane::Build, "worker", MINUTE)
            .await
            .expect("asked")
            .expect("a job");
        let id = BuildId(claim.subject.parse().expect("a number"));
        builds::begin(&self.pool, &claim, id, "worker")
            .await
            .expect("written")
            .expect("it begins");
        (claim, id)
    }

    pub async fn log(&self, claim: &Claim, id: BuildId) -> Writer {
        let (pool, hub) = (self.pool.clone(), Arc::clone(&self.hub));
        Writer::open(pool, hub, claim.clone(), id, &self.config.build_log)
            .await
            .expect("a log")
    }

    /// These lines as a piece of their own.
    pub async fn write(&self, claim: &Claim, id: BuildId, lines: &[String]) {
        let log = self.log(claim, id).await;
        for line in lines {
            log.line(Some(seaworthy::model::Stage::UnitTest), line);
        }
        log.close().await;
    }

    pub async fn end(&self, claim: &Claim, id: BuildId, state: BuildState, finding: Option<&Finding>) {
        let mut tx = self.pool.begin().await.expect("a transaction");
        builds::finish(&mut *tx, id, state, finding, None, None)
            .await
            .expect("written");
        assert!(jobs::finish(&mut *tx, claim).await.expect("written"));
        tx.commit().await.expect("written");
        self.hub.tell(Event::Build(id));
    }

    /// A build that ran to its end.
    pub async fn ended(&self, mr: &MergeRequest, state: BuildState) -> BuildId {
        self.build(mr).await;
        let (claim, id) = self.start().await;
        self.end(&claim, id, state, None).await;
        id
    }

    /// A build that passed, with commits and an image whose digest is that of `seed`.
    pub async fn passed(&self, mr: &MergeRequest, commits: &[Commit], seed: &str) -> BuildId {
        self.build(mr).await;
        let (claim, id) = self.start().await;
        builds::record_commits(&self.pool, &claim, id, commits)
            .await
            .expect("written");
        let (war, dockerfile, built, pushed) = image(id, seed);
        let new = NewImage {
            build: id,
            application: "basket",
            war: &war,
            dockerfile: &dockerfile,
            built: &built,
            pushed: &pushed,
            layers: &[],
            worker: "worker",
        };
        images::insert(&self.pool, &new).await.expect("written");
        self.end(&claim, id, BuildState::Passed, None).await;
        id
    }

    pub async fn record(&self, id: BuildId) -> BuildRecord {
        builds::get(&self.pool, id).await.expect("asked").expect("it is there")
    }

    pub async fn jobs(&self, lane: Lane) -> i64 {
        jobs::count(&self.pool, lane).await.expect("asked")
    }
}

fn people(grants: &str) -> People {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join("stacks")).expect("a directory");
    std::fs::write(directory.path().join("people.toml"), grants).expect("written");
    People::load(Some(directory.path())).expect("grants")
}

fn config(url: &str, database: &str, public_read: bool, options: &[(&str, &str)]) -> Config {
    let values = [
        ("SERVER_PUBLIC_URL", url),
        ("SERVER_PUBLIC_READ", if public_read { "true" } else { "false" }),
        ("DATABASE_URL", database),
        ("WEBHOOK_SECRETS", "a-secret-of-the-test"),
        ("GITLAB_URL", "https://gitlab.example.com"),
        ("GITLAB_TOKEN", "token"),
        ("REGISTRY_REPOSITORY", "registry.example.com/qa"),
        ("SMTP_HOST", "mail.example.com"),
        ("SMTP_FROM", "ci@example.com"),
    ];
    let environment = values
        .iter()
        .chain(options)
        .map(|(key, value)| (format!("SEAWORTHY_{key}"), (*value).to_owned()));
    Config::load(None, environment).expect("a configuration")
}

/// The mark in a page's forms.
pub fn mark_in(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form");
    rest.split('"').next().expect("a value").to_owned()
}

/// Merge request `iid` of shop/basket at a commit whose digits are all `digit`.
pub fn merge_request(iid: i64, digit: &str) -> MergeRequest {
    MergeRequest {
        project_id: ProjectId(7),
        project: "shop/basket".parse().expect("a path"),
        source_project_id: Some(ProjectId(7)),
        iid: Some(iid),
        title: "Serve the basket".to_owned(),
        draft: false,
        head: sha(digit),
        source_branch: "basket".to_owned(),
        target_branch: "main".to_owned(),
        author: Person {
            name: "Ada Keel".to_owned(),
            username: "ada".to_owned(),
            email: None,
        },
        url: format!("https://gitlab.example.com/shop/basket/-/merge_requests/{iid}"),
    }
}

pub fn fork(iid: i64, digit: &str) -> MergeRequest {
    MergeRequest {
        source_project_id: Some(ProjectId(8)),
        ..merge_request(iid, digit)
    }
}

pub fn sha(digit: &str) -> Sha {
    digit.repeat(40 / digit.len()).parse().expect("a commit id")
}

fn image(id: BuildId, seed: &str) -> (War, Dockerfile, BuiltImage, PushedImage) {
    let reference = format!("registry.example.com/qa/basket:mr-7-{id}");
    let text = "FROM scratch\n".to_owned();
    let war = War {
        file: "basket.war".into(),
        path: "target/basket.war".to_owned(),
        sha256: Digest::of(b"war"),
        size: 4711,
        servlet: ServletApi::Jakarta,
        evidence: "jakarta.servlet is named".to_owned(),
    };
    let dockerfile = Dockerfile {
        sha256: Digest::of(text.as_bytes()),
        text,
        stack: "tomcat10".to_owned(),
        base_name: "docker.io/library/tomcat:10.1".to_owned(),
        base_digest: Digest::of(b"base"),
        exception: None,
        labels: Default::default(),
    };
    let built = BuiltImage {
        id: Digest::of(b"image"),
        reference: reference.clone(),
    };
    let pushed = PushedImage {
        reference,
        digest: Digest::of(seed.as_bytes()),
    };
    (war, dockerfile, built, pushed)
}

/// An event of a stream: name, id, data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub name: String,
    pub id: Option<i64>,
    pub data: Value,
}

/// Reads the events of a stream one by one.
pub struct Live {
    bytes: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

impl Live {
    pub async fn open(site: &Site, build: BuildId, last: Option<i64>) -> Self {
        let mut request = site.request(Method::GET, &format!("/api/builds/{build}/log/stream"), None);
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        Self::of(answer.bytes_stream())
    }

    pub fn of(bytes: impl Stream<Item = reqwest::Result<bytes::Bytes>> + Send + 'static) -> Self {
        Self {
            bytes: bytes.boxed(),
            text: String::new(),
        }
    }

    /// The next event; none when the stream ends. A stream that only keeps itself alive is stuck.
    pub async fn next(&mut self) -> Option<Sent> {
        let next = tokio::time::timeout(MINUTE, self.wait_for_next()).await;
        next.expect("the stream goes on or ends")
    }

    async fn wait_for_next(&mut self) -> Option<Sent> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let Some(name) = field("event:") else { continue };
                return Some(Sent {
                    name: name.to_owned(),
                    id: field("id:").map(|id| id.parse().expect("a number")),
                    data: serde_json::from_str(field("data:").expect("data")).expect("JSON"),
                });
            }
            let block = self.bytes.next().await;
            self.text.push_str(std::str::from_utf8(&block?.ok()?).expect("a text"));
        }
    }

    /// The next event of this name.
    pub async fn until(&mut self, name: &str) -> Sent {
        loop {
            let sent = self.next().await.expect("the stream goes on");
            if sent.name == name {
                return sent;
            }
        }
    }
}
