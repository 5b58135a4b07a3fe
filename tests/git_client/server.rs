//! A Git server for the tests: the real `git http-backend` behind HTTP with a password, and counters; and a repository to fill it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;

/// The password that must be found nowhere.
pub const TOKEN: &str = "canary-glpat-5Zk2";

/// What the server was told to do and what it saw.
#[derive(Default)]
pub struct Seen {
    pub requests: AtomicUsize,
    pub refused: AtomicUsize,
    /// From now on no request for objects is answered.
    pub mute: AtomicBool,
    /// Fires when a request is left unanswered.
    pub muted: Notify,
}

struct Shared {
    root: PathBuf,
    seen: Arc<Seen>,
}

/// The server; ends with its runtime.
pub struct Server {
    pub url: String,
    pub seen: Arc<Seen>,
}

impl Server {
    pub async fn start(root: &Path) -> Self {
        let seen = Arc::new(Seen::default());
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            seen: Arc::clone(&seen),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let app = Router::new().fallback(serve).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, seen }
    }
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let seen = &shared.seen;
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let expected = base64::engine::general_purpose::STANDARD.encode(format!("seaworthy:{TOKEN}"));
    let given = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    if given != Some(&format!("Basic {expected}")) {
        seen.refused.fetch_add(1, Ordering::SeqCst);
        let echo = format!("HTTP Basic: Access denied for {given:?} {TOKEN}\n");
        return (StatusCode::UNAUTHORIZED, echo).into_response();
    }
    match uri.path().split('/').nth(1) {
        Some("broken") => return (StatusCode::BAD_GATEWAY, "<html>nginx</html>").into_response(),
        Some("page") => return ([(header::CONTENT_TYPE, "text/html")], "<html>").into_response(),
        Some("elsewhere") => {
            let to = [(header::LOCATION, "http://other.invalid/shop/basket.git/info/refs")];
            return (StatusCode::FOUND, to).into_response();
        }
        Some("moved") => {
            let to = uri.to_string().replacen("/moved/", "/shop/", 1);
            return (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)]).into_response();
        }
        _ => {}
    }
    if method == Method::POST && seen.mute.load(Ordering::SeqCst) {
        seen.muted.notify_one();
        return std::future::pending().await;
    }
    backend(&shared.root, &method, &uri, &headers, &body).await
}

/// Speaks CGI (RFC 3875) with `git http-backend`.
async fn backend(root: &Path, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
    let mut child = tokio::process::Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("REQUEST_METHOD", method.as_str())
        .env("PATH_INFO", uri.path())
        .env("QUERY_STRING", uri.query().unwrap_or(""))
        .env("CONTENT_TYPE", text(header::CONTENT_TYPE))
        .env("CONTENT_LENGTH", body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git http-backend");
    let mut stdin = child.stdin.take().expect("piped");
    let body = body.to_vec();
    tokio::spawn(async move {
        // The backend may answer without reading to the end.
        let _ = stdin.write_all(&body).await;
    });
    let answer = child.wait_with_output().await.expect("an answer").stdout;
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a CGI header");
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(&answer[..end]).lines() {
        let (name, value) = line.split_once(": ").expect("a header line");
        response = match name {
            "Status" => response.status(value[..3].parse::<u16>().expect("a status")),
            _ => response.header(name, value),
        };
    }
    response
        .body(Body::from(answer[end + 4..].to_vec()))
        .expect("a response")
}

/// A developer's clone, and the bare repository `shop/basket.git` on the server that it pushes to.
pub struct Repository {
    pub root: PathBuf,
    work: PathBuf,
}

impl Repository {
    pub fn new(dir: &Path) -> Self {
        let this = Self {
            root: dir.join("server"),
            work: dir.join("work"),
        };
        let bare = this.root.join("shop/basket.git");
        std::fs::create_dir_all(&bare).expect("a directory");
        std::fs::create_dir_all(&this.work).expect("a directory");
        let at = bare.to_str().expect("UTF-8");
        this.git(&["init", "--quiet", "--bare", "--initial-branch=main", at]);
        this.git(&["-C", at, "config", "uploadpack.allowAnySHA1InWant", "true"]);
        this.git(&["init", "--quiet", "--initial-branch=main", "."]);
        this.git(&["remote", "add", "origin", at]);
        for n in 0..40 {
            this.write(&format!("src/File{n}.java"), &format!("class File{n} {{}}\n"));
        }
        this.write("README", "one\ntwo\nthree\n");
        this.commit("Begin");
        this.push("main", "refs/heads/main");
        this
    }

    /// Runs git in the clone, returns what it prints.
    pub fn git(&self, args: &[&str]) -> String {
        self.git_with(args, b"")
    }

    /// The same with something on stdin.
    pub fn git_with(&self, args: &[&str], stdin: &[u8]) -> String {
        use std::io::Write as _;
        let mut child = Command::new("git")
            .args(args)
            .current_dir(&self.work)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .envs([
                ("GIT_AUTHOR_NAME", "Ada"),
                ("GIT_AUTHOR_EMAIL", "ada@example.com"),
                ("GIT_COMMITTER_NAME", "Bob"),
                ("GIT_COMMITTER_EMAIL", "bob@example.com"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("git");
        let mut pipe = child.stdin.take().expect("piped");
        pipe.write_all(stdin).expect("written");
        drop(pipe);
        let out = child.wait_with_output().expect("git ends");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "git {args:?}: {said}");
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    pub fn write(&self, path: &str, content: &str) {
        let file = self.work.join(path);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, content).expect("written");
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.work.join(path)
    }

    pub fn commit(&self, subject: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn push(&self, from: &str, to: &str) {
        self.git(&["push", "--quiet", "--force", "origin", &format!("{from}:{to}")]);
    }

    /// Begins the branch anew at `from`, applies one commit that writes `path`, and makes it merge request 7's head.
    pub fn merge_request(&self, from: &str, path: &str, content: &str) -> String {
        self.git(&["checkout", "--quiet", "-B", "feature", from]);
        self.write(path, content);
        let head = self.commit(&format!("Change {path}"));
        self.push("feature", "refs/merge-requests/7/head");
        head
    }

    /// One more commit on main.
    pub fn advance_main(&self, path: &str, content: &str) -> String {
        self.git(&["checkout", "--quiet", "main"]);
        self.write(path, content);
        let tip = self.commit(&format!("Main changes {path}"));
        self.push("main", "refs/heads/main");
        tip
    }
}
