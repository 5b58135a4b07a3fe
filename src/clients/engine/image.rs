//! Images on the engine: looked up, pulled when missing, removed.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{ImageInspect, ProgressDetail};
use bollard::query_parameters::{CreateImageOptionsBuilder, RemoveImageOptions};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout};

use super::build::private_name;
use super::progress::Progress;
use super::{Credentials, Engine, EngineError, ErrorKind, Owner, registry_host, split_tag};
use crate::model::Digest;

/// What an image's configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// The engine's id: digest of the configuration.
    pub id: Digest,
    /// Who its process runs as; empty for root.
    pub user: String,
    /// What it runs: its entry point and the command behind it.
    pub command: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Instructions that run in every image built on it: a base must have none.
    pub on_build: Vec<String>,
    /// Has it a health check?
    pub has_health_check: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The signal by which it is stopped; empty for the engine's usual one.
    pub stop_signal: String,
    /// Its working directory; may be empty.
    pub working_dir: String,
    /// `repository@digest` of each registry that it came from or went to.
    pub repo_digests: Vec<String>,
    /// Bytes, unpacked.
    pub size: u64,
}

impl Engine {
    /// The image's configuration, or nothing when the engine does not have it.
    pub async fn inspect_image(&self, reference: &str) -> Result<Option<ImageInfo>, EngineError> {
        let doing = format!("looking at the image {reference}");
        let docker = self.docker().await?;
        match docker.inspect_image(reference).await {
            Ok(seen) => self.info(seen, &doing).map(Some),
            Err(error) => match self.error(&doing, error) {
                error if error.kind() == ErrorKind::Missing => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Pulls the image when the engine does not have it; a tag that is there is not looked up again.
    pub async fn ensure_image(
        &self,
        reference: &str,
        credentials: Option<&Credentials>,
        mut on_line: impl FnMut(String),
    ) -> Result<ImageInfo, EngineError> {
        if let Some(info) = self.inspect_image(reference).await? {
            return Ok(info);
        }
        let doing = format!("pulling {reference}");
        // A name without a tag means all tags here, unlike on the command line.
        let wanted = match split_tag(reference) {
            (name, None) if !name.contains('@') => format!("{name}:latest"),
            _ => reference.to_owned(),
        };
        let docker = self.patient_docker().await?;
        let options = CreateImageOptionsBuilder::new().from_image(&wanted).build();
        let login = credentials.map(|c| c.for_engine(registry_host(reference)));
        let mut stream = docker.create_image(Some(options), None, login);
        let mut progress = Progress::default();
        let idle = self.options().idle_timeout;
        loop {
            let message = match timeout(idle, stream.next()).await {
                Err(_) => return Err(self.silent(&doing, idle)),
                Ok(None) => break,
                Ok(Some(message)) => message.map_err(|e| self.error(&doing, e).of_registry())?,
            };
            let (id, status) = (message.id.as_deref(), message.status.as_deref().unwrap_or_default());
            if let Some(line) = progress.update(id, status, amounts(message.progress_detail), Instant::now()) {
                on_line(line);
            }
        }
        let info = self.inspect_image(reference).await?;
        info.ok_or_else(|| {
            self.fail(
                ErrorKind::Internal,
                &doing,
                "the pull ended without an error and without the image",
            )
        })
    }

    /// Takes the name off an image, and the image away when it was its last one. With an owner, the private name that the
    /// build gave it goes too. Not there is success; an image that a container runs on stays, which is an error.
    pub async fn remove_image(&self, reference: &str, owner: Option<&Owner>) -> Result<(), EngineError> {
        let docker = self.docker().await?;
        let names = [reference.to_owned()].into_iter().chain(owner.map(private_name));
        for name in names {
            let done = docker.remove_image(&name, None::<RemoveImageOptions>, None).await;
            match done.map_err(|e| self.error(&format!("removing the image {name}"), e)) {
                Err(error) if error.kind() != ErrorKind::Missing => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn info(&self, seen: ImageInspect, doing: &str) -> Result<ImageInfo, EngineError> {
        let id = seen.id.unwrap_or_default();
        let id = id
            .parse()
            .map_err(|e| self.fail(ErrorKind::Internal, doing, format!("{e}")))?;
        let config = seen.config.unwrap_or_default();
        let labels: HashMap<_, _> = config.labels.unwrap_or_default();
        Ok(ImageInfo {
            id,
            user: config.user.unwrap_or_default(),
            command: [config.entrypoint, config.cmd]
                .into_iter()
                .flatten()
                .flatten()
                .collect(),
            env: config.env.unwrap_or_default(),
            on_build: config.on_build.unwrap_or_default(),
            // `["NONE"]` takes away what a base had.
            has_health_check: config
                .healthcheck
                .and_then(|health| health.test)
                .is_some_and(|test| test.first().is_some_and(|kind| kind != "NONE")),
            labels: labels.into_iter().collect(),
            stop_signal: config.stop_signal.unwrap_or_default(),
            working_dir: config.working_dir.unwrap_or_default(),
            repo_digests: seen.repo_digests.unwrap_or_default(),
            size: seen.size.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
        })
    }
}

/// Bytes done and bytes in all of a progress message that has both.
pub(super) fn amounts(detail: Option<ProgressDetail>) -> Option<(u64, u64)> {
    let detail = detail?;
    let number = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
    Some((number(detail.current)?, number(detail.total)?))
}
