//! One attempt at one build: what its stages may use, and how a stage is told of.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::workspace::Workspace;
use super::{Parts, StageError};
use crate::build_log;
use crate::clients::engine::Owner;
use crate::definition::Pipeline;
use crate::model::{Build, Stage, StageState};
use crate::store;
use crate::store::jobs::Claim;
use crate::wake::Event;

/// One attempt at one build.
pub struct Run {
    /// What all runs share.
    pub parts: Arc<Parts>,
    /// The build as it was when the attempt began.
    pub build: Build,
    /// How it is built.
    pub pipeline: Pipeline,
    /// The mark of this installation on the engine.
    pub installation: String,
    /// The right to write of it.
    pub claim: Claim,
    /// Its log.
    pub log: build_log::Writer,
    /// Cancelled when it shall stop, for whatever reason.
    pub cancel: CancellationToken,
    /// Its directory.
    pub workspace: Workspace,
    /// The stage that is running, and its outcome in a few words.
    now: Mutex<(Option<Stage>, Option<String>)>,
}

impl Run {
    /// An attempt that is about to begin.
    #[expect(clippy::too_many_arguments, reason = "each is a field, and there is one caller")]
    pub fn new(
        parts: Arc<Parts>,
        build: Build,
        pipeline: Pipeline,
        installation: String,
        claim: Claim,
        log: build_log::Writer,
        cancel: CancellationToken,
        workspace: Workspace,
    ) -> Self {
        Self {
            parts,
            build,
            pipeline,
            installation,
            claim,
            log,
            cancel,
            workspace,
            now: Mutex::new((None, None)),
        }
    }

    /// Runs one stage: tells of its begin and end, and gives it up when the run is cancelled.
    ///
    /// # Errors
    /// Those of the stage; [`StageError::Stopped`] when the run is cancelled or belongs to another worker now.
    pub async fn stage<T>(
        &self,
        stage: Stage,
        work: impl Future<Output = Result<T, StageError>>,
    ) -> Result<T, StageError> {
        let (id, attempt) = (self.build.id, self.build.attempt);
        *self.now() = (Some(stage), None);
        if !store::stages::begin(&self.parts.pool, &self.claim, id, attempt, stage).await? {
            return Err(StageError::Stopped);
        }
        self.parts.hub.tell(Event::Build(id));
        let result = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(StageError::Stopped),
            result = work => result,
        };
        let state = match &result {
            Ok(_) => StageState::Passed,
            Err(StageError::Failed(finding)) => {
                self.say(&format!("FAILED: {}", finding.title));
                StageState::Failed
            }
            Err(StageError::World(error)) => {
                self.say(&format!("ERROR, not the project's fault: {error}"));
                StageState::Errored
            }
            Err(StageError::Superseded(why)) => {
                self.say(why);
                StageState::Cancelled
            }
            Err(StageError::Stopped) => StageState::Cancelled,
        };
        let note = std::mem::take(&mut *self.now()).1;
        let ended = store::stages::end(
            &self.parts.pool,
            &self.claim,
            id,
            attempt,
            stage,
            state,
            note.as_deref(),
        )
        .await;
        self.parts.hub.tell(Event::Build(id));
        match (result, ended) {
            (Ok(_), Ok(false)) => Err(StageError::Stopped),
            (Ok(_), Err(error)) => Err(error.into()),
            (result, _) => result,
        }
    }

    /// Adds a line to the log, in the name of the running stage.
    pub fn say(&self, text: &str) {
        let stage = self.now().0;
        self.log.line(stage, text);
    }

    /// A function that adds lines in the name of the running stage, for whoever cannot borrow the run.
    pub fn teller(&self) -> impl FnMut(String) + Send + 'static {
        let log = self.log.clone();
        let stage = self.now().0;
        move |text| log.line(stage, &text)
    }

    /// The outcome of the running stage in a few words, for the page: "14 tests", "12.3 MB".
    pub fn note(&self, text: impl Into<String>) {
        self.now().1 = Some(text.into());
    }

    /// Whose things on the engine are.
    pub fn owner(&self) -> Owner {
        Owner {
            installation: self.installation.clone(),
            build: self.build.id,
            attempt: self.build.attempt,
            worker: self.parts.worker.clone(),
        }
    }

    /// Name of the application: the project's, in the form that a repository's name may have.
    pub fn application(&self) -> String {
        repository_name(self.build.merge_request.project.name())
    }

    /// The image's tag: says merge request or branch, commit and build, and is never used twice.
    pub fn tag(&self) -> String {
        let mr = &self.build.merge_request;
        let of = match mr.iid {
            Some(iid) => format!("mr-{iid}"),
            None => tag_part(&mr.target_branch),
        };
        format!("{of}-{}-{}", mr.head.short(), self.build.id)
    }

    /// The image's whole name.
    pub fn reference(&self) -> String {
        let repository = &self.parts.config.registry.repository;
        format!("{repository}/{}:{}", self.application(), self.tag())
    }

    fn now(&self) -> std::sync::MutexGuard<'_, (Option<Stage>, Option<String>)> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A project's name by the grammar of repository names (distribution specification, "Pulling manifests"): lower case;
/// letters and digits, separated by one of `.`, `_`, `__` or any number of `-`.
fn repository_name(name: &str) -> String {
    let mut result = String::new();
    let mut parts = name.to_lowercase();
    parts.retain(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    for c in parts.trim_matches(|c: char| !c.is_ascii_alphanumeric()).chars() {
        let after_separator = result.ends_with(['.', '_', '-']);
        match c {
            '.' | '_' if after_separator => {}
            '-' if result.ends_with(['.', '_']) => {}
            c => result.push(c),
        }
    }
    if result.is_empty() {
        "application".to_owned()
    } else {
        result
    }
}

/// A branch's name as the beginning of a tag, which may have 128 characters: the rest takes at most 29.
fn tag_part(branch: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let part: String = branch
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .take(90)
        .collect();
    match part.trim_start_matches(['.', '-']) {
        "" => "branch".to_owned(),
        part => part.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{repository_name, tag_part};

    #[test]
    fn a_branch_becomes_the_beginning_of_a_tag() {
        for (branch, part) in [
            ("main", "main"),
            ("release/2.x", "release-2.x"),
            ("dépôt", "d-p-t"),
            ("-.a", "a"),
            ("日本", "branch"),
        ] {
            assert_eq!(tag_part(branch), part);
        }
        assert_eq!(tag_part(&"a".repeat(500)).len(), 90);
    }

    #[test]
    fn a_project_name_becomes_the_name_of_a_repository() {
        for (project, repository) in [
            ("basket", "basket"),
            ("Basket_Web", "basket_web"),
            ("a.-b", "a.b"),
            ("a--b", "a--b"),
            ("_x_", "x"),
            ("...", "application"),
        ] {
            assert_eq!(repository_name(project), repository);
        }
    }
}
