//! Sessions and tokens: what a stolen, forged, planted or forgotten one is worth.

use std::time::Duration;

use axum::http::header;
use reqwest::{Method, Response};
use seaworthy::model::{BuildId, BuildState, Role};
use seaworthy::store::{self, tokens};
use secrecy::SecretString;
use world::World;

use super::site::{Site, WRITER, mark_in, merge_request};

const HOUR: Duration = Duration::from_secs(3600);
const ADMINS: &str = r#"
    [[grant]]
    role = "release-manager"
    projects = ["**"]
    groups = ["release"]
    [[grant]]
    role = "developer"
    projects = ["shop/**"]
    users = ["anna"]
"#;

/// `name=value` of the cookies that an answer sets; those that it removes have no value.
fn cookies(answer: &Response) -> Vec<String> {
    answer
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|value| {
            value
                .to_str()
                .expect("a text")
                .split(';')
                .next()
                .expect("a pair")
                .to_owned()
        })
        .collect()
}

fn named(cookies: &[String], name: &str) -> String {
    let found = cookies.iter().find(|cookie| cookie.starts_with(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("no {name} in {cookies:?}")).clone()
}

/// Opens the sign-in page: the browser's cookie, and the mark of the form.
async fn visit(site: &Site) -> (String, String) {
    let page = site.get("/sign-in?next=/builds/1%3Flog%3Dall").await;
    let cookie = named(&cookies(&page), "seaworthy-visit");
    (cookie, mark_in(&page.text().await.expect("a text")))
}

async fn paste(site: &Site, token: &str, cookie: &str, mark: &str) -> Response {
    let form = [("token", token), ("next", "/builds/1?log=all"), ("csrf", mark)];
    let request = site
        .request(Method::POST, "/sign-in", None)
        .form(&form)
        .header("cookie", cookie);
    request
        .header("sec-fetch-site", "same-origin")
        .send()
        .await
        .expect("an answer")
}

#[tokio::test]
async fn a_pasted_token_becomes_a_session_and_is_not_kept_in_the_browser() {
    let site = Site::open_with(false).await;
    site.ended(&merge_request(1, "a"), BuildState::Failed).await;
    let home = site.get("/builds/1?log=all").await;
    assert_eq!(home.status(), 303);
    assert_eq!(home.headers()[header::LOCATION], "/sign-in?next=/builds/1%3Flog%3Dall");

    let (visitor, mark) = visit(&site).await;
    // A form that another site made, or that lies in another browser, signs nobody in.
    for (cookie, mark) in [
        ("", mark.as_str()),
        (&visitor, ""),
        (&visitor, "guessed"),
        ("seaworthy-visit=x", &mark),
    ] {
        assert_eq!(
            paste(&site, WRITER, cookie, mark).await.status(),
            403,
            "{cookie} {mark}"
        );
    }
    let wrong = paste(&site, "swt_nobody", &visitor, &mark).await;
    assert_eq!(wrong.status(), 401);
    assert!(
        !cookies(&wrong)
            .iter()
            .any(|cookie| cookie.starts_with("seaworthy-session"))
    );
    assert!(wrong.text().await.expect("a text").contains("there is no such token"));

    // An id that somebody planted into the browser before is worth nothing after the sign-in, and is not taken over.
    let planted = "seaworthy-session=planted-by-somebody";
    let right = paste(&site, WRITER, &format!("{planted}; {visitor}"), &mark).await;
    assert_eq!(right.status(), 303);
    assert_eq!(right.headers()[header::LOCATION], "/builds/1?log=all");
    let set = right.headers().get_all(header::SET_COOKIE);
    let set: Vec<&str> = set.iter().map(|value| value.to_str().expect("a text")).collect();
    let session_cookie = set
        .iter()
        .find(|cookie| cookie.starts_with("seaworthy-session="))
        .expect("a session");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=86400"] {
        assert!(session_cookie.contains(attribute), "{session_cookie}");
    }
    let session = named(&cookies(&right), "seaworthy-session");
    assert!(
        !session.contains(WRITER) && session.len() > 60 && session != planted,
        "{session}"
    );
    let get = |cookie: &str| {
        site.request(Method::GET, "/builds/1", None)
            .header("cookie", cookie)
            .send()
    };
    assert_eq!(get(planted).await.expect("an answer").status(), 303);
    let page = get(&session).await.expect("an answer").text().await.expect("a text");
    assert!(page.contains("Sign out") && page.contains("writer"), "{page}");
    // Only the hash of the id is in the database.
    let stored: i64 =
        sqlx::query_scalar("select count(*) from session where encode(sha256, 'escape') like '%' || $1 || '%'")
            .bind(session.split('=').nth(1))
            .fetch_one(&site.pool)
            .await
            .expect("a number");
    assert_eq!(stored, 0);

    // Signing in again ends the session that this browser had.
    let (visitor, mark) = visit(&site).await;
    let again = paste(&site, WRITER, &format!("{session}; {visitor}"), &mark).await;
    let second = named(&cookies(&again), "seaworthy-session");
    assert_eq!(
        get(&session).await.expect("an answer").status(),
        303,
        "the earlier session is over"
    );
    assert_eq!(get(&second).await.expect("an answer").status(), 200);

    // Its end ends the session; the page says so.
    assert!(tokens::revoke(&site.pool, "writer", None).await.expect("written"));
    assert_eq!(
        get(&second).await.expect("an answer").status(),
        303,
        "a revoked token opens nothing"
    );
    let page = site
        .request(Method::GET, "/sign-in", None)
        .header("cookie", &second)
        .send();
    let page = page.await.expect("an answer").text().await.expect("a text");
    assert!(page.contains("Your session has ended"), "{page}");
    site.close().await;
}

