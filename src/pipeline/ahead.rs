//! The build container while the source is still on its way: made for the builder that the project's last build had.
//!
//! Making and starting one takes as long as fetching and merging. Which builder it must be is known only when the POMs are
//! there, but a project hardly ever changes it. A guess that was wrong, or a container that could not be made, costs nothing
//! but itself: the right one is then made where it is needed, and the other one goes with everything else of the attempt.

use super::{Run, StageError, build_container};
use crate::clients::engine::BuildContainer;
use crate::definition::Builder;
use crate::project;
use crate::store::choices;

/// A container that may turn out to be the right one.
pub(super) struct Ahead(Option<(Builder, BuildContainer)>);

impl Ahead {
    /// Makes a container for the builder that is likely.
    pub(super) async fn prepare(run: &Run) -> Self {
        let Some(builder) = likely(run).await else {
            return Self(None);
        };
        match build_container::open(run, &builder).await {
            Ok(container) => Self(Some((builder, container))),
            Err(error) => {
                // Whoever needs it tries again and says what is wrong.
                tracing::debug!(build = %run.build.id, ?error, "no build container ahead of the source");
                Self(None)
            }
        }
    }

    /// The container, if it was made for this builder; otherwise a new one.
    pub(super) async fn take_or_open(self, run: &Run, builder: &Builder) -> Result<BuildContainer, StageError> {
        let image = builder.image.as_str();
        match self.0 {
            Some((made_for, container)) if made_for == *builder => {
                run.say(&format!("A container of {image} was made while the source was fetched"));
                return Ok(container);
            }
            Some((made_for, _)) => run.say(&format!(
                "Preparing a container of {image}; one was made of {} as before, which goes unused",
                made_for.image.as_str()
            )),
            None => run.say(&format!("Preparing a container of {image}")),
        }
        build_container::open(run, builder).await
    }
}

async fn likely(run: &Run) -> Option<Builder> {
    let mr = &run.build.merge_request;
    let last = choices::before(&run.parts.pool, &mr.project, run.build.id).await.ok()?;
    let builder = project::chosen_builder(&run.pipeline, &last)?;
    // A guess is no reason to pull an image.
    let image = builder.image.mirrored(&run.parts.config.base_images.mirrors);
    let there = run.parts.engine.inspect_image(&image).await.ok()?.is_some();
    there.then(|| builder.clone())
}
