//! Images that are made by pushing blobs, without an engine; registries of one test; and the copy that is tried.

use std::sync::Mutex;

use reqwest::Client;
use seaworthy::clients::certificates::Certificates;
use seaworthy::clients::registry::{Arrival, CopyEvent, Destination, Registry};
use seaworthy::config::Config;
use seaworthy::model::Digest;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use world::World;
use world::registry::{Registry as Server, RegistryOptions};

use crate::outside_clients::verbs::settings;

pub const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const MB: usize = 1 << 20;

/// Debian's registry, empty.
pub async fn server(login: Option<(&str, &str)>) -> Server {
    seaworthy::clients::http::install_crypto_provider();
    let dir = World::attach().scratch().expect("a folder");
    let options = RegistryOptions {
        storage: dir.join("storage"),
        port: 0,
        login: login.map(|(user, password)| (user.to_owned(), password.to_owned())),
    };
    Server::start(&dir, options).await.expect("a registry")
}

/// Bytes that do not repeat, the same for the same seed.
pub fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut all = Vec::with_capacity(bytes + 8);
    while all.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.extend_from_slice(&state.to_le_bytes());
    }
    all.truncate(bytes);
    all
}

/// Pushes to one repository.
pub struct Pusher {
    address: String,
    repository: String,
    login: (String, String),
    client: Client,
}

impl Pusher {
    pub fn new(server: &Server, repository: &str) -> Self {
        Self {
            address: server.address.clone(),
            repository: repository.to_owned(),
            login: (server.user.clone(), server.password.clone()),
            client: Client::new(),
        }
    }

    fn request(&self, method: reqwest::Method, url: String) -> reqwest::RequestBuilder {
        let request = self.client.request(method, url);
        match self.login.0.is_empty() {
            true => request,
            false => request.basic_auth(&self.login.0, Some(&self.login.1)),
        }
    }

    pub async fn blob(&self, bytes: Vec<u8>) -> (Digest, usize) {
        let (digest, size) = (Digest::of(&bytes), bytes.len());
        let url = format!("http://{}/v2/{}/blobs/uploads/", self.address, self.repository);
        let opened = self
            .request(reqwest::Method::POST, url)
            .send()
            .await
            .expect("an answer");
        let place = opened.headers()["location"].to_str().expect("a text");
        let put = self.request(reqwest::Method::PUT, format!("{place}&digest={digest}"));
        let answer = put.body(bytes).send().await.expect("an answer");
        assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap_or_default());
        (digest, size)
    }

    pub async fn manifest(&self, reference: Option<&str>, kind: &str, manifest: &Value) -> Digest {
        let bytes = manifest.to_string();
        let digest = Digest::of(bytes.as_bytes());
        let place = reference.unwrap_or(digest.as_str());
        let url = format!("http://{}/v2/{}/manifests/{place}", self.address, self.repository);
        let put = self.request(reqwest::Method::PUT, url).header("Content-Type", kind);
        let answer = put.body(bytes).send().await.expect("an answer");
        assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap_or_default());
        digest
    }

    /// An image of layers of these sizes.
    pub async fn image(&self, kind: &str, seed: u64, sizes: &[usize]) -> Digest {
        let mut layers = Vec::new();
        for (at, size) in sizes.iter().enumerate() {
            let (digest, size) = self.blob(noise(seed * 1000 + at as u64, *size)).await;
            layers.push(json!({"mediaType": layer_kind(kind), "digest": digest, "size": size}));
        }
        self.image_of(kind, seed, layers, None).await
    }

    pub async fn image_of(&self, kind: &str, seed: u64, layers: Vec<Value>, subject: Option<Value>) -> Digest {
        let config =
            json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}, "seed": seed});
        let (config, size) = self.blob(config.to_string().into_bytes()).await;
        let config_kind = match kind {
            DOCKER => "application/vnd.docker.container.image.v1+json",
            _ => "application/vnd.oci.image.config.v1+json",
        };
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": kind,
            "config": {"mediaType": config_kind, "digest": config, "size": size},
            "layers": layers,
        });
        if let Some(subject) = subject {
            manifest["subject"] = subject;
            manifest["artifactType"] = json!("application/vnd.example.note");
        }
        self.manifest(None, kind, &manifest).await
    }

    /// An index of these, as the two platforms.
    pub async fn index(&self, entries: &[(&str, Digest, usize)]) -> Digest {
        let entries: Vec<Value> = entries
            .iter()
            .enumerate()
            .map(|(at, (kind, digest, size))| {
                let architecture = ["amd64", "arm64"][at % 2];
                json!({"mediaType": kind, "digest": digest, "size": size, "platform": {"os": "linux", "architecture": architecture}})
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        self.manifest(None, INDEX, &index).await
    }
}

fn layer_kind(kind: &str) -> &'static str {
    match kind {
        DOCKER => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        _ => "application/vnd.oci.image.layer.v1.tar+gzip",
    }
}

