//! The certificate authorities that the service trusts: those of the system and those of the company.
//!
//! They are read once and then given to every client (HTTP, Git, registry, mail) and into the build containers, so that
//! there is one answer to "why is this server not trusted". The set is sorted and free of doubles: what is made from it
//! is the same bytes on every start, and a container that gets it can be compared and cached.

mod java;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Everything that is trusted; cheap to clone.
#[derive(Clone)]
pub struct Certificates {
    sorted: Arc<[CertificateDer<'static>]>,
}

/// Why `tls.ca_file` cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("tls.ca_file = {file:?}: {wrong}")]
pub struct CertificateError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it and what is expected.
    pub wrong: String,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificates({})", self.sorted.len())
    }
}

impl Certificates {
    /// The system's authorities (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured) and the ones in `ca_file` (PEM, any
    /// number).
    ///
    /// What the system has and cannot be read is logged and left out: it is not ours to repair, and a service that
    /// speaks to its company's servers only needs nothing of it.
    ///
    /// # Errors
    /// If `ca_file` is given and anything in it is not a certificate.
    pub fn load(ca_file: Option<&Path>) -> Result<Self, CertificateError> {
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::warn!(%error, "a certificate authority of the system is left out");
        }
        let mut all: BTreeSet<Vec<u8>> = BTreeSet::new();
        for certificate in system.certs {
            match check(&certificate) {
                Ok(()) => _ = all.insert(certificate.to_vec()),
                Err(error) => tracing::debug!(%error, "a certificate authority of the system is left out"),
            }
        }
        if let Some(file) = ca_file {
            let wrong = |wrong: String| CertificateError {
                file: file.to_owned(),
                wrong,
            };
            let bytes = std::fs::read(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
            all.extend(parse(&bytes).map_err(wrong)?);
        }
        if all.is_empty() {
            tracing::warn!("no certificate authority is trusted: install ca-certificates or set tls.ca_file");
        }
        Ok(Self {
            sorted: all.into_iter().map(CertificateDer::from).collect(),
        })
    }

    /// The certificates themselves (DER), sorted.
    pub fn iter(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.sorted.iter()
    }

    /// All of them as a PEM file: for Git, curl, npm and Python inside a build container.
    pub fn pem_bundle(&self) -> String {
        let mut text = String::new();
        for certificate in self.iter() {
            text.push_str("-----BEGIN CERTIFICATE-----\n");
            let base64 = STANDARD.encode(certificate);
            for line in base64.as_bytes().chunks(64) {
                let line = std::str::from_utf8(line).expect("base64 is ASCII");
                writeln!(text, "{line}").expect("writing to a String cannot fail");
            }
            text.push_str("-----END CERTIFICATE-----\n");
        }
        text
    }

    /// All of them as a trust store (JKS) for `-Djavax.net.ssl.trustStore`, readable by every JVM.
    ///
    /// The password protects nothing, the content is public: Java wants one to check the file's integrity.
    pub fn java_trust_store(&self, password: &str) -> Vec<u8> {
        java::trust_store(&self.sorted, password)
    }
}

/// The certificates of a PEM file; a sentence if there is none or one is broken.
fn parse(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    if bytes.first() == Some(&0x30) {
        return Err(
            "is a binary certificate (DER), PEM is expected: `openssl x509 -inform der -in FILE -out FILE.pem`"
                .to_owned(),
        );
    }
    let mut found = Vec::new();
    for (index, item) in CertificateDer::pem_slice_iter(bytes).enumerate() {
        let number = index + 1;
        let certificate = item.map_err(|error| format!("certificate {number} is broken: {error}"))?;
        check(&certificate).map_err(|error| format!("certificate {number} is broken: {error}"))?;
        found.push(certificate.to_vec());
    }
    if found.is_empty() {
        return Err("holds no certificate: -----BEGIN CERTIFICATE----- is expected".to_owned());
    }
    Ok(found)
}

/// Can it be an authority? The same rule that the TLS library applies when it is used.
fn check(certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
    RootCertStore::empty().add(certificate.clone().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system() -> Certificates {
        Certificates::load(None).expect("no file, nothing to be wrong")
    }

    fn written(content: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("written");
        file
    }

    #[test]
    fn a_bundle_that_is_read_again_adds_nothing() {
        let system = system();
        let file = written(system.pem_bundle().as_bytes());
        let again = Certificates::load(Some(file.path())).expect("our own bundle");
        assert!(
            again.iter().next().is_some(),
            "this machine trusts nobody: the test shows nothing"
        );
        assert!(again.iter().eq(system.iter()));
        assert_eq!(again.pem_bundle(), system.pem_bundle());
    }

    #[test]
    fn a_wrong_file_is_named_with_what_is_wrong() {
        let cut = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        let open = "-----BEGIN CERTIFICATE-----\nMIIB\n";
        for (content, expected) in [
            (&b"hello"[..], "holds no certificate"),
            (&b"\x30\x82\x01\x00"[..], "binary certificate (DER)"),
            (cut.as_bytes(), "certificate 1 is broken"),
            (open.as_bytes(), "certificate 1 is broken"),
        ] {
            let file = written(content);
            let error = Certificates::load(Some(file.path()))
                .expect_err("not a certificate")
                .to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains("tls.ca_file"), "{error}");
        }
        let error = Certificates::load(Some(Path::new("/does/not/exist")))
            .expect_err("no file")
            .to_string();
        assert!(
            error.contains("/does/not/exist") && error.contains("cannot be read"),
            "{error}"
        );
    }
}
