//! A conversation with one registry: who we are there, how often it is asked again, where a redirect may lead.
//!
//! The library serves the small calls; this serves what it cannot: raw bytes, streams in both directions, and tokens that
//! run out in the middle. A request whose body can be sent again goes through [`Session::ask`], which signs in, waits and
//! repeats. One whose body is a stream is made by [`Session::request`] and repeated by whoever has the bytes.
//!
//! Credentials go to the registry itself and to the token server that it names, and to nobody else: a redirect and the
//! address of an upload may name any host.

mod answer;
mod challenge;
mod retry;
mod token;

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::SecretString;

use self::challenge::Challenge;
use self::token::Tokens;
use super::{Registry, RegistryError, RegistryErrorKind};
use crate::clients::http;
use crate::config::Account;

pub(super) use answer::{Answer, header};
pub(super) use retry::{Attempts, passes, wanted_pause};

/// How long a registry may take for an answer to a small question.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// Who we are at a registry.
#[derive(Clone)]
pub(super) enum Login {
    Nobody,
    Account(Account),
    /// A long-lived token that is changed for short ones (`docker login` with a single sign-on).
    Identity(SecretString),
}

impl Login {
    /// For messages.
    pub(super) fn who(&self) -> String {
        match self {
            Self::Nobody => "anybody without an account".to_owned(),
            Self::Account(account) => format!("user {:?} with this password", account.username),
            Self::Identity(_) => "this identity token".to_owned(),
        }
    }
}

/// What a token is to allow; several are asked for at once, the most important first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scopes(Vec<String>);

impl Scopes {
    pub(super) fn pull(repository: &str) -> Self {
        Self(vec![format!("repository:{repository}:pull")])
    }

    pub(super) fn push(repository: &str) -> Self {
        Self(vec![format!("repository:{repository}:pull,push")])
    }

    pub(super) fn catalogue() -> Self {
        Self(vec!["registry:catalog:*".to_owned()])
    }

    /// Also to read another repository of the same registry, for a mount.
    pub(super) fn and_pull(mut self, repository: &str) -> Self {
        self.0.push(format!("repository:{repository}:pull"));
        self
    }
}

/// A request that may be sent any number of times.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) scopes: &'a Scopes,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    /// For messages: "reading …".
    pub(super) doing: &'a str,
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: Method, url: Url, scopes: &'a Scopes, doing: &'a str) -> Self {
        Self {
            method,
            url,
            scopes,
            headers: HeaderMap::new(),
            body: None,
            doing,
        }
    }

    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        // What is not a header's text would be one of ours.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    pub(super) fn body(mut self, body: Bytes) -> Self {
        self.body = Some(body);
        self
    }
}

/// One registry, signed in as far as it asks for it.
pub(super) struct Session {
    pub(super) host: String,
    base: Url,
    client: reqwest::Client,
    login: Login,
    tokens: tokio::sync::Mutex<Tokens>,
}

impl Session {
    /// Nothing is asked yet.
    pub(super) fn new(registry: &Registry, host: &str) -> Result<Self, RegistryError> {
        let strange = |cause: String| RegistryError::new(RegistryErrorKind::Strange, format!("registry {host}"), cause);
        let plain = registry.plain_http.iter().any(|plain| plain == host);
        let scheme = if plain { "http" } else { "https" };
        // The name that people write is not where Docker's own registry lives.
        let place = if host == "docker.io" {
            "registry-1.docker.io"
        } else {
            host
        };
        let base = format!("{scheme}://{place}/v2/")
            .parse()
            .map_err(|error| strange(format!("{host:?} is no host: {error}")))?;
        Ok(Self {
            host: host.to_owned(),
            base,
            client: registry
                .transport()
                .map_err(|error| strange(format!("TLS cannot be set up: {error}")))?,
            login: registry.login(host),
            tokens: tokio::sync::Mutex::default(),
        })
    }

    /// An address below `/v2/`.
    pub(super) fn url(&self, path: &str) -> Url {
        // Names are checked before they come here, so that they cannot lead out of the registry.
        self.base.join(path).unwrap_or_else(|_| self.base.clone())
    }

