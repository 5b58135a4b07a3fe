//! From a library and a range of its versions to the images that hold it.
//!
//! Maven's order is not Postgres' order, so the versions that exist are compared here: of one library there are some
//! hundred in a house, however many images hold them.

use std::collections::HashMap;

use super::error::Result;
use super::people::Caller;
use super::state::AppState;
use crate::definition::FIRST;
use crate::maven::range::Selector;
use crate::store::components;
use crate::wire::{HoldingImage, ImageList};

/// The last one in the order of promotion; QA for what was promoted nowhere.
fn furthest(state: &AppState, held: &[String]) -> String {
    let environments = state.definitions.environments();
    let last = environments
        .iter()
        .rev()
        .find(|environment| held.contains(&environment.name));
    last.map_or(FIRST, |environment| environment.name.as_str()).to_owned()
}

pub(super) async fn holders(state: &AppState, caller: &Caller, with: &Selector, limit: i64) -> Result<ImageList> {
    let known = components::with_artifacts(&state.pool, std::slice::from_ref(&with.artifact)).await?;
    let meant: HashMap<i32, String> = known
        .into_iter()
        .filter(|known| with.selects(&known.component))
        .map(|known| (known.id, known.component.name()))
        .collect();
    let ids: Vec<i32> = meant.keys().copied().collect();
    let (total, held) = components::holders(&state.pool, &ids, caller.sight(state).await?.paths(), limit).await?;
    let images = held.into_iter().map(|image| HoldingImage {
        application: image.application,
        project: image.project,
        environment: furthest(state, &image.environments),
        environments: image.environments,
        reference: image.reference,
        digest: image.digest,
        build: image.build,
        libraries: image
            .components
            .iter()
            .filter_map(|id| meant.get(id).cloned())
            .collect(),
        pushed_at: image.pushed_at,
    });
    Ok(ImageList {
        with: with.to_string(),
        total,
        images: images.collect(),
    })
}
