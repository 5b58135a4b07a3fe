//! Doing what was decided, inside the caller's transaction: the build, its jobs, and the end of older builds are there
//! together or not at all.

use std::time::Duration;

use sqlx::PgConnection;

use super::decide::{Plan, Stop};
use super::{IntakeError, Outcome};
use crate::model::{BuildId, BuildState, MergeRequest, Sha, Trigger};
use crate::store::builds::{self, NewBuild};
use crate::store::jobs::{self, Lane};
use crate::store::notices::Subject;

/// Makes the build with its jobs and supersedes the older ones.
pub(super) async fn make_build(db: &mut PgConnection, plan: &Plan, trigger: Trigger) -> Result<Outcome, IntakeError> {
    let merge_request = with_author(db, &plan.merge_request).await?;
    let (pipeline, seen_tip) = (&plan.pipeline, plan.seen_tip.as_ref());
    let build = create(db, &merge_request, pipeline, trigger, plan.state, seen_tip).await?;
    let stop = Stop {
        builds: plan.supersedes.clone(),
        state: BuildState::Superseded,
        by: format!("#{build}"),
    };
    let stopped = end_builds(db, &stop).await?;
    Ok(Outcome {
        made: Some(build),
        standing: None,
        reason: plan.why.clone(),
        stopped,
    })
}

/// Makes a build with its jobs. Decided under a lock: only a program that goes round it can have been faster.
pub(super) async fn create(
    db: &mut PgConnection,
    merge_request: &MergeRequest,
    pipeline: &str,
    trigger: Trigger,
    state: BuildState,
    seen_tip: Option<&Sha>,
) -> Result<BuildId, IntakeError> {
    let new = NewBuild {
        merge_request,
        pipeline,
        trigger,
        state,
        seen_tip,
        requested_by: None,
    };
    let build = builds::create(&mut *db, &new).await?.ok_or(IntakeError::Raced)?;
    let project = merge_request.project.as_str();
    if state == BuildState::Queued {
        jobs::enqueue(&mut *db, Lane::Build, &build.to_string(), project, Duration::ZERO).await?;
    }
    for subject in Subject::at_gitlab(build, merge_request) {
        tell(db, subject).await?;
    }
    Ok(build)
}

/// Ends builds: one that waits at once, one that runs by asking its worker. Gives those that had not ended by
/// themselves. GitLab is told; the merge request's note is the caller's.
pub(super) async fn end_builds(db: &mut PgConnection, stop: &Stop) -> Result<Vec<BuildId>, IntakeError> {
    let mut stopped = Vec::new();
    for &build in &stop.builds {
        if end_build(db, build, stop).await? {
            tell(db, Subject::Status(build)).await?;
            stopped.push(build);
        }
    }
    Ok(stopped)
}

/// A worker may take or give back the build between two statements, hence the second round; what is neither waiting
/// nor running after it has ended by itself.
async fn end_build(db: &mut PgConnection, build: BuildId, stop: &Stop) -> Result<bool, IntakeError> {
    for _ in 0..2 {
        if builds::end_waiting(&mut *db, build, stop.state, &stop.by).await?
            || jobs::request_cancel(&mut *db, build, stop.state.as_str(), &stop.by).await?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Asks for GitLab to be told. The lane `notify` does not share out between projects, so there is no fair key.
pub(super) async fn tell(db: &mut PgConnection, subject: Subject) -> Result<(), IntakeError> {
    Ok(jobs::enqueue(db, Lane::Notify, &subject.to_string(), "", Duration::ZERO).await?)
}

/// Not every event tells who opened the merge request; an earlier one may have.
async fn with_author(db: &mut PgConnection, merge_request: &MergeRequest) -> Result<MergeRequest, IntakeError> {
    let mut merge_request = merge_request.clone();
    if merge_request.author.username.is_empty()
        && let Some(iid) = merge_request.iid
        && let Some(author) = builds::known_author(db, merge_request.project_id, iid).await?
    {
        merge_request.author = author;
    }
    Ok(merge_request)
}
