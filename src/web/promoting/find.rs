//! What an order is about: which image, which environment, and what its gates say.

use sqlx::PgConnection;

use crate::definition::{Environment, Environments, FIRST};
use crate::gates::{Candidate, candidate, gather, judge};
use crate::model::{BuildId, Digest, Gate, PromotionKind};
use crate::store::{builds, images, placements};
use crate::web::error::{Error, Result};
use crate::web::people::{Caller, see};
use crate::web::state::AppState;

/// Candidates that are named where a name fits several.
const NAMED: usize = 5;

/// What a promotion would be.
#[derive(Debug, Clone)]
pub(in crate::web) struct Outlook {
    /// The image.
    pub candidate: Candidate,
    /// Where to.
    pub environment: Environment,
    /// As they stand now.
    pub gates: Vec<Gate>,
    /// The digest that is there now, if all its data centres agree.
    pub replaces: Option<Digest>,
}

/// What a promotion would be, without asking for it.
pub(in crate::web) async fn outlook(
    state: &AppState,
    caller: &Caller,
    what: &str,
    environment: &str,
) -> Result<Outlook> {
    let mut db = state.pool.acquire().await?;
    let candidate = find(&mut db, what).await?;
    see(caller, &candidate.project)?;
    look(state, &mut db, candidate, environment, PromotionKind::Promotion).await
}

/// The image that a digest, its beginning, a reference or a build's number means.
pub(in crate::web) async fn find(db: &mut PgConnection, what: &str) -> Result<Candidate> {
    let what = what.trim();
    let mut found = Vec::new();
    for build in images::find(&mut *db, what).await? {
        found.extend(candidate(&mut *db, build).await?);
    }
    let number = what.strip_prefix('#').unwrap_or(what).parse().ok().map(BuildId);
    if let (true, Some(build)) = (found.is_empty(), number)
        && builds::status(&mut *db, build).await?.is_some()
    {
        found.extend(candidate(&mut *db, build).await?);
        if found.is_empty() {
            return Err(Error::Conflict(format!("build {build} made no image")));
        }
    }
    let Some(newest) = found.first().cloned() else {
        return Err(Error::NotFound(format!(
            "no image is known of {what:?}. Give a digest (sha256:… or its first 12 digits), a reference as it was pushed, or \
             a build's number; what this service did not build cannot be promoted, because nothing is known of it"
        )));
    };
    let mut others: Vec<&Digest> = found.iter().map(|candidate| &candidate.image.digest).collect();
    others.dedup();
    if others.len() > 1 {
        let names: Vec<String> = others.iter().take(NAMED).map(ToString::to_string).collect();
        return Err(Error::Invalid(format!(
            "{what} is ambiguous, it begins {} digests: {}; write more digits",
            others.len(),
            names.join(", ")
        )));
    }
    Ok(newest)
}

pub(super) async fn look(
    state: &AppState,
    db: &mut PgConnection,
    candidate: Candidate,
    environment: &str,
    kind: PromotionKind,
) -> Result<Outlook> {
    let environments = state.definitions.environments();
    let environment = known_environment(environments, environment)?;
    if environment.is_first() {
        let next = environments
            .after(FIRST)
            .map_or_else(String::new, |next| format!("; promote to {}", next.name));
        return Err(Error::Invalid(format!(
            "{} is where builds push to: nothing is promoted into it{next}",
            environment.name
        )));
    }
    let facts = gather(&mut *db, &state.definitions, environment, &candidate, None).await?;
    let gates = judge(kind, environments, environment, &facts);
    let filter = placements::Filter {
        environment: Some(&environment.name),
        application: Some(&candidate.application),
        now: true,
        ..Default::default()
    };
    let there = placements::list(&mut *db, filter).await?;
    let mut digests = there.iter().map(|placement| &placement.digest);
    let first = digests.next().cloned();
    // Where the data centres differ, something is still to be finished: nothing is replaced as a whole.
    let replaces = first.filter(|first| digests.all(|digest| digest == first));
    Ok(Outlook {
        candidate,
        environment: environment.clone(),
        gates,
        replaces,
    })
}

pub(super) fn known_environment<'a>(environments: &'a Environments, name: &str) -> Result<&'a Environment> {
    environments.get(name).ok_or_else(|| {
        let names = environments.names().join(", ");
        let advice = match environments.names().len() {
            1 => "; further ones are described in pipelines/environments.toml",
            _ => "",
        };
        Error::NotFound(format!("there is no environment {name:?}; there are {names}{advice}"))
    })
}
