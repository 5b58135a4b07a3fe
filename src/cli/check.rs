//! `seaworthy check`: speaks to every outside part and says its version, or what is wrong and what to do.
//!
//! All parts are asked at once, so that a hanging one costs its own time limit and no more; they are told in a fixed
//! order, so that two runs can be compared.

use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::join_all;
use secrecy::ExposeSecret as _;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use super::assembly;
use crate::clients::certificates::Certificates;
use crate::clients::mailer::Mailer;
use crate::clients::registry::{Registry, RegistryErrorKind};
use crate::config::Config;
use crate::model::ProjectPath;
use crate::store;

/// The oldest Postgres and GitLab that the product works with.
const OLDEST: i32 = 13;
const POSTGRES_PATIENCE: Duration = Duration::from_secs(10);

/// Ask every outside part for its version, and say what is wrong and what to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Read this project by Git, too: Git has no call that works without one.
    #[arg(long, value_name = "GROUP/PROJECT")]
    project: Option<ProjectPath>,
}

impl Args {
    /// As the command line makes it.
    pub fn new(project: Option<ProjectPath>) -> Self {
        Self { project }
    }
}

/// Version of a part, or what is wrong and what to do.
type Found = Result<String, String>;
type Part<'a> = Pin<Box<dyn Future<Output = (String, Found)> + Send + 'a>>;

/// Writes one line for each part: `ok <what>: <version>` or `PROBLEM <what>: <what is wrong>`; fails if there is a
/// problem.
///
/// # Errors
/// If `out` cannot be written to.
pub async fn run(args: &Args, config: &Config, out: &mut (dyn Write + Send)) -> anyhow::Result<ExitCode> {
    let mut found = Vec::new();
    let certificates = match Certificates::load(config.tls.ca_file.as_deref()) {
        Ok(certificates) => certificates,
        Err(error) => {
            // The others are still worth asking: most companies' own authority is in the system as well.
            found.push(("certificates".to_owned(), Err(error.to_string())));
            Certificates::load(None)?
        }
    };
    let certificates = &certificates;
    found.push(("pipelines".to_owned(), definitions(config)));
    let mut parts: Vec<Part<'_>> = vec![
        part("Postgres", postgres(config)),
        part("engine", engine(config)),
        part(
            format!("registry {}", config.registry_host()),
            registry(config, certificates, config.registry_host()),
        ),
    ];
    let mut mirrors: Vec<&str> = config
        .mirror_hosts()
        .filter(|host| *host != config.registry_host())
        .collect();
    mirrors.sort_unstable();
    mirrors.dedup();
    for host in mirrors {
        parts.push(part(
            format!("base image mirror {host}"),
            registry(config, certificates, host),
        ));
    }
    parts.push(part("mail server", mail(config, certificates)));
    parts.push(part("GitLab", gitlab(config, certificates)));
    parts.push(part("Git", git(args, config, certificates)));
    if config.sign_in.provider.is_some() {
        parts.push(part("sign-in", sign_in(config, certificates)));
    }
    found.extend(join_all(parts).await);

    let mut well = true;
    for (what, found) in found {
        match found {
            Ok(version) => writeln!(out, "ok {what}: {version}")?,
            Err(wrong) => {
                well = false;
                writeln!(out, "PROBLEM {what}: {wrong}")?;
            }
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn part<'a>(what: impl Into<String>, asked: impl Future<Output = Found> + Send + 'a) -> Part<'a> {
    let what = what.into();
    Box::pin(async move { (what, asked.await) })
}

fn definitions(config: &Config) -> Found {
    let (_, definitions) = assembly::definitions(config).map_err(|error| format!("{error:#}"))?;
    let today = chrono::Utc::now().date_naive();
    let exceptions = definitions
        .pipelines()
        .filter_map(|pipeline| Some((pipeline, &pipeline.by_hand.as_ref()?.allowed)));
    let mut told = String::new();
    for (pipeline, allowed) in exceptions {
        let over = if allowed.holds(today) {
            ""
        } else {
            " (it has run out: builds fail)"
        };
        told.push_str(&format!("; {}: {allowed}{over}", pipeline.name));
    }
    Ok(format!(
        "{} pipeline(s), {} stack(s){told}",
        definitions.pipelines().count(),
        definitions.stacks().count()
    ))
}

