//! GitLab's API: against the world's stand-in, which behaves as GitLab does, and for bad days against a fake.

use std::time::Duration;

use seaworthy::clients::certificates::Certificates;
use seaworthy::clients::gitlab::{
    CommitState, GitLab, GitLabErrorKind, MergeRequestState, StatusOutcome, StatusUpdate,
};
use seaworthy::clients::http;
use seaworthy::model::{ProjectId, ProjectPath, Sha};
use serde_json::json;
use world::World;
use world::gitlab::{Access, GitLab as StandIn, OpenMr, Project};

use super::fake::{Fake, answer};
use crate::house::sample;

const MARKER: &str = "<!-- seaworthy:build -->";

fn client(url: &str, token: &str) -> GitLab {
    let http = http::client(&Certificates::load(None).expect("certificates")).expect("a client");
    GitLab::new(url, &token.to_owned().into(), Duration::from_secs(10), http).expect("settings")
}

/// A stand-in with one project, and our client for it.
async fn stand_in() -> (StandIn, Project, GitLab) {
    let dir = World::attach().scratch().expect("a folder");
    let gitlab = StandIn::start(&dir, 0).await.expect("the stand-in starts");
    let project = gitlab
        .create_project("shop/harbour", &sample("harbour"))
        .await
        .expect("a project");
    let client = client(&gitlab.url(), &gitlab.api_token());
    (gitlab, project, client)
}

fn id(project: &Project) -> ProjectId {
    ProjectId(i64::try_from(project.id).expect("a number"))
}

fn update(state: CommitState) -> StatusUpdate<'static> {
    StatusUpdate {
        state,
        name: "seaworthy",
        target_url: "http://seaworthy.example/builds/1",
        description: "waits",
        r#ref: Some("berths"),
    }
}

#[tokio::test]
async fn server_project_and_merge_requests_are_read() {
    let (gitlab, project, client) = stand_in().await;
    assert!(client.version().await.expect("a version").starts_with("18."));
    assert_eq!(client.current_user().await.expect("a user").username, "seaworthy-bot");
    let token = client.token_scopes().await.expect("an answer").expect("a token");
    assert!(token.scopes.contains(&"api".to_owned()));

    let path: ProjectPath = "shop/harbour".parse().expect("a path");
    let found = client.project(&path).await.expect("a project");
    assert_eq!((found.id, found.path.clone()), (id(&project), path));
    assert_eq!(
        client.project(id(&project)).await.expect("the same"),
        found,
        "by number and by path"
    );
    let tip = client.branch_tip(found.id, "main").await.expect("an answer");
    assert!(tip.is_some());
    assert_eq!(client.branch_tip(found.id, "no/such").await.expect("an answer"), None);

    let options = OpenMr {
        draft: true,
        ..OpenMr::default()
    };
    let opened = gitlab
        .open_mr("shop/harbour", "berths", &[("A", "1")], options)
        .await
        .expect("a merge request");
    let list = client.open_merge_requests(found.id, None).await.expect("a list");
    assert_eq!(list.len(), 1);
    let mr = &list[0];
    assert_eq!(
        (mr.iid, mr.head.as_str(), mr.draft),
        (Some(1), opened.head.as_str(), true)
    );
    assert_eq!(
        (mr.project.as_str(), mr.author.username.as_str()),
        ("shop/harbour", "ana")
    );
    assert!(!mr.from_fork());

    let later = opened.updated_at + chrono::Duration::hours(1);
    let none = client.open_merge_requests(found.id, Some(later)).await.expect("a list");
    assert!(none.is_empty());

    gitlab.close(&opened).expect("closed");
    let (state, one) = client.merge_request(found.id, 1).await.expect("a merge request");
    assert_eq!((state, one.as_ref()), (MergeRequestState::Closed, Some(mr)));
    let error = client.merge_request(found.id, 99).await.expect_err("there is none");
    assert_eq!(error.kind, GitLabErrorKind::NotThere);
}

