//! Image: the unpacked WAR and the Dockerfile to the engine's builder.

use crate::clients::engine::ImageSpec;
use crate::model::BuiltImage;
use crate::pipeline::stages::Prepared;
use crate::pipeline::{Run, StageError};

pub(in crate::pipeline) async fn build_image(run: &Run, prepared: &Prepared) -> Result<BuiltImage, StageError> {
    let parts = &run.parts;
    let reference = run.reference();
    run.say(&format!("Building {reference}"));
    let dockerfile = &prepared.dockerfile;
    let base = parts
        .definitions
        .stack(&dockerfile.stack)
        .map(|stack| stack.runtime.image.mirrored(&parts.config.base_images.mirrors));
    let spec = ImageSpec {
        context: prepared
            .layout
            .context(&run.pipeline.context_path.directory(), &prepared.rendered),
        reference: reference.clone(),
        labels: dockerfile.labels.clone(),
        logins: base.map(|base| parts.logins(&base)).unwrap_or_default(),
        owner: run.owner(),
    };
    let id = parts.engine.build_image(spec, run.teller()).await?;
    run.note(id.hex()[..12].to_owned());
    Ok(BuiltImage { id, reference })
}
