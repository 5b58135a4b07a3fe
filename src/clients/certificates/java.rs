//! Java's own key store format, JKS, as far as a trust store needs it.
//!
//! Written by hand because the alternative is a JDK beside the service or a PKCS #12 library with its ciphers, for forty
//! lines of plain fields. The layout is the one of OpenJDK's `sun/security/provider/JavaKeyStore.java`
//! (`engineStore`, version 2): big-endian fields, then SHA-1 over password, "Mighty Aphrodite" and all before it.
//! Every JDK reads it, also where PKCS #12 is the default type (`keystore.type.compat`, JDK 8 and newer).

use rustls::pki_types::CertificateDer;
use sha1::{Digest as _, Sha1};

const MAGIC: u32 = 0xFEED_FEED;
const VERSION: u32 = 2;
/// Tag of a trusted certificate; private keys would be 1.
const TRUSTED: u32 = 2;
const CERTIFICATE_TYPE: &str = "X.509";
/// Entries carry the date of their making: a fixed one (2020-01-01), so that the same set gives the same bytes.
const DATE_MILLIS: u64 = 1_577_836_800_000;
const WHITENER: &[u8] = b"Mighty Aphrodite";

/// A trust store of these certificates; aliases are made of the certificate's digest.
pub(super) fn trust_store(certificates: &[CertificateDer<'_>], password: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_u32(&mut out, MAGIC);
    put_u32(&mut out, VERSION);
    put_u32(
        &mut out,
        certificates.len().try_into().expect("less than 2^32 certificates"),
    );
    for certificate in certificates {
        put_u32(&mut out, TRUSTED);
        put_text(&mut out, &alias(certificate));
        out.extend(DATE_MILLIS.to_be_bytes());
        put_text(&mut out, CERTIFICATE_TYPE);
        put_u32(
            &mut out,
            certificate
                .len()
                .try_into()
                .expect("a certificate is smaller than 4 GiB"),
        );
        out.extend_from_slice(certificate);
    }
    let sum = seal(&out, password);
    out.extend(sum);
    out
}

fn alias(certificate: &[u8]) -> String {
    let digest = crate::model::Digest::of(certificate);
    format!("ca-{}", &digest.hex()[..24])
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend(number.to_be_bytes());
}

/// `DataOutput.writeUTF`: for ASCII the same as UTF-8 with a length of two bytes.
fn put_text(out: &mut Vec<u8>, text: &str) {
    debug_assert!(text.is_ascii());
    out.extend(u16::try_from(text.len()).expect("our texts are short").to_be_bytes());
    out.extend(text.as_bytes());
}

fn seal(data: &[u8], password: &str) -> [u8; 20] {
    let mut sha1 = Sha1::new();
    for unit in password.encode_utf16() {
        sha1.update(unit.to_be_bytes());
    }
    sha1.update(WHITENER);
    sha1.update(data);
    sha1.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader of its own, so that a shift by one byte is seen.
    struct Fields<'a>(&'a [u8]);

    impl Fields<'_> {
        fn bytes(&mut self, length: usize) -> Vec<u8> {
            let (taken, rest) = self.0.split_at(length);
            self.0 = rest;
            taken.to_vec()
        }

        fn number(&mut self, width: usize) -> u64 {
            self.bytes(width)
                .iter()
                .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
        }

        fn counted(&mut self, width: usize) -> Vec<u8> {
            let length = self.number(width);
            self.bytes(usize::try_from(length).expect("a length"))
        }
    }

    #[test]
    fn a_store_is_read_back_as_it_was_written() {
        let certificates = [CertificateDer::from(vec![1, 2, 3]), CertificateDer::from(vec![4; 300])];
        let store = trust_store(&certificates, "changeit");
        let (data, sum) = store.split_at(store.len() - 20);
        assert_eq!(sum, seal(data, "changeit"));
        let mut fields = Fields(data);
        assert_eq!(
            (fields.number(4), fields.number(4), fields.number(4)),
            (0xFEED_FEED, 2, 2)
        );
        let mut aliases = Vec::new();
        for certificate in &certificates {
            assert_eq!(fields.number(4), 2);
            aliases.push(fields.counted(2));
            assert_eq!(fields.number(8), DATE_MILLIS);
            assert_eq!(fields.counted(2), b"X.509");
            assert_eq!(fields.counted(4), certificate.to_vec());
        }
        assert!(fields.0.is_empty(), "bytes are left over");
        assert_ne!(
            aliases[0], aliases[1],
            "Java would keep one of two entries under the same alias"
        );
    }

    /// What OpenJDK 17 itself writes for `KeyStore.getInstance("JKS")` without entries, stored with "changeit".
    #[test]
    fn an_empty_store_is_the_one_that_java_writes() {
        let java = "feedfeed0000000200000000e2686e45fb43dfa4d992dd41ceb6b21c6330d792";
        let ours: String = trust_store(&[], "changeit")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(ours, java);
        assert_ne!(trust_store(&[], "changeit"), trust_store(&[], "changeme"));
    }
}
