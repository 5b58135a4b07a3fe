//! Short-lived tokens: asked for by scope, kept until shortly before they run out (distribution specification, "Token
//! Authentication" and "OAuth2").

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use reqwest::{StatusCode, Url};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::challenge::Challenge;
use super::retry::{self, Attempts};
use super::{Answer, Login, PATIENCE, Scopes, Session};
use crate::clients::http;
use crate::clients::registry::{RegistryError, RegistryErrorKind};

/// What a token lives if its server does not say ("Token Response Fields").
const LIFE: u64 = 60;

/// So long before its end a token is not used any more: a request takes its time.
const MARGIN: Duration = Duration::from_secs(10);

/// What is known of the way to sign in.
#[derive(Default)]
pub(super) struct Tokens {
    pub(super) challenge: Option<Challenge>,
    known: BTreeMap<Scopes, Token>,
}

struct Token {
    value: HeaderValue,
    good_until: Instant,
}

impl Tokens {
    /// A token was refused: the others are of the same age.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }
}

#[derive(Deserialize)]
struct Issued {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Session {
    /// The header for this registry; `None` as long as it has not asked for one.
    pub(super) async fn authorization(
        &self,
        scopes: &Scopes,
        doing: &str,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        // Held while a token is fetched, so that twenty requests fetch one.
        let mut tokens = self.tokens.lock().await;
        let (realm, service) = match &tokens.challenge {
            None => return Ok(None),
            Some(Challenge::Basic) => return self.basic(doing).map(Some),
            Some(Challenge::Bearer { realm, service }) => (realm.clone(), service.clone()),
        };
        if let Some(token) = tokens.known.get(scopes)
            && token.good_until > Instant::now()
        {
            return Ok(Some(token.value.clone()));
        }
        let token = self.fetch(&realm, service.as_deref(), scopes, doing).await?;
        let value = token.value.clone();
        tokens.known.insert(scopes.clone(), token);
        Ok(Some(value))
    }

    fn basic(&self, doing: &str) -> Result<HeaderValue, RegistryError> {
        use base64::Engine as _;
        let Login::Account(account) = &self.login else {
            let cause = "it wants a user name and a password: give it an account (accounts_file of [registries])";
            return Err(self.wrong(RegistryErrorKind::Refused, doing, cause.to_owned()));
        };
        let pair = format!("{}:{}", account.username, account.password.expose_secret());
        let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        self.secret_header(&text, doing)
    }

    async fn fetch(
        &self,
        realm: &str,
        service: Option<&str>,
        scopes: &Scopes,
        doing: &str,
    ) -> Result<Token, RegistryError> {
        let mut attempts = Attempts::new();
        loop {
            let begun = Instant::now();
            let (error, pause) = match self.fetch_once(realm, service, scopes, doing).await {
                Ok(answer) if answer.status() == StatusCode::OK => {
                    let bytes = answer.small_body(doing).await?;
                    return self.issued(&bytes, begun, doing);
                }
                Ok(answer) if retry::passes(answer.status()) => {
                    let pause = retry::wanted_pause(answer.headers());
                    (answer.refused(doing).await, pause)
                }
                Ok(answer) if matches!(answer.status().as_u16(), 400 | 401 | 403) => {
                    let cause = format!(
                        "its token server {realm} refuses {} ({}): check the account (accounts_file of [registries], or \
                         username and password of [registry] or [base_images])",
                        self.login.who(),
                        answer.status().as_u16()
                    );
                    return Err(self.wrong(RegistryErrorKind::Refused, doing, cause));
                }
                Ok(answer) => {
                    let cause = format!("its token server {realm} answers {}", answer.status());
                    return Err(self.strange(doing, cause));
                }
                Err(error) if error.is_transient() => (error, None),
                Err(error) => return Err(error),
            };
            attempts.pause(error, pause).await?;
        }
    }

    async fn fetch_once(
        &self,
        realm: &str,
        service: Option<&str>,
        scopes: &Scopes,
        doing: &str,
    ) -> Result<Answer<'_>, RegistryError> {
        let mut url: Url = realm.parse().map_err(|_| {
            self.strange(
                doing,
                format!("it names {realm:?} as its token server, which is no address"),
            )
        })?;
        if self.base.scheme() == "https" && url.scheme() != "https" {
            let cause = format!("its token server {realm} has no TLS: the password is not sent there");
            return Err(self.strange(doing, cause));
        }
        let request = if let Login::Identity(token) = &self.login {
            let scope = scopes.0.join(" ");
            let fields = [
                ("grant_type", "refresh_token"),
                ("client_id", "seaworthy"),
                ("service", service.unwrap_or_default()),
                ("scope", &scope),
                ("refresh_token", token.expose_secret()),
            ];
            self.client.post(url).form(&fields)
        } else {
            {
                let mut query = url.query_pairs_mut();
                if let Some(service) = service {
                    query.append_pair("service", service);
                }
                for scope in &scopes.0 {
                    query.append_pair("scope", scope);
                }
                if let Login::Account(account) = &self.login {
                    query.append_pair("account", &account.username);
                }
            }
            match &self.login {
                Login::Account(account) => self
                    .client
                    .get(url)
                    .basic_auth(&account.username, Some(account.password.expose_secret())),
                _ => self.client.get(url),
            }
        };
        let answer = tokio::time::timeout(PATIENCE, request.send())
            .await
            .map_err(|_| {
                self.away(
                    doing,
                    format!("no answer of its token server {realm} within {PATIENCE:?}"),
                )
            })?
            .map_err(|error| {
                let cause = format!("its token server {realm}: {}", http::explain(error));
                self.away(doing, cause)
            })?;
        Ok(Answer::new(answer, self))
    }

    fn issued(&self, bytes: &[u8], begun: Instant, doing: &str) -> Result<Token, RegistryError> {
        let issued: Issued = serde_json::from_slice(bytes).map_err(|_| {
            self.strange(
                doing,
                "its token server answers with something else than a token".to_owned(),
            )
        })?;
        let Some(token) = issued.token.or(issued.access_token).filter(|token| !token.is_empty()) else {
            return Err(self.strange(doing, "its token server answers without a token".to_owned()));
        };
        let life = Duration::from_secs(issued.expires_in.unwrap_or(LIFE).clamp(1, 24 * 3600));
        Ok(Token {
            value: self.secret_header(&format!("Bearer {token}"), doing)?,
            // Counted from when it was asked for: clocks of two machines need not agree.
            good_until: begun + life.saturating_sub(MARGIN).max(life / 2),
        })
    }

    fn secret_header(&self, text: &str, doing: &str) -> Result<HeaderValue, RegistryError> {
        let mut value = HeaderValue::from_str(text).map_err(|_| {
            self.strange(
                doing,
                "the credentials hold a character that HTTP does not carry".to_owned(),
            )
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}
