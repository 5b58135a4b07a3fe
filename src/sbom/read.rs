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
mod tests {
    use std::io::Cursor;

    use zip::write::SimpleFileOptions;

    use super::super::{Evidence, Sbom};
    use super::*;
    use crate::model::Digest;

    fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).expect("an entry");
            zip.write_all(content).expect("in memory");
        }
        zip.finish().expect("in memory").into_inner()
    }

    fn maven_jar(coordinates: &[(&str, &str, &str)]) -> Vec<u8> {
        let files: Vec<(String, String)> = coordinates
            .iter()
            .map(|(group, artifact, version)| {
                (
                    format!("META-INF/maven/{group}/{artifact}/pom.properties"),
                    format!("#Generated\nversion={version}\ngroupId={group}\nartifactId={artifact}\n"),
                )
            })
            .collect();
        let entries: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_bytes()))
            .collect();
        zipped(&entries)
    }

    fn look(entries: &[(&str, &[u8])], limits: Limits) -> Result<Sbom, SbomError> {
        let directory = tempfile::tempdir().expect("a directory");
        let bytes = zipped(entries);
        let file = directory.path().join("shop.war");
        std::fs::write(&file, &bytes).expect("written");
        Ok(Sbom {
            name: "shop.war".to_owned(),
            war: Digest::of(&bytes),
            entries: read(&file, directory.path(), limits)?,
        })
    }

    fn lines(sbom: &Sbom) -> Vec<String> {
        let line = |entry: &Entry| format!("{} {}", entry.path, entry.component.name());
        sbom.entries.iter().map(line).collect()
    }

    const LOG4J: (&str, &str, &str) = ("org.apache.logging.log4j", "log4j-core", "2.14.1");

    #[test]
    fn every_jar_is_listed_with_its_checksums() {
        let log4j = maven_jar(&[LOG4J]);
        let spring = zipped(&[
            (
                "META-INF/MANIFEST.MF",
                b"Implementation-Title: spring-beans\nImplementation-Version: 5.3.17\n",
            ),
            ("org/springframework/beans/A.class", b""),
            ("org/springframework/beans/factory/B.class", b""),
            ("META-INF/versions/9/x/C.class", b""),
        ]);
        let sbom = look(
            &[
                ("WEB-INF/lib/spring-beans-5.3.17.jar", &spring),
                ("WEB-INF/lib/log4j-core-2.14.1.jar", &log4j),
                ("WEB-INF/classes/A.class", b""),
                ("WEB-INF/lib/broken-1.0.jar", b"no zip"),
            ],
            Limits::default(),
        )
        .expect("read");
        assert_eq!(
            lines(&sbom),
            [
                "WEB-INF/lib/broken-1.0.jar broken:1.0",
                "WEB-INF/lib/log4j-core-2.14.1.jar org.apache.logging.log4j:log4j-core:2.14.1",
                "WEB-INF/lib/spring-beans-5.3.17.jar spring-beans:5.3.17",
            ]
        );
        let [broken, core, beans] = &sbom.entries[..] else {
            panic!("three")
        };
        assert!(
            broken
                .note
                .as_ref()
                .is_some_and(|note| note.contains("not a readable archive")),
            "{broken:?}"
        );
        assert_eq!(format!("sha256:{}", core.sha256), Digest::of(&log4j).as_str());
        assert_eq!(core.evidence, Evidence::PomProperties);
        assert_eq!(beans.component.package, "org.springframework.beans");
        assert!(beans.component.is("org.springframework", "spring-beans"));
        // `printf 'no zip' | sha1sum`
        assert_eq!(broken.sha1, "5aa6366934eb820522dbc0b3017071a7c4b9fb32");
    }

    #[test]
    fn jars_in_jars_are_found_up_to_a_depth() {
        let mut inner = maven_jar(&[LOG4J]);
        for level in 0..3 {
            let name = format!("lib/level{level}-1.jar");
            inner = zipped(&[(&name, &inner)]);
        }
        let war: &[(&str, &[u8])] = &[("WEB-INF/lib/outer-1.jar", &inner)];
        let all = look(war, Limits::default()).expect("read");
        let deepest = "WEB-INF/lib/outer-1.jar!/lib/level2-1.jar!/lib/level1-1.jar!/lib/level0-1.jar";
        assert_eq!(
            lines(&all).last().map(String::as_str),
            Some(&*format!("{deepest} org.apache.logging.log4j:log4j-core:2.14.1"))
        );
        let limits = Limits {
            depth: 2,
            ..Limits::default()
        };
        let some = look(war, limits).expect("read");
        assert_eq!(some.entries.len(), 2);
        assert!(
            some.entries[1]
                .note
                .as_ref()
                .is_some_and(|note| note.contains("3 deep")),
            "{some:?}"
        );
    }

    #[test]
    fn a_shaded_jar_is_several_libraries() {
        let shaded = maven_jar(&[("com.example", "client", "1.0"), LOG4J]);
        let sbom = look(&[("WEB-INF/lib/client-1.0.jar", &shaded)], Limits::default()).expect("read");
        assert_eq!(
            lines(&sbom),
            [
                "WEB-INF/lib/client-1.0.jar com.example:client:1.0",
                "WEB-INF/lib/client-1.0.jar org.apache.logging.log4j:log4j-core:2.14.1",
            ]
        );
    }

    #[test]
    fn what_is_beyond_the_limits_is_refused() {
        let jar = maven_jar(&[LOG4J]);
        let war: &[(&str, &[u8])] = &[("WEB-INF/lib/a.jar", &jar), ("WEB-INF/lib/b.jar", &jar)];
        let says = |limits| match look(war, limits) {
            Err(SbomError::Broken(why)) => why,
            other => panic!("{other:?}"),
        };
        let few = Limits {
            jars: 1,
            ..Limits::default()
        };
        assert!(says(few).contains("more than 1 jars"));
        let small = Limits {
            bytes: jar.len() as u64,
            ..Limits::default()
        };
        assert!(says(small).contains("bytes in all"));
    }

    #[test]
    fn hostile_coordinates_are_not_believed() {
        let jar = maven_jar(&[("../../x", "a b", "1")]);
        let names = [
            (
                "META-INF/maven/g/a/pom.properties",
                &b"groupId=<script>\nversion=1\n"[..],
            ),
            ("META-INF/maven/x/pom.properties", b"version=2\n"),
        ];
        let sbom = look(
            &[
                ("WEB-INF/lib/evil-1.0.jar", &jar),
                ("WEB-INF/lib/half.jar", &zipped(&names)),
            ],
            Limits::default(),
        )
        .expect("read");
        assert_eq!(
            lines(&sbom),
            ["WEB-INF/lib/evil-1.0.jar evil:1.0", "WEB-INF/lib/half.jar g:a:1"]
        );
    }
}
