//! Who may do what: the table of every route and every role, over HTTP, on the real router.

use std::time::Duration;

use axum::http::{StatusCode, header};
use reqwest::{Method, Response};
use seaworthy::model::{BuildState, DeliveryId, Role};
use seaworthy::store::deliveries::{self, NewDelivery};
use seaworthy::store::jobs::Lane;
use seaworthy::store::projects;
use seaworthy::store::tokens::{self, NewToken};
use seaworthy::web;
use serde_json::json;

use super::site::{READER, Site, fork, merge_request};

const HOUR: Duration = Duration::from_secs(3600);

/// Each role by a group of its name, for all projects; `elsewhere` is an admin, of other projects.
const GRANTS: &str = r#"
    [[grant]]
    role = "viewer"
    projects = ["**"]
    groups = ["viewer"]
    [[grant]]
    role = "developer"
    projects = ["**"]
    groups = ["developer"]
    [[grant]]
    role = "release-manager"
    projects = ["**"]
    groups = ["release-manager"]
    [[grant]]
    role = "platform"
    projects = ["**"]
    groups = ["platform"]
    [[grant]]
    role = "admin"
    projects = ["**"]
    groups = ["admin"]
    [[grant]]
    role = "admin"
    projects = ["pay/**"]
    groups = ["elsewhere"]
"#;

/// Who knocks. The letters are those of the table.
const CALLERS: [(char, &str); 13] = [
    ('n', "nobody"),
    ('o', "session that is over"),
    ('i', "token that nobody made"),
    ('f', "token that expired"),
    ('x', "person without a role"),
    ('e', "admin of other projects"),
    ('v', "viewer"),
    ('d', "developer"),
    ('r', "release manager"),
    ('p', "platform"),
    ('a', "admin"),
    ('t', "read-only token"),
    ('s', "developer's token for other projects"),
];

/// What the handler does on its own, whoever asks.
const OWN: &str = "own proof";
const ANYBODY: &str = "noifxevdrpats";

