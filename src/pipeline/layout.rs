//! The build context: the Dockerfile, and the WAR unpacked, as one tar stream made while it is read.
//!
//! The same WAR gives the same bytes: entries sorted, one owner, fixed modes. The time of a file is derived from its
//! content, because Tomcat's weak ETag is made of size and time: with one fixed time, a changed file of the same size
//! would keep its ETag and browsers would show the old one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use zip::ZipArchive;

use crate::dockerfile::{CONTEXT_DOCKERFILE, CONTEXT_WEBAPP};
use crate::model::Finding;

/// 1 January 2000, in seconds since 1970: the earliest time of a file.
const EPOCH: u64 = 946_684_800;
/// Times lie within twenty years from there, always in the past.
const SPAN: u64 = 20 * 365 * 86_400;
/// Entries of a WAR, files and directories.
const ENTRIES: usize = 200_000;
/// Bytes that a WAR may unpack to.
const UNPACKED: u64 = 4 << 30;
const BLOCK: usize = 256 << 10;

/// Looks at the names and sizes in a WAR before anything of it is unpacked.
///
/// # Errors
/// A finding: an entry that would leave its place, a link, two entries of one name, too much.
pub(super) fn survey(war: &Path) -> io::Result<Result<BTreeMap<String, usize>, Finding>> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(war)?)).map_err(io::Error::other)?;
    let refuse = |name: &str, why: &str| {
        Finding::new(
            "war-entry",
            format!("The WAR has an entry that {why}: {name:?}"),
            "Look at the configuration of the plugin that packs the WAR.",
        )
    };
    let mut files = BTreeMap::new();
    let mut bytes = 0_u64;
    if archive.len() > ENTRIES {
        return Ok(Err(refuse("", "is one too many (200,000 are allowed)")));
    }
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(io::Error::other)?;
        let name = match entry.name() {
            Ok(name) => name.into_owned(),
            Err(_) => {
                return Ok(Err(refuse(
                    &String::from_utf8_lossy(entry.name_raw()),
                    "has a name that is no text",
                )));
            }
        };
        let parts_are_plain = name
            .strip_suffix('/')
            .unwrap_or(&name)
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']));
        if !parts_are_plain || name.len() > 4096 {
            return Ok(Err(refuse(&name, "would leave the application's directory")));
        }
        if entry.is_symlink() {
            return Ok(Err(refuse(&name, "is a symbolic link")));
        }
        bytes = bytes.saturating_add(entry.size());
        if bytes > UNPACKED {
            return Ok(Err(refuse(&name, "makes it unpack to more than 4 GiB")));
        }
        if entry.is_file() && files.insert(name.clone(), index).is_some() {
            return Ok(Err(refuse(&name, "is there twice")));
        }
    }
    Ok(Ok(files))
}

/// The context as a stream; the WAR is unpacked on a blocking thread as the stream is taken.
pub(super) fn context(
    war: &Path,
    files: BTreeMap<String, usize>,
    dockerfile: &str,
) -> ReceiverStream<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(8);
    let (war, dockerfile) = (war.to_owned(), dockerfile.to_owned());
    tokio::task::spawn_blocking(move || {
        let writer = Blocks {
            sender: sender.clone(),
            block: Vec::with_capacity(BLOCK),
        };
        if let Err(error) = pack(&war, &files, &dockerfile, writer)
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            // Without a receiver nobody wants to know.
            let _ = sender.blocking_send(Err(error));
        }
    });
    ReceiverStream::new(receiver)
}

fn pack(war: &Path, files: &BTreeMap<String, usize>, dockerfile: &str, out: Blocks) -> io::Result<()> {
    let mut archive = ZipArchive::new(BufReader::with_capacity(1 << 20, File::open(war)?)).map_err(io::Error::other)?;
    let mut tar = tar::Builder::new(out);
    append(
        &mut tar,
        CONTEXT_DOCKERFILE,
        dockerfile.len() as u64,
        EPOCH,
        dockerfile.as_bytes(),
    )?;
    for directory in directories(files) {
        let mut header = header(tar::EntryType::Directory, 0o755, 0, EPOCH);
        tar.append_data(&mut header, directory, io::empty())?;
    }
    for (name, index) in files {
        let entry = archive.by_index(*index).map_err(io::Error::other)?;
        let (size, time) = (entry.size(), EPOCH + u64::from(entry.crc32()) % SPAN);
        append(
            &mut tar,
            &format!("{CONTEXT_WEBAPP}/{name}"),
            size,
            time,
            Exactly {
                inner: entry,
                left: size,
            },
        )?;
    }
    tar.into_inner()?.finish()
}

