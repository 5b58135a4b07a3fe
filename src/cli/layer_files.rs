//! What is in a layer, and in what two layers differ.

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use crate::model::Digest;

/// Most entries of one layer; the base images of the house stay far below.
const ENTRIES: usize = 1_000_000;

/// A layer unpacked: its files, and the digest of all of it.
#[derive(Debug)]
pub(super) struct LayerFiles {
    /// By path.
    files: BTreeMap<String, File>,
    /// Digest of the unpacked layer.
    pub(super) diff_id: Digest,
}

/// All that counts of a file in a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    kind: u8,
    mode: u32,
    owner: (u64, u64),
    link: Option<String>,
    content: Option<Digest>,
    /// Seconds since 1970.
    time: u64,
}

/// Reads a layer that is packed with gzip, or not packed.
///
/// # Errors
/// It is neither; or it is broken.
pub(super) fn read(layer: impl Read, gzip: bool) -> io::Result<LayerFiles> {
    let layer: Box<dyn Read> = if gzip {
        Box::new(MultiGzDecoder::new(layer))
    } else {
        Box::new(layer)
    };
    let mut hashed = Hashed {
        inner: layer,
        hash: Sha256::new(),
    };
    let mut files = BTreeMap::new();
    {
        let mut archive = tar::Archive::new(&mut hashed);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let header = entry.header();
            let kind = header.entry_type();
            let mut file = File {
                kind: kind.as_byte(),
                mode: header.mode()? & 0o7777,
                owner: (header.uid()?, header.gid()?),
                link: None,
                content: None,
                time: header.mtime()?,
            };
            file.link = entry.link_name()?.map(|path| path.to_string_lossy().into_owned());
            let path = entry.path()?.to_string_lossy().trim_end_matches('/').to_owned();
            if kind.is_file() {
                let mut hash = Sha256::new();
                io::copy(&mut entry, &mut hash_writer(&mut hash))?;
                file.content = Some(Digest::from_sha256(hash.finalize().into()));
            }
            files.insert(path, file);
            if files.len() > ENTRIES {
                return Err(io::Error::other(format!("it has more than {ENTRIES} entries")));
            }
        }
    }
    // What stands behind the last entry counts for the digest too.
    io::copy(&mut hashed, &mut io::sink())?;
    Ok(LayerFiles {
        files,
        diff_id: Digest::from_sha256(hashed.hash.finalize().into()),
    })
}

impl LayerFiles {
    /// What the other layer has otherwise, a line a file: content, mode, owner, link, missing or more. Times are not
    /// told: whoever sees two digests and no difference knows that it is the times.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let paths: std::collections::BTreeSet<&String> = self.files.keys().chain(other.files.keys()).collect();
        paths
            .into_iter()
            .filter_map(|path| {
                let what = match (self.files.get(path), other.files.get(path)) {
                    (Some(_), None) => "is in the first alone",
                    (None, Some(_)) => "is in the second alone",
                    (Some(a), Some(b)) if a.kind != b.kind => "is of another kind",
                    (Some(a), Some(b)) if a.content != b.content => "has another content",
                    (Some(a), Some(b)) if a.link != b.link => "leads elsewhere",
                    (Some(a), Some(b)) if a.mode != b.mode => "has another mode",
                    (Some(a), Some(b)) if a.owner != b.owner => "has another owner",
                    _ => return None,
                };
                Some(format!("{path} {what}"))
            })
            .collect()
    }
}

struct Hashed<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

/// A hash as a place to write to.
fn hash_writer(hash: &mut Sha256) -> impl io::Write + '_ {
    struct Writer<'h>(&'h mut Sha256);
    impl io::Write for Writer<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    Writer(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(files: &[(&str, &str, u32, u64)]) -> LayerFiles {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content, mode, time) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(*mode);
            header.set_mtime(*time);
            header.set_uid(0);
            header.set_gid(0);
            tar.append_data(&mut header, path, content.as_bytes())
                .expect("in memory");
        }
        let bytes = tar.into_inner().expect("in memory");
        let files = read(&bytes[..], false).expect("a layer");
        assert_eq!(files.diff_id, Digest::of(&bytes), "the digest is of all bytes");
        files
    }

    #[test]
    fn differences_are_told_by_file() {
        let first = layer(&[("a", "1", 0o644, 1), ("b", "1", 0o644, 1), ("c", "1", 0o644, 1)]);
        let second = layer(&[("a", "2", 0o644, 1), ("b", "1", 0o755, 1), ("d", "1", 0o644, 1)]);
        assert_eq!(
            first.differences(&second),
            [
                "a has another content",
                "b has another mode",
                "c is in the first alone",
                "d is in the second alone"
            ]
        );
        let later = layer(&[("a", "1", 0o644, 2), ("b", "1", 0o644, 2), ("c", "1", 0o644, 2)]);
        assert!(first.differences(&later).is_empty());
        assert_ne!(first.diff_id, later.diff_id);
    }
}
