//! An installation with QA, pre-production and a production of two data centres, and images that no engine has built.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use seaworthy::model::{
    BuiltImage, Commit, Digest, Dockerfile, MergeRequest, Person, ProjectId, PushedImage, Role, ServletApi, Sha,
    Trigger, War,
};
use seaworthy::store::builds::{self, NewBuild};
use seaworthy::store::images::{self, NewImage};
use seaworthy::store::{tokens, trunk};
use serde_json::{Value, json};
use world::registry::Registry as Server;

use crate::copy::image::{OCI, Pusher, server};
use crate::house::{House, Service};

/// Tokens are named as the people that they stand for.
pub const PEOPLE: [(&str, Role); 4] = [
    ("dev", Role::Developer),
    ("rita", Role::ReleaseManager),
    ("rolf", Role::ReleaseManager),
    ("pat", Role::Platform),
];

pub struct Scene {
    pub house: House,
    pub service: Service,
    pub pre: Server,
    pub dc1: Server,
    pub dc2: Server,
    http: reqwest::Client,
}

/// An image in QA.
#[derive(Debug, Clone)]
pub struct Image {
    pub digest: Digest,
    pub tag: String,
}

impl Scene {
    /// `gates` are the lines of production's `[environment.gates]`, and what may follow them.
    pub async fn open(gates: &str) -> Self {
        Self::open_with("", gates).await
    }

    /// The same, with these lines at the end of the default pipeline.
    pub async fn open_with(pipeline: &str, gates: &str) -> Self {
        let mut house = House::build().await;
        let (pre, dc1, dc2) = tokio::join!(server(None), server(Some(("dc1", "word1"))), server(None));
        house.define(pipeline);
        let (pre_at, dc1_at, dc2_at) = (&pre.address, &dc1.address, &dc2.address);
        let environments = format!(
            r#"
[[environment]]
name = "qa"
[[environment]]
name = "pre"
[[environment.registry]]
name = "pre"
repository = "{pre_at}/pre"
[environment.gates]
approvals = 0
[[environment]]
name = "production"
title = "Production"
confirm_digest = true
recipients = ["release@example.com"]
[[environment.registry]]
name = "dc1"
repository = "{dc1_at}/live"
tag = "{{tag}}"
[[environment.registry]]
name = "dc2"
repository = "{dc2_at}/live"
[environment.gates]
{gates}
"#
        );
        std::fs::write(house.dir.join("pipelines/environments.toml"), environments).expect("written");
        use base64::Engine as _;
        let auth = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", dc1.user, dc1.password));
        let accounts = house.dir.join("accounts.json");
        std::fs::write(&accounts, json!({"auths": {dc1_at: {"auth": auth}}}).to_string()).expect("written");
        house.set("registries.accounts_file", &accounts.display().to_string());
        house.set("registries.plain_http", &format!("{pre_at},{dc1_at},{dc2_at}"));
        for (name, role) in PEOPLE {
            let made = tokens::create(&house.pool, name, &secret(name), role)
                .await
                .expect("a token");
            assert!(made);
        }
        let service = house.serve("promoter", &[]).await;
        Self {
            house,
            service,
            pre,
            dc1,
            dc2,
            http: reqwest::Client::new(),
        }
    }

    /// An image of these layers in the QA registry, by a build of `author`; on the trunk if `merged`.
    pub async fn image(&self, seed: u64, layers: &[usize], author: &str, merged: bool) -> Image {
        let namespace = self.house.repository();
        let (_, path) = namespace.split_once('/').expect("a namespace");
        let pusher = Pusher::new(&self.house.registry, &format!("{path}/basket"));
        let digest = pusher.image(OCI, seed, layers).await;
        let head: Sha = format!("{seed:040x}").parse().expect("a commit");
        let mr = merge_request(seed, &head, author);
        let new = NewBuild {
            merge_request: &mr,
            pipeline: "default",
            trigger: Trigger::Webhook,
            state: seaworthy::model::BuildState::Queued,
            seen_tip: None,
            requested_by: None,
        };
        let pool = &self.house.pool;
        let build = builds::create(pool, &new)
            .await
            .expect("written")
            .expect("a new intent");
        let tag = format!("mr-{seed}-{}-{build}", head.short());
        let reference = format!("{namespace}/basket:{tag}");
        let text = "FROM scratch\n".to_owned();
        let dockerfile = Dockerfile {
            sha256: Digest::of(text.as_bytes()),
            text,
            stack: "tomcat10".to_owned(),
            base_name: "docker.io/library/tomcat:10.1".to_owned(),
            base_digest: Digest::of(b"base"),
            labels: Default::default(),
            exception: None,
        };
        let war = War {
            file: "basket.war".into(),
            path: "target/basket.war".to_owned(),
            sha256: Digest::of(b"war"),
            size: 4711,
            servlet: ServletApi::Jakarta,
            evidence: "jakarta.servlet is named".to_owned(),
        };
        let built = BuiltImage {
            id: Digest::of(b"image"),
            reference: reference.clone(),
        };
        let pushed = PushedImage {
            reference,
            digest: digest.clone(),
        };
        let image = NewImage {
            build,
            application: "basket",
            war: &war,
            dockerfile: &dockerfile,
            built: &built,
            pushed: &pushed,
            layers: &[],
            worker: "nobody",
        };
        images::insert(pool, &image).await.expect("written");
        sqlx::query("update build set state = 'passed', merge_tree = head, finished_at = now() where id = $1")
            .bind(build.0)
            .execute(pool)
            .await
            .expect("written");
        let commit = commit(&head, author);
        sqlx::query(
            "insert into build_commit (build_id, position, sha, subject, author_name, author_email, committer_email, authored_at)
             values ($1, 0, $2, $3, $4, $5, $6, 0)",
        )
        .bind(build.0)
        .bind(commit.sha.as_str())
        .bind(&commit.subject)
        .bind(&commit.author_name)
        .bind(&commit.author_email)
        .bind(&commit.committer_email)
        .execute(pool)
        .await
        .expect("written");
        if merged {
            let recorded = trunk::record(pool, ProjectId(7), "main", &head, &head, build, author).await;
            assert!(recorded.expect("written").is_some());
        }
        Image { digest, tag }
    }

