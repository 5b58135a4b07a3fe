//! One run of Maven for two stages: tests come first in Maven's own order, packaging follows.
//!
//! Starting Maven a second time costs more than all the tests of a small project, so the stages are told apart by what
//! Maven prints. The run goes on in a task of its own while stage "unit test" ends and stage "package" begins.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::plan::BuildPlan;
use super::{Run, StageError, build_container, services};
use crate::clients::engine::{BuildContainer, EngineError, Exit, Program};
use crate::maven::{Console, Ended, Event};
use crate::model::Stage;

/// Maven at work, or done.
pub(super) struct MavenRun {
    /// Where it works.
    pub container: Arc<BuildContainer>,
    /// What its tests may talk to.
    services: Vec<Program>,
    console: Arc<Mutex<Console>>,
    stage: Arc<Mutex<Stage>>,
    packaging: Option<oneshot::Receiver<()>>,
    task: JoinHandle<Result<Exit, EngineError>>,
}

impl MavenRun {
    /// Starts Maven.
    pub fn start(
        run: &Run,
        container: BuildContainer,
        services: Vec<Program>,
        source: &std::path::Path,
        plan: &BuildPlan,
    ) -> Self {
        let container = Arc::new(container);
        let console = Arc::new(Mutex::new(Console::in_directory(build_container::SOURCE)));
        let stage = Arc::new(Mutex::new(Stage::UnitTest));
        let (tell, packaging) = oneshot::channel();
        let task = {
            let (container, console, stage) = (Arc::clone(&container), Arc::clone(&console), Arc::clone(&stage));
            let (log, cancel) = (run.log.clone(), run.cancel.clone());
            let command = build_container::command(run, source, plan);
            log.line(Some(Stage::UnitTest), &format!("$ {}", command.argv.join(" ")));
            let mut tell = Some(tell);
            tokio::spawn(async move {
                let on_line = |line: crate::clients::engine::Line| {
                    let event = console.lock().unwrap_or_else(PoisonError::into_inner).line(&line.text);
                    if let Some(Event::Packaging(_)) = event {
                        *stage.lock().unwrap_or_else(PoisonError::into_inner) = Stage::Package;
                        if let Some(tell) = tell.take() {
                            let _ = tell.send(());
                        }
                    }
                    log.line(Some(*stage.lock().unwrap_or_else(PoisonError::into_inner)), &line.text);
                };
                container.exec(&command, &cancel, on_line).await
            })
        };
        Self {
            container,
            services,
            console,
            stage,
            packaging: Some(packaging),
            task,
        }
    }

    /// Waits until the tests are over. `true`: packaging has begun; `false`: Maven has ended (or will at once).
    pub async fn tests_over(&mut self) -> bool {
        match self.packaging.take() {
            // The sender is dropped without a word when Maven ends.
            Some(packaging) => packaging.await.is_ok(),
            None => true,
        }
    }

    /// Waits for the end of Maven.
    pub async fn ended(&mut self, run: &Run) -> Result<Ended, StageError> {
        let exit = (&mut self.task)
            .await
            .map_err(|error| StageError::world(format!("the watch over Maven broke: {error}")))??;
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Stage::Package;
        let limits = &run.pipeline.limits;
        Ok(match exit {
            Exit::Code(code) => Ended::Code(code),
            Exit::OutOfMemory => Ended::OutOfMemory,
            Exit::TimedOut => Ended::TimedOut { after: limits.time },
            Exit::LogLimit => Ended::LogLimit { bytes: limits.log },
            Exit::DiskLimit => Ended::DiskLimit { bytes: limits.disk },
            Exit::Cancelled => return Err(StageError::Stopped),
        })
    }

    /// Removes what the tests talked to.
    pub async fn end_services(&mut self) -> Result<(), StageError> {
        services::end(std::mem::take(&mut self.services)).await
    }

    /// What Maven printed so far, understood.
    pub fn console<T>(&self, look: impl FnOnce(&Console) -> T) -> T {
        look(&self.console.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for MavenRun {
    fn drop(&mut self) {
        // The container itself is removed at the end of the run, by its owner's labels.
        self.task.abort();
    }
}
