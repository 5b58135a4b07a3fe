//! An image to its registry.

use bollard::query_parameters::PushImageOptionsBuilder;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout};

use super::image::amounts;
use super::progress::Progress;
use super::{Credentials, Engine, EngineError, ErrorKind, registry_host, split_tag};
use crate::model::Digest;

impl Engine {
    /// Pushes `registry/repository:tag` and gives the manifest's digest as the engine tells it. Whoever relies on the
    /// digest asks the registry too.
    pub async fn push(
        &self,
        reference: &str,
        credentials: Option<&Credentials>,
        mut on_line: impl FnMut(String),
    ) -> Result<Digest, EngineError> {
        let doing = format!("pushing {reference}");
        let (repository, Some(tag)) = split_tag(reference) else {
            return Err(self.fail(ErrorKind::Refused, &doing, "a reference without a tag cannot be pushed"));
        };
        let docker = self.patient_docker().await?;
        let options = PushImageOptionsBuilder::new().tag(tag).build();
        let login = credentials.map(|c| c.for_engine(registry_host(reference)));
        let mut stream = docker.push_image(repository, Some(options), login);
        let mut progress = Progress::default();
        let mut digest = None;
        let idle = self.options().idle_timeout;
        loop {
            let message = match timeout(idle, stream.next()).await {
                Err(_) => return Err(self.silent(&doing, idle)),
                Ok(None) => break,
                Ok(Some(message)) => message.map_err(|e| self.error(&doing, e).of_registry())?,
            };
            let Some(status) = message.status else { continue };
            // The message that has the digest as a field is one that the client library does not know.
            digest = digest_in(&status, tag).or(digest);
            if let Some(line) = progress.update_nameless(&status, amounts(message.progress_detail), Instant::now()) {
                on_line(line);
            }
        }
        digest.ok_or_else(|| {
            self.fail(
                ErrorKind::Internal,
                &doing,
                "the push ended without an error and without a digest",
            )
        })
    }
}

/// `mr-7-da156088-12: digest: sha256:… size: 737`
fn digest_in(status: &str, tag: &str) -> Option<Digest> {
    status
        .strip_prefix(tag)?
        .strip_prefix(": digest: ")?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_read_from_the_line_of_this_tag() {
        let digest = Digest::of(b"manifest");
        assert_eq!(
            digest_in(&format!("mr-7: digest: {digest} size: 737"), "mr-7"),
            Some(digest)
        );
        assert_eq!(digest_in("mr-7: digest: sha256:00 size: 737", "mr-7"), None);
        assert_eq!(digest_in("Pushed", "mr-7"), None);
    }
}
