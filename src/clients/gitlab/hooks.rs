//! Webhooks of a project, for `seaworthy connect`.

use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::error::{Doing, GitLabErrorKind};
use super::{GitLab, GitLabError};
use crate::model::ProjectId;

/// A hook as GitLab shows it: its secret is never shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Hook {
    /// Number.
    pub id: i64,
    /// Where it is sent to.
    pub url: String,
    /// Is it sent for merge requests?
    #[serde(default)]
    pub merge_requests_events: bool,
    /// Is it sent for pushes?
    #[serde(default)]
    pub push_events: bool,
    /// Is the receiver's certificate checked?
    #[serde(default)]
    pub enable_ssl_verification: bool,
    /// Set by GitLab after too many failures: `temporarily_disabled`, `disabled`; else `executable` (newer versions).
    #[serde(default)]
    pub alert_status: Option<String>,
    /// Are deliveries signed (19 and newer)?
    #[serde(default)]
    pub signing_token_present: bool,
}

/// What a hook of ours is set to: merge requests, and pushes, which tell of the trunk.
#[derive(Debug, Clone)]
pub struct HookSettings {
    /// Where it is sent to.
    pub url: String,
    /// Check the certificate of `url`?
    pub enable_ssl_verification: bool,
    /// Sent in `X-Gitlab-Token`.
    pub token: Option<SecretString>,
    /// Key that deliveries are signed with (`whsec_…`).
    pub signing_token: Option<SecretString>,
}

#[derive(Serialize)]
struct Body<'a> {
    url: &'a str,
    merge_requests_events: bool,
    push_events: bool,
    enable_ssl_verification: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_token: Option<&'a str>,
}

impl HookSettings {
    fn body(&self) -> Body<'_> {
        Body {
            url: &self.url,
            merge_requests_events: true,
            push_events: true,
            enable_ssl_verification: self.enable_ssl_verification,
            token: self.token.as_ref().map(|token| token.expose_secret()),
            signing_token: self.signing_token.as_ref().map(|token| token.expose_secret()),
        }
    }
}

/// What came of a test delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookTest {
    /// The receiver took it.
    Delivered,
    /// It was not delivered, or there is nothing to send (a project without merge requests); GitLab's words.
    Failed(String),
    /// This GitLab has no such call (older than 16.11).
    NotOffered,
}

const NEEDS: &str = "role Maintainer in the project and scope `api`";

impl GitLab {
    /// All hooks of a project.
    ///
    /// # Errors
    /// `Refused` or `NotThere` if the token's user is no Maintainer.
    pub async fn hooks(&self, project: ProjectId) -> Result<Vec<Hook>, GitLabError> {
        let doing = Doing::new(format!("list the webhooks of project {project}"), NEEDS);
        self.all(&doing, self.project_url(project, ["hooks"])).await
    }

    /// Makes a hook.
    ///
    /// # Errors
    /// `Invalid` if GitLab does not want to call that address (a local network, for one).
    pub async fn create_hook(&self, project: ProjectId, settings: &HookSettings) -> Result<Hook, GitLabError> {
        let doing = Doing::new(format!("make a webhook in project {project}"), NEEDS);
        let url = self.project_url(project, ["hooks"]);
        self.send(&doing, Method::POST, url, &settings.body()).await
    }

    /// Sets a hook to these settings, the secret included.
    ///
    /// # Errors
    /// As [`GitLab::create_hook`].
    pub async fn edit_hook(&self, project: ProjectId, hook: i64, settings: &HookSettings) -> Result<Hook, GitLabError> {
        let doing = Doing::new(format!("edit webhook {hook} of project {project}"), NEEDS);
        let number = hook.to_string();
        let url = self.project_url(project, ["hooks", number.as_str()]);
        self.send(&doing, Method::PUT, url, &settings.body()).await
    }

    /// Removes a hook; one that is gone is no error.
    ///
    /// # Errors
    /// `Refused` if the token's user is no Maintainer.
    pub async fn delete_hook(&self, project: ProjectId, hook: i64) -> Result<(), GitLabError> {
        let doing = Doing::new(format!("remove webhook {hook} of project {project}"), NEEDS);
        let number = hook.to_string();
        let url = self.project_url(project, ["hooks", number.as_str()]);
        match self.exchange(&doing, Method::DELETE, url, None::<&()>).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == GitLabErrorKind::NotThere => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Lets GitLab send a test delivery for the newest merge request.
    ///
    /// # Errors
    /// If GitLab does not answer, limits the rate (five a minute) or refuses.
    pub async fn test_hook(&self, project: ProjectId, hook: i64) -> Result<HookTest, GitLabError> {
        let doing = Doing::new(format!("test webhook {hook} of project {project}"), NEEDS);
        let number = hook.to_string();
        let parts = ["hooks", number.as_str(), "test", "merge_requests_events"];
        let url = self.project_url(project, parts);
        match self.send::<IgnoredAny>(&doing, Method::POST, url, &()).await {
            Ok(_) => Ok(HookTest::Delivered),
            Err(error) if error.kind == GitLabErrorKind::NotThere => Ok(HookTest::NotOffered),
            Err(error) if matches!(error.status, Some(400 | 422)) => Ok(HookTest::Failed(error.message)),
            Err(error) => Err(error),
        }
    }
}
