//! The Dockerfile and the files beside it, from the merge result on the worker's disk. It was written by strangers: no link
//! is followed, and there are limits.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::report::Found;
use super::rules;
use crate::definition::{ByHand, Glob};
use crate::model::Finding;
use crate::standards::secrets_by_form;

/// Bytes of a Dockerfile.
const LARGEST: u64 = 64 << 10;
/// Files that may be copied, and their bytes.
const MOST: usize = 1000;
const BYTES: u64 = 64 << 20;
/// Bytes of a file that is searched for secrets.
const SEARCHED: u64 = 1 << 20;
/// Directories in directories.
const DEEPEST: usize = 100;

/// A file of the repository that the Dockerfile may copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryFile {
    /// Its path in the repository.
    pub path: String,
    /// Where it lies on the disk.
    pub place: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// May it be executed?
    pub is_program: bool,
}

/// The text of the Dockerfile.
///
/// # Errors
/// The disk; inside, a finding: it is not there, or no file of text.
pub fn read(tree: &Path, by_hand: &ByHand) -> io::Result<Result<String, Finding>> {
    let path = &by_hand.allowed.path;
    let refused = |what: &str| {
        Finding::new(
            "dockerfile-missing",
            format!("The pipeline says that this project has a Dockerfile of its own, {path}, and {what}"),
            "Put it there. If the Dockerfile of the house will do, ask the platform team to take [dockerfile_exception] out of the pipeline.",
        )
    };
    let mut place = tree.to_owned();
    for part in path.split('/') {
        place.push(part);
        match fs::symlink_metadata(&place) {
            Ok(seen) if seen.is_symlink() => return Ok(Err(refused("a link is in its path"))),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Err(refused("it is not in the merge result")));
            }
            Err(error) => return Err(error),
        }
    }
    let seen = fs::symlink_metadata(&place)?;
    if !seen.is_file() {
        return Ok(Err(refused("it is no file")));
    }
    if seen.len() > LARGEST {
        return Ok(Err(refused(&format!("it has more than {LARGEST} bytes"))));
    }
    Ok(String::from_utf8(fs::read(&place)?).map_err(|_| refused("it is no text in UTF-8")))
}

/// The files of the repository that the pipeline names, by their paths.
///
/// # Errors
/// The disk; inside, a finding: nothing, a link, too much, or a secret.
pub fn gather(tree: &Path, by_hand: &ByHand) -> io::Result<Result<Vec<RepositoryFile>, Finding>> {
    let refused = |title: String| {
        Finding::new(
            "dockerfile-files",
            title,
            "What a hand-written Dockerfile may copy is named in the pipeline: files in [dockerfile_exception].",
        )
    };
    let mut files = Vec::new();
    if by_hand.files.is_empty() {
        return Ok(Ok(files));
    }
    if let Some(link) = walk(tree, "", &by_hand.files, DEEPEST, &mut files)? {
        return Ok(Err(refused(format!(
            "{link} is a link, and the Dockerfile may copy only files"
        ))));
    }
    let idle = |glob: &&Glob| !files.iter().any(|file| glob.matches(&file.path));
    if let Some(glob) = by_hand.files.iter().find(idle) {
        return Ok(Err(refused(format!("No file of the repository is named {glob}"))));
    }
    let bytes: u64 = files.iter().map(|file| file.size).sum();
    if files.len() > MOST || bytes > BYTES {
        return Ok(Err(refused(format!(
            "The pipeline names {} files with {bytes} bytes for the Dockerfile; {MOST} and {BYTES} are allowed",
            files.len()
        ))));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    for file in files.iter().filter(|file| file.size <= SEARCHED) {
        if let Ok(text) = String::from_utf8(fs::read(&file.place)?) {
            let mut found = Found::new(&file.path);
            for (at, line) in text.lines().enumerate() {
                for what in secrets_by_form(line) {
                    found.add(&rules::SECRET, at + 1, what);
                }
            }
            if let Some(finding) = found.finding() {
                return Ok(Err(finding));
            }
        }
    }
    Ok(Ok(files))
}

/// Adds the files that a pattern names; gives the first link among them.
fn walk(
    directory: &Path,
    inside: &str,
    globs: &[Glob],
    deep: usize,
    files: &mut Vec<RepositoryFile>,
) -> io::Result<Option<String>> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // A name that is no text is named by no pattern.
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        let path = if inside.is_empty() {
            name
        } else {
            format!("{inside}/{name}")
        };
        let seen = fs::symlink_metadata(entry.path())?;
        let named = globs.iter().any(|glob| glob.matches(&path));
        if seen.is_dir() && deep > 0 {
            if let Some(link) = walk(&entry.path(), &path, globs, deep - 1, files)? {
                return Ok(Some(link));
            }
        } else if named && seen.is_symlink() {
            return Ok(Some(path));
        } else if named && seen.is_file() {
            files.push(RepositoryFile {
                path,
                place: entry.path(),
                size: seen.len(),
                is_program: seen.permissions().mode() & 0o111 != 0,
            });
        }
    }
    Ok(None)
}
