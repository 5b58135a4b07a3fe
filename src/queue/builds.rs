//! Lane `build`: one claim is one attempt at one build, from its begin to the record of its end.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Workers;
use super::lease::{Holding, Why, hold};
use crate::advisories;
use crate::build_log;
use crate::intake;
use crate::model::{Build, BuildId, BuildState, Digest, StageState};
use crate::notify::outbox;
use crate::pipeline::{self, Ending, Run, WorldError};
use crate::sbom::{self, Sbom};
use crate::store::builds::BuildRecord;
use crate::store::images::NewImage;
use crate::store::jobs::{self, Claim};
use crate::store::{self, builds, components, images, stages, trunk};
use crate::wake::Event;

/// How long the end of a build is held in hand while the database is away. The work is done: it would be a pity.
const PATIENCE: Duration = Duration::from_secs(120);

/// What becomes of the build and its job.
enum Verdict {
    /// It ends in this state.
    End(BuildState, Ending),
    /// Another attempt, after the world has had time to mend itself.
    Again(WorldError),
    /// Somebody else goes on at once.
    HandBack,
}

impl Workers {
    pub(super) async fn build(&self, claim: Claim) {
        let Ok(id) = claim.subject.parse().map(BuildId) else {
            tracing::error!(
                subject = claim.subject,
                "a job of the lane build without a build's number is dropped"
            );
            let _ = jobs::finish(&self.parts.pool, &claim).await;
            return;
        };
        match self.attempt(id, &claim).await {
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(build = %id, %error, "the attempt ended without a record; the build is taken again when the lease has run out");
            }
        }
        self.parts.hub.tell(Event::Build(id));
        self.parts.hub.tell(Event::Job(jobs::Lane::Notify));
    }

    async fn attempt(&self, id: BuildId, claim: &Claim) -> store::Result<()> {
        let parts = &self.parts;
        let Some(build) = builds::begin(&parts.pool, claim, id, &parts.worker).await? else {
            jobs::finish(&parts.pool, claim).await?;
            return Ok(());
        };
        stages::abandon(&parts.pool, id, build.attempt, StageState::Errored).await?;
        outbox::announce(&mut *parts.pool.acquire().await?, &build.merge_request, id).await?;
        parts.hub.tell(Event::Build(id));
        parts.hub.tell(Event::Job(jobs::Lane::Notify));
        let log = build_log::Writer::open(
            parts.pool.clone(),
            Arc::clone(&parts.hub),
            claim.clone(),
            id,
            &parts.config.build_log,
        )
        .await?;
        if build.attempt > 1 {
            log.line(None, &format!("── attempt {} on {} ──", build.attempt, parts.worker));
        }
        let cancel = CancellationToken::new();
        let (ending, why) = {
            let holding = Holding {
                pool: &parts.pool,
                hub: &parts.hub,
                claim,
                lease: parts.config.worker.lease,
                stop: &self.stop,
                cancel: &cancel,
                listen: Some(Event::Cancel(id)),
            };
            hold(holding, self.run_road(&build, claim, &log, &cancel)).await
        };
        tracing::info!(build = %id, attempt = build.attempt, ?why, ending = ending.name(), "attempt ended");
        // Whoever was stopped is gone before somebody else begins; else the result comes first, because people wait for it.
        let stopped = why.is_some() || matches!(ending, Ending::Stopped);
        if stopped {
            self.tidy(&build).await;
            // The engine finishes what it was told in the moment of the stop; that shows a little later.
            tokio::time::sleep(Duration::from_millis(700)).await;
            self.tidy(&build).await;
        }
        let verdict = self.judge(claim, ending, why.as_ref(), build.attempt);
        if let Verdict::Again(error) = &verdict {
            log.line(
                None,
                &format!("The next attempt begins in {:?}: {error}", self.backoff(claim.failures)),
            );
        }
        log.close().await;
        if why == Some(Why::Lost) {
            return Ok(());
        }
        let recorded = self.record_patiently(&build, claim, verdict, why.as_ref()).await;
        parts.hub.tell(Event::Build(id));
        parts.hub.tell(Event::Job(jobs::Lane::Notify));
        if !stopped {
            self.tidy(&build).await;
        }
        recorded
    }

    /// Removes what this attempt made on the engine and on the disk.
    async fn tidy(&self, build: &Build) {
        self.remove_what_is_left(build.id, |attempt| attempt == build.attempt)
            .await;
        if let Err(error) = self.parts.workspaces.remove(build.id, build.attempt).await {
            tracing::warn!(build = %build.id, %error, "a workspace was not removed; the sweep will");
        }
    }

    /// The road itself with what must be done before it.
    async fn run_road(
        &self,
        build: &Build,
        claim: &Claim,
        log: &build_log::Writer,
        cancel: &CancellationToken,
    ) -> Ending {
        let parts = &self.parts;
        if claim.failures >= parts.config.worker.attempts {
            return Ending::Errored(WorldError {
                message: format!(
                    "{} attempts ended with the death of their worker or an error of the world",
                    claim.failures
                ),
                try_again: false,
            });
        }
        let Some(pipeline) = parts.definitions.pipeline(&build.pipeline) else {
            return Ending::Errored(WorldError {
                message: format!(
                    "pipeline {} is not defined on worker {}: put its file back, or rebuild",
                    build.pipeline, parts.worker
                ),
                try_again: false,
            });
        };
        if build.attempt > 1 {
            self.remove_what_is_left(build.id, |attempt| attempt != build.attempt)
                .await;
        }
        let workspace = match parts.workspaces.create(build.id, build.attempt).await {
            Ok(workspace) => workspace,
            Err(error) => {
                return Ending::Errored(WorldError {
                    message: format!("the worker's disk: {error}"),
                    try_again: true,
                });
            }
        };
        let run = Run::new(
            Arc::clone(parts),
            build.clone(),
            pipeline.clone(),
            self.installation.clone(),
            claim.clone(),
            log.clone(),
            cancel.clone(),
            workspace,
        );
        Ending::from(pipeline::run(&run).await)
    }

    fn judge(&self, claim: &Claim, ending: Ending, why: Option<&Why>, attempt: i32) -> Verdict {
        match (ending, why) {
            // Done is done, even if somebody asked to stop in the last moment.
            (ending @ Ending::Passed(_), _) => Verdict::End(BuildState::Passed, ending),
            (_, Some(Why::Asked(state, _))) => {
                Verdict::End(state.parse().unwrap_or(BuildState::Cancelled), Ending::Stopped)
            }
            (Ending::Stopped | Ending::Errored(_), Some(Why::Shutdown)) => Verdict::HandBack,
            (ending @ Ending::Failed(_), _) => Verdict::End(BuildState::Failed, ending),
            (ending @ Ending::Superseded(_), _) => Verdict::End(BuildState::Superseded, ending),
            (Ending::Errored(error), _) => {
                if error.try_again && claim.failures + 1 < self.parts.config.worker.attempts {
                    Verdict::Again(error)
                } else {
                    let message = format!("{error} (attempt {attempt}, the last one)");
                    let error = WorldError {
                        message,
                        try_again: false,
                    };
                    Verdict::End(BuildState::Errored, Ending::Errored(error))
                }
            }
            (Ending::Stopped, _) => Verdict::HandBack,
        }
    }

    /// Writes the end down, waiting for the database if need be.
    async fn record_patiently(
        &self,
        build: &Build,
        claim: &Claim,
        verdict: Verdict,
        why: Option<&Why>,
    ) -> store::Result<()> {
        let begin = tokio::time::Instant::now();
        loop {
            match self.record(build, claim, &verdict, why).await {
                Err(error) if begin.elapsed() < PATIENCE && !self.stop.is_cancelled() => {
                    tracing::warn!(build = %build.id, %error, "the end of the build waits for the database");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    // Nobody else may take it as long as we can help it.
                    let _ = jobs::heartbeat(&self.parts.pool, claim, self.parts.config.worker.lease).await;
                }
                other => return other,
            }
        }
    }

    /// The result, its image, its mails and the end of the job: together or not at all. A lost claim changes nothing.
    async fn record(&self, build: &Build, claim: &Claim, verdict: &Verdict, why: Option<&Why>) -> store::Result<()> {
        let (id, mr) = (build.id, &build.merge_request);
        let mut tx = self.parts.pool.begin().await?;
        let mut look_again = false;
        if let Verdict::End(..) = verdict {
            trunk::lock(&mut *tx, mr.project_id, &mr.target_branch).await?;
        }
        let held = match verdict {
            Verdict::HandBack => {
                builds::wait_again(&mut *tx, id, None).await?;
                jobs::hand_back(&mut *tx, claim, Duration::ZERO).await?
            }
            Verdict::Again(error) => {
                builds::wait_again(&mut *tx, id, Some(&error.message)).await?;
                let delay = self.backoff(claim.failures);
                jobs::retry(&mut *tx, claim, &error.message, delay).await?
            }
            Verdict::End(state, ending) => {
                let (finding, error) = match ending {
                    Ending::Failed(finding) => (Some(&**finding), None),
                    Ending::Errored(error) => (None, Some(error.message.as_str())),
                    _ => (None, None),
                };
                let ended_by = match (ending, why) {
                    (Ending::Stopped, Some(Why::Asked(_, by))) => Some(by.as_str()),
                    (Ending::Superseded(_), _) => Some("GitLab"),
                    _ => None,
                };
                builds::finish(&mut *tx, id, *state, finding, error, ended_by).await?;
                if let Ending::Passed(product) = ending {
                    let image = NewImage {
                        build: id,
                        application: &product.application,
                        war: &product.war,
                        dockerfile: &product.dockerfile,
                        built: &product.built,
                        pushed: &product.pushed,
                        layers: &product.layers,
                        worker: &self.parts.worker,
                    };
                    images::insert(&mut *tx, &image).await?;
                    record_libraries(&mut tx, id, &product.sbom).await?;
                }
                jobs::finish(&mut *tx, claim).await?
            }
        };
        if !held {
            tracing::warn!(build = %id, "another worker has this build by now: what this one found is dropped");
            return tx.rollback().await;
        }
        if let Some(record) = builds::get(&mut *tx, id).await? {
            self.announce(&mut tx, &record).await?;
        }
        if let Verdict::End(state, _) = verdict {
            look_again = intake::settle(&mut tx, id, *state == BuildState::Passed).await?;
        }
        tx.commit().await?;
        if look_again {
            self.parts.hub.tell(Event::Job(jobs::Lane::Intake));
        }
        Ok(())
    }

    /// Mails and news for GitLab, as part of the transaction.
    async fn announce(&self, tx: &mut sqlx::PgTransaction<'_>, record: &BuildRecord) -> store::Result<()> {
        let build = &record.build;
        outbox::announce(tx, &build.merge_request, build.id).await?;
        if build.state.is_final() {
            let commits = builds::commits(&mut **tx, build.id).await?;
            let pipeline = self.parts.definitions.pipeline(&build.pipeline);
            let more = pipeline.map(|pipeline| pipeline.recipients.clone()).unwrap_or_default();
            outbox::write_mails(tx, record, &commits, &more, &self.parts.config.server.public_url).await?;
        }
        Ok(())
    }

    /// Removes from the engine what attempts at this build left. What cannot be removed now, the sweep removes later.
    async fn remove_what_is_left(&self, build: BuildId, which: impl Fn(i32) -> bool) {
        let leftovers = match self.parts.engine.leftovers(&self.installation).await {
            Ok(leftovers) => leftovers,
            Err(error) => {
                tracing::warn!(%build, %error, "what a build left on the engine is not known now; the sweep will look again");
                return;
            }
        };
        for leftover in leftovers
            .iter()
            .filter(|left| left.owner.build == build && which(left.owner.attempt))
        {
            if let Err(error) = self.parts.engine.remove(leftover).await {
                tracing::warn!(%build, name = leftover.name, %error, "not removed now; the sweep will try again");
            }
        }
    }
}

/// What the image holds, what is known of it, and the document that says so.
async fn record_libraries(tx: &mut sqlx::PgTransaction<'_>, id: BuildId, sbom: &Sbom) -> store::Result<()> {
    let document = sbom.document();
    let compressed = sbom::compress(&document);
    advisories::record(tx, id, &sbom.components()).await?;
    components::keep_document(&mut **tx, id, &Digest::of(&document), document.len(), &compressed).await
}
