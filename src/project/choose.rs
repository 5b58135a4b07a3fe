//! Which JDK builds, which WAR is the application, and which stack runs it: the smallest that satisfies, with evidence.

use std::sync::Arc;

use super::survey::Survey;
use crate::definition::{Builder, Pipeline, Stack};
use crate::maven::{Bytecode, java_of};
use crate::model::{Choice, Finding, War};

/// What the choice of a builder is called, and what its value begins with: `builder JDK 17`.
const BUILDER: &str = "builder";
const JDK: &str = "JDK ";

/// Lines of evidence that are told.
const TOLD: usize = 5;

/// The builder, and why.
#[derive(Debug)]
pub struct ChosenBuilder<'p> {
    /// What builds.
    pub builder: &'p Builder,
    /// Why.
    pub choice: Choice,
}

/// The stack, and why.
#[derive(Debug)]
pub struct ChosenStack {
    /// What the application runs on.
    pub stack: Arc<Stack>,
    /// Why.
    pub choice: Choice,
}

/// The builder with the smallest JDK that the project can be built with.
///
/// # Errors
/// The project asks for a JDK that no stack of the pipeline has.
pub fn builder<'p>(pipeline: &'p Pipeline, survey: &Survey) -> Result<ChosenBuilder<'p>, Finding> {
    let forced = pipeline
        .jdk
        .map(|jdk| (jdk, format!("jdk = {jdk} in pipeline {}", pipeline.name)))
        .or_else(|| {
            let name = pipeline.stack.as_ref()?;
            let stack = pipeline.stacks.iter().find(|stack| stack.name == *name)?;
            Some((
                stack.builder.jdk,
                format!("stack = \"{name}\" in pipeline {}", pipeline.name),
            ))
        });
    if let Some((jdk, why)) = forced
        && let Some(builder) = pipeline.builder_with(jdk)
    {
        let mut evidence = vec![why];
        evidence.extend(
            strongest(survey)
                .into_iter()
                .map(|why| format!("the project says: {why}")),
        );
        let choice = Choice::new(BUILDER, format!("{JDK}{jdk}"), evidence).overridden();
        return Ok(ChosenBuilder { builder, choice });
    }
    let mut jdks: Vec<u8> = served(pipeline, survey).iter().map(|stack| stack.builder.jdk).collect();
    jdks.sort_unstable();
    jdks.dedup();
    let wanted = survey.asks.iter().map(|ask| ask.jdk).max();
    let oldest = survey.asks.iter().filter(|ask| ask.level).map(|ask| ask.jdk).min();
    let able = |jdk: &&u8| oldest.is_none_or(|level| level >= oldest_level(**jdk));
    let least = wanted.unwrap_or(pipeline.default_jdk);
    let fitting = jdks.iter().filter(able).find(|jdk| **jdk >= least);
    let largest = || jdks.iter().rfind(able).filter(|_| wanted.is_none());
    let chosen = fitting.or_else(largest).copied();
    let Some((jdk, builder)) = chosen.and_then(|jdk| Some((jdk, pipeline.builder_with(jdk)?))) else {
        return Err(no_jdk(pipeline, survey, least, &jdks));
    };
    let mut evidence = match wanted {
        Some(_) => strongest(survey),
        None => {
            let outside = survey.outside.as_ref();
            let outside = outside
                .map(|parent| format!(" (the parent {parent} is not in it)"))
                .unwrap_or_default();
            vec![format!(
                "no POM in the repository says for which Java it is{outside}; {} is the default of pipeline {}",
                pipeline.default_jdk, pipeline.name
            )]
        }
    };
    if wanted.is_some_and(|wanted| wanted != jdk)
        && let Some(wanted) = wanted
    {
        evidence.push(match &survey.servlet {
            Some((api, why)) if jdks.len() < all_jdks(pipeline).len() => format!(
                "{jdk} is the smallest JDK from {wanted} on that the stacks for {}.servlet ({why}) have",
                api.as_str()
            ),
            _ => format!("{jdk} is the smallest JDK from {wanted} on that the stacks have"),
        });
    }
    Ok(ChosenBuilder {
        builder,
        choice: Choice::new(BUILDER, format!("{JDK}{jdk}"), evidence),
    })
}