/// The client, as the service makes it: these hosts are spoken to over plain HTTP.
pub fn client(plain_http: &[&str], more: &[(&str, String)]) -> Registry {
    let mut all = vec![("registries_plain_http", plain_http.join(","))];
    all.extend(more.iter().cloned());
    let config = Config::load(None, settings(&all)).expect("a configuration");
    Registry::new(&config, &Certificates::load(None).expect("certificates"))
}

pub fn to(host: &str, repository: &str, tag: &str) -> Destination {
    Destination {
        name: format!("at {host}"),
        repository: format!("{host}/{repository}"),
        tag: tag.to_owned(),
    }
}

/// A copy that nobody stops, and what was told of it.
pub async fn copy(client: &Registry, source: &str, to: &[Destination]) -> (Vec<Arrival>, Vec<CopyEvent>) {
    let events = Mutex::new(Vec::new());
    let observer = |event| events.lock().expect("no panic").push(event);
    let arrivals = client.copy(source, to, &observer, &CancellationToken::new()).await;
    (arrivals, events.into_inner().expect("no panic"))
}

/// Reads a manifest as a stranger does.
pub async fn manifest(host: &str, repository: &str, reference: &str) -> Option<Vec<u8>> {
    let answer = Client::new()
        .get(format!("http://{host}/v2/{repository}/manifests/{reference}"))
        .header(
            "Accept",
            [
                OCI,
                INDEX,
                DOCKER,
                "application/vnd.docker.distribution.manifest.list.v2+json",
            ]
            .join(", "),
        )
        .send()
        .await
        .expect("an answer");
    match answer.status().as_u16() {
        200 => Some(answer.bytes().await.expect("a body").to_vec()),
        404 => None,
        other => panic!("{other}"),
    }
}

/// Holds all bytes of an image at a place against their digests, the blobs' too; gives their number.
pub async fn intact(host: &str, repository: &str, reference: &str) -> usize {
    let bytes = manifest(host, repository, reference).await.expect("a manifest");
    if reference.starts_with("sha256:") {
        assert_eq!(Digest::of(&bytes).as_str(), reference);
    }
    let parsed: Value = serde_json::from_slice(&bytes).expect("a manifest");
    let mut count = 1;
    for entry in parsed["manifests"].as_array().into_iter().flatten() {
        count += Box::pin(intact(host, repository, entry["digest"].as_str().expect("a digest"))).await;
    }
    let blobs = parsed["layers"]
        .as_array()
        .into_iter()
        .flatten()
        .chain(parsed.get("config"));
    for blob in blobs.filter(|blob| blob.get("urls").is_none()) {
        let digest = blob["digest"].as_str().expect("a digest");
        let url = format!("http://{host}/v2/{repository}/blobs/{digest}");
        let answer = reqwest::get(url).await.expect("an answer");
        assert_eq!(answer.status(), 200, "{digest}");
        assert_eq!(Digest::of(&answer.bytes().await.expect("a body")).as_str(), digest);
        count += 1;
    }
    count
}
