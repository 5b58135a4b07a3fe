//! From a stored delivery to a build, or to a reason why there is none.
//!
//! ```text
//! delivery ─ event::read ─▶ Event ─ decide::decide ─▶ Decision ─ apply ─▶ build, jobs, ended builds
//!                             └── a push ─ trunk ─▶ the image of a tip, or a build of it
//! GitLab's list of open merge requests ─ reconcile::heal ──▲  (hooks that were lost)
//! ```
//!
//! Reading and deciding are pure. One transaction, under the merge request's lock, holds what the decision looks at,
//! what it changes, the decision itself and the end of the job: a worker that dies in between has done nothing.

mod apply;
pub mod decide;
mod error;
pub mod event;
mod lenient;
mod push;
mod reconcile;
mod text;
mod trunk;
mod words;

use std::future::Future;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, PgTransaction};

pub use self::error::{IntakeError, Source};
pub use self::push::Push;
pub use self::reconcile::{heal, heal_trunk};
pub use self::trunk::{Look, Pushed, settle};

use self::decide::{Decision, Situation, Tip, decide};
use self::event::Event;
use self::text::one_line;
use crate::model::{BuildId, DeliveryId, ProjectId, ProjectPath, Sha, Trigger};
use crate::store::jobs::{self, Claim};
use crate::store::notices::Subject;
use crate::store::trunk::Waiting;
use crate::store::{builds, deliveries, projects};

/// The name of the pipeline that builds a project, or what to do so that there is one.
pub type PipelineFor<'a> = dyn Fn(&ProjectPath) -> Result<String, String> + Sync + 'a;

/// What came of a delivery. After it, somebody should look at the lanes `build` (if a build was made) and `notify`,
/// and the workers of the stopped builds should be woken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The build that was made.
    pub made: Option<BuildId>,
    /// The build that already stood for it.
    pub standing: Option<BuildId>,
    /// Why, for people.
    pub reason: String,
    /// Builds that ended or were asked to end.
    pub stopped: Vec<BuildId>,
}

/// Interprets the delivery of a claimed job of the lane `intake`, and ends the job. `tip_of` asks GitLab for the newest
/// commit of a branch (`None`: there is no such branch), `look` asks Git about a push to the trunk and which of these builds
/// will build what was pushed; both are called outside any transaction, the first one rarely.
///
/// # Errors
/// Only the world's: nothing was changed, the job is to be tried again.
pub async fn interpret<F, Fut, G, Gut>(
    pool: &PgPool,
    claim: &Claim,
    pipeline_for: &PipelineFor<'_>,
    tip_of: F,
    look: G,
) -> Result<Outcome, IntakeError>
where
    F: Fn(ProjectId, String) -> Fut,
    Fut: Future<Output = Result<Option<Sha>, Source>>,
    G: Fn(Push, Vec<Waiting>) -> Gut,
    Gut: Future<Output = Result<Option<Look>, Source>>,
{
    let id: uuid::Uuid = claim
        .subject
        .parse()
        .map_err(|_| IntakeError::NotADelivery(claim.subject.clone()))?;
    let id = DeliveryId(id);
    let Some(delivery) = deliveries::get(pool, id).await? else {
        return if jobs::finish(pool, claim).await? {
            Ok(Outcome {
                made: None,
                standing: None,
                reason: "the delivery is not stored any more".to_owned(),
                stopped: Vec::new(),
            })
        } else {
            Err(IntakeError::Lost)
        };
    };
    let event = event::read(&delivery.body);
    if let Event::Push(Ok(push)) = &event {
        let asked = trunk::ask(pool, push, pipeline_for, look).await?;
        let mut tx = pool.begin().await?;
        let origin = trunk::Origin {
            trigger: Trigger::Webhook,
            at: delivery.received_at,
            delivery: Some(id),
            first_sight: false,
        };
        let outcome = match asked {
            Ok(asked) => trunk::carry_out(&mut tx, push, &asked, origin).await?,
            Err(reason) => Outcome {
                made: None,
                standing: None,
                reason,
                stopped: Vec::new(),
            },
        };
        return end(tx, claim, id, outcome).await;
    }
    let mut asked: Option<Option<Sha>> = None;
    loop {
        let mut tx = pool.begin().await?;
        let tip = match &asked {
            None => Tip::NotAsked,
            Some(None) => Tip::Gone,
            Some(Some(tip)) => Tip::At(tip),
        };
        let moment = Moment {
            at: delivery.received_at,
            delivery: Some(id),
            tip,
        };
        let settled = match decide_now(&mut tx, &event, pipeline_for, moment).await? {
            Decision::NeedsTip { branch } => {
                tx.rollback().await?;
                let (project, _) = event.key().expect("only an event of a merge request needs a tip");
                let answer = tip_of(project, branch.clone()).await;
                asked = Some(answer.map_err(|source| IntakeError::Tip { branch, source })?);
                continue;
            }
            Decision::Later { stopping } => return Err(IntakeError::Stopping(stopping)),
            Decision::Build(plan) => apply::make_build(&mut tx, &plan, Trigger::Webhook).await?,
            Decision::Ignored { why, standing, stop } => {
                let stopped = match &stop {
                    Some(stop) => apply::end_builds(&mut tx, stop).await?,
                    None => Vec::new(),
                };
                if let (false, Some((project, iid))) = (stopped.is_empty(), event.key()) {
                    apply::tell(&mut tx, Subject::Note(project, iid)).await?;
                }
                Outcome {
                    made: None,
                    standing,
                    reason: why,
                    stopped,
                }
            }
        };
        return end(tx, claim, id, settled).await;
    }
}

