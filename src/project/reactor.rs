//! The POMs of a repository: the modules that Maven would build, and the parents that lie beside them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use super::arguments::Arguments;
use super::pom::{Parent, Pom};

/// Largest POM that is read.
const POM: u64 = 4 << 20;

/// Most POMs of one repository that are read.
const POMS: usize = 1000;

/// Longest chain of parents, and deepest nesting of properties.
const CHAIN: usize = 32;

/// Longest value of a property after interpolation, in bytes.
const VALUE: usize = 8192;

/// What was read of a repository.
#[derive(Debug)]
pub(super) struct Reactor {
    poms: BTreeMap<String, Pom>,
    /// Files of the modules, in reading order; the first is the root.
    modules: Vec<String>,
    arguments: Arguments,
    /// What could not be read, one line each: the picture is not complete then.
    pub(super) gaps: Vec<String>,
}

/// A value, and the file in which it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stated {
    pub(super) value: String,
    pub(super) file: String,
}

impl Reactor {
    /// Reads the root POM, its modules and their parents.
    ///
    /// # Errors
    /// The disk fails.
    pub(super) fn read(directory: &Path, arguments: Arguments) -> io::Result<Self> {
        let root = arguments.file.as_deref().unwrap_or("pom.xml");
        let root = normal("", root).unwrap_or_default();
        let mut reactor = Self {
            poms: BTreeMap::new(),
            modules: Vec::new(),
            arguments,
            gaps: Vec::new(),
        };
        let mut waiting = std::collections::VecDeque::from([root]);
        while let Some(file) = waiting.pop_front() {
            let file = as_pom(directory, file);
            if reactor.modules.contains(&file) {
                continue;
            }
            if reactor.modules.len() == POMS {
                reactor.gaps.push(format!("only the first {POMS} POMs were read"));
                break;
            }
            let gaps = reactor.gaps.len();
            if !reactor.load(directory, &file)? {
                if reactor.gaps.len() == gaps {
                    reactor.gaps.push(format!("{file} is not there"));
                }
                continue;
            }
            waiting.extend(reactor.modules_of(&file));
            reactor.modules.push(file.clone());
            reactor.load_parents(directory, file)?;
        }
        Ok(reactor)
    }

    /// Reads one POM once; `false` if it is not there.
    fn load(&mut self, directory: &Path, file: &str) -> io::Result<bool> {
        if self.poms.contains_key(file) {
            return Ok(true);
        }
        let opened = match fs::File::open(directory.join(file)) {
            Ok(opened) => opened,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        opened.take(POM + 1).read_to_end(&mut bytes)?;
        let read = if bytes.len() as u64 > POM {
            Err(format!("it is longer than {POM} bytes"))
        } else {
            // Names and versions are ASCII, whatever the encoding says.
            Pom::parse(file, &String::from_utf8_lossy(&bytes))
        };
        match read {
            Ok(pom) => {
                self.poms.insert(file.to_owned(), pom);
                Ok(true)
            }
            Err(why) => {
                self.gaps.push(format!("{file} could not be read: {why}"));
                Ok(false)
            }
        }
    }

    fn modules_of(&mut self, file: &str) -> Vec<String> {
        let Some(pom) = self.poms.get(file) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut gaps = Vec::new();
        for section in pom.sections(&self.arguments) {
            for module in section.list(&["modules"]).iter().chain(section.list(&["subprojects"])) {
                let Some(name) = self.interpolate(pom, module.text.trim()) else {
                    gaps.push(format!(
                        "module {} of {file} has a name that is not known here",
                        module.text
                    ));
                    continue;
                };
                match normal(&pom.directory, &name) {
                    Some(path) => found.push(path),
                    None => gaps.push(format!("module {name} of {file} lies outside of the repository")),
                }
            }
        }
        self.gaps.extend(gaps);
        found
    }

    fn load_parents(&mut self, directory: &Path, file: String) -> io::Result<()> {
        let mut file = file;
        for _ in 0..CHAIN {
            let Some(path) = self.poms.get(&file).and_then(parent_path) else {
                break;
            };
            let path = as_pom(directory, path);
            if !self.load(directory, &path)? {
                break;
            }
            file = path;
        }
        Ok(())
    }

    /// The modules in reading order.
    pub(super) fn modules(&self) -> impl Iterator<Item = &Pom> {
        self.modules.iter().filter_map(|file| self.poms.get(file))
    }

    /// The arguments that it was read with.
    pub(super) fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// A POM, then its parents as far as they lie in the repository, and the first parent that does not.
    pub(super) fn chain<'a>(&'a self, pom: &'a Pom) -> (Vec<&'a Pom>, Option<Parent>) {
        let mut chain = vec![pom];
        loop {
            let last = chain[chain.len() - 1];
            let Some(parent) = last.parent() else {
                return (chain, None);
            };
            let found = parent_path(last)
                .and_then(|path| {
                    self.poms
                        .get(&path)
                        .or_else(|| self.poms.get(&normal(&path, "pom.xml")?))
                })
                // Maven looks into the repositories if what lies there is another artifact.
                .filter(|found| found.artifact() == parent.artifact && chain.len() < CHAIN);
            match found {
                Some(found) => chain.push(found),
                None => return (chain, Some(parent)),
            }
        }
    }

    /// The packaging of a POM; as it is written if it holds a property that is not known.
    pub(super) fn packaging(&self, pom: &Pom) -> String {
        let stated = pom.packaging();
        self.interpolate(pom, stated).unwrap_or_else(|| stated.to_owned())
    }

