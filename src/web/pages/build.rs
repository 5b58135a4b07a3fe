//! `/builds/{id}`: everything about one build, its log, and the buttons.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Html, Redirect};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::build_log::{self, LogRow, LogView, Part};
use super::words::{self, Moment};
use super::{Frame, rendered};
use crate::model::{BuildState, RuleReport, Stage, Trigger, WarCheck};
use crate::store;
use crate::web::error::{Error, Result};
use crate::web::params::{Params, build_id, given};
use crate::web::people::Caller;
use crate::web::state::AppState;
use crate::web::{look, orders};
use crate::wire;

#[derive(Template)]
#[template(path = "build.html")]
struct BuildPage {
    frame: Frame,
    build: wire::BuildDetail,
    state: &'static str,
    state_text: String,
    application: String,
    sentence: String,
    facts: Vec<Fact>,
    bars: Vec<Bar>,
    earlier: Vec<Bar>,
    log: LogView,
    live: bool,
}

/// A line of the table of facts.
struct Fact {
    name: &'static str,
    text: String,
    link: Option<String>,
    moment: Option<Moment>,
    code: bool,
}

/// A stage as a bar along the time of its attempt.
struct Bar {
    title: &'static str,
    attempt: i32,
    state: &'static str,
    note: String,
    took: String,
    /// Where the bar begins and how wide it is, of 1000.
    begin: i64,
    width: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct ShowQuery {
    log: Option<String>,
}

pub(super) async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<ShowQuery>,
) -> Result<Html<String>> {
    let id = build_id(&id)?;
    let part = match given(&query.log) {
        None => Part::Tail,
        Some("all") => Part::All,
        Some("none") => Part::Nothing,
        Some(other) => return Err(Error::Invalid(format!("log={other}: write all or none, or nothing"))),
    };
    let build = look::build_detail(&state, &caller, id)
        .await?
        .ok_or_else(|| Error::no_build(id))?;
    let log = build_log::read(&state.pool, id, build.log_lines, part).await?;
    let now = store::now(&state.pool).await?;
    rendered(&BuildPage {
        frame: Frame::new(&caller, "builds"),
        state: build.build.state.as_str(),
        state_text: words::state(build.build.state),
        application: build.build.project.name().to_owned(),
        sentence: sentence(&build, now),
        facts: facts(&build, now),
        bars: bars(&build.build.stages, now),
        earlier: bars(&build.earlier_stages, now),
        live: !build.build.state.is_final(),
        log,
        build,
    })
}

pub(super) async fn rebuild(State(state): State<AppState>, caller: Caller, Path(id): Path<String>) -> Result<Redirect> {
    let made = orders::rebuild(&state, build_id(&id)?, &caller, None).await?;
    Ok(Redirect::to(&format!("/builds/{made}")))
}

pub(super) async fn cancel(State(state): State<AppState>, caller: Caller, Path(id): Path<String>) -> Result<Redirect> {
    let id = build_id(&id)?;
    orders::cancel(&state, id, &caller).await?;
    Ok(Redirect::to(&format!("/builds/{id}")))
}

pub(super) async fn approve(State(state): State<AppState>, caller: Caller, Path(id): Path<String>) -> Result<Redirect> {
    let id = build_id(&id)?;
    orders::approve(&state, id, &caller).await?;
    Ok(Redirect::to(&format!("/builds/{id}")))
}

/// What is going on, in one sentence under the heading.
fn sentence(build: &wire::BuildDetail, now: DateTime<Utc>) -> String {
    let by = |who: &Option<String>| who.clone().unwrap_or_else(|| "somebody".to_owned());
    match build.build.state {
        BuildState::AwaitingApproval => "The commits come from a fork: somebody with rights must let this build run, \
                                         because it executes their code. A new push asks again."
            .to_owned(),
        BuildState::Queued => match (&build.error, build.next_attempt_at) {
            (Some(error), Some(due)) => format!("Another attempt begins {}: {error}", Moment::new(due, now).ago),
            (Some(error), None) => format!("Waits for another attempt: {error}"),
            _ => "Waits for a worker.".to_owned(),
        },
        BuildState::Running => match &build.stopping {
            Some(who) => format!("{who} wants it stopped; its worker is at it."),
            None => format!("Running on {}.", build.worker.as_deref().unwrap_or("a worker")),
        },
        BuildState::Passed => "The image is in the QA registry.".to_owned(),
        BuildState::Failed => "The project has to be mended: see below what was found.".to_owned(),
        BuildState::Errored => format!(
            "Not the project's fault: {}. When that is mended, rebuild.",
            build
                .error
                .as_deref()
                .unwrap_or("the build could not be done")
                .trim_end_matches('.')
        ),
        BuildState::Cancelled => format!("Cancelled by {}.", by(&build.ended_by)),
        BuildState::Superseded => format!("Superseded by {}: a newer push came.", by(&build.ended_by)),
    }
}