/// Every route, where it is tried, and who comes in. Written by hand: it is the wish that the code is held against.
/// `e` and `s` come into lists, which show them their own projects.
#[rustfmt::skip]
const TABLE: &[(&str, &str, &str)] = &[
    ("GET /healthz",                      "/healthz",                     ANYBODY),
    ("GET /readyz",                       "/readyz",                      ANYBODY),
    ("GET /sign-in",                      "/sign-in",                     ANYBODY),
    ("GET /sign-in/provider",             "/sign-in/provider",            ANYBODY),
    ("GET /assets/{sum}/{name}",          "/assets/x/seaworthy.css",      ANYBODY),
    ("GET /sign-in/return",               "/sign-in/return?state=x",      OWN),
    ("POST /sign-in",                     "/sign-in",                     OWN),
    ("POST /sign-out",                    "/sign-out",                    OWN),
    ("POST /hooks/gitlab",                "/hooks/gitlab",                OWN),
    ("GET /",                             "/",                            "evdrpats"),
    ("GET /builds/{id}",                  "/builds/1",                    "vdrpat"),
    ("POST /builds/{id}/rebuild",         "/builds/1/rebuild",            "drpa"),
    ("POST /builds/{id}/cancel",          "/builds/3/cancel",             "drpa"),
    ("POST /builds/{id}/approve",         "/builds/2/approve",            "drpa"),
    ("GET /deliveries",                   "/deliveries",                  "vdrpat"),
    ("GET /deliveries/{id}",              "/deliveries/DELIVERY",         "vdrpat"),
    ("POST /deliveries/{id}/replay",      "/deliveries/DELIVERY/replay",  "pa"),
    ("GET /account",                      "/account",                     "xevdrpa"),
    ("POST /account/tokens",              "/account/tokens",              "xevdrpa"),
    ("POST /account/tokens/revoke",       "/account/tokens/revoke",       "xevdrpa"),
    ("POST /account/sessions/{id}/end",   "/account/sessions/0/end",      "xevdrpa"),
    ("GET /tokens",                       "/tokens",                      "a"),
    ("POST /tokens/revoke",               "/tokens/revoke",               "a"),
    ("GET /api/builds",                   "/api/builds",                  "evdrpats"),
    ("GET /api/builds/stream",            "/api/builds/stream",           "evdrpats"),
    ("GET /api/builds/{id}",              "/api/builds/1",                "vdrpat"),
    ("POST /api/builds/{id}/rebuild",     "/api/builds/1/rebuild",        "drpa"),
    ("POST /api/builds/{id}/cancel",      "/api/builds/3/cancel",         "drpa"),
    ("POST /api/builds/{id}/approve",     "/api/builds/2/approve",        "drpa"),
    ("GET /api/builds/{id}/log",          "/api/builds/1/log",            "vdrpat"),
    ("GET /api/builds/{id}/log/stream",   "/api/builds/1/log/stream",     "vdrpat"),
    ("GET /api/images",                   "/api/images?with=a:b",         "evdrpats"),
    ("GET /api/trace/{*what}",            "/api/trace/1",                 "evdrpats"),
    ("GET /api/deliveries",               "/api/deliveries",              "vdrpat"),
    ("GET /api/deliveries/{id}",          "/api/deliveries/DELIVERY",     "vdrpat"),
    ("POST /api/deliveries/{id}/replay",  "/api/deliveries/DELIVERY/replay", "pa"),
    ("GET /environments",                 "/environments",                "evdrpats"),
    ("GET /environments/history/{application}", "/environments/history/none", "evdrpats"),
    ("GET /promotions",                   "/promotions",                  "evdrpats"),
    ("GET /promotions/new",               "/promotions/new?image=none&environment=qa", "evdrpats"),
    ("POST /promotions",                  "/promotions",                  "edrpas"),
    ("GET /promotions/{id}",              "/promotions/1",                "evdrpats"),
    ("POST /promotions/{id}/approve",     "/promotions/1/approve",        "erpa"),
    ("POST /promotions/{id}/cancel",      "/promotions/1/cancel",         "erpa"),
    ("POST /promotions/{id}/resume",      "/promotions/1/resume",         "erpa"),
    ("POST /promotions/{id}/reject",      "/promotions/1/reject",         "edrpas"),
    ("GET /rollbacks/new",                "/rollbacks/new?application=a&environment=b", "era"),
    ("POST /rollbacks",                   "/rollbacks",                   "era"),
    ("GET /diff",                         "/diff?from=none&to=none",      "evdrpats"),
    ("GET /quality",                      "/quality",                     "evdrpats"),
    ("GET /api/environments",             "/api/environments",            "evdrpats"),
    ("GET /api/history/{application}",    "/api/history/none",            "evdrpats"),
    ("GET /api/promotions",               "/api/promotions",              "evdrpats"),
    ("GET /api/promotions/stream",        "/api/promotions/stream",       "evdrpats"),
    ("POST /api/promotions",              "/api/promotions",              "edrpas"),
    ("GET /api/promotions/{id}",          "/api/promotions/1",            "evdrpats"),
    ("POST /api/promotions/{id}/approve", "/api/promotions/1/approve",    "erpa"),
    ("POST /api/promotions/{id}/cancel",  "/api/promotions/1/cancel",     "erpa"),
    ("POST /api/promotions/{id}/resume",  "/api/promotions/1/resume",     "erpa"),
    ("POST /api/rollbacks",               "/api/rollbacks",               "era"),
    ("POST /api/rejections",              "/api/rejections",              "edrpas"),
    ("GET /api/quality",                  "/api/quality",                 "evdrpats"),
    ("GET /api/diff",                     "/api/diff?from=none&to=none",  "evdrpats"),
    ("GET /api/audit",                    "/api/audit",                   "rpa"),
];

/// What somebody sends along with every request.
#[derive(Debug, Clone, Default)]
struct Proof {
    token: Option<&'static str>,
    cookie: Option<String>,
    mark: String,
}

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

