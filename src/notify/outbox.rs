//! What is written into the database so that it will be told: part of the transaction that has something to tell.

use std::collections::BTreeSet;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use crate::model::{BuildId, BuildState, Commit, MergeRequest};
use crate::store::Result;
use crate::store::builds::BuildRecord;
use crate::store::jobs::{self, Lane};
use crate::store::notices::{self, Subject};

/// Asks for the commit status and the note of this build to be looked over.
///
/// # Errors
/// The database is away.
pub async fn announce(db: &mut PgConnection, mr: &MergeRequest, build: BuildId) -> Result<()> {
    for subject in [Subject::Status(build), Subject::Note(mr.project_id, mr.iid)] {
        jobs::enqueue(
            &mut *db,
            Lane::Notify,
            &subject.to_string(),
            mr.project.as_str(),
            Duration::ZERO,
        )
        .await?;
    }
    Ok(())
}

/// Writes the mails of a build that has ended, one a recipient. Nobody is mailed about what somebody stopped.
///
/// # Errors
/// The database is away.
pub async fn write_mails(
    db: &mut PgConnection,
    record: &BuildRecord,
    commits: &[Commit],
    more: &[String],
    public_url: &str,
) -> Result<()> {
    let build = &record.build;
    if !matches!(
        build.state,
        BuildState::Passed | BuildState::Failed | BuildState::Errored
    ) {
        return Ok(());
    }
    let host = host_of(public_url);
    for recipient in recipients(&build.merge_request, commits, more) {
        let message_id = message_id(build.id, &recipient, &host);
        if let Some(mail) = notices::add_mail(&mut *db, build.id, &recipient, &message_id).await? {
            let subject = Subject::Mail(mail).to_string();
            jobs::enqueue(
                &mut *db,
                Lane::Notify,
                &subject,
                build.merge_request.project.as_str(),
                Duration::ZERO,
            )
            .await?;
        }
    }
    Ok(())
}

/// Author of the merge request, committer of its newest commit, and whoever the pipeline names; each once.
pub fn recipients(mr: &MergeRequest, commits: &[Commit], more: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let author = mr.author.email.iter().cloned();
    let committer = commits.first().map(|commit| commit.committer_email.clone());
    author
        .chain(committer)
        .chain(more.iter().cloned())
        .map(|address| address.trim().to_owned())
        .filter(|address| is_person(address) && seen.insert(address.to_lowercase()))
        .collect()
}

/// GitLab hides addresses as `[REDACTED]` or behind its own noreply ones, and commits by machines have none.
fn is_person(address: &str) -> bool {
    let Ok(parsed) = address.parse::<lettre::Address>() else {
        return false;
    };
    let domain = parsed.domain().to_lowercase();
    let user = parsed.user().to_lowercase();
    !domain.contains("noreply") && !matches!(user.as_str(), "noreply" | "no-reply") && domain != "localhost"
}

/// The same at each try, another one for each recipient.
fn message_id(build: BuildId, recipient: &str, host: &str) -> String {
    let hash = Sha256::digest(recipient.to_lowercase().as_bytes());
    let short: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("<build.{build}.{short}@{host}>")
}

/// The root that all mails of a merge request refer to. No mail has this id itself.
pub(super) fn thread_id(mr: &MergeRequest, host: &str) -> String {
    format!("<mr.{}.{}@{host}>", mr.project_id, mr.iid)
}

pub(super) fn host_of(public_url: &str) -> String {
    let url = reqwest::Url::parse(public_url).ok();
    url.and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| "seaworthy.invalid".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Person, ProjectId};

    #[test]
    fn each_person_gets_one_mail_and_machines_none() {
        let mr = MergeRequest {
            project_id: ProjectId(1),
            project: "a/b".parse().expect("a path"),
            source_project_id: Some(ProjectId(1)),
            iid: 1,
            title: String::new(),
            draft: false,
            head: "da1560886d4f094c3e6c9ef40349f7d38b5d27d7".parse().expect("a commit"),
            source_branch: "x".into(),
            target_branch: "main".into(),
            author: Person {
                email: Some("Ada@example.com".into()),
                ..Person::default()
            },
            url: String::new(),
        };
        let commit = |email: &str| Commit {
            sha: mr.head.clone(),
            subject: String::new(),
            author_name: String::new(),
            author_email: String::new(),
            committer_email: email.into(),
            authored_at: 0,
        };
        let more = [
            "qa@example.com".to_owned(),
            "ada@EXAMPLE.com".to_owned(),
            "a b".to_owned(),
        ];
        assert_eq!(
            recipients(&mr, &[commit("bob@example.com")], &more),
            ["Ada@example.com", "bob@example.com", "qa@example.com"]
        );
        let hidden = MergeRequest {
            author: Person {
                email: Some("[REDACTED]".into()),
                ..Person::default()
            },
            ..mr.clone()
        };
        assert!(recipients(&hidden, &[commit("1-ada@users.noreply.gitlab.example.com")], &[]).is_empty());
    }
}
