//! The Docker engine: build containers, image builds, pushes, and the sweep after a worker that died.
//!
//! Everything goes through the engine's HTTP interface and tar streams, never through a shared directory, so that the
//! engine may be on another host. The connection is made on first use and again after a failure: a service that starts
//! before its engine is a service whose first build is retried, not one that does not start.
//!
//! | file | job |
//! |---|---|
//! | `container` | a locked-down container with its own network, and its end |
//! | `cache` | volumes that outlive builds |
//! | `exec` | one command in it: output, deadline, limits, cancel |
//! | `program` | an image's own program, started beside a build |
//! | `network` | on which a build's containers find each other |
//! | `pack`, `unpack` | files in and files out, guarded |
//! | `image`, `build`, `push` | images: looked up, pulled, built, pushed |
//! | `foundation` | images that others are built on |
//! | `narrate`, `progress` | the engine's chatter as few readable lines |
//! | `sweep` | what is left of dead builds, by label |

mod build;
mod cache;
mod container;
mod error;
mod exec;
mod foundation;
mod image;
mod image_files;
mod narrate;
mod network;
mod output;
mod pack;
mod pipe;
mod program;
mod progress;
mod push;
mod sweep;
mod unpack;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::{API_DEFAULT_VERSION, Docker};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;

use crate::model::BuildId;

pub use build::{BuildError, ImageSpec};
pub use cache::{Cache, CacheVolume};
pub use container::{BuildContainer, ContainerSpec, Limits, User};
pub use error::{EngineError, ErrorKind};
pub use exec::{Command, Exit};
pub use foundation::{Foundation, foundation_name};
pub use image::ImageInfo;
pub use image_files::{ImageFile, ImageFileKind};
pub use output::{Line, Stream};
pub use pack::{TarStream, tar_directory};
pub use program::{Locked, Program, ProgramSpec, ProgramState};
pub use sweep::{Leftover, LeftoverKind};
pub use unpack::{FilesError, Guards, Harvest};

/// Label with the installation whose build made a thing.
pub const LABEL_INSTALLATION: &str = "dev.seaworthy.installation";
/// Label with the number of that build.
pub const LABEL_BUILD: &str = "dev.seaworthy.build";
/// Label with the attempt of that build.
pub const LABEL_ATTEMPT: &str = "dev.seaworthy.attempt";
/// Label with the name of the worker that made a thing.
pub const LABEL_WORKER: &str = "dev.seaworthy.worker";

/// Which of the engine's two builders makes the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Builder {
    /// BuildKit: cache flag and time of each step, no intermediate images. In every engine from 18.09 on.
    #[default]
    BuildKit,
    /// The old one, for engines where BuildKit is switched off.
    Classic,
}

/// Client certificate for an engine behind TLS, each a PEM file.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Certificate authority of the engine; the system's own are trusted too.
    pub ca: PathBuf,
    /// Our certificate.
    pub cert: PathBuf,
    /// Our key.
    pub key: PathBuf,
}

/// Where the engine is and how patient to be with it.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// `unix:///path`, `tcp://host:port` (plain), or `https://host:port` together with `tls`.
    pub url: String,
    /// Which builder makes images.
    pub builder: Builder,
    /// Needed for `https://`, unused otherwise. An engine listens on TCP as root: without a client certificate nobody should.
    pub tls: Option<Tls>,
    /// How long the engine may take to answer the first, cheap question.
    pub connect_timeout: Duration,
    /// How long it may take to answer any other one.
    pub request_timeout: Duration,
    /// How long a pull, a build, a push or a file transfer may go without a sign of life.
    pub idle_timeout: Duration,
}

impl EngineOptions {
    /// Defaults for an address: BuildKit, 10 s to connect, 2 min for an answer, 10 min of silence.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            builder: Builder::default(),
            tls: None,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(600),
        }
    }
}

/// Login at one registry.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password or token.
    pub password: SecretString,
}

