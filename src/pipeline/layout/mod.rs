//! How the WAR is laid out in the image: its entries looked at before anything of it is unpacked, each in its layer.

mod context;
mod foundation;
#[cfg(test)]
mod hostile_tests;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio_stream::wrappers::ReceiverStream;
use zip::ZipArchive;

pub(super) use self::context::Portion;
use self::context::{Contextual, Files};
use crate::by_hand::RepositoryFile;
use crate::dockerfile::Rendered;
use crate::maven::WarLimits;
use crate::model::{Finding, Layer};

/// What to do about an entry that no source file explains.
const PACKING: &str = "Look at the configuration of the plugin that packs the WAR.";
/// Longest path of an entry, in bytes.
const LONGEST_PATH: usize = 4096;

/// Files by their path, with size and CRC-32.
pub(super) type Contents = BTreeMap<String, (u64, u32)>;

/// A WAR that may be unpacked, and where its files go.
#[derive(Debug)]
pub(super) struct Layout {
    war: PathBuf,
    files: Arc<Files>,
    bytes: BTreeMap<Layer, u64>,
}

impl Layout {
    /// Looks at names and sizes in a WAR. `siblings` are the file names of jars that the same build made.
    ///
    /// # Errors
    /// A finding: an entry that would leave its place, a link, two entries of one name, too much.
    pub(super) fn survey(war: &Path, siblings: &BTreeSet<String>) -> io::Result<Result<Self, Finding>> {
        let mut archive = ZipArchive::new(BufReader::new(File::open(war)?)).map_err(io::Error::other)?;
        let (mut files, mut bytes) = (Files::new(), BTreeMap::new());
        let limits = WarLimits::default();
        if archive.len() > limits.entries {
            return Ok(Err(Finding::new(
                "war-entry",
                format!("The WAR has {} entries; {} are allowed", archive.len(), limits.entries),
                PACKING,
            )));
        }
        let mut unpacked = 0_u64;
        let mut names: HashSet<String> = HashSet::new();
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(io::Error::other)?;
            let Ok(name) = entry.name().map(|name| name.into_owned()) else {
                let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
                return Ok(Err(refuse(&name, "has a name that is no text")));
            };
            if !stays_inside(&name) {
                return Ok(Err(refuse(&name, "would leave the application's directory")));
            }
            if entry.is_symlink() {
                return Ok(Err(refuse(&name, "is a symbolic link")));
            }
            unpacked = unpacked.saturating_add(entry.size());
            if unpacked > limits.unpacked {
                let why = format!("makes it unpack to more than {} bytes", limits.unpacked);
                return Ok(Err(refuse(&name, &why)));
            }
            if !entry.is_file() {
                continue;
            }
            if !names.insert(name.clone()) {
                return Ok(Err(refuse(&name, "is there twice")));
            }
            let layer = Layer::of(&name, siblings);
            *bytes.entry(layer).or_default() += entry.size();
            files.entry(layer).or_default().insert(name, index);
        }
        // Only now are all files known.
        let under_a_file = names
            .iter()
            .find(|name| name.match_indices('/').any(|(at, _)| names.contains(&name[..at])));
        if let Some(name) = under_a_file {
            return Ok(Err(refuse(name, "lies in a directory that is a file")));
        }
        Ok(Ok(Self {
            war: war.to_owned(),
            files: Arc::new(files),
            bytes,
        }))
    }

    /// The layers that have files, in their order.
    pub(super) fn layers(&self) -> Vec<Layer> {
        self.files.keys().copied().collect()
    }

    /// What is where, a line a layer.
    pub(super) fn told(&self) -> impl Iterator<Item = String> + '_ {
        self.files.iter().map(|(layer, files)| {
            let bytes = self.bytes.get(layer).copied().unwrap_or_default();
            format!("Layer {}: {} files, {bytes} bytes", layer.as_str(), files.len())
        })
    }

    /// A build context as a stream; the WAR is unpacked on a blocking thread as the stream is taken. With `repository`, the
    /// files that a hand-written Dockerfile may copy are in it too, and each layer, so that it can name them all.
    pub(super) fn context(
        &self,
        webapp: &str,
        dockerfile: &str,
        rendered: &Arc<Rendered>,
        portion: Portion,
        repository: Option<&Arc<Vec<RepositoryFile>>>,
    ) -> ReceiverStream<io::Result<Bytes>> {
        let mut files = Arc::clone(&self.files);
        if repository.is_some() && files.len() < Layer::ALL.len() {
            let mut all = Files::clone(&files);
            for layer in Layer::ALL {
                all.entry(layer).or_default();
            }
            files = Arc::new(all);
        }
        context::stream(Contextual {
            war: self.war.clone(),
            files,
            webapp: webapp.to_owned(),
            dockerfile: dockerfile.to_owned(),
            rendered: Arc::clone(rendered),
            portion,
            repository: repository.cloned().unwrap_or_default(),
        })
    }

    /// Each file of the WAR with its size and CRC-32, as the archive says.
    pub(super) fn contents(&self) -> io::Result<Contents> {
        let mut archive = ZipArchive::new(BufReader::new(File::open(&self.war)?)).map_err(io::Error::other)?;
        let mut contents = Contents::new();
        for (name, index) in self.files.values().flatten() {
            let entry = archive.by_index_raw(*index).map_err(io::Error::other)?;
            contents.insert(name.clone(), (entry.size(), entry.crc32()));
        }
        Ok(contents)
    }
}

