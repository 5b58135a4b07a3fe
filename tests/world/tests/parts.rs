//! The parts that need nothing but Debian's packages: each is started, used, stopped and started again for real.
//! They run where the packages are; `make test` sees to that.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Stdio;

use serde_json::{Value, json};
use world::gitlab::{Access, Event, GitLab, OpenMr};
use world::http::client;
use world::registry::{Registry, RegistryOptions};

#[tokio::test]
async fn a_registry_asks_for_its_password_and_comes_back_on_its_port() {
    let dir = tempfile::tempdir().unwrap();
    let login = Some(("me".to_owned(), "pass:word".to_owned()));
    let options = RegistryOptions {
        storage: dir.path().join("storage"),
        port: 0,
        login,
    };
    let registry = Registry::start(dir.path(), options).await.unwrap();
    let url = format!("http://{}/v2/", registry.address);
    assert_eq!(client().get(&url).send().await.unwrap().status(), 401);
    assert_eq!(
        client()
            .get(&url)
            .basic_auth("me", Some("wrong"))
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    assert_eq!(
        client()
            .get(&url)
            .basic_auth("me", Some("pass:word"))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    registry.stop().await.unwrap();
    assert!(client().get(&url).send().await.is_err());
    registry.start_again().await.unwrap();
    assert_eq!(registry.digest("no/such", "tag").await.unwrap(), None);
    registry.stop().await.unwrap();
}

/// Postgres must pass through the folders above, which a private temporary folder forbids.
#[tokio::test]
async fn a_database_survives_a_crash_of_its_server() {
    use sqlx::{Connection, Executor, PgConnection, Row};
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let postgres = world::postgres::Postgres::start(dir.path()).await.unwrap();
    let database = postgres.create_database("one").await.unwrap();
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    connection.execute("CREATE TABLE t AS SELECT 7 AS n").await.unwrap();
    postgres.crash().await.unwrap();
    assert!(connection.execute("SELECT 1").await.is_err());
    postgres.start_again().await.unwrap();
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let row = connection.fetch_one("SELECT n FROM t").await.unwrap();
    assert_eq!(row.get::<i32, _>(0), 7);
    let url = database.url.clone();
    database.close().await.unwrap();
    assert!(PgConnection::connect(&url).await.is_err());
    postgres.stop().await.unwrap();
}

const MAIL: &str = "From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
    Message-ID: <1@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n\
    --x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nU2Now7Zu\r\n\
    --x\r\nContent-Type: text/html\r\n\r\n<p>fine</p>\r\n--x--\r\n";

/// Speaks SMTP by hand, and returns the last answer.
async fn submit(port: u16, login: &str) -> String {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let mut stream = BufReader::new(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    let body = format!("{MAIL}.");
    let lines = [
        "EHLO me",
        login,
        "MAIL FROM:<a@example.com>",
        "RCPT TO:<b@example.com>",
        "DATA",
        &body,
    ];
    let mut answer = String::new();
    stream.read_line(&mut answer).await.unwrap();
    for line in lines {
        stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        loop {
            answer.clear();
            stream.read_line(&mut answer).await.unwrap();
            if answer.as_bytes()[3] == b' ' {
                break;
            }
        }
        if answer.starts_with('5') {
            break;
        }
    }
    answer
}

#[tokio::test]
async fn a_mail_needs_the_password_and_is_kept() {
    use base64::Engine as _;
    let dir = tempfile::tempdir().unwrap();
    let smtp = world::smtp::Smtp::start(dir.path()).await.unwrap();
    let plain = |password: &str| {
        let text = format!("\0{}\0{password}", smtp.user);
        format!("AUTH PLAIN {}", base64::engine::general_purpose::STANDARD.encode(text))
    };
    assert!(submit(smtp.port, "NOOP").await.starts_with("530"));
    assert!(submit(smtp.port, &plain("wrong")).await.starts_with("535"));
    assert!(smtp.mails().await.unwrap().is_empty());
    assert!(submit(smtp.port, &plain(&smtp.password)).await.starts_with("250"));
    smtp.stop().await.unwrap();
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", smtp.port)).await.is_err());
    smtp.start_again().await.unwrap();
    assert!(submit(smtp.port, &plain(&smtp.password)).await.starts_with("250"));
    let mails = smtp.mails().await.unwrap();
    assert_eq!(mails.len(), 2);
    let mail = &mails[0];
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("a@example.com", &["b@example.com".to_owned()][..])
    );
    assert_eq!(
        (mail.subject.as_str(), mail.message_id.as_str()),
        ("Grüße", "<1@example.com>")
    );
    assert_eq!((mail.text.as_str(), mail.html.trim()), ("Schön", "<p>fine</p>"));
    smtp.stop().await.unwrap();
}

/// A stand-in with one project `shop/cart`.
async fn shop() -> (tempfile::TempDir, GitLab) {
    let dir = tempfile::tempdir().unwrap();
    let files = dir.path().join("files");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("pom.xml"), "<project/>").unwrap();
    let gitlab = GitLab::start(&dir.path().join("gitlab"), 0).await.unwrap();
    gitlab.create_project("shop/cart", &files).await.unwrap();
    (dir, gitlab)
}

/// Status and JSON of one API call.
async fn call(gitlab: &GitLab, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("{}/api/v4{path}", gitlab.url());
    let mut request = client()
        .request(method.parse().unwrap(), url)
        .header("PRIVATE-TOKEN", gitlab.api_token());
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn git_serves_the_head_of_a_fork_to_whoever_has_the_token() {
    let (dir, gitlab) = shop().await;
    let fork = OpenMr {
        fork: Some("mallory/cart".to_owned()),
        author: "mallory".to_owned(),
        ..OpenMr::default()
    };
    let mr = gitlab
        .open_mr("shop/cart", "feature/x", &[("src/a.txt", "one")], fork)
        .await
        .unwrap();
    assert_ne!(mr.source_project_id, mr.project_id);
    let mr = gitlab.push(&mr, &[("src/a.txt", "two")], "More").await.unwrap();
    let fetch = async |password: &str| {
        let url = gitlab.url().replace("http://", &format!("http://any:{password}@"));
        let mut command = tokio::process::Command::new("git");
        command.args([
            "ls-remote",
            &format!("{url}/shop/cart.git"),
            "refs/merge-requests/1/head",
        ]);
        command.env("GIT_TERMINAL_PROMPT", "0").stderr(Stdio::null());
        String::from_utf8(command.output().await.unwrap().stdout).unwrap()
    };
    assert_eq!(fetch("wrong").await, "");
    assert_eq!(gitlab.failed_git_logins(), 1);
    assert_eq!(
        fetch(&gitlab.git_token()).await,
        format!("{}\trefs/merge-requests/1/head\n", mr.head)
    );
    let clone = dir.path().join("clone");
    let url = gitlab
        .url()
        .replace("http://", &format!("http://any:{}@", gitlab.git_token()));
    let mut command = tokio::process::Command::new("git");
    command
        .args(["clone", "-q", &format!("{url}/shop/cart.git")])
        .arg(&clone);
    assert!(command.status().await.unwrap().success());
    assert!(clone.join("pom.xml").exists());
}

#[tokio::test]
async fn a_status_moves_as_gitlab_lets_it() {
    let (_dir, gitlab) = shop().await;
    let mr = gitlab
        .open_mr("shop/cart", "b", &[("a", "1")], OpenMr::default())
        .await
        .unwrap();
    let post = async |sha: &str, body: Value| {
        call(
            &gitlab,
            "POST",
            &format!("/projects/shop%2Fcart/statuses/{sha}"),
            Some(body),
        )
        .await
    };
    assert_eq!(
        post(&"0".repeat(40), json!({"state": "pending"})).await,
        (404, json!({"message": "404 Commit Not Found"}))
    );
    assert_eq!(post(&mr.head, json!({"state": "pending", "name": "sea"})).await.0, 201);
    let (status, said) = post(&mr.head, json!({"state": "pending", "name": "sea"})).await;
    let message = said["message"].as_str().unwrap();
    assert!(
        status == 400 && message.starts_with("Cannot transition status via :enqueue from :pending"),
        "{message}"
    );
    assert_eq!(post(&mr.head, json!({"state": "running", "name": "sea"})).await.0, 201);
    let (status, said) = post(&mr.head, json!({"state": "running", "name": "sea"})).await;
    assert!(
        status == 400
            && said["message"]
                .as_str()
                .unwrap()
                .starts_with("Cannot transition status via :run")
    );
    assert_eq!(post(&mr.head, json!({"state": "success", "name": "sea"})).await.0, 201);
    // A finished row is not reopened: the next pending makes another.
    assert_eq!(post(&mr.head, json!({"state": "pending", "name": "sea"})).await.0, 201);
    let rows: Vec<_> = gitlab.statuses().into_iter().map(|row| row.history).collect();
    assert_eq!(rows, [vec!["pending", "running", "success"], vec!["pending"]]);
    let fork = OpenMr {
        fork: Some("eve/cart".to_owned()),
        ..OpenMr::default()
    };
    let forked = gitlab.open_mr("shop/cart", "c", &[("a", "2")], fork).await.unwrap();
    let (status, said) = post(&forked.head, json!({"state": "pending"})).await;
    assert_eq!(
        (status, said),
        (404, json!({"message": "404 References for commit Not Found"}))
    );
    assert_eq!(
        post(&mr.head, json!({"state": "failed", "description": "x".repeat(256)}))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn merge_requests_are_paged_and_notes_edited() {
    let (_dir, gitlab) = shop().await;
    for number in 1..=3 {
        gitlab
            .open_mr("shop/cart", &format!("b{number}"), &[("a", "1")], OpenMr::default())
            .await
            .unwrap();
    }
    gitlab.close(&gitlab.mr("shop/cart", 2).unwrap()).unwrap();
    let url = format!(
        "{}/api/v4/projects/shop%2Fcart/merge_requests?state=opened&per_page=1",
        gitlab.url()
    );
    let answer = client().get(&url).bearer_auth(gitlab.api_token()).send().await.unwrap();
    assert_eq!(answer.headers()["X-Next-Page"], "2");
    let last = client()
        .get(format!("{url}&page=2"))
        .bearer_auth(gitlab.api_token())
        .send()
        .await
        .unwrap();
    assert_eq!(last.headers()["X-Next-Page"], "");
    assert_eq!(last.json::<Value>().await.unwrap()[0]["iid"], 1);
    let (_, mr) = call(&gitlab, "GET", "/projects/shop%2Fcart/merge_requests/1", None).await;
    assert_eq!(mr["diff_refs"]["head_sha"], mr["sha"]);
    let (_, branch) = call(&gitlab, "GET", "/projects/shop%2Fcart/repository/branches/main", None).await;
    assert_eq!(branch["commit"]["id"], mr["diff_refs"]["start_sha"]);
    let notes = "/projects/shop%2Fcart/merge_requests/1/notes";
    let (status, note) = call(&gitlab, "POST", notes, Some(json!({"body": "one"}))).await;
    assert_eq!(status, 201);
    let edit = format!("{notes}/{}", note["id"]);
    assert_eq!(call(&gitlab, "PUT", &edit, Some(json!({"body": "two"}))).await.0, 200);
    let kept = gitlab.notes();
    assert_eq!((kept.len(), kept[0].body.as_str(), kept[0].edits), (1, "two", 1));
}

#[tokio::test]
async fn it_refuses_fails_and_goes_down_when_told() {
    let (_dir, gitlab) = shop().await;
    let bare = client()
        .get(format!("{}/api/v4/version", gitlab.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status(), 401);
    gitlab.fail("/api/v4/version", 503, 1);
    assert_eq!(call(&gitlab, "GET", "/version", None).await.0, 503);
    assert_eq!(call(&gitlab, "GET", "/version", None).await.0, 200);
    gitlab.set_access(Access {
        scopes: vec!["read_api".to_owned()],
        level: 30,
    });
    assert_eq!(call(&gitlab, "GET", "/projects/shop%2Fcart/hooks", None).await.0, 403);
    let (status, said) = call(
        &gitlab,
        "POST",
        "/projects/shop%2Fcart/hooks",
        Some(json!({"url": "http://x/"})),
    )
    .await;
    assert_eq!((status, said["error"].as_str()), (403, Some("insufficient_scope")));
    assert_eq!(
        call(&gitlab, "GET", "/personal_access_tokens/self", None).await.1["scopes"],
        json!(["read_api"])
    );
    gitlab.go_down().await;
    assert!(
        client()
            .get(format!("{}/api/v4/version", gitlab.url()))
            .send()
            .await
            .is_err()
    );
    gitlab.come_back().await.unwrap();
    assert_eq!(call(&gitlab, "GET", "/version", None).await.0, 200);
}

/// A receiver that keeps the headers and body of what it gets.
async fn receiver() -> (
    String,
    tokio::sync::mpsc::UnboundedReceiver<(axum::http::HeaderMap, Value)>,
) {
    let (sender, kept) = tokio::sync::mpsc::unbounded_channel();
    let take = async move |headers: axum::http::HeaderMap, axum::Json(body): axum::Json<Value>| {
        sender.send((headers, body)).unwrap();
        axum::http::StatusCode::ACCEPTED
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, axum::Router::new().route("/hook", axum::routing::post(take))).await });
    (url, kept)
}

#[tokio::test]
async fn a_push_is_delivered_with_oldrev_and_a_test_without() {
    let (_dir, gitlab) = shop().await;
    let (url, mut kept) = receiver().await;
    let mr = gitlab
        .open_mr("shop/cart", "b", &[("a", "1")], OpenMr::default())
        .await
        .unwrap();
    let hook = json!({"url": url, "token": "s3cret", "merge_requests_events": true});
    let (status, made) = call(&gitlab, "POST", "/projects/shop%2Fcart/hooks", Some(hook)).await;
    assert_eq!((status, made.get("token")), (201, None));
    let pushed = gitlab.push(&mr, &[("a", "2")], "Second").await.unwrap();
    assert_eq!(gitlab.send_hooks(&pushed, Event::Push).await.unwrap()[0].status, 202);
    let (headers, body) = kept.recv().await.unwrap();
    assert_eq!(headers["X-Gitlab-Token"], "s3cret");
    assert_eq!(headers["X-Gitlab-Event"], "Merge Request Hook");
    assert_eq!(headers["Idempotency-Key"].len(), 36);
    let attributes = &body["object_attributes"];
    assert_eq!(attributes["action"], "update");
    assert_eq!(attributes["oldrev"], mr.head);
    assert_eq!(attributes["last_commit"]["id"], pushed.head);
    assert_eq!(attributes["last_commit"]["message"], "Second\n");
    let test = format!("/projects/shop%2Fcart/hooks/{}/test/merge_requests_events", made["id"]);
    assert_eq!(call(&gitlab, "POST", &test, None).await.0, 201);
    let (_, body) = kept.recv().await.unwrap();
    assert_eq!(
        (
            &body["object_attributes"]["action"],
            body["object_attributes"].get("oldrev")
        ),
        (&json!("open"), None)
    );
}

#[tokio::test]
async fn another_process_drives_it_over_control() {
    let (_dir, gitlab) = shop().await;
    let order = async |verb: &str, body: Value| -> Value {
        let url = format!("{}/-/control/{verb}", gitlab.url());
        client()
            .post(url)
            .json(&body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    let mr = order(
        "open_mr",
        json!({"project": "shop/cart", "branch": "b", "edits": {"a": "1"}}),
    )
    .await;
    assert_eq!((&mr["iid"], &mr["state"]), (&json!(1), &json!("opened")));
    let hook = order("webhook", json!({"project": "shop/cart", "iid": 1, "event": "open"})).await;
    assert!(hook["body"].as_str().unwrap().contains(mr["head"].as_str().unwrap()));
    assert_eq!(order("info", json!({})).await["api_token"], gitlab.api_token());
    assert!(
        order("push", json!({"project": "shop/cart"})).await["error"]
            .as_str()
            .unwrap()
            .contains("iid")
    );
    assert_eq!(order("told", json!({})).await["seen"], json!([]));
}
