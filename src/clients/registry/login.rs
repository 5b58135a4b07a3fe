//! Logging in as `docker login` does: to learn why a registry refuses, and for `seaworthy check`.
//!
//! `GET /v2/` without credentials; the challenge in the answer says how to sign in: by Basic, or by a token from a
//! token server (distribution specification, "Token Authentication"). The library does the same and drops the reasons.

use reqwest::header::{HeaderMap, LOCATION, SERVER, WWW_AUTHENTICATE};
use reqwest::{RequestBuilder, Response, Url};
use secrecy::ExposeSecret as _;

use super::{PATIENCE, Registry, RegistryError, RegistryErrorKind, error};
use crate::clients::http;

impl Registry {
    /// Returns what the registry says of itself.
    pub(super) async fn log_in(&self, host: &str) -> Result<String, RegistryError> {
        let attempt = Login {
            registry: self,
            host,
            client: http::client(&self.certificates)
                .map_err(|error| strange(host, format!("TLS cannot be set up: {error}")))?,
        };
        tokio::time::timeout(PATIENCE, attempt.run()).await.unwrap_or_else(|_| {
            let cause = format!("no answer within {PATIENCE:?}");
            Err(wrong(RegistryErrorKind::Unreachable, host, cause))
        })
    }
}

struct Login<'a> {
    registry: &'a Registry,
    host: &'a str,
    client: reqwest::Client,
}

impl Login<'_> {
    async fn run(&self) -> Result<String, RegistryError> {
        let plain = self.registry.plain_http.iter().any(|host| host == self.host);
        let scheme = if plain { "http" } else { "https" };
        // The name that people write is not where Docker's own registry lives.
        let place = if self.host == "docker.io" {
            "index.docker.io"
        } else {
            self.host
        };
        let greeting: Url = format!("{scheme}://{place}/v2/")
            .parse()
            .map_err(|error| strange(self.host, format!("{:?} is no host: {error}", self.host)))?;
        let answer = self.ask(self.client.get(greeting.clone())).await?;
        let headers = answer.headers().clone();
        match answer.status().as_u16() {
            200 => Ok(introduction(&headers)),
            401 => {
                let challenge = headers
                    .get(WWW_AUTHENTICATE)
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default();
                self.answer(&greeting, challenge).await?;
                Ok(introduction(&headers))
            }
            404 => Err(strange(
                self.host,
                "a server answers, but it is no registry (no /v2/): is host and port right?".to_owned(),
            )),
            300..=399 => {
                let to = headers
                    .get(LOCATION)
                    .and_then(|to| to.to_str().ok())
                    .unwrap_or("nowhere");
                let to = to.split('?').next().unwrap_or(to);
                Err(strange(
                    self.host,
                    format!("it redirects to {to}: name that host instead"),
                ))
            }
            code => Err(self.by_status(code, &answer.text().await.unwrap_or_default())),
        }
    }

    /// Signs in as the challenge asks.
    async fn answer(&self, greeting: &Url, challenge: &str) -> Result<(), RegistryError> {
        let kind = challenge.split_whitespace().next().unwrap_or_default();
        let request = if kind.eq_ignore_ascii_case("bearer") {
            let realm = parameter(challenge, "realm").and_then(|realm| realm.parse::<Url>().ok());
            let Some(mut realm) = realm else {
                return Err(strange(
                    self.host,
                    "it wants a token and does not say where from".to_owned(),
                ));
            };
            if greeting.scheme() == "https" && realm.scheme() != "https" {
                let cause = format!("its token server {realm} has no TLS: the password is not sent there");
                return Err(strange(self.host, cause));
            }
            if let Some(service) = parameter(challenge, "service") {
                realm.query_pairs_mut().append_pair("service", service);
            }
            self.client.get(realm)
        } else if kind.eq_ignore_ascii_case("basic") {
            if !self.registry.accounts.contains_key(self.host) {
                let cause = "it wants an account: set username and password of [registry] or [base_images], or add it to \
                             accounts_file of [registries]";
                return Err(wrong(RegistryErrorKind::Refused, self.host, cause.to_owned()));
            }
            self.client.get(greeting.clone())
        } else {
            let cause = format!("it wants a login of an unknown kind ({kind:?}); Basic and Bearer are known");
            return Err(strange(self.host, cause));
        };
        let request = match self.registry.accounts.get(self.host) {
            Some(account) => request.basic_auth(&account.username, Some(account.password.expose_secret())),
            None => request,
        };
        let answer = self.ask(request).await?;
        match answer.status().as_u16() {
            200 => Ok(()),
            401 | 403 => {
                let who = match self.registry.accounts.get(self.host) {
                    Some(account) => format!("user {:?} with this password", account.username),
                    None => "anybody without an account".to_owned(),
                };
                let cause = format!(
                    "it refuses {who}: check username and password of [registry] or [base_images], or accounts_file of \
                     [registries]"
                );
                Err(wrong(RegistryErrorKind::Refused, self.host, cause))
            }
            code => Err(self.by_status(code, &answer.text().await.unwrap_or_default())),
        }
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Response, RegistryError> {
        request.send().await.map_err(|error| {
            let mut cause = http::explain(error);
            if cause.contains("InvalidContentType") {
                cause.push_str(
                    " (it seems to speak plain HTTP: set plain_http = true in [registry] or [base_images], or add it to \
                     plain_http of [registries], if that is meant)",
                );
            }
            wrong(RegistryErrorKind::Unreachable, self.host, cause)
        })
    }

    fn by_status(&self, code: u16, words: &str) -> RegistryError {
        match error::by_status(code, words.trim()) {
            error::Failed::Other(kind, cause) => wrong(kind, self.host, cause),
            error::Failed::NotThere | error::Failed::Login => {
                wrong(RegistryErrorKind::Refused, self.host, format!("it answers {code}"))
            }
        }
    }
}

/// `registry/2.0`, and the program's name where it gives it.
fn introduction(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let version = text("Docker-Distribution-Api-Version").unwrap_or("answers /v2/");
    match text(SERVER.as_str()) {
        Some(server) => format!("{version} ({server})"),
        None => version.to_owned(),
    }
}

/// A quoted parameter of a challenge.
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let start = challenge.find(&format!("{name}=\""))? + name.len() + 2;
    challenge[start..].split('"').next()
}

fn wrong(kind: RegistryErrorKind, host: &str, cause: String) -> RegistryError {
    RegistryError::new(kind, format!("registry {host}"), cause)
}

fn strange(host: &str, cause: String) -> RegistryError {
    wrong(RegistryErrorKind::Strange, host, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_of_a_challenge_are_read() {
        let challenge = r#"Bearer realm="https://auth.example/token",service="registry.example",scope="a:b:c""#;
        assert_eq!(parameter(challenge, "realm"), Some("https://auth.example/token"));
        assert_eq!(parameter(challenge, "service"), Some("registry.example"));
        assert_eq!(parameter(challenge, "error"), None);
    }
}
