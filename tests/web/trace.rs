//! From what people hold in their hands back to the build.

use seaworthy::model::{BuildState, Commit, Digest};
use seaworthy::store::{notices, trunk};
use serde_json::json;

use super::site::{Site, merge_request, sha};

fn commit(digit: &str) -> Commit {
    Commit {
        sha: sha(digit),
        subject: "Serve it".to_owned(),
        author_name: "Ada Keel".to_owned(),
        author_email: "ada@example.com".to_owned(),
        committer_email: "ada@example.com".to_owned(),
        authored_at: 1_700_000_000,
    }
}

#[tokio::test]
async fn a_build_is_found_by_all_its_names() {
    let site = Site::open().await;
    let id = site
        .passed(&merge_request(7, "a1"), &[commit("a1"), commit("c3")], "one")
        .await;
    let other = site
        .passed(&merge_request(8, "b2"), &[commit("b2"), commit("c3")], "two")
        .await;
    let digest = Digest::of(b"one");
    let (mine, both) = (vec![id.0], vec![other.0, id.0]);
    for (what, wanted) in [
        (format!("{id}"), &mine),
        (format!("%23{id}"), &mine),
        (digest.to_string(), &mine),
        (digest.hex()[..12].to_owned(), &mine),
        (format!("registry.example.com/qa/basket:mr-7-{id}"), &mine),
        (format!("registry.example.com/qa/basket@{digest}"), &mine),
        (sha("a1").to_string(), &mine),
        ("A1A1A1A1".to_owned(), &mine),
        ("c3c3c3c".to_owned(), &both),
    ] {
        let (status, found) = site.json(&format!("/api/trace/{what}")).await;
        assert_eq!(status, 200, "{what}: {found}");
        let ids: Vec<i64> = found
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|build| build["id"].as_i64())
            .collect();
        assert_eq!(&ids, wanted, "{what}");
    }
    let (_, found) = site.json(&format!("/api/trace/{id}")).await;
    assert_eq!(found[0]["image"]["digest"], digest.to_string());
    assert_eq!(found[0]["commits"][1]["sha"], sha("c3").to_string());
    assert_eq!(found[0]["author"], "Ada Keel");
    site.close().await;
}

#[tokio::test]
async fn what_gitlab_does_not_take_of_a_build_is_shown_with_it() {
    let site = Site::open().await;
    let mr = merge_request(7, "a1");
    let id = site.passed(&mr, &[commit("a1")], "one").await;
    let (_, build) = site.json(&format!("/api/builds/{id}")).await;
    assert_eq!(build["untaken"], json!([]));
    let (pool, iid) = (&site.pool, mr.iid.expect("a number"));
    notices::set_told_status(pool, id, BuildState::Passed, Some("403: <Developer> is needed"))
        .await
        .expect("written");
    notices::set_told_note(pool, mr.project_id, iid, None, None, Some("403: Reporter is needed"))
        .await
        .expect("written");
    let tip = trunk::record(pool, mr.project_id, "main", &sha("b2"), &sha("a1"), id, "ben").await;
    let tip = tip.expect("written").expect("a row");
    trunk::set_told(pool, tip, Some("403: main is protected"))
        .await
        .expect("written");
    let (_, build) = site.json(&format!("/api/builds/{id}")).await;
    assert_eq!(
        build["untaken"],
        json!([
            { "what": "the commit status", "why": "403: <Developer> is needed" },
            { "what": "the note", "why": "403: Reporter is needed" },
            { "what": "the commit status of b2b2b2b2 on main", "why": "403: main is protected" },
        ])
    );
    let page = site.page(&format!("/builds/{id}")).await;
    for sentence in [
        "GitLab does not take the commit status: 403: &#60;Developer&#62; is needed",
        "GitLab does not take the note: 403: Reporter is needed",
        "GitLab does not take the commit status of b2b2b2b2 on main: 403: main is protected",
    ] {
        assert!(page.contains(sentence), "{page}");
    }
    site.close().await;
}

#[tokio::test]
async fn what_names_nothing_or_too_much_is_said() {
    let site = Site::open().await;
    let mut near = commit("a1");
    near.sha = format!("{}b", &sha("a1").as_str()[..39]).parse().expect("a commit id");
    site.passed(&merge_request(7, "a1"), &[near], "one").await;
    for (what, status, part) in [
        ("99", 404, "there is no build 99"),
        (
            "abc",
            400,
            "abc is too short: write at least 7 digits of a commit or 12 of a digest",
        ),
        ("a1a1a1a1", 400, "a1a1a1a1 is ambiguous"),
        ("deadbeefdead", 404, "nothing is known of"),
        ("nonsense", 404, "give an image's digest"),
    ] {
        let (found, body) = site.json(&format!("/api/trace/{what}")).await;
        assert_eq!(found, status, "{what}: {body}");
        assert!(
            body["error"].as_str().expect("a sentence").contains(part),
            "{what}: {body}"
        );
    }
    site.close().await;
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let site = Site::open().await;
    for (iid, digit) in [(1, "a1"), (2, "b2"), (3, "c3"), (4, "d4"), (5, "e5")] {
        site.passed(&merge_request(iid, digit), &[commit(digit)], digit).await;
    }
    let ids = |list: &serde_json::Value| -> Vec<i64> {
        list["builds"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|build| build["id"].as_i64())
            .collect()
    };
    let (_, list) = site.json("/api/builds?limit=2&state=passed&project=shop/basket").await;
    assert_eq!(ids(&list), [5, 4]);
    let (_, list) = site.json(list["next"].as_str().expect("more")).await;
    assert_eq!(ids(&list), [3, 2]);
    let (_, list) = site.json(list["next"].as_str().expect("more")).await;
    assert_eq!((ids(&list), list["next"].as_str()), (vec![1], None));
    assert_eq!(ids(&site.json("/api/builds?iid=3").await.1), [3]);
    assert_eq!(ids(&site.json("/api/builds?commit=b2b2b2b2").await.1), [2]);
    assert_eq!(ids(&site.json("/api/builds?state=failed").await.1), Vec::<i64>::new());
    assert!(
        site.page("/?state=failed")
            .await
            .contains("No build fits these filters")
    );
    site.close().await;
}

#[tokio::test]
async fn an_empty_service_says_how_to_begin() {
    let site = Site::open().await;
    assert!(site.page("/").await.contains("seaworthy connect group/project"));
    assert!(site.page("/deliveries").await.contains("No delivery"));
    site.close().await;
}
