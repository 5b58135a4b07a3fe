//! WAR check: the rules of the house, before anything is built from the WAR. Its report is kept, whatever comes of it.

use crate::maven::WarLimits;
use crate::model::WarCheck;
use crate::pipeline::stages::Packed;
use crate::pipeline::stages::render_dockerfile::stack_of;
use crate::pipeline::{Run, StageError};
use crate::standards::{self, CheckError, Subject};
use crate::store;
use crate::store::builds;

pub(in crate::pipeline) async fn check_war(run: &Run, packed: &Packed) -> Result<WarCheck, StageError> {
    let stack = stack_of(run, &packed.war)?.clone();
    let today = store::now(&run.parts.pool).await?.date_naive();
    let (war, siblings) = (packed.war.clone(), packed.siblings.clone());
    let checks = run.pipeline.checks.clone();
    let scratch = run.workspace.results();
    let checked = tokio::task::spawn_blocking(move || {
        let subject = Subject {
            file: &war.file,
            siblings: &siblings,
            servlet: stack.servlet,
            jdk: stack.builder.jdk,
            log_directory: &stack.runtime.log_directory,
            limits: WarLimits::default(),
        };
        standards::check(&subject, &checks, today, &scratch)
    })
    .await;
    let check = match checked.map_err(|error| StageError::world(format!("checking the WAR broke: {error}")))? {
        Ok(check) => check,
        Err(CheckError::Project(finding)) => return Err(StageError::Failed(finding)),
        Err(CheckError::Io(error)) => return Err(error.into()),
    };
    for line in check.lines() {
        run.say(&line);
    }
    run.note(check.summary());
    if !builds::record_war_check(&run.parts.pool, &run.claim, run.build.id, &check).await? {
        return Err(StageError::Stopped);
    }
    match check.finding() {
        Some(finding) => Err(finding.into()),
        None => Ok(check),
    }
}
