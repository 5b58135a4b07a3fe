//! Telling people and GitLab what came of a build.
//!
//! A mail is a row that is written together with the result ([`outbox`]). Commit status and note are kept by level: a
//! job says "look again", and whoever does the job compares what is with what was told last. Nothing here changes a
//! build's colour; what cannot be told now is told later, what is refused for good is written down.

mod mail;
mod note;
pub mod outbox;
mod status;
mod words;

use sqlx::PgPool;

pub use mail::MailTemplates;

use crate::clients::gitlab::{GitLab, GitLabError};
use crate::clients::mailer::{MailError, Mailer};
use crate::store::StoreError;
use crate::store::notices::Subject;

/// Whoever tells.
pub struct Notifier {
    pool: PgPool,
    gitlab: GitLab,
    mailer: Mailer,
    templates: MailTemplates,
    public_url: String,
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
    /// A template of the house that does not work with what is to be told.
    #[error("mail template: {0}")]
    Template(String),
}

impl NotifyError {
    /// Is it worth trying again later?
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Mail(error) => error.is_transient(),
            Self::GitLab(error) => error.is_transient(),
            Self::Store(_) => true,
            Self::Template(_) => false,
        }
    }
}

impl Notifier {
    /// Tells by these.
    pub fn new(pool: PgPool, gitlab: GitLab, mailer: Mailer, templates: MailTemplates, public_url: String) -> Self {
        Self {
            pool,
            gitlab,
            mailer,
            templates,
            public_url,
        }
    }

    /// Does one job of the lane `notify`. What is refused for good is written down and no error.
    ///
    /// # Errors
    /// What may work later, and the database.
    pub async fn tell(&self, subject: Subject) -> Result<(), NotifyError> {
        match subject {
            Subject::Mail(id) => self.send_mail(id).await,
            Subject::Status(build) => self.set_status(build).await,
            Subject::Note(project, iid) => self.write_note(project, iid).await,
        }
    }
}
