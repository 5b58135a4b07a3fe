//! What came of a promotion: mails to who approves, who asked and who wrote it, and the note of the merge request.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::PgTransaction;

use super::outbox::is_person;
use super::{Notifier, NotifyError};
use crate::model::{BuildState, PromotionId, PromotionState};
use crate::store::jobs::{self, Lane};
use crate::store::notices::{self, Subject};
use crate::store::promotions::Promotion;
use crate::store::{builds, persons, promotions};

impl Notifier {
    /// Writes the mails for the state that a promotion is in, each once, and has the note looked over.
    pub(super) async fn tell_promotion(&self, mut tx: PgTransaction<'_>, id: PromotionId) -> Result<(), NotifyError> {
        let Some(promotion) = promotions::get(&mut *tx, id).await? else {
            return Ok(());
        };
        let Some(record) = builds::get(&mut *tx, promotion.build).await? else {
            return Ok(());
        };
        let mr = &record.build.merge_request;
        if let Some(note) = Subject::note(mr) {
            let note = note.to_string();
            jobs::enqueue(&mut *tx, Lane::Notify, &note, mr.project.as_str(), Duration::ZERO).await?;
        }
        let environment = self.environments.get(&promotion.environment);
        let wanted = environment.map_or(0, |environment| environment.approvals_for(promotion.kind));
        let approvals = promotions::approvals(&mut *tx, id).await?;
        if let Some(occasion) = occasion(&promotion, approvals.len() < usize::from(wanted)) {
            let mut recipients: BTreeSet<String> = environment
                .map(|environment| environment.recipients.iter().cloned().collect())
                .unwrap_or_default();
            if promotion.state.is_final() {
                let commits = builds::commits(&mut *tx, promotion.build).await?;
                recipients.extend(super::outbox::recipients(BuildState::Passed, mr, &commits, &[]));
                recipients.extend(persons::address(&mut *tx, &promotion.requested_by).await?);
            }
            for recipient in recipients.iter().filter(|recipient| is_person(recipient)) {
                let message_id = self.links.promotion_message_id(id, &occasion, recipient);
                let mail = notices::add_promotion_mail(&mut *tx, id, &occasion, recipient, &message_id).await?;
                if let Some(mail) = mail {
                    let subject = Subject::Mail(mail).to_string();
                    jobs::enqueue(&mut *tx, Lane::Notify, &subject, mr.project.as_str(), Duration::ZERO).await?;
                }
            }
        }
        Ok(tx.commit().await?)
    }
}

/// What people are mailed about: that it waits for approvals, once the gates were looked at, and each of its ends. What waits
/// for a time alone goes on by itself.
fn occasion(promotion: &Promotion, unapproved: bool) -> Option<String> {
    match (promotion.state, &promotion.why, promotion.finished_at) {
        (PromotionState::Waiting, Some(_), _) if unapproved => Some("waiting".to_owned()),
        (PromotionState::Waiting | PromotionState::Copying, ..) => None,
        (state, _, Some(at)) => Some(format!("{state} {}", at.timestamp_micros())),
        (state, _, None) => Some(state.to_string()),
    }
}
