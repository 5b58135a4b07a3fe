//! Long lists, read to their end.

use futures_util::StreamExt as _;
use serde_json::json;

use super::image::{OCI, Pusher, client, server};
use super::proxy::{Fault, Proxy, answer};

#[tokio::test]
async fn three_hundred_repositories_and_a_thousand_tags_are_all_seen() {
    let one = server(None).await;
    let pusher = Pusher::new(&one, "many/tags");
    let digest = pusher.image(OCI, 501, &[100]).await;
    let bytes = super::image::manifest(&one.address, "many/tags", digest.as_str())
        .await
        .expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&bytes).expect("a manifest");
    let put = |number: usize| {
        let (pusher, manifest) = (&pusher, &manifest);
        async move { pusher.manifest(Some(&format!("t{number:04}")), OCI, manifest).await }
    };
    futures_util::stream::iter(0..1000)
        .map(put)
        .buffer_unordered(8)
        .count()
        .await;
    let repository = |number: usize| {
        let one = &one;
        async move {
            // A repository is there with its first manifest.
            let pusher = Pusher::new(one, &format!("house/app{number:03}"));
            pusher.image(OCI, 502, &[100]).await
        }
    };
    futures_util::stream::iter(0..299)
        .map(repository)
        .buffer_unordered(8)
        .count()
        .await;

    let whole = client(&[&one.address], &[]);
    let tags = whole.tags(&format!("{}/many/tags", one.address)).await.expect("a list");
    assert_eq!(tags.len(), 1000);
    assert_eq!((tags[0].as_str(), tags[999].as_str()), ("t0000", "t0999"));
    assert_eq!(whole.catalogue(&one.address).await.expect("a list").len(), 300);
    assert!(
        whole
            .tags(&format!("{}/no/such", one.address))
            .await
            .expect("a list")
            .is_empty()
    );

    // A registry that gives smaller pages than it is asked for; its Link is relative or a whole address.
    let paged = Proxy::start(&one.address, |parts| match parts.uri.path() {
        "/v2/_catalog" => Fault::Path(parts.uri.to_string().replace("n=1000", "n=7")),
        "/v2/many/tags/tags/list" => {
            // Debian's registry gives all tags at once, so the pages are made here.
            let host = parts.headers["host"].to_str().expect("a text");
            let from: usize = parts
                .uri
                .query()
                .and_then(|query| query.split_once("last=t")?.1.parse().ok())
                .map_or(0, |n: usize| n + 1);
            let tags: Vec<String> = (from..(from + 30).min(1000))
                .map(|number| format!("t{number:04}"))
                .collect();
            let body = json!({"name": "many/tags", "tags": tags}).to_string();
            match from + 30 < 1000 {
                true => {
                    let link = format!(
                        "<http://{host}/v2/many/tags/tags/list?last=t{:04}>; rel=\"next\"",
                        from + 29
                    );
                    answer(200, &[("link", &link)], &body)
                }
                false => answer(200, &[], &body),
            }
        }
        _ => Fault::Pass,
    })
    .await;
    let client = client(&[&paged.address], &[]);
    assert_eq!(client.catalogue(&paged.address).await.expect("a list").len(), 300);
    assert_eq!(
        client
            .tags(&format!("{}/many/tags", paged.address))
            .await
            .expect("a list"),
        tags
    );
    assert!(
        paged.count("GET", "/v2/_catalog") >= 42,
        "{}",
        paged.count("GET", "/v2/_catalog")
    );
    assert_eq!(paged.count("GET", "/tags/list"), 34);
}

#[tokio::test]
async fn a_list_that_leads_in_a_circle_ends() {
    let one = server(None).await;
    let circle = Proxy::start(&one.address, |_| {
        answer(
            200,
            &[("link", "</v2/_catalog?last=a>; rel=\"next\"")],
            r#"{"repositories": ["a"]}"#,
        )
    })
    .await;
    let client = client(&[&circle.address], &[]);
    let error = client.catalogue(&circle.address).await.expect_err("a circle");
    assert!(error.to_string().contains("leads back"), "{error}");
}
