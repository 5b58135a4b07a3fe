//! The one pass: each entry of the WAR is looked at once, each library is unpacked once and forgotten before the next.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use chrono::NaiveDate;
use tempfile::SpooledTempFile;
use zip::ZipArchive;

use super::Subject;
use super::classes::{Classes, OwnClasses};
use super::collector::Collector;
use super::libraries::Libraries;
use super::library::Library;
use super::{credentials, logging, names, statements, values};
use crate::definition::Checks;
use crate::maven::WarLimits;
use crate::maven::zip_guard::{self, Trouble};
use crate::model::{Finding, WarCheck, rule};

/// Bytes of a library that are held in memory; a larger one lies on the disk while it is looked at.
const IN_MEMORY: usize = 8 << 20;
/// Largest class and largest configuration file that are read.
const CLASS: u64 = 4 << 20;
const TEXT: u64 = 1 << 20;
/// All libraries together may have so many times the entries that one archive may have.
const LIBRARIES: usize = 10;
/// Key files are short.
const KEY: u64 = 64 << 10;
/// From this size on a WAR, and one file in it, is told as very large.
const LARGE_WAR: u64 = 250_000_000;
const LARGE_FILE: u64 = 100_000_000;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The archive is at fault.
    #[error("{}", .0.title)]
    Project(Box<Finding>),
    /// The worker's disk is at fault.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Checks a WAR. Blocking. `today` is the day (UTC) by which waivers hold; `scratch` is where large libraries may be
/// unpacked for the moment.
///
/// # Errors
/// The WAR cannot be read, by its own fault or the disk's. Libraries that cannot be read are part of the report.
pub fn check(subject: &Subject<'_>, checks: &Checks, today: NaiveDate, scratch: &Path) -> Result<WarCheck, CheckError> {
    let file = File::open(subject.file)?;
    let size = file.metadata()?.len();
    let mut found = Collector::new(checks, today);
    if size > LARGE_WAR {
        let name = subject.file.file_name().unwrap_or_default().to_string_lossy();
        found.add(&rule::SIZE, &name, format!("{:.1} MB", size as f64 / 1e6));
    }
    let mut walk = Walk {
        subject,
        found,
        scratch,
        libraries: Libraries::new(subject.servlet),
        own: OwnClasses::default(),
        left: subject.limits.unpacked,
        entries_left: subject.limits.entries.saturating_mul(LIBRARIES),
    };
    let walked = zip_guard::open(BufReader::new(file), subject.limits).and_then(|mut archive| walk.war(&mut archive));
    match walked {
        Ok(()) => {}
        Err(Trouble::Io(error)) => return Err(CheckError::Io(error)),
        Err(Trouble::Broken(why)) => {
            return Err(CheckError::Project(Box::new(Finding::new(
                "war-broken",
                format!("The WAR {why}"),
                "Unpack it on your desk (jar tf …). An archive like this comes from a plugin that changes the WAR after it was packed.",
            ))));
        }
    }
    walk.own.tell(&mut walk.found);
    walk.libraries.tell(&mut walk.found);
    Ok(walk.found.report())
}

struct Walk<'a> {
    subject: &'a Subject<'a>,
    found: Collector<'a>,
    scratch: &'a Path,
    libraries: Libraries,
    own: OwnClasses,
    /// What all libraries together may still unpack to, and how many entries they may still have.
    left: u64,
    entries_left: usize,
}

