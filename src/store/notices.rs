//! Tables `mail`, `told_status` and `told_note`: what people and GitLab were told.
//!
//! A mail is one row a recipient, written together with the result. Status and note are kept by level, not by edge:
//! the job says "look again", the worker compares what is with what was told last. However often a job is repeated,
//! nothing is told twice.

use std::fmt;
use std::str::FromStr;

use sqlx::PgExecutor;

use super::{Result, decode};
use crate::model::{BuildId, BuildState, Invalid, MergeRequest, ProjectId, PromotionId};

/// Subject of a job of the lane `notify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// One mail, by its row.
    Mail(i64),
    /// The mail to a merge request's author whose address only GitLab's API knows.
    Author(BuildId),
    /// The commit status of a build.
    Status(BuildId),
    /// The commit status of a tip whose image is a merge request's, by its row.
    Tip(i64),
    /// The note on a merge request.
    Note(ProjectId, i64),
    /// What came of a promotion, or that it waits for approval.
    Promotion(PromotionId),
}

impl Subject {
    /// The note on this merge request; a push to the trunk has none.
    pub fn note(mr: &MergeRequest) -> Option<Self> {
        mr.iid.map(|iid| Self::Note(mr.project_id, iid))
    }

    /// What GitLab shows of a build: its commit status, and the note on its merge request.
    pub fn at_gitlab(build: BuildId, mr: &MergeRequest) -> impl Iterator<Item = Self> {
        [Self::Status(build)].into_iter().chain(Self::note(mr))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(id) => write!(f, "mail:{id}"),
            Self::Author(build) => write!(f, "author:{build}"),
            Self::Status(build) => write!(f, "status:{build}"),
            Self::Tip(id) => write!(f, "tip:{id}"),
            Self::Note(project, iid) => write!(f, "note:{project}!{iid}"),
            Self::Promotion(id) => write!(f, "promotion:{id}"),
        }
    }
}

impl FromStr for Subject {
    type Err = Invalid;
    fn from_str(s: &str) -> std::result::Result<Self, Invalid> {
        let parsed = match s.split_once(':') {
            Some(("mail", id)) => id.parse().ok().map(Self::Mail),
            Some(("author", id)) => id.parse().ok().map(|id| Self::Author(BuildId(id))),
            Some(("status", id)) => id.parse().ok().map(|id| Self::Status(BuildId(id))),
            Some(("tip", id)) => id.parse().ok().map(Self::Tip),
            Some(("promotion", id)) => id.parse().ok().map(|id| Self::Promotion(PromotionId(id))),
            Some(("note", rest)) => rest
                .split_once('!')
                .and_then(|(project, iid)| Some(Self::Note(ProjectId(project.parse().ok()?), iid.parse().ok()?))),
            _ => None,
        };
        parsed.ok_or_else(|| Invalid {
            what: "notice",
            value: s.to_owned(),
            expected: "mail:<id>, author:<build>, status:<build>, tip:<id>, note:<project>!<iid> or promotion:<id>",
        })
    }
}

/// Makes everybody else who tells the same thing wait until the end of the transaction.
pub async fn lock(db: impl PgExecutor<'_>, subject: Subject) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('notice:' || $1::text, 0))",
        subject.to_string(),
    )
    .fetch_one(db)
    .await?;
    Ok(())
}

/// What a mail tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The end of a build.
    Build(BuildId),
    /// A promotion that waits for approval, or has ended.
    Promotion(PromotionId),
}

/// A mail of the outbox.
#[derive(Debug, Clone)]
pub struct MailRow {
    /// Its row.
    pub id: i64,
    /// What it tells of.
    pub about: About,
    /// To whom.
    pub recipient: String,
    /// `Message-ID`, the same at each try.
    pub message_id: String,
}

/// Writes a mail; `None`: this recipient already has one for this build.
pub async fn add_mail(
    db: impl PgExecutor<'_>,
    build: BuildId,
    recipient: &str,
    message_id: &str,
) -> Result<Option<i64>> {
    sqlx::query_scalar!(
        "insert into mail (build_id, recipient, message_id) values ($1, $2, $3)
         on conflict (build_id, recipient) do nothing returning id",
        build.0,
        recipient,
        message_id,
    )
    .fetch_optional(db)
    .await
}