#[tokio::test]
async fn a_status_moves_forward_and_a_repetition_is_no_failure() {
    let (gitlab, project, client) = stand_in().await;
    let mr = gitlab
        .open_mr("shop/harbour", "berths", &[("A", "1")], OpenMr::default())
        .await
        .expect("a merge request");
    let head: Sha = mr.head.parse().expect("a commit");
    for (state, outcome) in [
        (CommitState::Pending, StatusOutcome::Set),
        (CommitState::Pending, StatusOutcome::AlreadyThere),
        (CommitState::Running, StatusOutcome::Set),
        (CommitState::Running, StatusOutcome::AlreadyThere),
        (CommitState::Pending, StatusOutcome::AlreadyThere),
        (CommitState::Success, StatusOutcome::Set),
    ] {
        let done = client
            .set_commit_status(id(&project), &head, &update(state))
            .await
            .expect("set");
        assert_eq!(done, outcome, "{state:?}");
    }
    let rows = gitlab.statuses();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].history, ["pending", "running", "success"]);
    assert_eq!(rows[0].name, "seaworthy");

    let long = StatusUpdate {
        description: &"ü".repeat(400),
        ..update(CommitState::Pending)
    };
    client
        .set_commit_status(id(&project), &head, &long)
        .await
        .expect("GitLab takes 255 characters");
}

#[tokio::test]
async fn what_passes_is_told_from_what_does_not() {
    let (gitlab, project, client) = stand_in().await;
    let options = OpenMr {
        fork: Some("mallory/harbour".to_owned()),
        ..OpenMr::default()
    };
    let fork = gitlab
        .open_mr("shop/harbour", "berths", &[("A", "1")], options)
        .await
        .expect("a merge request");
    let pending = StatusUpdate {
        r#ref: None,
        ..update(CommitState::Pending)
    };
    let set = |sha: &str| {
        let (sha, client) = (sha.parse::<Sha>().expect("a commit"), &client);
        let (project, pending) = (id(&project), pending.clone());
        async move { client.set_commit_status(project, &sha, &pending).await }
    };
    let error = set(&fork.head).await.expect_err("a commit of a fork");
    assert_eq!(error.kind, GitLabErrorKind::NotThere);
    assert!(!error.is_transient() && error.to_string().contains("fork"), "{error}");
    let error = set(&"1".repeat(40)).await.expect_err("an unknown commit");
    assert_eq!(error.kind, GitLabErrorKind::NotThere);

    let main = client
        .branch_tip(id(&project), "main")
        .await
        .expect("an answer")
        .expect("a tip");
    for status in [409, 429, 502] {
        gitlab.fail("/api/v4/projects", status, 1);
        let error = set(main.as_str()).await.expect_err("told to fail");
        assert!(error.is_transient(), "{error}");
        assert_eq!(error.status, Some(status));
    }
    gitlab.set_access(Access {
        scopes: vec!["api".to_owned()],
        level: 20,
    });
    let error = set(main.as_str()).await.expect_err("a reporter");
    assert_eq!(error.kind, GitLabErrorKind::Refused);
    assert!(error.to_string().contains("role Developer"), "{error}");
    gitlab.set_access(Access {
        scopes: vec!["read_api".to_owned()],
        level: 40,
    });
    let error = set(main.as_str()).await.expect_err("the scope is missing");
    assert!(error.to_string().contains("scope `api`"), "{error}");

    let stranger = self::client(&gitlab.url(), "glpat-canary");
    let error = stranger.version().await.expect_err("a wrong token");
    let text = format!("{error} {error:?}");
    assert!(text.contains("revoked") && !text.contains("canary"), "{text}");
    gitlab.go_down().await;
    let error = set(main.as_str()).await.expect_err("GitLab is down");
    assert_eq!(error.kind, GitLabErrorKind::Unreachable);
    assert!(error.is_transient());
}

#[tokio::test]
async fn there_is_one_note_however_its_number_was_lost() {
    let (gitlab, project, client) = stand_in().await;
    gitlab
        .open_mr("shop/harbour", "berths", &[("A", "1")], OpenMr::default())
        .await
        .expect("a merge request");
    let write = |known: Option<i64>, marker: &'static str, body: &'static str| {
        let (client, project) = (&client, id(&project));
        async move {
            client
                .upsert_note(project, 1, known, marker, body)
                .await
                .expect("written")
        }
    };
    // More than a page of others before ours.
    for _ in 0..101 {
        client
            .upsert_note(
                id(&project),
                1,
                None,
                &format!("<!-- {} -->", uuid::Uuid::new_v4()),
                "another",
            )
            .await
            .expect("written");
    }
    let first = write(None, MARKER, "waits").await;
    assert_eq!(write(Some(first), MARKER, "runs").await, first);
    assert_eq!(write(None, MARKER, "the number was lost").await, first);
    assert_eq!(write(Some(999_999), MARKER, "passed").await, first);
    let ours: Vec<_> = gitlab
        .notes()
        .into_iter()
        .filter(|note| note.body.contains(MARKER))
        .collect();
    assert_eq!(ours.len(), 1);
    assert_eq!(ours[0].edits, 3);
    assert!(ours[0].body.starts_with("passed"), "{}", ours[0].body);
}

