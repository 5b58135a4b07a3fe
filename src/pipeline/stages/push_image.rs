//! Push: to the QA registry under a tag that was never used, and read back what arrived.

use std::collections::BTreeMap;

use crate::dockerfile::{Description, describe};
use crate::model::{BuiltImage, Digest, PushedImage};
use crate::pipeline::stages::Prepared;
use crate::pipeline::{Run, StageError};

/// An image in the registry.
#[derive(Debug)]
pub(in crate::pipeline) struct Pushed {
    /// Where it is.
    pub image: PushedImage,
    /// What it says of itself with its labels and its configuration's digest, if an earlier attempt had pushed it.
    pub adopted: Option<(Description, BTreeMap<String, String>, Digest)>,
}

pub(in crate::pipeline) async fn push_image(
    run: &Run,
    built: &BuiltImage,
    prepared: &Prepared,
) -> Result<Pushed, StageError> {
    let parts = &run.parts;
    let reference = &built.reference;
    if let Some(pushed) = earlier(run, reference).await? {
        return Ok(pushed);
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
    Ok(Pushed { image, adopted: None })
}

/// The image that an attempt of this same build pushed before its worker died: it is taken as it is, because a tag is
/// never overwritten.
async fn earlier(run: &Run, reference: &str) -> Result<Option<Pushed>, StageError> {
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
        image,
        adopted: Some((description, found.labels, found.config_digest)),
    }))
}
