//! A push to a target branch: which image is the trunk's now?
//!
//! Git is asked outside of any transaction; what is decided and written then stands under the trunk's lock, which the end of
//! a build takes too (`settle`). So whichever comes first, the push or the image, the later one finds the earlier.

mod decide;
mod settle;

use std::future::Future;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

pub use self::decide::{Look, Pushed};
pub use self::settle::settle;

use self::decide::{Decision, Situation, decide, waiting};
use super::apply::{self, tell};
use super::push::Push;
use super::text::one_line;
use super::{IntakeError, Outcome, PipelineFor, Source, words};
use crate::model::{BuildId, BuildState, DeliveryId, MergeRequest, Trigger};
use crate::store::notices::Subject;
use crate::store::trunk::{self, Seen, Waiting};
use crate::store::{builds, projects};

/// So many builds that have not looked at their source are compared with a push: the newest.
const COMPARED: i64 = 5;

/// Where the news of a push comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// What a build of it is triggered by.
    pub trigger: Trigger,
    /// When it was told.
    pub at: DateTime<Utc>,
    /// By which delivery.
    pub delivery: Option<DeliveryId>,
    /// See [`Situation::first_sight`].
    pub first_sight: bool,
}

/// What was learned of a push before it is decided.
pub(super) struct Asked {
    pipeline: String,
    /// `None`: the branch is gone.
    look: Option<Look>,
}

/// Asks Git about a push to a trunk; of another push, the reason why it is ignored.
pub(super) async fn ask<F, Fut>(
    pool: &PgPool,
    push: &Push,
    pipeline_for: &PipelineFor<'_>,
    look: F,
) -> Result<Result<Asked, String>, IntakeError>
where
    F: Fn(Push, Vec<Waiting>) -> Fut,
    Fut: Future<Output = Result<Option<Look>, Source>>,
{
    if !push.default && !trunk::is_target(pool, push.project_id, &push.branch).await? {
        return Ok(Err(words::not_the_trunk(&push.branch)));
    }
    let pipeline = match pipeline_for(&push.project) {
        Ok(pipeline) => pipeline,
        Err(what_to_do) => return Ok(Err(what_to_do)),
    };
    let waiting = trunk::waiting(pool, push.project_id, &push.branch, COMPARED).await?;
    let look = look(push.clone(), waiting).await.map_err(|source| IntakeError::Tip {
        branch: push.branch.clone(),
        source,
    })?;
    Ok(Ok(Asked { pipeline, look }))
}

/// Decides over a push and does it, in the caller's transaction.
pub(super) async fn carry_out(
    db: &mut PgConnection,
    push: &Push,
    asked: &Asked,
    origin: Origin,
) -> Result<Outcome, IntakeError> {
    trunk::lock(&mut *db, push.project_id, &push.branch).await?;
    projects::remember(&mut *db, push.project_id, &push.project).await?;
    let Push { branch, tip, .. } = push;
    let Some(look) = &asked.look else {
        return Ok(ignored(format!("branch {branch} is not there any more")));
    };
    let Some(commit) = &look.commit else {
        return Ok(ignored(format!(
            "{branch} is at {} by now, and {} is not to be had any more",
            look.tip.short(),
            tip.short()
        )));
    };
    let seen = Seen {
        project: push.project_id,
        branch,
        tip,
        tree: &commit.tree,
        pushed_by: &push.by.username,
        at: origin.at,
        delivery: origin.delivery,
    };
    let known = builds::of_tip(&mut *db, push.project_id, branch, tip).await?;
    let situation = Situation {
        image: trunk::image(&mut *db, push.project_id, branch, tip).await?,
        tested: trunk::tested(&mut *db, push.project_id, branch, &commit.tree).await?,
        under_way: trunk::under_way(&mut *db, &seen, &look.alike).await?,
        known: &known,
        newest: look.tip == *tip,
        first_sight: origin.first_sight,
    };
    let decision = decide(push, &situation);
    if decision != Decision::MovedOn {
        trunk::see(&mut *db, &seen).await?;
    }
    let at = format!("{branch} is at {}", tip.short());
    let (instead, reason) = match decision {
        Decision::Stands(build) if situation.image == Some(build) => {
            (build, format!("{at}: build {build} is its image"))
        }
        Decision::Stands(build) => (build, format!("{at}: already built as #{build}, without an image")),
        Decision::Tested(build) => (
            build,
            format!("{at}: the tree that build {build} tested; its image is the trunk's"),
        ),
        Decision::Waits(build) => (
            build,
            format!("{at}: the tree that build {build} is at; its image will be the trunk's"),
        ),
        Decision::MovedOn => {
            let now = look.tip.short();
            return Ok(ignored(format!(
                "{branch} is at {now} by now: {} is not built",
                tip.short()
            )));
        }
        Decision::Remember => return Ok(ignored(format!("{at}, seen for the first time"))),
        Decision::Build => {
            let build = make_build(db, push, commit, asked, origin).await?;
            let why = match origin.trigger {
                Trigger::Poll => "found by comparing, its webhook was lost",
                Trigger::Webhook | Trigger::Person => "a tree that no build has tested",
            };
            let stopped = supersede(db, &waiting(push, &known), build).await?;
            return Ok(Outcome {
                made: Some(build),
                standing: None,
                reason: one_line(&format!("{at}: {why}")),
                stopped,
            });
        }
    };
    let mut stopped = Vec::new();
    if situation.newest {
        stopped = supersede(db, &waiting(push, &known), instead).await?;
    }
    if let Decision::Tested(build) = decision {
        settle::record(db, &seen, build).await?;
    }
    Ok(Outcome {
        standing: Some(instead),
        stopped,
        ..ignored(reason)
    })
}

fn ignored(reason: String) -> Outcome {
    Outcome {
        made: None,
        standing: None,
        reason: one_line(&reason),
        stopped: Vec::new(),
    }
}

async fn make_build(
    db: &mut PgConnection,
    push: &Push,
    commit: &Pushed,
    asked: &Asked,
    origin: Origin,
) -> Result<BuildId, IntakeError> {
    let subject = one_line(&commit.subject);
    let merge_request = MergeRequest {
        project_id: push.project_id,
        project: push.project.clone(),
        source_project_id: Some(push.project_id),
        iid: None,
        title: if subject.is_empty() {
            format!("Push to {}", push.branch)
        } else {
            subject
        },
        draft: false,
        head: push.tip.clone(),
        source_branch: push.branch.clone(),
        target_branch: push.branch.clone(),
        author: push.by.clone(),
        url: if push.page.is_empty() {
            commit.page.clone()
        } else {
            push.page.clone()
        },
    };
    apply::create(
        db,
        &merge_request,
        &asked.pipeline,
        origin.trigger,
        BuildState::Queued,
        None,
    )
    .await
}

/// Ends what waits for a worker; what runs by now is let run.
async fn supersede(db: &mut PgConnection, waiting: &[BuildId], by: BuildId) -> Result<Vec<BuildId>, IntakeError> {
    let mut stopped = Vec::new();
    for &build in waiting {
        if builds::end_waiting(&mut *db, build, BuildState::Superseded, &format!("#{by}")).await? {
            tell(db, Subject::Status(build)).await?;
            stopped.push(build);
        }
    }
    Ok(stopped)
}
