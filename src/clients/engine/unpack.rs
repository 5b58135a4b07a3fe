//! Files out: a tar stream from a container where strangers' code ran, written below one directory and nowhere else.
//!
//! Only regular files are taken. A symbolic or hard link is skipped and counted (a link is never needed for a WAR or a test
//! report), so is a device or a fifo; an absolute path or `..` ends the transfer, because the engine itself never makes one.
//! Every file gets mode 0644 and the worker as its owner.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use super::EngineError;

/// Entries of any kind that are looked at before the container is believed to be hostile.
const MAX_ENTRIES: u64 = 1_000_000;
/// Bytes of all entries, kept or not, that are read before the same.
const MAX_SEEN: u64 = 64 << 30;

/// What may come out.
pub struct Guards {
    /// Number of files kept.
    pub max_files: u64,
    /// Bytes of all files kept together.
    pub max_bytes: u64,
    /// Bytes of one file.
    pub max_file_bytes: u64,
    /// Which files are wanted, by path relative to the directory asked for.
    pub keep: Box<dyn Fn(&Path) -> bool + Send>,
}

/// What came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Harvest {
    /// Was there anything at the path?
    pub existed: bool,
    /// Files written, relative to the directory that they were written to, in the order of the archive.
    pub files: Vec<PathBuf>,
    /// Wanted by name but a link or a device, therefore not written.
    pub skipped: Vec<PathBuf>,
}

