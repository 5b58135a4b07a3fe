//! Registries of images, by the distribution specification: what a tag means now, and what an image says of itself.
//!
//! Small questions go through a library: manifests, configurations and the documents that lie beside an image
//! (`referrer`). One client of the library serves one call: it keeps the first credentials that it is given for a host for
//! ever, good or bad. It also hides why a login failed, so a refusal is followed by a login of our own (`login`), which
//! tells a wrong password from a missing right and from a token server that is down.
//!
//! Whole images (`copy`) and long lists (`listing`) go over a conversation of our own (`session`).

mod copy;
mod error;
mod layers;
mod listing;
mod login;
mod referrer;
mod session;
mod trial;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use oci_distribution::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_distribution::errors::OciDistributionError;
use oci_distribution::manifest::{ImageIndexEntry, OciDescriptor, OciImageManifest, OciManifest};
use oci_distribution::secrets::RegistryAuth;
use oci_distribution::{Client, Reference};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use self::session::Login;
use super::certificates::Certificates;
use super::http;
use crate::config::{Account, Config};
use crate::model::{self, Digest, Invalid};

pub use copy::{Arrival, Copied, CopyEvent, Destination};
pub use error::{RegistryError, RegistryErrorKind};
pub use layers::Layer;

/// As good as no limit.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// No call here moves more than a few kilobytes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Larger configurations are none: ours hold a Dockerfile in their labels and stay far below.
const LARGEST_CONFIG: usize = 8 << 20;

/// The platform that is taken from an index of several.
const PLATFORM: &str = "linux/amd64";

/// What an image's configuration says (image specification, "OCI Image Configuration").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageConfig {
    /// Digest of the manifest that was read; for an index, of the one for linux/amd64.
    pub digest: Digest,
    /// Digest of the configuration: the engine's image id.
    pub config_digest: Digest,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was made, if it says so.
    pub created: Option<DateTime<Utc>>,
    /// Operating system and processor, for example `linux/amd64`.
    pub platform: String,
    /// If the name means an index of several platforms: the index, of which the one for linux/amd64 was read.
    pub index: Option<ImageIndex>,
}

/// An index of several platforms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageIndex {
    /// Its digest: what the name itself means.
    pub digest: Digest,
    /// All platforms in it.
    pub platforms: Vec<String>,
}

/// All registries: those that the configuration names with their accounts, any other without.
#[derive(Debug, Clone)]
pub struct Registry {
    certificates: Certificates,
    plain_http: Vec<String>,
    accounts: BTreeMap<String, Account>,
    identity_tokens: BTreeMap<String, SecretString>,
    /// For `session`, made when it is first needed.
    transport: Arc<OnceLock<reqwest::Client>>,
}

impl Registry {
    /// Accounts and transports from the configuration; authorities from the system and the house.
    pub fn new(config: &Config, certificates: &Certificates) -> Self {
        let hosts = || config.registry_hosts().map(str::to_owned);
        Self {
            certificates: certificates.clone(),
            plain_http: hosts().filter(|host| config.plain_http(host)).collect(),
            accounts: hosts()
                .filter_map(|host| Some((host.clone(), config.account_for(&host)?.clone())))
                .collect(),
            identity_tokens: config.registries.identity_tokens.clone(),
            transport: Arc::default(),
        }
    }

    /// Who we are at this host.
    fn login(&self, host: &str) -> Login {
        match (self.accounts.get(host), self.identity_tokens.get(host)) {
            (Some(account), _) => Login::Account(account.clone()),
            (None, Some(token)) => Login::Identity(token.clone()),
            (None, None) => Login::Nobody,
        }
    }

    /// One pool of connections for all sessions.
    fn transport(&self) -> Result<reqwest::Client, reqwest::Error> {
        if let Some(client) = self.transport.get() {
            return Ok(client.clone());
        }
        let client = http::builder(&self.certificates)?
            // Whoever asks decides what is followed, and what is sent there.
            .redirect(reqwest::redirect::Policy::none())
            // A connection for each blob: over one for all, a blob that waits would hold up the others.
            .http1_only()
            // Counted from the request to the answer, and a chunk on a slow line takes long: `session` and `copy` have
            // limits of their own.
            .read_timeout(NEVER)
            .build()?;
        Ok(self.transport.get_or_init(|| client).clone())
    }

