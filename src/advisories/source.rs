//! Where advisories come from: a directory with JSON files at any depth, or a zip of them, as OSV and GitHub give them out.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::osv::{BadAdvisory, parse};
use crate::maven::WarLimits;
use crate::maven::zip_guard::{self, Trouble};
use crate::model::Advisory;

/// Largest file that is read as one advisory, in bytes.
const LARGEST: u64 = 16 << 20;
/// Directories below each other that are gone through.
const DEPTH: usize = 16;
/// GitHub's whole database has 300,000 files.
const LIMITS: WarLimits = WarLimits {
    entries: 2_000_000,
    unpacked: 64 << 30,
    library: 0,
};

/// What a source holds.
#[derive(Debug, Default)]
pub struct Source {
    /// Of Maven's libraries; of several with one name the newest.
    pub advisories: Vec<Advisory>,
    /// Files that speak of other ecosystems only.
    pub others: usize,
    /// Files that are no advisories, with the reason.
    pub broken: Vec<(String, BadAdvisory)>,
}

/// A source that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is no zip, or one beyond the limits.
    #[error("{path} {why}")]
    Broken {
        /// The file.
        path: String,
        /// Goes on behind its name.
        why: String,
    },
    /// It has no JSON file.
    #[error("{0} holds no .json file: give a directory of OSV files, or a zip like Maven/all.zip of OSV's archive")]
    Empty(String),
    /// The disk is at fault, or it is not there.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

/// Reads a zip or a directory; blocking.
///
/// # Errors
/// It is not there, no zip, or holds nothing. A single file that is no advisory is told in the result.
pub fn read_source(path: &Path) -> Result<Source, SourceError> {
    let shown = path.display().to_string();
    let failed = |source| SourceError::Io {
        path: shown.clone(),
        source,
    };
    let mut gathered = Gathered::default();
    if fs::metadata(path).map_err(failed)?.is_dir() {
        directory(path, &mut gathered)?;
    } else {
        let file = File::open(path).map_err(failed)?;
        archive(file, &mut gathered).map_err(|trouble| match trouble {
            Trouble::Broken(why) => SourceError::Broken {
                path: shown.clone(),
                why,
            },
            Trouble::Io(source) => failed(source),
        })?;
    }
    if gathered.files == 0 {
        return Err(SourceError::Empty(shown));
    }
    Ok(Source {
        advisories: gathered.advisories.into_values().collect(),
        others: gathered.others,
        broken: gathered.broken,
    })
}

#[derive(Default)]
struct Gathered {
    files: usize,
    advisories: BTreeMap<String, Advisory>,
    others: usize,
    broken: Vec<(String, BadAdvisory)>,
}

impl Gathered {
    fn take(&mut self, name: &str, bytes: &[u8]) {
        self.files += 1;
        match parse(bytes) {
            Ok(None) => self.others += 1,
            Ok(Some(advisory)) => {
                let known = self.advisories.get(&advisory.id);
                if known.is_none_or(|known| known.modified <= advisory.modified) {
                    self.advisories.insert(advisory.id.clone(), advisory);
                }
            }
            Err(why) => self.broken.push((name.to_owned(), why)),
        }
    }

    fn too_large(&mut self, name: &str) {
        self.files += 1;
        let why = BadAdvisory::new(format!(
            "it is larger than the {LARGEST} bytes that an advisory may have"
        ));
        self.broken.push((name.to_owned(), why));
    }
}

fn is_json(name: &str) -> bool {
    name.ends_with(".json")
}

fn archive(file: File, gathered: &mut Gathered) -> Result<(), Trouble> {
    let mut archive = zip_guard::open(BufReader::new(file), LIMITS)?;
    for (index, name) in zip_guard::names(&mut archive)? {
        if !is_json(&name) {
            continue;
        }
        match zip_guard::content(&mut archive, index, LARGEST)? {
            Some(bytes) => gathered.take(&name, &bytes),
            None => gathered.too_large(&name),
        }
    }
    Ok(())
}

/// Links are not followed.
fn directory(path: &Path, gathered: &mut Gathered) -> Result<(), SourceError> {
    fn failed(path: &Path) -> impl Fn(io::Error) -> SourceError {
        let path = path.display().to_string();
        move |source| SourceError::Io {
            path: path.clone(),
            source,
        }
    }
    let mut waiting: Vec<(PathBuf, usize)> = vec![(path.to_owned(), 0)];
    while let Some((place, depth)) = waiting.pop() {
        for entry in fs::read_dir(&place).map_err(failed(&place))? {
            let entry = entry.map_err(failed(&place))?;
            let kind = entry.file_type().map_err(failed(&place))?;
            let found = entry.path();
            if kind.is_dir() && depth < DEPTH {
                waiting.push((found, depth + 1));
            } else if kind.is_file() && is_json(&entry.file_name().to_string_lossy()) {
                let name = found.display().to_string();
                let mut bytes = Vec::new();
                let file = File::open(&found).map_err(failed(&found))?;
                file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed(&found))?;
                if bytes.len() as u64 > LARGEST {
                    gathered.too_large(&name);
                } else {
                    gathered.take(&name, &bytes);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn advisory(id: &str, modified: &str) -> String {
        format!(
            r#"{{"id":"{id}","modified":"{modified}","summary":"{modified}",
            "affected":[{{"package":{{"ecosystem":"Maven","name":"a:b"}},"versions":["1"]}}]}}"#
        )
    }

    #[test]
    fn a_directory_is_read_at_any_depth_and_the_newest_counts() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("has one")).expect("made");
            fs::write(path, text).expect("written");
        };
        write("2024/01/X-1/X-1.json", &advisory("X-1", "2024-01-01T00:00:00Z"));
        write("2024/02/X-1.json", &advisory("X-1", "2024-02-01T00:00:00Z"));
        write(
            "other.json",
            r#"{"id":"N-1","modified":"2024-01-01T00:00:00Z","affected":[]}"#,
        );
        write("broken.json", "{");
        write("README.md", "not one");
        let source = read_source(directory.path()).expect("read");
        assert_eq!(source.advisories.len(), 1);
        assert_eq!(source.advisories[0].summary, "2024-02-01T00:00:00Z");
        assert_eq!((source.others, source.broken.len()), (1, 1));
        assert!(source.broken[0].0.ends_with("broken.json"), "{:?}", source.broken);
    }

    #[test]
    fn a_zip_is_read_and_what_is_none_is_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("all.zip");
        let mut zip = zip::ZipWriter::new(File::create(&path).expect("made"));
        for id in ["X-1", "X-2"] {
            zip.start_file(format!("{id}.json"), zip::write::SimpleFileOptions::default())
                .expect("an entry");
            zip.write_all(advisory(id, "2024-01-01T00:00:00Z").as_bytes())
                .expect("written");
        }
        zip.finish().expect("written");
        assert_eq!(read_source(&path).expect("read").advisories.len(), 2);
        let says = |path: &Path| read_source(path).expect_err("nothing to read").to_string();
        fs::write(directory.path().join("no.zip"), "no zip").expect("written");
        assert!(says(&directory.path().join("no.zip")).contains("not a readable archive"));
        assert!(says(&directory.path().join("missing")).contains("missing"));
        fs::create_dir(directory.path().join("empty")).expect("made");
        assert!(says(&directory.path().join("empty")).contains("no .json file"));
    }
}
