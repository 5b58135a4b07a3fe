//! From a WAR to its libraries: each jar is unpacked to a file without a name, hashed on the way, and looked into.
//!
//! Everything here was made by somebody else's build. Depth, size and number are limited, memory does not grow with the
//! WAR, and a jar that cannot be read is still listed by its name, with the reason.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

use super::Entry;
use super::identify::{Seen, identify};
use super::manifest::{attributes, properties};
use crate::maven::WarLimits;
use crate::maven::range::is_coordinate;
use crate::maven::zip_guard::{self, Trouble};

/// Bytes of a manifest or a `pom.properties` that are read.
const SMALL_FILE: u64 = 1 << 20;
/// `pom.properties` of one jar that are read.
const POMS: usize = 1000;
/// Jars up to this size do not touch the disk.
const IN_MEMORY: usize = 4 << 20;

/// How far it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of the WAR and of each jar.
    pub archive: WarLimits,
    /// Jars in jars: the WAR's own are at depth 1.
    pub depth: u8,
    /// Jars in all.
    pub jars: usize,
    /// Bytes of all jars together, those in jars counted again.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive: WarLimits::default(),
            depth: 4,
            jars: 20_000,
            bytes: 8 << 30,
        }
    }
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// The WAR is at fault: the sentence goes on behind its name.
    #[error("{0}")]
    Broken(String),
    /// The disk is at fault.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

/// The libraries of a WAR, sorted; blocking. Jars larger than 4 MiB are unpacked below `scratch`, one a level of depth at a time.
///
/// # Errors
/// The WAR is no archive or beyond the limits, or the disk refuses.
pub fn read(file: &Path, scratch: &Path, limits: Limits) -> Result<Vec<Entry>, SbomError> {
    let result = File::open(file)
        .map_err(Trouble::from)
        .and_then(|file| zip_guard::open(BufReader::new(file), limits.archive))
        .and_then(|mut archive| {
            let mut walk = Walk {
                scratch: scratch.to_owned(),
                limits,
                bytes: 0,
                jars: 0,
                entries: Vec::new(),
            };
            let names = zip_guard::names(&mut archive)?;
            walk.jars_of(&mut archive, &names, "", 1)?;
            Ok(walk.entries)
        });
    match result {
        Ok(mut entries) => {
            entries.sort();
            Ok(entries)
        }
        Err(Trouble::Broken(why)) => Err(SbomError::Broken(why)),
        Err(Trouble::Io(source)) => Err(SbomError::Io {
            path: file.display().to_string(),
            source,
        }),
    }
}

struct Walk {
    scratch: PathBuf,
    limits: Limits,
    bytes: u64,
    jars: usize,
    entries: Vec<Entry>,
}

/// A jar out of its archive.
struct Unpacked {
    file: tempfile::SpooledTempFile,
    sha256: String,
    sha1: String,
}

impl Walk {
    fn jars_of<R: Read + Seek>(
        &mut self,
        archive: &mut ZipArchive<R>,
        names: &[(usize, String)],
        prefix: &str,
        depth: u8,
    ) -> Result<(), Trouble> {
        for (index, name) in names.iter().filter(|(_, name)| is_jar(name)) {
            let path = format!("{prefix}{name}");
            self.jars += 1;
            if self.jars > self.limits.jars {
                return Err(Trouble::Broken(format!("holds more than {} jars", self.limits.jars)));
            }
            let unpacked = self.unpack(archive, *index, &path)?;
            self.look(unpacked, &path, depth)?;
        }
        Ok(())
    }

