//! Beside the other looks into the WAR: which libraries are in the WAR, is one of them banned, what is known to be wrong with them.

use std::path::PathBuf;

use tokio::task::JoinHandle;

use crate::advisories;
use crate::model::{Finding, War};
use crate::pipeline::libraries::{self, LISTED};
use crate::pipeline::{Run, StageError};
use crate::sbom::{self, Entry, Limits, Sbom, SbomError};
use crate::store;
use crate::store::builds;

/// Looking into the WAR, on a thread of its own: it takes as long as the other checks of the WAR.
#[derive(Debug)]
pub(in crate::pipeline) struct Inventory(JoinHandle<Result<Vec<Entry>, SbomError>>);

impl Inventory {
    /// Begins to look.
    pub(super) fn begin(run: &Run, file: PathBuf) -> Self {
        let scratch = run.workspace.results();
        Self(tokio::task::spawn_blocking(move || {
            sbom::read(&file, &scratch, Limits::default())
        }))
    }

    /// What there is, and the waivers that set something aside; a banned library fails the build, known vulnerabilities do if
    /// the pipeline says so.
    pub(super) async fn end(self, run: &Run, war: &War) -> Result<(Sbom, Vec<String>), StageError> {
        let found = self.0.await;
        let found =
            found.map_err(|error| StageError::world(format!("looking for libraries in the WAR broke: {error}")))?;
        let entries = found.map_err(|error| match error {
            SbomError::Broken(why) => StageError::from(Finding::new(
                "war-broken",
                format!("{} {why}", war.path),
                "Unpack it on your desk (jar tf …) and look at the jars in WEB-INF/lib.",
            )),
            error @ SbomError::Io { .. } => StageError::world(format!("the worker's disk: {error}")),
        })?;
        let sbom = Sbom::new(war, entries);
        tell(run, &sbom);
        let known = advisories::vulnerable(&run.parts.pool, &sbom.components()).await?;
        let today = store::now(&run.parts.pool).await?.date_naive();
        let judged = libraries::judge(&sbom, &known, &run.pipeline, today);
        let mut remarks = Vec::new();
        // Before anything ends the build: what is set aside is told of a red build too.
        if let Some(waived) = judged.waived {
            say(run, &waived);
            remarks.push(waived);
        }
        let mut ends = judged.banned;
        if let Some((finding, worst)) = judged.vulnerable {
            say(run, &finding);
            match run.pipeline.fail_from.is_some_and(|from| worst >= from) {
                true if ends.is_none() => ends = Some(finding),
                _ => remarks.push(finding),
            }
        }
        if !remarks.is_empty() && !builds::add_remarks(&run.parts.pool, &run.claim, run.build.id, &remarks).await? {
            return Err(StageError::Stopped);
        }
        match ends {
            Some(finding) => Err(finding.into()),
            None => Ok((sbom, judged.waivers)),
        }
    }
}

fn say(run: &Run, remark: &Finding) {
    run.say(&format!("NOTE: {}", remark.title));
    for line in &remark.detail {
        run.say(&format!("      {line}"));
    }
}

fn tell(run: &Run, sbom: &Sbom) {
    run.say(&format!(
        "{} libraries in the bill of materials",
        sbom.components().len()
    ));
    for entry in sbom.entries.iter().filter(|entry| entry.note.is_some()).take(LISTED) {
        run.say(&format!(
            "{}: {}",
            entry.path,
            entry.note.as_deref().unwrap_or_default()
        ));
    }
}