/// Why files did not go in or come out.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The project's fault: what is at this path may not be.
    #[error("{}: {why}", path.display())]
    Refused {
        /// Relative to the directory in question.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The worker's disk.
    #[error("{}: {source}", path.display())]
    Io {
        /// On the worker.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Writes the wanted files of an archive below `into`. The archive's first entry is what was asked for: a directory, whose
/// name is taken off the paths, or a single file. Blocks.
pub(super) fn unpack(archive: impl Read, into: &Path, guards: &Guards) -> Result<Harvest, FilesError> {
    let stream = |source| FilesError::Io {
        path: PathBuf::from("(the archive)"),
        source,
    };
    let mut harvest = Harvest {
        existed: true,
        ..Harvest::default()
    };
    let mut archive = tar::Archive::new(archive);
    let (mut entries, mut seen, mut bytes) = (0_u64, 0_u64, 0_u64);
    let mut root: Option<PathBuf> = None;
    for entry in archive.entries().map_err(stream)? {
        let mut entry = entry.map_err(stream)?;
        let named = entry.path().map_err(stream)?.into_owned();
        entries += 1;
        seen = seen.saturating_add(entry.size());
        let refuse = |why: String| FilesError::Refused {
            path: named.clone(),
            why,
        };
        if entries > MAX_ENTRIES || seen > MAX_SEEN {
            return Err(refuse(format!(
                "more than {MAX_ENTRIES} files or {} GiB lie there",
                MAX_SEEN >> 30
            )));
        }
        let named_safely = safe(&named).ok_or_else(|| refuse("a path that leads out of its directory".to_owned()))?;
        let kind = entry.header().entry_type();
        if entries == 1 && kind.is_dir() {
            root = Some(named_safely);
            continue;
        }
        let path = match &root {
            Some(root) => match named_safely.strip_prefix(root) {
                Ok(path) => path.to_owned(),
                Err(_) => return Err(refuse(format!("not below {}", root.display()))),
            },
            None => named_safely,
        };
        if kind.is_dir() || path.as_os_str().is_empty() || !(guards.keep)(&path) {
            continue;
        }
        if !(kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse()) {
            harvest.skipped.push(path);
            continue;
        }
        let refuse = |why: String| FilesError::Refused {
            path: path.clone(),
            why,
        };
        let size = entry.size();
        bytes = bytes.saturating_add(size);
        if size > guards.max_file_bytes {
            return Err(refuse(format!(
                "{size} bytes are more than the {} allowed for one file",
                guards.max_file_bytes
            )));
        }
        if bytes > guards.max_bytes {
            return Err(refuse(format!(
                "with it more than the {} bytes allowed in all",
                guards.max_bytes
            )));
        }
        if harvest.files.len() as u64 >= guards.max_files {
            return Err(refuse(format!("more than the {} files allowed", guards.max_files)));
        }
        write(&mut entry, size, &into.join(&path))?;
        harvest.files.push(path);
    }
    Ok(harvest)
}

/// The path made of plain names only, or nothing when it has a root or goes up.
fn safe(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

fn write(content: &mut impl Read, size: u64, to: &Path) -> Result<(), FilesError> {
    let io = |source| FilesError::Io {
        path: to.to_owned(),
        source,
    };
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(io)?;
    }
    // `create_new`: nothing that is there already, a link least of all, is written through.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(to)
        .map_err(io)?;
    let written = io::copy(&mut content.take(size), &mut file).map_err(io)?;
    if written == size {
        Ok(())
    } else {
        Err(io(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the archive ended after {written} of {size} bytes"),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive made by hand: the library's own writer refuses the paths that matter here.
    fn archive(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            let name = &mut header.as_old_mut().name;
            name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o4777);
            header.set_size(content.len() as u64);
            if kind.is_symlink() || kind.is_hard_link() {
                header.as_old_mut().linkname[..11].copy_from_slice(b"/etc/passwd");
            }
            header.set_cksum();
            tar.append(&header, *content).expect("append");
        }
        tar.into_inner().expect("finish")
    }

    fn guards() -> Guards {
        Guards {
            max_files: 2,
            max_bytes: 10,
            max_file_bytes: 8,
            keep: Box::new(|path| path.extension().is_some_and(|e| e == "war")),
        }
    }

    const DIR: (&str, tar::EntryType, &[u8]) = ("target/", tar::EntryType::Directory, b"");
    const FILE: tar::EntryType = tar::EntryType::Regular;

    #[test]
    fn wanted_files_come_out_with_plain_modes() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let tar = archive(&[
            DIR,
            ("target/a.war", FILE, b"war"),
            ("target/x.class", FILE, b"no"),
            ("target/m/b.war", FILE, b"w2"),
        ]);
        let harvest = unpack(&tar[..], dir.path(), &guards()).expect("unpacks");
        assert_eq!(harvest.files, [PathBuf::from("a.war"), PathBuf::from("m/b.war")]);
        assert_eq!(fs::read(dir.path().join("m/b.war")).expect("read"), b"w2");
        let mode = fs::metadata(dir.path().join("a.war"))
            .expect("stat")
            .permissions()
            .mode();
        assert_eq!(mode & 0o7133, 0, "mode {mode:o} was kept");
        assert!(!dir.path().join("x.class").exists());
    }

    #[test]
    fn a_single_file_keeps_its_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let harvest = unpack(&archive(&[("a.war", FILE, b"war")])[..], dir.path(), &guards()).expect("unpacks");
        assert_eq!(harvest.files, [PathBuf::from("a.war")]);
    }

    #[test]
    fn links_and_devices_are_left_behind_and_told() {
        use tar::EntryType::{Block, Char, Fifo, Link, Symlink};
        for kind in [Symlink, Link, Char, Block, Fifo] {
            let dir = tempfile::tempdir().expect("a directory");
            let harvest =
                unpack(&archive(&[DIR, ("target/a.war", kind, b"")])[..], dir.path(), &guards()).expect("unpacks");
            assert_eq!((harvest.files.len(), harvest.skipped.len()), (0, 1), "{kind:?}");
            assert!(
                dir.path().join("a.war").symlink_metadata().is_err(),
                "{kind:?} was made"
            );
        }
    }

    #[test]
    fn what_is_hostile_ends_the_transfer_by_name() {
        let nine = b"123456789".as_slice();
        for (name, tar) in [
            ("up", archive(&[DIR, ("target/../../a.war", FILE, b"x")])),
            ("absolute", archive(&[DIR, ("/tmp/a.war", FILE, b"x")])),
            ("elsewhere", archive(&[DIR, ("other/a.war", FILE, b"x")])),
            ("one too large", archive(&[DIR, ("target/a.war", FILE, nine)])),
            (
                "all too large",
                archive(&[
                    DIR,
                    ("target/a.war", FILE, &nine[..8]),
                    ("target/b.war", FILE, &nine[..8]),
                ]),
            ),
            (
                "too many",
                archive(&[
                    DIR,
                    ("target/a.war", FILE, b""),
                    ("target/b.war", FILE, b""),
                    ("target/c.war", FILE, b""),
                ]),
            ),
        ] {
            let outside = tempfile::tempdir().expect("a directory");
            let into = outside.path().join("in/side");
            fs::create_dir_all(&into).expect("mkdir");
            let error = unpack(&tar[..], &into, &guards()).expect_err(name);
            assert!(matches!(error, FilesError::Refused { .. }), "{name}: {error}");
            assert_eq!(
                fs::read_dir(outside.path()).expect("list").count(),
                1,
                "{name} wrote outside"
            );
        }
    }

    #[test]
    fn a_file_that_is_there_is_not_written_through() {
        let dir = tempfile::tempdir().expect("a directory");
        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, "mine").expect("write");
        std::os::unix::fs::symlink(&elsewhere, dir.path().join("a.war")).expect("symlink");
        unpack(
            &archive(&[DIR, ("target/a.war", FILE, b"bad")])[..],
            dir.path(),
            &guards(),
        )
        .expect_err("written through");
        assert_eq!(fs::read(&elsewhere).expect("read"), b"mine");
    }
}
