//! GitLab's API, as far as the road needs it: about a dozen calls over HTTP, written by hand.
//!
//! Each call has a time limit of its own (GitLab may wait 10 s for a lock before it answers), says in its error what it
//! wanted and which right was missing, and never tries again: that is the caller's to decide, by
//! [`GitLabError::is_transient`]. The token goes out as a header that is marked as sensitive, to the configured server
//! only (redirects: [`super::http`]; pages: `GitLab::page`).

mod error;
mod hooks;
mod merge_requests;
mod notes;
mod projects;
mod statuses;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue, LINK};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

pub use error::{GitLabError, GitLabErrorKind};
pub use hooks::{Hook, HookSettings, HookTest};
pub use merge_requests::MergeRequestState;
pub use projects::{AccessLevel, Project, ProjectKey, TokenInfo, User};
pub use statuses::{CommitState, StatusOutcome, StatusUpdate};

use super::http;
use error::Doing;

/// Entries per page: the most that GitLab gives.
const PAGE: &str = "100";
/// A list that does not end here is not one of ours: 100,000 entries.
const PAGES: usize = 1000;

/// The client; cheap to clone.
#[derive(Debug, Clone)]
pub struct GitLab {
    /// `<gitlab.url>/api/v4`.
    api: Url,
    token: HeaderValue,
    timeout: Duration,
    http: reqwest::Client,
    me: Arc<OnceCell<User>>,
}

impl GitLab {
    /// `url` is GitLab's address as people type it, a path included where GitLab lives under one; `timeout` bounds each
    /// call as a whole.
    ///
    /// # Errors
    /// If `url` is not an address or `token` has characters that no token has.
    pub fn new(url: &str, token: &SecretString, timeout: Duration, http: reqwest::Client) -> Result<Self, GitLabError> {
        let doing = Doing::new("use the settings of GitLab", "");
        let wrong = |message: &str| GitLabError {
            kind: GitLabErrorKind::Invalid,
            advice: "correct the configuration".to_owned(),
            ..GitLabError::unreachable(&doing, "gitlab.url and gitlab.token".to_owned(), message.to_owned())
        };
        let mut api: Url = url
            .parse()
            .map_err(|error| wrong(&format!("gitlab.url is not an address: {error}")))?;
        if !matches!(api.scheme(), "http" | "https") || !api.has_host() {
            return Err(wrong("gitlab.url must begin with https:// or http://"));
        }
        if !api.username().is_empty() || api.password().is_some() {
            return Err(wrong("gitlab.url must not hold a user name or a password"));
        }
        api.set_query(None);
        api.set_fragment(None);
        api.path_segments_mut()
            .expect("an address with a host has a path")
            .pop_if_empty()
            .extend(["api", "v4"]);
        let mut token = HeaderValue::from_str(token.expose_secret())
            .map_err(|_| wrong("gitlab.token holds characters that no token has, a line break perhaps"))?;
        token.set_sensitive(true);
        Ok(Self {
            api,
            token,
            timeout,
            http,
            me: Arc::default(),
        })
    }

    /// Address of a call; each part is escaped, so that a path of a project or a name of a branch stays one part.
    fn url<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.api.clone();
        url.path_segments_mut()
            .expect("an address with a host has a path")
            .extend(parts);
        url
    }

    /// `projects/<id>/…`
    fn project_url<'a>(&self, project: crate::model::ProjectId, parts: impl IntoIterator<Item = &'a str>) -> Url {
        let id = project.to_string();
        let mut url = self.url(["projects", id.as_str()]);
        url.path_segments_mut()
            .expect("an address with a host has a path")
            .extend(parts);
        url
    }

    async fn get<T: DeserializeOwned>(&self, doing: &Doing, url: Url) -> Result<T, GitLabError> {
        let answer = self.exchange(doing, Method::GET, url, None::<&()>).await?;
        answer.json(doing)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        doing: &Doing,
        method: Method,
        url: Url,
        body: &impl Serialize,
    ) -> Result<T, GitLabError> {
        let answer = self.exchange(doing, method, url, Some(body)).await?;
        answer.json(doing)
    }

    /// One page of a list and the address of the next one.
    ///
    /// GitLab names the next page in `Link` (all kinds of paging) and `X-Next-Page`. Of the link only the query is
    /// taken: behind a proxy its host may be wrong, and the token belongs to the configured one.
    async fn page<T: DeserializeOwned>(&self, doing: &Doing, url: Url) -> Result<(Vec<T>, Option<Url>), GitLabError> {
        let answer = self.exchange(doing, Method::GET, url.clone(), None::<&()>).await?;
        let query = next_page(&answer.headers, &url);
        let next = query.map(|query| {
            let mut next = url.clone();
            next.set_query(Some(&query));
            next
        });
        if next.as_ref() == Some(&url) {
            let text = "the next page is this page".to_owned();
            return Err(GitLabError::strange(doing, answer.address, answer.status, text));
        }
        Ok((answer.json(doing)?, next))
    }

    /// A whole list.
    async fn all<T: DeserializeOwned>(&self, doing: &Doing, mut url: Url) -> Result<Vec<T>, GitLabError> {
        url.query_pairs_mut().append_pair("per_page", PAGE);
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let (mut page, next) = self.page(doing, url.clone()).await?;
            all.append(&mut page);
            match next {
                Some(next) => url = next,
                None => return Ok(all),
            }
        }
        let text = format!("a list of more than {PAGES} pages");
        Err(GitLabError::strange(
            doing,
            shown(&Method::GET, &url),
            reqwest::StatusCode::OK,
            text,
        ))
    }

    async fn exchange(
        &self,
        doing: &Doing,
        method: Method,
        url: Url,
        body: Option<&impl Serialize>,
    ) -> Result<Answer, GitLabError> {
        let address = shown(&method, &url);
        let mut request = self
            .http
            .request(method, url)
            .header("PRIVATE-TOKEN", self.token.clone())
            .timeout(self.timeout);
        if let Some(body) = body {
            request = request.json(body);
        }
        let unreachable = |error| GitLabError::unreachable(doing, address.clone(), http::explain(error));
        let response = request.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            Ok(Answer {
                address,
                status,
                headers,
                bytes,
            })
        } else {
            Err(GitLabError::answered(doing, address, status, &headers, &bytes))
        }
    }
}