/// The builder that an earlier build chose, as the pipeline has it now.
pub fn chosen_builder<'p>(pipeline: &'p Pipeline, choices: &[Choice]) -> Option<&'p Builder> {
    let choice = choices.iter().find(|choice| choice.what == BUILDER)?;
    let jdk = choice.value.strip_prefix(JDK)?.parse().ok()?;
    pipeline.builder_with(jdk)
}

/// The stacks that serve what the dependencies speak; all of them where that is not known, or where none does.
fn served<'p>(pipeline: &'p Pipeline, survey: &Survey) -> Vec<&'p Arc<Stack>> {
    let fitting: Vec<&Arc<Stack>> = pipeline
        .stacks
        .iter()
        .filter(|stack| survey.servlet.as_ref().is_none_or(|(api, _)| *api == stack.servlet))
        .collect();
    if fitting.is_empty() {
        pipeline.stacks.iter().collect()
    } else {
        fitting
    }
}

fn all_jdks(pipeline: &Pipeline) -> std::collections::BTreeSet<u8> {
    pipeline.stacks.iter().map(|stack| stack.builder.jdk).collect()
}

/// The reasons for the highest JDK.
fn strongest(survey: &Survey) -> Vec<String> {
    let most = survey.asks.iter().map(|ask| ask.jdk).max();
    let reasons = survey.asks.iter().filter(|ask| Some(ask.jdk) == most);
    reasons.take(TOLD).map(|ask| ask.why.clone()).collect()
}

/// The oldest Java that the compiler of this JDK makes classes for (`javac`, option `--release`, of each version).
fn oldest_level(jdk: u8) -> u8 {
    match jdk {
        0..=8 => 1,
        9..=11 => 6,
        12..=19 => 7,
        _ => 8,
    }
}

fn no_jdk(pipeline: &Pipeline, survey: &Survey, least: u8, jdks: &[u8]) -> Finding {
    let list: Vec<String> = jdks.iter().map(u8::to_string).collect();
    let list = list.join(", ");
    let finding = if jdks.iter().any(|jdk| *jdk >= least) {
        let oldest = survey.asks.iter().filter(|ask| ask.level).min_by_key(|ask| ask.jdk);
        let (level, why) = oldest.map_or((0, ""), |ask| (ask.jdk, ask.why.as_str()));
        Finding::new(
            "jdk-missing",
            format!(
                "The project compiles for Java {level} ({why}), which the compilers of pipeline {} (JDK {list}) do not \
                 know any more",
                pipeline.name
            ),
            "Raise the version that is compiled for to 8 or higher, or ask the platform team for a stack with an older \
             JDK.",
        )
    } else {
        Finding::new(
            "jdk-missing",
            format!(
                "The project asks for Java {least}, and the stacks of pipeline {} have JDK {list}",
                pipeline.name
            ),
            format!(
                "Lower the version that is compiled for, or ask the platform team to add a stack with JDK {least}."
            ),
        )
    };
    finding.with_detail(survey.asks.iter().take(40).map(|ask| ask.why.clone()))
}

/// The smallest stack that can run this WAR, which was built with the JDK `built_with`.
///
/// # Errors
/// No stack of the pipeline can, or only a full Jakarta EE server could.
pub fn runtime(pipeline: &Pipeline, war: &War, code: &Bytecode, built_with: u8) -> Result<ChosenStack, Finding> {
    let need = need(code, built_with);
    let ordered = pipeline.smallest_first();
    let descriptor = code.descriptor.filter(|version| version.api() == war.servlet);
    let fits = |stack: &Stack| {
        stack.servlet == war.servlet
            && u16::from(stack.builder.jdk) >= need.jdk
            && descriptor.is_none_or(|version| stack.servlet_version >= version)
    };
    let mut evidence = vec![format!("{}: {}", war.servlet.as_str(), war.evidence)];
    if let Some(version) = descriptor {
        evidence.push(format!("web.xml is of version {version}"));
    }
    evidence.extend(need.evidence.iter().cloned());
    let smallest = ordered.iter().find(|stack| fits(stack));
    let (stack, overridden) = match &pipeline.stack {
        Some(name) => {
            let forced = ordered.iter().find(|stack| stack.name == *name);
            let instead = smallest.map_or("no stack", |stack| stack.name.as_str());
            evidence.insert(
                0,
                format!("stack = \"{name}\" in pipeline {}, instead of {instead}", pipeline.name),
            );
            (forced, true)
        }
        None => (smallest, false),
    };
    // An overridden stack may be the wrong one for reasons that only its owner knows; a JVM that cannot load the
    // classes is wrong for every reason.
    let unloadable = stack.is_some_and(|stack| need.highest > u16::from(stack.builder.jdk));
    let Some(stack) = stack.filter(|_| !unloadable) else {
        return Err(no_stack(
            pipeline,
            war,
            code,
            &need,
            descriptor.map(|version| version.to_string()),
        ));
    };
    if let Some(finding) = needs_server(stack, code).or_else(|| starts_nothing(code)) {
        return Err(finding);
    }
    let choice = Choice::new("stack", stack.name.clone(), evidence);
    Ok(ChosenStack {
        stack: Arc::clone(stack),
        choice: if overridden { choice.overridden() } else { choice },
    })
}

