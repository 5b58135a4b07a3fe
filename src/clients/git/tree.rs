//! Writes a tree of the mirror to a directory, and tells what a build must know of it: submodules, pointers of Git LFS, links
//! that lead out.
//!
//! Not done by libgit2's checkout: that one obeys `core.*` settings of whoever runs the service and keeps an index in the bare
//! repository. This one writes each blob byte by byte as it is stored; attributes (`eol`, `ident`, filters) are not applied, as
//! they are not by libgit2 in a bare repository either. The tree comes from a stranger, so every file and directory is made
//! anew (`O_EXCL`, `mkdir`): a tree that names a thing twice, once as a link, is refused and leads nowhere.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use git2::{Blob, ObjectType, Oid, Repository, TreeEntry};
use tokio_util::sync::CancellationToken;

use super::merge::oid;
use super::mirror::Mirror;
use super::{GitError, GitErrorKind, links};
use crate::model::Sha;

/// More files and directories than this are no application but an attack on the disk (the Linux kernel has 90,000).
const ENTRIES: u64 = 500_000;
/// More bytes than this likewise.
const BYTES: u64 = 20 << 30;
/// One file of more bytes than this likewise: libgit2 reads each as a whole into memory.
const FILE_BYTES: usize = 1 << 30;
/// Deeper than this no build tool goes.
const DEPTH: usize = 200;
/// A pointer of Git LFS is smaller than this (git-lfs specification, "The Pointer").
const POINTER: usize = 1024;
/// Mode of a symbolic link in a tree.
const LINK: i32 = 0o120_000;

/// What was written, and what was met on the way. All paths are relative to the tree, with `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkout {
    /// Files and links.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Submodules, not fetched: each is an empty directory now.
    pub submodules: Vec<String>,
    /// Files that are only pointers of Git LFS: the content is elsewhere.
    pub lfs_pointers: Vec<String>,
    /// Symbolic links that lead out of the tree, as `path -> target`. They were **not** written.
    pub outside_links: Vec<String>,
}

/// Writes `tree` into `into`, an absolute path of a directory that is missing or empty.
pub(super) fn checkout(
    mirror: &Mirror,
    tree: &Sha,
    into: &Path,
    cancel: &CancellationToken,
) -> Result<Checkout, GitError> {
    let repository = mirror.open()?;
    let tree = oid(&mirror.repository, tree)?;
    prepare(into)?;
    let mut writer = Writer {
        repository: &repository,
        mirror,
        into,
        cancel,
        links: Vec::new(),
        entries: 0,
        done: Checkout::default(),
    };
    writer.directory(tree, &mut Vec::new())?;
    writer.write_links()?;
    Ok(writer.done)
}

fn prepare(into: &Path) -> Result<(), GitError> {
    let refuse = |why: &str| Err(GitError::new(GitErrorKind::Local, into.display().to_string(), why));
    if !into.is_absolute() {
        return refuse("the directory to check out into must be an absolute path");
    }
    fs::create_dir_all(into).map_err(|e| GitError::io(into, "make the directory", &e))?;
    let mut entries = fs::read_dir(into).map_err(|e| GitError::io(into, "read the directory", &e))?;
    if entries.next().is_some() {
        return refuse("the directory to check out into must be empty, else old files get built");
    }
    Ok(())
}

struct Writer<'r> {
    repository: &'r Repository,
    mirror: &'r Mirror,
    into: &'r Path,
    cancel: &'r CancellationToken,
    links: Vec<links::Link>,
    entries: u64,
    done: Checkout,
}

