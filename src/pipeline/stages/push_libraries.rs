//! Beside the boot check: libraries that are new go to the registry, because they are nearly all of an image. Whoever pushes
//! the image then finds them there.
//!
//! They lie in a repository of their own, under the checksum of what they are: what is not yet checked is not among the
//! images. That they are there is no condition for anything, so whatever goes wrong is told and no more.

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::model::Digest;
use crate::pipeline::Run;

/// Digits of the checksum in the tag.
const DIGITS: usize = 16;

/// A push that goes on; dropped, it ends, and what it is pushed by is tidied away.
#[derive(Debug)]
pub(in crate::pipeline) struct EarlyPush {
    task: JoinHandle<Result<(), String>>,
    _stop: DropGuard,
}

impl EarlyPush {
    /// Begins to push the foundation of this name and checksum, if the house wants it.
    pub(super) fn begin(run: &Run, name: &str, checksum: &Digest) -> Option<Self> {
        let repository = run.parts.config.registry.libraries_repository()?;
        let reference = format!("{repository}:{}", &checksum.hex()[..DIGITS]);
        let (engine, login, name) = (run.parts.engine.clone(), run.parts.login(&reference), name.to_owned());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let pushed = engine
                .push_foundation(&name, &reference, login.as_ref(), &stopped)
                .await;
            pushed.map_err(|error| error.to_string())
        });
        Some(Self {
            task,
            _stop: stop.drop_guard(),
        })
    }

    /// Waits for its end.
    pub(super) async fn end(mut self, run: &Run) {
        match (&mut self.task).await {
            Ok(Ok(())) => run.say("The libraries are in the registry already"),
            Ok(Err(error)) => run.say(&format!(
                "The libraries could not be pushed ahead of the image, and go with it: {error}"
            )),
            Err(error) => run.say(&format!("Pushing the libraries ahead of the image broke: {error}")),
        }
    }
}
