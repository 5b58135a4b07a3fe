//! An image from a context: the engine's builder fed with a tar stream, its output as lines.
//!
//! A build's image is made under a private name with the build's number and only then given its real one. A process that
//! dies in between leaves the private name, by which the sweep finds what was *built* here; an image that was only pulled
//! here carries our labels too and is nobody's leftover.

use std::collections::{BTreeMap, HashMap};
use std::io;

use bollard::models::{BuildInfoAux, ImageId};
use bollard::query_parameters::{BuildImageOptionsBuilder, BuilderVersion, TagImageOptionsBuilder};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::error::kind_of;
use super::narrate::Narrator;
use super::{Builder, Credentials, Engine, EngineError, ErrorKind, Owner, split_tag};
use crate::model::{BuildId, Digest};

/// First part of the private name of an image that was built here. Never a registry: `.invalid` is reserved (RFC 2606).
const PRIVATE: &str = "build.seaworthy.invalid/";

/// An image to be built. The context has a `Dockerfile` at its top.
pub struct ImageSpec<C> {
    /// The context as a tar stream.
    pub context: C,
    /// Its name with tag, for example `registry.example.com/qa/basket:mr-7-da156088-12`.
    pub reference: String,
    /// Labels put on top of those of the Dockerfile, verbatim.
    pub labels: BTreeMap<String, String>,
    /// Logins for the bases, by exact host with port. A base that needs none needs no entry.
    pub logins: BTreeMap<String, Credentials>,
    /// Whose build it is; nobody's is an image that outlives the build.
    pub owner: Option<Owner>,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The Dockerfile or what it ran: a failing step, a missing file, bad syntax. Building again gives the same.
    #[error("{0}")]
    Dockerfile(String),
    /// The engine, its disk or a registry.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Engine {
    /// Builds an image and gives its id. Dropping the future cancels the build on the engine.
    pub async fn build_image<C>(
        &self,
        spec: ImageSpec<C>,
        mut on_line: impl FnMut(String),
    ) -> Result<Digest, BuildError>
    where
        C: tokio_stream::Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let doing = format!("building {}", spec.reference);
        let (repository, Some(tag)) = split_tag(&spec.reference) else {
            return Err(self
                .fail(ErrorKind::Refused, &doing, "an image is built with a tag in its name")
                .into());
        };
        let docker = self.patient_docker().await?;
        let private = spec.owner.as_ref().map(private_name);
        let name = private.as_ref().unwrap_or(&spec.reference);
        let labels: HashMap<String, String> = spec.labels.into_iter().collect();
        let options = BuildImageOptionsBuilder::new()
            .dockerfile("Dockerfile")
            .t(name)
            .labels(&labels)
            // What a step fetches would be another thing tomorrow; what an image needs is in its base or its context.
            .networkmode("none")
            .rm(true)
            .forcerm(true);
        let options = match self.options().builder {
            Builder::BuildKit => options
                .version(BuilderVersion::BuilderBuildKit)
                .session(&uuid::Uuid::new_v4().to_string()),
            Builder::Classic => options.version(BuilderVersion::BuilderV1),
        };
        let logins = spec
            .logins
            .iter()
            .map(|(host, login)| (host.clone(), login.for_engine(host)))
            .collect();
        let context = bollard::body_try_stream(spec.context);
        let mut stream = docker.build_image(options.build(), Some(logins), Some(context));
        let mut narrator = Narrator::default();
        let mut built = None;
        let idle = self.options().idle_timeout;
        loop {
            let message = match timeout(idle, stream.next()).await {
                Err(_) => return Err(self.silent(&doing, idle).into()),
                Ok(None) => break,
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => {
                    narrator.finish(&mut on_line);
                    return Err(self.build_error(&doing, error));
                }
            };
            match message.aux {
                Some(BuildInfoAux::BuildKit(status)) => narrator.steps(status, &mut on_line),
                Some(BuildInfoAux::Default(ImageId { id: Some(id) })) => built = Some(id),
                Some(BuildInfoAux::Default(ImageId { id: None })) | None => {}
            }
            if let Some(text) = message.stream {
                narrator.text(&text, &mut on_line);
            }
        }
        narrator.finish(&mut on_line);
        let Some(id) = built else {
            return Err(self
                .fail(
                    ErrorKind::Internal,
                    &doing,
                    "the build ended without an error and without an image",
                )
                .into());
        };
        let id = id
            .parse()
            .map_err(|e| self.fail(ErrorKind::Internal, &doing, format!("{e}")))?;
        if let Some(private) = private {
            let options = TagImageOptionsBuilder::new().repo(repository).tag(tag).build();
            docker
                .tag_image(&private, Some(options))
                .await
                .map_err(|e| self.error(&doing, e))?;
        }
        Ok(id)
    }

    fn build_error(&self, doing: &str, error: bollard::errors::Error) -> BuildError {
        use bollard::errors::Error;
        match &error {
            Error::DockerStreamError { error: text } if is_the_dockerfiles_fault(text) => {
                BuildError::Dockerfile(text.trim().to_owned())
            }
            Error::DockerResponseServerError {
                status_code: 400,
                message,
            } if is_the_dockerfiles_fault(message) => BuildError::Dockerfile(message.trim().to_owned()),
            _ => self.error(doing, error).into(),
        }
    }
}