async fn proof(site: &Site, letter: char) -> Proof {
    let token = |token| Proof {
        token: Some(token),
        ..Proof::default()
    };
    let groups: &[&str] = match letter {
        'n' => return Proof::default(),
        'i' => return token("swt_nobody"),
        'f' => return token("swt_old"),
        't' => return token(READER),
        's' => return token("swt_elsewhere"),
        'o' => {
            return Proof {
                cookie: Some(site.sign_in("olaf", &["admin"], Duration::ZERO).await),
                ..Proof::default()
            };
        }
        'x' => &[],
        'e' => &["elsewhere"],
        'v' => &["viewer"],
        'd' => &["developer"],
        'r' => &["release-manager"],
        'p' => &["platform"],
        'a' => &["admin"],
        other => panic!("nobody is {other}"),
    };
    let cookie = site.sign_in(&format!("person-{letter}"), groups, HOUR).await;
    Proof {
        mark: site.mark("/account", &cookie).await,
        cookie: Some(cookie),
        token: None,
    }
}

async fn knock(site: &Site, route: &str, path: &str, proof: &Proof) -> Response {
    let method: Method = route
        .split(' ')
        .next()
        .and_then(|name| name.parse().ok())
        .expect("a method");
    let changes = method == Method::POST;
    let mut request = site.request(method, path, proof.token);
    if let Some(cookie) = &proof.cookie {
        request = request.header("cookie", cookie);
    }
    if changes {
        let form = [
            ("csrf", proof.mark.as_str()),
            ("name", "x"),
            ("role", "viewer"),
            ("projects", "**"),
            ("days", "1"),
        ];
        request = request.header("sec-fetch-site", "same-origin").form(&form);
    }
    request.send().await.expect("an answer")
}

/// In, not without signing in, or not at all.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Came {
    In,
    SignIn,
    Refused,
}

fn came(answer: &Response) -> Came {
    let to_sign_in = answer
        .headers()
        .get(header::LOCATION)
        .is_some_and(|to| to.to_str().is_ok_and(|to| to.starts_with("/sign-in?")));
    match answer.status() {
        StatusCode::UNAUTHORIZED => Came::SignIn,
        StatusCode::SEE_OTHER if to_sign_in => Came::SignIn,
        StatusCode::FORBIDDEN => Came::Refused,
        StatusCode::SERVICE_UNAVAILABLE if answer.url().path() == "/sign-in/provider" => Came::In,
        status if status.is_server_error() => panic!("{} answers {status}", answer.url()),
        _ => Came::In,
    }
}

