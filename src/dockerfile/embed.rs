//! A Dockerfile inside labels: gzip, base64, cut into pieces that every engine keeps.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::model::Digest;

/// containerd 1.5.6 refuses labels of more than 4,096 bytes, key included.
const CHUNK: usize = 4_000;

/// A hostile image must not unpack to more than this.
const LIMIT: u64 = 4 * 1024 * 1024;

/// Adds `<prefix>.0` …, `<prefix>.chunks` and `<prefix>.sha256`.
pub(super) fn embed(prefix: &str, text: &str, labels: &mut BTreeMap<String, String>) {
    // The encoder writes no time and no name: the same text makes the same labels.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(text.as_bytes())
        .expect("writing to memory cannot fail");
    let packed = STANDARD.encode(encoder.finish().expect("writing to memory cannot fail"));
    let mut count = 0;
    let mut rest = packed.as_str();
    while !rest.is_empty() {
        let (chunk, tail) = rest.split_at(rest.len().min(CHUNK));
        labels.insert(format!("{prefix}.{count}"), chunk.to_owned());
        count += 1;
        rest = tail;
    }
    labels.insert(format!("{prefix}.chunks"), count.to_string());
    labels.insert(format!("{prefix}.sha256"), Digest::of(text.as_bytes()).to_string());
}

/// Reads it back and compares the checksum. The error says which label is wrong, and how.
pub(super) fn extract(prefix: &str, labels: &BTreeMap<String, String>) -> Result<String, (String, String)> {
    let get = |name: &str| {
        let key = format!("{prefix}.{name}");
        labels.get(&key).ok_or_else(|| (key, "is missing".to_owned()))
    };
    let wrong = |name: &str, reason: String| (format!("{prefix}.{name}"), reason);
    let chunks = get("chunks")?;
    let count: usize = chunks
        .parse()
        .ok()
        .filter(|count| (1..=10_000).contains(count))
        .ok_or_else(|| wrong("chunks", format!("is {chunks:?}, not a number of pieces")))?;
    let mut packed = String::new();
    for i in 0..count {
        packed.push_str(get(&i.to_string())?);
    }
    let bytes = STANDARD
        .decode(packed)
        .map_err(|error| wrong("0", format!("is not base64: {error}")))?;
    let mut text = String::new();
    GzDecoder::new(bytes.as_slice())
        .take(LIMIT + 1)
        .read_to_string(&mut text)
        .map_err(|error| wrong("0", format!("does not unpack: {error}")))?;
    if text.len() as u64 > LIMIT {
        return Err(wrong("0", format!("unpacks to more than {LIMIT} bytes")));
    }
    let stated = get("sha256")?;
    let found = Digest::of(text.as_bytes());
    if *stated != found.as_str() {
        return Err(wrong(
            "sha256",
            format!("says {stated}, but the Dockerfile in the labels has {found}"),
        ));
    }
    Ok(text)
}