/// Writes a mail about a promotion; `None`: this recipient already has one for this occasion.
pub async fn add_promotion_mail(
    db: impl PgExecutor<'_>,
    promotion: PromotionId,
    occasion: &str,
    recipient: &str,
    message_id: &str,
) -> Result<Option<i64>> {
    sqlx::query_scalar!(
        "insert into mail (promotion_id, occasion, recipient, message_id) values ($1, $2, $3, $4)
         on conflict (promotion_id, occasion, recipient) where promotion_id is not null do nothing returning id",
        promotion.0,
        occasion,
        recipient,
        message_id,
    )
    .fetch_optional(db)
    .await
}

/// A mail that is not yet sent.
pub async fn unsent_mail(db: impl PgExecutor<'_>, id: i64) -> Result<Option<MailRow>> {
    let row = sqlx::query!(
        "select id, build_id, promotion_id, recipient, message_id from mail
         where id = $1 and sent_at is null and refused is null",
        id,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.and_then(|row| {
        let build = row.build_id.map(|id| About::Build(BuildId(id)));
        let promotion = row.promotion_id.map(|id| About::Promotion(PromotionId(id)));
        Some(MailRow {
            id: row.id,
            about: build.or(promotion)?,
            recipient: row.recipient,
            message_id: row.message_id,
        })
    }))
}

/// The mail is sent, or refused for good.
pub async fn mail_done(db: impl PgExecutor<'_>, id: i64, refused: Option<&str>) -> Result<()> {
    sqlx::query!(
        "update mail set sent_at = case when $2::text is null then now() end, refused = $2 where id = $1",
        id,
        refused,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The mails of a build: recipient, whether it is sent, what refused it.
pub async fn mails_of_build(db: impl PgExecutor<'_>, build: BuildId) -> Result<Vec<(String, bool, Option<String>)>> {
    let rows = sqlx::query!(
        r#"select recipient, sent_at is not null as "sent!", refused from mail where build_id = $1 order by id"#,
        build.0,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.recipient, row.sent, row.refused))
        .collect())
}

/// The state that GitLab was told last of this build.
pub async fn told_status(db: impl PgExecutor<'_>, build: BuildId) -> Result<Option<BuildState>> {
    let state = sqlx::query_scalar!("select state from told_status where build_id = $1", build.0)
        .fetch_optional(db)
        .await?;
    state.map(|state| decode("told_status.state", &state)).transpose()
}

/// GitLab was told, or refused for good.
pub async fn set_told_status(
    db: impl PgExecutor<'_>,
    build: BuildId,
    state: BuildState,
    refused: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "insert into told_status (build_id, state, refused) values ($1, $2, $3)
         on conflict (build_id) do update set state = excluded.state, refused = excluded.refused, told_at = now()",
        build.0,
        state.as_str(),
        refused,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What of a build GitLab refused for good to take, and why.
pub async fn refused_of_build(db: impl PgExecutor<'_>, build: BuildId) -> Result<Vec<(&'static str, String)>> {
    let row = sqlx::query!(
        r#"select (select refused from told_status where build_id = b.id) as status,
                  (select refused from told_note n where n.project_id = b.project_id and n.iid = b.iid) as note
           from build b where b.id = $1"#,
        build.0,
    )
    .fetch_optional(db)
    .await?;
    let named = |what, why: Option<String>| why.map(|why| (what, why));
    Ok(row
        .into_iter()
        .flat_map(|row| [named("the commit status", row.status), named("the note", row.note)])
        .flatten()
        .collect())
}

/// The note of a merge request: its number at GitLab and the checksum of its text.
pub async fn told_note(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    iid: i64,
) -> Result<Option<(Option<i64>, Option<String>)>> {
    let row = sqlx::query!(
        "select note_id, body_sha256 from told_note where project_id = $1 and iid = $2",
        project.0,
        iid,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| (row.note_id, row.body_sha256)))
}

/// The note was written, or refused for good.
pub async fn set_told_note(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    iid: i64,
    note: Option<i64>,
    body_sha256: Option<&str>,
    refused: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "insert into told_note (project_id, iid, note_id, body_sha256, refused) values ($1, $2, $3, $4, $5)
         on conflict (project_id, iid) do update set note_id = coalesce(excluded.note_id, told_note.note_id),
             body_sha256 = excluded.body_sha256, refused = excluded.refused, told_at = now()",
        project.0,
        iid,
        note,
        body_sha256,
        refused,
    )
    .execute(db)
    .await?;
    Ok(())
}