fn refuse(name: &str, why: &str) -> Finding {
    Finding::new(
        "war-entry",
        format!("The WAR has an entry that {why}: {name:?}"),
        PACKING,
    )
}

fn stays_inside(name: &str) -> bool {
    let parts_are_plain = name
        .strip_suffix('/')
        .unwrap_or(name)
        .split('/')
        .all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']));
    parts_are_plain && name.len() <= LONGEST_PATH
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::dockerfile::HouseFile;
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

    fn surveyed(war: &Path) -> Result<Layout, Finding> {
        Layout::survey(war, &BTreeSet::new()).expect("read")
    }

    async fn context_of(war: &Path) -> Vec<u8> {
        let rendered = Arc::new(Rendered {
            text: "FROM scratch\n".to_owned(),
            files: vec![HouseFile {
                path: "usr/share/x/health".to_owned(),
                text: "#!/bin/sh\n".to_owned(),
            }],
            directories: vec!["config".to_owned()],
        });
        let layout = surveyed(war).expect("no finding");
        let mut stream = layout.context("ROOT", &rendered.text, &rendered, Portion::All, None);
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
        assert_ne!(
            before["layers/pages/ROOT/index.html"],
            after["layers/pages/ROOT/index.html"]
        );
        let descriptor = "layers/resources/ROOT/WEB-INF/web.xml";
        assert_eq!(before[descriptor], after[descriptor]);
        assert!(
            before.contains_key("layers/pages/ROOT/css/a/") && before.contains_key("layers/pages/ROOT/"),
            "directories are entries of their own: {before:?}"
        );
    }

    #[test]
    fn entries_that_lead_out_or_hide_one_another_are_findings() {
        for name in ["../evil", "a/../../evil", "/etc/passwd", "a//b", "a\\..\\b"] {
            let finding = surveyed(war(&[(name, "x")], false).path()).expect_err(name);
            assert_eq!(finding.rule, "war-entry");
        }
        let finding = surveyed(war(&[("a", "x"), ("a/b", "x")], false).path()).expect_err("a file as a directory");
        assert!(
            finding.title.contains("a directory that is a file"),
            "{}",
            finding.title
        );
        // Whether names may differ in case alone is a rule of the check.
        assert!(surveyed(war(&[("css/a.css", "x"), ("CSS/a.css", "x")], false).path()).is_ok());
    }
}
