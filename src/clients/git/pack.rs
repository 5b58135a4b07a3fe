//! Many packs into one. Each fetch leaves a pack and each merge some loose objects, and every object is looked for in all of
//! them.
//!
//! The largest pack stays as it is: compressing a project's whole history anew would take minutes. All others, and the loose
//! objects, become one, those included to which no ref leads any more: a build may have been made of them. What was packed is
//! removed when the new pack is on the disk; whoever dies in between leaves objects twice and nothing half.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use git2::{Odb, Oid};

use super::GitError;
use super::mirror::Mirror;

/// So many packs are too many: the default of Git's `gc.autoPackLimit` (git-config(1)).
const PACKS: usize = 50;

/// So many loose objects are, in one of the 256 folders that they are spread over: that of Git's `gc.auto`, 6700 in all.
const LOOSE: usize = 6700 / 256;

/// The folder that is counted for all of them, as Git does.
const SAMPLE: &str = "17";

/// What is to become one pack.
pub(super) struct Scattered {
    /// Without their endings.
    packs: Vec<PathBuf>,
    loose: Vec<(Oid, PathBuf)>,
}

impl fmt::Display for Scattered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} packs and {} loose objects into one",
            self.packs.len(),
            self.loose.len()
        )
    }
}

/// Looks whether it is time; the caller holds the exclusive lock.
pub(super) fn due(mirror: &Mirror) -> Result<Option<Scattered>, GitError> {
    look(&mirror.repository.join("objects")).map_err(|e| GitError::io(&mirror.repository, "look at the packs", &e))
}

fn look(objects: &Path) -> io::Result<Option<Scattered>> {
    let mut packs = Vec::new();
    for file in files(&objects.join("pack"))? {
        if file.extension().is_some_and(|ending| ending == "idx") {
            let size = fs::metadata(file.with_extension("pack"))?.len();
            packs.push((size, file.with_extension("")));
        }
    }
    if packs.len() <= PACKS && files(&objects.join(SAMPLE))?.len() <= LOOSE {
        return Ok(None);
    }
    packs.sort();
    packs.pop();
    let mut loose = Vec::new();
    for number in 0..=u8::MAX {
        let folder = format!("{number:02x}");
        for file in files(&objects.join(&folder))? {
            let rest = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // What is no object's name is a half-written one's.
            if let Ok(id) = Oid::from_str(&format!("{folder}{rest}")) {
                loose.push((id, file));
            }
        }
    }
    let packs = packs.into_iter().map(|(_, pack)| pack).collect();
    Ok(Some(Scattered { packs, loose }))
}

/// Packs them. `go_on` is asked again and again.
pub(super) fn pack(mirror: &Mirror, scattered: &Scattered, go_on: impl Fn() -> bool) -> Result<(), GitError> {
    let failed = |e: git2::Error| mirror.error("pack the mirror", &e);
    let broken = |e: io::Error| GitError::io(&mirror.repository, "pack the mirror", &e);
    let folder = mirror.repository.join("objects/pack");
    let repository = mirror.open()?;
    let ids = ids(mirror, scattered)?;
    let mut builder = repository.packbuilder().map_err(failed)?;
    builder.set_progress_callback(|_, _, _| go_on()).map_err(failed)?;
    for id in ids {
        builder.insert_object(id, None).map_err(failed)?;
    }
    builder.write(&folder, 0o444).map_err(failed)?;
    let name = builder.name().map_err(failed)?.unwrap_or_default().to_owned();
    let new = folder.join(format!("pack-{name}"));
    for file in [new.with_extension("pack"), new.with_extension("idx"), folder] {
        File::open(&file).and_then(|file| file.sync_all()).map_err(broken)?;
    }
    // The name is a checksum of the bytes: an old pack of the same name is the new one.
    for old in scattered.packs.iter().filter(|old| **old != new) {
        // An index without its pack is passed over, and swept away before the next fetch.
        for file in [old.with_extension("pack"), old.with_extension("idx")] {
            fs::remove_file(file).map_err(broken)?;
        }
    }
    for (_, file) in &scattered.loose {
        fs::remove_file(file).map_err(broken)?;
    }
    Ok(())
}

/// The objects, each once for each place it is at.
fn ids(mirror: &Mirror, scattered: &Scattered) -> Result<Vec<Oid>, GitError> {
    // libgit2 lists whole folders of objects: one with these packs alone.
    let aside = mirror.repository.join("packing");
    let broken = |e: io::Error| GitError::io(&aside, "set the packs aside", &e);
    if aside.exists() {
        fs::remove_dir_all(&aside).map_err(broken)?;
    }
    fs::create_dir_all(aside.join("pack")).map_err(broken)?;
    for pack in &scattered.packs {
        for file in [pack.with_extension("pack"), pack.with_extension("idx")] {
            let link = aside.join("pack").join(file.file_name().unwrap_or_default());
            symlink(&file, link).map_err(broken)?;
        }
    }
    let mut ids: Vec<Oid> = scattered.loose.iter().map(|(id, _)| *id).collect();
    Odb::new()
        .and_then(|packs| {
            packs.add_disk_alternate(&aside.to_string_lossy())?;
            packs.foreach(|id| {
                ids.push(*id);
                true
            })
        })
        .map_err(|e| mirror.error("list the packs' objects", &e))?;
    fs::remove_dir_all(&aside).map_err(broken)?;
    Ok(ids)
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}