/// The JDK that a WAR needs.
struct Need {
    jdk: u16,
    /// What its classes need, whatever built them.
    highest: u16,
    evidence: Vec<String>,
}

fn need(code: &Bytecode, built_with: u8) -> Need {
    let (own, library) = code.highest();
    let mut evidence = Vec::new();
    if let Some(major) = own {
        let all: usize = code.own.values().sum();
        let with = code.own.get(&major).copied().unwrap_or_default();
        evidence.push(format!(
            "WEB-INF/classes has major version {major} (Java {}) in {with} of {all} classes",
            java_of(major)
        ));
    } else {
        evidence.push("WEB-INF/classes has no class".to_owned());
    }
    if let Some(library) = library {
        evidence.push(format!(
            "the highest of its libraries is {} with major version {} (Java {})",
            library.name,
            library.highest,
            java_of(library.highest)
        ));
    }
    let highest = own.max(library.map(|library| library.highest)).map_or(0, java_of);
    if u16::from(built_with) > highest {
        evidence.push(format!(
            "it was built and tested with JDK {built_with}, and runs on no lower one"
        ));
    }
    Need {
        jdk: highest.max(u16::from(built_with)),
        highest,
        evidence,
    }
}

fn no_stack(pipeline: &Pipeline, war: &War, code: &Bytecode, need: &Need, descriptor: Option<String>) -> Finding {
    let api = war.servlet.as_str();
    let names: Vec<&str> = pipeline.stacks.iter().map(|stack| stack.name.as_str()).collect();
    let serving = |stack: &&Arc<Stack>| match &pipeline.stack {
        Some(name) => stack.name == *name,
        None => stack.servlet == war.servlet,
    };
    let Some(most) = pipeline
        .stacks
        .iter()
        .filter(serving)
        .map(|stack| stack.builder.jdk)
        .max()
    else {
        return Finding::new(
            "no-stack",
            format!(
                "The application speaks {api} ({}), and no stack of pipeline {} serves that",
                war.evidence, pipeline.name
            ),
            format!(
                "Ask the platform team to add a stack for {api}: the pipeline has {}.",
                names.join(", ")
            ),
        );
    };
    let too_new = |major: u16| java_of(major) > u16::from(most);
    if need.highest > u16::from(most) {
        let libraries: Vec<String> = code
            .libraries
            .iter()
            .filter(|library| too_new(library.highest))
            .map(|library| {
                format!(
                    "WEB-INF/lib/{}: {} has major version {} (Java {})",
                    library.name,
                    library.class,
                    library.highest,
                    java_of(library.highest)
                )
            })
            .collect();
        let own: usize = code
            .own
            .iter()
            .filter(|(major, _)| too_new(**major))
            .map(|(_, count)| count)
            .sum();
        let what = match (&libraries[..], own) {
            (_, 1..) => format!("{own} of its own classes are"),
            ([only], 0) => format!("{} is", only.split(':').next().unwrap_or_default()),
            (several, 0) => format!("{} libraries are", several.len()),
        };
        return Finding::new(
            "class-too-new",
            format!("{what} made for Java {}, and the newest JDK for {api} here is {most}", need.highest),
            "Take a version of the library that is made for this JDK, or ask the platform team for a stack with a newer \
             one.",
        )
        .with_detail(need.evidence.first().cloned().filter(|_| own > 0))
        .with_detail(libraries.into_iter().take(40));
    }
    let what = match descriptor {
        Some(version) if u16::from(most) >= need.jdk => format!("its web.xml is of version {version}"),
        _ => format!("it needs JDK {}", need.jdk),
    };
    Finding::new(
        "no-stack",
        format!(
            "The application speaks {api}, {what}, and no stack of pipeline {} serves that",
            pipeline.name
        ),
        format!(
            "Ask the platform team to add a stack: the pipeline has {}.",
            names.join(", ")
        ),
    )
    .with_detail(need.evidence.iter().cloned())
}

