//! All gates once more, in the moment in which the copy begins.

use serde_json::json;
use sqlx::PgConnection;

use super::{Outcome, Promoter, Run, SERVICE};
use crate::clients::registry::Destination;
use crate::definition::{Environment, FIRST};
use crate::gates::{Candidate, candidate, gather, judge};
use crate::model::audit::Decision;
use crate::model::promotion::{Verdict, verdict};
use crate::model::{Gate, GateKind, PromotionState};
use crate::store::promotions::{self, Promotion};
use crate::store::{StoreError, audit, jobs, placements};

/// What is to be copied where.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// The promotion, as it was when it began.
    pub promotion: Promotion,
    /// Names that the digest can be read under, the best first.
    pub sources: Vec<String>,
    /// Where it goes, one for each data centre.
    pub destinations: Vec<Destination>,
}

impl Promoter {
    /// Judges, and lets the copy begin or says what becomes of the job. What has begun already goes on: a copy that was
    /// begun rightly and then interrupted is finished, unless the image was rejected.
    pub(super) async fn begin(&self, run: &Run<'_>) -> Result<Result<Order, Outcome>, StoreError> {
        let mut tx = self.pool.begin().await?;
        let Some(promotion) = promotions::locked(&mut tx, run.id).await? else {
            return Ok(Err(Outcome::Asleep));
        };
        if promotion.state.is_final() {
            return Ok(Err(Outcome::Asleep));
        }
        // Asked while the worker before us was dying.
        if let Some((state, by)) = jobs::asked(&mut *tx, run.claim).await? {
            let state = state.parse().unwrap_or(PromotionState::Cancelled);
            close(&mut tx, &promotion, state, &format!("{by} stopped it")).await?;
            tx.commit().await?;
            return Ok(Err(Outcome::Asleep));
        }
        let environments = self.definitions.environments();
        let found = candidate(&mut tx, promotion.build).await?;
        let (Some(environment), Some(candidate)) = (environments.get(&promotion.environment), found) else {
            let why = format!(
                "there is no environment {} any more, or no image of build {}: the definitions have changed since it was asked \
                 for",
                promotion.environment, promotion.build
            );
            close(&mut tx, &promotion, PromotionState::Cancelled, &why).await?;
            tx.commit().await?;
            return Ok(Err(Outcome::Asleep));
        };
        let facts = gather(&mut tx, &self.definitions, environment, &candidate, Some(promotion.id)).await?;
        let gates = judge(promotion.kind, environments, environment, &facts);
        if let Some(rejected) = gates.iter().find(|gate| gate.gate == GateKind::Rejection && !gate.open) {
            close(&mut tx, &promotion, PromotionState::Rejected, &rejected.why).await?;
            tx.commit().await?;
            return Ok(Err(Outcome::Asleep));
        }
        if promotion.state == PromotionState::Waiting {
            let waits = match verdict(&gates) {
                Verdict::Open => None,
                Verdict::NeedsApproval => Some(Outcome::Asleep),
                Verdict::Until(at) => Some(Outcome::Until(at)),
                Verdict::Closed => Some(Outcome::Later),
            };
            if let Some(waits) = waits {
                promotions::set_state(&mut *tx, promotion.id, PromotionState::Waiting, Some(&missing(&gates))).await?;
                // What it waits for is known only now: whoever approves hears of it.
                super::end::tell(&mut tx, promotion.id).await?;
                tx.commit().await?;
                return Ok(Err(waits));
            }
            let because = format!("promotion {} took its place", promotion.id);
            promotions::give_up_unfinished(&mut *tx, &promotion.application, &environment.name, &because).await?;
            promotions::set_state(&mut *tx, promotion.id, PromotionState::Copying, None).await?;
            let decision = Decision {
                actor: SERVICE,
                address: None,
                action: "promotion.begin",
                subject: &format!("promotion {}", promotion.id),
                grounds: json!({"digest": promotion.digest, "environment": environment.name, "gates": gates}),
            };
            audit::append(&mut tx, &decision).await?;
        }
        let sources = self.sources(&mut tx, environment, &candidate).await?;
        tx.commit().await?;
        let destinations = candidate
            .targets(environment)
            .into_iter()
            .map(|target| Destination {
                name: target.data_centre,
                repository: target.repository,
                tag: target.tag,
            })
            .collect();
        Ok(Ok(Order {
            promotion,
            sources,
            destinations,
        }))
    }

    /// The digest in the data centres of the environment before, then in the QA registry.
    async fn sources(
        &self,
        db: &mut PgConnection,
        environment: &Environment,
        candidate: &Candidate,
    ) -> Result<Vec<String>, StoreError> {
        let mut sources = Vec::new();
        let before = self.definitions.environments().before(&environment.name);
        if let Some(before) = before.filter(|before| before.name != FIRST) {
            let there = placements::times(&mut *db, &candidate.image.digest, &before.name).await?;
            let centres = before
                .data_centres
                .iter()
                .filter(|centre| there.iter().any(|(name, ..)| *name == centre.name));
            sources.extend(centres.map(|centre| {
                let repository = centre.repository_of(&candidate.application);
                format!("{repository}@{}", candidate.image.digest)
            }));
        }
        sources.push(candidate.image.pinned());
        Ok(sources)
    }
}

/// What stands in the way, in one line.
fn missing(gates: &[Gate]) -> String {
    let closed: Vec<&str> = gates
        .iter()
        .filter(|gate| !gate.open)
        .map(|gate| gate.why.as_str())
        .collect();
    closed.join("; ")
}

async fn close(
    db: &mut PgConnection,
    promotion: &Promotion,
    state: PromotionState,
    why: &str,
) -> Result<(), StoreError> {
    promotions::set_state(&mut *db, promotion.id, state, Some(why)).await?;
    super::end::tell(&mut *db, promotion.id).await?;
    let decision = Decision {
        actor: SERVICE,
        address: None,
        action: &format!("promotion.{state}"),
        subject: &format!("promotion {}", promotion.id),
        grounds: json!({"digest": promotion.digest, "environment": promotion.environment, "why": why}),
    };
    audit::append(db, &decision).await?;
    Ok(())
}
