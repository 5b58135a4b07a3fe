//! The registry client against Debian's registry with a password.

use seaworthy::clients::certificates::Certificates;
use seaworthy::clients::registry::{Registry, RegistryErrorKind};
use seaworthy::config::Config;
use seaworthy::model::Digest;
use world::World;
use world::registry::{Registry as Server, RegistryOptions};

use super::fake::{Fake, answer};
use super::verbs::settings;

pub fn client(host: &str, user: &str, password: &str) -> Registry {
    let more = [
        ("registry_repository", format!("{host}/qa")),
        ("registry_username", user.to_owned()),
        ("registry_password", password.to_owned()),
        ("registry_plain_http", "true".to_owned()),
    ];
    let config = Config::load(None, settings(&more)).expect("a configuration");
    Registry::new(&config, &Certificates::load(None).expect("certificates"))
}

/// A registry of this test alone, holding the world's base images below `mirror/`, and the name of one of them.
pub async fn server(world: &World) -> (Server, String) {
    let dir = world.scratch().expect("a folder");
    let storage = dir.join("storage");
    world.images.seed(&storage).expect("the images are copied");
    let options = RegistryOptions {
        storage,
        port: 0,
        login: Some(("ci".to_owned(), "canary~right".to_owned())),
    };
    let server = Server::start(&dir, options).await.expect("a registry");
    let name = world.images.digests.keys().next().expect("an image").clone();
    let image = format!("{}/mirror/{name}", server.address);
    (server, image)
}

#[tokio::test]
async fn a_tag_and_what_the_image_says_are_read() {
    let world = World::attach();
    let (server, image) = server(&world).await;
    let client = client(&server.address, &server.user, &server.password);
    let (repository, tag) = image
        .strip_prefix(&format!("{}/", server.address))
        .and_then(|name| name.rsplit_once(':'))
        .expect("a tag");

    let digest = client.digest(&image).await.expect("an answer").expect("an image");
    let told = server.digest(repository, tag).await.expect("an answer");
    assert_eq!(Some(digest.to_string()), told);
    let config = client.config(&image).await.expect("an answer").expect("an image");
    assert_eq!((&config.digest, config.index.as_ref()), (&digest, None));
    assert_eq!(config.platform, "linux/amd64");

    for missing in ["mirror/no/such:1", &format!("{repository}:no-such-tag")] {
        let missing = format!("{}/{missing}", server.address);
        assert_eq!(client.digest(&missing).await.expect("an answer"), None, "{missing}");
        assert_eq!(client.config(&missing).await.expect("an answer"), None, "{missing}");
    }
    let error = client.digest("Not/A Name").await.expect_err("no name");
    assert_eq!(error.kind(), RegistryErrorKind::Name);

    // An index of two platforms, one of them ours.
    let entry = |architecture: &str| {
        serde_json::json!({
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "digest": digest, "size": 1,
            "platform": {"os": "linux", "architecture": architecture},
        })
    };
    let put_index = |tag: &'static str, entries: Vec<serde_json::Value>| {
        let kind = "application/vnd.oci.image.index.v1+json";
        let body = serde_json::json!({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).to_string();
        let request = reqwest::Client::new()
            .put(format!("http://{}/v2/{repository}/manifests/{tag}", server.address))
            .basic_auth(&server.user, Some(&server.password))
            .header("Content-Type", kind)
            .body(body.clone());
        async move {
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), 201, "{}", answer.text().await.expect("a text"));
            Digest::of(body.as_bytes())
        }
    };
    let index = put_index("both", vec![entry("arm64"), entry("amd64")]).await;
    let both = format!("{}/{repository}:both", server.address);
    assert_eq!(client.digest(&both).await.expect("an answer"), Some(index.clone()));
    let found = client.config(&both).await.expect("an answer").expect("an image");
    assert_eq!((&found.digest, &found.labels), (&digest, &config.labels));
    let said = found.index.expect("it says that it is an index");
    assert_eq!(said.digest, index);
    assert_eq!(said.platforms, ["linux/arm64", "linux/amd64"]);

    put_index("arm", vec![entry("arm64")]).await;
    let arm = format!("{}/{repository}:arm", server.address);
    let error = client.config(&arm).await.expect_err("not ours").to_string();
    assert!(error.contains("without linux/amd64; it has: linux/arm64"), "{error}");
    server.stop().await.expect("stopped");
}

#[tokio::test]
async fn a_refusal_says_why_and_a_registry_that_is_away_passes() {
    let world = World::attach();
    let (server, image) = server(&world).await;
    let right = client(&server.address, &server.user, &server.password);
    let said = right.check(&server.address).await.expect("it lets us in");
    assert!(said.contains("registry/2.0"), "{said}");

    let wrong = client(&server.address, &server.user, "canary~wrong");
    for error in [
        wrong.digest(&image).await.expect_err("a wrong password"),
        wrong.config(&image).await.expect_err("a wrong password"),
        wrong.check(&server.address).await.expect_err("a wrong password"),
    ] {
        assert_eq!(error.kind(), RegistryErrorKind::Refused, "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("user \"ci\" with this password"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
    let nobody = client(&server.address, "", "");
    let error = nobody.digest(&image).await.expect_err("no account");
    assert!(error.to_string().contains("set username and password"), "{error}");

    server.stop().await.expect("stopped");
    let error = right.digest(&image).await.expect_err("it is away");
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
    server.start_again().await.expect("started");
    assert!(right.digest(&image).await.expect("an answer").is_some());
    server.stop().await.expect("stopped");
}

#[tokio::test]
async fn what_is_no_registry_is_told_from_one() {
    for (status, headers, kind, words) in [
        (404, vec![], RegistryErrorKind::Strange, "no registry"),
        (
            301,
            vec![("Location", "https://x.example/v2/?a=canary")],
            RegistryErrorKind::Strange,
            "redirects to https://x.example/v2/:",
        ),
        (503, vec![], RegistryErrorKind::Unreachable, "answers 503"),
        (
            401,
            vec![("WWW-Authenticate", "Negotiate")],
            RegistryErrorKind::Strange,
            "unknown kind",
        ),
    ] {
        let server = Fake::start(move |_| answer(status, &headers, "")).await;
        let host = server.address.to_string();
        let error = client(&host, "ci", "canary").check(&host).await.expect_err(words);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

/// GitLab's registry and Docker Hub: the password goes to the token server, and its answer is what counts.
#[tokio::test]
async fn a_token_server_that_is_down_is_no_refusal() {
    for (status, kind) in [
        (200, None),
        (401, Some(RegistryErrorKind::Refused)),
        (503, Some(RegistryErrorKind::Unreachable)),
    ] {
        let tokens = Fake::start(move |_| answer(status, &[], r#"{"token":"t"}"#)).await;
        let challenge = format!("Bearer realm=\"{}/jwt\",service=\"s\"", tokens.url());
        let registry = Fake::start(move |_| answer(401, &[("WWW-Authenticate", challenge.as_str())], "{}")).await;
        let host = registry.address.to_string();
        let client = client(&host, "ci", "canary");
        assert_eq!(client.check(&host).await.err().map(|error| error.kind()), kind);
        assert!(tokens.seen()[0].path.starts_with("/jwt?service=s"));
        let error = client.digest(&format!("{host}/qa/x:1")).await.expect_err("it says 401");
        assert_eq!(error.kind(), kind.unwrap_or(RegistryErrorKind::Refused), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}
