//! Lane `promote`: one claim is one look at one promotion: its gates, and if they are open, the copy.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Workers;
use super::lease::{Holding, hold};
use crate::model::PromotionId;
use crate::promotion::{Outcome, Run};
use crate::store::jobs::{self, Claim, Lane};
use crate::store::{self};
use crate::wake::Event;

/// How often gates are looked at that open by what somebody does elsewhere.
const LATER: Duration = Duration::from_secs(300);
/// Nobody looks longer ahead: definitions change.
const LONGEST: Duration = Duration::from_secs(3600);

impl Workers {
    pub(super) async fn promote(&self, claim: Claim) {
        let pool = &self.parts.pool;
        let Ok(id) = claim.subject.parse().map(PromotionId) else {
            tracing::error!(
                subject = claim.subject,
                "a job of the lane promote without a number is dropped"
            );
            let _ = jobs::finish(pool, &claim).await;
            return;
        };
        let cancel = CancellationToken::new();
        let run = Run {
            id,
            claim: &claim,
            cancel: &cancel,
        };
        let holding = Holding {
            pool,
            hub: &self.parts.hub,
            claim: &claim,
            lease: self.parts.config.worker.lease,
            stop: &self.stop,
            cancel: &cancel,
            listen: Some(Event::CancelPromotion(id)),
        };
        let (outcome, why) = hold(holding, self.promoter.run(&run)).await;
        tracing::info!(promotion = %id, ?outcome, ?why, "looked at");
        let settled = match outcome {
            Ok(Outcome::Ended | Outcome::Lost) => Ok(true),
            Ok(Outcome::Asleep) => jobs::finish(pool, &claim).await,
            Ok(Outcome::HandBack) => jobs::hand_back(pool, &claim, Duration::ZERO).await,
            Ok(Outcome::Later) => jobs::hand_back(pool, &claim, LATER).await,
            Ok(Outcome::Until(at)) => self.wait_until(&claim, at).await,
            Err(error) => {
                self.retry(&claim, &format!("Postgres: {error}"), Duration::ZERO).await;
                Ok(true)
            }
        };
        if let Err(error) = settled {
            tracing::warn!(promotion = %id, %error, "not noted; it is looked at again when the lease has run out");
        }
        self.parts.hub.tell(Event::Promotion(id));
        self.parts.hub.tell(Event::Job(Lane::Notify));
    }

    async fn wait_until(&self, claim: &Claim, at: chrono::DateTime<chrono::Utc>) -> store::Result<bool> {
        let now = store::now(&self.parts.pool).await?;
        let wait = (at - now).to_std().unwrap_or_default().min(LONGEST);
        jobs::hand_back(&self.parts.pool, claim, wait).await
    }
}
