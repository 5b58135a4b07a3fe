//! Opening a zip that somebody else made: number of entries, sizes and names are checked before anything is read.

use std::io::{self, Read, Seek, SeekFrom};

use zip::ZipArchive;
use zip::result::ZipError;

/// What an archive may be. The defaults hold for web applications of companies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most entries of one archive.
    pub entries: usize,
    /// Most bytes that one archive unpacks to.
    pub unpacked: u64,
    /// Largest library in `WEB-INF/lib`, in bytes, that is looked into: it is held in memory for that time.
    pub library: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 100_000,
            unpacked: 4 << 30,
            library: 64 << 20,
        }
    }
}

/// Why an archive was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The archive is at fault: the sentence goes on behind its name.
    #[error("{0}")]
    Broken(String),
    /// The disk is at fault.
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn trouble(error: ZipError) -> Trouble {
    match error {
        // A file that ends too early is a broken archive; other errors of the disk are not.
        ZipError::Io(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::InvalidData
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::Other
            ) =>
        {
            Trouble::Io(error)
        }
        error => Trouble::Broken(format!("is not a readable archive: {error}")),
    }
}

/// Opens an archive after its entries were counted.
pub(crate) fn open<R: Read + Seek>(mut reader: R, limits: Limits) -> Result<ZipArchive<R>, Trouble> {
    // The index of all entries is held in memory: look at their number first.
    let count = claimed_entries(&mut reader)?;
    if count > limits.entries as u64 {
        return Err(Trouble::Broken(format!(
            "has {count} entries, more than the {} that are allowed",
            limits.entries
        )));
    }
    let archive = ZipArchive::new(reader).map_err(trouble)?;
    let unpacked = unpacked(&archive)?;
    if unpacked > limits.unpacked {
        return Err(Trouble::Broken(format!(
            "unpacks to {unpacked} bytes, more than the {} that are allowed",
            limits.unpacked
        )));
    }
    Ok(archive)
}

/// Bytes that the archive unpacks to, as its entries claim; [`content`] holds them to it.
pub(crate) fn unpacked<R: Read + Seek>(archive: &ZipArchive<R>) -> Result<u64, Trouble> {
    let mut sum = 0u64;
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(trouble)?;
        sum = sum.saturating_add(entry.size());
    }
    Ok(sum)
}

/// Index and name of every entry; refuses names that lead out of the archive's own directory.
pub(crate) fn names<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<Vec<(usize, String)>, Trouble> {
    (0..archive.len())
        .map(|index| {
            let entry = archive.by_index_data(index).map_err(trouble)?;
            let name = entry.name().map_err(trouble)?.into_owned();
            if entry.enclosed_name().is_none() {
                return Err(Trouble::Broken(format!("has an entry that leads out of it: {name:?}")));
            }
            Ok((index, name))
        })
        .collect()
}

/// The content of an entry; `None` if it is longer than `limit`. One that is longer than it claims is a broken archive.
pub(crate) fn content<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    index: usize,
    limit: u64,
) -> Result<Option<Vec<u8>>, Trouble> {
    let entry = archive.by_index(index).map_err(trouble)?;
    let size = entry.size();
    if size > limit {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    entry
        .take(size + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| trouble(ZipError::Io(error)))?;
    if bytes.len() as u64 > size {
        return Err(Trouble::Broken("has an entry that is longer than it claims".to_owned()));
    }
    Ok(Some(bytes))
}

/// The number of entries as the end of the archive claims it (APPNOTE 4.3.14 to 4.3.16).
///
/// The end record is searched for backwards, because a comment of up to 64 KiB may follow it. Where several places look like one, the
/// highest number counts: readers differ in which they take.
fn claimed_entries<R: Read + Seek>(reader: &mut R) -> Result<u64, Trouble> {
    const END: usize = 22;
    const LOCATOR: usize = 20;
    let length = reader.seek(SeekFrom::End(0))?;
    let start = length.saturating_sub((END + LOCATOR + usize::from(u16::MAX)) as u64);
    reader.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    reader.take(length - start).read_to_end(&mut tail)?;
    let mut most = 0;
    for at in 0..(tail.len() + 1).saturating_sub(END) {
        if !tail[at..].starts_with(b"PK\x05\x06") {
            continue;
        }
        most = most.max(u64::from(u16::from_le_bytes([tail[at + 10], tail[at + 11]])));
        let Some(locator) = at.checked_sub(LOCATOR).map(|from| &tail[from..at]) else {
            continue;
        };
        if locator.starts_with(b"PK\x06\x07") {
            let place = u64::from_le_bytes(eight(&locator[8..16]));
            let mut record = [0; 40];
            reader.seek(SeekFrom::Start(place.min(length)))?;
            let readable = reader.read_exact(&mut record).is_ok();
            if !readable || !record.starts_with(b"PK\x06\x06") {
                return Err(Trouble::Broken(
                    "has a ZIP64 directory that is not where it should be".to_owned(),
                ));
            }
            most = most.max(u64::from_le_bytes(eight(&record[32..40])));
        }
    }
    reader.rewind()?;
    Ok(most)
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    let mut array = [0; 8];
    array.copy_from_slice(bytes);
    array
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// An end record with a comment that looks like another one.
    fn end(entries: u16, comment: &[u8]) -> Vec<u8> {
        let mut bytes = b"PK\x05\x06\0\0\0\0".to_vec();
        bytes.extend_from_slice(&[entries.to_le_bytes(), entries.to_le_bytes()].concat());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&u16::try_from(comment.len()).expect("short").to_le_bytes());
        bytes.extend_from_slice(comment);
        bytes
    }

    #[test]
    fn the_number_of_entries_is_known_before_they_are_read() {
        assert_eq!(claimed_entries(&mut Cursor::new(end(7, b""))).expect("read"), 7);
        let two = end(7, &end(900, b"comment"));
        assert_eq!(claimed_entries(&mut Cursor::new(two)).expect("read"), 900);
        assert_eq!(claimed_entries(&mut Cursor::new(b"no zip")).expect("read"), 0);
    }

    #[test]
    fn large_archives_keep_their_number_elsewhere() {
        let mut bytes = b"PK\x06\x06".to_vec();
        bytes.extend_from_slice(&[0; 28]);
        bytes.extend_from_slice(&5_000_000u64.to_le_bytes());
        bytes.extend_from_slice(b"PK\x06\x07\0\0\0\0");
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend(end(u16::MAX, b""));
        assert_eq!(
            claimed_entries(&mut Cursor::new(bytes.clone())).expect("read"),
            5_000_000
        );
        let trouble = match open(Cursor::new(bytes), Limits::default()) {
            Err(Trouble::Broken(why)) => why,
            other => panic!("{:?}", other.map(|archive| archive.len())),
        };
        assert!(trouble.contains("5000000 entries"), "{trouble}");
    }
}
