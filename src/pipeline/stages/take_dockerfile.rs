//! Dockerfile by hand: taken from the merge result, if the pipeline allows one; judged before anything of it runs.

use std::sync::Arc;

use crate::by_hand::{self, Taken};
use crate::definition::ByHand;
use crate::pipeline::stages::{Checked, Source};
use crate::pipeline::{Run, StageError};
use crate::store;
use crate::store::builds;

pub(super) async fn take_dockerfile(
    run: &Run,
    source: &Source,
    checked: &Checked,
    by_hand: &ByHand,
) -> Result<Taken, StageError> {
    let allowed = &by_hand.allowed;
    run.say(&format!("EXCEPTION: {allowed}"));
    run.note(format!("exception: {allowed}"));
    let today = store::now(&run.parts.pool).await?.date_naive();
    if !allowed.holds(today) {
        return Err(by_hand::expired(allowed, &run.pipeline.name).into());
    }
    if let Some(left) = allowed.ends_in(today) {
        let remark = by_hand::ending(allowed, left);
        run.say(&format!("WARNING: {}", remark.title));
        if !builds::add_remarks(&run.parts.pool, &run.claim, run.build.id, &[remark]).await? {
            return Err(StageError::Stopped);
        }
    }
    let (tree, allowing) = (source.directory.clone(), by_hand.clone());
    let (pipeline, stack) = (run.pipeline.clone(), Arc::clone(&checked.stack));
    let taken = tokio::task::spawn_blocking(move || by_hand::take(&tree, &allowing, &pipeline, &[&stack]));
    let taken = taken
        .await
        .map_err(|error| StageError::world(format!("reading {} broke: {error}", allowed.path)))???;
    for file in &taken.files {
        run.say(&format!("It may copy {} ({} bytes)", file.path, file.size));
    }
    Ok(taken)
}
