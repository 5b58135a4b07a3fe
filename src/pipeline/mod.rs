//! The product: how a merge request becomes an image. Read [`run`]; everything else serves it.
//!
//! Each stage takes what the one before returned, so that an image cannot be pushed before it is built. A stage may be
//! run twice: whoever takes a build over from a dead worker begins at the top.
//!
//! A red build is no error of the program: [`StageError::Failed`] carries the finding that its author reads. Whatever
//! else goes wrong is the world's fault and tried again.

mod ahead;
mod build_container;
mod cache;
mod context;
mod end;
mod error;
mod layout;
mod libraries;
mod maven_run;
mod parts;
mod plan;
mod services;
mod stages;
mod watched;
mod workspace;

pub use cache::lifetime as cache_lifetime;
pub use context::Run;
pub use end::{Ending, Product};
pub use error::{StageError, WorldError};
pub use parts::Parts;
pub use workspace::Workspaces;

use crate::model::Stage;
use stages::{boot_check, build_image, check_war, checkout, package, push_image, render_dockerfile, unit_test};

/// The road of a merge request.
///
/// # Errors
/// [`StageError`]: the project's fault, the world's fault, or stopped.
pub async fn run(run: &Run) -> Result<Product, StageError> {
    let (source, ahead) = run.stage(Stage::Checkout, checkout(run)).await?;
    let tested = run.stage(Stage::UnitTest, unit_test(run, &source, ahead)).await?;
    let (packed, inventory) = run.stage(Stage::Package, package(run, tested)).await?;
    let checked = run.stage(Stage::Check, check_war(run, &packed, inventory)).await?;
    let dockerfile = run
        .stage(Stage::Dockerfile, render_dockerfile(run, &source, &packed, &checked))
        .await?;
    let mut built = run.stage(Stage::Image, build_image(run, &checked, &dockerfile)).await?;
    run.stage(Stage::Boot, boot_check(run, &built, &packed, &checked))
        .await?;
    let pushed = run
        .stage(Stage::Push, push_image(run, &mut built, &dockerfile, &checked.sbom))
        .await?;
    Ok(Product::new(run, packed, dockerfile, built.image, pushed))
}
