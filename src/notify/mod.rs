//! Telling people and GitLab what came of a build.
//!
//! A mail is a row that is written together with the result ([`outbox`]). Commit status and note are kept by level: a
//! job says "look again", and whoever does the job compares what is with what was told last. Nothing here changes a
//! build's colour; what cannot be told now is told later, what is refused for good is written down.
//!
//! Each thing is told under a lock of its own in the database, held while the other side is spoken to: two workers that
//! have the same job (a lease ran out) tell it one after the other, and the second finds that it is told.

mod check_view;
mod mail;
mod markdown;
mod note;
pub mod outbox;
mod promotion;
mod promotion_mail;
mod sample;
mod status;
mod templates;
mod view;
mod words;

use std::time::Duration;

use sqlx::PgPool;

pub use templates::MailTemplates;

use crate::clients::gitlab::{GitLab, GitLabError, GitLabErrorKind};
use crate::clients::mailer::{MailError, Mailer};
use crate::definition::Environments;
use crate::store::StoreError;
use crate::store::notices::{self, Subject};

/// Whoever tells.
pub struct Notifier {
    pool: PgPool,
    gitlab: GitLab,
    mailer: Mailer,
    templates: MailTemplates,
    links: outbox::Links,
    environments: Environments,
}

/// Why something was not told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The mail server.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// GitLab.
    #[error(transparent)]
    GitLab(#[from] GitLabError),
    /// The database.
    #[error("Postgres: {0}")]
    Store(#[from] StoreError),
    /// A template that cannot be used; found when they are loaded.
    #[error("mail template {0}")]
    Template(String),
}

impl NotifyError {
    /// Is it worth trying again later?
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Mail(error) => error.is_transient(),
            Self::GitLab(error) => !is_final(error),
            Self::Store(_) => true,
            Self::Template(_) => false,
        }
    }

    /// How long the other side wants to be left alone, if it says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::GitLab(error) => error.retry_after,
            Self::Mail(_) | Self::Store(_) | Self::Template(_) => None,
        }
    }
}

/// Does GitLab refuse this one thing for good? A token that has run out (401) or a proxy in the way says nothing about
/// the thing: when somebody has mended it, the merge request must not go on waiting for its status.
fn is_final(error: &GitLabError) -> bool {
    match error.kind {
        GitLabErrorKind::NotThere | GitLabErrorKind::Invalid => true,
        GitLabErrorKind::Refused => error.status == Some(403),
        GitLabErrorKind::Unreachable | GitLabErrorKind::Busy | GitLabErrorKind::NotGitLab => false,
    }
}

impl Notifier {
    /// Tells by these; links begin with `public_url`.
    pub fn new(pool: PgPool, gitlab: GitLab, mailer: Mailer, templates: MailTemplates, public_url: String) -> Self {
        Self {
            pool,
            gitlab,
            mailer,
            templates,
            links: outbox::Links::new(&public_url),
            environments: Environments::default(),
        }
    }

    /// The same with these environments; without, nobody is mailed about promotions but who is known by name.
    #[must_use]
    pub fn with_environments(mut self, environments: Environments) -> Self {
        self.environments = environments;
        self
    }

    /// Does one job of the lane `notify`, however often it is asked to. What is refused for good is written down and no
    /// error.
    ///
    /// # Errors
    /// What may work later, and the database.
    pub async fn tell(&self, subject: Subject) -> Result<(), NotifyError> {
        let mut tx = self.pool.begin().await?;
        notices::lock(&mut *tx, subject).await?;
        match subject {
            Subject::Mail(id) => self.send_mail(tx, id).await,
            Subject::Author(build) => self.find_author(tx, build).await,
            Subject::Status(build) => self.set_status(tx, build).await,
            Subject::Tip(id) => self.set_tip_status(tx, id).await,
            Subject::Note(project, iid) => self.write_note(tx, project, iid).await,
            Subject::Promotion(id) => self.tell_promotion(tx, id).await,
        }
    }
}
