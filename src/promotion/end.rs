//! What came of it, in one transaction with the end of the job.

use std::time::Duration;

use serde_json::json;
use sqlx::PgConnection;

use super::begin::Order;
use super::{Outcome, Promoter, Run, SERVICE};
use crate::clients::registry::{Arrival, RegistryErrorKind};
use crate::model::audit::Decision;
use crate::model::{PromotionId, PromotionState};
use crate::store::jobs::{self, Lane};
use crate::store::notices::Subject;
use crate::store::placements::{self, Arrived};
use crate::store::{StoreError, audit, promotions};

impl Promoter {
    pub(super) async fn end(
        &self,
        run: &Run<'_>,
        order: &Order,
        arrivals: &[Arrival],
        source: Option<&str>,
    ) -> Result<Outcome, StoreError> {
        let promotion = &order.promotion;
        let mut tx = self.pool.begin().await?;
        promotions::locked(&mut tx, promotion.id).await?;
        let asked = jobs::asked(&mut *tx, run.claim).await?;
        let (there, missing): (Vec<&Arrival>, Vec<&Arrival>) =
            arrivals.iter().partition(|arrival| arrival.result.is_ok());
        if asked.is_none() && run.cancel.is_cancelled() && !missing.is_empty() {
            return Ok(Outcome::HandBack);
        }
        for arrival in &there {
            let destination = &arrival.destination;
            let arrived = Arrived {
                environment: &promotion.environment,
                data_centre: &destination.name,
                application: &promotion.application,
                digest: &promotion.digest,
                build: promotion.build,
                reference: &format!("{}:{}", destination.repository, destination.tag),
                promotion: promotion.id,
            };
            placements::place(&mut tx, &arrived).await?;
        }
        let (state, why) = match asked {
            // Too late: it is there.
            _ if missing.is_empty() => (PromotionState::Done, None),
            Some((state, by)) => {
                let state = state.parse().unwrap_or(PromotionState::Cancelled);
                (state, Some(format!("{by} stopped it; {}", there_words(&there))))
            }
            None => (judge(&there, &missing), Some(reasons(&missing))),
        };
        promotions::set_state(&mut *tx, promotion.id, state, why.as_deref()).await?;
        if let Some(source) = source {
            promotions::set_source(&mut *tx, promotion.id, source).await?;
        }
        tell(&mut tx, promotion.id).await?;
        let outcome: Vec<_> = arrivals
            .iter()
            .map(|arrival| {
                json!({
                    "data_centre": arrival.destination.name,
                    "reference": format!("{}:{}", arrival.destination.repository, arrival.destination.tag),
                    "error": arrival.result.as_ref().err().map(ToString::to_string),
                })
            })
            .collect();
        let decision = Decision {
            actor: SERVICE,
            address: None,
            action: &format!("promotion.{state}"),
            subject: &format!("promotion {}", promotion.id),
            grounds: json!({
                "digest": promotion.digest, "environment": promotion.environment, "source": source, "data_centres": outcome,
                "why": why,
            }),
        };
        audit::append(&mut tx, &decision).await?;
        if !jobs::finish(&mut *tx, run.claim).await? {
            tx.rollback().await?;
            return Ok(Outcome::Lost);
        }
        tx.commit().await?;
        tracing::info!(promotion = %promotion.id, %state, ?why, "ended");
        Ok(Outcome::Ended)
    }
}

/// Asks for everybody to be told.
pub(super) async fn tell(db: &mut PgConnection, id: PromotionId) -> Result<(), StoreError> {
    jobs::enqueue(
        db,
        Lane::Notify,
        &Subject::Promotion(id).to_string(),
        "",
        Duration::ZERO,
    )
    .await
}

/// A registry that has another image than the one that was sent to it fails the whole promotion: nobody shall take it for a
/// matter of patience.
fn judge(there: &[&Arrival], missing: &[&Arrival]) -> PromotionState {
    let broken =
        |arrival: &&Arrival| matches!(&arrival.result, Err(error) if error.kind() == RegistryErrorKind::Mismatch);
    if there.is_empty() || missing.iter().any(broken) {
        PromotionState::Failed
    } else {
        PromotionState::Partial
    }
}

fn reasons(missing: &[&Arrival]) -> String {
    let reasons: Vec<String> = missing
        .iter()
        .filter_map(|arrival| {
            let error = arrival.result.as_ref().err()?;
            Some(format!("{}: {error}", arrival.destination.name))
        })
        .collect();
    reasons.join("; ")
}

fn there_words(there: &[&Arrival]) -> String {
    let names: Vec<&str> = there.iter().map(|arrival| arrival.destination.name.as_str()).collect();
    match names.is_empty() {
        true => "nothing had arrived".to_owned(),
        false => format!("it had arrived in {}", names.join(", ")),
    }
}
