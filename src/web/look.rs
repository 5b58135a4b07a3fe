//! Rows of the store → the types of [`crate::wire`]: what API and pages both show.

use std::collections::HashMap;

use chrono::DateTime;
use sqlx::PgPool;

use super::error::{Error, Result};
use super::people::{Caller, see};
use super::state::AppState;
use crate::model::{BuildId, BuildState, DeliveryId, Sha};
use crate::store::builds::{self, BuildRecord, Filter};
use crate::store::images::{self, ImageRecord};
use crate::store::stages::{self, StageRecord};
use crate::store::{choices, deliveries, jobs, notices, trunk};
use crate::wire;

/// A page of builds, and the build that the next page begins after.
pub(super) async fn builds(
    state: &AppState,
    caller: &Caller,
    filter: &Filter,
    limit: i64,
) -> Result<(Vec<wire::Build>, Option<BuildId>)> {
    // One more than asked for tells whether there is a next page.
    let mut records = builds::list(&state.pool, filter, caller.sight(state).await?.paths(), limit + 1).await?;
    let more = i64::try_from(records.len()).unwrap_or(i64::MAX) > limit;
    if more {
        records.pop();
    }
    let ids: Vec<BuildId> = records.iter().map(|record| record.build.id).collect();
    let next = ids.last().copied().filter(|_| more);
    let mut runs: HashMap<BuildId, Vec<wire::StageRun>> = HashMap::new();
    for (build, stage) in stages::newest_of_builds(&state.pool, &ids).await? {
        runs.entry(build).or_default().push(stage_run(stage));
    }
    let builds = records
        .into_iter()
        .map(|record| {
            let stages = runs.remove(&record.build.id).unwrap_or_default();
            build(state, &record, stages)
        })
        .collect();
    Ok((builds, next))
}

/// He may see this build, if it exists.
pub(super) async fn see_build(state: &AppState, caller: &Caller, id: BuildId) -> Result<()> {
    let project = builds::project(&state.pool, id).await?;
    see(caller, &project.ok_or_else(|| Error::no_build(id))?)
}

/// Everything about one build, for somebody who may see it.
pub(super) async fn build_detail(state: &AppState, caller: &Caller, id: BuildId) -> Result<Option<wire::BuildDetail>> {
    let pool = &state.pool;
    let Some(record) = builds::get(pool, id).await? else {
        return Ok(None);
    };
    see(caller, &record.build.merge_request.project)?;
    let (newest, earlier): (Vec<_>, Vec<_>) = stages::of_build(pool, id)
        .await?
        .into_iter()
        .map(stage_run)
        .partition(|stage| stage.attempt == record.build.attempt);
    let job = jobs::of_build(pool, id).await?;
    let commits = builds::commits(pool, id).await?;
    let image = images::of_build(pool, id).await?;
    let choices = choices::of_build(pool, id).await?;
    let mails = notices::mails_of_build(pool, id).await?;
    let waits_again = record.build.state == BuildState::Queued && record.build.attempt > 0;
    Ok(Some(wire::BuildDetail {
        draft: record.build.merge_request.draft,
        commits: commits
            .into_iter()
            .map(|commit| wire::Commit {
                sha: commit.sha,
                subject: commit.subject,
                author: commit.author_name,
                authored_at: DateTime::from_timestamp(commit.authored_at, 0),
            })
            .collect(),
        earlier_stages: earlier,
        stopping: job.as_ref().and_then(|job| job.cancel_by.clone()),
        next_attempt_at: job.and_then(|job| job.due_at).filter(|_| waits_again),
        image: image.map(image_of),
        mails: mails
            .into_iter()
            .map(|(recipient, sent, refused)| wire::Mail {
                recipient,
                sent,
                refused,
            })
            .collect(),
        untaken: untaken(pool, id).await?,
        build: build(state, &record, newest),
        target_tip: record.build.target_tip,
        merge_tree: record.build.merge_tree,
        worker: record.build.worker,
        requested_by: record.requested_by,
        approved_by: record.approved_by,
        ended_by: record.ended_by,
        tests: record.tests,
        finding: record.build.finding,
        remarks: record.remarks,
        choices,
        war_check: record.war_check,
        error: record.build.error,
        log_lines: record.log_lines,
    }))
}

