//! Hooks that were lost heal: what GitLab's list of open merge requests holds and was never built is built, and a trunk that
//! moved unseen gets its image, by the same rules and the same transaction as an event. The comparison only ever adds
//! builds; it ends none but by superseding.

use std::future::Future;

use sqlx::PgPool;

use super::decide::{Decision, Tip};
use super::error::{IntakeError, Source};
use super::event::{Event, MergeRequestEvent};
use super::trunk::{self, Look, Origin};
use super::{Moment, Outcome, PipelineFor, Push, apply, decide_now};
use crate::model::{MergeRequest, Person, ProjectId, ProjectPath, Sha, Trigger};
use crate::store::trunk::{branches, known};

/// Makes the missing builds of a project, and gives what was made. `list` asks GitLab for the open merge requests.
///
/// # Errors
/// The world's; builds that were made before it stay. The project's next turn makes up for the rest.
pub async fn heal<F, Fut>(
    pool: &PgPool,
    pipeline_for: &PipelineFor<'_>,
    list: F,
    project: ProjectId,
) -> Result<Vec<Outcome>, IntakeError>
where
    F: FnOnce(ProjectId) -> Fut,
    Fut: Future<Output = Result<Vec<MergeRequest>, Source>>,
{
    // From before the list: whatever was pushed while it was made is newer than the list.
    let at = crate::store::now(pool).await?;
    let open = list(project).await.map_err(IntakeError::List)?;
    let mut made = Vec::new();
    for merge_request in open {
        let event = Event::MergeRequest(Box::new(MergeRequestEvent::listed(merge_request)));
        let moment = Moment {
            at,
            delivery: None,
            tip: Tip::NotAsked,
        };
        let mut tx = pool.begin().await?;
        match decide_now(&mut tx, &event, pipeline_for, moment).await? {
            Decision::Build(plan) => {
                let outcome = apply::make_build(&mut tx, &plan, Trigger::Poll).await?;
                tx.commit().await?;
                made.push(outcome);
            }
            // A build that is just being stopped is looked at again in the project's next turn.
            Decision::Ignored { .. } | Decision::Later { .. } | Decision::NeedsTip { .. } => tx.rollback().await?,
        }
    }
    Ok(made)
}

/// Looks whether the target branches of a project have moved unseen, and gives what came of it. `tip_of` asks GitLab for the
/// newest commit of a branch, `look` Git as [`super::interpret`] does. A branch that is seen for the first time is not built:
/// a service that is new or was updated must not build the trunks of all its projects at once.
///
/// # Errors
/// The world's; what was done before it stays. The project's next turn makes up for the rest.
pub async fn heal_trunk<F, Fut, G, Gut>(
    pool: &PgPool,
    pipeline_for: &PipelineFor<'_>,
    tip_of: F,
    look: G,
    (id, path): (ProjectId, &ProjectPath),
) -> Result<Vec<Outcome>, IntakeError>
where
    F: Fn(ProjectId, String) -> Fut,
    Fut: Future<Output = Result<Option<Sha>, Source>>,
    G: Fn(Push, Vec<crate::store::trunk::Waiting>) -> Gut,
    Gut: Future<Output = Result<Option<Look>, Source>>,
{
    let mut outcomes = Vec::new();
    for branch in branches(pool, id).await? {
        let at = crate::store::now(pool).await?;
        let answer = tip_of(id, branch.clone()).await;
        let Some(tip) = answer.map_err(|source| IntakeError::Tip {
            branch: branch.clone(),
            source,
        })?
        else {
            continue;
        };
        let known = known(pool, id, &branch).await?;
        if known.as_ref().is_some_and(|known| known.tip == tip && known.settled) {
            continue;
        }
        let push = Push {
            project_id: id,
            project: path.clone(),
            branch,
            tip,
            default: false,
            by: Person::default(),
            page: String::new(),
        };
        let Ok(asked) = trunk::ask(pool, &push, pipeline_for, &look).await? else {
            continue;
        };
        let origin = Origin {
            trigger: Trigger::Poll,
            at,
            delivery: None,
            first_sight: known.is_none(),
        };
        let mut tx = pool.begin().await?;
        let outcome = trunk::carry_out(&mut tx, &push, &asked, origin).await?;
        tx.commit().await?;
        outcomes.push(outcome);
    }
    Ok(outcomes)
}
