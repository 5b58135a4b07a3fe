//! Image: the unpacked WAR and the Dockerfile to the engine's builder.

use crate::clients::engine::ImageSpec;
use crate::model::BuiltImage;
use crate::pipeline::stages::{Checked, Prepared};
use crate::pipeline::{Run, StageError};

pub(in crate::pipeline) async fn build_image(
    run: &Run,
    checked: &Checked,
    prepared: &Prepared,
) -> Result<BuiltImage, StageError> {
    let parts = &run.parts;
    let reference = run.reference();
    run.say(&format!("Building {reference}"));
    let dockerfile = &prepared.dockerfile;
    let base = checked.stack.runtime.image.mirrored(&parts.config.base_images.mirrors);
    let spec = ImageSpec {
        context: checked
            .layout
            .context(&run.pipeline.context_path.directory(), &prepared.rendered),
        reference: reference.clone(),
        labels: dockerfile.labels.clone(),
        logins: parts.logins(&base),
        owner: run.owner(),
    };
    let id = parts.engine.build_image(spec, run.teller()).await?;
    run.note(id.hex()[..12].to_owned());
    Ok(BuiltImage { id, reference })
}
