//! Base images for a machine that can pull none: made once, kept, and laid into every world's registry.
//!
//! What is kept between runs is a registry's storage folder in the cache. A world's registry starts on a copy of it, so
//! what tests push never reaches the cache, and an image that is there costs a copy of some files and nothing else. The
//! engine keeps the layers as well, so a build does not extract them anew.

pub mod download;
mod make;
mod recipe;
mod seed;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::registry::{Registry, RegistryOptions};
use recipe::Recipe;

/// The repository prefix under which the images stand in the world's registry.
pub const MIRROR: &str = "mirror";

/// The images of one cache folder, all of them made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Images {
    /// The cache folder.
    pub cache: PathBuf,
    /// `library/maven:3.9-eclipse-temurin-17` → manifest digest.
    pub digests: BTreeMap<String, String>,
}

/// What is known of an image that was pushed into the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    recipe: String,
    digest: String,
}

impl Images {
    /// Makes what is missing or whose recipe changed; a second call does nothing. `all`: also the images that are made on
    /// demand.
    ///
    /// # Errors
    /// If a package, a download or the engine fails.
    pub async fn ensure(engine: &Engine, cache: &Path, all: bool) -> Result<Self> {
        std::fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
        // Two worlds may start at once: the second waits, then finds everything made.
        let lock = std::fs::File::create(cache.join("lock"))?;
        let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
            .await?
            .context("cannot lock")?;
        let recipe = Recipe::load().await?;
        let mut kept = read_kept(&cache.join("images.json"));
        let missing = |kept: &BTreeMap<String, Kept>| -> Vec<&recipe::Image> {
            let made = |image: &recipe::Image| kept.get(&image.name()).is_some_and(|kept| kept.recipe == image.hash);
            let wanted = recipe.images.iter().filter(|image| all || !image.on_demand);
            wanted.filter(|image| !made(image)).collect()
        };
        if !missing(&kept).is_empty() {
            let options = RegistryOptions {
                storage: cache.join("storage"),
                port: 0,
                login: None,
            };
            let registry = Registry::start(&cache.join("registry"), options).await?;
            let mut failed = Ok(());
            for image in missing(&kept.clone()) {
                let start = Instant::now();
                eprintln!("world: making {}", image.name());
                match make::make(engine, &recipe, image, cache, &registry).await {
                    Ok(digest) => kept.insert(
                        image.name(),
                        Kept {
                            recipe: image.hash.clone(),
                            digest,
                        },
                    ),
                    Err(error) => {
                        failed = Err(error.context(format!("cannot make the image {}", image.name())));
                        break;
                    }
                };
                std::fs::write(cache.join("images.json"), serde_json::to_string_pretty(&kept)?)?;
                eprintln!("world: made {} in {:.1} s", image.name(), start.elapsed().as_secs_f64());
            }
            registry.stop().await?;
            failed?;
        }
        drop(lock);
        let names: Vec<String> = recipe.images.iter().map(recipe::Image::name).collect();
        let digests = kept
            .into_iter()
            .filter(|(name, _)| names.contains(name))
            .map(|(name, kept)| (name, kept.digest))
            .collect();
        Ok(Self {
            cache: cache.to_owned(),
            digests,
        })
    }

    /// Lays the images into the storage folder of a registry that does not run yet.
    ///
    /// # Errors
    /// If a file cannot be copied.
    pub fn seed(&self, storage: &Path) -> Result<()> {
        seed::seed(&self.cache.join("storage"), storage)
    }

    /// `${XDG_CACHE_HOME:-~/.cache}/seaworthy-world`.
    #[must_use]
    pub fn default_cache() -> PathBuf {
        let folder = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        folder("XDG_CACHE_HOME")
            .or_else(|| folder("HOME").map(|home| home.join(".cache")))
            .unwrap_or_else(|| PathBuf::from("/var/cache"))
            .join("seaworthy-world")
    }
}

/// A file that is missing or broken only means that everything is made anew.
fn read_kept(file: &Path) -> BTreeMap<String, Kept> {
    std::fs::read(file)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}