#[tokio::test]
async fn what_changes_something_by_cookie_comes_from_a_form_of_ours() {
    let site = Site::open_as(true, ADMINS, &[]).await;
    site.ended(&merge_request(1, "a"), BuildState::Failed).await;
    let (anna, ben) = (
        site.sign_in("anna", &[], HOUR).await,
        site.sign_in("ben", &["release"], HOUR).await,
    );
    let (mark, other) = (site.mark("/builds/1", &anna).await, site.mark("/builds/1", &ben).await);
    assert_ne!(mark, other);
    let press = |path: &str, header: (&'static str, &'static str), mark: &str| {
        let request = site.request(Method::POST, path, None).header("cookie", &anna);
        request.header(header.0, header.1).form(&[("csrf", mark)]).send()
    };
    let ours = ("sec-fetch-site", "same-origin");
    for (header, mark) in [
        (("sec-fetch-site", "cross-site"), mark.as_str()),
        (("sec-fetch-site", "same-site"), &mark),
        (("origin", "https://evil.example"), &mark),
        (("x-nothing", "said"), &mark),
        (ours, ""),
        (ours, &other),
    ] {
        for path in [
            "/builds/1/rebuild",
            "/api/builds/1/rebuild",
            "/account/tokens",
            "/sign-out",
        ] {
            let answer = press(path, header, mark).await.expect("an answer");
            assert_eq!(answer.status(), 403, "{path} {header:?} {mark:?}");
        }
    }
    assert_eq!(
        press("/builds/1/rebuild", ours, &mark)
            .await
            .expect("an answer")
            .status(),
        303
    );
    let made = site.record(BuildId(2)).await;
    assert_eq!(made.requested_by.as_deref(), Some("anna"));
    // A script of ours sends the mark in a header.
    let order = site
        .request(Method::POST, "/api/builds/2/cancel", None)
        .header("cookie", &anna);
    let order = order
        .header(ours.0, ours.1)
        .header("x-csrf-token", &mark)
        .send()
        .await
        .expect("an answer");
    assert_eq!(order.status(), 200);

    // Signing out ends the session on the server too.
    let out = press("/sign-out", ours, &mark).await.expect("an answer");
    assert_eq!(
        (out.status().as_u16(), cookies(&out)),
        (303, vec!["seaworthy-session=".to_owned()])
    );
    let page = site
        .request(Method::GET, "/account", None)
        .header("cookie", &anna)
        .send()
        .await
        .expect("an answer");
    assert_eq!(page.headers()[header::LOCATION], "/sign-in?next=/account");
    site.close().await;
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let site = Site::open_as(false, ADMINS, &[("SIGN_IN_SESSION_IDLE", "1h")]).await;
    let account = async |cookie: &str| {
        let answer = site
            .request(Method::GET, "/api/builds", None)
            .header("cookie", cookie)
            .send()
            .await;
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        let body: serde_json::Value = answer.json().await.expect("JSON");
        (status, body["error"].as_str().unwrap_or_default().to_owned())
    };
    let ben = site.sign_in("ben", &["release"], HOUR).await;
    assert_eq!(account(&ben).await.0, 200);
    let set = async |what: &'static str| {
        sqlx::query(sqlx::AssertSqlSafe(format!("update session set {what}")))
            .execute(&site.pool)
            .await
            .expect("written");
    };
    // Used a moment before the hour is over: the hour begins anew.
    set("seen_at = now() - interval '59 minutes'").await;
    assert_eq!(account(&ben).await.0, 200);
    let idle: bool = sqlx::query_scalar("select seen_at < now() - interval '1 minute' from session")
        .fetch_one(&site.pool)
        .await
        .expect("a session");
    assert!(!idle);
    set("seen_at = now() - interval '61 minutes'").await;
    let (status, error) = account(&ben).await;
    assert_eq!(status, 401);
    assert!(error.starts_with("your session has ended: to read, sign in"), "{error}");
    set("seen_at = now(), expires_at = now()").await;
    assert_eq!(account(&ben).await.0, 401);
    // The next sign-in sweeps it away.
    site.sign_in("anna", &[], HOUR).await;
    let left: i64 = sqlx::query_scalar("select count(*) from session")
        .fetch_one(&site.pool)
        .await
        .expect("a number");
    assert_eq!(left, 1);
    site.close().await;
}