impl Credentials {
    fn for_engine(&self, host: &str) -> DockerCredentials {
        DockerCredentials {
            username: Some(self.username.clone()),
            password: Some(self.password.expose_secret().to_owned()),
            serveraddress: Some(host.to_owned()),
            ..Default::default()
        }
    }
}

/// Whose a container or a network is; written on it as labels, so that another worker can find and remove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Which installation of the service (several may share an engine): lower-case letters and digits.
    pub installation: String,
    /// The build.
    pub build: BuildId,
    /// Which attempt at it.
    pub attempt: i32,
    /// The worker that does it.
    pub worker: String,
}

/// What the engine says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineVersion {
    /// Release, for example `20.10.24`.
    pub version: String,
    /// Newest interface that it speaks, for example `1.41`.
    pub api: String,
    /// Operating system of the containers, for example `linux`.
    pub os: String,
    /// Processor, in Go's words, for example `amd64`.
    pub arch: String,
}

/// A Docker engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    options: EngineOptions,
    docker: OnceCell<Docker>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({})", self.0.options.url)
    }
}

impl Engine {
    /// Checks the address. Does not talk to the engine yet: `version` does.
    pub fn connect(options: &EngineOptions) -> Result<Self, EngineError> {
        let bad = |why: &str| {
            Err(EngineError::new(
                &options.url,
                ErrorKind::Address,
                "reading engine.url",
                why,
            ))
        };
        match options.url.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => {}
            Some(("unix", _)) => return bad("unix:// needs an absolute path, for example unix:///var/run/docker.sock"),
            Some(("tcp" | "http", host)) if !host.is_empty() => {}
            Some(("https", host)) if !host.is_empty() => {
                if options.tls.is_none() {
                    return bad("https:// needs a certificate authority, a client certificate and its key");
                }
            }
            _ => return bad("allowed are unix:///path, tcp://host:port and https://host:port"),
        }
        Ok(Self(Arc::new(Inner {
            options: options.clone(),
            docker: OnceCell::new(),
        })))
    }

    /// Asks the engine who it is: the cheapest proof that it is there.
    pub async fn version(&self) -> Result<EngineVersion, EngineError> {
        let docker = self.docker().await?.with_timeout(self.0.options.connect_timeout);
        let said = docker
            .version()
            .await
            .map_err(|e| self.error("asking for the version", e))?;
        Ok(EngineVersion {
            version: said.version.unwrap_or_default(),
            api: said.api_version.unwrap_or_default(),
            os: said.os.unwrap_or_default(),
            arch: said.arch.unwrap_or_default(),
        })
    }

    /// The address, as it was configured.
    pub fn url(&self) -> &str {
        &self.0.options.url
    }

    fn options(&self) -> &EngineOptions {
        &self.0.options
    }

    /// The client for short questions. Made once the engine has answered; each request opens its own connection, so a
    /// restarted engine is met again by itself.
    async fn docker(&self) -> Result<Docker, EngineError> {
        let docker = self.0.docker.get_or_try_init(|| async {
            let options = self.options();
            let secs = options.connect_timeout.as_secs().max(1);
            let doing = "connecting";
            let docker = match (options.url.split_once("://"), &options.tls) {
                (Some(("unix", path)), _) => Docker::connect_with_unix(path, secs, API_DEFAULT_VERSION),
                (Some(("https", host)), Some(tls)) => {
                    Docker::connect_with_ssl(host, &tls.key, &tls.cert, &tls.ca, secs, API_DEFAULT_VERSION)
                }
                (Some((_, host)), _) => Docker::connect_with_http(host, secs, API_DEFAULT_VERSION),
                (None, _) => return Err(EngineError::new(&options.url, ErrorKind::Address, doing, "no scheme")),
            };
            let docker = docker
                .map_err(|e| self.error(doing, e))?
                .with_request_modifier(url_safe_credentials);
            let docker = docker.negotiate_version().await.map_err(|e| self.error(doing, e))?;
            Ok(docker.with_timeout(options.request_timeout))
        });
        docker.await.cloned()
    }

    /// The client for long transfers, where the answer begins only when the work is done. Asks for a sign of life first,
    /// because the long patience would also be spent on a host that drops our packets.
    async fn patient_docker(&self) -> Result<Docker, EngineError> {
        let docker = self.docker().await?;
        let quick = docker.clone().with_timeout(self.options().connect_timeout);
        quick.ping().await.map_err(|e| self.error("connecting", e))?;
        Ok(docker.with_timeout(self.options().idle_timeout))
    }

    fn silent(&self, doing: &str, after: Duration) -> EngineError {
        EngineError::silent(&self.0.options.url, doing, after)
    }

    fn error(&self, doing: &str, error: bollard::errors::Error) -> EngineError {
        EngineError::from_bollard(&self.0.options.url, doing, error)
    }

    fn fail(&self, kind: ErrorKind, doing: &str, cause: impl Into<String>) -> EngineError {
        EngineError::new(&self.0.options.url, kind, doing, cause)
    }
}

