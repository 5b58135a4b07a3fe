//! Registries that speak TLS with a certificate of the company's own authority.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use seaworthy::clients::certificates::Certificates;
use seaworthy::clients::registry::Registry;
use seaworthy::config::Config;
use serde_json::json;
use tokio::process::{Child, Command};
use world::World;

use super::image::{MB, OCI, Pusher, copy, server, to};
use crate::outside_clients::mailer::authority;
use crate::outside_clients::verbs::settings;

/// Debian's registry over a storage, with the certificate in `dir`; its address, by name, and the process.
async fn over_tls(dir: &Path, storage: &Path) -> (String, Child) {
    let port = world::process::free_port().expect("a port");
    let config = json!({
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": storage}},
        "http": {
            "addr": format!("127.0.0.1:{port}"),
            "secret": "any",
            "tls": {"certificate": dir.join("server.crt"), "key": dir.join("server.key")},
        },
    });
    let file = dir.join(format!("{port}.json"));
    std::fs::write(&file, config.to_string()).expect("written");
    let child = Command::new("docker-registry")
        .arg("serve")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("docker-registry");
    for _ in 0..500 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return (format!("localhost:{port}"), child);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no registry on port {port}");
}

#[tokio::test]
async fn the_companys_authority_is_trusted_by_the_copy_when_it_is_named() {
    let dir = World::attach().scratch().expect("a folder");
    authority(&dir).await;
    // Pushed through one that speaks plain HTTP, read through another one over the same storage.
    let plain = server(None).await;
    let digest = Pusher::new(&plain, "qa/app").image(OCI, 31, &[2 * MB, 50_000]).await;
    let (from, _from) = over_tls(&dir, &plain.storage).await;
    let storage = dir.join("there");
    let (there, _there) = over_tls(&dir, &storage).await;
    let source = format!("{from}/qa/app@{digest}");
    let destination = [to(&there, "live/app", "v1")];
    let config = Config::load(None, settings(&[])).expect("a configuration");
    let client =
        |authority: Option<&Path>| Registry::new(&config, &Certificates::load(authority).expect("certificates"));

    let (arrivals, _) = copy(&client(None), &source, &destination).await;
    let error = arrivals[0].result.as_ref().expect_err("not trusted").to_string();
    assert!(error.contains("tls.ca_file"), "{error}");
    assert!(!storage.exists(), "nothing was sent");

    let (arrivals, _) = copy(&client(Some(&dir.join("ca.crt"))), &source, &destination).await;
    let copied = arrivals[0].result.as_ref().expect("it arrives");
    assert_eq!((copied.blobs, copied.manifests), (3, 1));
    let tag = storage.join("docker/registry/v2/repositories/live/app/_manifests/tags/v1/current/link");
    assert_eq!(std::fs::read_to_string(tag).expect("a tag"), digest.to_string());
}
