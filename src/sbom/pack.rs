//! The document as Postgres keeps it: by zlib.

use std::io::{self, Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// Bytes of a document that are unpacked: 20,000 jars need far less.
const LARGEST: u64 = 256 << 20;

/// Compresses a document.
pub fn compress(document: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let done = encoder.write_all(document).and_then(|()| encoder.finish());
    done.expect("writing to memory cannot fail")
}

/// The document again.
///
/// # Errors
/// The bytes are not what [`compress`] wrote.
pub fn decompress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut document = Vec::new();
    ZlibDecoder::new(bytes).take(LARGEST).read_to_end(&mut document)?;
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_comes_back() {
        let document = b"{\"bomFormat\": \"CycloneDX\"}".repeat(1000);
        let small = compress(&document);
        assert!(small.len() < document.len() / 20);
        assert_eq!(decompress(&small).expect("its own"), document);
        assert!(decompress(b"nonsense").is_err());
    }
}
