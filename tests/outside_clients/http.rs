//! Redirects and authorities.

use seaworthy::clients::certificates::Certificates;
use seaworthy::clients::http;

use super::fake::{Fake, answer};

#[tokio::test]
async fn a_redirect_is_followed_inside_the_same_server_only() {
    let other = Fake::start(|_| answer(200, &[], "the other server")).await;
    let elsewhere = format!("{}/there", other.url());
    let server = Fake::start(move |seen| match seen.path.as_str() {
        "/here" => answer(302, &[("Location", "/there")], ""),
        "/away" => answer(307, &[("Location", elsewhere.as_str())], ""),
        "/circle" => answer(302, &[("Location", "/circle")], ""),
        _ => answer(200, &[], "this server"),
    })
    .await;
    let client = http::client(&Certificates::load(None).expect("certificates")).expect("a client");
    let get = |path: &str| {
        let request = client.get(format!("{}{path}", server.url()));
        request.header("PRIVATE-TOKEN", "canary").send()
    };

    let answer = get("/here").await.expect("an answer");
    assert_eq!(answer.text().await.expect("a text"), "this server");
    let agent = &server.seen()[0].headers["user-agent"];
    assert_eq!(agent, concat!("seaworthy/", env!("CARGO_PKG_VERSION")));

    let answer = get("/away").await.expect("the redirect itself");
    assert_eq!(answer.status(), 307);
    assert!(
        other.seen().is_empty(),
        "a token went to another server: {:?}",
        other.seen()
    );

    let error = get("/circle").await.expect_err("a circle");
    assert!(http::explain(error).contains("in a circle"));
}

#[tokio::test]
async fn nobody_there_is_said_without_the_query() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("its number")
        .port();
    let client = http::client(&Certificates::load(None).expect("certificates")).expect("a client");
    let error = client
        .get(format!("http://127.0.0.1:{port}/x?secret=canary"))
        .send()
        .await
        .expect_err("nobody listens");
    let text = http::explain(error);
    assert!(text.contains("Connection refused"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}
