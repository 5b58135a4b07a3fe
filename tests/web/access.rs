//! Who may do what, by program and by browser.

use axum::http::{StatusCode, header};
use reqwest::Method;
use seaworthy::model::{BuildState, DeliveryId};
use seaworthy::store::deliveries::{self, NewDelivery};
use seaworthy::store::jobs::Lane;
use seaworthy::store::tokens;
use serde_json::json;

use super::site::{READER, Site, WRITER, fork, merge_request};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Needs {
    Nothing,
    Reading,
    Writing,
}
use Needs::{Nothing, Reading, Writing};

async fn delivery(site: &Site) -> DeliveryId {
    let new = NewDelivery {
        id: DeliveryId(uuid::Uuid::now_v7()),
        key: None,
        event: Some("Merge Request Hook"),
        headers: &json!({"x-gitlab-event": "Merge Request Hook"}),
        body: b"{\"a\": 1}",
    };
    deliveries::insert(&site.pool, &[new]).await.expect("stored")[0]
}

#[tokio::test]
async fn each_route_asks_for_what_it_needs() {
    for public_read in [true, false] {
        let site = Site::open_with(public_read).await;
        site.ended(&merge_request(1, "a"), BuildState::Failed).await;
        site.build(&fork(2, "b")).await;
        site.build(&merge_request(3, "c")).await;
        let delivery = delivery(&site).await;
        let routes: Vec<(Needs, Method, String)> = [
            (Nothing, Method::GET, "/healthz".to_owned()),
            (Nothing, Method::GET, "/readyz".to_owned()),
            (Nothing, Method::GET, "/sign-in".to_owned()),
            (Reading, Method::GET, "/".to_owned()),
            (
                Reading,
                Method::GET,
                "/?state=failed&project=shop/basket&iid=1&commit=aaaaaaaa".to_owned(),
            ),
            (Reading, Method::GET, "/builds/1".to_owned()),
            (Reading, Method::GET, "/deliveries".to_owned()),
            (Reading, Method::GET, format!("/deliveries/{delivery}")),
            (Reading, Method::GET, "/api/builds".to_owned()),
            (Reading, Method::GET, "/api/builds/stream".to_owned()),
            (Reading, Method::GET, "/api/builds/1".to_owned()),
            (Reading, Method::GET, "/api/builds/1/log".to_owned()),
            (Reading, Method::GET, "/api/builds/1/log/stream".to_owned()),
            (Reading, Method::GET, "/api/trace/1".to_owned()),
            (Reading, Method::GET, "/api/deliveries".to_owned()),
            (Reading, Method::GET, format!("/api/deliveries/{delivery}")),
            (Writing, Method::POST, "/api/builds/1/rebuild".to_owned()),
            (Writing, Method::POST, "/api/builds/2/approve".to_owned()),
            (Writing, Method::POST, "/api/builds/3/cancel".to_owned()),
            (Writing, Method::POST, format!("/api/deliveries/{delivery}/replay")),
        ]
        .into();
        let before = (site.jobs(Lane::Build).await, site.jobs(Lane::Notify).await);
        // The one that may write is last: until then nothing may have changed.
        for token in [None, Some("swt_nobody"), Some(READER), Some(WRITER)] {
            if token == Some(WRITER) {
                let now = (site.jobs(Lane::Build).await, site.jobs(Lane::Notify).await);
                assert_eq!(now, before, "somebody without the right to it changed something");
            }
            for (needs, method, path) in &routes {
                let is_api = path.starts_with("/api/");
                let stranger = if is_api {
                    StatusCode::UNAUTHORIZED
                } else {
                    StatusCode::SEE_OTHER
                };
                let wanted = match (needs, token) {
                    (Nothing, _) => StatusCode::OK,
                    // A token that is wrong is never taken for none.
                    (_, Some("swt_nobody")) => stranger,
                    (Reading, None) if !public_read => stranger,
                    (Reading, _) => StatusCode::OK,
                    (Writing, None) => stranger,
                    (Writing, Some(READER)) => StatusCode::FORBIDDEN,
                    (Writing, _) => StatusCode::OK,
                };
                let answer = site
                    .request(method.clone(), path, token)
                    .send()
                    .await
                    .expect("an answer");
                assert_eq!(
                    answer.status(),
                    wanted,
                    "{method} {path} with {token:?}, public_read {public_read}"
                );
            }
        }
        site.close().await;
    }
}

