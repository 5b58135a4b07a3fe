//! What is written into the database so that it will be told: part of the transaction that has something to tell.

use std::collections::BTreeSet;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgTransaction};

use super::{Notifier, NotifyError};
use crate::clients::mailer::split_address;
use crate::model::{BuildId, BuildState, Commit, MergeRequest};
use crate::store::Result;
use crate::store::builds::{self, BuildRecord};
use crate::store::jobs::{self, Lane};
use crate::store::notices::{self, Subject};

/// Asks for the commit status and the note of this build to be looked over.
///
/// # Errors
/// The database is away.
pub async fn announce(db: &mut PgConnection, mr: &MergeRequest, build: BuildId) -> Result<()> {
    for subject in Subject::at_gitlab(build, mr) {
        enqueue(&mut *db, subject, mr).await?;
    }
    Ok(())
}

/// Writes the mails of a build that has ended, one a recipient; `more` are the pipeline's recipients. Nobody is mailed
/// about what somebody stopped. Where the event did not tell the author's address, GitLab is asked for it later.
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
    let mr = &build.merge_request;
    let links = Links::new(public_url);
    for recipient in recipients(build.state, mr, commits, more) {
        add_mail(&mut *db, &links, build.id, mr, &recipient).await?;
    }
    let known = mr.author.email.as_deref().is_some_and(is_person);
    if is_mailed(build.state) && !known && !mr.author.username.is_empty() {
        enqueue(&mut *db, Subject::Author(build.id), mr).await?;
    }
    Ok(())
}

/// Who is mailed about a build in this state: author of the merge request, committer of its newest commit, and `more`;
/// each once. The committer is left alone when the world was at fault: there is nothing for him to do.
pub fn recipients(state: BuildState, mr: &MergeRequest, commits: &[Commit], more: &[String]) -> Vec<String> {
    if !is_mailed(state) {
        return Vec::new();
    }
    let mut seen = BTreeSet::new();
    let author = mr.author.email.iter();
    let committer = commits
        .first()
        .filter(|_| state != BuildState::Errored)
        .map(|commit| &commit.committer_email);
    author
        .chain(committer)
        .chain(more)
        .map(|address| address.trim())
        .filter(|address| is_person(address) && seen.insert(address.to_lowercase()))
        .map(str::to_owned)
        .collect()
}

fn is_mailed(state: BuildState) -> bool {
    matches!(state, BuildState::Passed | BuildState::Failed | BuildState::Errored)
}

/// GitLab hides addresses as `[REDACTED]` or behind its own noreply ones, and commits by machines have none.
fn is_person(address: &str) -> bool {
    let Some((user, host)) = split_address(&address.to_lowercase()) else {
        return false;
    };
    let mut labels = host.split('.');
    let machine = matches!(user.as_str(), "noreply" | "no-reply" | "donotreply" | "do-not-reply");
    !machine && labels.all(|label| label != "noreply" && label != "localhost" && label != "localdomain")
}

async fn add_mail(
    db: &mut PgConnection,
    links: &Links,
    build: BuildId,
    mr: &MergeRequest,
    recipient: &str,
) -> Result<()> {
    let message_id = links.message_id(build, recipient);
    if let Some(mail) = notices::add_mail(&mut *db, build, recipient, &message_id).await? {
        enqueue(db, Subject::Mail(mail), mr).await?;
    }
    Ok(())
}

async fn enqueue(db: &mut PgConnection, subject: Subject, mr: &MergeRequest) -> Result<()> {
    let fair = mr.project.as_str();
    jobs::enqueue(db, Lane::Notify, &subject.to_string(), fair, Duration::ZERO).await
}

