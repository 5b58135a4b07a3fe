//! The mail about a promotion: rendered from the record when it is sent.

use serde::Serialize;
use sqlx::PgConnection;

use super::words::{clean, one_line};
use super::{Notifier, NotifyError};
use crate::clients::mailer::Mail;
use crate::model::{PromotionId, PromotionState};
use crate::store::builds;
use crate::store::notices::MailRow;
use crate::store::promotions::{self, CopyRow, Promotion};

/// A promotion as it stands in a mail. The names are the interface to templates that a house writes itself.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PromotionView {
    /// `waiting`, `done`, `partial`, `failed`, `rejected` or `cancelled`.
    pub(super) state: &'static str,
    /// The same in capitals; `APPROVE` for one that waits.
    pub(super) shout: String,
    /// `promotion` or `rollback`.
    pub(super) kind: &'static str,
    pub(super) number: i64,
    pub(super) application: String,
    pub(super) environment: String,
    pub(super) project: String,
    pub(super) digest: String,
    /// The digest that was there when it was asked for.
    pub(super) replaces: Option<String>,
    pub(super) requested_by: String,
    pub(super) reason: String,
    /// What it waits for, or what went wrong.
    pub(super) why: Option<String>,
    pub(super) approved_by: Vec<String>,
    /// A line for each data centre.
    pub(super) copies: Vec<String>,
    /// The page of the promotion.
    pub(super) url: String,
    /// What changes against what is there now.
    pub(super) diff_url: Option<String>,
    pub(super) host: String,
}

impl PromotionView {
    pub(super) fn new(
        promotion: &Promotion,
        approved_by: Vec<String>,
        copies: &[CopyRow],
        links: &super::outbox::Links,
    ) -> Self {
        Self {
            state: promotion.state.as_str(),
            shout: match promotion.state {
                PromotionState::Waiting => "APPROVE".to_owned(),
                state => state.as_str().to_uppercase(),
            },
            kind: promotion.kind.as_str(),
            number: promotion.id.0,
            application: promotion.application.clone(),
            environment: promotion.environment.clone(),
            project: promotion.project.to_string(),
            digest: promotion.digest.to_string(),
            replaces: promotion.replaces.as_ref().map(ToString::to_string),
            requested_by: one_line(&promotion.requested_by, 200),
            reason: clean(&promotion.reason),
            why: promotion.why.as_deref().map(clean),
            approved_by,
            copies: copies
                .iter()
                .map(|copy| {
                    let error = copy.error.as_deref().map(|error| format!(": {}", clean(error)));
                    format!(
                        "{} {} {}{}",
                        copy.data_centre,
                        copy.reference,
                        copy.state,
                        error.unwrap_or_default()
                    )
                })
                .collect(),
            url: links.promotion(promotion.id),
            diff_url: promotion
                .replaces
                .as_ref()
                .map(|replaces| links.diff(replaces, &promotion.digest)),
            host: links.host.clone(),
        }
    }
}

impl Notifier {
    /// `None` if there is no such promotion any more.
    pub(super) async fn promotion_mail(
        &self,
        db: &mut PgConnection,
        row: &MailRow,
        id: PromotionId,
    ) -> Result<Option<Mail>, NotifyError> {
        let Some(promotion) = promotions::get(&mut *db, id).await? else {
            return Ok(None);
        };
        let Some(record) = builds::get(&mut *db, promotion.build).await? else {
            return Ok(None);
        };
        let approvals = promotions::approvals(&mut *db, id).await?;
        let approved_by = approvals.into_iter().map(|approval| approval.person).collect();
        let copies = promotions::copies(&mut *db, id).await?;
        let view = PromotionView::new(&promotion, approved_by, &copies, &self.links);
        let rendered = self.templates.render_promotion(&view)?;
        let mr = &record.build.merge_request;
        let mut headers = vec![
            ("List-Id", self.links.list(mr)),
            ("X-Auto-Response-Suppress", "All".to_owned()),
            ("X-Seaworthy-Promotion", id.to_string()),
            ("X-Seaworthy-Result", promotion.state.as_str().to_owned()),
        ];
        // A digest that changed on its way is no matter of patience.
        if promotion.state == PromotionState::Failed {
            headers.push(("Importance", "high".to_owned()));
        }
        Ok(Some(Mail {
            to: row.recipient.clone(),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            message_id: row.message_id.clone(),
            thread: Some(self.links.promotion_thread(id)),
            headers,
        }))
    }
}
