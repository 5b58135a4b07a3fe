//! What went wrong with a call to GitLab, in words that say what to do.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;

/// What is being done and which rights it takes; the second is for the text when GitLab refuses.
#[derive(Debug, Clone)]
pub(super) struct Doing {
    pub(super) what: String,
    pub(super) needs: &'static str,
}

impl Doing {
    pub(super) fn new(what: impl Into<String>, needs: &'static str) -> Self {
        Self {
            what: what.into(),
            needs,
        }
    }
}

/// What kind of failure it was: decides whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitLabErrorKind {
    /// No answer: connection refused or broken, name unknown, time over, certificate not trusted.
    Unreachable,
    /// GitLab cannot now: 408, 409 (a lock), 429, 5xx.
    Busy,
    /// The token or its rights do not do: 401, 403.
    Refused,
    /// Not there, or hidden from this token: 404.
    NotThere,
    /// GitLab does not like the call: other 4xx.
    Invalid,
    /// An answer that is not GitLab's API: a redirect, a page of a proxy, a field that is missing.
    NotGitLab,
}

/// A call to GitLab that failed. Its text has no secret in it.
#[derive(Debug, Clone)]
pub struct GitLabError {
    /// What was being done, for example `set the commit status`.
    pub doing: String,
    /// Method and address, without query.
    pub address: String,
    /// Kind of failure.
    pub kind: GitLabErrorKind,
    /// HTTP status, if an answer came.
    pub status: Option<u16>,
    /// GitLab's own words, or the cause of the missing answer; at most 500 characters.
    pub message: String,
    /// What to do, empty where waiting is all.
    pub advice: String,
    /// How long GitLab wants to be left alone, if it says so.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for GitLabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.doing, self.address)?;
        match self.status {
            Some(status) => write!(f, " answered {status}")?,
            None => f.write_str(" gave no answer")?,
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for GitLabError {}

impl GitLabError {
    /// Is it worth trying the same call again later?
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, GitLabErrorKind::Unreachable | GitLabErrorKind::Busy)
    }

    /// No answer came.
    pub(super) fn unreachable(doing: &Doing, address: String, message: String) -> Self {
        Self {
            doing: doing.what.clone(),
            address,
            kind: GitLabErrorKind::Unreachable,
            status: None,
            message: shorten(&message),
            advice: String::new(),
            retry_after: None,
        }
    }

    /// An answer came that is none of GitLab's.
    pub(super) fn strange(doing: &Doing, address: String, status: StatusCode, message: String) -> Self {
        Self {
            status: Some(status.as_u16()),
            kind: GitLabErrorKind::NotGitLab,
            advice: "is gitlab.url the address of a GitLab (13 or newer), without anything before it that answers in \
                     its place?"
                .to_owned(),
            ..Self::unreachable(doing, address, message)
        }
    }

    /// GitLab answered, and not with success.
    pub(super) fn answered(
        doing: &Doing,
        address: String,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Self {
        if status.is_redirection() {
            let place = headers
                .get(LOCATION)
                .and_then(|place| place.to_str().ok())
                .unwrap_or("nowhere");
            let place = place.split('?').next().unwrap_or(place);
            return Self {
                advice: "tokens are not sent on to another address: set gitlab.url to the final one".to_owned(),
                ..Self::strange(doing, address, status, format!("redirected to {place}"))
            };
        }
        let message = words(body);
        let kind = match status.as_u16() {
            401 | 403 => GitLabErrorKind::Refused,
            404 => GitLabErrorKind::NotThere,
            408 | 409 | 429 | 500..=599 => GitLabErrorKind::Busy,
            _ => GitLabErrorKind::Invalid,
        };
        let scope_is_missing = message.contains("insufficient_scope");
        let advice = match status.as_u16() {
            401 => "the token is wrong, expired or revoked: make a new one and set gitlab.token".to_owned(),
            403 if scope_is_missing => {
                "the token lacks a scope: make one with scope `api` and set gitlab.token".to_owned()
            }
            403 => format!("the token's user may not do this, it needs {}", doing.needs),
            404 => format!(
                "it does not exist, or the token's user may not see it, which needs {}",
                doing.needs
            ),
            _ => String::new(),
        };
        let retry_after = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        Self {
            kind,
            status: Some(status.as_u16()),
            advice,
            retry_after,
            ..Self::unreachable(doing, address, message)
        }
    }
}

/// GitLab's words from the forms that it has: `{"message": text | {field: [text]}}`, `{"error": …,
/// "error_description": …}`, or a page of the web server in front of it.
fn words(body: &[u8]) -> String {
    let Ok(Value::Object(answer)) = serde_json::from_slice(body) else {
        let text = String::from_utf8_lossy(body);
        return match text.trim_start().starts_with('<') {
            true => "a page instead of JSON".to_owned(),
            false => text.trim().to_owned(),
        };
    };
    let parts = ["message", "error", "error_description"].map(|key| answer.get(key).map(flatten));
    parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(": ")
}

fn flatten(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(flatten).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(field, value)| format!("{field}: {}", flatten(value)));
            fields.collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(500) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> GitLabError {
        let doing = Doing::new("list the hooks", "role Maintainer in the project");
        let status = StatusCode::from_u16(status).expect("a status");
        GitLabError::answered(
            &doing,
            "GET https://gitlab.example/x".to_owned(),
            status,
            &HeaderMap::new(),
            body.as_bytes(),
        )
    }

    #[test]
    fn the_text_says_which_right_is_missing() {
        let text = answered(403, r#"{"message":"403 Forbidden"}"#).to_string();
        assert_eq!(
            text,
            "cannot list the hooks: GET https://gitlab.example/x answered 403: 403 Forbidden; the token's user may not \
             do this, it needs role Maintainer in the project"
        );
        let scope = r#"{"error":"insufficient_scope","error_description":"needs higher privileges","scope":"api"}"#;
        assert!(answered(403, scope).to_string().contains("scope `api`"));
        assert!(
            answered(401, r#"{"message":"401 Unauthorized"}"#)
                .to_string()
                .contains("revoked")
        );
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_does_not() {
        for status in [408, 409, 429, 500, 502, 503, 504] {
            assert!(answered(status, "").is_transient(), "{status}");
        }
        for status in [302, 400, 401, 403, 404, 422] {
            assert!(!answered(status, "").is_transient(), "{status}");
        }
    }

    #[test]
    fn every_form_of_message_becomes_a_sentence() {
        let nested = r#"{"message":{"name":["has already been taken"],"base":["is bad"]}}"#;
        assert_eq!(words(nested.as_bytes()), "base: is bad; name: has already been taken");
        assert_eq!(words(b"<html>502</html>"), "a page instead of JSON");
        assert_eq!(words(b"Retry later\n"), "Retry later");
        assert_eq!(words(br#"{"message":null}"#), "");
    }
}
