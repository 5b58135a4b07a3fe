//! Unit test: compile and run the tests in the build container, and understand what came of it.

use std::path::PathBuf;

use crate::maven::{Ended, diagnose, surefire, world_fault};
use crate::model::{Finding, TestReport};
use crate::pipeline::ahead::Ahead;
use crate::pipeline::build_container::Found;
use crate::pipeline::maven_run::MavenRun;
use crate::pipeline::plan::{BuildPlan, plan};
use crate::pipeline::stages::Source;
use crate::pipeline::{Run, StageError, build_container, services};
use crate::store::builds;

/// Tests that are over, with Maven packaging already or done.
pub(in crate::pipeline) struct Tested {
    /// How it is built.
    pub plan: BuildPlan,
    /// What the tests said.
    pub report: TestReport,
    /// The run of Maven that goes on.
    pub maven: MavenRun,
    /// What Maven left, if it has ended already.
    pub ended: Option<Found>,
}

pub(in crate::pipeline) async fn unit_test(run: &Run, source: &Source, ahead: Ahead) -> Result<Tested, StageError> {
    let plan = plan(run, source).await?;
    let container = ahead.take_or_open(run, &plan.builder).await?;
    build_container::fill(run, &container, &source.directory, &plan).await?;
    let services = services::start(run, container.network()).await?;
    let mut maven = MavenRun::start(run, container, services, &source.directory, &plan);
    if maven.tests_over().await {
        let found = build_container::look(&maven.container).await?;
        let report = read_found(run, &maven, &found).await?;
        record(run, &report, &[]).await?;
        return Ok(Tested {
            plan,
            report,
            maven,
            ended: None,
        });
    }
    let ended = maven.ended(run).await?;
    let (report, found) = understand(run, &maven, &ended).await?;
    Ok(Tested {
        plan,
        report,
        maven,
        ended: Some(found),
    })
}

/// Reads the reports of a Maven run that is over, records them, and says what is wrong if something is.
pub(in crate::pipeline) async fn understand(
    run: &Run,
    maven: &MavenRun,
    ended: &Ended,
) -> Result<(TestReport, Found), StageError> {
    let looked = match ended {
        Ended::Code(0) => Some(build_container::look(&maven.container).await?),
        // What a red build left running may take the last process that the container is allowed.
        Ended::Code(_) => build_container::look(&maven.container).await.ok(),
        _ => None,
    };
    let (report, found) = match looked {
        Some(found) => (read_found(run, maven, &found).await?, found),
        // In a container in which nothing can be started any more, all of it is gone through.
        None => {
            let directory = run.workspace.empty_reports().await?;
            build_container::fetch_reports(run, &maven.container, &directory).await?;
            (read(directory).await?, Found::default())
        }
    };
    let red = report.counts.failed + report.counts.errors > 0;
    record(run, &report, &[]).await?;
    if !red
        && let Ended::Code(code) = ended
        && *code != 0
        && let Some(fault) = maven.console(world_fault)
    {
        return Err(StageError::world(fault));
    }
    let remarks = maven.console(|console| diagnose(ended, console, &report, run.pipeline.tests.required))?;
    record(run, &report, &remarks).await?;
    for remark in &remarks {
        run.say(&format!("NOTE: {}", remark.title));
    }
    Ok((report, found))
}

async fn read_found(run: &Run, maven: &MavenRun, found: &Found) -> Result<TestReport, StageError> {
    let directory = run.workspace.empty_reports().await?;
    build_container::fetch_found_reports(run, &maven.container, &found.reports, &directory).await?;
    read(directory).await
}

async fn read(directory: PathBuf) -> Result<TestReport, StageError> {
    let read = tokio::task::spawn_blocking(move || surefire::read_directory(&directory)).await;
    Ok(read.map_err(|error| StageError::world(format!("reading the test reports broke: {error}")))??)
}

async fn record(run: &Run, report: &TestReport, remarks: &[Finding]) -> Result<(), StageError> {
    let counts = report.counts;
    run.note(match (counts.failed + counts.errors, counts.skipped) {
        (0, 0) if counts.run == 0 => "no test was executed".to_owned(),
        (0, 0) => format!("{} tests", counts.run),
        (0, skipped) => format!("{} tests, {skipped} skipped", counts.run),
        (red, _) => format!("{red} of {} tests failed", counts.run),
    });
    let held = builds::record_tests(&run.parts.pool, &run.claim, run.build.id, report, remarks).await?;
    if held { Ok(()) } else { Err(StageError::Stopped) }
}
