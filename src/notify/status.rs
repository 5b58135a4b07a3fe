//! The commit status: what GitLab's merge gate looks at.

use super::{Notifier, NotifyError, words};
use crate::clients::gitlab::{CommitState, GitLabErrorKind, StatusUpdate};
use crate::model::{BuildId, BuildState};
use crate::store::{builds, notices};

/// One name for all of ours: GitLab tells statuses apart by it.
const NAME: &str = "seaworthy";

impl Notifier {
    pub(super) async fn set_status(&self, id: BuildId) -> Result<(), NotifyError> {
        let Some(record) = builds::get(&self.pool, id).await? else {
            return Ok(());
        };
        let build = &record.build;
        if notices::told_status(&self.pool, id).await? == Some(build.state) {
            return Ok(());
        }
        let url = format!("{}/builds/{id}", self.public_url);
        let description = words::in_short(&record);
        let mr = &build.merge_request;
        let update = StatusUpdate {
            state: commit_state(build.state),
            name: NAME,
            target_url: &url,
            description: &description,
            r#ref: Some(&mr.source_branch),
        };
        let mut told = self.gitlab.set_commit_status(mr.project_id, &mr.head, &update).await;
        // A commit of a fork is on no branch of the target; the fork itself may show it, if our token may write there.
        if let (Err(error), Some(source)) = (&told, mr.source_project_id)
            && error.kind == GitLabErrorKind::NotThere
            && source != mr.project_id
        {
            told = self.gitlab.set_commit_status(source, &mr.head, &update).await;
        }
        let refused = match told {
            Ok(_) => None,
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(error) => {
                tracing::warn!(build = %id, %error, "GitLab does not take the commit status");
                Some(error.to_string())
            }
        };
        notices::set_told_status(&self.pool, id, build.state, refused.as_deref()).await?;
        Ok(())
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