    pub async fn post(&self, who: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.service.url);
        let request = self.http.post(url).bearer_auth(secret(who)).json(&body);
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        (status, answer.json().await.unwrap_or_default())
    }

    pub async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.service.url);
        let answer = self
            .http
            .get(url)
            .bearer_auth(secret("rita"))
            .send()
            .await
            .expect("an answer");
        answer.json().await.expect("JSON")
    }

    /// Asks, and gives the number.
    pub async fn promote(&self, who: &str, image: &Image, environment: &str) -> i64 {
        let order = json!({"image": image.digest, "environment": environment, "reason": "it was tested"});
        let (status, answer) = self.post(who, "/api/promotions", order).await;
        assert_eq!(status, 202, "{answer}");
        answer["promotion"].as_i64().expect("a number")
    }

    pub async fn approve(&self, who: &str, id: i64) -> (StatusCode, Value) {
        self.post(who, &format!("/api/promotions/{id}/approve"), json!({}))
            .await
    }

    /// Waits until the promotion is in one of these states.
    pub async fn comes_to(&self, id: i64, states: &[&str]) -> Value {
        let wait = async {
            loop {
                let detail = self.get(&format!("/api/promotions/{id}")).await;
                let state = detail["state"].as_str().unwrap_or_default();
                if states.contains(&state) {
                    return detail;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(90), wait).await {
            Ok(detail) => detail,
            Err(_) => panic!(
                "promotion {id} did not come to {states:?}: {:#}",
                self.get(&format!("/api/promotions/{id}")).await
            ),
        }
    }

    /// Into an environment, with every approval that it needs.
    pub async fn bring(&self, image: &Image, environment: &str) -> i64 {
        let id = self.promote("dev", image, environment).await;
        if environment == "production" {
            let (status, answer) = self.approve("rita", id).await;
            assert_eq!(status, 200, "{answer}");
        }
        self.comes_to(id, &["done"]).await;
        id
    }

    /// Into production where no approval is needed.
    pub async fn bring_without_approval(&self, image: &Image) {
        let id = self.promote("dev", image, "production").await;
        self.comes_to(id, &["done"]).await;
    }

    /// Waits until a promotion says that it waits for this.
    pub async fn waits_for(&self, id: i64, what: &str) -> Value {
        let wait = async {
            loop {
                let detail = self.get(&format!("/api/promotions/{id}")).await;
                if detail["why"].as_str().is_some_and(|why| why.contains(what)) {
                    return detail;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait)
            .await
            .expect("it says so")
    }

    /// The same with a new process, which reads the definitions anew.
    pub async fn restarted(mut self) -> Self {
        let fresh = self.house.serve("again", &[]).await;
        std::mem::replace(&mut self.service, fresh).terminate().await;
        self
    }

    pub async fn close(self) {
        self.service.terminate().await;
        self.house.close().await;
    }
}

/// What a tag or a digest means in a registry.
pub async fn means(server: &Server, repository: &str, reference: &str) -> Option<String> {
    let url = format!("http://{}/v2/{repository}/manifests/{reference}", server.address);
    let mut request = reqwest::Client::new().request(Method::GET, url).header("Accept", OCI);
    if !server.user.is_empty() {
        request = request.basic_auth(&server.user, Some(&server.password));
    }
    let answer = request.send().await.expect("an answer");
    let bytes = answer.status().is_success().then(|| answer.bytes());
    match bytes {
        Some(bytes) => Some(Digest::of(&bytes.await.expect("a body")).to_string()),
        None => None,
    }
}

/// Sets a tag to another image of the same repository, as anybody with an account there could.
pub async fn move_tag(server: &Server, repository: &str, tag: &str, digest: &Digest) {
    let url = format!("http://{}/v2/{repository}/manifests", server.address);
    let client = reqwest::Client::new();
    let login = |request: reqwest::RequestBuilder| match server.user.is_empty() {
        true => request,
        false => request.basic_auth(&server.user, Some(&server.password)),
    };
    let get = login(client.get(format!("{url}/{digest}")).header("Accept", OCI));
    let bytes = get.send().await.expect("an answer").bytes().await.expect("a body");
    let put = login(client.put(format!("{url}/{tag}")).header("Content-Type", OCI));
    let answer = put.body(bytes).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
}

pub fn secret(name: &str) -> String {
    format!("swt_{name}")
}

fn merge_request(iid: u64, head: &Sha, author: &str) -> MergeRequest {
    MergeRequest {
        project_id: ProjectId(7),
        project: "shop/basket".parse().expect("a path"),
        source_project_id: Some(ProjectId(7)),
        iid: Some(iid.try_into().expect("a small number")),
        title: "Serve the basket".to_owned(),
        draft: false,
        head: head.clone(),
        source_branch: "basket".to_owned(),
        target_branch: "main".to_owned(),
        author: Person {
            name: author.to_owned(),
            username: author.to_owned(),
            email: None,
        },
        url: String::new(),
    }
}

fn commit(sha: &Sha, author: &str) -> Commit {
    Commit {
        sha: sha.clone(),
        subject: "Serve".to_owned(),
        author_name: author.to_owned(),
        author_email: format!("{author}@example.com"),
        committer_email: format!("{author}@example.com"),
        authored_at: 0,
    }
}