struct Answer {
    address: String,
    status: reqwest::StatusCode,
    headers: HeaderMap,
    bytes: bytes::Bytes,
}

impl Answer {
    fn json<T: DeserializeOwned>(self, doing: &Doing) -> Result<T, GitLabError> {
        serde_json::from_slice(&self.bytes).map_err(|error| {
            let text = format!("not the JSON that GitLab gives: {error}");
            GitLabError::strange(doing, self.address, self.status, text)
        })
    }
}

/// How a call is named in messages: without its query.
fn shown(method: &Method, url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    format!("{method} {url}")
}

/// Query of the next page.
fn next_page(headers: &HeaderMap, url: &Url) -> Option<String> {
    let links = headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok());
    let linked = links
        .flat_map(|link| link.split(','))
        .filter(|link| link.contains("rel=\"next\""))
        .find_map(|link| {
            let address = link.trim().strip_prefix('<')?.split('>').next()?;
            Some(address.split_once('?')?.1.to_owned())
        });
    linked.or_else(|| {
        let number = headers.get("X-Next-Page")?.to_str().ok()?;
        let number: u32 = number.trim().parse().ok()?;
        let mut next = url.clone();
        let kept: Vec<_> = url
            .query_pairs()
            .filter(|(key, _)| key != "page")
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        next.query_pairs_mut()
            .clear()
            .extend_pairs(kept)
            .append_pair("page", &number.to_string());
        next.query().map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str, token: &str) -> Result<GitLab, GitLabError> {
        http::install_crypto_provider();
        let token = SecretString::from(token.to_owned());
        GitLab::new(url, &token, Duration::from_secs(1), reqwest::Client::new())
    }

    #[test]
    fn a_path_of_a_project_is_one_part_of_the_address() {
        let gitlab = client("https://example.com/gitlab/", "t").expect("settings");
        assert_eq!(
            gitlab.url(["projects", "shop/web/basket"]).as_str(),
            "https://example.com/gitlab/api/v4/projects/shop%2Fweb%2Fbasket"
        );
        let branch = ["repository", "branches", "feature/a b%?#"];
        assert_eq!(
            gitlab.project_url(crate::model::ProjectId(7), branch).path(),
            "/gitlab/api/v4/projects/7/repository/branches/feature%2Fa%20b%25%3F%23"
        );
    }

    #[test]
    fn the_token_is_in_no_text() {
        let gitlab = client("https://example.com", "glpat-canary").expect("settings");
        assert!(!format!("{gitlab:?}").contains("canary"));
        let error = client("https://example.com", "glpat-canary\n").expect_err("a line break");
        assert!(!format!("{error:?} {error}").contains("canary"));
        for url in ["gitlab.example.com", "ftp://x", "https://a:canary@x"] {
            let error = client(url, "t").expect_err(url);
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }

    #[test]
    fn the_next_page_is_found_in_both_forms() {
        let url: Url = "https://example.com/x?state=opened&page=1".parse().expect("an address");
        let mut headers = HeaderMap::new();
        assert_eq!(next_page(&headers, &url), None);
        headers.insert("X-Next-Page", HeaderValue::from_static(""));
        assert_eq!(next_page(&headers, &url), None, "the last page");
        headers.insert("X-Next-Page", HeaderValue::from_static("2"));
        assert_eq!(next_page(&headers, &url).as_deref(), Some("state=opened&page=2"));
        let link = "<http://inside/x?page=1>; rel=\"first\", <http://inside/x?cursor=abc>; rel=\"next\"";
        headers.insert(LINK, HeaderValue::from_static(link));
        assert_eq!(next_page(&headers, &url).as_deref(), Some("cursor=abc"));
    }
}
