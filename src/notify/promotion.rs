//! What came of a promotion.

use std::time::Duration;

use sqlx::PgTransaction;

use super::{Notifier, NotifyError};
use crate::model::PromotionId;
use crate::store::jobs::{self, Lane};
use crate::store::notices::Subject;
use crate::store::{builds, promotions};

impl Notifier {
    /// Has the note of the merge request looked over, which says where its image is.
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
        Ok(tx.commit().await?)
    }
}