    /// The digest that this name has now (HEAD of its manifest); `None` when there is no such image. For an index it is
    /// the index's digest.
    ///
    /// # Errors
    /// The registry is away, refuses the account or answers strangely.
    pub async fn digest(&self, image: &str) -> Result<Option<Digest>, RegistryError> {
        let asked = self.asked(image, format!("asking the registry for {image}"))?;
        let call = asked.client.fetch_manifest_digest(&asked.reference, &asked.auth);
        let Some(digest) = self.patiently(&asked, call).await? else {
            return Ok(None);
        };
        asked.parse(&digest).map(Some)
    }

    /// Manifest and configuration of an image; no layer is pulled. `None` when there is no such image.
    ///
    /// # Errors
    /// The registry is away, refuses the account or answers strangely.
    pub async fn config(&self, image: &str) -> Result<Option<ImageConfig>, RegistryError> {
        let asked = self.asked(image, format!("reading the configuration of {image}"))?;
        let Some((manifest, digest)) = self.manifest(&asked, &asked.reference).await? else {
            return Ok(None);
        };
        let (manifest, digest, index) = match manifest {
            OciManifest::Image(manifest) => (manifest, digest, None),
            OciManifest::ImageIndex(found) => {
                let index = ImageIndex {
                    digest,
                    platforms: found.manifests.iter().filter_map(platform).collect(),
                };
                let Some((manifest, digest)) = self.of_platform(&asked, &found.manifests, &index).await? else {
                    return Ok(None);
                };
                (manifest, digest, Some(index))
            }
        };
        let Some(bytes) = self.blob(&asked, &manifest.config, LARGEST_CONFIG).await? else {
            return Ok(None);
        };
        let file: ConfigFile = serde_json::from_slice(&bytes)
            .map_err(|error| asked.strange(format!("the configuration is not what the specification says: {error}")))?;
        Ok(Some(ImageConfig {
            digest,
            config_digest: asked.parse(&manifest.config.digest)?,
            labels: file.config.and_then(|config| config.labels).unwrap_or_default(),
            created: file.created,
            platform: format!("{}/{}", file.os, file.architecture),
            index,
        }))
    }

    /// Does a registry answer at this host (or `host/path`), and does it let our account in? Returns what it says of
    /// itself.
    ///
    /// # Errors
    /// As [`Registry::digest`].
    pub async fn check(&self, host: &str) -> Result<String, RegistryError> {
        let host = host.split('/').next().unwrap_or(host);
        self.log_in(host).await
    }

    /// The manifest for our platform out of an index.
    async fn of_platform(
        &self,
        asked: &Asked,
        entries: &[ImageIndexEntry],
        index: &ImageIndex,
    ) -> Result<Option<(OciImageManifest, Digest)>, RegistryError> {
        let Some(entry) = entries
            .iter()
            .find(|entry| platform(entry).as_deref() == Some(PLATFORM))
        else {
            let has = index.platforms.join(", ");
            return Err(asked.strange(format!("it is an index without {PLATFORM}; it has: {has}")));
        };
        let reference = asked.reference.clone_with_digest(entry.digest.clone());
        match self.manifest(asked, &reference).await? {
            None => Ok(None),
            Some((OciManifest::Image(manifest), digest)) => Ok(Some((manifest, digest))),
            Some((OciManifest::ImageIndex(_), _)) => Err(asked.strange("it is an index in an index".to_owned())),
        }
    }

    async fn manifest(
        &self,
        asked: &Asked,
        reference: &Reference,
    ) -> Result<Option<(OciManifest, Digest)>, RegistryError> {
        let call = asked.client.pull_manifest(reference, &asked.auth);
        match self.patiently(asked, call).await? {
            Some((manifest, digest)) => Ok(Some((manifest, asked.parse(&digest)?))),
            None => Ok(None),
        }
    }

    /// A blob's bytes, compared with their digest by the library.
    async fn blob(
        &self,
        asked: &Asked,
        descriptor: &OciDescriptor,
        largest: usize,
    ) -> Result<Option<Vec<u8>>, RegistryError> {
        let call = async {
            let mut stream = asked.client.pull_blob_stream(&asked.reference, descriptor).await?;
            let mut bytes = Vec::new();
            while let Some(piece) = stream.try_next().await? {
                if bytes.len() + piece.len() > largest {
                    let text = format!("{} is larger than {largest} bytes", descriptor.media_type);
                    return Err(OciDistributionError::SpecViolationError(text));
                }
                bytes.extend_from_slice(&piece);
            }
            Ok(bytes)
        };
        self.patiently(asked, call).await
    }

