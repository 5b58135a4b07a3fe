//! All libraries together: versions, classes that several of them have, logging backends.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use super::collector::Collector;
use super::library::Library;
use crate::model::{ServletApi, is_snapshot, rule};

/// Longest name of a class that is compared, in bytes, and most pairs of libraries that are told of: both are far beyond
/// what a build makes, and bound what a hostile WAR makes us hold.
const LONGEST: usize = 1000;
const PAIRS: usize = 10_000;

/// What is known of the libraries that were looked into.
pub(super) struct Libraries {
    /// The generation of the container.
    servlet: ServletApi,
    hasher: RandomState,
    /// Paths of libraries; the numbers in the other fields are places in it.
    paths: Vec<String>,
    /// Hash of a class's name → size, checksum, and the library that had it first.
    classes: HashMap<u64, (u64, u32, usize)>,
    /// Two libraries → how many classes differ between them, and the first of these by name.
    clashes: BTreeMap<(usize, usize), (usize, String)>,
    /// Artifact → group, version, path.
    versions: BTreeMap<String, Vec<(Option<String>, String, String)>>,
    /// Backend → its libraries.
    backends: BTreeMap<&'static str, Vec<String>>,
}

impl Libraries {
    pub(super) fn new(servlet: ServletApi) -> Self {
        Self {
            servlet,
            hasher: RandomState::new(),
            paths: Vec::new(),
            classes: HashMap::new(),
            clashes: BTreeMap::new(),
            versions: BTreeMap::new(),
            backends: BTreeMap::new(),
        }
    }

    /// A class of the library at `path`, by what the archive's directory says of it.
    pub(super) fn class(&mut self, path: &str, name: &str, size: u64, crc: u32) {
        let never_loaded = name.starts_with("META-INF/") || name.len() > LONGEST;
        if never_loaded || name.ends_with("module-info.class") || name.ends_with("package-info.class") {
            return;
        }
        if self.paths.last().is_none_or(|last| last != path) {
            self.paths.push(path.to_owned());
        }
        let here = self.paths.len() - 1;
        let (first_size, first_crc, first) = *self
            .classes
            .entry(self.hasher.hash_one(name))
            .or_insert((size, crc, here));
        let differs = first != here && (first_size, first_crc) != (size, crc);
        if differs && (self.clashes.len() < PAIRS || self.clashes.contains_key(&(first, here))) {
            let (count, example) = self
                .clashes
                .entry((first, here))
                .or_insert_with(|| (0, name.to_owned()));
            *count += 1;
            if name < example.as_str() {
                *example = name.to_owned();
            }
        }
    }

    /// A library that was read to its end.
    pub(super) fn add(&mut self, library: Library, path: &str, found: &mut Collector<'_>) {
        let generation = self.servlet.as_str();
        let mut packed: Vec<String> = library
            .interfaces
            .iter()
            .map(|name| format!("{name} of {generation}"))
            .collect();
        packed.extend(library.server.map(str::to_owned));
        if !packed.is_empty() {
            found.add(&rule::CONTAINER_API, path, format!("has {}", packed.join(", ")));
        } else if library.el {
            found.add(&rule::CONTAINER_EL, path, format!("has {generation}.el"));
        }
        if !library.other_interfaces.is_empty() {
            let what = format!(
                "has {}, and the container speaks {generation}",
                library.other_interfaces.join(", ")
            );
            found.add(&rule::JAVAX_JAKARTA, path, what);
        } else if let Some(class) = library.foreign() {
            let what = format!("is made for {}.servlet: {class}", library.other_generation());
            found.add(&rule::JAVAX_JAKARTA, path, what);
        }
        if let Some(backend) = library.backend {
            self.backends.entry(backend).or_default().push(path.to_owned());
        }
        let coordinates = library.coordinates();
        let version = coordinates.as_ref().map(|(_, _, version)| version.as_str());
        if !library.own && (is_snapshot(&library.file) || version.is_some_and(|version| version.ends_with("-SNAPSHOT")))
        {
            found.add(&rule::SNAPSHOT, path, version.unwrap_or_default());
        }
        if let Some((group, artifact, version)) = coordinates {
            let version = (group, version, path.to_owned());
            self.versions.entry(artifact).or_default().push(version);
        }
    }

    /// Adds what only all of them together show.
    pub(super) fn tell(&self, found: &mut Collector<'_>) {
        for ((first, second), (count, example)) in &self.clashes {
            let what = match count {
                1 => format!("{example} is another one in {}", self.paths[*first]),
                _ => format!(
                    "{count} classes are others in {}, for example {example}",
                    self.paths[*first]
                ),
            };
            found.add(&rule::DUPLICATE_CLASS, &self.paths[*second], what);
        }
        for (artifact, all) in &self.versions {
            self.versions_of(artifact, all, found);
        }
        if self.backends.len() > 1 {
            let names: Vec<&str> = self.backends.keys().copied().collect();
            for (name, paths) in &self.backends {
                for path in paths {
                    let what = format!("{name}, one of {}", names.join(", "));
                    found.add(&rule::LOGGING_BACKENDS, path, what);
                }
            }
        }
    }

    fn versions_of(&self, artifact: &str, all: &[(Option<String>, String, String)], found: &mut Collector<'_>) {
        // Two libraries of one name and different groups are two libraries; who does not tell its group may be either.
        let groups: BTreeSet<&String> = all.iter().filter_map(|(group, _, _)| group.as_ref()).collect();
        let candidates: Vec<Option<&String>> = match groups.len() {
            0 => vec![None],
            _ => groups.into_iter().map(Some).collect(),
        };
        let one = candidates.len() == 1;
        for candidate in candidates {
            let same = all
                .iter()
                .filter(|(group, _, _)| group.as_ref() == candidate || (one && group.is_none()));
            let versions: BTreeSet<&String> = same.clone().map(|(_, version, _)| version).collect();
            if versions.len() < 2 {
                continue;
            }
            let versions: Vec<&str> = versions.into_iter().map(String::as_str).collect();
            for (_, version, path) in same {
                let what = format!("{artifact} {version}, and there are {}", versions.join(", "));
                found.add(&rule::DUPLICATE_LIBRARY, path, what);
            }
        }
    }
}