/// Every directory of the application, parents first: one that is only implied would get the time of the build.
fn directories(files: &BTreeMap<String, usize>) -> BTreeSet<String> {
    let mut all = BTreeSet::from([format!("{CONTEXT_WEBAPP}/")]);
    for name in files.keys() {
        all.extend(
            name.match_indices('/')
                .map(|(at, _)| format!("{CONTEXT_WEBAPP}/{}", &name[..=at])),
        );
    }
    all
}

fn header(kind: tar::EntryType, mode: u32, size: u64, time: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(time);
    header.set_size(size);
    header
}

fn append(tar: &mut tar::Builder<Blocks>, name: &str, size: u64, time: u64, content: impl Read) -> io::Result<()> {
    tar.append_data(&mut header(tar::EntryType::Regular, 0o644, size, time), name, content)
}

/// A zip entry that unpacks to another size than it says would shift all that follows.
struct Exactly<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read as u64 > self.left || (read == 0 && self.left > 0 && !buffer.is_empty()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "an entry of the WAR has another size than it says",
            ));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Writes into a channel, in blocks.
struct Blocks {
    sender: mpsc::Sender<io::Result<Bytes>>,
    block: Vec<u8>,
}

impl Blocks {
    fn send(&mut self) -> io::Result<()> {
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        self.sender
            .blocking_send(Ok(block.into()))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn finish(mut self) -> io::Result<()> {
        self.send()
    }
}

impl Write for Blocks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.block.extend_from_slice(bytes);
        if self.block.len() >= BLOCK {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_stream::StreamExt as _;
    use zip::write::SimpleFileOptions;

    fn war(entries: &[(&str, &str)], reverse: bool) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut zip = zip::ZipWriter::new(file.reopen().expect("the same file"));
        let mut entries = entries.to_vec();
        if reverse {
            entries.reverse();
        }
        for (name, content) in entries {
            zip.start_file(name, SimpleFileOptions::default()).expect("an entry");
            zip.write_all(content.as_bytes()).expect("its content");
        }
        zip.finish().expect("a zip");
        file
    }

    async fn context_of(war: &Path) -> Vec<u8> {
        let files = survey(war).expect("read").expect("no finding");
        let mut stream = context(war, files, "FROM scratch\n");
        let mut bytes = Vec::new();
        while let Some(block) = stream.next().await {
            bytes.extend_from_slice(&block.expect("a block"));
        }
        bytes
    }

    #[tokio::test]
    async fn the_order_in_the_war_does_not_matter_and_content_makes_the_time() {
        let entries = [
            ("WEB-INF/web.xml", "<web-app/>"),
            ("index.html", "one"),
            ("css/a/b.css", "x"),
        ];
        let first = context_of(war(&entries, false).path()).await;
        assert_eq!(first, context_of(war(&entries, true).path()).await);

        let times = |bytes: &[u8]| {
            tar::Archive::new(bytes)
                .entries()
                .expect("a tar")
                .map(|entry| {
                    let entry = entry.expect("an entry");
                    let path = entry.path().expect("a path").display().to_string();
                    (path, entry.header().mtime().expect("a time"))
                })
                .collect::<BTreeMap<_, _>>()
        };
        let mut changed = entries;
        changed[1].1 = "two";
        let (before, after) = (times(&first), times(&context_of(war(&changed, false).path()).await));
        assert_ne!(before["app/index.html"], after["app/index.html"]);
        assert_eq!(before["app/WEB-INF/web.xml"], after["app/WEB-INF/web.xml"]);
        assert!(
            before.contains_key("app/css/a/"),
            "directories are entries of their own: {before:?}"
        );
    }

    #[test]
    fn entries_that_lead_out_are_findings() {
        for name in ["../evil", "a/../../evil", "/etc/passwd", "a//b", "a\\..\\b"] {
            let file = war(&[(name, "x")], false);
            let finding = survey(file.path()).expect("read").expect_err(name);
            assert_eq!(finding.rule, "war-entry");
        }
    }
}