impl Walk<'_> {
    fn war<R: Read + Seek>(&mut self, archive: &mut ZipArchive<R>) -> Result<(), Trouble> {
        // By a hash of the name in lower case; the names themselves are in the archive's own index.
        let hasher = RandomState::new();
        let mut lower: HashMap<u64, usize> = HashMap::new();
        let mut classes = Classes::new("WEB-INF/classes".to_owned(), self.subject);
        for index in 0..archive.len() {
            let entry = archive.by_index_data(index).map_err(zip_guard::trouble)?;
            let name = entry.name().map_err(zip_guard::trouble)?.into_owned();
            let (is_file, size) = (entry.is_file(), entry.size());
            drop(entry);
            if !is_file {
                continue;
            }
            if let Some(other) = lower.insert(hasher.hash_one(name.to_lowercase()), index)
                && let Some(Ok(other)) = archive.name_for_index(other)
            {
                names::case_clash(&name, &other, &mut self.found);
            }
            if size > LARGE_FILE {
                let what = format!("{:.1} MB", size as f64 / 1e6);
                self.found.add(&rule::SIZE, &name, what);
            }
            names::judge(&name, &mut self.found);
            if names::may_be_key(&name)
                && let Some(key) = self.read(archive, index, &name, KEY)?
            {
                names::judge_key(&name, &key, &mut self.found);
            }
            let library = name.strip_prefix("WEB-INF/lib/").filter(|file| !file.contains('/'));
            if let Some(file) = library
                && file.ends_with(".jar")
            {
                self.library(archive, index, &name, file)?;
            } else if let Some(class) = name.strip_prefix("WEB-INF/classes/")
                && class.ends_with(".class")
            {
                if let Some(bytes) = self.read(archive, index, &name, CLASS)? {
                    classes.own(class, &name, &bytes, &mut self.found, &mut self.own);
                }
            } else if let Some(form) = statements::form(&name)
                && names::is_configuration(&name)
                && let Some(bytes) = self.read(archive, index, &name, TEXT)?
            {
                self.configuration(form, &name, &bytes);
            }
        }
        classes.tell(&mut self.found);
        Ok(())
    }

    /// Content of an entry; one that is too large or broken is told.
    fn read<R: Read + Seek>(
        &mut self,
        archive: &mut ZipArchive<R>,
        index: usize,
        path: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, Trouble> {
        match zip_guard::content(archive, index, limit) {
            Ok(Some(bytes)) => return Ok(Some(bytes)),
            Ok(None) if limit == KEY => {}
            Ok(None) => {
                let what = format!("is larger than {} MiB", limit >> 20);
                self.found.add(&rule::NOT_CHECKED, path, what);
            }
            Err(Trouble::Broken(why)) => self.found.add(&rule::NOT_CHECKED, path, why),
            Err(error @ Trouble::Io(_)) => return Err(error),
        }
        Ok(None)
    }

    fn configuration(&mut self, form: statements::Form, path: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let all = statements::read(form, &text);
        for statement in &all {
            values::judge(statement, values::From::Configuration, path, &mut self.found);
        }
        credentials::judge_all(&all, path, &mut self.found);
        logging::judge(&all, path, self.subject.log_directory, &mut self.found);
    }

    fn library<R: Read + Seek>(
        &mut self,
        war: &mut ZipArchive<R>,
        index: usize,
        path: &str,
        file: &str,
    ) -> Result<(), Trouble> {
        let mut jar = SpooledTempFile::new_in(IN_MEMORY, self.scratch);
        let limits = self.subject.limits;
        let walked = zip_guard::copy(war, index, &mut jar).and_then(|()| {
            jar.rewind()?;
            // Its directory is held in memory, so the number of its entries counts first.
            let entries = zip_guard::claimed_entries(&mut jar)?;
            if entries > limits.entries as u64 {
                let what = format!(
                    "has {entries} entries, more than the {} that are allowed",
                    limits.entries
                );
                self.found.add(&rule::ARCHIVE_LIMITS, path, what);
                return Ok(());
            }
            let unlimited = WarLimits {
                unpacked: u64::MAX,
                ..limits
            };
            self.in_library(&mut zip_guard::open(BufReader::new(jar), unlimited)?, path, file)
        });
        match walked {
            Err(Trouble::Broken(why)) => self.found.add(&rule::NOT_CHECKED, path, why),
            Err(error @ Trouble::Io(_)) => return Err(error),
            Ok(()) => {}
        }
        Ok(())
    }

    fn in_library<R: Read + Seek>(&mut self, jar: &mut ZipArchive<R>, path: &str, file: &str) -> Result<(), Trouble> {
        let unpacked = zip_guard::unpacked(jar)?;
        let Some(left) = self.left.checked_sub(unpacked) else {
            let most = self.subject.limits.unpacked;
            let what = format!(
                "unpacks to {unpacked} bytes; with the libraries before it that is more than the {most} that are allowed"
            );
            self.found.add(&rule::ARCHIVE_LIMITS, path, what);
            return Ok(());
        };
        let Some(entries_left) = self.entries_left.checked_sub(jar.len()) else {
            let most = self.subject.limits.entries.saturating_mul(LIBRARIES);
            let what = format!(
                "has {} entries; with the libraries before it these are more than the {most} that are allowed",
                jar.len()
            );
            self.found.add(&rule::ARCHIVE_LIMITS, path, what);
            return Ok(());
        };
        (self.left, self.entries_left) = (left, entries_left);
        let own = self.subject.siblings.contains(file);
        let mut library = Library::new(file, own, self.subject.servlet);
        let mut classes = Classes::new(path.to_owned(), self.subject);
        for index in 0..jar.len() {
            let entry = jar.by_index_data(index).map_err(zip_guard::trouble)?;
            let name = entry.name().map_err(zip_guard::trouble)?.into_owned();
            let (is_file, size, crc) = (entry.is_file(), entry.size(), entry.crc32());
            drop(entry);
            if !is_file {
                continue;
            }
            let inside = || format!("{path}!/{name}");
            library.name(&name);
            if name.ends_with(".class") {
                self.libraries.class(path, &name, size, crc);
                if own {
                    let inside = inside();
                    if let Some(bytes) = self.read(jar, index, &inside, CLASS)? {
                        classes.own(&name, &inside, &bytes, &mut self.found, &mut self.own);
                    }
                } else if library.wants(&name)
                    && let Some(bytes) = self.read(jar, index, &inside(), CLASS)?
                {
                    classes.other(&name, &bytes);
                    library.class(&name, &bytes);
                } else if classes.counts(&name) {
                    classes.other(&name, &zip_guard::head(jar, index, 8)?);
                }
            } else if library.is_identity(&name) {
                if let Some(bytes) = self.read(jar, index, &inside(), TEXT)? {
                    library.identity(&String::from_utf8_lossy(&bytes));
                }
            } else if own {
                let inside = inside();
                names::judge(&inside, &mut self.found);
                if names::may_be_key(&name)
                    && let Some(key) = self.read(jar, index, &inside, KEY)?
                {
                    names::judge_key(&inside, &key, &mut self.found);
                }
                if let Some(form) = statements::form(&name)
                    && names::is_configuration(&inside)
                    && let Some(bytes) = self.read(jar, index, &inside, TEXT)?
                {
                    self.configuration(form, &inside, &bytes);
                }
            }
        }
        classes.tell(&mut self.found);
        self.libraries.add(library, path, &mut self.found);
        Ok(())
    }
}
