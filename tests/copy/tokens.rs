//! Registries with a token server: tokens by scope, that run out in the middle.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use seaworthy::clients::registry::RegistryErrorKind;
use serde_json::json;

use super::image::{MB, OCI, Pusher, client, copy, intact, server, to};
use super::proxy::{Fault, Proxy, answer};

/// Tokens that were given, what they allow, and until when.
#[derive(Default)]
struct Given {
    tokens: Mutex<BTreeMap<String, (String, Instant)>>,
}

impl Given {
    /// The answer of the token server.
    fn token(&self, query: &str, authorization: Option<&str>, life: Duration) -> Fault {
        if authorization != Some("Basic Y2k6Y2FuYXJ5fnJpZ2h0") {
            return answer(401, &[], "");
        }
        let scopes: Vec<String> = url_pairs(query)
            .into_iter()
            .filter(|(name, _)| name == "scope")
            .map(|(_, value)| value)
            .collect();
        let mut tokens = self.tokens.lock().expect("no panic");
        let token = format!("token-{}", tokens.len());
        tokens.insert(token.clone(), (scopes.join(" "), Instant::now() + life));
        // It says that they live long: they are taken back early, as when a key is changed.
        answer(
            200,
            &[("content-type", "application/json")],
            &json!({"token": token, "expires_in": 3600}).to_string(),
        )
    }

    /// May this request pass?
    fn allows(&self, authorization: Option<&str>, method: &str, path: &str) -> bool {
        let Some(token) = authorization.and_then(|text| text.strip_prefix("Bearer ")) else {
            return false;
        };
        let tokens = self.tokens.lock().expect("no panic");
        let repository = path
            .trim_start_matches("/v2/")
            .split("/blobs/")
            .next()
            .unwrap_or_default();
        let repository = repository
            .split("/manifests/")
            .next()
            .unwrap_or_default()
            .split("/referrers/")
            .next()
            .unwrap_or_default();
        let wanted = match method {
            "GET" | "HEAD" => format!("repository:{repository}:pull"),
            _ => format!("repository:{repository}:pull,push"),
        };
        tokens.get(token).is_some_and(|(scopes, until)| {
            *until > Instant::now() && scopes.split(' ').any(|scope| scope.starts_with(&wanted))
        })
    }
}

fn url_pairs(query: &str) -> Vec<(String, String)> {
    let url: reqwest::Url = format!("http://x/?{query}").parse().expect("an address");
    url.query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// Puts a token server and its guard before a registry.
async fn guarded(upstream: &str, life: Duration) -> (Proxy, Arc<Given>) {
    let given = Arc::new(Given::default());
    let seen = given.clone();
    let proxy = Proxy::start(upstream, move |parts| {
        let host = parts.headers["host"].to_str().expect("a text");
        let authorization = parts
            .headers
            .get("authorization")
            .map(|value| value.to_str().expect("a text"));
        let path = parts.uri.path();
        if path == "/token" {
            return seen.token(parts.uri.query().unwrap_or_default(), authorization, life);
        }
        match seen.allows(authorization, parts.method.as_str(), path) {
            true => Fault::Strip("authorization"),
            false => {
                let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"registry.example\"");
                answer(401, &[("www-authenticate", &challenge)], "")
            }
        }
    })
    .await;
    (proxy, given)
}

