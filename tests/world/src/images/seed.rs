//! Copies a registry's storage: blobs by hard link, everything else by content.
//!
//! A registry never changes a blob in place, so a link is safe and free; the small `link` files that tags consist of are
//! rewritten in place, so a shared one would let a test change the cache.

use std::path::Path;

use anyhow::{Context, Result};

pub(super) fn seed(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            // Unfinished uploads are of no use to anybody.
            if entry.file_name() != "_uploads" {
                seed(&source, &target)?;
            }
        } else if entry.file_name() != "data" || std::fs::hard_link(&source, &target).is_err() {
            std::fs::copy(&source, &target).with_context(|| format!("cannot copy {}", source.display()))?;
        }
    }
    Ok(())
}
