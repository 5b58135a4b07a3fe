//! A pipeline: which projects are built, on which stacks, and who is told. The keys are explained in `pipelines/default.toml`.

use std::sync::Arc;

use serde::Serialize;

use super::glob::Specificity;
use super::{Ban, Boot, Builder, ByHand, Checks, Glob, LibraryWaiver, Limits, Service, Stack, Tests};
use crate::model::{ContextPath, Digest, Level, ProjectPath};

/// A pipeline with everything that it refers to, read from `<name>.toml` and its stacks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pipeline {
    /// Name of the file, for example `default`.
    pub name: String,
    /// Patterns of project paths, at least one.
    pub projects: Vec<Glob>,
    /// Wins over the patterns; 0 unless said.
    pub priority: i32,
    /// Candidates, at least one, no two of one servlet version and JDK, one builder for each JDK, all with the same limits.
    pub stacks: Vec<Arc<Stack>>,
    /// Mail addresses besides author and last committer.
    pub recipients: Vec<String>,
    /// Which WAR to take where there are several.
    pub war: Option<Glob>,
    /// The one of `stacks` that is taken, whatever the WAR says.
    pub stack: Option<String>,
    /// The JDK that builds, whatever the POMs say.
    pub jdk: Option<u8>,
    /// The JDK that builds where the POMs say nothing.
    pub default_jdk: u8,
    /// Maven profiles that are switched on.
    pub profiles: Vec<String>,
    /// Libraries that are not allowed: its own, then the house's.
    pub bans: Vec<Ban>,
    /// Fail on known vulnerabilities from this level on; `None`: only say so.
    pub fail_from: Option<Level>,
    /// The stacks' limits with this pipeline's overrides.
    pub limits: Limits,
    /// The stacks' rule with this pipeline's override.
    pub tests: Tests,
    /// Where the application is in its server.
    pub context_path: ContextPath,
    /// The stacks' boot check with this pipeline's overrides.
    pub boot: Boot,
    /// What tests and boot check may talk to.
    pub services: Vec<Service>,
    /// Severities and waivers of the WAR check.
    pub checks: Checks,
    /// Bans and known vulnerabilities that do not count for a while.
    pub library_waivers: Vec<LibraryWaiver>,
    /// Is the image made from a Dockerfile in the repository?
    pub by_hand: Option<ByHand>,
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

    /// The candidates from the smallest to the largest: by the servlet version, then by the JDK.
    pub fn smallest_first(&self) -> Vec<&Arc<Stack>> {
        let mut stacks: Vec<&Arc<Stack>> = self.stacks.iter().collect();
        stacks.sort_by_key(|stack| (stack.servlet_version, stack.builder.jdk));
        stacks
    }

    /// The candidate whose builder has this JDK.
    pub fn builder_with(&self, jdk: u8) -> Option<&Builder> {
        self.stacks
            .iter()
            .map(|stack| &stack.builder)
            .find(|builder| builder.jdk == jdk)
    }

    /// Tells two versions of this definition apart: changes with each value in it or its stacks, not with comments.
    pub fn hash(&self) -> Digest {
        let canonical = serde_json::to_vec(self).expect("a pipeline consists of texts and numbers");
        Digest::of(&canonical)
    }
}
