//! `seaworthy serve`: the composition root. Everything is made here, once, and handed down.

use std::future::IntoFuture as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::assembly;
use crate::clients::certificates::Certificates;
use crate::clients::mailer::Mailer;
use crate::clients::registry::Registry;
use crate::config::Config;
use crate::definition::{Definitions, People};
use crate::dockerfile::Templates;
use crate::notify::{MailTemplates, Notifier};
use crate::pipeline::{Parts, Workspaces};
use crate::queue::Workers;
use crate::sign_in::SignIn;
use crate::store;
use crate::wake::Hub;
use crate::web;

/// How long the parts may take to stop; the process ends within 10 s of the signal.
const STOPPING: Duration = Duration::from_secs(9);

/// Run the service: web and workers in one process, unless told otherwise.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the web: webhooks, pages, API.
    #[arg(long, conflicts_with = "worker_only")]
    web_only: bool,
    /// Only the workers; `/healthz` and `/readyz` are still served.
    #[arg(long)]
    worker_only: bool,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Whatever must be mended before the service can start. Postgres, engine, registry, GitLab and mail server may be away.
pub async fn run(args: &Args, config: Config) -> anyhow::Result<ExitCode> {
    let config = Arc::new(config);
    let stop = CancellationToken::new();
    let hub = Hub::new();
    let pool = store::connect(&config.database.url, config.database.max_connections)?;
    let (templates, definitions) = assembly::definitions(&config)?;
    let definitions = Arc::new(definitions);
    let parts = if args.web_only {
        None
    } else {
        Some(assemble(&config, &hub, &pool, templates, Arc::clone(&definitions))?)
    };

    let listener = TcpListener::bind(config.server.listen)
        .await
        .with_context(|| format!("server.listen = {}: cannot listen there", config.server.listen))?;
    let people = People::load(config.definitions.pipelines.as_deref())?;
    let sign_in = assembly::openid(&config, &Certificates::load(config.tls.ca_file.as_deref())?)?;
    let state = web::AppState::new(pool.clone(), Arc::clone(&config), Arc::clone(&hub), stop.clone())
        .with_people(people)
        .with_definitions(definitions)
        .with_sign_in(sign_in.map(SignIn::new));
    let router = if args.worker_only {
        web::health_router(state.clone())
    } else {
        web::router(state.clone())
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %listener.local_addr()?,
        url = config.server.public_url,
        "seaworthy serves"
    );
    let shutdown = stop.clone();
    let server = tokio::spawn(
        axum::serve(
            listener,
            router.into_make_service_with_connect_info::<std::net::SocketAddr>(),
        )
        .with_graceful_shutdown(async move { shutdown.cancelled().await })
        .into_future(),
    );
    let background = tokio::spawn(background(parts, state, Arc::clone(&hub), pool, config, stop.clone()));

    wait_for_signal().await?;
    tracing::info!("stopping: running builds are handed back");
    stop.cancel();
    let both = async { (background.await, server.await) };
    match tokio::time::timeout(STOPPING, both).await {
        Ok((background, server)) => {
            background.context("the workers broke")??;
            server.context("the web server broke")??;
        }
        Err(_) => {
            tracing::warn!("not everything stopped in {STOPPING:?}; what is left is swept away by the next process")
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What begins when the database is there: the schema, then wake-ups and workers.
async fn background(
    parts: Option<(Parts, Notifier)>,
    state: web::AppState,
    hub: Arc<Hub>,
    pool: store::PgPool,
    config: Arc<Config>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let installation = loop {
        match prepare(&pool).await {
            Ok(installation) => break installation,
            Err(error) => tracing::warn!(
                error = format!("{error:#}"),
                "the database is not ready; tried again in 1 s"
            ),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    };
    state.set_migrated();
    tracing::info!(installation, "ready");
    let listening = Arc::clone(&hub).run(&config.database.url, &pool, &stop);
    match parts {
        Some((parts, notifier)) => {
            let workers = Workers::new(Arc::new(parts), notifier, installation, stop.clone());
            tokio::join!(listening, workers.run());
        }
        None => listening.await,
    }
    Ok(())
}

async fn prepare(pool: &store::PgPool) -> anyhow::Result<String> {
    store::migrate(pool).await.context("migrations")?;
    Ok(store::installation(pool).await?)
}

/// The parts of a worker.
fn assemble(
    config: &Arc<Config>,
    hub: &Arc<Hub>,
    pool: &store::PgPool,
    templates: Templates,
    definitions: Arc<Definitions>,
) -> anyhow::Result<(Parts, Notifier)> {
    let overrides = config.definitions.templates.as_deref();
    let mails = MailTemplates::load(overrides.map(|directory| directory.join("email")).as_deref())?;
    let certificates = Certificates::load(config.tls.ca_file.as_deref())?;
    let gitlab = assembly::gitlab(config, &certificates)?;
    let mailer = Mailer::new(&config.smtp, &certificates)?;
    let notifier = Notifier::new(
        pool.clone(),
        gitlab.clone(),
        mailer,
        mails,
        config.server.public_url.clone(),
    )
    .with_environments(definitions.environments().clone());
    let parts = Parts {
        pool: pool.clone(),
        hub: Arc::clone(hub),
        definitions,
        templates,
        git: assembly::git(config, &certificates)?,
        gitlab,
        engine: assembly::engine(config)?,
        registry: Registry::new(config, &certificates),
        workspaces: Workspaces::open(&config.storage.directory).with_context(|| {
            format!(
                "storage.directory = {}: cannot be used",
                config.storage.directory.display()
            )
        })?,
        certificates,
        worker: worker_name(config),
        config: Arc::clone(config),
    };
    Ok((parts, notifier))
}

/// Host and process, so that a record leads to a log; unique as long as the process lives.
fn worker_name(config: &Config) -> String {
    if !config.worker.name.is_empty() {
        return config.worker.name.clone();
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_else(|_| "worker".to_owned());
    format!("{}-{}", host.trim(), std::process::id())
}

async fn wait_for_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
