//! Package: let Maven finish, find the one WAR, fetch it and look into it.

use std::collections::BTreeSet;

use tokio::task::JoinError;

use crate::maven::{WarError, WarLimits, war};
use crate::model::{Choice, TestReport, War};
use crate::pipeline::build_container::Found;
use crate::pipeline::maven_run::MavenRun;
use crate::pipeline::plan::{self, BuildPlan};
use crate::pipeline::stages::Tested;
use crate::pipeline::stages::take_inventory::Inventory;
use crate::pipeline::stages::unit_test::understand;
use crate::pipeline::{Run, StageError, build_container};
use crate::project;

/// A WAR on the worker's disk, and the tests that it passed.
#[derive(Debug)]
pub(in crate::pipeline) struct Packed {
    /// The WAR.
    pub war: War,
    /// Major version of the JDK that built it.
    pub built_with: u8,
    /// What was chosen so far.
    pub choices: Vec<Choice>,
    /// What the tests said.
    pub tests: TestReport,
    /// The build's network, which stays until its end.
    pub network: String,
    /// File names of the jars that the project's modules made.
    pub siblings: BTreeSet<String>,
}

/// The WAR, and the search for libraries in it, which goes on.
pub(in crate::pipeline) async fn package(run: &Run, tested: Tested) -> Result<(Packed, Inventory), StageError> {
    let Tested {
        mut plan,
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
    let (chosen, why) = choose(run, &maven, &found, &plan)?;
    plan::choose(run, &mut plan.choices, why).await?;
    let directory = run.workspace.results().join("war");
    build_container::fetch_file(run, &maven.container, &chosen, &directory).await?;
    let file = directory.join(chosen.rsplit('/').next().unwrap_or(&chosen));
    let inventory = Inventory::begin(run, file.clone());
    let inspected = tokio::task::spawn_blocking(move || war::inspect(&file, &chosen, WarLimits::default())).await;
    let war = looked(inspected)?;
    run.say(&format!("{}: {} bytes, {}", war.path, war.size, war.sha256));
    run.say(&format!("{}: {}", war.servlet.as_str(), war.evidence));
    run.note(format!("{} ({:.1} MB)", war.path, war.size as f64 / 1e6));
    maven.end_services().await?;
    let network = maven.container.network().to_owned();
    // Removing the container takes a third of a second and nobody waits for it.
    drop(maven);
    let name = |path: &String| path.rsplit('/').next().unwrap_or(path).to_owned();
    let packed = Packed {
        war,
        built_with: plan.builder.jdk,
        choices: plan.choices,
        tests: report,
        network,
        siblings: found.jars.iter().map(name).collect(),
    };
    Ok((packed, inventory))
}

/// What a look into the WAR came to; a disk that fails is no fault of the project.
pub(in crate::pipeline) fn looked<T>(task: Result<Result<T, WarError>, JoinError>) -> Result<T, StageError> {
    match task.map_err(|error| StageError::world(format!("looking into the WAR broke: {error}")))? {
        Ok(found) => Ok(found),
        Err(WarError::Project(finding)) => Err(StageError::Failed(finding)),
        Err(error @ WarError::Io { .. }) => Err(StageError::world(format!("the worker's disk: {error}"))),
    }
}

/// The only WAR, or the one that the pipeline wants.
fn choose(run: &Run, maven: &MavenRun, found: &Found, plan: &BuildPlan) -> Result<(String, Choice), StageError> {
    let glob = run.pipeline.war.as_ref();
    let candidates = project::candidates(&found.wars, &plan.wars_before, &plan.survey, glob.is_some());
    let matches = |path: &str| glob.is_some_and(|glob| glob.matches(path));
    let wanted = glob.map(|glob| war::Wanted {
        pattern: glob.as_str(),
        matches: &matches,
    });
    let path =
        maven.console(|console| war::choose(&candidates.wars, &found.jars, console.modules(), wanted.as_ref()))?;
    let why = match (glob, found.wars.len()) {
        (Some(glob), _) => format!("war = \"{glob}\" in pipeline {}", run.pipeline.name),
        (None, 1) => "the only WAR of the build".to_owned(),
        (None, several) => format!("of {several} WARs, the one that is left"),
    };
    let mut evidence = vec![why];
    evidence.extend(candidates.notes);
    let choice = Choice::new("WAR", path.clone(), evidence);
    Ok((path, if glob.is_some() { choice.overridden() } else { choice }))
}
