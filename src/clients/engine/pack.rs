//! Files in: a directory as a tar stream.
//!
//! The same directory gives the same bytes: names sorted, one time, one owner, two modes. Links are packed as links and
//! never followed, so that a link in a project cannot carry a file of the worker's into a build.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::pipe::{BLOCKS, BlockWriter};
use super::unpack::FilesError;

/// A tar archive on its way.
pub type TarStream = ReceiverStream<io::Result<Bytes>>;

/// Time of all packed files: 1 January 2000. Not 1970, which the ZIP format cannot hold.
const MTIME: u64 = 946_684_800;

/// Packs a directory's content (names relative to it) with one owner; executable files stay so.
///
/// The whole tree is looked at before the first byte goes out: a link that leaves it, a socket or a device is
/// `FilesError::Refused`, which is the project's fault. Reading happens on a blocking thread as the stream is taken.
pub async fn tar_directory(dir: &Path, uid: u32, gid: u32) -> Result<TarStream, FilesError> {
    let root = dir.to_owned();
    let entries = tokio::task::spawn_blocking(move || survey(&root))
        .await
        .expect("looking at files does not panic")?;
    let (sender, receiver) = mpsc::channel(BLOCKS);
    let root = dir.to_owned();
    tokio::task::spawn_blocking(move || {
        let result = pack(&root, &entries, uid, gid, BlockWriter(sender.clone()));
        if let Err(error) = result
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            // The receiver may be gone: then nobody wants to know.
            let _ = sender.blocking_send(Err(error));
        }
    });
    Ok(ReceiverStream::new(receiver))
}

/// A small archive in memory, to be unpacked at `/`: directories of an owner and one file of root's.
pub(super) fn tar_of(directories: &[&str], uid: u32, gid: u32, file: Option<(&str, &str)>) -> io::Result<Bytes> {
    let mut tar = tar::Builder::new(Vec::new());
    for path in directories {
        let mut header = header(tar::EntryType::Directory, 0o755, uid, gid);
        tar.append_data(&mut header, path.trim_start_matches('/'), io::empty())?;
    }
    if let Some((path, text)) = file {
        let mut header = header(tar::EntryType::Regular, 0o644, 0, 0);
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, path.trim_start_matches('/'), text.as_bytes())?;
    }
    tar.into_inner().map(Bytes::from)
}

enum Kind {
    Directory,
    File { executable: bool },
    Link { target: PathBuf },
}

struct Entry {
    path: PathBuf,
    kind: Kind,
}

/// All entries below `root`, parents before children, sorted.
fn survey(root: &Path) -> Result<Vec<Entry>, FilesError> {
    let mut entries = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(relative) = waiting.pop() {
        let here = root.join(&relative);
        let io = |source| FilesError::Io {
            path: here.clone(),
            source,
        };
        for item in fs::read_dir(&here).map_err(io)? {
            let item = item.map_err(io)?;
            let path = relative.join(item.file_name());
            let meta = item.metadata().map_err(io)?; // of the link itself, not of what it points to
            let kind = if meta.is_dir() {
                waiting.push(path.clone());
                Kind::Directory
            } else if meta.is_file() {
                Kind::File {
                    executable: meta.permissions().mode() & 0o111 != 0,
                }
            } else if meta.is_symlink() {
                let target = fs::read_link(item.path()).map_err(io)?;
                if leaves(&path, &target) {
                    let why = format!("a link to {}, which is outside of the project", target.display());
                    return Err(FilesError::Refused { path, why });
                }
                Kind::Link { target }
            } else {
                return Err(FilesError::Refused {
                    path,
                    why: "neither file, directory nor link".to_owned(),
                });
            };
            entries.push(Entry { path, kind });
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// Does a link at `path` lead out of the tree that `path` is relative to?
fn leaves(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return true,
            },
            Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

fn pack(root: &Path, entries: &[Entry], uid: u32, gid: u32, out: BlockWriter) -> io::Result<()> {
    use io::Write as _;
    let mut tar = tar::Builder::new(BufWriter::with_capacity(64 * 1024, out));
    for Entry { path, kind } in entries {
        match kind {
            Kind::Directory => {
                let mut header = header(tar::EntryType::Directory, 0o755, uid, gid);
                tar.append_data(&mut header, path, io::empty())?;
            }
            Kind::Link { target } => {
                let mut header = header(tar::EntryType::Symlink, 0o777, uid, gid);
                tar.append_link(&mut header, path, target)?;
            }
            Kind::File { executable } => {
                let file = File::open(root.join(path))?;
                let mut header = header(
                    tar::EntryType::Regular,
                    if *executable { 0o755 } else { 0o644 },
                    uid,
                    gid,
                );
                let size = file.metadata()?.len();
                header.set_size(size);
                tar.append_data(&mut header, path, io::Read::take(file, size))?;
            }
        }
    }
    tar.into_inner()?.flush()
}

fn header(kind: tar::EntryType, mode: u32, uid: u32, gid: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(uid.into());
    header.set_gid(gid.into());
    header.set_mtime(MTIME);
    header.set_size(0);
    header
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use futures_util::StreamExt;

    use super::*;

    async fn bytes_of(dir: &Path) -> Vec<u8> {
        let mut stream = tar_directory(dir, 10001, 10001).await.expect("packs");
        let mut all = Vec::new();
        while let Some(block) = stream.next().await {
            all.extend_from_slice(&block.expect("a block"));
        }
        all
    }

    #[tokio::test]
    async fn the_same_tree_gives_the_same_bytes_and_keeps_what_matters() {
        let make = |names: &[&str]| {
            let dir = tempfile::tempdir().expect("a directory");
            fs::create_dir(dir.path().join("src")).expect("mkdir");
            for name in names {
                fs::write(dir.path().join(name), name).expect("write");
            }
            fs::set_permissions(dir.path().join("mvnw"), fs::Permissions::from_mode(0o700)).expect("chmod");
            symlink("../mvnw", dir.path().join("src/link")).expect("symlink");
            dir
        };
        let (one, two) = (
            make(&["pom.xml", "mvnw", "src/A.java"]),
            make(&["src/A.java", "mvnw", "pom.xml"]),
        );
        let bytes = bytes_of(one.path()).await;
        assert_eq!(bytes, bytes_of(two.path()).await);

        let mut archive = tar::Archive::new(&bytes[..]);
        let listed: Vec<_> = archive
            .entries()
            .expect("a tar")
            .map(|entry| {
                let entry = entry.expect("an entry");
                let header = entry.header();
                assert_eq!(header.uid().expect("uid"), 10001);
                (
                    entry.path().expect("a path").display().to_string(),
                    header.mode().expect("mode"),
                )
            })
            .collect();
        let expected = [
            ("mvnw", 0o755),
            ("pom.xml", 0o644),
            ("src", 0o755),
            ("src/A.java", 0o644),
            ("src/link", 0o777),
        ];
        assert_eq!(listed, expected.map(|(path, mode)| (path.to_owned(), mode)));
    }

    #[tokio::test]
    async fn a_link_out_of_the_tree_is_refused_by_name() {
        for target in ["/etc/passwd", "../../up", "a/../../../up"] {
            let dir = tempfile::tempdir().expect("a directory");
            fs::create_dir(dir.path().join("src")).expect("mkdir");
            symlink(target, dir.path().join("src/evil")).expect("symlink");
            let error = tar_directory(dir.path(), 0, 0).await.expect_err(target);
            assert!(
                matches!(&error, FilesError::Refused { path, .. } if path == Path::new("src/evil")),
                "{error}"
            );
        }
    }
}
