//! Records of the store → JSON of the API. The pages show the same.

use super::AppState;
use super::error::Result;
use crate::store::builds::{self, BuildRecord};
use crate::store::deliveries::Delivery;
use crate::store::images::{self, ImageRecord};
use crate::store::notices;
use crate::store::stages::{self, StageRecord};
use crate::wire::{BuildSummary, BuildView, DeliveryView, ImageView, MailView, StageView};

pub(super) fn summary(record: &BuildRecord, public_url: &str) -> BuildSummary {
    let build = &record.build;
    let mr = &build.merge_request;
    let finding = build.finding.as_ref().map(|finding| finding.title.clone());
    BuildSummary {
        id: build.id.0,
        project: mr.project.to_string(),
        iid: mr.iid,
        title: mr.title.clone(),
        merge_request_url: mr.url.clone(),
        author: mr.author.name.clone(),
        head: mr.head.to_string(),
        source_branch: mr.source_branch.clone(),
        target_branch: mr.target_branch.clone(),
        state: build.state,
        trigger: build.trigger,
        attempt: build.attempt,
        worker: build.worker.clone(),
        reason: finding.or_else(|| build.error.clone()),
        url: format!("{public_url}/builds/{}", build.id),
        created_at: build.created_at,
        started_at: build.started_at,
        finished_at: build.finished_at,
    }
}

pub(super) async fn whole(state: &AppState, record: BuildRecord) -> Result<BuildView> {
    let id = record.build.id;
    let summary = summary(&record, &state.config.server.public_url);
    let mails = notices::mails_of_build(&state.pool, id).await?;
    Ok(BuildView {
        summary,
        pipeline: record.build.pipeline,
        target_tip: record.build.target_tip.map(|sha| sha.to_string()),
        merge_tree: record.build.merge_tree.map(|sha| sha.to_string()),
        requested_by: record.requested_by,
        approved_by: record.approved_by,
        ended_by: record.ended_by,
        finding: record.build.finding,
        error: record.build.error,
        remarks: record.remarks,
        tests: record.tests,
        commits: builds::commits(&state.pool, id).await?,
        stages: stages::of_build(&state.pool, id)
            .await?
            .into_iter()
            .map(stage)
            .collect(),
        image: images::of_build(&state.pool, id).await?.map(image),
        mails: mails
            .into_iter()
            .map(|(recipient, sent, refused)| MailView {
                recipient,
                sent,
                refused,
            })
            .collect(),
        log_lines: record.log_lines,
    })
}

fn stage(record: StageRecord) -> StageView {
    StageView {
        attempt: record.attempt,
        stage: record.stage,
        state: record.state,
        note: record.note,
        started_at: record.started_at,
        millis: record
            .finished_at
            .map(|end| (end - record.started_at).num_milliseconds()),
    }
}

fn image(record: ImageRecord) -> ImageView {
    ImageView {
        application: record.application,
        pinned: record.pushed.pinned(),
        reference: record.pushed.reference,
        digest: record.pushed.digest.to_string(),
        stack: record.dockerfile.stack,
        base: record.dockerfile.base_name,
        base_digest: record.dockerfile.base_digest.to_string(),
        war: record.war_path,
        war_sha256: record.war_sha256.to_string(),
        war_bytes: record.war_bytes,
        servlet: format!("{}: {}", record.servlet, record.servlet_evidence),
        dockerfile: record.dockerfile.text,
        pushed_at: record.pushed_at,
    }
}

pub(super) fn delivery(record: Delivery, with_content: bool) -> DeliveryView {
    DeliveryView {
        id: record.id.to_string(),
        received_at: record.received_at,
        event: record.event,
        decision: record.decision,
        reason: record.reason,
        build: record.build_id,
        headers: with_content.then_some(record.headers),
        body: with_content.then(|| String::from_utf8_lossy(&record.body).into_owned()),
    }
}
