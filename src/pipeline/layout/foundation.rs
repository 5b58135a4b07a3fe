//! What an image begins with, as a checksum: who has all of it made once need not send it to the engine again.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::Layout;
use crate::dockerfile::Rendered;
use crate::model::{Digest, Layer};
use crate::sbom::Sbom;

impl Layout {
    /// The checksum of all that goes into an image up to its libraries: the Dockerfile's first part, in which the base
    /// stands with its digest, the files of the house, and each library by its own checksum, which the bill of materials
    /// has of the same WAR. `None` if it is not clear about a library.
    ///
    /// The libraries of two projects meet under one name only if they are the same bytes in the same places.
    pub(in crate::pipeline) fn foundation(
        &self,
        webapp: &str,
        first_part: &str,
        rendered: &Rendered,
        sbom: &Sbom,
    ) -> Option<Digest> {
        let mut checksums: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for entry in &sbom.entries {
            checksums.entry(&entry.path).or_default().insert(&entry.sha256);
        }
        let mut sum = Fields(Sha256::new());
        // Another release may lay the same files out in another way.
        sum.add(env!("CARGO_PKG_VERSION"));
        sum.add(first_part);
        sum.add(webapp);
        sum.count(rendered.directories.len());
        for directory in &rendered.directories {
            sum.add(directory);
        }
        sum.count(rendered.files.len());
        for file in &rendered.files {
            sum.add(&file.path);
            sum.add(&file.text);
        }
        for path in self.files.get(&Layer::Libraries)?.keys() {
            // A path with `!/` in it could be that of a jar in a jar as well, and there would be two.
            let checksum = checksums.get(path.as_str()).filter(|found| found.len() == 1)?.first()?;
            sum.add(path);
            sum.add(checksum);
        }
        Some(Digest::from_sha256(sum.0.finalize().into()))
    }
}

/// Fields whose borders count: each is preceded by its length.
struct Fields(Sha256);

impl Fields {
    fn count(&mut self, number: usize) {
        self.0.update((number as u64).to_le_bytes());
    }

    fn add(&mut self, field: &str) {
        self.count(field.len());
        self.0.update(field);
    }
}
