//! A house without a service: a notifier over its parts, and builds whose ends are written straight into the database.

use std::time::Duration;

use seaworthy::build_log::Writer;
use seaworthy::clients::certificates::Certificates;
use seaworthy::clients::gitlab::GitLab;
use seaworthy::clients::http;
use seaworthy::clients::mailer::Mailer;
use seaworthy::config::Config;
use seaworthy::model::{
    BuildId, BuildState, BuiltImage, Commit, Digest, Dockerfile, Finding, MergeRequest, Person, ProjectId, PushedImage,
    ServletApi, TestReport, Trigger, War,
};
use seaworthy::notify::{MailTemplates, Notifier, outbox};
use seaworthy::store::builds::{self, NewBuild};
use seaworthy::store::images::{self, NewImage};
use seaworthy::store::jobs::{self, Lane};
use seaworthy::store::notices::Subject;
use seaworthy::wake::Hub;
use world::gitlab::Mr;

use crate::house::House;

pub const PUBLIC_URL: &str = "https://ci.example.com";

pub struct Scene {
    pub house: House,
    pub notifier: Notifier,
}

/// What came of a build.
#[derive(Default)]
pub struct End {
    pub finding: Option<Finding>,
    pub error: Option<&'static str>,
    pub tests: TestReport,
    pub log: Vec<String>,
    pub committer: &'static str,
}

impl Scene {
    pub async fn build() -> Self {
        let house = House::build().await;
        let notifier = notifier(&house, &[]);
        Self { house, notifier }
    }

    /// A merge request that GitLab knows.
    pub async fn merge_request(&self, branch: &str) -> MergeRequest {
        let projects = self.house.gitlab.project("shop/harbour").is_ok();
        if !projects {
            self.house.project("shop/harbour", "harbour").await;
        }
        let edits = [("CHANGES.md", branch)];
        let options = world::gitlab::OpenMr::default();
        let mr = self.house.gitlab.open_mr("shop/harbour", branch, &edits, options).await;
        merge_request(&mr.expect("a merge request"))
    }

    /// A build in this state, with an image if it passed.
    pub async fn add(&self, mr: &MergeRequest, state: BuildState, end: End) -> BuildId {
        let pool = &self.house.pool;
        let new = NewBuild {
            merge_request: mr,
            pipeline: "default",
            trigger: Trigger::Person,
            state: BuildState::Queued,
            seen_tip: None,
            requested_by: None,
        };
        let id = builds::create(pool, &new)
            .await
            .expect("written")
            .expect("a new intent");
        self.go_on(id, mr, state, end).await;
        id
    }

    /// The build comes to another state.
    pub async fn go_on(&self, id: BuildId, mr: &MergeRequest, state: BuildState, end: End) {
        let pool = &self.house.pool;
        if state == BuildState::Queued {
            return;
        }
        jobs::enqueue(pool, Lane::Build, &id.to_string(), mr.project.as_str(), Duration::ZERO)
            .await
            .expect("written");
        let claim = jobs::claim(pool, Lane::Build, "worker-1", Duration::from_secs(60))
            .await
            .expect("asked")
            .expect("a job");
        builds::begin(pool, &claim, id, "worker-1").await.expect("begun");
        let commit = Commit {
            sha: mr.head.clone(),
            subject: "Count the articles".into(),
            author_name: "Ana".into(),
            author_email: "ana@example.com".into(),
            committer_email: end.committer.into(),
            authored_at: 1_760_000_000,
        };
        builds::record_commits(pool, &claim, id, &[commit])
            .await
            .expect("written");
        builds::record_tests(pool, &claim, id, &end.tests, &[])
            .await
            .expect("written");
        if !end.log.is_empty() {
            let config = config(&self.house, &[]);
            let log = Writer::open(pool.clone(), Hub::new(), claim.clone(), id, &config.build_log)
                .await
                .expect("a log");
            end.log.iter().for_each(|line| log.line(None, line));
            log.close().await;
        }
        if state == BuildState::Running {
            return;
        }
        let mut tx = pool.begin().await.expect("a transaction");
        builds::finish(&mut *tx, id, state, end.finding.as_ref(), end.error, None)
            .await
            .expect("written");
        if state == BuildState::Passed {
            insert_image(&mut tx, id).await;
        }
        assert!(jobs::finish(&mut *tx, &claim).await.expect("written"));
        tx.commit().await.expect("committed");
    }

