//! What a registry answered, and what it means when it is a refusal.

use std::ops::Deref;

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use reqwest::header::HeaderMap;
use serde::Deserialize;

use super::{PATIENCE, Session};
use crate::clients::registry::{RegistryError, RegistryErrorKind};

/// Largest manifest, list or token, in bytes (distribution specification, "Pushing Manifests": 4 MiB at least).
const LARGEST: usize = 8 << 20;

/// An answer and whose it is.
pub(in crate::clients::registry) struct Answer<'a> {
    response: Response,
    session: &'a Session,
}

impl Deref for Answer<'_> {
    type Target = Response;
    fn deref(&self) -> &Response {
        &self.response
    }
}

impl<'a> Answer<'a> {
    pub(super) fn new(response: Response, session: &'a Session) -> Self {
        Self { response, session }
    }

    /// The text of a header.
    pub(in crate::clients::registry) fn text(&self, name: &str) -> Option<&str> {
        header(self.response.headers(), name)
    }

    /// The stream.
    pub(in crate::clients::registry) fn into_inner(self) -> Response {
        self.response
    }

    /// The whole body, if it is not larger than a manifest may be.
    pub(in crate::clients::registry) async fn small_body(mut self, doing: &str) -> Result<Bytes, RegistryError> {
        let session = self.session;
        let read = async {
            let mut bytes = BytesMut::new();
            while let Some(piece) = self
                .response
                .chunk()
                .await
                .map_err(|error| session.broken(doing, error))?
            {
                if bytes.len() + piece.len() > LARGEST {
                    return Err(session.strange(doing, format!("its answer is larger than {LARGEST} bytes")));
                }
                bytes.extend_from_slice(&piece);
            }
            Ok(bytes.freeze())
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .unwrap_or_else(|_| Err(session.away(doing, format!("its answer did not end within {PATIENCE:?}"))))
    }

    /// An error with the registry's own words and what to do.
    pub(in crate::clients::registry) async fn refused(self, doing: &str) -> RegistryError {
        let (session, code) = (self.session, self.response.status().as_u16());
        let words = words(self.response).await;
        let (kind, cause) = meaning(code, &words, &session.login.who());
        session.wrong(kind, doing, cause)
    }
}

/// The text of a header.
pub(in crate::clients::registry) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What the body of a refusal says, on one line; never a page.
pub(in crate::clients::registry) async fn words(mut response: Response) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Reason>,
    }
    #[derive(Deserialize)]
    struct Reason {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
        #[serde(default)]
        detail: serde_json::Value,
    }
    let mut bytes = Vec::new();
    let read = async {
        while bytes.len() < 64 << 10
            && let Ok(Some(piece)) = response.chunk().await
        {
            bytes.extend_from_slice(&piece);
        }
    };
    _ = tokio::time::timeout(PATIENCE, read).await;
    let text = match serde_json::from_slice::<Errors>(&bytes) {
        Ok(said) => {
            let reasons: Vec<String> = said
                .errors
                .into_iter()
                .map(|reason| {
                    let detail = match reason.detail {
                        serde_json::Value::Null => String::new(),
                        serde_json::Value::String(text) => format!(" ({text})"),
                        other => format!(" ({other})"),
                    };
                    format!("{} {}{detail}", reason.code, reason.message)
                })
                .collect();
            reasons.join(", ")
        }
        Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
    };
    let text = text.trim();
    if text.starts_with('<') {
        return "a page".to_owned();
    }
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect()
}

/// What a status means here, and what to do about it.
fn meaning(code: u16, words: &str, who: &str) -> (RegistryErrorKind, String) {
    use RegistryErrorKind as Kind;
    let said = if words.is_empty() {
        String::new()
    } else {
        format!(": {words}")
    };
    let low = words.to_lowercase();
    // Harbor answers 412 or 403, Debian's registry 500 with the system's words.
    let full = code == 507
        || code >= 400
            && ["no space left", "quota", "insufficient storage"]
                .iter()
                .any(|sign| low.contains(sign));
    if full {
        let cause =
            format!("it has no room left (it answers {code}{said}): clean up there or raise the quota, then resume");
        return (Kind::Full, cause);
    }
    if code == 400 && words.contains("DIGEST_INVALID") {
        let cause =
            format!("what arrived there has another digest (it answers 400{said}): something on the way changes bytes");
        return (Kind::Mismatch, cause);
    }
    match code {
        401 => (
            Kind::Refused,
            format!(
                "it refuses {who} (it answers 401{said}): check the account (accounts_file of [registries], or username \
                 and password of [registry] or [base_images])"
            ),
        ),
        403 => (
            Kind::Refused,
            format!(
                "it does not let {who} do this (it answers 403{said}): give the account the right to pull and push there"
            ),
        ),
        404 => (
            Kind::Missing,
            format!("it is not there (it answers 404{said}): is the name right, and may the account see it?"),
        ),
        408 | 425 | 500 | 502..=599 => (
            Kind::Unreachable,
            format!("it answers {code} after several attempts{said}: look into its log, then resume"),
        ),
        429 => (
            Kind::Unreachable,
            format!("it is asked too often (it answers 429{said}): resume later, or raise its limit for {who}"),
        ),
        _ => (Kind::Strange, format!("it answers {code}{said}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_to_do() {
        use RegistryErrorKind as Kind;
        for (code, words, kind, advice) in [
            (401, "", Kind::Refused, "check the account"),
            (403, "DENIED", Kind::Refused, "give the account the right"),
            (404, "NAME_UNKNOWN", Kind::Missing, "is the name right"),
            (429, "", Kind::Unreachable, "resume later"),
            (503, "", Kind::Unreachable, "then resume"),
            (507, "", Kind::Full, "clean up there"),
            (
                500,
                "UNKNOWN (write: no space left on device)",
                Kind::Full,
                "clean up there",
            ),
            (
                412,
                "adding 10 MiB will exceed the Quota",
                Kind::Full,
                "raise the quota",
            ),
            (418, "", Kind::Strange, "418"),
        ] {
            let (found, cause) = meaning(code, words, "user \"ci\" with this password");
            assert_eq!(found, kind, "{code}");
            assert!(cause.contains(advice) && cause.contains(words), "{cause}");
        }
    }
}
