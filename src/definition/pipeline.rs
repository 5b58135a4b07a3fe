//! A pipeline: which projects are built, on which stacks, and who is told. The keys are explained in `pipelines/default.toml`.

use std::sync::Arc;

use serde::Serialize;

use super::glob::Specificity;
use super::{Ban, Builder, Glob, Limits, Stack, Tests};
use crate::model::{Digest, Level, ProjectPath, ServletApi};

/// A pipeline with everything that it refers to, read from `<name>.toml` and its stacks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pipeline {
    /// Name of the file, for example `default`.
    pub name: String,
    /// Patterns of project paths, at least one.
    pub projects: Vec<Glob>,
    /// Wins over the patterns; 0 unless said.
    pub priority: i32,
    /// Candidates, at least one, no two of one servlet generation, all with one builder and the same limits.
    pub stacks: Vec<Arc<Stack>>,
    /// Mail addresses besides author and last committer.
    pub recipients: Vec<String>,
    /// Which WAR to take where there are several.
    pub war: Option<Glob>,
    /// Libraries that are not allowed: its own, then the house's.
    pub bans: Vec<Ban>,
    /// Fail on known vulnerabilities from this level on; `None`: only say so.
    pub fail_from: Option<Level>,
    /// The stacks' limits with this pipeline's overrides.
    pub limits: Limits,
    /// The stacks' rule with this pipeline's override.
    pub tests: Tests,
}

impl Pipeline {
    /// How well this project fits, to be compared; `None` if it does not.
    pub(super) fn fit(&self, project: &ProjectPath) -> Option<(i32, Specificity)> {
        self.projects
            .iter()
            .filter(|pattern| pattern.matches(project.as_str()))
            .map(Glob::specificity)
            .max()
            .map(|specificity| (self.priority, specificity))
    }

    /// The candidate for WARs of this servlet generation.
    pub fn stack_for(&self, servlet: ServletApi) -> Option<&Stack> {
        self.stacks
            .iter()
            .map(Arc::as_ref)
            .find(|stack| stack.servlet == servlet)
    }

    /// What builds, before it is known on which of the stacks the result will run.
    pub fn builder(&self) -> &Builder {
        &self
            .stacks
            .first()
            .expect("a pipeline is loaded only with at least one stack")
            .builder
    }

    /// Tells two versions of this definition apart: changes with each value in it or its stacks, not with comments.
    pub fn hash(&self) -> Digest {
        let canonical = serde_json::to_vec(self).expect("a pipeline consists of texts and numbers");
        Digest::of(&canonical)
    }
}
