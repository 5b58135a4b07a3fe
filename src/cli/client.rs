//! The service's API as the command line uses it.

use anyhow::{Context as _, bail};
use reqwest::{Method, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;

use crate::clients::certificates::Certificates;
use crate::clients::http;
use crate::wire::Problem;

/// Where the service is, and who asks.
#[derive(Debug, Clone, clap::Args)]
pub struct Server {
    /// Address of the service.
    #[arg(long, env = "SEAWORTHY_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Token, made by `seaworthy token create`; needed to change something. Better given by the environment.
    #[arg(long, env = "SEAWORTHY_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
}

/// A connection to the service.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<SecretString>,
}

impl Client {
    /// To this service.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(server: &Server) -> anyhow::Result<Self> {
        Ok(Self {
            http: http::client(&Certificates::load(None)?)?,
            url: server.url.trim_end_matches('/').to_owned(),
            token: server.token.clone(),
        })
    }

    /// Reads something.
    ///
    /// # Errors
    /// The service's own sentence, or why it does not answer.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<T> {
        Ok(self.send(Method::GET, path, query, None).await?.json().await?)
    }

    /// Orders something.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        Ok(self.send(Method::POST, path, &[], None).await?.json().await?)
    }

    /// Reads something as it comes; `last` is the id of the last event that is known.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn open(&self, path: &str, last: Option<i64>) -> anyhow::Result<Response> {
        self.send(Method::GET, path, &[], last).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        last: Option<i64>,
    ) -> anyhow::Result<Response> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).query(query);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last.to_string());
        }
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
        match response.json::<Problem>().await {
            Ok(problem) => bail!("{}", problem.error),
            Err(_) => bail!("{} answered {status}; is it Seaworthy?", self.url),
        }
    }
}
