//! The commit status: what GitLab's merge gate looks at.
//!
//! A status belongs to the commit, not to the build. Where a newer build of the same commit is there, it alone speaks:
//! the older one's "canceled", told late, would end the row that the newer one's "running" stands in.

use sqlx::PgTransaction;

use super::{Notifier, NotifyError, is_final, words};
use crate::clients::gitlab::{CommitState, GitLabError, GitLabErrorKind, StatusUpdate};
use crate::model::{BuildId, BuildState, MergeRequest};
use crate::store::{builds, images, notices, trunk};

/// One name for all of ours: GitLab tells statuses apart by it.
const NAME: &str = "seaworthy";

impl Notifier {
    pub(super) async fn set_status(&self, mut tx: PgTransaction<'_>, id: BuildId) -> Result<(), NotifyError> {
        let Some(record) = builds::get(&mut *tx, id).await? else {
            return Ok(());
        };
        let state = record.build.state;
        if notices::told_status(&mut *tx, id).await? == Some(state) {
            return Ok(());
        }
        let mr = &record.build.merge_request;
        let builds = builds::alike(&mut *tx, mr).await?;
        let refused = if builds.iter().any(|other| other.id > id && other.head == mr.head) {
            None
        } else {
            let url = self.links.build(id);
            let description = words::in_short(&record);
            let update = StatusUpdate {
                state: commit_state(state),
                name: NAME,
                target_url: &url,
                description: &description,
                r#ref: Some(&mr.source_branch),
            };
            settled(&update, self.send_status(mr, &update).await)?
        };
        notices::set_told_status(&mut *tx, id, state, refused.as_deref()).await?;
        Ok(tx.commit().await?)
    }

    /// The status of a tip whose image is the build of another commit with the same tree.
    pub(super) async fn set_tip_status(&self, mut tx: PgTransaction<'_>, id: i64) -> Result<(), NotifyError> {
        let Some(tip) = trunk::shown(&mut *tx, id).await?.filter(|tip| !tip.told) else {
            return Ok(());
        };
        let Some(image) = images::of_build(&mut *tx, tip.build).await? else {
            return Ok(());
        };
        // A commit that is built has the status of its build, which ours would overwrite: fast-forwarded, built by itself,
        // or the head of another merge request. What was built of a fork has told the fork.
        let refused = if builds::is_built(&mut *tx, tip.project, &tip.tip).await? {
            None
        } else {
            let url = self.links.build(tip.build);
            let description = words::tested_in(tip.build, &image.pushed.digest);
            let update = StatusUpdate {
                state: CommitState::Success,
                name: NAME,
                target_url: &url,
                description: &description,
                r#ref: Some(&tip.branch),
            };
            settled(
                &update,
                self.gitlab
                    .set_commit_status(tip.project, &tip.tip, &update)
                    .await
                    .map(drop),
            )?
        };
        trunk::set_told(&mut *tx, id, refused.as_deref()).await?;
        Ok(tx.commit().await?)
    }

    async fn send_status(&self, mr: &MergeRequest, update: &StatusUpdate<'_>) -> Result<(), GitLabError> {
        if !mr.from_fork() {
            return self
                .gitlab
                .set_commit_status(mr.project_id, &mr.head, update)
                .await
                .map(drop);
        }
        // The source branch is none of the target's: named there, GitLab would show a pipeline of a branch that does
        // not exist.
        let there = StatusUpdate {
            r#ref: None,
            ..update.clone()
        };
        let told = self.gitlab.set_commit_status(mr.project_id, &mr.head, &there).await;
        match (told, mr.source_project_id) {
            // The head is on no branch of the target; the fork itself may show it, if our token may write there.
            (Err(error), Some(source)) if error.kind == GitLabErrorKind::NotThere => {
                self.gitlab.set_commit_status(source, &mr.head, update).await.map(drop)
            }
            (told, _) => told.map(drop),
        }
    }
}

/// Told (`None`), or refused for good, and why.
fn settled(update: &StatusUpdate<'_>, told: Result<(), GitLabError>) -> Result<Option<String>, GitLabError> {
    match told {
        Ok(()) => Ok(None),
        Err(error) if is_final(&error) => {
            tracing::warn!(url = update.target_url, state = ?update.state, %error, "GitLab does not take a commit status");
            Ok(Some(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

fn commit_state(state: BuildState) -> CommitState {
    match state {
        BuildState::AwaitingApproval | BuildState::Queued => CommitState::Pending,
        BuildState::Running => CommitState::Running,
        BuildState::Passed => CommitState::Success,
        BuildState::Failed | BuildState::Errored => CommitState::Failed,
        BuildState::Cancelled | BuildState::Superseded => CommitState::Canceled,
    }
}