/// Is the cause in the Dockerfile or in a program that it ran? What is not known for sure is held to be the world's fault:
/// such a build is tried again, while a wrong "failed" sends a developer to look for a mistake that he did not make.
fn is_the_dockerfiles_fault(message: &str) -> bool {
    let text = message.to_ascii_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| text.contains(needle));
    // A step's own exit code comes first: its command line is part of the message and may contain anything.
    if has(&["executor failed running", "the command '", "process \""]) && has(&["exit code: ", "non-zero code: "]) {
        return true;
    }
    if kind_of(message).is_some() {
        return false;
    }
    has(&[
        "dockerfile parse error",
        "dockerfile.v0: failed to create llb definition",
        "failed to compute cache key",
        "failed to calculate checksum",
        "copy failed",
        "add failed",
        "unknown instruction",
        "no build stage",
        "invalid from flag",
        "file with no instructions",
        "the dockerfile (dockerfile) cannot be empty",
        "invalid reference format",
        "error parsing reference",
        "circular dependency",
        "failed to process",
        "syntax error",
    ])
}

/// What the image is called before it has its real name.
pub(super) fn private_name(owner: &Owner) -> String {
    format!("{PRIVATE}{}/{}:{}", owner.installation, owner.build, owner.attempt)
}

/// Whose a private name is; the worker is not in it.
pub(super) fn owner_of(name: &str) -> Option<Owner> {
    let (installation, rest) = name.strip_prefix(PRIVATE)?.split_once('/')?;
    let (build, attempt) = rest.split_once(':')?;
    Some(Owner {
        installation: installation.to_owned(),
        build: BuildId(build.parse().ok()?),
        attempt: attempt.parse().ok()?,
        worker: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_is_the_dockerfiles_fault_and_a_registry_is_not() {
        for text in [
            "executor failed running [/bin/sh -c curl http://x || dial tcp connection refused]: exit code: 7",
            "process \"/bin/sh -c exit 7\" did not complete successfully: exit code: 7",
            "The command '/bin/sh -c exit 7' returned a non-zero code: 7",
            "failed to compute cache key: \"/nope\" not found: not found",
            "COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does not exist",
            "dockerfile parse error line 2: unknown instruction: NOPE",
            "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: unknown instruction: NOPE",
        ] {
            assert!(is_the_dockerfiles_fault(text), "{text}");
        }
        for text in [
            "failed to solve with frontend dockerfile.v0: failed to create LLB definition: failed to do request: Head \"http://127.0.0.1:1/v2/a/manifests/1\": dial tcp 127.0.0.1:1: connect: connection refused",
            "no active session for abc: context deadline exceeded",
            "failed to copy: write /var/lib/docker/x: no space left on device",
            "something nobody has seen before",
        ] {
            assert!(!is_the_dockerfiles_fault(text), "{text}");
        }
    }

    #[test]
    fn a_private_name_leads_back_to_its_owner() {
        let owner = Owner {
            installation: "house".to_owned(),
            build: BuildId(12),
            attempt: 3,
            worker: String::new(),
        };
        assert_eq!(owner_of(&private_name(&owner)), Some(owner));
        assert_eq!(owner_of("registry.example.com/a:1"), None);
    }
}