    fn asked(&self, image: &str, doing: String) -> Result<Asked, RegistryError> {
        let named: model::Reference = image
            .parse()
            .map_err(|error: Invalid| RegistryError::new(RegistryErrorKind::Name, doing.clone(), error.to_string()))?;
        let (registry, repository) = (named.registry().to_owned(), named.repository().to_owned());
        // The digest says all; a tag beside it is for people.
        let reference = match (named.digest(), named.tag()) {
            (Some(digest), _) => Reference::with_digest(registry, repository, digest.to_owned()),
            (None, tag) => Reference::with_tag(registry, repository, tag.unwrap_or("latest").to_owned()),
        };
        let auth = match self.accounts.get(reference.registry()) {
            Some(account) => RegistryAuth::Basic(account.username.clone(), account.password.expose_secret().to_owned()),
            None => RegistryAuth::Anonymous,
        };
        let config = ClientConfig {
            protocol: ClientProtocol::HttpsExcept(self.plain_http.clone()),
            tls_certs_only: self
                .certificates
                .iter()
                .map(|certificate| Certificate {
                    encoding: CertificateEncoding::Der,
                    data: certificate.to_vec(),
                })
                .collect(),
            connect_timeout: Some(http::CONNECT_TIMEOUT),
            read_timeout: Some(PATIENCE),
            user_agent: http::USER_AGENT,
            ..ClientConfig::default()
        };
        http::install_crypto_provider();
        // Not `Client::new`: it takes a default client where this one cannot be made.
        let client = Client::try_from(config)
            .map_err(|error| RegistryError::new(RegistryErrorKind::Strange, doing.clone(), error.to_string()))?;
        Ok(Asked {
            client,
            reference,
            auth,
            doing,
        })
    }

    async fn patiently<T>(
        &self,
        asked: &Asked,
        call: impl Future<Output = Result<T, OciDistributionError>>,
    ) -> Result<Option<T>, RegistryError> {
        let failed = match tokio::time::timeout(PATIENCE, call).await {
            Ok(Ok(answer)) => return Ok(Some(answer)),
            Ok(Err(error)) => error::classify(error),
            Err(_) => error::Failed::Other(RegistryErrorKind::Unreachable, format!("no answer within {PATIENCE:?}")),
        };
        match failed {
            error::Failed::NotThere => Ok(None),
            error::Failed::Other(kind, cause) => Err(RegistryError::new(kind, asked.doing.clone(), cause)),
            error::Failed::Login => {
                let host = asked.reference.registry();
                let (kind, cause) = match self.log_in(host).await {
                    Ok(_) if self.accounts.contains_key(host) => (
                        RegistryErrorKind::Refused,
                        format!("{host} knows our account, but it has no right to this repository"),
                    ),
                    Ok(_) => (
                        RegistryErrorKind::Refused,
                        format!(
                            "{host} does not show this to everybody: set username and password of [registry] or \
                             [base_images]"
                        ),
                    ),
                    Err(error) => (error.kind(), error.cause().to_owned()),
                };
                Err(RegistryError::new(kind, asked.doing.clone(), cause))
            }
        }
    }
}

/// One call: what, of whom, as who.
struct Asked {
    client: Client,
    reference: Reference,
    auth: RegistryAuth,
    doing: String,
}

impl Asked {
    fn strange(&self, cause: String) -> RegistryError {
        RegistryError::new(RegistryErrorKind::Strange, self.doing.clone(), cause)
    }

    fn parse(&self, digest: &str) -> Result<Digest, RegistryError> {
        digest
            .parse()
            .map_err(|error: crate::model::Invalid| self.strange(error.to_string()))
    }
}

/// The parts of a configuration that count; the library's own type refuses what it does not know.
#[derive(Deserialize)]
struct ConfigFile {
    #[serde(default)]
    created: Option<DateTime<Utc>>,
    os: String,
    architecture: String,
    #[serde(default)]
    config: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(rename = "Labels", default)]
    labels: Option<BTreeMap<String, String>>,
}

/// `linux/amd64`; `None` for entries that are no images (attestations say `unknown/unknown`).
fn platform(entry: &ImageIndexEntry) -> Option<String> {
    let platform = entry.platform.as_ref()?;
    let name = format!("{}/{}", platform.os, platform.architecture);
    (name != "unknown/unknown").then_some(name)
}