#[tokio::test]
async fn a_token_in_an_address_is_refused_and_one_that_is_over_says_why() {
    let site = Site::open().await;
    for path in [
        "/api/builds?token=swt_writer",
        "/api/builds?limit=1&access_token=swt_writer",
        "/builds/1?private_token=x",
        "/?commit=swt_writer",
        "/sign-in?token=swt_writer",
    ] {
        let answer = site
            .request(Method::GET, path, Some(WRITER))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 400, "{path}");
        let text = answer.text().await.expect("a text");
        assert!(text.contains("must not stand in an address"), "{path}: {text}");
        assert!(!text.contains("swt_writer"), "{path}: {text}");
    }
    let error = async |token: &str| {
        let answer = site
            .request(Method::GET, "/api/builds", Some(token))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 401);
        let body: serde_json::Value = answer.json().await.expect("JSON");
        body["error"].as_str().expect("a sentence").to_owned()
    };
    assert!(error("swt_nobody").await.starts_with("there is no such token"));
    site.expire("writer").await;
    assert!(error(WRITER).await.starts_with("the token writer expired on 2"));
    assert!(tokens::revoke(&site.pool, "writer", None).await.expect("written"));
    assert!(error(WRITER).await.starts_with("the token writer was revoked"));
    site.close().await;
}