#[tokio::test]
async fn the_table_holds_every_route_against_every_role() {
    let known: Vec<String> = web::routes()
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    for route in &known {
        assert!(
            TABLE.iter().any(|(row, ..)| row == route),
            "{route} has no row in this table"
        );
    }
    for (row, ..) in TABLE {
        assert!(known.iter().any(|route| route == row), "{row} is no route any more");
    }

    for public_read in [false, true] {
        // A provider that does not answer: nobody signs in here.
        let provider = [
            ("SIGN_IN_ISSUER", "http://127.0.0.1:9"),
            ("SIGN_IN_CLIENT_ID", "x"),
            ("SIGN_IN_CLIENT_SECRET", "x"),
        ];
        let site = Site::open_as(public_read, GRANTS, &provider).await;
        let project = merge_request(1, "a");
        projects::remember(&site.pool, project.project_id, &project.project)
            .await
            .expect("written");
        site.ended(&project, BuildState::Failed).await;
        site.build(&fork(2, "b")).await;
        site.build(&merge_request(3, "c")).await;
        let delivery = delivery(&site).await.to_string();
        assert!(
            tokens::create(&site.pool, "old", "swt_old", Role::Admin)
                .await
                .expect("made")
        );
        site.expire("old").await;
        let elsewhere = NewToken {
            name: "elsewhere",
            role: Role::Developer,
            projects: &["pay/**".to_owned()],
            lifetime: HOUR,
            owner: None,
        };
        assert!(
            tokens::keep(&site.pool, &elsewhere, "swt_elsewhere")
                .await
                .expect("made")
        );

        let mut proofs = Vec::new();
        for (letter, name) in CALLERS {
            proofs.push((letter, name, proof(&site, letter).await));
        }
        let jobs = || async {
            (
                site.jobs(Lane::Build).await,
                site.jobs(Lane::Notify).await,
                site.jobs(Lane::Intake).await,
            )
        };
        let before = jobs().await;
        let mut tried = 0;
        // Those who may come last: until then nothing may have changed.
        for may in [false, true] {
            for (route, path, who) in TABLE.iter().filter(|(.., who)| *who != OWN) {
                let reading = route.starts_with("GET")
                    && !["GET /account", "GET /tokens", "GET /api/audit", "GET /rollbacks/new"].contains(route);
                for (letter, name, proof) in &proofs {
                    let stranger = "noif".contains(*letter) && *who != ANYBODY;
                    // A token that is wrong is never taken for none.
                    let open = public_read && reading && !"if".contains(*letter);
                    let in_ = who.contains(*letter) || open;
                    if in_ != may {
                        continue;
                    }
                    let answer = knock(&site, route, &path.replace("DELIVERY", &delivery), proof).await;
                    let wanted = match (in_, stranger) {
                        (true, _) => Came::In,
                        (false, true) => Came::SignIn,
                        (false, false) => Came::Refused,
                    };
                    let status = answer.status();
                    assert_eq!(
                        came(&answer),
                        wanted,
                        "{route} by {name}: {status}, public_read {public_read}"
                    );
                    tried += 1;
                }
            }
            if !may {
                assert_eq!(
                    jobs().await,
                    before,
                    "somebody without the right to it changed something"
                );
            }
        }
        assert_eq!(
            tried,
            CALLERS.len() * TABLE.iter().filter(|(.., who)| *who != OWN).count()
        );
        assert_ne!(jobs().await, before, "those who may do change something");

        // A proof of one's own is asked of everybody, whoever he is beside that.
        for (route, path, _) in TABLE.iter().filter(|(.., who)| *who == OWN) {
            for (_, name, proof) in &proofs {
                let proof = Proof {
                    mark: "another".to_owned(),
                    ..proof.clone()
                };
                let mut request = site.request(
                    route
                        .split(' ')
                        .next()
                        .and_then(|name| name.parse().ok())
                        .expect("a method"),
                    path,
                    proof.token,
                );
                if let Some(cookie) = &proof.cookie {
                    request = request.header("cookie", cookie);
                }
                let form = [("csrf", "another"), ("token", READER)];
                let answer = request
                    .header("sec-fetch-site", "cross-site")
                    .form(&form)
                    .send()
                    .await
                    .expect("an answer");
                assert_ne!(came(&answer), Came::In, "{route} by {name}: {}", answer.status());
            }
        }
        site.close().await;
    }
}

#[tokio::test]
async fn a_list_shows_the_projects_that_one_may_see() {
    let site = Site::open_as(false, GRANTS, &[]).await;
    let mut other = merge_request(1, "a");
    other.project = "pay/api".parse().expect("a path");
    other.project_id = seaworthy::model::ProjectId(8);
    other.source_project_id = Some(other.project_id);
    other.url = "https://gitlab.example.com/pay/api/-/merge_requests/1".to_owned();
    for mr in [&merge_request(1, "a"), &other] {
        projects::remember(&site.pool, mr.project_id, &mr.project)
            .await
            .expect("written");
        site.ended(mr, BuildState::Failed).await;
    }
    for (group, seen) in [("viewer", vec![2, 1]), ("elsewhere", vec![2])] {
        let cookie = site.sign_in(group, &[group], HOUR).await;
        let get = |path: &str| site.request(Method::GET, path, None).header("cookie", &cookie).send();
        let list: serde_json::Value = get("/api/builds").await.expect("an answer").json().await.expect("JSON");
        let ids: Vec<i64> = list["builds"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|build| build["id"].as_i64())
            .collect();
        assert_eq!(ids, seen, "{group}");
        let page = get("/").await.expect("an answer").text().await.expect("a text");
        assert_eq!(page.contains("shop/basket"), seen.contains(&1), "{group}");
        assert!(page.contains("pay/api"), "{group}");
        // By the commit that both have.
        let traced: serde_json::Value = get("/api/trace/aaaaaaaa")
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON");
        assert_eq!(traced.as_array().map(Vec::len), Some(seen.len()), "{group}: {traced}");
    }
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