    /// Writes the mails as the queue does, and gives their jobs.
    pub async fn write_mails(&self, id: BuildId, more: &[&str]) -> Vec<Subject> {
        let mut tx = self.house.pool.begin().await.expect("a transaction");
        let record = builds::get(&mut *tx, id).await.expect("read").expect("there");
        let commits = builds::commits(&mut *tx, id).await.expect("read");
        let more: Vec<String> = more.iter().map(|address| (*address).to_owned()).collect();
        outbox::write_mails(&mut tx, &record, &commits, &more, PUBLIC_URL)
            .await
            .expect("written");
        tx.commit().await.expect("committed");
        self.jobs().await
    }

    /// What is to be told.
    pub async fn jobs(&self) -> Vec<Subject> {
        let subjects: Vec<String> = sqlx::query_scalar("select subject from job where lane = 'notify' order by id")
            .fetch_all(&self.house.pool)
            .await
            .expect("read");
        subjects
            .iter()
            .map(|subject| subject.parse().expect("a notice"))
            .collect()
    }

    pub async fn close(self) {
        self.house.close().await;
    }
}

pub fn config(house: &House, changes: &[(&str, &str)]) -> Config {
    let mut environment = house.environment(1);
    environment.push(("SEAWORTHY_SERVER_PUBLIC_URL".into(), PUBLIC_URL.into()));
    let changes = changes
        .iter()
        .map(|(key, value)| (format!("SEAWORTHY_{key}"), (*value).to_owned()));
    environment.extend(changes);
    // The later one wins.
    let last: std::collections::BTreeMap<String, String> = environment.into_iter().collect();
    Config::load(None, last).expect("a sound configuration")
}

pub fn notifier(house: &House, changes: &[(&str, &str)]) -> Notifier {
    let config = config(house, changes);
    let certificates = Certificates::load(None).expect("the system's authorities");
    let client = http::client(&certificates).expect("a client");
    let gitlab = GitLab::new(&config.gitlab.url, &config.gitlab.token, config.gitlab.timeout, client);
    Notifier::new(
        house.pool.clone(),
        gitlab.expect("an address"),
        Mailer::new(&config.smtp, &certificates).expect("a mailer"),
        MailTemplates::load(None).expect("the shipped templates"),
        config.server.public_url.clone(),
    )
}

pub fn merge_request(mr: &Mr) -> MergeRequest {
    let id = |id: u64| ProjectId(id.try_into().expect("a small number"));
    MergeRequest {
        project_id: id(mr.project_id),
        project: mr.project.parse().expect("a path"),
        source_project_id: Some(id(mr.source_project_id)),
        iid: Some(mr.iid.try_into().expect("a small number")),
        title: mr.title.clone(),
        draft: false,
        head: mr.head.parse().expect("a commit"),
        source_branch: mr.source_branch.clone(),
        target_branch: mr.target_branch.clone(),
        author: Person {
            name: mr.author.name.clone(),
            username: mr.author.username.clone(),
            email: Some(mr.author.email.clone()),
        },
        url: format!("https://gitlab.example.com/{}/-/merge_requests/{}", mr.project, mr.iid),
    }
}

async fn insert_image(tx: &mut sqlx::PgTransaction<'_>, id: BuildId) {
    let digest = Digest::of(b"an image");
    let reference = format!("registry.example.com/qa/harbour:mr-1-{id}");
    let new = NewImage {
        build: id,
        application: "harbour",
        war: &War {
            file: "harbour.war".into(),
            path: "target/harbour.war".into(),
            sha256: digest.clone(),
            size: 1_000_000,
            servlet: ServletApi::Javax,
            evidence: "web.xml".into(),
        },
        dockerfile: &Dockerfile {
            text: "FROM x".into(),
            sha256: digest.clone(),
            stack: "tomcat9".into(),
            base_name: "docker.io/library/tomcat:9".into(),
            base_digest: digest.clone(),
            exception: None,
            labels: std::collections::BTreeMap::new(),
        },
        built: &BuiltImage {
            id: digest.clone(),
            reference: reference.clone(),
        },
        pushed: &PushedImage {
            reference,
            digest: digest.clone(),
        },
        layers: &[],
        worker: "worker-1",
    };
    images::insert(&mut **tx, &new).await.expect("written");
}
