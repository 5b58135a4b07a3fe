//! What the tests of webhook and intake share: a database of one's own, the real router over it, and a worker that
//! interprets what was stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use seaworthy::config;
use seaworthy::intake::{self, IntakeError, Look, Outcome, Push, Pushed};
use seaworthy::model::{BuildId, DeliveryId, ProjectPath, Sha};
use seaworthy::store::deliveries::{self, Delivery};
use seaworthy::store::jobs::{self, Lane};
use seaworthy::store::trunk::Waiting;
use seaworthy::store::{self, PgPool};
use seaworthy::webhook::{self, Hooks};
use secrecy::SecretString;
use serde_json::Value;
use tower::ServiceExt as _;

/// The secret that the hooks carry.
pub const SECRET: &str = "a-secret-of-the-test";
/// Bodies may be so large.
pub const MAX_BODY: usize = 1024 * 1024;
/// The tip of every branch at GitLab, as far as these tests ask.
pub const TIP: &str = "9999999999999999999999999999999999999999";

/// One service with a database of its own.
pub struct Desk {
    /// Its database.
    pub pool: PgPool,
    /// What is posted to.
    pub router: Router,
    /// Where the trunk is by now, if not where the push that is looked at left it.
    pub tip: std::sync::Mutex<Option<Sha>>,
    /// How often the intake lane was woken.
    pub woken: Arc<AtomicUsize>,
    database: world::postgres::Database,
}

/// An answer to a post.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

pub fn settings() -> config::Webhook {
    config::Webhook {
        secrets: vec![SecretString::from(SECRET)],
        signing_keys: Vec::new(),
        signature_tolerance: Duration::from_secs(300),
        max_body: MAX_BODY,
    }
}

impl Desk {
    pub async fn open() -> Self {
        let world = world::World::attach();
        let name = format!("hooks_{}", uuid::Uuid::new_v4().simple());
        let database = world.postgres.create_database(&name).await.expect("a database");
        let pool = store::connect(&SecretString::from(database.url.clone()), 12).expect("a URL of Postgres");
        store::migrate(&pool).await.expect("the schema");
        let woken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&woken);
        let wake = move || {
            counter.fetch_add(1, Ordering::SeqCst);
        };
        let hooks = Hooks::new(pool.clone(), settings(), "https://ci.example.com/", wake);
        Self {
            router: webhook::routes(Arc::new(hooks)),
            pool,
            tip: std::sync::Mutex::default(),
            woken,
            database,
        }
    }

    /// The same for hundreds of small transactions whose durability nobody asks for.
    pub async fn open_careless() -> Self {
        let desk = Self::open().await;
        let careless = format!("alter database \"{}\" set synchronous_commit = off", desk.database.name);
        sqlx::query(sqlx::AssertSqlSafe(careless))
            .execute(&desk.pool)
            .await
            .expect("set");
        // Connections that are already open keep the old setting.
        let pool = store::connect(&SecretString::from(desk.database.url.clone()), 12).expect("a URL of Postgres");
        let hooks = Hooks::new(pool.clone(), settings(), "https://ci.example.com/", || ());
        desk.pool.close().await;
        Self {
            router: webhook::routes(Arc::new(hooks)),
            pool,
            ..desk
        }
    }

    /// Forgets everything.
    pub async fn empty(&self) {
        for table in ["trunk", "build", "delivery", "job", "project"] {
            let delete = sqlx::AssertSqlSafe(format!("delete from {table}"));
            sqlx::query(delete).execute(&self.pool).await.expect("an empty table");
        }
    }

    /// Name of its database.
    pub fn name(&self) -> &str {
        &self.database.name
    }

    /// Port of its Postgres.
    pub fn port(&self) -> u16 {
        world::World::attach().postgres.port
    }

    pub async fn close(self) {
        self.pool.close().await;
        self.database.close().await.expect("the database is dropped");
    }

    /// Posts with the right secret and is told the delivery's number.
    pub async fn deliver(&self, event: &str, body: impl Into<Vec<u8>>) -> DeliveryId {
        let answer = post(&self.router, &[("x-gitlab-event", event)], body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        delivery_of(&answer)
    }

    /// Posts, interprets, and gives what is stored then.
    pub async fn decide(&self, event: &str, body: impl Into<Vec<u8>>) -> Delivery {
        let id = self.deliver(event, body).await;
        self.work().await;
        self.stored(id).await
    }

    pub async fn stored(&self, id: DeliveryId) -> Delivery {
        let delivery = deliveries::get(&self.pool, id).await.expect("the database answers");
        delivery.expect("it is stored")
    }

    /// Interprets until nothing is left.
    pub async fn work(&self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while let Some(outcome) = self.interpret_next().await {
            outcomes.push(outcome.expect("no delivery is an error"));
        }
        outcomes
    }

    /// Interprets the next delivery that is due.
    pub async fn interpret_next(&self) -> Option<Result<Outcome, IntakeError>> {
        let lease = Duration::from_secs(60);
        let claim = jobs::claim(&self.pool, Lane::Intake, "test", lease)
            .await
            .expect("the database answers")?;
        let tip = |_, _| async { Ok(Some(TIP.parse::<Sha>().expect("a commit id"))) };
        Some(
            intake::interpret(&self.pool, &claim, &everything, tip, |push, waiting| {
                self.look(push, waiting)
            })
            .await,
        )
    }

    /// What Git says of a push. Commits that end alike have the same tree; the branch is where the push left it, unless
    /// `tip` says otherwise; a waiting build of a commit that ends like the pushed one will build its tree.
    pub async fn look(&self, push: Push, waiting: Vec<Waiting>) -> Result<Option<Look>, intake::Source> {
        let alike = |build: &Waiting| tree_of(&build.head) == tree_of(&push.tip);
        let alike: Vec<BuildId> = waiting.into_iter().filter(alike).map(|build| build.build).collect();
        let tip = self.tip.lock().expect("nobody panics here").clone();
        Ok(Some(Look {
            tip: tip.unwrap_or_else(|| push.tip.clone()),
            commit: Some(Pushed {
                tree: tree_of(&push.tip),
                subject: format!("Change {}", push.tip.short()),
                page: String::new(),
            }),
            alike,
        }))
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.expect("a number")
    }
}

/// The tree of a commit, by the commit's last digits.
pub fn tree_of(commit: &Sha) -> Sha {
    let end = &commit.as_str()[32..];
    format!("{}{end}", "7".repeat(32)).parse().expect("an id")
}

/// Nothing is known of any push.
pub async fn no_look(_: Push, _: Vec<Waiting>) -> Result<Option<Look>, intake::Source> {
    Ok(None)
}

/// Every project has the pipeline `default`.
pub fn everything(_: &ProjectPath) -> Result<String, String> {
    Ok("default".to_owned())
}

/// Posts a hook; the right secret is among its headers unless `headers` hold another.
pub async fn post(router: &Router, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
    let mut request = Request::post("/hooks/gitlab");
    if !headers.iter().any(|(name, _)| *name == "x-gitlab-token") {
        request = request.header("x-gitlab-token", SECRET);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.into())).expect("a request");
    let response = router.clone().oneshot(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_slice(&body).expect("every answer is JSON"),
    }
}

pub fn delivery_of(answer: &Answer) -> DeliveryId {
    let text = answer.body["delivery"].as_str().expect("the delivery's number");
    DeliveryId(text.parse().expect("a UUID"))
}

/// One of the hooks that were written for these tests.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/gitlab/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
