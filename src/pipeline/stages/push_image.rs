//! Push: to the QA registry under a tag that was never used, and read back what arrived.

use std::collections::BTreeMap;

use crate::dockerfile::{Description, describe};
use crate::model::{Digest, ImageLayer, PushedImage};
use crate::pipeline::stages::{Built, Prepared};
use crate::pipeline::{Run, StageError};
use crate::sbom::{self, Sbom};

/// An image in the registry.
#[derive(Debug)]
pub(in crate::pipeline) struct Pushed {
    /// Where it is.
    pub image: PushedImage,
    /// What it consists of.
    pub layers: Vec<ImageLayer>,
    /// The libraries in it: those that were just found, or what an earlier attempt wrote beside the image.
    pub sbom: Sbom,
    /// What it says of itself with its labels and its configuration's digest, if an earlier attempt had pushed it.
    pub adopted: Option<(Description, BTreeMap<String, String>, Digest)>,
}

pub(in crate::pipeline) async fn push_image(
    run: &Run,
    built: &mut Built,
    prepared: &Prepared,
    sbom: &Sbom,
) -> Result<Pushed, StageError> {
    let parts = &run.parts;
    let reference = &built.image.reference;
    if let Some(mut pushed) = earlier(run, reference, sbom).await? {
        pushed.sbom = attach_or_adopt(run, &pushed.image, sbom).await?;
        return Ok(pushed);
    }
    if let Some(early) = built.early.take() {
        early.end(run).await;
    }
    run.say(&format!("Pushing {reference}"));
    let told = parts
        .engine
        .push(reference, parts.login(reference).as_ref(), run.teller())
        .await?;
    let Some(found) = parts.registry.digest(reference).await? else {
        return Err(StageError::world(format!(
            "{reference} was pushed, but the registry does not have it"
        )));
    };
    if told != found {
        return Err(StageError::broken_world(format!(
            "{reference} was pushed as {told}, but the registry has {found} under this tag: somebody else pushed to it"
        )));
    }
    run.say(&format!(
        "In the registry as {found} (Dockerfile {})",
        prepared.dockerfile.sha256
    ));
    run.note(found.as_str().to_owned());
    let image = PushedImage {
        reference: reference.clone(),
        digest: found,
    };
    attach(run, &image, sbom).await?;
    Ok(Pushed {
        layers: layers(run, &image).await?,
        image,
        sbom: sbom.clone(),
        adopted: None,
    })
}

/// The layers as the registry has them now: what an image weighs, and what another one shares with it.
async fn layers(run: &Run, image: &PushedImage) -> Result<Vec<ImageLayer>, StageError> {
    let pinned = image.pinned();
    let Some(layers) = run.parts.registry.layers(&pinned).await? else {
        return Err(StageError::world(format!(
            "{pinned} was in the registry a moment ago and is not now"
        )));
    };
    let recorded = layers.into_iter().map(|layer| ImageLayer {
        made_by: layer.made_by.trim_end_matches("# buildkit").trim().to_owned(),
        digest: layer.digest,
        bytes: layer.size,
    });
    Ok(recorded.collect())
}

/// Puts the bill of materials beside the image; done again, it changes nothing.
async fn attach(run: &Run, image: &PushedImage, sbom: &Sbom) -> Result<(), StageError> {
    let file = format!("{}.cdx.json", run.application());
    let (image, document) = (image.pinned(), sbom.document());
    let artifact = run
        .parts
        .registry
        .attach(&image, sbom::MEDIA_TYPE, &file, &document)
        .await?;
    run.say(&format!("The bill of materials lies beside it as {artifact}"));
    Ok(())
}

/// What lies beside an image that an earlier attempt pushed describes it; what this attempt packed may differ in the
/// project's own jars. It stands in only where the earlier attempt did not come that far.
async fn attach_or_adopt(run: &Run, image: &PushedImage, sbom: &Sbom) -> Result<Sbom, StageError> {
    let Some(document) = run.parts.registry.attached(&image.pinned(), sbom::MEDIA_TYPE).await? else {
        run.say("No bill of materials lies beside it yet: the one of this attempt, from the same commit, is taken");
        attach(run, image, sbom).await?;
        return Ok(sbom.clone());
    };
    Sbom::from_document(&document).map_err(|error| {
        StageError::broken_world(format!("beside {} lies a foreign document: {error}", image.pinned()))
    })
}

/// The image that an attempt of this same build pushed before its worker died: it is taken as it is, because a tag is
/// never overwritten.
async fn earlier(run: &Run, reference: &str, sbom: &Sbom) -> Result<Option<Pushed>, StageError> {
    let Some(digest) = run.parts.registry.digest(reference).await? else {
        return Ok(None);
    };
    let Some(found) = run.parts.registry.config(reference).await? else {
        return Err(StageError::world(format!(
            "{reference} was in the registry a moment ago and is not now"
        )));
    };
    let other = || {
        StageError::broken_world(format!(
            "the tag {reference} is taken by {digest}, which this build did not make; it is not overwritten"
        ))
    };
    let description = describe(&found.labels).map_err(|_| other())?;
    let ours = description.build == run.build.id && description.merge_request.head == run.build.merge_request.head;
    if !ours {
        return Err(other());
    }
    run.say(&format!("An earlier attempt has already pushed {digest}: it is kept"));
    run.note(digest.as_str().to_owned());
    let image = PushedImage {
        reference: reference.to_owned(),
        digest,
    };
    Ok(Some(Pushed {
        layers: layers(run, &image).await?,
        image,
        sbom: sbom.clone(),
        adopted: Some((description, found.labels, found.config_digest)),
    }))
}
