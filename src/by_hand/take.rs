//! The way of a hand-written Dockerfile from the source tree to one that may be built; the road and `seaworthy plan` go it
//! alike.

use std::io;
use std::path::Path;

use super::files::{RepositoryFile, gather, read};
use super::lint::{House, lint};
use super::written::Written;
use crate::definition::{ByHand, ImageName, Pipeline, Stack};
use crate::model::{DockerfileException, Finding};

/// A hand-written Dockerfile that may be built.
#[derive(Debug)]
pub struct Taken {
    /// Who allowed it.
    pub allowed: DockerfileException,
    /// Its text.
    pub written: Written,
    /// Files of the repository that it may copy.
    pub files: Vec<RepositoryFile>,
}

/// Reads and judges it. Blocking. `stacks` are those that the application may come to run on: the last stage stands on the
/// base of one of them, or on one that the pipeline approves.
///
/// # Errors
/// The disk; inside, the finding.
pub fn take(
    tree: &Path,
    by_hand: &ByHand,
    pipeline: &Pipeline,
    stacks: &[&Stack],
) -> io::Result<Result<Taken, Finding>> {
    let text = match read(tree, by_hand)? {
        Ok(text) => text,
        Err(finding) => return Ok(Err(finding)),
    };
    let last = approved(stacks.iter().copied(), by_hand);
    let any = approved(pipeline.stacks.iter().map(AsRef::as_ref), by_hand);
    let house = House { last: &last, any: &any };
    let written = match lint(&text, &by_hand.allowed.path, house) {
        Ok(written) => written,
        Err(finding) => return Ok(Err(finding)),
    };
    let gathered = gather(tree, by_hand)?;
    Ok(gathered.map(|files| Taken {
        allowed: by_hand.allowed.clone(),
        written,
        files,
    }))
}

/// The bases of these stacks and those that the pipeline approves beside them, each once.
fn approved<'a>(stacks: impl Iterator<Item = &'a Stack>, by_hand: &ByHand) -> Vec<ImageName> {
    let mut approved: Vec<ImageName> = Vec::new();
    for image in stacks.map(|stack| &stack.runtime.image).chain(&by_hand.approved_bases) {
        if !approved.contains(image) {
            approved.push(image.clone());
        }
    }
    approved
}

/// The finding after the last day.
pub fn expired(allowed: &DockerfileException, pipeline: &str) -> Finding {
    Finding::new(
        "dockerfile-exception-expired",
        format!(
            "The permission for the hand-written Dockerfile {} ran out on {}",
            allowed.path, allowed.last_day
        ),
        format!(
            "Ask {} and the platform team: [dockerfile_exception] of pipeline {pipeline} gets a new last_day, or goes, and then \
             the Dockerfile of the house is generated again (`seaworthy plan` shows it).",
            allowed.owner
        ),
    )
    .with_detail([allowed.to_string()])
}

/// The remark before it, so many days after today.
pub fn ending(allowed: &DockerfileException, left: i64) -> Finding {
    let when = match left {
        0 => "today is its last day".to_owned(),
        1 => "it ends tomorrow".to_owned(),
        days => format!("it ends in {days} days"),
    };
    Finding::new(
        "dockerfile-exception-ends",
        format!(
            "The permission for the hand-written Dockerfile {} holds until {}: {when}",
            allowed.path, allowed.last_day
        ),
        format!(
            "After that day builds fail. Do without it, or ask {} and the platform team for a new last day.",
            allowed.owner
        ),
    )
}