    fn unpack<R: Read + Seek>(
        &mut self,
        archive: &mut ZipArchive<R>,
        index: usize,
        path: &str,
    ) -> Result<Unpacked, Trouble> {
        let broken = |error: &dyn std::fmt::Display| {
            Trouble::Broken(format!("has an entry {path} that cannot be read: {error}"))
        };
        let mut entry = archive.by_index(index).map_err(|error| broken(&error))?;
        let size = entry.size();
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.limits.bytes {
            return Err(Trouble::Broken(format!(
                "holds jars of more than {} bytes in all",
                self.limits.bytes
            )));
        }
        let mut file = tempfile::spooled_tempfile_in(IN_MEMORY, &self.scratch);
        let (mut sha256, mut sha1) = (Sha256::new(), Sha1::new());
        let mut buffer = vec![0; 64 << 10];
        let mut copied = 0u64;
        loop {
            let count = match entry.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // The disk under the WAR was read a moment ago; what fails here is the compressed stream.
                Err(error) => return Err(broken(&error)),
            };
            copied += count as u64;
            if copied > size {
                return Err(broken(&"it is longer than it claims"));
            }
            sha256.update(&buffer[..count]);
            sha1.update(&buffer[..count]);
            file.write_all(&buffer[..count])?;
        }
        file.rewind()?;
        Ok(Unpacked {
            file,
            sha256: hex(&sha256.finalize()),
            sha1: hex(&sha1.finalize()),
        })
    }

    /// Lists what a jar is, and goes on with the jars in it.
    fn look(&mut self, unpacked: Unpacked, path: &str, depth: u8) -> Result<(), Trouble> {
        let Unpacked { file, sha256, sha1 } = unpacked;
        let mut seen = Seen {
            file: path.rsplit('/').next().unwrap_or(path).to_owned(),
            ..Seen::default()
        };
        let opened = zip_guard::open(BufReader::new(file), self.limits.archive).and_then(|mut archive| {
            let names = zip_guard::names(&mut archive)?;
            describe(&mut seen, &mut archive, &names)?;
            Ok((archive, names))
        });
        let (inside, mut note) = match opened {
            Ok(inside) => (Some(inside), None),
            Err(Trouble::Broken(why)) => (None, Some(format!("It {why}."))),
            Err(error) => return Err(error),
        };
        let nested = inside.filter(|(_, names)| names.iter().any(|(_, name)| is_jar(name)));
        if nested.is_some() && depth >= self.limits.depth {
            note = Some(format!(
                "The jars in it are {} deep and were not looked into.",
                depth + 1
            ));
        }
        self.entries
            .extend(identify(&seen).into_iter().map(|(component, evidence)| Entry {
                path: path.to_owned(),
                component,
                evidence,
                sha256: sha256.clone(),
                sha1: sha1.clone(),
                note: note.clone(),
            }));
        match nested {
            Some((mut archive, names)) if depth < self.limits.depth => {
                let before = self.entries.len();
                match self.jars_of(&mut archive, &names, &format!("{path}!/"), depth + 1) {
                    // One broken jar in a jar must not hide the others of the WAR.
                    Err(Trouble::Broken(why)) if self.bytes <= self.limits.bytes && self.jars <= self.limits.jars => {
                        for entry in &mut self.entries[..before] {
                            if entry.path == path {
                                entry.note = Some(format!("It {why}."));
                            }
                        }
                        Ok(())
                    }
                    other => other,
                }
            }
            _ => Ok(()),
        }
    }
}

/// Reads what a jar says of itself.
fn describe<R: Read + Seek>(
    seen: &mut Seen,
    archive: &mut ZipArchive<R>,
    names: &[(usize, String)],
) -> Result<(), Trouble> {
    let mut poms = BTreeSet::new();
    for (index, name) in names {
        if name.eq_ignore_ascii_case("META-INF/MANIFEST.MF") {
            if let Some(bytes) = zip_guard::content(archive, *index, SMALL_FILE)? {
                seen.manifest = attributes(&bytes);
            }
        } else if let Some(place) = name
            .strip_prefix("META-INF/maven/")
            .and_then(|rest| rest.strip_suffix("/pom.properties"))
            && poms.len() < POMS
            && let Some(bytes) = zip_guard::content(archive, *index, SMALL_FILE)?
        {
            poms.extend(coordinates(place, &bytes));
        }
    }
    seen.poms = poms.into_iter().collect();
    seen.package = common_package(names.iter().map(|(_, name)| name.as_str()));
    Ok(())
}

/// What a `pom.properties` says; the directories that it is in say it too.
fn coordinates(place: &str, bytes: &[u8]) -> Option<(String, String, String)> {
    let mut found = properties(bytes);
    let (group, artifact) = place.split_once('/').unwrap_or((place, ""));
    let mut get = |key: &str, else_: &str| {
        let value = found.remove(key).filter(|value| is_coordinate(value));
        value.or_else(|| is_coordinate(else_).then(|| else_.to_owned()))
    };
    let (group, artifact) = (get("groupId", group)?, get("artifactId", artifact)?);
    Some((group, artifact, found.remove("version").unwrap_or_default()))
}

/// The package that all classes are in, as `a.b.c`; variants for other Java versions lie elsewhere and do not count.
fn common_package<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut common: Option<Vec<&str>> = None;
    for name in names {
        let Some((package, _)) = name.rsplit_once('/').filter(|(_, file)| file.ends_with(".class")) else {
            continue;
        };
        if package.starts_with("META-INF") {
            continue;
        }
        let parts: Vec<&str> = package.split('/').collect();
        common = Some(match common {
            None => parts,
            Some(mut known) => {
                let same = known.iter().zip(&parts).take_while(|(a, b)| a == b).count();
                known.truncate(same);
                known
            }
        });
    }
    let package = common.unwrap_or_default().join(".");
    match is_coordinate(&package) {
        true => package,
        false => String::new(),
    }
}

fn is_jar(name: &str) -> bool {
    name.len() > 4
        && name
            .get(name.len() - 4..)
            .is_some_and(|end| end.eq_ignore_ascii_case(".jar"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
