//! Titles, names, findings and logs come from strangers; pages show them and execute nothing.

use seaworthy::model::{BuildState, DeliveryId, Finding, Person};
use seaworthy::store::deliveries::{self, NewDelivery};
use serde_json::json;

use super::site::{Site, merge_request};

const SCRIPT: &str = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'";

#[tokio::test]
async fn strangers_text_stays_text() {
    let site = Site::open().await;
    let mut mr = merge_request(1, "a");
    mr.title = SCRIPT.to_owned();
    mr.source_branch = SCRIPT.to_owned();
    mr.target_branch = SCRIPT.to_owned();
    mr.url = "javascript:alert(1)".to_owned();
    mr.author = Person {
        name: SCRIPT.to_owned(),
        username: SCRIPT.to_owned(),
        email: None,
    };
    site.build(&mr).await;
    let (claim, id) = site.start().await;
    let lines = [
        format!("\u{1b}[31m{SCRIPT}\u{1b}[m"),
        format!("\u{1b}]8;;javascript:alert(1)\u{1b}\\{SCRIPT}\u{1b}]8;;\u{1b}\\"),
        format!("\u{1b}[31\"{SCRIPT}m"),
    ];
    site.write(&claim, id, &lines).await;
    let finding = Finding::new("rule", SCRIPT, SCRIPT).with_detail([SCRIPT.to_owned()]);
    site.end(&claim, id, BuildState::Failed, Some(&finding)).await;
    let body = json!({ "title": SCRIPT }).to_string();
    let new = NewDelivery {
        id: DeliveryId(uuid::Uuid::now_v7()),
        key: Some(SCRIPT),
        event: Some(SCRIPT),
        headers: &json!({ SCRIPT: SCRIPT }),
        body: body.as_bytes(),
    };
    let delivery = deliveries::insert(&site.pool, &[new]).await.expect("stored")[0];
    deliveries::decide(&site.pool, delivery, "ignored", SCRIPT, None)
        .await
        .expect("written");

    for path in [
        "/".to_owned(),
        format!("/builds/{id}"),
        format!("/builds/{id}?log=all"),
        "/deliveries".to_owned(),
        format!("/deliveries/{delivery}"),
        "/sign-in?next=/%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
    ] {
        let answer = site.get(&path).await;
        assert_eq!(answer.status(), 200, "{path}");
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .expect("a text")
            .to_owned();
        assert!(
            policy.contains("default-src 'self'") && !policy.contains("unsafe"),
            "{policy}"
        );
        let page = answer.text().await.expect("a text");
        for bad in ["<script>", "<img src=x", "href=\"javascript:", "\u{1b}", " style=\""] {
            assert!(!page.contains(bad), "{path} contains {bad:?}");
        }
        assert!(
            path.starts_with("/sign-in") || page.contains("alert(1)"),
            "{path} shows what came"
        );
    }
    let page = site.page(&format!("/builds/{id}")).await;
    assert!(
        page.contains("<span class=\"ansi-31\">&lt;script&gt;"),
        "colours are shown"
    );
    let stream = site.page(&format!("/api/builds/{id}/log/stream?html=1")).await;
    assert!(
        stream.contains("\"html\":\"<span class=\\\"ansi-31\\\">&lt;script&gt;"),
        "{stream}"
    );
    site.close().await;
}

#[tokio::test]
async fn an_address_with_strange_letters_is_no_way_out() {
    let site = Site::open().await;
    let answer = site.get("/nowhere%3Cscript%3E").await;
    assert_eq!(answer.status(), 404);
    assert!(!answer.text().await.expect("a text").contains("<script>"));
    for asset in ["/assets/x/..%2f..%2fCargo.toml", "/assets/x/pico.LICENSE"] {
        assert_eq!(site.get(asset).await.status(), 404, "{asset}");
    }
    let page = site.page("/").await;
    for name in [
        "pico.classless.min.css",
        "seaworthy.css",
        "seaworthy.js",
        "seaworthy.svg",
    ] {
        let end = page.find(name).expect("it is linked") + name.len();
        let begin = page[..end].rfind('"').expect("a quote") + 1;
        let asset = site.get(&page[begin..end]).await;
        assert_eq!(asset.status(), 200, "{name}");
        let kept = asset.headers()["cache-control"].to_str().expect("a text").to_owned();
        assert!(kept.contains("immutable"), "{name}: {kept}");
    }
    site.close().await;
}
