//! A real browser without a screen: Debian's Chromium, led by its own driver over the W3C WebDriver protocol, of which the
//! few calls here are enough. Only the tests of signing in need it, so it is installed when the first of them begins.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::Instant;

use crate::http;
use crate::install;
use crate::process::{Daemon, Signal, free_port};

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a page.
const PAUSE: Duration = Duration::from_millis(50);

/// A browser with one window and no past.
#[derive(Debug)]
pub struct Browser {
    session: String,
    http: reqwest::Client,
    driver: Daemon,
}

impl Browser {
    /// Starts driver and browser.
    ///
    /// # Errors
    /// If they cannot be installed or do not start.
    pub async fn start(dir: &Path) -> Result<Self> {
        install::ensure_browser().await?;
        let port = free_port()?;
        let driver = Daemon::new(dir, "chromedriver");
        let mut command = Command::new("chromedriver");
        command
            .arg(format!("--port={port}"))
            .env("PATH", install::search_path())
            .env("HOME", dir);
        driver.spawn(command)?;
        let (client, address) = (http::client(), format!("http://127.0.0.1:{port}"));
        driver
            .wait_ready(PATIENCE, || async {
                client.get(format!("{address}/status")).send().await.is_ok()
            })
            .await?;
        // Tests run as root in containers, where the browser's own sandbox and /dev/shm cannot be had.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}});
        let mut browser = Self {
            session: address,
            http: client,
            driver,
        };
        let session = browser.call("POST", "/session", wanted).await?;
        let id = session["sessionId"].as_str().context("the driver names no session")?;
        browser.session = format!("{}/session/{id}", browser.session);
        Ok(browser)
    }

    /// Goes to this address and waits until the page is there.
    ///
    /// # Errors
    /// If the browser does not.
    pub async fn open(&self, address: &str) -> Result<()> {
        self.call("POST", "/url", json!({"url": address})).await.map(|_| ())
    }

    /// The address of the page that is shown.
    ///
    /// # Errors
    /// If the browser does not say.
    pub async fn address(&self) -> Result<String> {
        let address = self.call("GET", "/url", Value::Null).await?;
        Ok(address.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the page at this address is shown.
    ///
    /// # Errors
    /// If it is another one in the end.
    pub async fn arrive(&self, address: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let at = self.address().await?;
            if at == address {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the browser is at {at}, not at {address}");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The text of the first element that fits, as a person sees it; waits until there is one.
    ///
    /// # Errors
    /// If there is none in time.
    pub async fn text(&self, selector: &str) -> Result<String> {
        let text = self.of_element(selector, "GET", "text", Value::Null).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Types into the first element that fits.
    ///
    /// # Errors
    /// If there is none in time.
    pub async fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        let body = json!({"text": text});
        self.of_element(selector, "POST", "value", body).await.map(|_| ())
    }

    /// Clicks on the first element that fits.
    ///
    /// # Errors
    /// If there is none in time.
    pub async fn click(&self, selector: &str) -> Result<()> {
        self.of_element(selector, "POST", "click", json!({})).await.map(|_| ())
    }

    /// The cookies that the browser has for the page that is shown.
    ///
    /// # Errors
    /// If the browser does not say.
    pub async fn cookies(&self) -> Result<Vec<Value>> {
        let cookies = self.call("GET", "/cookie", Value::Null).await?;
        Ok(cookies.as_array().cloned().unwrap_or_default())
    }

    /// What a script of the page would get for this expression.
    ///
    /// # Errors
    /// If it cannot be evaluated.
    pub async fn evaluate(&self, expression: &str) -> Result<Value> {
        let script = json!({"script": format!("return {expression}"), "args": []});
        self.call("POST", "/execute/sync", script).await
    }

    /// Does something with the first element that fits, once there is one; a page that goes away in between is no error.
    async fn of_element(&self, selector: &str, method: &str, what: &str, body: Value) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let wanted = json!({"using": "css selector", "value": selector});
            let done = async {
                let element = self.call("POST", "/element", wanted).await?;
                let element = element[ELEMENT].as_str().context("an element without a name")?;
                self.call(method, &format!("/element/{element}/{what}"), body.clone())
                    .await
            };
            match done.await {
                Ok(done) => return Ok(done),
                Err(error) if Instant::now() > deadline => {
                    let at = self.address().await.unwrap_or_default();
                    bail!("{what} of {selector:?} on {at}: {error:#}");
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        let request = self
            .http
            .request(method.parse()?, format!("{}{path}", self.session))
            .timeout(PATIENCE);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer: Value = request.send().await?.json().await?;
        let value = answer["value"].clone();
        match value["error"].as_str() {
            Some(error) => bail!("{error}: {}", value["message"].as_str().unwrap_or_default()),
            None => Ok(value),
        }
    }

    /// Ends browser and driver.
    ///
    /// # Errors
    /// If they do not end.
    pub async fn close(self) -> Result<()> {
        self.call("DELETE", "", Value::Null).await?;
        self.driver.stop(Signal::Term, Duration::from_secs(10)).await
    }
}