/// What GitLab refused for good to take of a build.
async fn untaken(pool: &PgPool, id: BuildId) -> Result<Vec<wire::Untaken>> {
    let of_build = notices::refused_of_build(pool, id).await?;
    let of_tips = trunk::refused_of_build(pool, id).await?;
    let tip = |branch, tip: Sha| format!("the commit status of {} on {branch}", tip.short());
    Ok(of_build
        .into_iter()
        .map(|(what, why)| (what.to_owned(), why))
        .chain(of_tips.into_iter().map(|(branch, sha, why)| (tip(branch, sha), why)))
        .map(|(what, why)| wire::Untaken { what, why })
        .collect())
}

/// A stage as it is told.
pub(super) fn stage_run(record: StageRecord) -> wire::StageRun {
    wire::StageRun {
        attempt: record.attempt,
        stage: record.stage,
        state: record.state,
        note: record.note,
        started_at: record.started_at,
        finished_at: record.finished_at,
    }
}

/// A page of deliveries, and the one that the next page begins after.
pub(super) async fn deliveries(
    state: &AppState,
    filter: &deliveries::Filter,
    limit: i64,
) -> Result<(Vec<wire::Delivery>, Option<DeliveryId>)> {
    let mut records = deliveries::page(&state.pool, filter, limit + 1).await?;
    let more = i64::try_from(records.len()).unwrap_or(i64::MAX) > limit;
    if more {
        records.pop();
    }
    let next = records.last().map(|record| record.id).filter(|_| more);
    Ok((records.iter().map(|record| delivery(state, record)).collect(), next))
}

/// A delivery as a list tells it.
fn delivery(state: &AppState, record: &deliveries::Delivery) -> wire::Delivery {
    wire::Delivery {
        id: record.id,
        url: state.address(&format!("/deliveries/{}", record.id)),
        received_at: record.received_at,
        event: record.event.clone(),
        decision: record.decision.clone(),
        reason: record.reason.clone(),
        build: record.build_id.map(BuildId),
        decided_at: record.decided_at,
    }
}

/// A delivery with headers and body.
pub(super) fn delivery_detail(state: &AppState, record: deliveries::Delivery) -> wire::DeliveryDetail {
    let json = serde_json::from_slice(&record.body).ok();
    let text = match json {
        Some(_) => None,
        None => Some(String::from_utf8_lossy(&record.body).into_owned()),
    };
    wire::DeliveryDetail {
        delivery: delivery(state, &record),
        key: record.key,
        headers: record.headers,
        body_bytes: record.body.len(),
        json,
        text,
    }
}

fn build(state: &AppState, record: &BuildRecord, stages: Vec<wire::StageRun>) -> wire::Build {
    let build = &record.build;
    let mr = &build.merge_request;
    let author = match (mr.author.name.as_str(), mr.author.username.as_str()) {
        ("", "") => "unknown",
        ("", username) => username,
        (name, _) => name,
    };
    wire::Build {
        id: build.id,
        url: state.address(&format!("/builds/{}", build.id)),
        state: build.state,
        project_id: mr.project_id,
        project: mr.project.clone(),
        iid: mr.iid,
        title: mr.title.clone(),
        merge_request_url: mr.url.clone(),
        author: author.to_owned(),
        author_username: mr.author.username.clone(),
        head: mr.head.clone(),
        source_branch: mr.source_branch.clone(),
        target_branch: mr.target_branch.clone(),
        fork: mr.from_fork(),
        pipeline: build.pipeline.clone(),
        trigger: build.trigger,
        attempt: build.attempt,
        stages,
        created_at: build.created_at,
        started_at: build.started_at,
        finished_at: build.finished_at,
    }
}

fn image_of(record: ImageRecord) -> wire::Image {
    wire::Image {
        pinned: record.pushed.pinned(),
        application: record.application,
        reference: record.pushed.reference,
        digest: record.pushed.digest,
        image_id: record.image_id,
        stack: record.dockerfile.stack,
        base_name: record.dockerfile.base_name,
        base_digest: record.dockerfile.base_digest,
        exception: record.dockerfile.exception,
        dockerfile: record.dockerfile.text,
        dockerfile_sha256: record.dockerfile.sha256,
        war_path: record.war_path,
        war_sha256: record.war_sha256,
        war_bytes: record.war_bytes,
        servlet: record.servlet,
        servlet_evidence: record.servlet_evidence,
        pushed_at: record.pushed_at,
    }
}
