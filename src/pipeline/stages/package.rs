//! Package: let Maven finish, find the one WAR, fetch it and look into it.

use std::collections::BTreeSet;

use crate::maven::{WarError, WarLimits, war};
use crate::model::{TestReport, War};
use crate::pipeline::build_container::Found;
use crate::pipeline::maven_run::MavenRun;
use crate::pipeline::stages::Tested;
use crate::pipeline::stages::take_inventory::Inventory;
use crate::pipeline::stages::unit_test::understand;
use crate::pipeline::{Run, StageError, build_container};
use crate::sbom::Sbom;

/// A WAR on the worker's disk, and the tests that it passed.
#[derive(Debug)]
pub(in crate::pipeline) struct Packed {
    /// The WAR.
    pub war: War,
    /// The libraries in it.
    pub sbom: Sbom,
    /// What the tests said.
    pub tests: TestReport,
    /// File names of the jars that the project's modules made.
    pub siblings: BTreeSet<String>,
}

pub(in crate::pipeline) async fn package(run: &Run, tested: Tested) -> Result<Packed, StageError> {
    let Tested {
        mut report,
        mut maven,
        ended,
    } = tested;
    let found = match ended {
        Some(found) => found,
        None => {
            let ended = maven.ended(run).await?;
            let (all, found) = understand(run, &maven, &ended).await?;
            report = all;
            found
        }
    };
    let chosen = choose(run, &maven, &found)?;
    let directory = run.workspace.results().join("war");
    build_container::fetch_file(run, &maven.container, &chosen, &directory).await?;
    let file = directory.join(chosen.rsplit('/').next().unwrap_or(&chosen));
    let inventory = Inventory::begin(run, file.clone());
    let inspected = tokio::task::spawn_blocking(move || war::inspect(&file, &chosen, WarLimits::default())).await;
    let war = match inspected.map_err(|error| StageError::world(format!("looking into the WAR broke: {error}")))? {
        Ok(war) => war,
        Err(WarError::Project(finding)) => return Err(StageError::Failed(finding)),
        Err(error @ WarError::Io { .. }) => return Err(StageError::world(format!("the worker's disk: {error}"))),
    };
    run.say(&format!("{}: {} bytes, {}", war.path, war.size, war.sha256));
    run.say(&format!("{}: {}", war.servlet.as_str(), war.evidence));
    run.note(format!("{} ({:.1} MB)", war.path, war.size as f64 / 1e6));
    let sbom = inventory.end(run, &war).await?;
    // Removing the container takes a third of a second and nobody waits for it.
    drop(maven);
    let name = |path: &String| path.rsplit('/').next().unwrap_or(path).to_owned();
    Ok(Packed {
        war,
        sbom,
        tests: report,
        siblings: found.jars.iter().map(name).collect(),
    })
}

/// The only WAR, or the one that the pipeline wants.
fn choose(run: &Run, maven: &MavenRun, found: &Found) -> Result<String, StageError> {
    let glob = run.pipeline.war.as_ref();
    let matches = |path: &str| glob.is_some_and(|glob| glob.matches(path));
    let wanted = glob.map(|glob| war::Wanted {
        pattern: glob.as_str(),
        matches: &matches,
    });
    Ok(maven.console(|console| war::choose(&found.wars, &found.jars, console.modules(), wanted.as_ref()))?)
}
