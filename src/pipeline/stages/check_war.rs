//! WAR check: what is in the WAR, which stack can run it, and the rules of the house, before anything is built from it.
//! The report is kept, whatever comes of it.

use std::sync::Arc;

use crate::definition::Stack;
use crate::maven::{WarLimits, war};
use crate::model::WarCheck;
use crate::pipeline::layout::Layout;
use crate::pipeline::plan;
use crate::pipeline::stages::Packed;
use crate::pipeline::stages::package::looked;
use crate::pipeline::stages::take_inventory::Inventory;
use crate::pipeline::{Run, StageError};
use crate::project::{self, ChosenStack};
use crate::sbom::Sbom;
use crate::standards::{self, CheckError, Subject};
use crate::store;
use crate::store::builds;

/// Longest label with the grounds for the stack, in characters. Some container runtimes refuse labels of 4 KiB.
const EVIDENCE: usize = 1000;

/// A WAR that may go into an image.
#[derive(Debug)]
pub(in crate::pipeline) struct Checked {
    /// What it runs on.
    pub stack: Arc<Stack>,
    /// On what grounds, for a label.
    pub stack_evidence: String,
    /// Where its files go in the image.
    pub layout: Layout,
    /// What the rules of the house say of it.
    pub report: WarCheck,
    /// The libraries in it.
    pub sbom: Sbom,
    /// The waivers that set bans or vulnerabilities of them aside.
    pub library_waivers: Vec<String>,
}

pub(in crate::pipeline) async fn check_war(
    run: &Run,
    packed: &Packed,
    inventory: Inventory,
) -> Result<Checked, StageError> {
    let (file, siblings) = (packed.war.file.clone(), packed.siblings.clone());
    let war = packed.war.clone();
    // Both read the whole archive; neither needs the other.
    let (surveyed, code) = tokio::join!(
        tokio::task::spawn_blocking(move || Layout::survey(&file, &siblings)),
        tokio::task::spawn_blocking(move || war::bytecode(&war, WarLimits::default())),
    );
    let layout = surveyed.map_err(|error| StageError::world(format!("looking into the WAR broke: {error}")))???;
    for line in layout.told() {
        run.say(&line);
    }
    let chosen = project::runtime(&run.pipeline, &packed.war, &looked(code)?, packed.built_with)?;
    let ChosenStack { stack, choice } = chosen;
    let stack_evidence = choice.grounds(EVIDENCE);
    plan::choose(run, &mut packed.choices.clone(), choice).await?;
    let (report, counted) = tokio::join!(report(run, packed, &stack), inventory.end(run, &packed.war));
    let report = report?;
    for line in report.lines() {
        run.say(&line);
    }
    run.note(report.summary());
    if !builds::record_war_check(&run.parts.pool, &run.claim, run.build.id, &report).await? {
        return Err(StageError::Stopped);
    }
    let (sbom, library_waivers) = counted?;
    match report.finding() {
        Some(finding) => Err(finding.into()),
        None => Ok(Checked {
            stack,
            stack_evidence,
            layout,
            report,
            sbom,
            library_waivers,
        }),
    }
}

/// The WAR against the rules, with the pipeline's severities and waivers.
async fn report(run: &Run, packed: &Packed, stack: &Arc<Stack>) -> Result<WarCheck, StageError> {
    let today = store::now(&run.parts.pool).await?.date_naive();
    let (war, siblings) = (packed.war.clone(), packed.siblings.clone());
    let (checks, stack) = (run.pipeline.checks.clone(), Arc::clone(stack));
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
    match checked.map_err(|error| StageError::world(format!("checking the WAR broke: {error}")))? {
        Ok(report) => Ok(report),
        Err(CheckError::Project(finding)) => Err(StageError::Failed(finding)),
        Err(CheckError::Io(error)) => Err(error.into()),
    }
}
