//! What is where, and what is on its way: read for the API and the pages.

use std::collections::BTreeMap;

use super::error::{Error, Result};
use super::people::{Caller, see};
use super::promoting::{self, no_promotion};
use super::state::AppState;
use crate::definition::FIRST;
use crate::gates::{candidate, gather, judge};
use crate::model::promotion::{Verdict, verdict};
use crate::model::{ProjectPath, PromotionId};
use crate::store::{placements, promotions, trunk};
use crate::wire;

/// Placements of a history.
const MOST: usize = 500;
/// What is there now.
const NOW: placements::Filter<'static> = placements::Filter {
    environment: None,
    application: None,
    digest: None,
    now: true,
};

/// Every application that was ever merged or promoted, and where it is.
pub(super) async fn board(state: &AppState, caller: &Caller) -> Result<wire::Board> {
    let now = crate::store::now(&state.pool).await?;
    let environments = state.definitions.environments();
    let mut rows: BTreeMap<(String, ProjectPath), Vec<wire::Placement>> = BTreeMap::new();
    for newest in trunk::newest(&state.pool).await? {
        if may_see(caller, &newest.project) {
            rows.entry((newest.application.clone(), newest.project.clone()))
                .or_default()
                .push(wire::Placement {
                    environment: FIRST.to_owned(),
                    data_centre: FIRST.to_owned(),
                    digest: newest.digest,
                    build: newest.build,
                    reference: newest.reference,
                    promotion: None,
                    by: newest.pushed_by,
                    since: newest.at,
                    until: None,
                });
        }
    }
    for placement in placements::list(&state.pool, NOW).await? {
        if may_see(caller, &placement.project) {
            rows.entry((placement.application.clone(), placement.project.clone()))
                .or_default()
                .push(show_placement(placement));
        }
    }
    Ok(wire::Board {
        environments: environments
            .iter()
            .map(|environment| {
                let frozen = environment.freezes.at(now);
                wire::Environment {
                    name: environment.name.clone(),
                    title: environment.title.clone(),
                    data_centres: environment
                        .data_centres
                        .iter()
                        .map(|centre| wire::DataCentre {
                            name: centre.name.clone(),
                            repository: centre.repository.clone(),
                        })
                        .collect(),
                    frozen_until: frozen.as_ref().map(|frozen| frozen.until),
                    frozen_because: frozen.map(|frozen| frozen.reason),
                }
            })
            .collect(),
        applications: rows
            .into_iter()
            .map(|((application, project), placements)| wire::ApplicationRow {
                application,
                project: Some(project),
                placements,
            })
            .collect(),
    })
}

/// Where an application is and was.
pub(super) async fn history(state: &AppState, caller: &Caller, application: &str) -> Result<wire::History> {
    let filter = placements::Filter {
        application: Some(application),
        ..Default::default()
    };
    let placements: Vec<wire::Placement> = placements::list(&state.pool, filter)
        .await?
        .into_iter()
        .rev()
        .filter(|placement| may_see(caller, &placement.project))
        .map(show_placement)
        .take(MOST)
        .collect();
    if placements.is_empty() {
        return Err(Error::NotFound(format!(
            "{application:?} was never promoted: `seaworthy builds list` shows what was built"
        )));
    }
    Ok(wire::History {
        application: application.to_owned(),
        placements,
    })
}

/// Promotions, newest first, and the number from which the next page goes on.
pub(super) async fn promotions(
    state: &AppState,
    caller: &Caller,
    filter: &promotions::Filter,
    limit: i64,
) -> Result<(Vec<wire::Promotion>, Option<PromotionId>)> {
    let found = promotions::list(&state.pool, filter, limit).await?;
    let full = i64::try_from(found.len()) == Ok(limit);
    let next = found.last().filter(|_| full).map(|last| last.id);
    let seen = found
        .into_iter()
        .filter(|promotion| may_see(caller, &promotion.project))
        .map(|promotion| show(state, promotion))
        .collect();
    Ok((seen, next))
}

/// One promotion with its gates as they stand.
pub(super) async fn promotion(state: &AppState, caller: &Caller, id: PromotionId) -> Result<wire::PromotionDetail> {
    let mut db = state.pool.acquire().await?;
    let promotion = promotions::get(&mut *db, id).await?.ok_or_else(|| no_promotion(id))?;
    see(caller, &promotion.project)?;
    let environments = state.definitions.environments();
    let mut gates = Vec::new();
    if !promotion.state.is_final()
        && let Some(environment) = environments.get(&promotion.environment)
        && let Some(candidate) = candidate(&mut db, promotion.build).await?
    {
        let facts = gather(&mut db, &state.definitions, environment, &candidate, Some(id)).await?;
        gates = judge(promotion.kind, environments, environment, &facts);
    }
    let approvals = promotions::approvals(&mut *db, id).await?;
    let copies = promotions::copies(&mut *db, id).await?;
    Ok(wire::PromotionDetail {
        promotion: show(state, promotion),
        gates,
        approvals: approvals
            .into_iter()
            .map(|approval| wire::Approval {
                person: approval.person,
                at: approval.at,
            })
            .collect(),
        copies: copies
            .into_iter()
            .map(|copy| wire::Copy {
                data_centre: copy.data_centre,
                reference: copy.reference,
                state: copy.state,
                total: copy.total,
                sent: copy.sent,
                skipped: copy.skipped,
                error: copy.error,
                at: copy.at,
            })
            .collect(),
    })
}

/// What a dry run answers.
pub(super) fn outlook(outlook: &promoting::Outlook) -> wire::Outlook {
    let candidate = &outlook.candidate;
    wire::Outlook {
        application: candidate.application.clone(),
        project: candidate.project.clone(),
        digest: candidate.image.digest.clone(),
        build: candidate.build,
        environment: outlook.environment.name.clone(),
        replaces: outlook.replaces.clone(),
        copies: candidate
            .targets(&outlook.environment)
            .into_iter()
            .map(|target| wire::Target {
                reference: format!("{}:{}", target.repository, target.tag),
                data_centre: target.data_centre,
            })
            .collect(),
        allowed: matches!(verdict(&outlook.gates), Verdict::Open | Verdict::NeedsApproval)
            && outlook.replaces.as_ref() != Some(&candidate.image.digest),
        gates: outlook.gates.clone(),
    }
}

fn may_see(caller: &Caller, project: &ProjectPath) -> bool {
    see(caller, project).is_ok()
}

fn show(state: &AppState, promotion: promotions::Promotion) -> wire::Promotion {
    wire::Promotion {
        url: state.address(&format!("/promotions/{}", promotion.id)),
        id: promotion.id,
        kind: promotion.kind,
        application: promotion.application,
        project: promotion.project,
        build: promotion.build,
        digest: promotion.digest,
        environment: promotion.environment,
        replaces: promotion.replaces,
        requested_by: promotion.requested_by,
        reason: promotion.reason,
        state: promotion.state,
        why: promotion.why,
        requested_at: promotion.requested_at,
        started_at: promotion.started_at,
        finished_at: promotion.finished_at,
    }
}

fn show_placement(placement: placements::Placement) -> wire::Placement {
    wire::Placement {
        environment: placement.environment,
        data_centre: placement.data_centre,
        digest: placement.digest,
        build: placement.build,
        reference: placement.reference,
        promotion: Some(placement.promotion),
        by: placement.by,
        since: placement.since,
        until: placement.until,
    }
}