fn facts(detail: &wire::BuildDetail, now: DateTime<Utc>) -> Vec<Fact> {
    let build = &detail.build;
    let fact = |name, text: String| Fact {
        name,
        text,
        link: None,
        moment: None,
        code: false,
    };
    let code = |name, text: String| Fact {
        code: true,
        ..fact(name, text)
    };
    let mut facts = vec![
        Fact {
            link: words::link(&build.merge_request_url).map(str::to_owned),
            ..fact(
                if build.iid.is_some() {
                    "Merge request"
                } else {
                    "Push to"
                },
                build.full_mark(),
            )
        },
        fact(
            "Author",
            match build.author_username.as_str() {
                "" => build.author.clone(),
                username => format!("{} (@{username})", build.author),
            },
        ),
        code("Commit", build.head.to_string()),
        fact(
            "Branch",
            format!("{} into {}", build.source_branch, build.target_branch),
        ),
    ];
    facts.extend(
        detail
            .target_tip
            .as_ref()
            .map(|tip| code("Merged with", tip.to_string())),
    );
    facts.extend(
        detail
            .merge_tree
            .as_ref()
            .map(|tree| code("Tree built", tree.to_string())),
    );
    facts.push(fact(
        "Begun by",
        match build.trigger {
            Trigger::Webhook => "a webhook of GitLab".to_owned(),
            Trigger::Poll => "the comparison with GitLab (its webhook was lost)".to_owned(),
            Trigger::Person => detail.requested_by.clone().unwrap_or_else(|| "a person".to_owned()),
        },
    ));
    facts.extend(detail.approved_by.clone().map(|who| fact("Approved by", who)));
    facts.extend(superseded_by(detail).map(|newer| Fact {
        link: Some(format!("/builds/{newer}")),
        ..fact("Superseded by", format!("build {newer}"))
    }));
    let stack = detail
        .image
        .as_ref()
        .map(|image| format!(", stack {}", image.stack))
        .unwrap_or_default();
    facts.push(fact("Pipeline", format!("{}{stack}", build.pipeline)));
    facts.extend(detail.worker.clone().map(|worker| fact("Worker", worker)));
    if build.attempt > 1 {
        facts.push(fact("Attempt", build.attempt.to_string()));
    }
    facts.push(Fact {
        moment: Some(Moment::new(build.created_at, now)),
        ..fact("Made", String::new())
    });
    facts.extend(build.started_at.map(|at| Fact {
        moment: Some(Moment::new(at, now)),
        ..fact("Began", String::new())
    }));
    facts.extend(build.finished_at.map(|at| Fact {
        moment: Some(Moment::new(at, now)),
        ..fact("Ended", String::new())
    }));
    if let (Some(began), Some(ended)) = (build.started_at, build.finished_at) {
        facts.push(fact("Took", words::duration((ended - began).num_milliseconds().max(0))));
    }
    facts
}

/// The build that came instead.
fn superseded_by(detail: &wire::BuildDetail) -> Option<i64> {
    let superseded = detail.build.state == BuildState::Superseded;
    let newer = detail.ended_by.as_ref().filter(|_| superseded)?;
    newer.strip_prefix('#')?.parse().ok()
}

fn bars(stages: &[wire::StageRun], now: DateTime<Utc>) -> Vec<Bar> {
    stages
        .iter()
        .map(|run| {
            let attempt = stages.iter().filter(|other| other.attempt == run.attempt);
            let first = attempt
                .clone()
                .map(|other| other.started_at)
                .min()
                .unwrap_or(run.started_at);
            let last = attempt
                .map(|other| other.finished_at.unwrap_or(now))
                .max()
                .unwrap_or(now);
            let whole = (last - first).num_milliseconds().max(1);
            let begin = (run.started_at - first).num_milliseconds().max(0) * 1000 / whole;
            Bar {
                title: run.stage.title(),
                attempt: run.attempt,
                state: run.state.as_str(),
                note: run.note.clone().unwrap_or_default(),
                took: words::duration(run.millis(now)),
                begin: begin.min(996),
                width: (run.millis(now) * 1000 / whole).clamp(4, 1000),
            }
        })
        .collect()
}

impl BuildPage {
    /// Stages that have not begun, as long as they still may.
    fn to_come(&self) -> Vec<&'static str> {
        if !self.live {
            return Vec::new();
        }
        let begun = |stage: &Stage| self.build.build.stages.iter().any(|run| run.stage == *stage);
        Stage::ALL
            .into_iter()
            .filter(|stage| !begun(stage))
            .map(Stage::title)
            .collect()
    }

    /// `error`, `warning`, `note`, or `waived` where nothing else is left.
    fn rule_state(&self, rule: &RuleReport) -> &'static str {
        if rule.count == 0 {
            "waived"
        } else {
            rule.severity.as_str()
        }
    }

    /// The evidence of the finding; that of the WAR check stands in its own section.
    fn evidence(&self) -> &[String] {
        match &self.build.finding {
            Some(finding) if finding.rule == WarCheck::RULE && self.build.war_check.is_some() => &[],
            Some(finding) => &finding.detail,
            None => &[],
        }
    }

    fn red_tests(&self) -> Vec<&crate::model::TestFailure> {
        let tests = self.build.tests.as_ref();
        tests.map(|tests| tests.failures.iter().collect()).unwrap_or_default()
    }

    fn war_size(&self) -> String {
        self.build
            .image
            .as_ref()
            .map(|image| words::bytes(image.war_bytes))
            .unwrap_or_default()
    }

    fn tests_in_words(&self) -> String {
        let Some(tests) = &self.build.tests else {
            return String::new();
        };
        let counts = tests.counts;
        format!(
            "{} run, {} failed, {} errors, {} skipped in {}",
            counts.run,
            counts.failed,
            counts.errors,
            counts.skipped,
            words::duration(i64::try_from(tests.millis).unwrap_or(i64::MAX))
        )
    }
}
