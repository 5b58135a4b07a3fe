//! What can be seen only with all files at hand: names that lead nowhere, stacks that do not go together, patterns that
//! two pipelines claim.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::ban::Ban;
use super::files::Text;
use super::load::Placed;
use super::reader::{File, advice};
use super::{Definitions, Glob, Limits, Pipeline, Problem, Stack, Tests};
use crate::model::Level;

/// Limits of which each may be missing.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    pub(super) memory: Option<u64>,
    pub(super) cpus: Option<f64>,
    pub(super) pids: Option<u32>,
    pub(super) disk: Option<u64>,
    pub(super) time: Option<Duration>,
    pub(super) log: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) output_files: Option<u32>,
}

/// A pipeline as its file states it, its stacks still names.
#[derive(Debug)]
pub(super) struct StatedPipeline {
    pub(super) name: String,
    pub(super) projects: Vec<Placed<Glob>>,
    pub(super) priority: i32,
    pub(super) stacks: Vec<Placed<String>>,
    pub(super) recipients: Vec<String>,
    pub(super) war: Option<Glob>,
    pub(super) limits: Overrides,
    pub(super) tests_required: Option<bool>,
    pub(super) bans: Vec<Ban>,
    pub(super) fail_from: Option<Level>,
}

/// Puts stacks into pipelines. What cannot be put together is reported in its file and left out.
pub(super) fn resolve(
    directory: String,
    read: Vec<(String, Option<Stack>)>,
    stated: Vec<StatedPipeline>,
    files: &[File<'_>],
    texts: &[Text],
    problems: &mut Vec<Problem>,
) -> Definitions {
    if read.is_empty() && problems.is_empty() {
        problems.push(Problem {
            file: format!("{directory}/stacks"),
            place: None,
            message: "no stack is defined; copy stacks/*.toml of the sources as a start".to_owned(),
        });
    }
    let names: Vec<String> = read.iter().map(|(name, _)| name.clone()).collect();
    let stacks: BTreeMap<String, Arc<Stack>> = read
        .into_iter()
        .filter_map(|(name, stack)| Some((name, Arc::new(stack?))))
        .collect();
    let file_of = |pipeline: &StatedPipeline| {
        let at = texts.iter().position(|text| text.name == pipeline.name);
        &files[at.expect("each pipeline was read from one of the files")]
    };
    let mut claimed: Vec<(&Glob, i32, &str)> = Vec::new();
    for pipeline in &stated {
        for (glob, span) in &pipeline.projects {
            match claimed.iter().find(|(other, priority, _)| *priority == pipeline.priority && other.same_as(glob)) {
                Some((_, _, owner)) if *owner == pipeline.name => {
                    file_of(pipeline).report(Some(span.clone()), format!("projects: \"{glob}\" stands here twice"));
                }
                Some((_, _, owner)) => file_of(pipeline).report(
                    Some(span.clone()),
                    format!("projects: \"{glob}\" belongs to pipeline \"{owner}\" already; take it out of one of them, or give them different priorities"),
                ),
                None => claimed.push((glob, pipeline.priority, &pipeline.name)),
            }
        }
    }
    let mut pipelines = BTreeMap::new();
    for pipeline in stated {
        let at = texts.iter().position(|text| text.name == pipeline.name);
        let file = &files[at.expect("each pipeline was read from one of the files")];
        let candidates = candidates(&pipeline.stacks, &stacks, &names, file);
        let Some(first) = candidates.first() else {
            continue;
        };
        let (limits, tests) = (pipeline.limits.over(&first.limits), first.tests);
        pipelines.insert(
            pipeline.name.clone(),
            Pipeline {
                name: pipeline.name,
                projects: pipeline.projects.into_iter().map(|(glob, _)| glob).collect(),
                priority: pipeline.priority,
                recipients: pipeline.recipients,
                war: pipeline.war,
                bans: pipeline.bans,
                fail_from: pipeline.fail_from,
                limits,
                tests: Tests {
                    required: pipeline.tests_required.unwrap_or(tests.required),
                },
                stacks: candidates,
            },
        );
    }
    Definitions {
        stacks,
        pipelines,
        directory,
    }
}

/// The stacks of one pipeline: they exist, each servlet generation once, and nothing that is needed before the WAR is
/// known differs between them.
fn candidates(
    stated: &[Placed<String>],
    stacks: &BTreeMap<String, Arc<Stack>>,
    names: &[String],
    file: &File<'_>,
) -> Vec<Arc<Stack>> {
    let mut chosen: Vec<Arc<Stack>> = Vec::new();
    for (name, span) in stated {
        let span = Some(span.clone());
        if !names.contains(name) {
            file.report(
                span,
                format!("stacks: there is no stack {name:?}; {}", advice(name, names)),
            );
            continue;
        }
        // Wrong itself and reported there.
        let Some(stack) = stacks.get(name) else {
            continue;
        };
        if let Some(other) = chosen.iter().find(|other| other.servlet == stack.servlet) {
            let message = if other.name == *name {
                format!("stacks: \"{name}\" stands here twice")
            } else {
                format!(
                    "stacks: \"{name}\" and \"{}\" are both for {}: a WAR would fit both; keep one",
                    other.name,
                    stack.servlet.as_str()
                )
            };
            file.report(span, message);
            continue;
        }
        if let Some(first) = chosen.first() {
            let different = differences(first, stack);
            if !different.is_empty() {
                file.report(
                    span,
                    format!(
                        "stacks: \"{name}\" and \"{}\" differ in {}, which is needed before the WAR tells which of them it is for; make them equal or make two pipelines",
                        first.name,
                        different.join(", ")
                    ),
                );
            }
        }
        chosen.push(Arc::clone(stack));
    }
    chosen
}

fn differences(a: &Stack, b: &Stack) -> Vec<&'static str> {
    let (x, y) = (&a.builder, &b.builder);
    let (l, m) = (&a.limits, &b.limits);
    [
        ("jdk", x.jdk != y.jdk),
        ("builder.image", x.image != y.image),
        ("builder.command", x.command != y.command),
        ("builder.jvm_flags", x.jvm_flags != y.jvm_flags),
        ("builder.environment", x.environment != y.environment),
        ("limits.memory", l.memory != m.memory),
        ("limits.cpus", l.cpus != m.cpus),
        ("limits.pids", l.pids != m.pids),
        ("limits.disk", l.disk != m.disk),
        ("limits.time", l.time != m.time),
        ("limits.log", l.log != m.log),
        ("limits.output", l.output != m.output),
        ("limits.output_files", l.output_files != m.output_files),
        ("tests.required", a.tests != b.tests),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(key))
    .collect()
}

impl Overrides {
    /// These limits, the rest from the stack.
    fn over(&self, stack: &Limits) -> Limits {
        Limits {
            memory: self.memory.unwrap_or(stack.memory),
            cpus: self.cpus.unwrap_or(stack.cpus),
            pids: self.pids.unwrap_or(stack.pids),
            disk: self.disk.unwrap_or(stack.disk),
            time: self.time.unwrap_or(stack.time),
            log: self.log.unwrap_or(stack.log),
            output: self.output.unwrap_or(stack.output),
            output_files: self.output_files.unwrap_or(stack.output_files),
        }
    }
}