async fn postgres(config: &Config) -> Found {
    let options: PgConnectOptions = config
        .database
        .url
        .expose_secret()
        .parse()
        .map_err(|error| format!("database.url is not an address of Postgres: {error}"))?;
    let place = format!(
        "{}:{}/{}",
        options.get_host(),
        options.get_port(),
        options.get_database().unwrap_or_default()
    );
    let mut connection = match tokio::time::timeout(POSTGRES_PATIENCE, options.connect()).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            let advice = match error.as_database_error().and_then(|error| error.code()).as_deref() {
                Some("28P01" | "28000") => "; check user and password in database.url, and pg_hba.conf",
                Some("3D000") => "; create the database (createdb) or correct its name in database.url",
                Some("53300") => "; too many connections: raise max_connections in Postgres",
                _ => "; does it run there, and is database.url right?",
            };
            return Err(format!("{place}: {error}{advice}"));
        }
        Err(_) => return Err(format!("{place}: no answer within {POSTGRES_PATIENCE:?}")),
    };
    let (number, version) = store::server_version(&mut connection)
        .await
        .map_err(|error| format!("{place}: {error}"))?;
    if number / 10_000 < OLDEST {
        return Err(format!(
            "{place}: version {version} is too old, {OLDEST} or newer is needed"
        ));
    }
    Ok(format!("{version} at {place}"))
}

async fn engine(config: &Config) -> Found {
    let engine = assembly::engine(config).map_err(|error| format!("{error:#}"))?;
    let version = engine.version().await.map_err(|error| error.to_string())?;
    Ok(format!(
        "{} (API {}, {}/{}) at {}",
        version.version, version.api, version.os, version.arch, config.engine.url
    ))
}

async fn registry(config: &Config, certificates: &Certificates, host: &str) -> Found {
    let answer = Registry::new(config, certificates).check(host).await;
    answer.map_err(|error| {
        let advice = match error.kind() {
            RegistryErrorKind::Unreachable => {
                "; does it run there? The host is from registry.repository or base_images.mirrors"
            }
            // The cause says what to do.
            _ => "",
        };
        format!("{}{advice}", error.cause())
    })
}

async fn mail(config: &Config, certificates: &Certificates) -> Found {
    let place = format!("{}:{}", config.smtp.host, config.smtp.port);
    let mailer = Mailer::new(&config.smtp, certificates).map_err(|error| error.cause().to_owned())?;
    match mailer.check().await {
        Ok(greeting) => Ok(format!("{greeting} at {place}")),
        Err(error) => Err(format!(
            "{place}: {}; are smtp.host, smtp.port and smtp.tls right?",
            error.cause()
        )),
    }
}

async fn gitlab(config: &Config, certificates: &Certificates) -> Found {
    let gitlab = assembly::gitlab(config, certificates).map_err(|error| format!("{error:#}"))?;
    let ask = async {
        let version = gitlab.version().await?;
        let user = gitlab.current_user().await?.username.clone();
        Ok((version, user, gitlab.token_scopes().await?))
    };
    let (version, user, token) = ask
        .await
        .map_err(|error: crate::clients::gitlab::GitLabError| error.to_string())?;
    let major: Option<i32> = version.split('.').next().and_then(|major| major.parse().ok());
    if major.is_some_and(|major| major < OLDEST) {
        return Err(format!("version {version} is too old, {OLDEST} or newer is needed"));
    }
    let mut text = format!("{version} at {}, token of @{user}", config.gitlab.url);
    match token {
        Some(token) if token.scopes.iter().any(|scope| scope == "api") => {
            text.push_str(&format!(", scopes {}", token.scopes.join(" ")));
            if let Some(day) = token.expires_at {
                text.push_str(&format!(", valid until {day}"));
            }
        }
        Some(token) => {
            return Err(format!(
                "the token of @{user} has the scopes {:?}, but not `api`, which commit statuses and notes need: make a \
                 new one and set gitlab.token",
                token.scopes.join(" ")
            ));
        }
        None => text.push_str(", scopes unknown (GitLab tells them from 15.5 on)"),
    }
    Ok(text)
}

async fn sign_in(config: &Config, certificates: &Certificates) -> Found {
    let openid = assembly::openid(config, certificates).map_err(|error| format!("{error:#}"))?;
    match openid {
        Some(openid) => openid.check().await.map_err(|error| error.to_string()),
        None => Ok("not configured".to_owned()),
    }
}

async fn git(args: &Args, config: &Config, certificates: &Certificates) -> Found {
    let git = assembly::git(config, certificates).map_err(|error| format!("{error:#}"))?;
    let version = git.check().await.map_err(|error| error.to_string())?;
    let Some(project) = &args.project else {
        return Ok(format!(
            "{version}, mirrors in {} (not asked for a project: --project, or `seaworthy connect`)",
            config.storage.directory.display()
        ));
    };
    match git
        .ls_remote(project, "HEAD")
        .await
        .map_err(|error| error.to_string())?
    {
        Some(tip) => Ok(format!("{version}, {project} is at {}", tip.short())),
        None => Ok(format!("{version}, {project} is empty")),
    }
}
