//! Clients and definitions as they are configured: what `serve`, `check` and `connect` make in the same way.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::clients::certificates::Certificates;
use crate::clients::engine::{Builder, Engine, EngineOptions};
use crate::clients::git::{Git, GitOptions};
use crate::clients::gitlab::GitLab;
use crate::clients::http;
use crate::clients::openid::OpenId;
use crate::config::{self, Config};
use crate::definition::Definitions;
use crate::dockerfile::Templates;

/// Dockerfile templates, pipelines and stacks, tried together.
///
/// # Errors
/// All mistakes in the files.
pub fn definitions(config: &Config) -> anyhow::Result<(Templates, Definitions)> {
    definitions_in(
        config.definitions.templates.as_deref(),
        config.definitions.pipelines.as_deref(),
    )
}

/// The same from these directories, the shipped ones where none is given.
///
/// # Errors
/// All mistakes in the files.
pub fn definitions_in(overrides: Option<&Path>, pipelines: Option<&Path>) -> anyhow::Result<(Templates, Definitions)> {
    let templates = Templates::load(overrides.map(|directory| directory.join("dockerfile")).as_deref())?;
    let definitions = Definitions::load(pipelines, &templates.names())?;
    if let Err(errors) = templates.check(&definitions) {
        let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::bail!("Dockerfile templates:\n  {}", list.join("\n  "));
    }
    Ok((templates, definitions))
}

/// GitLab as configured.
///
/// # Errors
/// TLS cannot be set up.
pub fn gitlab(config: &Config, certificates: &Certificates) -> anyhow::Result<GitLab> {
    let http = http::client(certificates)?;
    Ok(GitLab::new(
        &config.gitlab.url,
        &config.gitlab.token,
        config.gitlab.timeout,
        http,
    )?)
}

/// The OpenID provider as configured, if there is one.
///
/// # Errors
/// TLS cannot be set up.
pub fn openid(config: &Config, certificates: &Certificates) -> anyhow::Result<Option<OpenId>> {
    let Some(provider) = &config.sign_in.provider else {
        return Ok(None);
    };
    let redirect = format!("{}/sign-in/return", config.server.public_url.trim_end_matches('/'));
    Ok(Some(OpenId::new(provider, redirect, http::client(certificates)?)))
}

/// The engine as configured.
///
/// # Errors
/// An address of another kind than the engine's.
pub fn engine(config: &Config) -> anyhow::Result<Engine> {
    let mut options = EngineOptions::at(&config.engine.url);
    options.builder = match config.engine.builder {
        config::Builder::BuildKit => Builder::BuildKit,
        config::Builder::Classic => Builder::Classic,
    };
    Ok(Engine::connect(&options)?)
}

/// Git as configured.
///
/// # Errors
/// The directory for the mirrors cannot be made.
pub fn git(config: &Config, certificates: &Certificates) -> anyhow::Result<Git> {
    std::fs::create_dir_all(&config.storage.directory).with_context(|| {
        format!(
            "storage.directory = {}: cannot be made",
            config.storage.directory.display()
        )
    })?;
    let storage = std::fs::canonicalize(&config.storage.directory)?;
    git_in(&storage.join("mirrors"), config, certificates)
}

/// Git as configured, with its mirrors in this directory.
///
/// # Errors
/// The directory is not absolute or cannot be made.
pub fn git_in(mirrors: &Path, config: &Config, certificates: &Certificates) -> anyhow::Result<Git> {
    let options = GitOptions {
        mirrors: mirrors.to_owned(),
        username: config.gitlab.git_username.clone(),
        token: config.gitlab.git_token.clone(),
        base_url: config.gitlab.url.clone(),
        connect_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(60),
    };
    Ok(Git::new(options, http::builder(certificates)?)?)
}
