//! What is kept of a delivery beside its body: the headers without secrets, the sender's key, the event's name.

use axum::http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

/// Longest key and event name that are kept, in bytes. GitLab's keys are UUIDs.
const LONGEST: usize = 255;

/// Names of headers that carry a secret, or do so in somebody's proxy: a hook may have headers of its own.
const TELLING: [&str; 9] = [
    "token",
    "secret",
    "password",
    "passwd",
    "authorization",
    "cookie",
    "api-key",
    "apikey",
    "credential",
];

/// The headers as an object of texts. Left out is what may be a secret, by its name or because it holds one of
/// `secrets`. Bytes that are not UTF-8 are replaced; several values of one name are joined by commas.
pub fn headers<'a>(all: &HeaderMap, secrets: impl Iterator<Item = &'a SecretString> + Clone) -> Value {
    let mut kept = Map::new();
    for (name, value) in all {
        let text = String::from_utf8_lossy(value.as_bytes());
        let named_so = TELLING.iter().any(|word| name.as_str().contains(word));
        if named_so || secrets.clone().any(|secret| text.contains(secret.expose_secret())) {
            continue;
        }
        match kept.get_mut(name.as_str()) {
            Some(Value::String(before)) => {
                before.push_str(", ");
                before.push_str(&text);
            }
            _ => {
                kept.insert(name.as_str().to_owned(), Value::String(text.into_owned()));
            }
        }
    }
    Value::Object(kept)
}

/// The key that is the same when GitLab sends a delivery again (since 17.4; 19.0 calls it `webhook-id` where it signs).
/// `None` where there is none, or one that cannot be a key.
pub fn key(headers: &HeaderMap) -> Option<&str> {
    short_text(headers, "idempotency-key").or_else(|| short_text(headers, "webhook-id"))
}

/// `X-Gitlab-Event`: for lists only, what a body is stands in the body.
pub fn event(headers: &HeaderMap) -> Option<&str> {
    short_text(headers, "x-gitlab-event")
}

fn short_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(name)?.to_str().ok()?;
    (!text.is_empty() && text.len() <= LONGEST).then_some(text)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn map(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_bytes(value).expect("a header value");
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    }

    #[test]
    fn secrets_are_not_kept() {
        let all = map(&[
            ("x-gitlab-token", b"canary-1"),
            ("authorization", b"Basic canary"),
            ("proxy-authorization", b"Basic canary"),
            ("cookie", b"canary"),
            ("x-company-api-key", b"canary"),
            ("x-innocent", b"it says canary-1 aloud"),
            ("x-gitlab-event", b"Push Hook"),
            ("webhook-signature", b"v1,AAAA"),
            ("x-forwarded-for", b"10.0.0.1"),
            ("x-forwarded-for", b"10.0.0.2"),
            ("x-latin", b"caf\xe9"),
        ]);
        let kept = headers(&all, [SecretString::from("canary-1")].iter());
        assert_eq!(
            kept,
            serde_json::json!({
                "x-gitlab-event": "Push Hook",
                "webhook-signature": "v1,AAAA",
                "x-forwarded-for": "10.0.0.1, 10.0.0.2",
                "x-latin": "caf\u{fffd}",
            })
        );
    }

    #[test]
    fn a_key_is_short_text_or_none() {
        let long = "k".repeat(256);
        assert_eq!(key(&map(&[("idempotency-key", b"a"), ("webhook-id", b"b")])), Some("a"));
        assert_eq!(key(&map(&[("webhook-id", b"b")])), Some("b"));
        assert_eq!(key(&map(&[("idempotency-key", b"")])), None);
        assert_eq!(key(&map(&[("idempotency-key", b"caf\xe9")])), None);
        assert_eq!(key(&map(&[("idempotency-key", long.as_bytes())])), None);
    }
}
