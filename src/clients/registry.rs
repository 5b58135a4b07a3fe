//! Registries of images, by the distribution specification: what a tag means now, and what an image says of itself.
//!
//! Nothing is pulled here but manifests and configurations. One client of the library serves one call: it keeps the
//! first credentials that it is given for a host for ever, good or bad.

use std::collections::BTreeMap;
use std::time::Duration;

use oci_distribution::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_distribution::errors::{OciDistributionError, OciErrorCode};
use oci_distribution::secrets::RegistryAuth;
use oci_distribution::{Client, Reference, RegistryOperation};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::certificates::Certificates;
use super::http::explain_chain;
use crate::config::{Account, Config};
use crate::model::Digest;

/// No call here moves more than a few kilobytes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to do about a [`RegistryError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryErrorKind {
    /// Not an image reference.
    Name,
    /// It did not answer, or only with an excuse: worth another try.
    Unreachable,
    /// It refuses this account.
    Refused,
    /// It answered something that is not in the specification.
    Strange,
}

/// An error of a registry: what was asked of whom, the cause, and what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{doing}: {cause}")]
pub struct RegistryError {
    kind: RegistryErrorKind,
    doing: String,
    cause: String,
}

impl RegistryError {
    /// What to do about it.
    pub fn kind(&self) -> RegistryErrorKind {
        self.kind
    }

    /// May the same call succeed later?
    pub fn is_transient(&self) -> bool {
        self.kind == RegistryErrorKind::Unreachable
    }
}

/// What an image's configuration says (image specification, "OCI Image Configuration").
#[derive(Debug, Clone)]
pub struct ImageConfig {
    /// Digest of the manifest that was read; for an index, of the one for linux/amd64.
    pub digest: Digest,
    /// Digest of the configuration: the engine's image id.
    pub config_digest: Digest,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// The registries that the configuration names.
#[derive(Debug, Clone)]
pub struct Registry {
    roots: Vec<Vec<u8>>,
    plain_http: Vec<String>,
    accounts: BTreeMap<String, Account>,
}

impl Registry {
    /// Accounts and transports from the configuration; authorities from the system and the house.
    pub fn new(config: &Config, certificates: &Certificates) -> Self {
        let hosts: Vec<String> = config
            .mirror_hosts()
            .chain([config.registry_host()])
            .map(str::to_owned)
            .collect();
        Self {
            roots: certificates.iter().map(|certificate| certificate.to_vec()).collect(),
            plain_http: hosts.iter().filter(|host| config.plain_http(host)).cloned().collect(),
            accounts: hosts
                .into_iter()
                .filter_map(|host| Some((host.clone(), config.account_for(&host)?.clone())))
                .collect(),
        }
    }

    /// The digest that this name has now (HEAD of its manifest); `None` when there is no such image.
    ///
    /// # Errors
    /// The registry is away, refuses the account or answers strangely.
    pub async fn digest(&self, image: &str) -> Result<Option<Digest>, RegistryError> {
        let doing = format!("asking the registry for {image}");
        let asked = self.asked(image, &doing)?;
        let answer = patiently(
            &doing,
            asked.client.fetch_manifest_digest(&asked.reference, &asked.auth),
        )
        .await;
        match answer {
            Ok(digest) => parse(&digest, &doing).map(Some),
            Err(Answer::NotThere) => Ok(None),
            Err(Answer::Wrong(error)) => Err(error),
        }
    }

    /// Manifest and configuration of an image; no layer is pulled. `None` when there is no such image.
    ///
    /// # Errors
    /// The registry is away, refuses the account or answers strangely.
    pub async fn config(&self, image: &str) -> Result<Option<ImageConfig>, RegistryError> {
        #[derive(Deserialize)]
        struct File {
            config: Option<Inner>,
        }
        #[derive(Deserialize)]
        struct Inner {
            #[serde(rename = "Labels")]
            labels: Option<BTreeMap<String, String>>,
        }
        let doing = format!("reading the configuration of {image}");
        let asked = self.asked(image, &doing)?;
        let answer = patiently(
            &doing,
            asked.client.pull_manifest_and_config(&asked.reference, &asked.auth),
        )
        .await;
        let (manifest, digest, config) = match answer {
            Ok(found) => found,
            Err(Answer::NotThere) => return Ok(None),
            Err(Answer::Wrong(error)) => return Err(error),
        };
        let file: File = serde_json::from_str(&config).map_err(|error| {
            strange(
                &doing,
                format!("the configuration is not what the specification says: {error}"),
            )
        })?;
        Ok(Some(ImageConfig {
            digest: parse(&digest, &doing)?,
            config_digest: parse(&manifest.config.digest, &doing)?,
            labels: file.config.and_then(|config| config.labels).unwrap_or_default(),
        }))
    }