#[tokio::test]
async fn a_person_makes_tokens_that_may_no_more_than_he() {
    let site = Site::open_as(false, ADMINS, &[]).await;
    site.ended(&merge_request(1, "a"), BuildState::Failed).await;
    let anna = site.sign_in("anna", &[], HOUR).await;
    let ben = site.sign_in("ben", &["release"], HOUR).await;
    let mark = site.mark("/account", &anna).await;
    let form = |path: &'static str, fields: Vec<(&'static str, String)>| {
        let mut fields = fields;
        fields.push(("csrf", mark.clone()));
        let request = site.request(Method::POST, path, None).header("cookie", &anna);
        request.header("sec-fetch-site", "same-origin").form(&fields).send()
    };
    let new = |name: &str, role: &str, projects: &str, days: &str| {
        form(
            "/account/tokens",
            vec![
                ("name", name.to_owned()),
                ("role", role.to_owned()),
                ("projects", projects.to_owned()),
                ("days", days.to_owned()),
            ],
        )
    };
    for (name, role, projects, days, told) in [
        ("", "viewer", "**", "1", "is no name for a token"),
        ("a/b", "viewer", "**", "1", "is no name for a token"),
        ("a", "boss", "**", "1", "role: not a role"),
        ("a", "viewer", "shop//x", "1", "projects: "),
        ("a", "viewer", " ", "1", "name at least one"),
        ("a", "viewer", "**", "0", "a number from 1 to 366"),
        ("a", "viewer", "**", "367", "a number from 1 to 366"),
    ] {
        let answer = new(name, role, projects, days).await.expect("an answer");
        assert_eq!(answer.status(), 400, "{told}");
        assert!(answer.text().await.expect("a text").contains(told), "{told}");
    }
    // She asks for more than she is: the token is what she is.
    let page = new("laptop", "admin", "**", "30").await.expect("an answer");
    assert_eq!(page.status(), 200);
    let page = page.text().await.expect("a text");
    let (_, rest) = page.split_once("data-copy>swt_").expect("the token, once");
    let token = format!("swt_{}", rest.split('<').next().expect("its end"));
    assert_eq!(
        new("laptop", "viewer", "**", "1").await.expect("an answer").status(),
        409
    );
    let order = async |path: &str| {
        let answer = site
            .request(Method::POST, path, Some(&token))
            .send()
            .await
            .expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    };
    assert_eq!(order("/api/builds/1/rebuild").await.0, 200);
    assert_eq!(
        site.record(BuildId(2)).await.requested_by.as_deref(),
        Some("anna/laptop")
    );
    let (status, told) = order("/account/tokens").await;
    assert_eq!(status, 403);
    assert!(
        told.contains("anna/laptop is a token: sign in as a person to manage an account"),
        "{told}"
    );
    let (status, told) = order("/tokens/revoke").await;
    assert_eq!(status, 403);
    assert!(told.contains("that needs the role admin"), "{told}");

    // Last use is shown; nobody else can revoke it there.
    let page = site
        .request(Method::GET, "/account", None)
        .header("cookie", &anna)
        .send()
        .await
        .expect("an answer");
    let page = page.text().await.expect("a text");
    assert!(
        page.contains("anna/laptop") && !page.contains(">never<") && !page.contains(&token),
        "{page}"
    );
    let theirs = site.mark("/account", &ben).await;
    let revoke = site
        .request(Method::POST, "/account/tokens/revoke", None)
        .header("cookie", &ben);
    let revoke = revoke
        .header("sec-fetch-site", "same-origin")
        .form(&[("name", "anna/laptop"), ("csrf", &theirs)]);
    assert_eq!(revoke.send().await.expect("an answer").status(), 404);
    let done = form("/account/tokens/revoke", vec![("name", "anna/laptop".to_owned())]).await;
    assert_eq!(done.expect("an answer").status(), 303);
    assert_eq!(order("/api/builds/2/cancel").await.0, 401);

    // Another of her browsers is ended from here, somebody else's is not.
    let second = site.sign_in("anna", &[], HOUR).await;
    let theirs: i64 =
        sqlx::query_scalar("select max(s.id) from session s join person p on p.id = s.person where login = 'ben'")
            .fetch_one(&site.pool)
            .await
            .expect("a session");
    let end = async |id: i64| {
        let request = site
            .request(Method::POST, &format!("/account/sessions/{id}/end"), None)
            .header("cookie", &anna);
        let request = request
            .header("sec-fetch-site", "same-origin")
            .form(&[("csrf", mark.as_str())]);
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(end(theirs).await, 404);
    let hers: i64 = sqlx::query_scalar("select max(id) from session")
        .fetch_one(&site.pool)
        .await
        .expect("a session");
    assert_eq!(end(hers).await, 303);
    let page = site
        .request(Method::GET, "/account", None)
        .header("cookie", &second)
        .send()
        .await
        .expect("an answer");
    assert_eq!(page.status(), 303, "that browser is signed out");
    // Tokens made beside the database keep their role.
    assert!(
        tokens::create(&site.pool, "robot", "swt_robot", Role::Viewer)
            .await
            .expect("made")
    );
    site.close().await;
}

