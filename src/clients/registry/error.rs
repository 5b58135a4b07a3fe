//! What went wrong with a registry, and whether it passes by itself.

use oci_distribution::errors::{OciDistributionError, OciErrorCode};

use crate::clients::http;

/// What to do about a [`RegistryError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryErrorKind {
    /// Not an image reference.
    Name,
    /// It did not answer, or only with an excuse: worth another try.
    Unreachable,
    /// It refuses this account.
    Refused,
    /// It answered something that is not in the specification.
    Strange,
    /// What was asked for is not there.
    Missing,
    /// Its disk or the quota of the repository is full.
    Full,
    /// The tag is there already and means another image: it is never overwritten.
    Occupied,
    /// The bytes are not those that the digest names.
    Mismatch,
    /// It is an image that cannot be carried over with its digest kept.
    Unsupported,
    /// It was stopped from outside.
    Stopped,
}

/// An error of a registry: what was asked of whom, the cause, and what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{doing}: {cause}")]
pub struct RegistryError {
    kind: RegistryErrorKind,
    doing: String,
    cause: String,
}

impl RegistryError {
    pub(super) fn new(kind: RegistryErrorKind, doing: String, cause: String) -> Self {
        Self { kind, doing, cause }
    }

    /// What to do about it.
    pub fn kind(&self) -> RegistryErrorKind {
        self.kind
    }

    /// Why, without what was being done.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// May the same call succeed later?
    pub fn is_transient(&self) -> bool {
        self.kind == RegistryErrorKind::Unreachable
    }
}

/// The library's many variants in one order.
pub(super) enum Failed {
    /// There is no such image, repository or blob.
    NotThere,
    /// 401 or 403, or no token: the library does not say why.
    Login,
    /// Anything else, with its cause; addresses carry no query, which may hold state of an upload.
    Other(RegistryErrorKind, String),
}

/// The same answer comes in different variants from different calls; this is the one place that knows them.
pub(super) fn classify(error: OciDistributionError) -> Failed {
    use OciDistributionError as E;
    let other = Failed::Other;
    match error {
        E::ImageManifestNotFoundError(_) => Failed::NotThere,
        E::UnauthorizedError { .. } | E::AuthenticationFailure(_) => Failed::Login,
        E::ServerError { code, message, .. } => by_status(code, message.trim()),
        E::RegistryError { envelope, .. } => {
            let is = |wanted: &[OciErrorCode]| envelope.errors.iter().any(|error| wanted.contains(&error.code));
            if is(&[
                OciErrorCode::ManifestUnknown,
                OciErrorCode::NameUnknown,
                OciErrorCode::BlobUnknown,
                OciErrorCode::NotFound,
            ]) {
                Failed::NotThere
            } else if is(&[OciErrorCode::Unauthorized, OciErrorCode::Denied]) {
                Failed::Login
            } else if is(&[OciErrorCode::Toomanyrequests]) {
                other(RegistryErrorKind::Unreachable, "it is asked too often".to_owned())
            } else {
                let words: Vec<String> = envelope
                    .errors
                    .iter()
                    .map(|error| format!("{:?} {}", error.code, error.message))
                    .collect();
                other(RegistryErrorKind::Strange, format!("it says: {}", words.join(", ")))
            }
        }
        E::RequestError(error) => other(RegistryErrorKind::Unreachable, http::explain(error)),
        // Also a body that does not fit its digest: cut off on its way.
        E::IoError(error) => other(RegistryErrorKind::Unreachable, without_queries(&error.to_string())),
        error => other(RegistryErrorKind::Strange, without_queries(&error.to_string())),
    }
}

/// A bare HTTP status with the server's words.
pub(super) fn by_status(code: u16, words: &str) -> Failed {
    let words: String = match words.starts_with('<') {
        true => "a page".to_owned(),
        false => words.chars().take(300).collect(),
    };
    match code {
        404 => Failed::NotThere,
        401 | 403 => Failed::Login,
        408 | 429 | 500..=599 => Failed::Other(RegistryErrorKind::Unreachable, format!("it answers {code}: {words}")),
        _ => Failed::Other(RegistryErrorKind::Strange, format!("it answers {code}: {words}")),
    }
}

fn without_queries(text: &str) -> String {
    text.split_inclusive(char::is_whitespace)
        .map(|word| match word.split_once('?') {
            Some((address, _)) if address.contains("://") => format!("{address} "),
            _ => word.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_an_upload_is_in_no_text() {
        let text = "PUT https://registry.example/v2/a/blobs/uploads/1?_state=canary failed";
        assert_eq!(
            without_queries(text),
            "PUT https://registry.example/v2/a/blobs/uploads/1 failed"
        );
        assert_eq!(without_queries("who? me"), "who? me");
    }

    #[test]
    fn a_status_decides_whether_it_is_tried_again() {
        for code in [408, 429, 500, 502, 503] {
            assert!(matches!(
                by_status(code, "x"),
                Failed::Other(RegistryErrorKind::Unreachable, _)
            ));
        }
        assert!(matches!(
            by_status(418, "x"),
            Failed::Other(RegistryErrorKind::Strange, _)
        ));
        assert!(matches!(by_status(404, ""), Failed::NotThere));
        assert!(matches!(by_status(403, ""), Failed::Login));
    }
}
