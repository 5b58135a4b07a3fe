//! What is read of a hook, and what it may lack.

use serde_json::{Value, json};

use super::*;

const HEAD: &str = "5ff66a1f7404deee915b50998c340e96d995f048";

fn hook() -> Value {
    json!({
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": {"id": 7, "name": "Ada Berg", "username": "ada", "email": "ada@example.com"},
        "project": {
            "id": 11, "path_with_namespace": "shop/basket", "web_url": "https://gitlab.example.com/shop/basket",
        },
        "object_attributes": {
            "iid": 3, "title": "Add a bell", "state": "opened", "action": "open", "draft": false, "author_id": 7,
            "source_project_id": 11, "target_project_id": 11, "source_branch": "bell", "target_branch": "main",
            "last_commit": {"id": HEAD}, "url": "https://gitlab.example.com/shop/basket/-/merge_requests/3",
        },
        "changes": {"labels": [], "title": {"previous": "a", "current": "b"}},
    })
}

/// Reads the hook after `value` was put in at `pointer`.
fn with(pointer: &str, value: Value) -> MergeRequestEvent {
    let mut hook = hook();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    hook.pointer_mut(parent).expect("it is there")[name] = value;
    parse(&hook)
}

fn parse(hook: &Value) -> MergeRequestEvent {
    match read(hook.to_string().as_bytes()) {
        Event::MergeRequest(event) => *event,
        other => panic!("not read as a merge request event: {other:?}"),
    }
}

fn merge_request(event: MergeRequestEvent) -> MergeRequest {
    event.merge_request.expect("it can be built")
}

#[test]
fn a_whole_hook_is_read() {
    let event = parse(&hook());
    assert_eq!(event.action, Action::Open);
    assert_eq!(event.state, State::Opened);
    assert_eq!(event.key, Some((ProjectId(11), 3)));
    assert_eq!(event.changes, ["labels", "title"]);
    assert!(!event.pushed);
    let mr = merge_request(event);
    assert_eq!(mr.project.as_str(), "shop/basket");
    assert_eq!(mr.head.as_str(), HEAD);
    assert_eq!((mr.source_branch.as_str(), mr.target_branch.as_str()), ("bell", "main"));
    assert_eq!(mr.author.username, "ada");
    assert_eq!(mr.author.email.as_deref(), Some("ada@example.com"));
    assert!(!mr.from_fork() && !mr.draft);
}

