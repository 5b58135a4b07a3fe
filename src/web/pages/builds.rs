//! `/`: the builds, newest first.

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use chrono::{DateTime, Utc};

use super::words::{self, Moment};
use super::{Frame, rendered};
use crate::model::{BuildState, Stage, StageState};
use crate::store::{self, projects};
use crate::web::error::Result;
use crate::web::look;
use crate::web::params::{BuildQuery, Params, given};
use crate::web::people::{Caller, Sight};
use crate::web::state::AppState;
use crate::wire;

/// Projects that the form suggests.
const SUGGESTED: i64 = 1000;

#[derive(Template)]
#[template(path = "builds.html")]
struct BuildsPage {
    frame: Frame,
    rows: Vec<Row>,
    states: Vec<Choice>,
    project: String,
    iid: String,
    commit: String,
    projects: Vec<String>,
    filtered: bool,
    first_page: bool,
    next: Option<String>,
}

/// A state that the list can be filtered by.
struct Choice {
    value: &'static str,
    text: String,
    chosen: bool,
}

/// A build in the list.
struct Row {
    id: i64,
    state: &'static str,
    state_text: String,
    project: String,
    mark: String,
    title: String,
    merge_request: Option<String>,
    head: String,
    target_branch: String,
    author: String,
    stages: Vec<Dot>,
    stage: Option<String>,
    took: Option<String>,
    created: Moment,
}

/// A stage as a small mark.
struct Dot {
    state: &'static str,
    title: String,
}

pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<BuildQuery>,
) -> Result<Html<String>> {
    let filter = query.filter()?;
    let (builds, next) = look::builds(&state, &caller, &filter, query.limit()?).await?;
    let now = store::now(&state.pool).await?;
    let own = |field: &Option<String>| given(field).unwrap_or_default().to_owned();
    rendered(&BuildsPage {
        frame: Frame::new(&caller, "builds"),
        rows: builds.into_iter().map(|build| row(build, now)).collect(),
        states: BuildState::ALL
            .into_iter()
            .map(|state| Choice {
                value: state.as_str(),
                text: words::state(state),
                chosen: filter.state == Some(state),
            })
            .collect(),
        project: own(&query.project),
        iid: own(&query.iid),
        commit: own(&query.commit),
        projects: match caller.sight(&state).await? {
            Sight::Everything => projects::paths(&state.pool, SUGGESTED).await?,
            Sight::Only(paths) => paths,
        },
        filtered: query.is_filtered(),
        first_page: filter.before.is_none(),
        next: next.map(|id| query.link("/", Some(id))),
    })
}

fn row(build: wire::Build, now: DateTime<Utc>) -> Row {
    let running = build.stages.iter().find(|stage| stage.state == StageState::Running);
    let stage = match build.state {
        BuildState::Running => running.map(|stage| stage.stage.title().to_owned()),
        BuildState::Failed => last_of(&build.stages, StageState::Failed),
        BuildState::Errored => last_of(&build.stages, StageState::Errored),
        _ => None,
    };
    let took = build
        .started_at
        .map(|began| words::duration((build.finished_at.unwrap_or(now) - began).num_milliseconds().max(0)))
        .filter(|_| build.state != BuildState::Queued);
    Row {
        id: build.id.0,
        state: build.state.as_str(),
        state_text: words::state(build.state),
        mark: build.mark(),
        merge_request: words::link(&build.merge_request_url).map(str::to_owned),
        head: build.head.short().to_owned(),
        target_branch: build.target_branch,
        author: build.author,
        stages: dots(&build.stages),
        stage,
        took,
        created: Moment::new(build.created_at, now),
        title: build.title,
        project: build.project.to_string(),
    }
}

fn last_of(stages: &[wire::StageRun], state: StageState) -> Option<String> {
    let stage = stages.iter().rev().find(|stage| stage.state == state)?;
    Some(stage.stage.title().to_owned())
}

/// One mark for each stage of the road, also for those that are still to come.
fn dots(runs: &[wire::StageRun]) -> Vec<Dot> {
    Stage::ALL
        .into_iter()
        .map(|stage| match runs.iter().find(|run| run.stage == stage) {
            Some(run) => Dot {
                state: run.state.as_str(),
                title: format!("{}: {}", stage.title(), run.state.as_str()),
            },
            None => Dot {
                state: "todo",
                title: format!("{}: not begun", stage.title()),
            },
        })
        .collect()
}
