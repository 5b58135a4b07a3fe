//! From anything that people hold in their hands back to the builds: a digest, an image reference, a build's number, a
//! commit. What can be read in two ways is looked for in both.

use std::collections::BTreeSet;

use super::error::{Error, Result};
use super::look;
use super::params::SHORTEST_COMMIT;
use super::people::Caller;
use super::state::AppState;
use crate::model::BuildId;
use crate::store::{builds, images};
use crate::wire::BuildDetail;

/// Builds that a trace tells of at most.
const MOST: i64 = 50;
/// Commits that are named when a beginning fits several.
const NAMED: i64 = 5;

/// All builds that `what` names.
pub(super) async fn trace(state: &AppState, caller: &Caller, what: &str) -> Result<Vec<BuildDetail>> {
    let what = what.trim();
    let mut ids = BTreeSet::new();
    if let Some(id) = number(what) {
        ids.extend(builds::status(&state.pool, id).await?.map(|_| id));
    }
    ids.extend(images::find(&state.pool, what).await?);
    if is_commit(what) {
        ids.extend(by_commit(state, &what.to_ascii_lowercase()).await?);
    }
    let mut found = Vec::new();
    for id in ids.into_iter().rev().take(usize::try_from(MOST).unwrap_or(usize::MAX)) {
        match look::build_detail(state, caller, id).await {
            Ok(detail) => found.extend(detail),
            // What belongs to a project that he may not see is not there for him.
            Err(Error::Forbidden(_)) => {}
            Err(error) => return Err(error),
        }
    }
    if found.is_empty() {
        return Err(nothing(what));
    }
    Ok(found)
}

async fn by_commit(state: &AppState, digits: &str) -> Result<Vec<BuildId>> {
    let commits = builds::commits_like(&state.pool, digits, NAMED).await?;
    match &commits[..] {
        [] => Ok(Vec::new()),
        [commit] => Ok(builds::of_commit(&state.pool, commit, MOST).await?),
        several => {
            let names: Vec<&str> = several.iter().map(|commit| commit.as_str()).collect();
            Err(Error::Invalid(format!(
                "{digits} is ambiguous: it begins {}; write more digits",
                names.join(", ")
            )))
        }
    }
}

fn number(what: &str) -> Option<BuildId> {
    let digits = what.strip_prefix('#').unwrap_or(what);
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok().map(BuildId))
        .flatten()
}

fn is_commit(what: &str) -> bool {
    (SHORTEST_COMMIT..=64).contains(&what.len()) && what.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn nothing(what: &str) -> Error {
    let is_hex = !what.is_empty() && what.bytes().all(|byte| byte.is_ascii_hexdigit());
    if number(what).is_some() && what.len() < SHORTEST_COMMIT {
        return Error::no_build(what.trim_start_matches('#'));
    }
    if is_hex && what.len() < SHORTEST_COMMIT {
        return Error::Invalid(format!(
            "{what} is too short: write at least {SHORTEST_COMMIT} digits of a commit or 12 of a digest"
        ));
    }
    Error::NotFound(format!(
        "nothing is known of {what:?}: give an image's digest (sha256:…) or its reference as it was pushed, a build's number, \
         or a commit"
    ))
}
