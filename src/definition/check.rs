//! What can be seen only with all files at hand: names that lead nowhere, stacks that do not go together, patterns that
//! two pipelines claim.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::ban::Ban;
use super::files::Text;
use super::load::Placed;
use super::reader::{File, advice};
use super::{
    Boot, ByHand, Checks, Definitions, Environments, Glob, LibraryWaiver, Limits, Pipeline, Problem, Service, Stack,
    Tests, Waives,
};
use crate::model::{ContextPath, Level};

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

/// A boot check of which each part may be missing.
#[derive(Debug, Default)]
pub(super) struct BootOverrides {
    pub(super) check: Option<bool>,
    pub(super) path: Option<String>,
    pub(super) memory: Option<u64>,
    pub(super) time: Option<Duration>,
    pub(super) environment: BTreeMap<String, String>,
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
    pub(super) stack: Option<Placed<String>>,
    pub(super) jdk: Option<Placed<u8>>,
    pub(super) default_jdk: u8,
    pub(super) profiles: Vec<String>,
    pub(super) limits: Overrides,
    pub(super) tests_required: Option<bool>,
    pub(super) context_path: ContextPath,
    pub(super) boot: BootOverrides,
    pub(super) services: Vec<Service>,
    pub(super) checks: Checks,
    pub(super) bans: Vec<Ban>,
    pub(super) fail_from: Option<Level>,
    pub(super) library_waivers: Vec<LibraryWaiver>,
    pub(super) by_hand: Option<ByHand>,
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
        check_choices(&pipeline, &candidates, file);
        check_permissions(&pipeline, file);
        let (limits, tests) = (pipeline.limits.over(&first.limits), first.tests);
        let boot = pipeline.boot.over(&first.boot);
        pipelines.insert(
            pipeline.name.clone(),
            Pipeline {
                name: pipeline.name,
                projects: pipeline.projects.into_iter().map(|(glob, _)| glob).collect(),
                priority: pipeline.priority,
                recipients: pipeline.recipients,
                war: pipeline.war,
                stack: pipeline.stack.map(|(name, _)| name),
                jdk: pipeline.jdk.map(|(jdk, _)| jdk),
                default_jdk: pipeline.default_jdk,
                profiles: pipeline.profiles,
                bans: pipeline.bans,
                fail_from: pipeline.fail_from,
                library_waivers: pipeline.library_waivers,
                by_hand: pipeline.by_hand,
                limits,
                tests: Tests {
                    required: pipeline.tests_required.unwrap_or(tests.required),
                },
                context_path: pipeline.context_path,
                boot,
                services: pipeline.services,
                checks: pipeline.checks,
                stacks: candidates,
            },
        );
    }
    Definitions {
        stacks,
        pipelines,
        environments: Environments::default(),
        directory,
    }
}

/// `stack` and `jdk` choose among the pipeline's stacks.
fn check_choices(pipeline: &StatedPipeline, candidates: &[Arc<Stack>], file: &File<'_>) {
    let stated: Vec<String> = pipeline.stacks.iter().map(|(name, _)| name.clone()).collect();
    if let Some((name, span)) = &pipeline.stack
        && !stated.contains(name)
    {
        file.report(
            Some(span.clone()),
            format!(
                "stack: {name:?} is none of the pipeline's stacks; {}",
                advice(name, &stated)
            ),
        );
    }
    if let Some((jdk, span)) = &pipeline.jdk
        && !candidates.iter().any(|stack| stack.builder.jdk == *jdk)
    {
        file.report(
            Some(span.clone()),
            format!("jdk: none of the pipeline's stacks has JDK {jdk}; add one to stacks"),
        );
    }
}

