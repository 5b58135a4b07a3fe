//! `images.toml`, and the hash by which a changed entry is noticed.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::process::run_with_input;

/// Raised by whoever changes how images are made, so that kept ones are made anew.
const MAKER: u32 = 1;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// By name.
    #[serde(rename = "base")]
    pub bases: BTreeMap<String, Base>,
    #[serde(rename = "image")]
    pub images: Vec<Image>,
}

/// A root file system below images.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Base {
    pub suite: String,
    /// Version of the JDK, for `$JDK` in the texts.
    pub jdk: Option<u8>,
    /// The base whose other texts this one has.
    pub like: Option<String>,
    #[serde(default)]
    pub packages: Vec<String>,
    /// Paths that dpkg does not unpack.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Shell, before the packages are installed; `$1` is the root.
    #[serde(default)]
    pub before: String,
    /// Shell, after that.
    #[serde(default)]
    pub after: String,
    #[serde(skip)]
    pub hash: String,
}

/// One image: an archive from Maven Central, if any, on top of a base.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Image {
    pub repository: String,
    pub tag: String,
    /// Name of its base.
    pub base: String,
    pub archive: Option<Archive>,
    /// The same on other bases: base and tag. Made on demand.
    #[serde(default, skip_serializing)]
    pub also: Vec<(String, String)>,
    /// Is it made only when all images are asked for?
    #[serde(default, skip_serializing)]
    pub on_demand: bool,
    pub build: Build,
    #[serde(skip)]
    pub hash: String,
}

/// A tar.gz with one folder inside.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Archive {
    /// Below the root of a Maven repository.
    pub path: String,
    pub sha512: String,
}

/// How the image is made of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Build {
    /// Everything after `FROM`; the unpacked archive is the folder `archive` of the context.
    pub dockerfile: String,
}

impl Recipe {
    /// The file that stands beside this crate.
    pub async fn load() -> Result<Self> {
        let mut recipe: Self = toml::from_str(include_str!("../../images.toml")).context("tests/world/images.toml")?;
        let machine = std::env::consts::ARCH;
        recipe.spell_out()?;
        for base in recipe.bases.values_mut() {
            base.hash = hash(&format!("{MAKER} {machine}\n{}", serde_json::to_string(base)?)).await?;
        }
        for image in &mut recipe.images {
            let base = recipe
                .bases
                .get(&image.base)
                .context("an image on a base that is not listed")?;
            image.hash = hash(&format!("{}\n{}", base.hash, serde_json::to_string(image)?)).await?;
        }
        Ok(recipe)
    }

    /// Puts in what entries have from others.
    fn spell_out(&mut self) -> Result<()> {
        let models = self.bases.clone();
        for base in self.bases.values_mut() {
            if let Some(like) = &base.like {
                let model = models.get(like).context("a base like one that is not listed")?;
                base.packages.clone_from(&model.packages);
                base.exclude.clone_from(&model.exclude);
                base.before.clone_from(&model.before);
                base.after.clone_from(&model.after);
            }
            let jdk = base.jdk.map(|jdk| jdk.to_string()).unwrap_or_default();
            for text in base.packages.iter_mut().chain([&mut base.after]) {
                *text = text.replace("$JDK", &jdk);
            }
        }
        let also: Vec<Image> = self
            .images
            .iter()
            .flat_map(|image| {
                image.also.iter().map(|(base, tag)| Image {
                    base: base.clone(),
                    tag: tag.clone(),
                    also: Vec::new(),
                    on_demand: true,
                    ..image.clone()
                })
            })
            .collect();
        self.images.extend(also);
        Ok(())
    }
}

impl Base {
    /// The name of the imported root file system in the engine.
    pub fn reference(&self) -> String {
        format!("seaworthy-world/base:{}", self.hash)
    }
}

impl Image {
    /// `library/maven:3.9-eclipse-temurin-17`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

/// The first 16 digits of the SHA-256.
async fn hash(text: &str) -> Result<String> {
    let printed = run_with_input(&mut Command::new("sha256sum"), text.as_bytes()).await?;
    Ok(printed.chars().take(16).collect())
}
