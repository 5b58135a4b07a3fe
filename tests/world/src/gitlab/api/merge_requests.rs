//! Merge requests, listed and alone.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Answer, find_project, moment, not_found, page, person};
use crate::gitlab::GitLab;
use crate::gitlab::repository::git;
use crate::gitlab::state::Mr;

/// `GET /projects/:id/merge_requests` with state, updated_after, order_by, sort, source_branch, page, per_page.
pub(super) async fn list(
    State(gitlab): State<GitLab>,
    Path(key): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let project = find_project(&gitlab, &key)?;
    let state = gitlab.shared.lock();
    let wanted = |name: &str| query.get(name).map(String::as_str);
    let after = wanted("updated_after").and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let mut found: Vec<&Mr> = state
        .mrs
        .iter()
        .filter(|mr| mr.project_id == project.id)
        .filter(|mr| wanted("state").is_none_or(|state| state == "all" || state == mr.state))
        .filter(|mr| wanted("source_branch").is_none_or(|branch| branch == mr.source_branch))
        .filter(|mr| after.is_none_or(|after| mr.updated_at > after))
        .collect();
    let by_update = wanted("order_by") == Some("updated_at");
    found.sort_by_key(|mr| (if by_update { mr.updated_at } else { mr.created_at }, mr.id));
    if wanted("sort") != Some("asc") {
        found.reverse();
    }
    let items = found.into_iter().map(|mr| shown(mr, &state.base_url)).collect();
    Ok(page(items, &query))
}

/// `GET /projects/:id/merge_requests/:iid`, which alone has `diff_refs` and `head_pipeline`.
pub(super) async fn one(State(gitlab): State<GitLab>, Path((key, iid)): Path<(String, u64)>) -> Answer {
    let project = find_project(&gitlab, &key)?;
    let (mr, mut json) = {
        let state = gitlab.shared.lock();
        let mr = state.mr(project.id, iid).ok_or_else(|| not_found("Merge Request"))?;
        let pipeline = state
            .pipelines
            .iter()
            .rfind(|one| one.project_id == project.id && one.sha == mr.head);
        let mut json = shown(mr, &state.base_url);
        json["head_pipeline"] = pipeline.map_or(
            Value::Null,
            |one| json!({"id": one.id, "sha": one.sha, "ref": one.r#ref, "source": "external"}),
        );
        (mr.clone(), json)
    };
    let target = format!("refs/heads/{}", mr.target_branch);
    let start = git(&project.repository, &["rev-parse", &target]).await.ok();
    let base = git(&project.repository, &["merge-base", &target, &mr.head]).await.ok();
    json["diff_refs"] = json!({"base_sha": base, "head_sha": mr.head, "start_sha": start});
    Ok(Json(json).into_response())
}

fn shown(mr: &Mr, base_url: &str) -> Value {
    let source = if mr.source_gone {
        Value::Null
    } else {
        mr.source_project_id.into()
    };
    json!({
        "id": mr.id, "iid": mr.iid, "project_id": mr.project_id,
        "title": mr.title, "description": mr.description, "state": mr.state,
        "created_at": moment(mr.created_at), "updated_at": moment(mr.updated_at),
        "target_branch": mr.target_branch, "source_branch": mr.source_branch,
        "source_project_id": source, "target_project_id": mr.project_id,
        "author": person(&mr.author, base_url), "assignees": [], "assignee": null, "reviewers": [],
        "labels": mr.labels, "draft": mr.draft(), "work_in_progress": mr.draft(),
        "merge_status": "can_be_merged", "detailed_merge_status": "mergeable",
        "sha": mr.head, "merge_commit_sha": null, "squash_commit_sha": null,
        "web_url": format!("{base_url}/{}/-/merge_requests/{}", mr.project, mr.iid),
        "references": {"short": format!("!{}", mr.iid), "full": format!("{}!{}", mr.project, mr.iid)},
    })
}