impl Writer<'_> {
    /// Writes the content of a directory; `path` is where it lies, as bytes with `/`.
    fn directory(&mut self, tree: Oid, path: &mut Vec<u8>) -> Result<(), GitError> {
        let tree = self
            .repository
            .find_tree(tree)
            .map_err(|e| self.mirror.error("read a tree", &e))?;
        for entry in &tree {
            if self.cancel.is_cancelled() {
                return Err(GitError::cancelled(self.into.display().to_string()));
            }
            let parent = path.len();
            if parent > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(entry.name_bytes());
            self.entry(&entry, path)?;
            path.truncate(parent);
        }
        Ok(())
    }

    fn entry(&mut self, entry: &TreeEntry<'_>, path: &mut Vec<u8>) -> Result<(), GitError> {
        let shown = String::from_utf8_lossy(path).into_owned();
        if !harmless(entry.name_bytes()) {
            return Err(self.refuse(format!("the tree holds a file of the name {shown:?}")));
        }
        match entry.kind() {
            Some(ObjectType::Tree) => {
                if path.iter().filter(|b| **b == b'/').count() >= DEPTH {
                    return Err(self.refuse(format!("more than {DEPTH} directories deep")));
                }
                self.make_directory(path)?;
                self.count(0)?;
                self.directory(entry.id(), path)
            }
            // A commit in a tree is a submodule.
            Some(ObjectType::Commit) => {
                self.done.submodules.push(shown);
                self.make_directory(path)
            }
            _ => self.file(entry, path, shown),
        }
    }

    fn file(&mut self, entry: &TreeEntry<'_>, path: &[u8], shown: String) -> Result<(), GitError> {
        let (size, _) = self
            .repository
            .odb()
            .and_then(|odb| odb.read_header(entry.id()))
            .map_err(|e| self.mirror.error("read a file's size", &e))?;
        if size > FILE_BYTES {
            let limit = FILE_BYTES >> 30;
            return Err(self.refuse(format!("{shown:?} is too large: more than {limit} GiB")));
        }
        let blob = self
            .repository
            .find_blob(entry.id())
            .map_err(|e| self.mirror.error("read a file", &e))?;
        self.done.files += 1;
        if entry.filemode() == LINK {
            self.count(0)?;
            self.links.push(links::Link {
                path: path.to_vec(),
                target: blob.content().to_vec(),
            });
            return Ok(());
        }
        self.count(blob.size() as u64)?;
        if is_pointer(&blob) {
            self.done.lfs_pointers.push(shown);
        }
        let executable = entry.filemode() & 0o111 != 0;
        let file = self.place(path);
        write_file(&file, blob.content(), if executable { 0o755 } else { 0o644 })
            .map_err(|e| self.failed(&file, "write a file", &e))
    }

    /// Links come last: while files are written none is there that could be followed.
    fn write_links(&mut self) -> Result<(), GitError> {
        for link in links::leading_out(&self.links) {
            self.done.outside_links.push(format!(
                "{} -> {}",
                String::from_utf8_lossy(&link.path),
                String::from_utf8_lossy(&link.target)
            ));
        }
        for link in links::staying_inside(&self.links) {
            let place = self.place(&link.path);
            symlink(std::ffi::OsStr::from_bytes(&link.target), &place)
                .map_err(|e| self.failed(&place, "make a link", &e))?;
        }
        Ok(())
    }

    fn make_directory(&self, path: &[u8]) -> Result<(), GitError> {
        let place = self.place(path);
        fs::create_dir(&place)
            .and_then(|()| fs::set_permissions(&place, fs::Permissions::from_mode(0o755)))
            .map_err(|e| self.failed(&place, "make a directory", &e))
    }

    fn place(&self, path: &[u8]) -> PathBuf {
        self.into.join(std::ffi::OsStr::from_bytes(path))
    }

    /// Holds the limits.
    fn count(&mut self, bytes: u64) -> Result<(), GitError> {
        self.entries += 1;
        self.done.bytes += bytes;
        if self.entries > ENTRIES || self.done.bytes > BYTES {
            return Err(self.refuse(format!(
                "the tree is too large: more than {ENTRIES} files or {} GiB",
                BYTES >> 30
            )));
        }
        Ok(())
    }

    /// Something that exists already in a fresh directory was named twice by the tree.
    fn failed(&self, place: &Path, doing: &str, error: &io::Error) -> GitError {
        if error.kind() == io::ErrorKind::AlreadyExists {
            self.refuse(format!("the tree names {} twice", place.display()))
        } else {
            GitError::io(place, doing, error)
        }
    }

    fn refuse(&self, why: String) -> GitError {
        GitError::new(GitErrorKind::BadTree, self.into.display().to_string(), why)
    }
}

fn write_file(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    file.write_all(content)?;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// Could this name do more than name a file? Git itself refuses to write such trees; a server that does not check lets them in.
fn harmless(name: &[u8]) -> bool {
    !name.is_empty()
        && name != b"."
        && name != b".."
        && !name.eq_ignore_ascii_case(b".git")
        && !name.contains(&b'/')
        && !name.contains(&0)
}

fn is_pointer(blob: &Blob<'_>) -> bool {
    let content = blob.content();
    content.len() < POINTER
        && content.starts_with(b"version https://git-lfs.github.com/spec/")
        && content
            .split(|b| *b == b'\n')
            .any(|line| line.starts_with(b"oid sha256:"))
}