fn accounts(hosts: &[&str], password: &str) -> (tempfile::NamedTempFile, [(&'static str, String); 1]) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let entry = json!({"username": "ci", "password": password});
    let auths: BTreeMap<&str, _> = hosts.iter().map(|host| (*host, entry.clone())).collect();
    std::fs::write(file.path(), json!({"auths": auths}).to_string()).expect("written");
    let setting = [("registries_accounts_file", file.path().display().to_string())];
    (file, setting)
}

#[tokio::test]
async fn tokens_that_run_out_in_the_middle_are_fetched_anew() {
    let (from, there) = (server(None).await, server(None).await);
    let digest = Pusher::new(&from, "qa/app")
        .image(OCI, 401, &[40 * MB, 3 * MB, 1000])
        .await;
    let (source, _) = guarded(&from.address, Duration::from_millis(300)).await;
    let (destination, given) = guarded(&there.address, Duration::from_millis(300)).await;
    // It takes longer than a token lives.
    let slow = Proxy::start(&source.address, |parts| match parts.uri.path().contains("/blobs/") {
        true => Fault::SlowAnswer(Duration::from_millis(10)),
        false => Fault::Pass,
    })
    .await;
    let (_file, setting) = accounts(&[&slow.address, &destination.address], "canary~right");
    let client = client(&[&slow.address, &destination.address], &setting);
    let name = format!("{}/qa/app@{digest}", slow.address);
    let (arrivals, _) = copy(&client, &name, &[to(&destination.address, "live/app", "1")]).await;
    arrivals[0].result.as_ref().expect("it arrives");
    assert_eq!(intact(&there.address, "live/app", "1").await, 5);
    let tokens = given.tokens.lock().expect("no panic").len();
    assert!(tokens >= 2, "no token had run out: {tokens}");
    let password = |proxy: &Proxy| {
        let with = |one: &&super::proxy::Passed| {
            one.authorization
                .as_deref()
                .is_some_and(|text| text.starts_with("Basic"))
        };
        proxy
            .passed()
            .iter()
            .filter(with)
            .all(|one| one.path.starts_with("/token"))
    };
    assert!(
        password(&destination),
        "the password goes to the token server alone: {:?}",
        destination.passed()
    );
}

#[tokio::test]
async fn a_mount_asks_for_both_repositories_and_the_destination_first() {
    let one = server(None).await;
    let digest = Pusher::new(&one, "qa/app").image(OCI, 402, &[MB, 1000]).await;
    let (guard, given) = guarded(&one.address, Duration::from_secs(60)).await;
    let (_file, setting) = accounts(&[&guard.address], "canary~right");
    let client = client(&[&guard.address], &setting);
    let (arrivals, _) = copy(
        &client,
        &format!("{}/qa/app@{digest}", guard.address),
        &[to(&guard.address, "live/app", "1")],
    )
    .await;
    let copied = arrivals[0].result.as_ref().expect("it arrives");
    assert_eq!(copied.bytes_sent, 0, "{copied:?}");
    let scopes: Vec<String> = given
        .tokens
        .lock()
        .expect("no panic")
        .values()
        .map(|(scopes, _)| scopes.clone())
        .collect();
    assert!(
        scopes.contains(&"repository:live/app:pull,push repository:qa/app:pull".to_owned()),
        "{scopes:?}"
    );
    // One for each scope, however many requests there are.
    assert_eq!(scopes.len(), 3, "{scopes:?}");
}

#[tokio::test]
async fn a_token_server_that_refuses_us_is_named() {
    let (from, there) = (server(None).await, server(None).await);
    let digest = Pusher::new(&from, "app").image(OCI, 403, &[1000]).await;
    let (guard, _) = guarded(&there.address, Duration::from_secs(60)).await;
    let (_file, setting) = accounts(&[&guard.address], "canary~wrong");
    let client = client(&[&from.address, &guard.address], &setting);
    let (arrivals, _) = copy(
        &client,
        &format!("{}/app@{digest}", from.address),
        &[to(&guard.address, "app", "1")],
    )
    .await;
    let error = arrivals[0].result.as_ref().expect_err("a wrong password");
    assert_eq!(error.kind(), RegistryErrorKind::Refused);
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("/token refuses user \"ci\"") && !text.contains("canary"),
        "{text}"
    );
}

#[tokio::test]
async fn an_identity_token_is_changed_for_short_ones() {
    let (from, there) = (server(None).await, server(None).await);
    let digest = Pusher::new(&from, "app").image(OCI, 404, &[1000]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let realm = format!("http://{}/oauth2/token", listener.local_addr().expect("its number"));
    let forms = Arc::new(Mutex::new(Vec::new()));
    let seen = forms.clone();
    let router = axum::Router::new().route(
        "/oauth2/token",
        axum::routing::post(move |form: String| async move {
            seen.lock().expect("no panic").push(form);
            json!({"access_token": "short", "expires_in": 60}).to_string()
        }),
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    let guard = Proxy::start(&there.address, move |parts| {
        match parts
            .headers
            .get("authorization")
            .is_some_and(|value| value == "Bearer short")
        {
            true => Fault::Strip("authorization"),
            false => answer(
                401,
                &[(
                    "www-authenticate",
                    &format!("Bearer realm=\"{realm}\",service=\"house\""),
                )],
                "",
            ),
        }
    })
    .await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    let auths = json!({"auths": {&guard.address: {"identitytoken": "long&lived"}}});
    std::fs::write(file.path(), auths.to_string()).expect("written");
    let client = client(
        &[&from.address, &guard.address],
        &[("registries_accounts_file", file.path().display().to_string())],
    );
    let (arrivals, _) = copy(
        &client,
        &format!("{}/app@{digest}", from.address),
        &[to(&guard.address, "app", "1")],
    )
    .await;
    arrivals[0].result.as_ref().expect("it arrives");
    let forms = forms.lock().expect("no panic").clone();
    assert_eq!(forms.len(), 1, "{forms:?}");
    let fields = url_pairs(&forms[0]);
    for (name, value) in [
        ("grant_type", "refresh_token"),
        ("refresh_token", "long&lived"),
        ("service", "house"),
        ("scope", "repository:app:pull,push"),
    ] {
        assert!(fields.contains(&(name.to_owned(), value.to_owned())), "{fields:?}");
    }
}
