//! Git over smart HTTP: the real `git http-backend`, behind Basic auth as GitLab does it.

use std::process::Stdio;

use anyhow::{Context, Result};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdout, Command};

use super::Shared;
use super::repository::place;

/// So many wrong passwords, and GitLab answers 403 for an hour.
const PATIENCE: u32 = 30;

/// The project's path and the rest, if this is a request of a Git client.
pub(super) fn split(path: &str) -> Option<(String, &'static str)> {
    let ends = ["/info/refs", "/git-upload-pack", "/git-receive-pack"];
    let end = ends.into_iter().find(|end| path.ends_with(end))?;
    let project = path.strip_suffix(end)?.trim_start_matches('/');
    let project = project.strip_suffix(".git").unwrap_or(project);
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']);
    project.split('/').all(plain).then(|| (project.to_owned(), end))
}

/// Answers one request of a Git client.
pub(super) async fn answer(shared: &Shared, project: &str, end: &str, request: Request) -> Response {
    let allowed = {
        let mut state = shared.lock();
        if state.failed_git_logins >= PATIENCE {
            return (StatusCode::FORBIDDEN, "Forbidden\n").into_response();
        }
        match basic(request.headers()) {
            Some((user, password)) => {
                let right = !user.is_empty() && (password == state.git_token || password == state.api_token);
                state.failed_git_logins += u32::from(!right);
                right
            }
            None => false,
        }
    };
    if !allowed {
        let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"GitLab\"")];
        return (StatusCode::UNAUTHORIZED, ask, "HTTP Basic: Access denied\n").into_response();
    }
    let (root, known) = {
        let state = shared.lock();
        (state.root.clone(), state.project(project).is_some())
    };
    if !known || end == "/git-receive-pack" {
        return (
            StatusCode::NOT_FOUND,
            "The project you were looking for could not be found.\n",
        )
            .into_response();
    }
    let repository = place(&root, project);
    match backend(&repository, end, request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")).into_response(),
    }
}

/// Runs the CGI program: request body in, headers and body out, both streamed.
async fn backend(repository: &std::path::Path, end: &str, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let text = |name: header::HeaderName| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    };
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", repository)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", end)
        .env("REMOTE_USER", "git")
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("QUERY_STRING", parts.uri.query().unwrap_or(""))
        .env("CONTENT_TYPE", text(header::CONTENT_TYPE))
        .env("HTTP_CONTENT_ENCODING", text(header::CONTENT_ENCODING));
    if let Some(length) = parts.headers.get(header::CONTENT_LENGTH) {
        command.env("CONTENT_LENGTH", length.to_str()?);
    }
    if let Some(protocol) = parts.headers.get("Git-Protocol") {
        command.env("GIT_PROTOCOL", protocol.to_str()?);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run git http-backend")?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    let mut output = BufReader::new(child.stdout.take().context("no standard output")?);
    tokio::spawn(async move {
        let mut body = body.into_data_stream();
        while let Some(Ok(chunk)) = body.next().await {
            // The backend may have heard enough; then it answers without reading on.
            if stdin.write_all(&chunk).await.is_err() {
                break;
            }
        }
    });
    let mut response = Response::builder();
    loop {
        let mut line = String::new();
        output.read_line(&mut line).await?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").context("git http-backend sent a broken header")?;
        response = match name {
            "Status" => response.status(value.split(' ').next().unwrap_or("500")),
            _ => response.header(name, value),
        };
    }
    let stream = futures_util::stream::unfold((output, child), |(mut output, child)| async move {
        let chunk = read_chunk(&mut output).await.transpose()?;
        Some((chunk, (output, child)))
    });
    Ok(response.body(Body::from_stream(stream))?)
}

async fn read_chunk(output: &mut BufReader<ChildStdout>) -> std::io::Result<Option<Bytes>> {
    let mut chunk = vec![0; 64 * 1024];
    let count = output.read(&mut chunk).await?;
    chunk.truncate(count);
    Ok((count > 0).then(|| chunk.into()))
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Basic ")?;
    let text = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(value).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
