//! `seaworthy check` and `seaworthy connect`.

use std::process::ExitCode;

use seaworthy::cli::{check, connect};
use seaworthy::config::Config;
use seaworthy::model::ProjectPath;
use world::World;
use world::gitlab::{Access, GitLab, OpenMr};
use world::smtp::Smtp;

use super::fake::{Fake, answer};
use crate::house::sample;

/// A configuration that is complete, and leads nowhere but where `more` says (`section_key`, value).
pub fn settings(more: &[(&str, String)]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = [
        ("database_url", "postgres://nobody@127.0.0.1:1/none"),
        ("webhook_secrets", "canary-hook-secret"),
        ("gitlab_url", "http://127.0.0.1:1"),
        ("gitlab_token", "canary-api-token"),
        ("registry_repository", "127.0.0.1:1/qa"),
        ("registry_plain_http", "true"),
        ("smtp_host", "127.0.0.1"),
        ("smtp_port", "1"),
        ("smtp_tls", "none"),
        ("smtp_from", "ci@example.com"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect();
    all.retain(|(key, _)| more.iter().all(|(other, _)| other != key));
    all.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    all.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (format!("SEAWORTHY_{}", key.to_uppercase()), value))
        .collect()
}

/// The parts of one test, and what is said of them.
struct Parts {
    world: World,
    gitlab: GitLab,
    more: Vec<(&'static str, String)>,
}

impl Parts {
    async fn start() -> Self {
        seaworthy::clients::http::install_crypto_provider();
        let world = World::attach();
        let dir = world.scratch().expect("a folder");
        let gitlab = GitLab::start(&dir.join("gitlab"), 0)
            .await
            .expect("the stand-in starts");
        gitlab
            .create_project("shop/harbour", &sample("harbour"))
            .await
            .expect("a project");
        let more = vec![
            ("gitlab_url", gitlab.url()),
            ("gitlab_token", gitlab.api_token()),
            ("gitlab_git_token", gitlab.git_token()),
            ("storage_directory", dir.join("storage").display().to_string()),
        ];
        Self { world, gitlab, more }
    }

    fn config(&self, more: &[(&'static str, String)]) -> Config {
        let all: Vec<_> = self.more.iter().chain(more).cloned().collect();
        Config::load(None, settings(&all)).expect("a configuration")
    }

    async fn check(&self, more: &[(&'static str, String)]) -> (ExitCode, String) {
        let project: ProjectPath = "shop/harbour".parse().expect("a path");
        let mut out = Vec::new();
        let code = check::run(&check::Args::new(Some(project)), &self.config(more), &mut out)
            .await
            .expect("written");
        (code, String::from_utf8(out).expect("a text"))
    }

    async fn connect(&self, path: &str, public_url: &str) -> (Option<ExitCode>, String) {
        let args = connect::Args::new(path.parse().expect("a path"));
        let config = self.config(&[("server_public_url", public_url.to_owned())]);
        let mut out = Vec::new();
        let ended = connect::run(&args, &config, &mut out).await;
        let mut text = String::from_utf8(out).expect("a text");
        match ended {
            Ok(code) => (Some(code), text),
            Err(error) => {
                text.push_str(&format!("{error:#}"));
                (None, text)
            }
        }
    }
}

/// Did the verb end so?
pub fn same(code: ExitCode, wanted: ExitCode) -> bool {
    // `ExitCode` has no comparison.
    format!("{code:?}") == format!("{wanted:?}")
}

#[tokio::test]
async fn check_says_the_version_of_every_part() {
    let parts = Parts::start().await;
    let dir = parts.world.scratch().expect("a folder");
    let smtp = Smtp::start(&dir).await.expect("SMTP starts");
    let registry = &parts.world.registry;
    let database = parts
        .world
        .postgres
        .create_database("checked")
        .await
        .expect("a database");
    let (code, text) = parts
        .check(&[
            ("database_url", database.url.clone()),
            ("engine_url", parts.world.engine.host.clone()),
            ("registry_repository", format!("{}/qa", registry.address)),
            ("registry_username", registry.user.clone()),
            ("registry_password", registry.password.clone()),
            ("smtp_port", smtp.port.to_string()),
            ("smtp_username", smtp.user.clone()),
            ("smtp_password", smtp.password.clone()),
        ])
        .await;
    assert!(same(code, ExitCode::SUCCESS), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let starts = [
        "ok pipelines: ",
        "ok Postgres: ",
        "ok engine: ",
        "ok registry ",
        "ok mail server: smtp.world.test, plain text, signed in",
        "ok GitLab: 18.",
        "ok Git: libgit2 ",
    ];
    assert_eq!(lines.len(), starts.len(), "{text}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line:?} does not begin with {start:?}");
    }
    database.close().await.expect("dropped");
    smtp.stop().await.expect("stopped");
}

#[tokio::test]
async fn check_says_of_every_part_what_is_wrong() {
    let parts = Parts::start().await;
    parts.gitlab.set_access(Access {
        scopes: vec!["read_api".to_owned()],
        level: 40,
    });
    let ca_file = parts.world.scratch().expect("a folder").join("company.pem");
    std::fs::write(&ca_file, "not a certificate").expect("written");
    let (code, text) = parts
        .check(&[
            ("engine_url", "unix:///does/not/exist.sock".to_owned()),
            ("tls_ca_file", ca_file.display().to_string()),
            ("gitlab_git_token", "canary-git-token".to_owned()),
            ("base_images_mirrors", "docker.io=127.0.0.1:2/mirror".to_owned()),
        ])
        .await;
    assert!(same(code, ExitCode::FAILURE), "{text}");
    let (well, lines): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("ok "));
    assert_eq!(well.len(), 1, "what is well is said too: {text}");
    let expected = [
        ("certificates", "holds no certificate"),
        ("Postgres", "127.0.0.1:1/none"),
        ("engine", "/does/not/exist.sock"),
        ("registry 127.0.0.1:1", "Connection refused"),
        ("base image mirror 127.0.0.1:2", ""),
        ("mail server", "127.0.0.1:1"),
        ("GitLab", "not `api`"),
        ("Git", "shop/harbour"),
    ];
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, (what, words)) in lines.iter().zip(expected) {
        assert!(line.starts_with(&format!("PROBLEM {what}: ")), "{line}");
        assert!(line.contains(words), "{line}");
    }
    assert!(!text.contains("canary"), "{text}");
}

#[tokio::test]
async fn connect_makes_one_hook_and_repairs_it() {
    let parts = Parts::start().await;
    let service = Fake::start(|_| answer(202, &[], "")).await;
    let (code, text) = parts.connect("shop/harbour", &service.url()).await;
    assert!(code.is_some_and(|code| same(code, ExitCode::SUCCESS)), "{text}");
    assert!(text.contains("made") && text.contains("first merge request"), "{text}");
    let hooks = parts.gitlab.hooks();
    assert_eq!(hooks.len(), 1);
    assert_eq!(hooks[0].url, format!("{}/hooks/gitlab", service.url()));
    assert_eq!(hooks[0].token.as_deref(), Some("canary-hook-secret"));
    assert!(hooks[0].flags["merge_requests_events"] && hooks[0].flags["enable_ssl_verification"]);
    assert!(hooks[0].flags["push_events"]);

    // Somebody bends it and makes a second one; a hook of somebody else is left alone.
    let bend = |method: reqwest::Method, path: String, body: serde_json::Value| {
        let request = reqwest::Client::new()
            .request(
                method,
                format!("{}/api/v4/projects/shop%2Fharbour/hooks{path}", parts.gitlab.url()),
            )
            .header("PRIVATE-TOKEN", parts.gitlab.api_token())
            .json(&body);
        async move {
            let answer = request.send().await.expect("an answer");
            assert!(answer.status().is_success(), "{}", answer.status());
        }
    };
    let first = hooks[0].id;
    let bent = serde_json::json!({"merge_requests_events": false, "token": "old"});
    bend(reqwest::Method::PUT, format!("/{first}"), bent).await;
    for url in [hooks[0].url.as_str(), "http://elsewhere.example/hooks/gitlab"] {
        bend(reqwest::Method::POST, String::new(), serde_json::json!({"url": url})).await;
    }
    parts
        .gitlab
        .open_mr("shop/harbour", "berths", &[("A", "1")], OpenMr::default())
        .await
        .expect("a merge request");
    let (code, text) = parts.connect("shop/harbour", &service.url()).await;
    assert!(code.is_some_and(|code| same(code, ExitCode::SUCCESS)), "{text}");
    assert!(text.contains("repaired") && text.contains("removed"), "{text}");
    assert!(text.contains("test delivery: taken"), "{text}");
    let hooks = parts.gitlab.hooks();
    assert_eq!(hooks.len(), 2, "{hooks:?}");
    let ours: Vec<_> = hooks
        .iter()
        .filter(|hook| hook.url.starts_with(&service.url()))
        .collect();
    assert_eq!(ours.len(), 1);
    assert_eq!(ours[0].token.as_deref(), Some("canary-hook-secret"));
    assert!(ours[0].flags["merge_requests_events"]);
    let delivered = service.seen();
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0].path, "/hooks/gitlab");
    assert_eq!(delivered[0].headers["x-gitlab-token"], "canary-hook-secret");
    assert!(delivered[0].body.contains("merge_request"));
    assert!(!text.contains("canary"), "{text}");

    let (_, text) = parts.connect("shop/harbour", &service.url()).await;
    assert!(text.contains("was there already"), "{text}");
    assert_eq!(parts.gitlab.hooks().len(), 2);
}

#[tokio::test]
async fn connect_says_what_is_missing() {
    let parts = Parts::start().await;
    parts
        .gitlab
        .open_mr("shop/harbour", "berths", &[("A", "1")], OpenMr::default())
        .await
        .expect("a merge request");
    let (code, text) = parts.connect("shop/harbour", "http://127.0.0.1:1").await;
    assert!(code.is_some_and(|code| same(code, ExitCode::FAILURE)), "{text}");
    assert!(
        text.contains("PROBLEM test delivery") && text.contains("Outbound"),
        "{text}"
    );

    let (code, text) = parts.connect("shop/no-such", "http://127.0.0.1:1").await;
    assert!(code.is_none() && text.contains("may not see it"), "{text}");

    parts.gitlab.set_access(Access {
        scopes: vec!["api".to_owned()],
        level: 30,
    });
    let (code, text) = parts.connect("shop/harbour", "http://127.0.0.1:1").await;
    assert!(code.is_none(), "{text}");
    assert!(
        text.contains("needs role Maintainer") && text.contains("now it is Developer"),
        "{text}"
    );

    parts.gitlab.set_access(Access {
        scopes: vec!["read_api".to_owned()],
        level: 40,
    });
    let (code, text) = parts.connect("shop/harbour", "http://127.0.0.1:1").await;
    assert!(code.is_none() && text.contains("scope `api`"), "{text}");
}
