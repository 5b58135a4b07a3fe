//! The whole world: brought up in one folder, described by one JSON file, taken down by that folder alone.
//!
//! The file `<dir>/world.json` is a [`World`] in JSON. Whoever is started by `world run` finds its path in the variable
//! [`VARIABLE`]; the parts in it can be stopped and started again from any process.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::engine::{Engine, Leftovers};
use crate::images::{Images, MIRROR};
use crate::postgres::Postgres;
use crate::process::{Owner, random_word, run, sweep};
use crate::registry::{Registry, RegistryOptions};
use crate::smtp::Smtp;

/// The environment variable that holds the path of the world's JSON file.
pub const VARIABLE: &str = "SEAWORTHY_WORLD";

/// All shared parts. Tests that stop parts start their own instead, below [`World::scratch`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct World {
    /// The folder of everything below; gone after `down`, the logs of a failed run excepted.
    pub dir: PathBuf,
    /// The Docker engine.
    pub engine: Engine,
    /// The QA registry, which is the mirror of base images as well.
    pub registry: Registry,
    /// One cluster; take a database each.
    pub postgres: Postgres,
    /// The mail server.
    pub smtp: Smtp,
    /// What the mirror holds.
    pub images: Images,
}

impl World {
    /// Installs what is missing, cleans what a crashed run left in `dir`, and starts everything.
    ///
    /// # Errors
    /// If a world is up in that folder already, or if a part does not start; what was started is stopped then.
    pub async fn up(dir: &Path) -> Result<Self> {
        crate::install::ensure_packages().await?;
        if let Some(owner) = Self::owner(dir)? {
            bail!(
                "a world is up in {} ({owner}); end it with `world down --dir {0}`",
                dir.display()
            );
        }
        Self::down(dir).await?;
        match Self::start(dir).await {
            Ok(world) => Ok(world),
            Err(error) => {
                stop_all(dir).await?;
                Err(error.context(format!("the world did not come up; its logs are in {}", dir.display())))
            }
        }
    }

    /// The world that this process was started in.
    ///
    /// # Panics
    /// If there is none: a test that needs real parts is run by `make test`.
    #[must_use]
    pub fn attach() -> Self {
        let Some(file) = std::env::var_os(VARIABLE) else {
            panic!("{VARIABLE} is not set: this test needs the test world. Run `make test`.");
        };
        match Self::read(Path::new(&file)) {
            Ok(world) => world,
            Err(error) => panic!("{VARIABLE} names no world: {error:#}. Run `make test`."),
        }
    }

    /// Reads a world's JSON file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(file: &Path) -> Result<Self> {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&bytes).with_context(|| format!("{} describes no world", file.display()))
    }

    /// The JSON file that describes this world.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.dir.join("world.json")
    }

    /// `<registry>/mirror`: what stands for `docker.io` here.
    #[must_use]
    pub fn mirror(&self) -> String {
        format!("{}/{MIRROR}", self.registry.address)
    }

    /// A fresh folder for the parts that one test starts for itself; what is left in it is stopped with the world.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn scratch(&self) -> Result<PathBuf> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = self.dir.join(format!(
            "s/{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// Stops everything that runs below `dir`, and removes the folder. Nothing there is fine.
    ///
    /// # Errors
    /// If something cannot be stopped.
    pub async fn down(dir: &Path) -> Result<()> {
        stop_all(dir).await?;
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", dir.display()))
            }
            _ => Ok(()),
        }
    }

    /// Stops everything, but keeps the folder with its logs, to look into after a failure.
    ///
    /// # Errors
    /// If something cannot be stopped.
    pub async fn halt(dir: &Path) -> Result<()> {
        stop_all(dir).await
    }

    /// Says that this world ends with the process that calls this: if it dies, the next start cleans up.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn tie_to_this_process(&self) -> Result<()> {
        Owner::me()?.write(&self.dir.join("owner.json"))
    }

    /// Who holds a world in `dir`, in words; `None` if nobody does (or whoever did has crashed).
    fn owner(dir: &Path) -> Result<Option<String>> {
        let Ok(world) = Self::read(&dir.join("world.json")) else {
            return Ok(None);
        };
        let file = dir.join("owner.json");
        if file.exists() {
            return Ok(Owner::alive(&file).map(|pid| format!("held by process {pid}")));
        }
        // Left by `up`: it stands as long as one of its parts does.
        let running = world.registry.daemon().alive() || world.postgres.daemon().alive() || world.smtp.daemon().alive();
        Ok(running.then(|| "left running by `world up`".to_owned()))
    }

    async fn start(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let engine = Engine::ensure(&dir.join("engine")).await?;
        let images = Images::ensure(&engine, &Images::default_cache(), false).await?;
        let storage = dir.join("registry/storage");
        images.seed(&storage)?;
        let login = Some(("seaworthy".to_owned(), random_word()?));
        let (registry_dir, postgres_dir, smtp_dir) = (dir.join("registry"), dir.join("postgres"), dir.join("smtp"));
        let (registry, postgres, smtp) = tokio::try_join!(
            Registry::start(
                &registry_dir,
                RegistryOptions {
                    storage,
                    port: 0,
                    login
                }
            ),
            Postgres::start(&postgres_dir),
            Smtp::start(&smtp_dir),
        )?;
        let world = Self {
            dir: dir.to_owned(),
            engine,
            registry,
            postgres,
            smtp,
            images,
        };
        std::fs::write(world.file(), serde_json::to_string_pretty(&world)?)?;
        Ok(world)
    }
}

async fn stop_all(dir: &Path) -> Result<()> {
    // Private engines first: a killed one has containers that only an engine can end.
    Leftovers::stop(dir).await?;
    for name in sweep(dir).await? {
        eprintln!("world: stopped {name}");
    }
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let below = format!("{}/", dir.display());
    for point in mounts
        .lines()
        .rev()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|point| point.starts_with(&below))
    {
        run(Command::new("umount").arg("-l").arg(point)).await?;
    }
    Ok(())
}