    /// Does a registry answer at this host, and does it let our account in? The probe asks for an image that hardly
    /// exists below `repository` (`host/path`).
    ///
    /// # Errors
    /// As [`Registry::digest`].
    pub async fn check(&self, repository: &str) -> Result<(), RegistryError> {
        let image = format!("{repository}/seaworthy-check:none");
        let doing = format!("greeting the registry at {repository}");
        let asked = self.asked(&image, &doing)?;
        // Against a token server the reason of a refusal shows only here.
        match patiently(
            &doing,
            asked
                .client
                .auth(&asked.reference, &asked.auth, RegistryOperation::Pull),
        )
        .await
        {
            Err(Answer::Wrong(error)) => Err(error),
            _ => self.digest(&image).await.map(drop),
        }
    }

    fn asked(&self, image: &str, doing: &str) -> Result<Asked, RegistryError> {
        let reference: Reference = image.parse().map_err(|error| RegistryError {
            kind: RegistryErrorKind::Name,
            doing: doing.to_owned(),
            cause: format!("{image:?} is no name of an image: {error}"),
        })?;
        let host = reference.registry();
        let auth = match self.accounts.get(host) {
            Some(account) => RegistryAuth::Basic(account.username.clone(), account.password.expose_secret().to_owned()),
            None => RegistryAuth::Anonymous,
        };
        let config = ClientConfig {
            protocol: ClientProtocol::HttpsExcept(self.plain_http.clone()),
            extra_root_certificates: self
                .roots
                .iter()
                .map(|der| Certificate {
                    encoding: CertificateEncoding::Der,
                    data: der.clone(),
                })
                .collect(),
            connect_timeout: Some(Duration::from_secs(10)),
            read_timeout: Some(PATIENCE),
            user_agent: concat!("seaworthy/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(|error| strange(doing, error.to_string()))?;
        Ok(Asked {
            client,
            reference,
            auth,
        })
    }
}

struct Asked {
    client: Client,
    reference: Reference,
    auth: RegistryAuth,
}

enum Answer {
    NotThere,
    Wrong(RegistryError),
}

async fn patiently<T>(doing: &str, call: impl Future<Output = Result<T, OciDistributionError>>) -> Result<T, Answer> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(classify(doing, &error)),
        Err(_) => Err(Answer::Wrong(RegistryError {
            kind: RegistryErrorKind::Unreachable,
            doing: doing.to_owned(),
            cause: format!("no answer within {PATIENCE:?}"),
        })),
    }
}

fn classify(doing: &str, error: &OciDistributionError) -> Answer {
    use OciDistributionError as E;
    let refused = "the registry refuses this account: check username and password of [registry] or [base_images]";
    let (kind, cause) = match error {
        E::ImageManifestNotFoundError(_) => return Answer::NotThere,
        E::ServerError { code: 404, .. } => return Answer::NotThere,
        E::RegistryError { envelope, .. } => {
            let is = |wanted: &[OciErrorCode]| envelope.errors.iter().any(|error| wanted.contains(&error.code));
            if is(&[
                OciErrorCode::ManifestUnknown,
                OciErrorCode::NameUnknown,
                OciErrorCode::NotFound,
            ]) {
                return Answer::NotThere;
            }
            if is(&[OciErrorCode::Unauthorized, OciErrorCode::Denied]) {
                (RegistryErrorKind::Refused, refused.to_owned())
            } else if is(&[OciErrorCode::Toomanyrequests]) {
                (RegistryErrorKind::Unreachable, "it is asked too often".to_owned())
            } else {
                (RegistryErrorKind::Strange, envelope.to_string())
            }
        }
        E::UnauthorizedError { .. } | E::AuthenticationFailure(_) | E::ServerError { code: 401 | 403, .. } => {
            (RegistryErrorKind::Refused, refused.to_owned())
        }
        E::ServerError { code, message, .. } if matches!(code, 408 | 429 | 500..=599) => (
            RegistryErrorKind::Unreachable,
            format!("it answers {code}: {}", message.trim()),
        ),
        E::RequestError(error) => (RegistryErrorKind::Unreachable, explain_chain(error)),
        E::IoError(error) => (RegistryErrorKind::Unreachable, error.to_string()),
        other => (RegistryErrorKind::Strange, other.to_string()),
    };
    Answer::Wrong(RegistryError {
        kind,
        doing: doing.to_owned(),
        cause,
    })
}

fn parse(digest: &str, doing: &str) -> Result<Digest, RegistryError> {
    digest
        .parse()
        .map_err(|error: crate::model::Invalid| strange(doing, error.to_string()))
}

fn strange(doing: &str, cause: String) -> RegistryError {
    RegistryError {
        kind: RegistryErrorKind::Strange,
        doing: doing.to_owned(),
        cause,
    }
}
