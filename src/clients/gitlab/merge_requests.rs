//! Merge requests as the API tells of them: the way by which lost hooks heal and a doubtful head is decided.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;

use super::error::Doing;
use super::{GitLab, GitLabError};
use crate::model::{MergeRequest, Person, ProjectId, ProjectPath, Sha};

/// Where a merge request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeRequestState {
    /// Open.
    Opened,
    /// Closed without merge.
    Closed,
    /// Merged.
    Merged,
    /// Being merged at this moment.
    Locked,
}

/// The fields of `GET …/merge_requests` that count. Unknown fields and values are survived.
#[derive(Deserialize)]
struct Answer {
    iid: i64,
    project_id: ProjectId,
    /// Null when the fork was deleted.
    #[serde(default)]
    source_project_id: Option<ProjectId>,
    title: String,
    #[serde(default)]
    draft: Option<bool>,
    /// The name of the same before GitLab 13.2; today's send both.
    #[serde(default)]
    work_in_progress: Option<bool>,
    state: String,
    /// Null while the source branch has no commit.
    #[serde(default)]
    sha: Option<Sha>,
    source_branch: String,
    target_branch: String,
    #[serde(default)]
    author: Option<Author>,
    #[serde(default)]
    web_url: String,
    references: References,
}

#[derive(Deserialize)]
struct Author {
    #[serde(default)]
    name: String,
    #[serde(default)]
    username: String,
}

#[derive(Deserialize)]
struct References {
    /// `group/project!7`
    full: String,
}

const NEEDS: &str = "role Reporter in the project";

impl GitLab {
    /// The open merge requests of a project, oldest first, those without a commit left out; with `updated_after` only
    /// those that changed since then.
    ///
    /// # Errors
    /// If a page is missing: never a part of the list.
    pub async fn open_merge_requests(
        &self,
        project: ProjectId,
        updated_after: Option<DateTime<Utc>>,
    ) -> Result<Vec<MergeRequest>, GitLabError> {
        let doing = Doing::new(format!("list the open merge requests of project {project}"), NEEDS);
        let mut url = self.project_url(project, ["merge_requests"]);
        // By time of creation: that order does not shift when one of them changes between two pages.
        url.query_pairs_mut()
            .append_pair("state", "opened")
            .append_pair("scope", "all")
            .append_pair("order_by", "created_at")
            .append_pair("sort", "asc");
        if let Some(moment) = updated_after {
            let moment = moment.to_rfc3339_opts(SecondsFormat::Secs, true);
            url.query_pairs_mut().append_pair("updated_after", &moment);
        }
        let answers: Vec<Answer> = self.all(&doing, url.clone()).await?;
        let mut found = Vec::with_capacity(answers.len());
        for answer in answers {
            if let Some(merge_request) = self.understand(&doing, &url, answer)?.1 {
                found.push(merge_request);
            }
        }
        Ok(found)
    }

    /// One merge request and its state; the merge request is `None` while it has no commit.
    ///
    /// # Errors
    /// `NotThere` if there is none or the token may not see it.
    pub async fn merge_request(
        &self,
        project: ProjectId,
        iid: i64,
    ) -> Result<(MergeRequestState, Option<MergeRequest>), GitLabError> {
        let doing = Doing::new(format!("read merge request !{iid} of project {project}"), NEEDS);
        let number = iid.to_string();
        let url = self.project_url(project, ["merge_requests", number.as_str()]);
        let answer: Answer = self.get(&doing, url.clone()).await?;
        self.understand(&doing, &url, answer)
    }

    fn understand(
        &self,
        doing: &Doing,
        url: &reqwest::Url,
        answer: Answer,
    ) -> Result<(MergeRequestState, Option<MergeRequest>), GitLabError> {
        let strange = |text: String| {
            let address = super::shown(&reqwest::Method::GET, url);
            GitLabError::strange(doing, address, reqwest::StatusCode::OK, text)
        };
        let state = match answer.state.as_str() {
            "opened" => MergeRequestState::Opened,
            "closed" => MergeRequestState::Closed,
            "merged" => MergeRequestState::Merged,
            "locked" => MergeRequestState::Locked,
            other => return Err(strange(format!("!{} is in the unknown state {other:?}", answer.iid))),
        };
        let project: ProjectPath = answer
            .references
            .full
            .rsplit_once('!')
            .and_then(|(path, _)| path.parse().ok())
            .ok_or_else(|| strange(format!("no project in the reference {:?}", answer.references.full)))?;
        let author = answer.author.map(|author| Person {
            name: author.name,
            username: author.username,
            email: None,
        });
        let merge_request = answer.sha.map(|head| MergeRequest {
            project_id: answer.project_id,
            project,
            source_project_id: answer.source_project_id,
            iid: Some(answer.iid),
            title: answer.title,
            draft: answer.draft.or(answer.work_in_progress).unwrap_or(false),
            head,
            source_branch: answer.source_branch,
            target_branch: answer.target_branch,
            author: author.unwrap_or_default(),
            url: answer.web_url,
        });
        Ok((state, merge_request))
    }
}