    /// The answer, whatever it says, as soon as it is none that passes by itself.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Answer<'_>, RegistryError> {
        let mut attempts = Attempts::new();
        let mut refusals = 0;
        loop {
            let failed = match self.once(&ask).await {
                Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED && refusals < 2 => {
                    refusals += 1;
                    if self.challenged(answer.headers()).await {
                        continue;
                    }
                    return Ok(Answer::new(answer, self));
                }
                Ok(answer) if passes(answer.status()) => {
                    let pause = wanted_pause(answer.headers());
                    let error = Answer::new(answer, self).refused(ask.doing).await;
                    if error.kind() == RegistryErrorKind::Full {
                        return Err(error);
                    }
                    (error, pause)
                }
                Ok(answer) => return Ok(Answer::new(answer, self)),
                Err(error) if error.is_transient() => (error, None),
                Err(error) => return Err(error),
            };
            attempts.pause(failed.0, failed.1).await?;
        }
    }

    /// A request that is signed in where it goes to the registry itself.
    pub(super) async fn request(
        &self,
        method: Method,
        url: &Url,
        scopes: &Scopes,
        doing: &str,
    ) -> Result<RequestBuilder, RegistryError> {
        if self.base.scheme() == "https" && url.scheme() != "https" {
            let cause = format!(
                "it sends us on to {} without TLS: if a proxy stands before the registry, it must say X-Forwarded-Proto",
                url.origin().ascii_serialization()
            );
            return Err(self.strange(doing, cause));
        }
        let request = self.client.request(method, url.clone());
        if url.origin() != self.base.origin() {
            return Ok(request);
        }
        Ok(match self.authorization(scopes, doing).await? {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        })
    }

    /// An answer to a request that was made with [`Session::request`].
    pub(super) fn answer(&self, response: Response) -> Answer<'_> {
        Answer::new(response, self)
    }

    /// Takes in what a 401 asks for; false if there is nothing that we could do differently.
    pub(super) async fn challenged(&self, headers: &HeaderMap) -> bool {
        let mut tokens = self.tokens.lock().await;
        tokens.forget();
        match Challenge::read(headers) {
            // The same credentials again would be refused again.
            Some(Challenge::Basic) if tokens.challenge == Some(Challenge::Basic) => false,
            Some(Challenge::Basic) if !matches!(self.login, Login::Account(_)) => false,
            Some(challenge) => {
                tokens.challenge = Some(challenge);
                true
            }
            None => false,
        }
    }

    /// One attempt, redirects followed.
    async fn once(&self, ask: &Ask<'_>) -> Result<Response, RegistryError> {
        let mut url = ask.url.clone();
        for _ in 0..=REDIRECTS {
            let mut request = self.request(ask.method.clone(), &url, ask.scopes, ask.doing).await?;
            request = request.headers(ask.headers.clone());
            if let Some(body) = &ask.body {
                request = request.body(body.clone());
            } else if ask.method == Method::POST {
                request = request.header(reqwest::header::CONTENT_LENGTH, 0);
            }
            let answer = tokio::time::timeout(PATIENCE, request.send())
                .await
                .map_err(|_| self.away(ask.doing, format!("no answer within {PATIENCE:?}")))?
                .map_err(|error| self.broken(ask.doing, error))?;
            let safe = ask.method == Method::GET || ask.method == Method::HEAD;
            if !safe || !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            url = header(answer.headers(), LOCATION.as_str())
                .and_then(|to| answer.url().join(to).ok())
                .ok_or_else(|| self.strange(ask.doing, "it redirects to nowhere".to_owned()))?;
        }
        Err(self.strange(ask.doing, format!("it redirects more than {REDIRECTS} times")))
    }

    pub(super) fn away(&self, doing: &str, cause: String) -> RegistryError {
        RegistryError::new(RegistryErrorKind::Unreachable, doing.to_owned(), self.named(cause))
    }

    pub(super) fn strange(&self, doing: &str, cause: String) -> RegistryError {
        RegistryError::new(RegistryErrorKind::Strange, doing.to_owned(), self.named(cause))
    }

    pub(super) fn wrong(&self, kind: RegistryErrorKind, doing: &str, cause: String) -> RegistryError {
        RegistryError::new(kind, doing.to_owned(), self.named(cause))
    }

    /// An error below HTTP.
    pub(super) fn broken(&self, doing: &str, error: reqwest::Error) -> RegistryError {
        let mut cause = http::explain(error);
        if cause.contains("InvalidContentType") {
            cause.push_str(&format!(
                " (it seems to speak plain HTTP: add {:?} to plain_http of [registries] if that is meant)",
                self.host
            ));
        }
        self.away(doing, cause)
    }

    fn named(&self, cause: String) -> String {
        format!("registry {}: {cause}", self.host)
    }
}
