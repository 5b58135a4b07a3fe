//! `seaworthy check`: talks to each outside part and prints its version, or what is wrong and what to do.

use std::process::ExitCode;

use super::serve;
use crate::clients::certificates::Certificates;
use crate::clients::gitlab::GitLab;
use crate::clients::http;
use crate::clients::mailer::Mailer;
use crate::clients::registry::Registry;
use crate::config::Config;
use crate::definition::Definitions;
use crate::dockerfile::Templates;
use crate::store;

/// Oldest Postgres that is supported.
const POSTGRES: i32 = 130_000;

/// # Errors
/// Only what keeps all checks from being made: the certificate authorities.
pub async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let certificates = Certificates::load(config.tls.ca_file.as_deref())?;
    let registry = Registry::new(config, &certificates);
    let mirrors: Vec<&String> = config.base_images.mirrors.values().collect();
    let (postgres, engine, gitlab, smtp, qa) = tokio::join!(
        postgres(config),
        engine(config),
        gitlab(config, &certificates),
        smtp(config, &certificates),
        registry.check(&config.registry.repository),
    );
    let mut results = vec![
        ("pipelines", definitions(config)),
        ("postgres", postgres),
        ("engine", engine),
        ("gitlab", gitlab),
        ("git", git(config, &certificates).await),
        ("smtp", smtp),
        (
            "registry",
            qa.map(|says| format!("{}, {says}", config.registry.repository))
                .map_err(Into::into),
        ),
    ];
    for mirror in mirrors {
        let answer = registry.check(mirror).await;
        results.push((
            "base images",
            answer.map(|says| format!("{mirror}, {says}")).map_err(Into::into),
        ));
    }
    let mut wrong = 0;
    for (part, result) in results {
        match result {
            Ok(version) => println!("ok       {part:<12} {version}"),
            Err(error) => {
                wrong += 1;
                println!("PROBLEM  {part:<12} {error:#}");
            }
        }
    }
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn definitions(config: &Config) -> anyhow::Result<String> {
    let overrides = config.definitions.templates.as_deref();
    let templates = Templates::load(overrides.map(|directory| directory.join("dockerfile")).as_deref())?;
    let definitions = Definitions::load(config.definitions.pipelines.as_deref(), &templates.names())?;
    if let Err(errors) = templates.check(&definitions) {
        anyhow::bail!(
            "{}",
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        );
    }
    Ok(format!(
        "{} pipeline(s), {} stack(s)",
        definitions.pipelines().count(),
        definitions.stacks().count()
    ))
}

async fn postgres(config: &Config) -> anyhow::Result<String> {
    let pool = store::connect(&config.database.url, 4)?;
    let (number, version) = store::server_version(&pool).await?;
    if number < POSTGRES {
        anyhow::bail!("version {version} is too old: 13 or newer is needed");
    }
    Ok(version)
}

async fn engine(config: &Config) -> anyhow::Result<String> {
    let version = serve::engine(config)?.version().await?;
    Ok(format!(
        "Docker {} (API {}, {}/{})",
        version.version, version.api, version.os, version.arch
    ))
}

async fn gitlab(config: &Config, certificates: &Certificates) -> anyhow::Result<String> {
    let http = http::client(certificates)?;
    let gitlab = GitLab::new(&config.gitlab.url, &config.gitlab.token, config.gitlab.timeout, http)?;
    let version = gitlab.version().await?;
    let user = gitlab.current_user().await?;
    if let Some(token) = gitlab.token_scopes().await?
        && !token.scopes.iter().any(|scope| scope == "api")
    {
        anyhow::bail!(
            "the token of @{} has the scopes {}: commit statuses and notes need `api`; make a new token",
            user.username,
            token.scopes.join(", ")
        );
    }
    Ok(format!("{version} as @{}", user.username))
}

async fn git(config: &Config, certificates: &Certificates) -> anyhow::Result<String> {
    let git = serve::git(config, certificates)?;
    let version = git.check().await?;
    Ok(format!(
        "{version}, mirrors below {}",
        config.storage.directory.display()
    ))
}

async fn smtp(config: &Config, certificates: &Certificates) -> anyhow::Result<String> {
    let mailer = Mailer::new(&config.smtp, certificates)?;
    mailer.check().await?;
    Ok(format!("{} takes our login", mailer.server()))
}