/// Links of a GitLab behind a proxy name a host that is not the configured one: only their query is used.
#[tokio::test]
async fn a_list_is_read_to_its_end_from_the_configured_host() {
    let page = |iids: std::ops::Range<i64>| {
        let list: Vec<_> = iids
            .map(|iid| {
                json!({
                    "iid": iid, "project_id": 7, "source_project_id": null, "title": "t", "state": "opened",
                    "sha": if iid == 2 { None } else { Some("a".repeat(40)) }, "source_branch": "a",
                    "target_branch": "main", "work_in_progress": false, "references": {"full": format!("g/p!{iid}")},
                })
            })
            .collect();
        json!(list).to_string()
    };
    let server = Fake::start(move |seen| {
        if seen.path.contains("cursor=two") {
            answer(200, &[("X-Next-Page", "")], page(4..6))
        } else {
            let link = "<http://inside.invalid/api?cursor=two>; rel=\"next\", <http://x/>; rel=\"first\"";
            answer(200, &[("Link", link)], page(1..4))
        }
    })
    .await;
    let list = client(&server.url(), "t")
        .open_merge_requests(ProjectId(7), None)
        .await
        .expect("a list");
    let iids: Vec<i64> = list.iter().filter_map(|mr| mr.iid).collect();
    assert_eq!(iids, [1, 3, 4, 5], "all but the one without a commit");
    assert!(list[0].from_fork(), "a deleted fork is a fork");
    assert_eq!(server.seen().len(), 2);

    let circle = Fake::start(|seen| {
        let link = format!("<http://x{}>; rel=\"next\"", seen.path);
        answer(200, &[("Link", link.as_str())], "[]")
    })
    .await;
    let error = client(&circle.url(), "t")
        .open_merge_requests(ProjectId(7), None)
        .await
        .expect_err("it never ends");
    assert!(error.to_string().contains("the next page is this page"), "{error}");
}

#[tokio::test]
async fn a_bad_day_is_explained() {
    let server = Fake::start(|seen| match seen.path.as_str() {
        "/api/v4/version" => answer(
            301,
            &[("Location", "https://gitlab.example/api/v4/version?t=canary")],
            "",
        ),
        "/api/v4/user" => answer(200, &[], "<html>Welcome</html>"),
        _ => answer(429, &[("Retry-After", "7")], "Retry later\n"),
    })
    .await;
    let client = client(&server.url(), "t");
    let text = client.version().await.expect_err("a redirect").to_string();
    assert!(
        text.contains("redirected to https://gitlab.example/api/v4/version;") && !text.contains("canary"),
        "{text}"
    );
    let error = client.current_user().await.expect_err("a page");
    assert_eq!(error.kind, GitLabErrorKind::NotGitLab);
    let error = client.token_scopes().await.expect_err("too often");
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
    assert!(error.is_transient() && error.message == "Retry later", "{error}");
}

#[tokio::test]
async fn an_address_is_found_as_far_as_the_token_sees_it() {
    let server = Fake::start(|seen| match seen.path.as_str() {
        "/api/v4/users?username=ana" => answer(200, &[], r#"[{"id":5}]"#),
        "/api/v4/users/5" => answer(200, &[], r#"{"id":5,"public_email":"ana@example.com"}"#),
        "/api/v4/users?username=ben" => answer(200, &[], r#"[{"id":6}]"#),
        "/api/v4/users/6" => answer(200, &[], r#"{"id":6,"public_email":"","email":null}"#),
        _ => answer(200, &[], "[]"),
    })
    .await;
    let client = client(&server.url(), "t");
    for (name, address) in [("ana", Some("ana@example.com")), ("ben", None), ("nobody", None)] {
        let found = client.user_email(name).await.expect("an answer");
        assert_eq!(found.as_deref(), address, "{name}");
    }
}