    /// The value of a property for this POM, interpolated, and where it stands.
    pub(super) fn property(&self, pom: &Pom, name: &str) -> Option<Stated> {
        let raw = self.raw(pom, name)?;
        Some(Stated {
            value: self.interpolate(pom, &raw.value)?,
            file: raw.file,
        })
    }

    /// A text of this POM with its `${…}` replaced; `None` if one is not known in the repository.
    pub(super) fn interpolate(&self, pom: &Pom, text: &str) -> Option<String> {
        self.replaced(pom, text, 0)
    }

    fn replaced(&self, pom: &Pom, text: &str, depth: usize) -> Option<String> {
        if depth > CHAIN || text.len() > VALUE {
            return None;
        }
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}')?;
            result.push_str(before);
            result.push_str(&self.replaced(pom, &self.raw(pom, name.trim())?.value, depth + 1)?);
            rest = after;
            if result.len() > VALUE {
                return None;
            }
        }
        result.push_str(rest);
        Some(result)
    }

    fn raw(&self, pom: &Pom, name: &str) -> Option<Stated> {
        if let Some(value) = self.arguments.properties.get(name) {
            return Some(Stated {
                value: value.clone(),
                file: "Maven's arguments".to_owned(),
            });
        }
        let (chain, _) = self.chain(pom);
        for pom in &chain {
            for section in pom.sections(&self.arguments) {
                if let Some(property) = section.at(&["properties", name]) {
                    return Some(Stated {
                        value: property.text.trim().to_owned(),
                        file: pom.file.clone(),
                    });
                }
            }
        }
        let field = name.strip_prefix("project.").or_else(|| name.strip_prefix("pom."))?;
        let stated = |value: &str| {
            Some(Stated {
                value: value.to_owned(),
                file: pom.file.clone(),
            })
        };
        match field {
            "artifactId" => stated(pom.artifact()),
            "packaging" => stated(pom.packaging()),
            "version" | "groupId" => chain
                .iter()
                .find_map(|pom| pom.text(&[field]).or_else(|| pom.text(&["parent", field])))
                .and_then(stated),
            "parent.version" | "parent.groupId" | "parent.artifactId" => pom
                .text(&["parent", field.trim_start_matches("parent.")])
                .and_then(stated),
            _ => None,
        }
    }
}

/// Where the parent lies, if its path is in the repository.
fn parent_path(pom: &Pom) -> Option<String> {
    normal(&pom.directory, &pom.parent()?.path?)
}

/// A module or parent may name a directory or a file.
fn as_pom(directory: &Path, path: String) -> String {
    if path.is_empty() || directory.join(&path).is_dir() {
        normal(&path, "pom.xml").unwrap_or_default()
    } else {
        path
    }
}

/// `web/../parent/pom.xml` → `parent/pom.xml`; `None` if it leads out of the repository.
fn normal(directory: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains('\0') {
        return None;
    }
    let path = path.replace('\\', "/");
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for (path, text) in files {
            let file = directory.path().join(path);
            fs::create_dir_all(file.parent().expect("a parent")).expect("made");
            fs::write(file, format!("<project>{text}</project>")).expect("written");
        }
        directory
    }

    #[test]
    fn properties_come_from_the_nearest_pom_and_are_interpolated_for_the_child() {
        let directory = tree(&[
            (
                "pom.xml",
                "<groupId>g</groupId><artifactId>p</artifactId><version>3</version><properties><a>${b}</a><b>1</b><v>${project.artifactId}-${project.version}</v><loop>${loop}</loop></properties><modules><module>web</module></modules>",
            ),
            (
                "web/pom.xml",
                "<parent><groupId>g</groupId><artifactId>p</artifactId><version>3</version></parent><artifactId>w</artifactId><properties><b>2</b></properties>",
            ),
        ]);
        let reactor = Reactor::read(directory.path(), Arguments::default()).expect("read");
        let web = reactor.modules().nth(1).expect("a module");
        let value = |name: &str| reactor.property(web, name);
        assert_eq!(
            value("a").map(|a| (a.value, a.file)),
            Some(("2".to_owned(), "pom.xml".to_owned()))
        );
        assert_eq!(value("v").map(|v| v.value).as_deref(), Some("w-3"));
        assert_eq!(value("loop"), None);
        assert_eq!(value("unknown"), None);
        assert!(reactor.gaps.is_empty(), "{:?}", reactor.gaps);
    }

    #[test]
    fn modules_that_are_missing_outside_or_in_a_circle_are_gaps_and_no_loop() {
        let directory = tree(&[
            (
                "pom.xml",
                "<artifactId>p</artifactId><modules><module>a</module><module>none</module><module>../out</module><module>${x}</module></modules>",
            ),
            (
                "a/pom.xml",
                "<artifactId>a</artifactId><parent><artifactId>a</artifactId><relativePath>.</relativePath></parent><modules><module>..</module></modules>",
            ),
        ]);
        let reactor = Reactor::read(directory.path(), Arguments::default()).expect("read");
        assert_eq!(reactor.modules().count(), 2);
        assert_eq!(reactor.gaps.len(), 3, "{:?}", reactor.gaps);
        let a = reactor.modules().nth(1).expect("a");
        assert_eq!(reactor.property(a, "nothing"), None);
    }
}