/// A hand-written Dockerfile is allowed to projects that are named; a waiver names a ban that there is.
fn check_permissions(pipeline: &StatedPipeline, file: &File<'_>) {
    if pipeline.by_hand.is_some()
        && let Some((pattern, span)) = pipeline.projects.iter().find(|(pattern, _)| !pattern.is_plain())
    {
        file.report(
            Some(span.clone()),
            format!(
                "projects: \"{pattern}\" is a pattern, and [dockerfile_exception] is for projects that are named one by one; \
                 put it into a file of its own with their paths"
            ),
        );
    }
    let bans: Vec<String> = pipeline.bans.iter().map(|ban| ban.library.to_string()).collect();
    for waiver in &pipeline.library_waivers {
        if let Waives::Ban(Some(ban)) = &waiver.waives
            && !bans.contains(ban)
        {
            file.report(
                waiver.ban_place.clone(),
                format!("waiver.ban: there is no ban \"{ban}\"; {}", advice(ban, &bans)),
            );
        }
    }
}

/// The stacks of one pipeline: they exist, no two fit the same WARs, one JDK has one builder, and nothing else that is
/// needed before the WAR is known differs between them.
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
        let kind = |stack: &Stack| (stack.servlet_version, stack.builder.jdk);
        if let Some(other) = chosen.iter().find(|other| kind(other) == kind(stack)) {
            let message = if other.name == *name {
                format!("stacks: \"{name}\" stands here twice")
            } else {
                format!(
                    "stacks: \"{name}\" and \"{}\" are both for {}.servlet {} on JDK {}: a WAR would fit both; keep one",
                    other.name,
                    stack.servlet.as_str(),
                    stack.servlet_version,
                    stack.builder.jdk
                )
            };
            file.report(span, message);
            continue;
        }
        let first = chosen.first().map(|first| (first, differences(first, stack)));
        let twin = chosen.iter().find(|other| other.builder.jdk == stack.builder.jdk);
        let twin = twin.map(|twin| (twin, builder_differences(twin, stack)));
        for (other, different) in first.into_iter().chain(twin) {
            if !different.is_empty() {
                file.report(
                    span.clone(),
                    format!(
                        "stacks: \"{name}\" and \"{}\" differ in {}, which is needed before the WAR tells which of them it is for; make them equal or make two pipelines",
                        other.name,
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
    let (l, m) = (&a.limits, &b.limits);
    differing([
        ("limits.memory", l.memory != m.memory),
        ("limits.cpus", l.cpus != m.cpus),
        ("limits.pids", l.pids != m.pids),
        ("limits.disk", l.disk != m.disk),
        ("limits.time", l.time != m.time),
        ("limits.log", l.log != m.log),
        ("limits.output", l.output != m.output),
        ("limits.output_files", l.output_files != m.output_files),
        ("tests.required", a.tests != b.tests),
        ("boot", a.boot != b.boot),
    ])
}

/// Of two stacks with one JDK: the POMs decide for the JDK, so it must mean one builder.
fn builder_differences(a: &Stack, b: &Stack) -> Vec<&'static str> {
    let (x, y) = (&a.builder, &b.builder);
    differing([
        ("builder.image", x.image != y.image),
        ("builder.command", x.command != y.command),
        ("builder.jvm_flags", x.jvm_flags != y.jvm_flags),
        ("builder.environment", x.environment != y.environment),
    ])
}

fn differing<const N: usize>(keys: [(&'static str, bool); N]) -> Vec<&'static str> {
    keys.into_iter()
        .filter_map(|(key, differs)| differs.then_some(key))
        .collect()
}

impl BootOverrides {
    /// This boot check, the rest from the stack; variables of both, this one's first.
    fn over(self, stack: &Boot) -> Boot {
        let mut environment = stack.environment.clone();
        environment.extend(self.environment);
        Boot {
            check: self.check.unwrap_or(stack.check),
            path: self.path.unwrap_or_else(|| stack.path.clone()),
            memory: self.memory.unwrap_or(stack.memory),
            time: self.time.unwrap_or(stack.time),
            environment,
        }
    }
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
