//! Image: the unpacked WAR and the Dockerfile to the engine's builder.
//!
//! Nearly all of a WAR are released libraries, and they seldom change. So the first part of the Dockerfile, up to them, is
//! built once into an image that is kept, the foundation, and the rest of it on that: what the engine has is not sent
//! again. The result is the same as in one piece, and so is built what cannot be divided, and what a project wrote itself.

use std::time::Duration;

use super::inspect_image::inspect_image;
use crate::clients::engine::{BuildError, ImageSpec, foundation_name};
use crate::dockerfile::{Divided, divide};
use crate::model::{BuiltImage, Digest, DockerfileException, Finding};
use crate::pipeline::layout::Portion;
use crate::pipeline::stages::push_libraries::EarlyPush;
use crate::pipeline::stages::{Checked, Prepared};
use crate::pipeline::{Run, StageError};

/// The longest that a hand-written Dockerfile may take, if the pipeline's limit is not lower. Shorter than the silence after
/// which the engine is held to be at fault.
const LONGEST: Duration = Duration::from_secs(300);

/// An image on the engine.
#[derive(Debug)]
pub(in crate::pipeline) struct Built {
    /// It.
    pub image: BuiltImage,
    /// Its libraries on their way to the registry, if they are new.
    pub early: Option<EarlyPush>,
}

pub(in crate::pipeline) async fn build_image(
    run: &Run,
    checked: &Checked,
    prepared: &Prepared,
) -> Result<Built, StageError> {
    let reference = run.reference();
    run.say(&format!("Building {reference}"));
    let site = Site { run, checked, prepared };
    let exception = prepared.dockerfile.exception.as_ref();
    let (id, early) = match (exception, site.foundation()) {
        (Some(allowed), _) => (site.build_by_hand(allowed).await?, None),
        (None, Some((checksum, parts))) => site.build_on(&checksum, parts).await?,
        (None, None) => (site.build_whole().await?, None),
    };
    let image = BuiltImage { id, reference };
    if let Some(allowed) = exception {
        inspect_image(run, &image, checked, prepared, allowed).await?;
    }
    run.note(image.id.hex()[..12].to_owned());
    Ok(Built { image, early })
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

/// What is built from.
struct Site<'a> {
    run: &'a Run,
    checked: &'a Checked,
    prepared: &'a Prepared,
}

impl Site<'_> {
    /// The checksum of what this image can be built on, and the parts of the Dockerfile.
    fn foundation(&self) -> Option<(Digest, Divided<'_>)> {
        let (run, prepared) = (self.run, self.prepared);
        if run.parts.config.engine.foundations == 0 {
            return None;
        }
        let parts = divide(&prepared.dockerfile.text)?;
        let webapp = run.pipeline.context_path.directory();
        let layout = &self.checked.layout;
        let checksum = layout.foundation(&webapp, parts.foundation, &prepared.rendered, &self.checked.sbom)?;
        Some((checksum, parts))
    }

    async fn build_on(&self, checksum: &Digest, parts: Divided<'_>) -> Result<(Digest, Option<EarlyPush>), StageError> {
        let (run, engine) = (self.run, &self.run.parts.engine);
        let name = &foundation_name(&run.installation, checksum);
        let early = if engine.use_foundation(name).await? {
            run.say("The engine has the libraries already");
            None
        } else {
            run.say("The libraries are new to the engine");
            self.build(parts.foundation, Portion::Libraries, name, false).await?;
            EarlyPush::begin(run, name, checksum)
        };
        let rest = format!("FROM {name}\n{}", parts.rest);
        let id = match self.build(&rest, Portion::Others, &run.reference(), true).await {
            // Whoever cleans up on the engine may take it at any time.
            Err(_) if !engine.use_foundation(name).await? => {
                run.say("The libraries were removed from the engine meanwhile: all is built in one piece");
                self.build_whole().await?
            }
            built => built?,
        };
        Ok((id, early))
    }

    async fn build_whole(&self) -> Result<Digest, StageError> {
        let (text, reference) = (&self.prepared.dockerfile.text, self.run.reference());
        Ok(self.build(text, Portion::All, &reference, true).await?)
    }

    /// Its RUN is the project's own, and the build container's limits do not hold in the engine's builder.
    async fn build_by_hand(&self, allowed: &DockerfileException) -> Result<Digest, StageError> {
        let limit = LONGEST.min(self.run.pipeline.limits.time);
        let (text, reference) = (&self.prepared.dockerfile.text, self.run.reference());
        let build = self.build(text, Portion::All, &reference, true);
        match tokio::time::timeout(limit, build).await {
            Err(_) => Err(too_long(allowed, limit).into()),
            Ok(Err(BuildError::Dockerfile(message))) => Err(by_hand(allowed, message).into()),
            Ok(built) => Ok(built?),
        }
    }

    /// `ours` says that it is this build's image; else it is the foundation, which is nobody's and says nothing of itself.
    async fn build(
        &self,
        dockerfile: &str,
        portion: Portion,
        reference: &str,
        ours: bool,
    ) -> Result<Digest, BuildError> {
        let (run, prepared) = (self.run, self.prepared);
        let webapp = run.pipeline.context_path.directory();
        let labels = prepared.dockerfile.labels.clone();
        let spec = ImageSpec {
            context: self.checked.layout.context(
                &webapp,
                dockerfile,
                &prepared.rendered,
                portion,
                prepared.files.as_ref(),
            ),
            reference: reference.to_owned(),
            labels: if ours { labels } else { Default::default() },
            logins: prepared.pulled.iter().flat_map(|base| run.parts.logins(base)).collect(),
            owner: ours.then(|| run.owner()),
        };
        run.parts.engine.build_image(spec, run.teller()).await
    }
}
