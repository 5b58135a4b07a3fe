//! Hooks that were lost heal: what GitLab's list of open merge requests holds and was never built is built, by the same
//! rules and the same transaction as an event. The list only ever adds builds; it ends none but by superseding.

use std::future::Future;

use sqlx::PgPool;

use super::decide::{Decision, Tip};
use super::error::{IntakeError, Source};
use super::event::{Event, MergeRequestEvent};
use super::{Moment, Outcome, PipelineFor, apply, decide_now};
use crate::model::{MergeRequest, ProjectId, Trigger};

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
