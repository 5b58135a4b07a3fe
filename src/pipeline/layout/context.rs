//! The build context: a Dockerfile, the files of the house, and the WAR unpacked in its layers, as one tar stream made
//! while it is read.
//!
//! The same WAR gives the same bytes: entries sorted, one owner, fixed modes. The time of a file is derived from its
//! content, because Tomcat's weak ETag is made of size and time: with one fixed time, a changed file of the same size
//! would keep its ETag and browsers would show the old one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use zip::ZipArchive;

use crate::by_hand::{CONTEXT_FILES, RepositoryFile};
use crate::dockerfile::{CONTEXT_DOCKERFILE, CONTEXT_HOUSE, CONTEXT_LAYERS, Rendered};
use crate::model::Layer;

/// 1 January 2000, in seconds since 1970: the earliest time of a file.
const EPOCH: u64 = 946_684_800;
/// Times lie within twenty years from there, always in the past.
const SPAN: u64 = 20 * 365 * 86_400;
const BLOCK: usize = 256 << 10;

/// Files by layer and path, with their place in the WAR.
pub(super) type Files = BTreeMap<Layer, BTreeMap<String, usize>>;

/// Which layers are in a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Portion {
    /// All of them.
    All,
    /// The released libraries.
    Libraries,
    /// All but the released libraries.
    Others,
}

impl Portion {
    fn has(self, layer: Layer) -> bool {
        match self {
            Self::All => true,
            Self::Libraries => layer == Layer::Libraries,
            Self::Others => layer != Layer::Libraries,
        }
    }
}

/// What a context is made of.
pub(super) struct Contextual {
    pub(super) war: PathBuf,
    pub(super) files: Arc<Files>,
    /// The application's directory in each of the layers.
    pub(super) webapp: String,
    /// What the builder follows.
    pub(super) dockerfile: String,
    /// The files of the house.
    pub(super) rendered: Arc<Rendered>,
    pub(super) portion: Portion,
    /// The project's own files, for a Dockerfile that it wrote itself.
    pub(super) repository: Arc<Vec<RepositoryFile>>,
}

/// The context as a stream; the WAR is unpacked on a blocking thread as the stream is taken.
pub(super) fn stream(parts: Contextual) -> ReceiverStream<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(8);
    tokio::task::spawn_blocking(move || {
        let writer = Blocks {
            sender: sender.clone(),
            block: Vec::with_capacity(BLOCK),
        };
        if let Err(error) = pack(&parts, writer)
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            // Without a receiver nobody wants to know.
            let _ = sender.blocking_send(Err(error));
        }
    });
    ReceiverStream::new(receiver)
}

fn pack(parts: &Contextual, out: Blocks) -> io::Result<()> {
    let (rendered, webapp) = (&parts.rendered, &parts.webapp);
    let file = BufReader::with_capacity(1 << 20, File::open(&parts.war)?);
    let mut archive = ZipArchive::new(file).map_err(io::Error::other)?;
    let mut tar = tar::Builder::new(out);
    append_text(&mut tar, CONTEXT_DOCKERFILE, &parts.dockerfile, 0o644)?;
    let empty: Vec<String> = rendered.directories.iter().map(|path| format!("{path}/")).collect();
    for directory in directories(rendered.files.iter().map(|file| &file.path).chain(&empty)) {
        append_directory(&mut tar, &format!("{CONTEXT_HOUSE}/{directory}"))?;
    }
    for file in &rendered.files {
        let mode = if file.is_program() { 0o755 } else { 0o644 };
        append_text(&mut tar, &format!("{CONTEXT_HOUSE}/{}", file.path), &file.text, mode)?;
    }
    for (layer, files) in parts.files.iter().filter(|(layer, _)| parts.portion.has(**layer)) {
        let root = format!("{CONTEXT_LAYERS}/{}/{webapp}", layer.as_str());
        for directory in directories(files.keys()) {
            append_directory(&mut tar, &format!("{root}/{directory}"))?;
        }
        for (name, index) in files {
            let entry = archive.by_index(*index).map_err(io::Error::other)?;
            let (size, time) = (entry.size(), EPOCH + u64::from(entry.crc32()) % SPAN);
            let content = Exactly {
                inner: entry,
                left: size,
            };
            append(&mut tar, &format!("{root}/{name}"), size, time, content)?;
        }
    }
    append_repository(&mut tar, &parts.repository)?;
    tar.into_inner()?.finish()
}

/// The files of the repository, each at its path there.
fn append_repository(tar: &mut tar::Builder<Blocks>, repository: &[RepositoryFile]) -> io::Result<()> {
    if repository.is_empty() {
        return Ok(());
    }
    for directory in directories(repository.iter().map(|file| &file.path)) {
        append_directory(tar, &format!("{CONTEXT_FILES}/{directory}"))?;
    }
    for file in repository {
        let mode = if file.is_program { 0o755 } else { 0o644 };
        let content = Exactly {
            inner: File::open(&file.place)?,
            left: file.size,
        };
        let mut header = header(tar::EntryType::Regular, mode, file.size, EPOCH);
        tar.append_data(&mut header, format!("{CONTEXT_FILES}/{}", file.path), content)?;
    }
    Ok(())
}

/// Every directory of these files, parents first: one that is only implied would get the time of the build.
fn directories<'a>(files: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let mut all = BTreeSet::from([String::new()]);
    for name in files {
        all.extend(name.match_indices('/').map(|(at, _)| name[..=at].to_owned()));
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

fn append_directory(tar: &mut tar::Builder<Blocks>, path: &str) -> io::Result<()> {
    let mut header = header(tar::EntryType::Directory, 0o755, 0, EPOCH);
    tar.append_data(&mut header, path, io::empty())
}

fn append_text(tar: &mut tar::Builder<Blocks>, name: &str, text: &str, mode: u32) -> io::Result<()> {
    let mut header = header(tar::EntryType::Regular, mode, text.len() as u64, EPOCH);
    tar.append_data(&mut header, name, text.as_bytes())
}

fn append(tar: &mut tar::Builder<Blocks>, name: &str, size: u64, time: u64, content: impl Read) -> io::Result<()> {
    tar.append_data(&mut header(tar::EntryType::Regular, 0o644, size, time), name, content)
}

/// A zip entry that unpacks to another size than it says, or a file that changes, would shift all that follows.
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
                "a file has another size than it says",
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
