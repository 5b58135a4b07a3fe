//! The standards of the house: which projects are built (pipelines), with what and on what (stacks).
//!
//! They are the platform team's TOML files in `pipelines/`: parameters, never control flow, so that a new Tomcat or a
//! new group of projects needs no code and no file in a developer's repository. Everything is checked when the service
//! starts, all files and all errors at once; after that a definition cannot be wrong, only unsuitable. A [`Pipeline`]
//! comes resolved: its stacks, limits and rules are in it, and its hash tells two versions of it apart in the trace.

mod ban;
mod boot;
mod by_hand;
mod check;
mod checks;
mod environment;
mod files;
mod freeze;
mod glob;
mod inherit;
mod library_waiver;
mod load;
mod people;
mod pipeline;
mod problem;
mod read_pipeline;
mod reader;
mod reference;
mod rights;
mod stack;
mod value;

pub use crate::model::quantity::{parse_bytes, parse_duration};
pub use ban::Ban;
pub use boot::{Boot, Service};
pub use by_hand::ByHand;
pub use checks::{Checks, Waiver};
pub use environment::{Ceiling, DataCentre, Environment, Environments, FIRST, Gates, TagParts};
pub use freeze::Frozen;
pub use glob::{BadGlob, Glob, Specificity};
pub use library_waiver::{LibraryWaiver, Waives};
pub use people::{People, project_patterns};
pub use pipeline::Pipeline;
pub use problem::{DefinitionErrors, Problem};
pub use reference::{ImageName, mirrored};
pub use rights::Rights;
pub use stack::{Builder, Limits, Runtime, Stack, Tests};

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::ProjectPath;

/// All pipelines and stacks, checked.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    stacks: BTreeMap<String, Arc<Stack>>,
    pipelines: BTreeMap<String, Pipeline>,
    environments: Environments,
    /// Where the files are, for messages: `pipelines` when the ones in the binary are used.
    directory: String,
}

impl Definitions {
    /// The pipeline that builds this project: highest priority, then most specific pattern, then first by name.
    pub fn pipeline_for(&self, project: &ProjectPath) -> Option<&Pipeline> {
        self.pipelines
            .values()
            .filter_map(|pipeline| Some((pipeline.fit(project)?, pipeline)))
            // `max_by` takes the last of equals; reversed, the first by name wins.
            .rev()
            .max_by(|(a, _), (b, _)| a.cmp(b))
            .map(|(_, pipeline)| pipeline)
    }

    /// The pipeline of this name: for a build that was made earlier.
    pub fn pipeline(&self, name: &str) -> Option<&Pipeline> {
        self.pipelines.get(name)
    }

    /// The stack of this name.
    pub fn stack(&self, name: &str) -> Option<&Stack> {
        self.stacks.get(name).map(Arc::as_ref)
    }

    /// All pipelines by name.
    pub fn pipelines(&self) -> impl Iterator<Item = &Pipeline> {
        self.pipelines.values()
    }

    /// All stacks by name.
    pub fn stacks(&self) -> impl Iterator<Item = &Stack> {
        self.stacks.values().map(Arc::as_ref)
    }

    /// Where images go.
    pub fn environments(&self) -> &Environments {
        &self.environments
    }

    /// What to tell the person whose project matches no pipeline: file, key and the line as it has to become.
    pub fn how_to_add(&self, project: &ProjectPath) -> String {
        let Some(pipeline) = self.pipelines.get("default").or_else(|| self.pipelines.values().next()) else {
            return format!(
                "project {project} matches no pipeline; make {}/default.toml with: projects = [\"{project}\"]",
                self.directory
            );
        };
        let patterns: Vec<String> = pipeline
            .projects
            .iter()
            .map(Glob::as_str)
            .chain([project.as_str()])
            .map(|pattern| format!("\"{pattern}\""))
            .collect();
        format!(
            "project {project} matches no pipeline; to build it, change this line of {}/{}.toml: projects = [{}]",
            self.directory,
            pipeline.name,
            patterns.join(", ")
        )
    }
}

#[cfg(test)]
mod tests;
