//! `/environments`: the board. Columns in the order of promotion, and per application which digest is where, since when, by
//! whom; `/environments/history/{application}`: where it was.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Html;
use chrono::{DateTime, Utc};

use super::words::Moment;
use super::{Frame, rendered};
use crate::model::{BuildId, PromotionId};
use crate::store;
use crate::web::board;
use crate::web::error::Result;
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::wire;

#[derive(Template)]
#[template(path = "environments.html")]
struct BoardPage {
    frame: Frame,
    columns: Vec<Column>,
    rows: Vec<Row>,
}

struct Column {
    title: String,
    data_centres: String,
    frozen: Option<String>,
}

struct Row {
    application: String,
    cells: Vec<Cell>,
}

/// What of an application is in one environment: one digest, or several where its data centres differ.
#[derive(Default)]
struct Cell {
    digests: Vec<Held>,
    /// Where this could be promoted to.
    promote: Option<String>,
    /// Where what was there before could be put back.
    roll_back: Option<String>,
}

struct Held {
    short: String,
    digest: String,
    build: BuildId,
    /// Names of the data centres, where it is not in all.
    only: Option<String>,
    since: Moment,
    by: String,
    promotion: Option<PromotionId>,
}

pub(super) async fn show(State(state): State<AppState>, caller: Caller) -> Result<Html<String>> {
    let board = board::board(&state, &caller).await?;
    let now = store::now(&state.pool).await?;
    let columns = board.environments.iter().map(column).collect();
    let rows = board
        .applications
        .iter()
        .map(|row| Row {
            application: row.application.clone(),
            cells: cells(&board.environments, row, now),
        })
        .collect();
    rendered(&BoardPage {
        frame: Frame::new(&caller, "environments"),
        columns,
        rows,
    })
}

fn column(environment: &wire::Environment) -> Column {
    let names: Vec<&str> = environment
        .data_centres
        .iter()
        .map(|centre| centre.name.as_str())
        .collect();
    let frozen = environment.frozen_until.map(|until| {
        format!(
            "frozen until {}: {}",
            until.format("%Y-%m-%d %H:%M UTC"),
            environment.frozen_because.as_deref().unwrap_or_default()
        )
    });
    Column {
        title: environment.title.clone(),
        data_centres: names.join(", "),
        frozen,
    }
}

fn cells(environments: &[wire::Environment], row: &wire::ApplicationRow, now: DateTime<Utc>) -> Vec<Cell> {
    let digests = |environment: &wire::Environment| -> Vec<&wire::Placement> {
        row.placements
            .iter()
            .filter(|placement| placement.environment == environment.name)
            .collect()
    };
    environments
        .iter()
        .enumerate()
        .map(|(at, environment)| {
            let here = digests(environment);
            let wanted = environment.data_centres.len().max(1);
            let mut cell = Cell::default();
            for placement in &here {
                if cell.digests.iter().any(|held| held.digest == placement.digest.as_str()) {
                    continue;
                }
                let same: Vec<&str> = here
                    .iter()
                    .filter(|other| other.digest == placement.digest)
                    .map(|other| other.data_centre.as_str())
                    .collect();
                cell.digests.push(Held {
                    short: placement.digest.as_str()[7..19].to_owned(),
                    digest: placement.digest.to_string(),
                    build: placement.build,
                    only: (same.len() < wanted).then(|| same.join(", ")),
                    since: Moment::new(placement.since, now),
                    by: placement.by.clone(),
                    promotion: placement.promotion,
                });
            }
            if let (Some(next), [only]) = (environments.get(at + 1), cell.digests.as_slice()) {
                let there = digests(next)
                    .iter()
                    .any(|placement| placement.digest.as_str() == only.digest);
                if !there {
                    cell.promote = Some(format!(
                        "/promotions/new?image={}&environment={}",
                        only.digest, next.name
                    ));
                }
            }
            if at > 0 && !cell.digests.is_empty() {
                let application = &row.application;
                cell.roll_back = Some(format!(
                    "/rollbacks/new?application={application}&environment={}",
                    environment.name
                ));
            }
            cell
        })
        .collect()
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    frame: Frame,
    application: String,
    rows: Vec<Past>,
}

struct Past {
    environment: String,
    data_centre: String,
    digest: String,
    build: BuildId,
    since: Moment,
    until: Option<Moment>,
    by: String,
    promotion: Option<PromotionId>,
}

pub(super) async fn history(
    State(state): State<AppState>,
    caller: Caller,
    Path(application): Path<String>,
) -> Result<Html<String>> {
    let history = board::history(&state, &caller, &application).await?;
    let now = store::now(&state.pool).await?;
    let rows = history
        .placements
        .into_iter()
        .map(|placement| Past {
            environment: placement.environment,
            data_centre: placement.data_centre,
            digest: placement.digest.to_string(),
            build: placement.build,
            since: Moment::new(placement.since, now),
            until: placement.until.map(|until| Moment::new(until, now)),
            by: placement.by,
            promotion: placement.promotion,
        })
        .collect();
    rendered(&HistoryPage {
        frame: Frame::new(&caller, "environments"),
        application: history.application,
        rows,
    })
}
