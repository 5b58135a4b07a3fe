//! The mail about a build: rendered from the record when it is sent, sent once.
//!
//! The row is marked in the transaction that holds its lock. Where the database goes away between the mail server's
//! "250" and the mark, the mark is tried again for a while: it is the only thing that keeps the mail from going twice.

use std::time::Duration;

use sqlx::{PgConnection, PgTransaction};

use super::view::{Known, View, log_lines};
use super::{Notifier, NotifyError};
use crate::build_log::{self, Entry};
use crate::clients::mailer::Mail;
use crate::model::{BuildId, BuildState};
use crate::store::builds::{self, BuildRecord};
use crate::store::notices::{About, MailRow};
use crate::store::{StoreError, images, logs, notices, stages};

/// Lines of the log that a mail about a red build ends with.
const LOG_LINES: usize = 50;
/// How long a sent mail is tried to be marked as sent.
const PATIENCE: Duration = Duration::from_secs(120);
const AGAIN: Duration = Duration::from_millis(500);

impl Notifier {
    pub(super) async fn send_mail(&self, mut tx: PgTransaction<'_>, id: i64) -> Result<(), NotifyError> {
        let Some(row) = notices::unsent_mail(&mut *tx, id).await? else {
            return Ok(());
        };
        let written = match row.about {
            About::Build(build) => self.build_mail(&mut tx, &row, build).await?,
            About::Promotion(promotion) => self.promotion_mail(&mut tx, &row, promotion).await?,
        };
        let Some(mail) = written else { return Ok(()) };
        let refused = match self.mailer.send(&mail).await {
            Ok(()) => None,
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(error) => {
                tracing::warn!(mail = id, to = mail.to, %error, "the mail is refused for good");
                Some(error.to_string())
            }
        };
        let marked = async {
            notices::mail_done(&mut *tx, id, refused.as_deref()).await?;
            tx.commit().await
        };
        match marked.await {
            Ok(()) => Ok(()),
            Err(error) => self.mark_patiently(id, refused.as_deref(), error).await,
        }
    }

    /// The mail about the end of a build; `None` if there is no such build any more.
    async fn build_mail(
        &self,
        db: &mut PgConnection,
        row: &MailRow,
        build: BuildId,
    ) -> Result<Option<Mail>, NotifyError> {
        let Some(record) = builds::get(&mut *db, build).await? else {
            return Ok(None);
        };
        let view = self.view(&mut *db, &record).await?;
        let rendered = self.templates.render(&view)?;
        let mr = &record.build.merge_request;
        Ok(Some(Mail {
            to: row.recipient.clone(),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            message_id: row.message_id.clone(),
            thread: Some(self.links.thread(mr)),
            headers: vec![
                ("List-Id", self.links.list(mr)),
                // Exchange answers "out of office" to Auto-Submitted mails all the same, but not to these.
                ("X-Auto-Response-Suppress", "All".to_owned()),
                ("X-Seaworthy-Build", record.build.id.to_string()),
                ("X-Seaworthy-Result", record.build.state.as_str().to_owned()),
            ],
        }))
    }

    async fn mark_patiently(&self, id: i64, refused: Option<&str>, error: StoreError) -> Result<(), NotifyError> {
        tracing::warn!(mail = id, %error, "the mail is out, but the database does not know it yet");
        let begin = tokio::time::Instant::now();
        loop {
            match notices::mail_done(&self.pool, id, refused).await {
                Ok(()) => return Ok(()),
                Err(error) if begin.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn view(&self, db: &mut PgConnection, record: &BuildRecord) -> Result<View, NotifyError> {
        let id = record.build.id;
        let log = match record.build.state {
            BuildState::Passed => Vec::new(),
            _ => last_lines(&mut *db, id).await?,
        };
        let stages = stages::of_build(&mut *db, id).await?;
        let image = images::of_build(&mut *db, id).await?;
        let commits = builds::commits(&mut *db, id).await?;
        let known = Known {
            record,
            stages: &stages,
            image: image.as_ref(),
            commits: &commits,
            log,
        };
        Ok(View::new(known, &self.links))
    }
}

async fn last_lines(db: &mut PgConnection, id: BuildId) -> Result<Vec<String>, NotifyError> {
    let outline = logs::outline(&mut *db, id).await?;
    let wanted = LOG_LINES as i64;
    let after = outline.last().map_or(0, |chunk| chunk.last_seq - wanted);
    let mut lines = Vec::new();
    for chunk in logs::read(&mut *db, id, after, wanted).await? {
        match build_log::decode(&chunk) {
            Ok(entries) => lines.extend(entries.into_iter().map(|entry| match entry {
                Entry::Line(line) => line.text,
                Entry::Dropped {
                    first_seq, last_seq, ..
                } => format!("… lines {first_seq} to {last_seq} were dropped"),
            })),
            // The result is news all the same.
            Err(error) => lines.push(format!("… {error}")),
        }
    }
    let from = lines.len().saturating_sub(LOG_LINES);
    Ok(log_lines(lines[from..].iter().map(String::as_str)))
}