/// What only a full Jakarta EE server could run.
fn needs_server(stack: &Stack, code: &Bytecode) -> Option<Finding> {
    let missing: Vec<_> = code
        .missing
        .iter()
        .filter(|missing| !stack.runtime.provides.iter().any(|name| name == missing.technology))
        .collect();
    let names: Vec<&str> = missing.iter().map(|missing| missing.technology).collect();
    (!missing.is_empty()).then(|| {
        Finding::new(
            "needs-jakarta-ee",
            format!(
                "The application uses {}, which is neither in Tomcat nor in the WAR",
                names.join(" and ")
            ),
            "Pack an implementation with it (Mojarra or MyFaces for JSF, Weld or OpenWebBeans for CDI, the client of the \
             message broker for JMS), replace EJBs by plain classes, or ask the platform team for a stack whose base \
             provides it (runtime.provides).",
        )
        .with_detail(missing.iter().map(|missing| {
            format!(
                "{}: used by {} class(es), the first is WEB-INF/classes/{}",
                missing.technology, missing.classes, missing.class
            )
        }))
    })
}

/// An executable WAR of Spring Boot that only its own launcher can start.
fn starts_nothing(code: &Bytecode) -> Option<Finding> {
    (code.executable && !code.initializer).then(|| {
        Finding::new(
            "starts-nothing",
            "The executable WAR of Spring Boot has no class that extends SpringBootServletInitializer: on Tomcat it \
             starts nothing",
            "Let the application's main class extend SpringBootServletInitializer and override configure (Spring Boot, \
             \"Traditional Deployment\"); the WAR stays executable.",
        )
    })
}

/// The WARs of a build that may be the application, and what was left out and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Their paths.
    pub wars: Vec<String>,
    /// One line for each reason.
    pub notes: Vec<String>,
}

/// Leaves out what surely is not the application: WARs that were there before the build (`before`, paths in the checkout),
/// and, unless the pipeline says which one is meant, those that no module with packaging war has put into its `target`.
pub fn candidates(found: &[String], before: &[String], survey: &Survey, wanted: bool) -> Candidates {
    let mut candidates = Candidates {
        wars: found.to_vec(),
        notes: Vec::new(),
    };
    let made = |path: &String| survey.wars.iter().any(|module| module.war.as_ref() == Some(path));
    candidates.keep(
        |path| !before.contains(path) || made(path),
        true,
        "lies in the repository and was not made by this build",
    );
    if wanted {
        return candidates;
    }
    let own = |path: &str, overlaid: bool| {
        survey.wars.iter().any(|module| {
            let target = if module.directory.is_empty() {
                "target".to_owned()
            } else {
                format!("{}/target", module.directory)
            };
            (overlaid || module.overlaid_by.is_none())
                && path.rsplit_once('/').map(|(place, _)| place) == Some(&*target)
        })
    };
    candidates.keep(
        |path| own(path, true),
        false,
        "was not made by a module with packaging war",
    );
    candidates.keep(|path| own(path, false), false, "is an overlay of another WAR");
    candidates.keep(made, false, "is not the WAR that the module's POM names");
    candidates
}

impl Candidates {
    /// Keeps what fits; all of them if nothing does, unless `even_none`.
    fn keep(&mut self, fits: impl Fn(&String) -> bool, even_none: bool, why: &str) {
        let (kept, left): (Vec<String>, Vec<String>) = self.wars.iter().cloned().partition(|path| fits(path));
        if (!kept.is_empty() && self.wars.len() > 1) || even_none {
            self.wars = kept;
            self.notes.extend(left.iter().map(|path| format!("{path} {why}")));
        }
    }
}