#[test]
fn what_is_no_event_is_told_with_its_place() {
    let not_json = |body: &[u8]| match read(body) {
        Event::NotJson { line, column, message } => (line, column, message),
        other => panic!("taken for JSON: {other:?}"),
    };
    assert_eq!(not_json(b"{\"a\"!"), (1, 5, "expected `:`".to_owned()));
    assert_eq!(not_json(b"{\n \"a\": tru}").0, 2);
    assert_eq!(not_json(b"object_kind=merge_request").0, 1);
    assert_eq!(not_json(b"{\"a\":1} trailing").1, 9);
    assert_eq!(not_json(b"\x00\xff\xfe").0, 1);
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    assert_eq!(read(&deep), unreadable("JSON, but not an object"));
    assert_eq!(read(b""), unreadable("an empty body"));
    for body in ["[]", "42", "null", "\"merge_request\""] {
        assert_eq!(read(body.as_bytes()), unreadable("JSON, but not an object"), "{body}");
    }
    for body in [
        "{}",
        r#"{"object_kind":null}"#,
        r#"{"object_kind":7}"#,
        r#"{"object_kind":""}"#,
    ] {
        assert!(matches!(read(body.as_bytes()), Event::Unreadable { .. }), "{body}");
    }
    assert!(matches!(
        read(br#"{"object_kind":"push","object_kind":"note"}"#),
        Event::Unreadable { .. }
    ));
    assert_eq!(
        read(br#"{"object_kind":"push\u0000"}"#),
        Event::Other {
            kind: "push".to_owned()
        }
    );
}

#[test]
fn the_kind_is_found_in_old_and_in_system_hooks() {
    for field in ["object_kind", "event_type", "event_name"] {
        let body = json!({ field: "merge_request" }).to_string();
        assert!(matches!(read(body.as_bytes()), Event::MergeRequest(_)), "{field}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (pointer, value, named) in [
        (
            "/project/path_with_namespace",
            json!(null),
            "project.path_with_namespace is missing",
        ),
        (
            "/project/path_with_namespace",
            json!("../etc"),
            "project.path_with_namespace is not a project path",
        ),
        (
            "/object_attributes/last_commit",
            json!(null),
            "object_attributes.last_commit is missing",
        ),
        (
            "/object_attributes/last_commit",
            json!({"id": []}),
            "object_attributes.last_commit.id is a list",
        ),
        (
            "/object_attributes/last_commit",
            json!({"id": "${commit}"}),
            "last_commit.id is not a commit id",
        ),
        (
            "/object_attributes/target_branch",
            json!({}),
            "object_attributes.target_branch is an object",
        ),
        (
            "/object_attributes/target_branch",
            json!("a:b"),
            "object_attributes.target_branch is not a branch name",
        ),
        (
            "/object_attributes/iid",
            json!(0),
            "object_attributes.iid is not a positive whole number",
        ),
        (
            "/object_attributes/iid",
            json!(1.5),
            "object_attributes.iid is a number that is not whole",
        ),
        (
            "/object_attributes/iid",
            json!(u64::MAX),
            "object_attributes.iid is a number that is too large",
        ),
    ] {
        let problem = with(pointer, value.clone())
            .merge_request
            .expect_err("it cannot be built");
        assert!(problem.contains(named), "{pointer} = {value}: {problem}");
    }
    // Several at once, and still known: which merge request it is.
    let mut hook = hook();
    hook["object_attributes"]["last_commit"] = json!(null);
    hook["object_attributes"]["source_branch"] = json!(7);
    let event = parse(&hook);
    assert_eq!(event.key, Some((ProjectId(11), 3)));
    let problem = event.merge_request.expect_err("it cannot be built");
    assert!(
        problem.contains("last_commit") && problem.contains("source_branch"),
        "{problem}"
    );
}

#[test]
fn what_gitlab_leaves_out_now_and_then_does_no_harm() {
    assert_eq!(with("/object_attributes/action", json!(null)).action, Action::Missing);
    assert_eq!(
        with("/object_attributes/action", json!("shake")).action,
        Action::Unknown("shake".to_owned())
    );
    assert_eq!(with("/object_attributes/state", json!(2)).state, State::Missing);
    merge_request(with("/object_attributes/source", json!(null)));
    merge_request(with("/object_attributes/updated_at", json!("once upon a time")));
    merge_request(with(
        "/object_attributes/merge_params",
        json!({"force_remove_source_branch": [1, "0"]}),
    ));
    assert_eq!(with("/changes", json!([["before"], ["after"]])).changes, [""; 0]);
    // The project's number and path stand in other places too.
    let mut hook = hook();
    hook["object_attributes"]["target_project_id"] = json!(null);
    assert_eq!(parse(&hook).key, Some((ProjectId(11), 3)));
    let mut other = self::hook();
    other["object_attributes"]["target"] = other["project"].take();
    assert_eq!(merge_request(parse(&other)).project.as_str(), "shop/basket");
    assert_eq!(merge_request(with("/object_attributes/iid", json!("3"))).iid, Some(3));
}

#[test]
fn a_fork_is_told_by_numbers() {
    assert!(merge_request(with("/object_attributes/source_project_id", json!(12))).from_fork());
    assert!(merge_request(with("/object_attributes/source_project_id", json!(null))).from_fork());
}

#[test]
fn the_draft_mark_of_all_versions_is_seen() {
    assert!(merge_request(with("/object_attributes/draft", json!(true))).draft);
    let mut hook = hook();
    let of = &mut hook["object_attributes"];
    of.as_object_mut().expect("an object").remove("draft");
    of["work_in_progress"] = json!(true);
    assert!(merge_request(parse(&hook)).draft);
    let of = &mut hook["object_attributes"];
    of.as_object_mut().expect("an object").remove("work_in_progress");
    assert!(!merge_request(parse(&hook)).draft);
    for title in ["Draft: x", "draft: x", "[Draft] x", "(Draft) x", "WIP: x"] {
        hook["object_attributes"]["title"] = json!(title);
        assert!(merge_request(parse(&hook)).draft, "{title}");
    }
}

#[test]
fn nobody_is_taken_for_the_author_by_mistake() {
    let someone_else = with("/user/id", json!(8));
    assert_eq!(merge_request(someone_else).author, Person::default());
    let mut hook = hook();
    hook["user"].as_object_mut().expect("an object").remove("id");
    assert_eq!(merge_request(parse(&hook)).author.username, "ada");
    hook["object_attributes"]["action"] = json!("update");
    assert_eq!(merge_request(parse(&hook)).author, Person::default());
    let redacted = merge_request(with("/user/email", json!("[REDACTED]")));
    assert_eq!(redacted.author.email, None);
}

#[test]
fn text_from_outside_is_made_harmless() {
    let mr = merge_request(with("/object_attributes/title", json!("a\r\nBcc: all\u{0}")));
    assert_eq!(mr.title, "a  Bcc: all");
    let mr = merge_request(with("/object_attributes/url", json!("javascript:alert(1)")));
    assert_eq!(mr.url, "https://gitlab.example.com/shop/basket/-/merge_requests/3");
}
