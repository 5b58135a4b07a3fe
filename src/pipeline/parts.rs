//! What all runs of a process share: the clients, the definitions, the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::PgPool;

use super::Workspaces;
use crate::clients::certificates::Certificates;
use crate::clients::engine::{Credentials, Engine};
use crate::clients::git::Git;
use crate::clients::gitlab::GitLab;
use crate::clients::registry::Registry;
use crate::config::Config;
use crate::definition::Definitions;
use crate::dockerfile::Templates;
use crate::wake::Hub;

/// Made once in `serve`, shared by all builds.
pub struct Parts {
    /// The database.
    pub pool: PgPool,
    /// Who waits for news.
    pub hub: Arc<Hub>,
    /// The configuration.
    pub config: Arc<Config>,
    /// Pipelines and stacks.
    pub definitions: Arc<Definitions>,
    /// Dockerfile templates.
    pub templates: Templates,
    /// Git over HTTP.
    pub git: Git,
    /// GitLab's API.
    pub gitlab: GitLab,
    /// The Docker engine.
    pub engine: Engine,
    /// Registries.
    pub registry: Registry,
    /// The authorities that build containers are given.
    pub certificates: Certificates,
    /// Directories of running builds.
    pub workspaces: Workspaces,
    /// The name of this worker.
    pub worker: String,
}

impl Parts {
    /// The login for the registry of this image.
    pub fn login(&self, reference: &str) -> Option<Credentials> {
        let host = reference.split('/').next().unwrap_or_default();
        self.config.account_for(host).map(|account| Credentials {
            username: account.username.clone(),
            password: account.password.clone(),
        })
    }

    /// The login for the registry of this image, under its host.
    pub fn logins(&self, reference: &str) -> BTreeMap<String, Credentials> {
        let host = reference.split('/').next().unwrap_or_default().to_owned();
        self.login(reference).map(|login| (host, login)).into_iter().collect()
    }
}
