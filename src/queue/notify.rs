//! Lane `notify`: one claim is one thing to tell to somebody.

use super::Workers;
use crate::store::jobs::{self, Claim};

/// After so many failures (about two days) nobody waits for the news any more.
const GIVE_UP: i32 = 300;

impl Workers {
    pub(super) async fn tell(&self, claim: &Claim) {
        let told = match claim.subject.parse() {
            Ok(subject) => self.notifier.tell(subject).await,
            Err(error) => {
                tracing::error!(%error, "a job of the lane notify that cannot be understood is dropped");
                Ok(())
            }
        };
        match told {
            Ok(()) => {
                if let Err(error) = jobs::finish(&self.parts.pool, claim).await {
                    tracing::warn!(subject = claim.subject, %error, "told, but not noted; it is looked at again later");
                }
            }
            Err(error) if error.is_transient() && claim.failures < GIVE_UP => {
                let least = error.retry_after().unwrap_or_default();
                self.retry(claim, &error.to_string(), least).await;
            }
            Err(error) => {
                tracing::error!(subject = claim.subject, %error, "given up");
                let _ = jobs::finish(&self.parts.pool, claim).await;
            }
        }
    }
}