#[tokio::test]
async fn a_browser_signs_in_once_and_orders_from_our_pages_alone() {
    let site = Site::open_with(false).await;
    site.ended(&merge_request(1, "a"), BuildState::Failed).await;
    let home = site.get("/builds/1?log=all").await;
    assert_eq!(home.status(), 303);
    assert_eq!(home.headers()[header::LOCATION], "/sign-in?next=/builds/1%3Flog%3Dall");

    let sign_in = |token: &'static str, site_of_form: &'static str| {
        let form = [("token", token), ("next", "/builds/1?log=all")];
        let request = site.request(Method::POST, "/sign-in", None).form(&form);
        request.header("sec-fetch-site", site_of_form).send()
    };
    assert_eq!(sign_in(WRITER, "cross-site").await.expect("an answer").status(), 403);
    let wrong = sign_in("swt_nobody", "same-origin").await.expect("an answer");
    assert_eq!(wrong.status(), 401);
    assert!(wrong.headers().get(header::SET_COOKIE).is_none());
    let right = sign_in(WRITER, "same-origin").await.expect("an answer");
    assert_eq!(right.status(), 303);
    assert_eq!(right.headers()[header::LOCATION], "/builds/1?log=all");
    let cookie = right.headers()[header::SET_COOKIE].to_str().expect("a text").to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let cookie = cookie.split(';').next().expect("a pair").to_owned();

    let with_cookie = |method, path: &str| site.request(method, path, None).header("cookie", &cookie);
    let page = with_cookie(Method::GET, "/builds/1").send().await.expect("an answer");
    assert!(page.text().await.expect("a text").contains("Sign out"));
    for (name, value, wanted) in [
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("origin", "https://evil.example", 403),
        ("x-nothing", "said", 403),
        ("sec-fetch-site", "same-origin", 303),
    ] {
        let order = with_cookie(Method::POST, "/builds/1/rebuild").header(name, value);
        assert_eq!(
            order.send().await.expect("an answer").status(),
            wanted,
            "{name}: {value}"
        );
    }
    // The API takes the cookie under the same condition.
    let order = with_cookie(Method::POST, "/api/builds/2/cancel").header("sec-fetch-site", "cross-site");
    assert_eq!(order.send().await.expect("an answer").status(), 403);

    assert!(tokens::revoke(&site.pool, "writer").await.expect("written"));
    let page = with_cookie(Method::GET, "/builds/1").send().await.expect("an answer");
    assert_eq!(page.status(), 303, "a revoked token opens nothing");
    site.close().await;
}

#[tokio::test]
async fn errors_are_sentences_in_the_form_of_the_asker() {
    let site = Site::open().await;
    for (path, status, sentence) in [
        ("/api/builds/99", 404, "there is no build 99"),
        ("/api/builds/99/log", 404, "there is no build 99"),
        ("/api/builds/99/log/stream", 404, "there is no build 99"),
        (
            "/api/builds/x",
            404,
            "there is no build \"x\": builds have numbers, for example 12",
        ),
        (
            "/api/builds?iid=x",
            400,
            "iid=x: write a merge request's number without its `!`",
        ),
        (
            "/api/builds?limit=-1",
            400,
            "limit=-1: write a number of rows from 1 to 500",
        ),
        (
            "/api/deliveries?decision=no",
            400,
            "decision=no: write build, ignored or waiting",
        ),
        ("/api/nothing", 404, "there is nothing at /api/nothing"),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        let id = answer.headers()["x-request-id"].to_str().expect("a text").to_owned();
        let body: serde_json::Value = answer.json().await.expect("JSON");
        assert_eq!(
            (body["error"].as_str(), body["request_id"].as_str()),
            (Some(sentence), Some(&*id)),
            "{path}"
        );
    }
    let (status, body) = site.order("/api/builds").await;
    assert_eq!(
        (status, body["error"].as_str()),
        (405, Some("POST is not possible at /api/builds"))
    );
    let page = site.get("/builds/99").await;
    assert_eq!(page.status(), 404);
    assert!(page.text().await.expect("a text").contains("there is no build 99"));

    // Without a database: not ready but alive, and nobody learns why.
    site.pool.close().await;
    assert_eq!(site.get("/healthz").await.status(), 200);
    let (status, body) = site.json("/readyz").await;
    assert_eq!((status, &body["missing"]), (503, &json!(["Postgres does not answer"])));
    let (status, body) = site.json("/api/builds").await;
    let told = "the database cannot be reached at the moment; try again in a few seconds";
    assert_eq!((status, body["error"].as_str()), (503, Some(told)));
    site.close().await;
}
