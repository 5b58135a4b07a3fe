//! How an attempt ended, and what comes of it when it ended well.

use super::stages::{Packed, Prepared, Pushed};
use super::{Run, StageError, WorldError};
use crate::dockerfile::Description;
use crate::model::{BuiltImage, Dockerfile, Finding, ImageLayer, PushedImage, War};
use crate::sbom::Sbom;

/// What came of a build.
#[derive(Debug)]
pub struct Product {
    /// Name of the application.
    pub application: String,
    /// The WAR in the image.
    pub war: War,
    /// The libraries in it.
    pub sbom: Sbom,
    /// How the image is described.
    pub dockerfile: Dockerfile,
    /// As the engine has it.
    pub built: BuiltImage,
    /// As the registry has it.
    pub pushed: PushedImage,
    /// What it consists of there.
    pub layers: Vec<ImageLayer>,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum Ending {
    /// With an image.
    Passed(Box<Product>),
    /// The project is at fault.
    Failed(Box<Finding>),
    /// The world is at fault.
    Errored(WorldError),
    /// GitLab has a newer commit.
    Superseded(String),
    /// It was asked to stop.
    Stopped,
}

impl Product {
    pub(super) fn new(run: &Run, packed: Packed, prepared: Prepared, built: BuiltImage, pushed: Pushed) -> Self {
        let mut product = Self {
            application: run.application(),
            war: packed.war,
            sbom: pushed.sbom,
            dockerfile: prepared.dockerfile,
            built,
            pushed: pushed.image,
            layers: pushed.layers,
        };
        // An earlier attempt had already pushed: what is in the registry counts, not what was built again.
        if let Some((description, labels, config)) = pushed.adopted {
            product.adopt(description);
            product.dockerfile.labels = labels;
            product.built.id = config;
        }
        product
    }

    fn adopt(&mut self, description: Description) {
        self.war.sha256 = description.war.sha256;
        self.war.path = description.war.path;
        self.dockerfile.base_name = description.base.name;
        self.dockerfile.base_digest = description.base.digest;
        self.dockerfile.stack = description.stack;
        self.dockerfile.exception = description.exception;
        self.dockerfile.sha256 = crate::model::Digest::of(description.dockerfile.as_bytes());
        self.dockerfile.text = description.dockerfile;
    }
}

impl Ending {
    /// One word for the service's log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Passed(_) => "passed",
            Self::Failed(_) => "failed",
            Self::Errored(_) => "errored",
            Self::Superseded(_) => "superseded",
            Self::Stopped => "stopped",
        }
    }
}

impl From<Result<Product, StageError>> for Ending {
    fn from(result: Result<Product, StageError>) -> Self {
        match result {
            Ok(product) => Self::Passed(Box::new(product)),
            Err(StageError::Failed(finding)) => Self::Failed(finding),
            Err(StageError::World(error)) => Self::Errored(error),
            Err(StageError::Superseded(why)) => Self::Superseded(why),
            Err(StageError::Stopped) => Self::Stopped,
        }
    }
}
