//! What Git says of a push to the trunk.

use std::time::Duration;

use super::Workers;
use crate::clients::git::{GitError, GitErrorKind, Merged};
use crate::intake::{self, Look, Push, Pushed};
use crate::model::{BuildId, Sha};
use crate::store::trunk::Waiting;

/// How often Git is asked again while it does not yet show the commit that GitLab's hook named.
const LAGGING: u32 = 4;
const LAG: Duration = Duration::from_secs(1);

impl Workers {
    /// Fetches the branch, reads the pushed commit, and tries which of the waiting builds will build the same tree. `None`:
    /// there is no such branch.
    pub(super) async fn look_at(&self, push: Push, waiting: Vec<Waiting>) -> Result<Option<Look>, intake::Source> {
        let Some(tip) = self.fetch_trunk(&push, None).await? else {
            return Ok(None);
        };
        let commit = self.pushed(&push).await?;
        let mut alike = Vec::new();
        if let Some(commit) = &commit {
            for build in waiting {
                if self.fetch_trunk(&push, Some(build.iid)).await?.is_some() {
                    alike.extend(self.will_build(&push, &build, &commit.tree).await?);
                }
            }
        }
        Ok(Some(Look { tip, commit, alike }))
    }

    /// The tip of the branch, the pushed commit being in the mirror if there is any hope.
    async fn fetch_trunk(&self, push: &Push, iid: Option<i64>) -> Result<Option<Sha>, GitError> {
        let git = &self.parts.git;
        let mut tip = None;
        for attempt in 0..=LAGGING {
            if attempt > 0 {
                tokio::time::sleep(LAG).await;
            }
            let fetched = git
                .fetch(&push.project, push.project_id, iid, &push.branch, &self.stop, |_| {})
                .await;
            tip = match fetched {
                Ok(fetched) => Some(fetched.target_tip),
                // The merge request's own ref may be gone, which is nothing to wait for.
                Err(error) if error.kind() == GitErrorKind::NotFound && iid.is_some() => return Ok(None),
                Err(error) if error.kind() == GitErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            if tip.is_some() && git.has_commit(push.project_id, &push.tip).await? {
                return Ok(tip);
            }
        }
        if tip.is_some() {
            // Pushed over meanwhile: GitLab may hand it out all the same.
            git.fetch_sha(&push.project, push.project_id, &push.tip, &self.stop)
                .await?;
        }
        Ok(tip)
    }

    async fn pushed(&self, push: &Push) -> Result<Option<Pushed>, GitError> {
        let git = &self.parts.git;
        if !git.has_commit(push.project_id, &push.tip).await? {
            return Ok(None);
        }
        // Merged with itself, a commit is what it is.
        let Merged::Tree { tree, .. } = git.merge(push.project_id, &push.tip, &push.tip).await? else {
            return Ok(None);
        };
        let commits = git.commits(push.project_id, &push.tip, None).await?;
        let subject = commits.into_iter().next().map(|commit| commit.subject);
        let gitlab = self.parts.config.gitlab.url.trim_end_matches('/');
        Ok(Some(Pushed {
            tree,
            subject: subject.unwrap_or_default(),
            page: format!("{gitlab}/{}/-/commit/{}", push.project, push.tip),
        }))
    }

    /// The build, if its merge request merged into what was pushed changes nothing: that is the merge, by whatever strategy.
    async fn will_build(&self, push: &Push, build: &Waiting, tree: &Sha) -> Result<Option<BuildId>, GitError> {
        let git = &self.parts.git;
        if !git.has_commit(push.project_id, &build.head).await? {
            return Ok(None);
        }
        match git.merge(push.project_id, &build.head, &push.tip).await? {
            Merged::Tree { tree: merged, .. } if merged == *tree => Ok(Some(build.build)),
            Merged::Tree { .. } | Merged::Conflict { .. } | Merged::Unrelated => Ok(None),
        }
    }
}
