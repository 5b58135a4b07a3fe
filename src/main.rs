//! Parse, dispatch, exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use seaworthy::cli::{
    advisories, audit, builds, check, connect, copy, deliveries, describe, diff, environments, findings, history,
    images, logs, plan, promote, quality, reject, reproduce, rollback, serve, stacks, token, trace,
};
use seaworthy::clients::http::install_crypto_provider;
use seaworthy::config::{Config, DEFAULT_FILE, LogFormat};
use tracing_subscriber::EnvFilter;

/// A merge request becomes a tested, self-describing image in the QA registry, and a mail.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Arguments {
    /// The configuration; without it, defaults and environment alone count.
    #[arg(long, global = true, env = "SEAWORTHY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the default configuration: every option with its explanation.
    Config,
    /// Run the service.
    Serve(serve::Args),
    /// Talk to each outside part and say what is wrong with it.
    Check(check::Args),
    Connect(connect::Args),
    #[command(hide = true)]
    Copy(copy::Args),
    Builds(builds::Args),
    Logs(logs::Args),
    /// Build the same commit again.
    Rebuild(builds::Order),
    /// Stop a build.
    Cancel(builds::Order),
    Deliveries(deliveries::Args),
    Trace(trace::Args),
    Promote(promote::Args),
    Reject(reject::Args),
    Rollback(rollback::Args),
    Environments(environments::Args),
    History(history::Args),
    Quality(quality::Args),
    Diff(diff::Args),
    Audit(audit::Args),
    Findings(findings::Args),
    Describe(describe::Args),
    Reproduce(reproduce::Args),
    Plan(plan::Args),
    Stacks(stacks::Args),
    Token(token::Args),
    Images(images::Args),
    Advisories(advisories::Args),
}

fn main() -> ExitCode {
    install_crypto_provider();
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("seaworthy: the system gives no threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(dispatch(arguments));
    // A task that hangs in a system call must not hold the end up.
    runtime.shutdown_background();
    ended.unwrap_or_else(|error| {
        eprintln!("seaworthy: {error:#}");
        ExitCode::FAILURE
    })
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::Config => {
            print!("{DEFAULT_FILE}");
            Ok(ExitCode::SUCCESS)
        }
        Verb::Serve(args) => {
            let config = load(arguments.config)?;
            start_logging(&config)?;
            serve::run(&args, config).await
        }
        Verb::Check(args) => check::run(&args, &load(arguments.config)?, &mut std::io::stdout()).await,
        Verb::Connect(args) => connect::run(&args, &load(arguments.config)?, &mut std::io::stdout()).await,
        Verb::Copy(args) => copy::run(&args, &load(arguments.config)?, &mut std::io::stdout()).await,
        Verb::Describe(args) => describe::run(&args, &load(arguments.config)?).await,
        Verb::Reproduce(args) => reproduce::run(&args, &load(arguments.config)?).await,
        Verb::Plan(args) => {
            let config = load_if_any(arguments.config)?;
            plan::run(&args, config.as_ref(), &mut std::io::stdout()).await
        }
        Verb::Stacks(args) => {
            let config = load_if_any(arguments.config)?;
            stacks::run(&args, config.as_ref(), &mut std::io::stdout()).await
        }
        Verb::Token(args) => token::run(&args, &load(arguments.config)?).await,
        Verb::Advisories(args) => advisories::run(&args, &load(arguments.config)?, &mut std::io::stdout()).await,
        Verb::Promote(args) => promote::run(&args).await,
        Verb::Reject(args) => reject::run(&args).await,
        Verb::Rollback(args) => rollback::run(&args).await,
        Verb::Environments(args) => environments::run(&args, || load(arguments.config), &mut std::io::stdout()).await,
        Verb::History(args) => history::run(&args).await,
        Verb::Diff(args) => diff::run(&args).await,
        Verb::Quality(args) => quality::run(&args).await,
        Verb::Audit(args) => audit::run(&args, || load(arguments.config)).await,
        Verb::Images(args) => images::run(&args, || load(arguments.config)).await,
        Verb::Builds(args) => builds::run(&args).await,
        Verb::Logs(args) => logs::run(&args).await,
        Verb::Rebuild(args) => builds::rebuild(&args).await,
        Verb::Cancel(args) => builds::cancel(&args).await,
        Verb::Deliveries(args) => deliveries::run(&args).await,
        Verb::Findings(args) => findings::run(&args).await,
        Verb::Trace(args) => trace::run(&args).await,
    }
}

fn load(file: Option<PathBuf>) -> anyhow::Result<Config> {
    let text = file
        .as_ref()
        .map(|path| {
            std::fs::read_to_string(path).with_context(|| format!("--config {}: cannot be read", path.display()))
        })
        .transpose()?;
    let name = file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    Ok(Config::load(
        text.as_deref().map(|text| (name.as_str(), text)),
        std::env::vars(),
    )?)
}

/// For verbs that people also use at their desk, where nothing is configured: the shipped pipelines count then.
fn load_if_any(file: Option<PathBuf>) -> anyhow::Result<Option<Config>> {
    let configured = file.is_some() || std::env::vars().any(|(name, _)| name.starts_with("SEAWORTHY_"));
    if configured {
        return load(file).map(Some);
    }
    eprintln!("seaworthy: nothing is configured, so the shipped pipelines and stacks count");
    Ok(None)
}

fn start_logging(config: &Config) -> anyhow::Result<()> {
    let filter: EnvFilter = config
        .logging
        .filter
        .parse()
        .with_context(|| format!("logging.filter = {:?}", config.logging.filter))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.logging.format {
        LogFormat::Json => subscriber.json().init(),
        LogFormat::Text => subscriber.init(),
    }
    Ok(())
}