#[tokio::test]
async fn over_https_no_sibling_of_the_host_can_plant_a_cookie() {
    let site = Site::open_as(true, ADMINS, &[("SERVER_PUBLIC_URL", "https://ci.example.com")]).await;
    let page = site.get("/sign-in").await;
    let visit = named(&cookies(&page), "__Host-seaworthy-visit");
    let mark = mark_in(&page.text().await.expect("a text"));
    let right = paste(&site, WRITER, &visit, &mark).await;
    let set = right.headers().get_all(header::SET_COOKIE);
    let set: Vec<&str> = set.iter().map(|value| value.to_str().expect("a text")).collect();
    let session = set
        .iter()
        .find(|cookie| cookie.starts_with("__Host-seaworthy-session="))
        .expect("a session");
    assert!(
        session.contains("; Path=/;") && session.ends_with("; Secure"),
        "{session}"
    );
    assert!(!session.contains("Domain"), "{session}");
    // A cookie of the plain name, which a sibling could plant, is nobody's.
    let value = session.split(['=', ';']).nth(1).expect("a value");
    let get = |cookie: String| {
        site.request(Method::GET, "/account", None)
            .header("cookie", cookie)
            .send()
    };
    assert_eq!(
        get(format!("seaworthy-session={value}"))
            .await
            .expect("an answer")
            .status(),
        303
    );
    let known = get(format!("__Host-seaworthy-session={value}"))
        .await
        .expect("an answer");
    assert_eq!(known.status(), 403, "a token is known, and is no person");
    site.close().await;
}

#[tokio::test]
async fn tokens_of_before_roles_keep_what_they_could_and_come_to_an_end() {
    let world = World::attach();
    let name = format!("web_{}", uuid::Uuid::new_v4().simple());
    let database = world.postgres.create_database(&name).await.expect("a database");
    let pool = store::connect(&SecretString::from(database.url.clone()), 2).expect("a URL of Postgres");
    // The schema of before, with what was in it.
    let mut files: Vec<_> = std::fs::read_dir("migrations")
        .expect("a folder")
        .flatten()
        .map(|file| file.path())
        .collect();
    files.sort();
    let number = |path: &std::path::Path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .map(|name| name[..4].to_owned())
    };
    for file in files
        .iter()
        .filter(|file| number(file).is_some_and(|number| *"0009" > *number))
    {
        let sql = std::fs::read_to_string(file).expect("a migration");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&pool)
            .await
            .expect("it runs");
    }
    let old =
        "insert into api_token (name, sha256, may_write) values ('writer', '\\x01', true), ('reader', '\\x02', false)";
    sqlx::query(old).execute(&pool).await.expect("written");
    let people = files
        .iter()
        .find(|file| number(file).as_deref() == Some("0009"))
        .expect("the migration");
    let sql = std::fs::read_to_string(people).expect("a migration");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&pool)
        .await
        .expect("it runs");

    let found = tokens::list(&pool, None).await.expect("asked");
    let found: Vec<_> = found
        .iter()
        .map(|token| (token.name.as_str(), token.role, &token.projects[..]))
        .collect();
    let all = ["**".to_owned()];
    assert_eq!(
        found,
        [
            ("reader", Role::Viewer, &all[..]),
            ("writer", Role::Developer, &all[..])
        ]
    );
    for token in tokens::list(&pool, None).await.expect("asked") {
        assert_eq!((token.expires_at - token.created_at).num_days(), 90, "{}", token.name);
    }
    // A process of the version before still makes tokens: what it says of them is not believed.
    let old = "insert into api_token (name, sha256, may_write) values ('late', '\\x03', true)";
    sqlx::query(old).execute(&pool).await.expect("written");
    let late = tokens::list(&pool, None).await.expect("asked").remove(0);
    assert_eq!((late.name.as_str(), late.role), ("late", Role::Viewer));
    pool.close().await;
    database.close().await.expect("the database goes");
}
