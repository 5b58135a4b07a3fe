//! Which stacks are possible before there is a WAR, and what of the WAR each would need.

use std::sync::Arc;

use super::survey::Survey;
use crate::definition::{Pipeline, Stack};
use crate::model::ServletApi;

/// A stack that the application may come to run on.
#[derive(Debug, Clone)]
pub struct Possible {
    /// The stack.
    pub stack: Arc<Stack>,
    /// What the WAR must be like for it.
    pub when: String,
}

/// The possible stacks, the one that is expected first; empty if the pipeline has none for such a project.
pub fn possible(pipeline: &Pipeline, survey: &Survey, built_with: u8) -> Vec<Possible> {
    if let Some(name) = &pipeline.stack {
        return pipeline
            .stacks
            .iter()
            .filter(|stack| stack.name == *name)
            .map(|stack| Possible {
                stack: Arc::clone(stack),
                when: "always: the pipeline says so".to_owned(),
            })
            .collect();
    }
    let generations = match &survey.servlet {
        Some((api, _)) => vec![*api],
        None => vec![ServletApi::Jakarta, ServletApi::Javax],
    };
    let mut possible: Vec<Possible> = Vec::new();
    for api in generations {
        let mut from: Vec<&Arc<Stack>> = pipeline.smallest_first();
        from.retain(|stack| stack.servlet == api && stack.builder.jdk >= built_with);
        let mut passed: Option<&Arc<Stack>> = None;
        for stack in from {
            let mut needs = vec![format!("its classes speak {}.servlet", api.as_str())];
            match passed {
                None => needs.push(format!("none of them needs more than Java {}", stack.builder.jdk)),
                Some(before) if before.servlet_version == stack.servlet_version => {
                    needs.push(format!("one of them needs more than Java {}", before.builder.jdk));
                }
                Some(_) => {
                    let older = pipeline.stacks.iter().filter(|other| other.servlet == api);
                    let older = older.map(|other| other.servlet_version);
                    if let Some(version) = older.filter(|version| *version < stack.servlet_version).max() {
                        needs.push(format!("its web.xml is of a newer version than {version}"));
                    }
                }
            }
            passed = Some(stack);
            possible.push(Possible {
                stack: Arc::clone(stack),
                when: needs.join(", and "),
            });
        }
    }
    possible
}