/// Writes the decision down and ends the job.
async fn end(
    mut tx: PgTransaction<'_>,
    claim: &Claim,
    delivery: DeliveryId,
    settled: Outcome,
) -> Result<Outcome, IntakeError> {
    let outcome = Outcome {
        reason: one_line(&settled.reason),
        ..settled
    };
    let decision = if outcome.made.is_some() { "build" } else { "ignored" };
    let build = outcome.made.or(outcome.standing);
    deliveries::decide(&mut *tx, delivery, decision, &outcome.reason, build).await?;
    if !jobs::finish(&mut *tx, claim).await? {
        tx.rollback().await?;
        return Err(IntakeError::Lost);
    }
    tx.commit().await?;
    Ok(outcome)
}

/// From when an event is, and what was asked for its sake.
#[derive(Debug, Clone, Copy)]
struct Moment<'a> {
    at: DateTime<Utc>,
    delivery: Option<DeliveryId>,
    tip: Tip<'a>,
}

/// Decides over what the database holds, which stays so until the end of the transaction. A project that has a
/// pipeline is remembered, so that its lost hooks are found.
async fn decide_now(
    db: &mut PgConnection,
    event: &Event,
    pipeline_for: &PipelineFor<'_>,
    moment: Moment<'_>,
) -> Result<Decision, IntakeError> {
    let pipeline = match event.merge_request() {
        Some(merge_request) => pipeline_for(&merge_request.project),
        None => Err(String::new()),
    };
    let mut known = Vec::new();
    let mut later = None;
    if let Some((project, iid)) = event.key() {
        builds::lock_merge_request(&mut *db, project, iid).await?;
        known = builds::of_merge_request(&mut *db, project, iid).await?;
        later = builds::of_later_delivery(&mut *db, project, iid, moment.at, moment.delivery).await?;
    }
    if let (Ok(_), Some(merge_request)) = (&pipeline, event.merge_request()) {
        projects::remember(&mut *db, merge_request.project_id, &merge_request.project).await?;
    }
    let situation = Situation {
        pipeline: pipeline.as_deref().map_err(String::as_str),
        known: &known,
        later,
        tip: moment.tip,
    };
    Ok(decide(event, &situation))
}