/// bollard writes registry credentials in the standard base64 alphabet; the engine reads the URL-safe one and takes
/// what it cannot read for "no credentials". Some passwords would then be refused for no visible reason.
fn url_safe_credentials(mut request: bollard::BollardRequest) -> bollard::BollardRequest {
    for name in ["x-registry-auth", "x-registry-config"] {
        if let Some(value) = request.headers_mut().get_mut(name)
            && let Ok(text) = value.to_str()
            && let Ok(mut safe) = text.replace('+', "-").replace('/', "_").parse()
        {
            std::mem::swap(value, &mut safe);
            value.set_sensitive(true);
        }
    }
    request
}

/// The registry's host of a reference: what credentials are looked up by. `docker.io` when the reference names none.
fn registry_host(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

/// Repository and tag of a reference; the tag is `None` for a bare name and for a digest.
fn split_tag(reference: &str) -> (&str, Option<&str>) {
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') && !reference.contains('@') => (name, Some(tag)),
        _ => (reference, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked_before_it_is_used() {
        for good in ["unix:///var/run/docker.sock", "tcp://10.0.0.1:2375"] {
            assert!(Engine::connect(&EngineOptions::at(good)).is_ok(), "{good} was refused");
        }
        for bad in [
            "",
            "/var/run/docker.sock",
            "unix://docker.sock",
            "ssh://host",
            "https://host:2376",
            "tcp://",
        ] {
            let error = Engine::connect(&EngineOptions::at(bad)).expect_err(bad);
            assert!(!error.is_transient(), "{bad} would be tried again for ever");
            assert!(
                error.to_string().contains("engine.url"),
                "{error} does not say where to look"
            );
        }
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_named_with_the_cause() {
        for url in ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:1"] {
            let engine = Engine::connect(&EngineOptions::at(url)).expect("a well-formed address");
            let error = engine.version().await.expect_err("nothing listens there");
            assert!(error.is_transient(), "{error} would not be tried again");
            assert!(
                error.to_string().starts_with(&format!("no engine answers at {url}: ")),
                "{error}"
            );
        }
    }

    #[test]
    fn the_host_of_a_reference_is_what_docker_takes_for_it() {
        assert_eq!(registry_host("127.0.0.1:5000/base/jdk@sha256:00"), "127.0.0.1:5000");
        assert_eq!(registry_host("registry.example.com/a/b:1"), "registry.example.com");
        assert_eq!(registry_host("localhost/a"), "localhost");
        assert_eq!(registry_host("library/tomcat:10"), "docker.io");
        assert_eq!(registry_host("tomcat"), "docker.io");
    }

    #[test]
    fn the_port_of_a_registry_is_no_tag() {
        assert_eq!(split_tag("127.0.0.1:5000/a"), ("127.0.0.1:5000/a", None));
        assert_eq!(split_tag("127.0.0.1:5000/a:7"), ("127.0.0.1:5000/a", Some("7")));
        assert_eq!(split_tag("a@sha256:00"), ("a@sha256:00", None));
    }
}