impl Notifier {
    /// Asks GitLab for the author's address and writes the mail that could not be written with the result.
    pub(super) async fn find_author(
        &self,
        mut tx: PgTransaction<'_>,
        id: BuildId,
    ) -> std::result::Result<(), NotifyError> {
        let Some(record) = builds::get(&mut *tx, id).await? else {
            return Ok(());
        };
        let mr = &record.build.merge_request;
        let address = match self.gitlab.user_email(&mr.author.username).await {
            Ok(address) => address.filter(|address| is_person(address)),
            Err(error) if !super::is_final(&error) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(build = %id, %error, "the author gets no mail: GitLab does not tell the address");
                None
            }
        };
        let Some(address) = address else { return Ok(()) };
        let mails = notices::mails_of_build(&mut *tx, id).await?;
        if mails.iter().all(|(to, ..)| to.to_lowercase() != address.to_lowercase()) {
            add_mail(&mut tx, &self.links, id, mr, &address).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Addresses of pages, and the names of mails made from them.
#[derive(Debug, Clone)]
pub(super) struct Links {
    public_url: String,
    /// What stands behind the `@` of a Message-ID.
    pub(super) host: String,
}

impl Links {
    pub(super) fn new(public_url: &str) -> Self {
        let url = reqwest::Url::parse(public_url).ok();
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            // The configuration was checked: an address without a host does not come here.
            host: url
                .and_then(|url| url.host_str().map(str::to_owned))
                .unwrap_or_else(|| "seaworthy.invalid".to_owned()),
        }
    }

    /// Page of a build.
    pub(super) fn build(&self, id: BuildId) -> String {
        format!("{}/builds/{id}", self.public_url)
    }

    /// `Message-ID`: the same at each try, another one for each recipient.
    fn message_id(&self, build: BuildId, recipient: &str) -> String {
        let short = short_hash(&recipient.to_lowercase());
        format!("<build.{build}.{short}@{}>", self.host)
    }

    /// The root that all mails of a merge request, or of a trunk, refer to. No mail has this id itself.
    pub(super) fn thread(&self, mr: &MergeRequest) -> String {
        match mr.iid {
            Some(iid) => format!("<mr.{}.{iid}@{}>", mr.project_id, self.host),
            None => format!(
                "<trunk.{}.{}@{}>",
                mr.project_id,
                short_hash(&mr.target_branch),
                self.host
            ),
        }
    }

    /// `List-Id` (RFC 2919) of a project: mail programs sort by it. Only letters, digits, `-` and `.` in it.
    pub(super) fn list(&self, mr: &MergeRequest) -> String {
        let labels: Vec<String> = mr
            .project
            .as_str()
            .rsplit('/')
            .map(|part| {
                let label: String = part
                    .chars()
                    .map(|c| {
                        if c.is_ascii_alphanumeric() {
                            c.to_ascii_lowercase()
                        } else {
                            '-'
                        }
                    })
                    .collect();
                label.trim_matches('-').to_owned()
            })
            .filter(|label| !label.is_empty())
            .collect();
        format!(
            "<{}.seaworthy.{}>",
            labels.join("."),
            self.host.trim_matches(['[', ']']).replace(':', "-")
        )
    }
}

/// What stands in a Message-ID for a text that may hold anything.
fn short_hash(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::sample::{commit, merge_request};

    fn with_author(email: Option<&str>) -> MergeRequest {
        let mut mr = merge_request();
        mr.author.email = email.map(str::to_owned);
        mr
    }

    #[test]
    fn each_person_gets_one_mail_and_machines_none() {
        let mr = with_author(Some("Ada@example.com"));
        let more = ["qa@example.com", "ada@EXAMPLE.com", "a b", ""].map(str::to_owned);
        let all = ["Ada@example.com", "bob@example.com", "qa@example.com"];
        assert_eq!(
            recipients(BuildState::Passed, &mr, &[commit("bob@example.com")], &more),
            all
        );
        assert_eq!(
            recipients(BuildState::Failed, &mr, &[commit("bob@example.com")], &more),
            all
        );
        for hidden in [
            "[REDACTED]",
            "1-ada@users.noreply.gitlab.example.com",
            "noreply@example.com",
            "root@localhost",
            "x\r\nBcc: y@example.com",
        ] {
            let mr = with_author(Some(hidden));
            let found = recipients(BuildState::Passed, &mr, &[commit(hidden)], &[hidden.to_owned()]);
            assert!(found.is_empty(), "{hidden:?}: {found:?}");
        }
    }

    #[test]
    fn who_stopped_a_build_knows_it_and_a_broken_world_is_no_business_of_the_committer() {
        let mr = with_author(Some("ada@example.com"));
        let commits = [commit("bob@example.com")];
        let more = ["qa@example.com".to_owned()];
        assert_eq!(
            recipients(BuildState::Errored, &mr, &commits, &more),
            ["ada@example.com", "qa@example.com"]
        );
        for state in [BuildState::Cancelled, BuildState::Superseded, BuildState::Running] {
            assert!(recipients(state, &mr, &commits, &more).is_empty());
        }
    }

    #[test]
    fn names_of_mails_are_stable_and_well_formed() {
        let links = Links::new("https://ci.example.com:8443/seaworthy/");
        assert_eq!(
            links.build(BuildId(7)),
            "https://ci.example.com:8443/seaworthy/builds/7"
        );
        let id = links.message_id(BuildId(7), "Ada@example.com");
        assert_eq!(id, links.message_id(BuildId(7), "ada@example.com"));
        assert_ne!(id, links.message_id(BuildId(8), "ada@example.com"));
        assert!(id.starts_with("<build.7.") && id.ends_with("@ci.example.com>"), "{id}");
        let mut mr = merge_request();
        mr.project = "Web Shop/_cart".parse().unwrap_or(mr.project);
        mr.project_id = crate::model::ProjectId(3);
        assert_eq!(links.thread(&mr), "<mr.3.7@ci.example.com>");
        mr.iid = None;
        let trunk = links.thread(&mr);
        assert!(
            trunk.starts_with("<trunk.3.") && trunk.ends_with("@ci.example.com>"),
            "{trunk}"
        );
        assert!(
            links.list(&mr).ends_with(".seaworthy.ci.example.com>"),
            "{}",
            links.list(&mr)
        );
    }
}
