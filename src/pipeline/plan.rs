//! What is known before the build: the POMs are read, the builder is chosen, and both is said in the log.

use super::{Run, StageError};
use crate::definition::Builder;
use crate::maven::war;
use crate::model::Choice;
use crate::pipeline::stages::Source;
use crate::project::{self, Survey};
use crate::store::choices;

/// How a checkout is going to be built.
#[derive(Debug)]
pub(super) struct BuildPlan {
    /// What its POMs say.
    pub survey: Survey,
    /// What builds it.
    pub builder: Builder,
    /// WARs that lie in the repository itself.
    pub wars_before: Vec<String>,
    /// What was chosen so far.
    pub choices: Vec<Choice>,
}

pub(super) async fn plan(run: &Run, source: &Source) -> Result<BuildPlan, StageError> {
    let (directory, pipeline) = (source.directory.clone(), run.pipeline.clone());
    let read = tokio::task::spawn_blocking(move || {
        Ok::<_, std::io::Error>((project::survey(&directory, &pipeline)?, war::find_wars(&directory)?))
    })
    .await;
    let (survey, wars_before) =
        read.map_err(|error| StageError::world(format!("reading the POMs broke: {error}")))??;
    for note in &survey.notes {
        run.say(note);
    }
    if let Some(finding) = &survey.finding {
        return Err(finding.clone().into());
    }
    let chosen = project::builder(&run.pipeline, &survey)?;
    let (builder, choice) = (chosen.builder.clone(), chosen.choice);
    let mut plan = BuildPlan {
        survey,
        builder,
        wars_before,
        choices: Vec::new(),
    };
    choose(run, &mut plan.choices, choice).await?;
    Ok(plan)
}

/// Says and records a choice.
pub(super) async fn choose(run: &Run, choices: &mut Vec<Choice>, choice: Choice) -> Result<(), StageError> {
    run.say(&choice.to_string());
    choices.push(choice);
    let held = choices::record(&run.parts.pool, &run.claim, run.build.id, choices).await?;
    if held { Ok(()) } else { Err(StageError::Stopped) }
}
