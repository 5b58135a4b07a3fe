//! `world`: the test world from the command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use world::engine::Engine;
use world::gitlab::GitLab;
use world::images::Images;
use world::install::ensure_packages;
use world::world::{VARIABLE, World};

/// Starts and stops the real parts that tests, demo and benchmarks run against.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Bring everything up and leave it running; prints the addresses.
    Up {
        #[command(flatten)]
        place: Place,
    },
    /// Stop everything and remove its folder.
    Down {
        #[command(flatten)]
        place: Place,
    },
    /// Bring everything up, run a command in it, take everything down; exits as the command does.
    Run {
        #[command(flatten)]
        place: Place,
        /// The command and its arguments, after `--`.
        #[arg(required = true, last = true)]
        command: Vec<String>,
    },
    /// Run the stand-in for GitLab until it is ended; it is driven over `/-/control/` (see the module's text).
    Gitlab {
        /// Listens on 127.0.0.1 alone; 0 picks a free port.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Where the repositories are kept.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Only make the base images.
    Images {
        /// Also those of the stacks that no sample application uses.
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The world's folder; every folder above must let other users pass.
    #[arg(long, default_value_os_t = std::env::temp_dir().join("seaworthy-world"))]
    dir: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match act(Arguments::parse().verb).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("world: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn act(verb: Verb) -> Result<ExitCode> {
    match verb {
        Verb::Up { place } => {
            let world = World::up(&place.dir).await?;
            print(&world);
        }
        Verb::Down { place } => World::down(&place.dir).await?,
        Verb::Run { place, command } => return run(&place.dir, &command).await,
        Verb::Gitlab { port, dir } => {
            let gitlab = GitLab::start(&dir, port).await?;
            println!("url\t{}", gitlab.url());
            println!("api token\t{}", gitlab.api_token());
            println!("git token\t{}", gitlab.git_token());
            gitlab.wait().await;
        }
        Verb::Images { all } => {
            ensure_packages().await?;
            let dir = tempfile::tempdir()?;
            let engine = Engine::ensure(dir.path()).await?;
            let made = Images::ensure(&engine, &Images::default_cache(), all).await;
            engine.stop().await?;
            for (name, digest) in made?.digests {
                println!("{name}\t{digest}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn run(dir: &std::path::Path, command: &[String]) -> Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let up = async {
        let world = World::up(dir).await?;
        world.tie_to_this_process()?;
        anyhow::Ok(world)
    };
    let world = tokio::select! {
        world = up => world?,
        _ = interrupt.recv() => return interrupted(dir).await,
        _ = terminate.recv() => return interrupted(dir).await,
    };
    let (program, arguments) = command.split_first().context("no command")?;
    let child = Command::new(program)
        .args(arguments)
        .env(VARIABLE, world.file())
        .spawn();
    let mut child = match child.with_context(|| format!("cannot run {program}")) {
        Ok(child) => child,
        Err(error) => {
            World::down(dir).await?;
            return Err(error);
        }
    };
    let ended = tokio::select! {
        ended = child.wait() => Some(ended?),
        never = world.engine.supervise() => match never {},
        // At a terminal the command got the signal as well; it has ten seconds for its own tidying.
        _ = interrupt.recv() => tokio::time::timeout(Duration::from_secs(10), child.wait()).await.ok().transpose()?,
        _ = terminate.recv() => {
            if let Some(pid) = child.id() {
                world::process::kill(pid, world::process::Signal::Term).await?;
            }
            tokio::time::timeout(Duration::from_secs(10), child.wait()).await.ok().transpose()?
        }
    };
    if ended.is_none() {
        child.kill().await?;
    }
    if ended.is_some_and(|status| status.success()) {
        World::down(dir).await?;
        return Ok(ExitCode::SUCCESS);
    }
    World::halt(dir).await?;
    eprintln!(
        "world: the command failed; the logs of the parts are in {}",
        dir.display()
    );
    Ok(ended
        .and_then(|status| status.code())
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

async fn interrupted(dir: &std::path::Path) -> Result<ExitCode> {
    World::down(dir).await?;
    Ok(ExitCode::from(130))
}

/// The addresses, for a person and for `cut -f2`.
fn print(world: &World) {
    println!("world\t{}", world.file().display());
    println!(
        "engine\t{}{}",
        world.engine.host,
        if world.engine.ours() { " (started here)" } else { "" }
    );
    println!("registry\t{}", world.registry.address);
    println!("mirror\t{}", world.mirror());
    println!("postgres\t{}", world.postgres.url("postgres"));
    println!("smtp\t127.0.0.1:{}", world.smtp.port);
}
