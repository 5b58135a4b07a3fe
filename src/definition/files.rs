//! Where definition files come from: a directory of the platform team, or the copy in the binary.

use std::path::Path;

use rust_embed::RustEmbed;

use super::Problem;

/// The shipped `pipelines/`.
#[derive(RustEmbed)]
#[folder = "pipelines/"]
struct Shipped;

/// One file: its name without ending, its path for messages, its text.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) text: String,
}

/// Everything that was found, sorted by name.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) directory: String,
    pub(super) stacks: Vec<Text>,
    pub(super) pipelines: Vec<Text>,
    /// `bans.toml`, which is no pipeline.
    pub(super) bans: Option<Text>,
    /// `environments.toml`, which is none either.
    pub(super) environments: Option<Text>,
    /// `people.toml`, which is no pipeline either.
    pub(super) people: Option<Text>,
    pub(super) problems: Vec<Problem>,
}

impl Found {
    /// The directory's files, or the shipped ones where none is configured. A directory replaces the shipped files as a
    /// whole: a stack that appears by itself after an update would be nobody's decision.
    pub(super) fn gather(directory: Option<&Path>) -> Self {
        let mut found = match directory {
            None => Self::shipped(),
            Some(directory) => {
                let mut found = Self {
                    directory: directory.display().to_string(),
                    ..Self::default()
                };
                found.pipelines = found.read(directory, "name of a pipeline");
                found.stacks = found.read(&directory.join("stacks"), "name of a stack");
                found
            }
        };
        found.bans = found.take("bans");
        found.environments = found.take("environments");
        found.people = found.take("people");
        found.stacks.sort_by(|a, b| a.name.cmp(&b.name));
        found.pipelines.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// A file whose name says that it is no pipeline.
    fn take(&mut self, name: &str) -> Option<Text> {
        let at = self.pipelines.iter().position(|text| text.name == name)?;
        Some(self.pipelines.remove(at))
    }

    fn shipped() -> Self {
        let mut found = Self {
            directory: "pipelines".to_owned(),
            ..Self::default()
        };
        for path in Shipped::iter().filter(|path| path.ends_with(".toml")) {
            let Some(file) = Shipped::get(&path) else {
                continue;
            };
            let shown = format!("pipelines/{path}");
            let text = String::from_utf8_lossy(&file.data).into_owned();
            let (list, name) = match path.strip_prefix("stacks/") {
                Some(name) => (&mut found.stacks, name),
                None => (&mut found.pipelines, path.as_ref()),
            };
            list.push(Text {
                name: name.trim_end_matches(".toml").to_owned(),
                path: shown,
                text,
            });
        }
        found
    }

    fn read(&mut self, directory: &Path, noun: &str) -> Vec<Text> {
        let shown = directory.display().to_string();
        let mut texts = Vec::new();
        let entries = match std::fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(entries) => entries,
            Err(error) => {
                self.problem(
                    &shown,
                    format!("cannot list this directory: {error}; see `pipelines` in the configuration"),
                );
                return texts;
            }
        };
        for path in entries.into_iter().map(|entry| entry.path()) {
            // Names with a dot in front are how Kubernetes mounts its config maps; other endings may be notes.
            let (Some(name), Some("toml")) = (
                path.file_stem().and_then(|n| n.to_str()),
                path.extension().and_then(|e| e.to_str()),
            ) else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let shown = path.display().to_string();
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if !name.chars().all(allowed) || name.starts_with('-') {
                self.problem(
                    &shown,
                    format!("{name:?} is no {noun}: rename the file to lower-case letters, digits and '-'"),
                );
                continue;
            }
            match std::fs::read_to_string(&path) {
                Ok(text) => texts.push(Text {
                    name: name.to_owned(),
                    path: shown,
                    text,
                }),
                Err(error) => self.problem(&shown, format!("cannot read this file: {error}")),
            }
        }
        texts
    }

    fn problem(&mut self, file: &str, message: String) {
        self.problems.push(Problem {
            file: file.to_owned(),
            place: None,
            message,
        });
    }
}
