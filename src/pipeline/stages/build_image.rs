//! Image: the unpacked WAR and the Dockerfile to the engine's builder.

use std::time::Duration;

use super::inspect_image::inspect_image;
use crate::clients::engine::{BuildError, ImageSpec};
use crate::model::{BuiltImage, DockerfileException, Finding};
use crate::pipeline::stages::{Checked, Prepared};
use crate::pipeline::{Run, StageError};

/// The longest that a hand-written Dockerfile may take, if the pipeline's limit is not lower. Shorter than the silence after
/// which the engine is held to be at fault.
const LONGEST: Duration = Duration::from_secs(300);

pub(in crate::pipeline) async fn build_image(
    run: &Run,
    checked: &Checked,
    prepared: &Prepared,
) -> Result<BuiltImage, StageError> {
    let parts = &run.parts;
    let reference = run.reference();
    run.say(&format!("Building {reference}"));
    let dockerfile = &prepared.dockerfile;
    let directory = run.pipeline.context_path.directory();
    let spec = ImageSpec {
        context: checked
            .layout
            .context(&directory, &prepared.rendered, prepared.files.as_ref()),
        reference: reference.clone(),
        labels: dockerfile.labels.clone(),
        logins: prepared.pulled.iter().flat_map(|base| parts.logins(base)).collect(),
        owner: run.owner(),
    };
    let build = parts.engine.build_image(spec, run.teller());
    let built = match &dockerfile.exception {
        None => build.await,
        // Its RUN is the project's own, and the build container's limits do not hold in the engine's builder.
        Some(allowed) => {
            let limit = LONGEST.min(run.pipeline.limits.time);
            let ended = tokio::time::timeout(limit, build).await;
            ended.map_err(|_| too_long(allowed, limit))?
        }
    };
    let id = built.map_err(|error| match (error, &dockerfile.exception) {
        (BuildError::Dockerfile(message), Some(allowed)) => by_hand(allowed, message).into(),
        (error, _) => StageError::from(error),
    })?;
    let built = BuiltImage { id, reference };
    if let Some(allowed) = &dockerfile.exception {
        inspect_image(run, &built, checked, prepared, allowed).await?;
    }
    run.note(built.id.hex()[..12].to_owned());
    Ok(built)
}

fn too_long(allowed: &DockerfileException, limit: Duration) -> Finding {
    Finding::new(
        "image-time",
        format!(
            "The image from {} was not built within {} s",
            allowed.path,
            limit.as_secs()
        ),
        "Look at its RUN instructions; the last one in the build's log did not end. RUN has no network.",
    )
}

/// The project's own Dockerfile is its own to mend.
fn by_hand(allowed: &DockerfileException, message: String) -> Finding {
    Finding::new(
        "image-build",
        format!("The engine could not build the image from {}", allowed.path),
        "The build's log shows the step. RUN has no network; COPY finds layers/, house/ and the files that the pipeline names, \
         below files/.",
    )
    .with_detail([message])
}
