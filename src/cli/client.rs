//! The service's API as the command line uses it.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use reqwest::{Method, RequestBuilder, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clients::certificates::Certificates;
use crate::clients::http;
use crate::wire::Failure;

/// Where the service is, and who asks.
#[derive(Debug, Clone, clap::Args)]
pub struct Server {
    /// Address of the service.
    #[arg(long, global = true, env = "SEAWORTHY_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Token, made by `seaworthy token create`; needed to change something. Better given by the environment.
    #[arg(long, global = true, env = "SEAWORTHY_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
    /// PEM file with certificate authorities that are trusted beside the system's.
    #[arg(long, global = true, env = "SEAWORTHY_TLS_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// A connection to the service.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<SecretString>,
}

/// What the service answered instead of what was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Refused {
    /// Will the same question be answered the same way?
    pub for_good: bool,
    sentence: String,
}

impl Client {
    /// To this service.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(server: &Server) -> anyhow::Result<Self> {
        // An empty variable is one that is not set.
        let ca_file = server.ca_file.as_deref().filter(|file| !file.as_os_str().is_empty());
        Ok(Self {
            http: http::client(&Certificates::load(ca_file)?)?,
            url: server.url.trim_end_matches('/').to_owned(),
            token: server.token.clone().filter(|token| !token.expose_secret().is_empty()),
        })
    }

    /// Reads something.
    ///
    /// # Errors
    /// The service's own sentence, or why it does not answer.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<T> {
        self.read(self.send(Method::GET, path, query, None).await?).await
    }

    /// Orders something.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.read(self.send(Method::POST, path, &[], None).await?).await
    }

    /// Orders something with more to say.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post_json<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        let request = self.request(Method::POST, path, &[]).json(body);
        self.read(self.answer(request).await?).await
    }

    /// Reads something as it comes; `last` is the id of the last event that is known.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn open(&self, path: &str, last: Option<i64>) -> anyhow::Result<Response> {
        self.send(Method::GET, path, &[], last).await
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> anyhow::Result<T> {
        let answer = response.json().await.map_err(http::explain).map_err(anyhow::Error::msg);
        answer.with_context(|| {
            format!(
                "the answer of {} cannot be read: is it Seaworthy, of this version?",
                self.url
            )
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        last: Option<i64>,
    ) -> anyhow::Result<Response> {
        let mut request = self.request(method, path, query);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last.to_string());
        }
        self.answer(request).await
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, String)]) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url)).query(query);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    /// The answer, if it is a good one.
    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = request
            .send()
            .await
            .map_err(http::explain)
            .map_err(anyhow::Error::msg)
            .with_context(|| {
                format!(
                    "no service answers at {}: start it, or give its address by --url or SEAWORTHY_URL",
                    self.url
                )
            })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        match response.json::<Failure>().await {
            Ok(failure) => bail!(Refused {
                for_good: status.is_client_error(),
                sentence: failure.error,
            }),
            Err(_) => bail!("{} answered {status}; is it Seaworthy?", self.url),
        }
    }
}

/// A value as a part of a path: everything that could end it or mean something else is escaped.
pub fn segment(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@') {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_stays_one_path() {
        assert_eq!(
            segment("r.example.com:5000/qa/b@sha256:ab"),
            "r.example.com:5000/qa/b@sha256:ab"
        );
        assert_eq!(segment("#12"), "%2312");
        assert_eq!(segment("a?b=c%"), "a%3Fb%3Dc%25");
    }
}
