//! Who may hand in a delivery: GitLab's secret token, or the signature of Standard Webhooks where GitLab sends one.
//!
//! Pure: the clock is an argument. Secrets are compared as SHA-256 sums in constant time, so that neither a shared
//! beginning nor the length of a secret can be measured.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::config;

/// Why a delivery is not let in; for the log, never for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither token nor a signature that we could check.
    #[error("it carries no X-Gitlab-Token: set the secret token of the webhook in GitLab")]
    NoToken,
    /// The token is wrong.
    #[error("its X-Gitlab-Token is none of webhook.secrets")]
    WrongToken,
    /// Signed, but what the signature covers is missing.
    #[error("it is signed, but webhook-id or webhook-timestamp is missing or unreadable")]
    Incomplete,
    /// Signed at another time: a recorded delivery, or a wrong clock.
    #[error("its webhook-timestamp is off by {0} s, which is more than webhook.signature_tolerance")]
    Expired(u64),
    /// The signature is wrong.
    #[error("its webhook-signature fits none of webhook.signing_keys")]
    WrongSignature,
}

/// Is this delivery checked by its signature? Then there is no way back to the token.
pub fn by_signature(headers: &HeaderMap, settings: &config::Webhook) -> bool {
    !settings.signing_keys.is_empty() && headers.contains_key("webhook-signature")
}

/// Checks a delivery; `now` in seconds since 1970. Where [`by_signature`] is false the body does not matter.
///
/// # Errors
/// The reason, for the log.
pub fn authenticate(headers: &HeaderMap, body: &[u8], settings: &config::Webhook, now: i64) -> Result<(), Refusal> {
    if by_signature(headers, settings) {
        signature(headers, body, settings, now)
    } else {
        token(headers, &settings.secrets)
    }
}

fn token(headers: &HeaderMap, secrets: &[SecretString]) -> Result<(), Refusal> {
    let given = headers.get("x-gitlab-token").ok_or(Refusal::NoToken)?;
    let given = Sha256::digest(given.as_bytes());
    // Every secret is compared, whichever fits.
    let fits = secrets.iter().fold(subtle::Choice::from(0), |fits, secret| {
        fits | Sha256::digest(secret.expose_secret().as_bytes()).ct_eq(&given)
    });
    if fits.into() { Ok(()) } else { Err(Refusal::WrongToken) }
}

/// Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, several values `v1,<base64>` separated by spaces.
fn signature(headers: &HeaderMap, body: &[u8], settings: &config::Webhook, now: i64) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let id = text("webhook-id").ok_or(Refusal::Incomplete)?;
    let timestamp = text("webhook-timestamp").ok_or(Refusal::Incomplete)?;
    let signatures = text("webhook-signature").ok_or(Refusal::Incomplete)?;
    let signed_at: i64 = timestamp.parse().map_err(|_| Refusal::Incomplete)?;

    let off = now.abs_diff(signed_at);
    if off > settings.signature_tolerance.as_secs() {
        return Err(Refusal::Expired(off));
    }
    let candidates: Vec<Vec<u8>> = signatures
        .split(' ')
        .filter_map(|value| STANDARD.decode(value.strip_prefix("v1,")?).ok())
        .collect();
    let fits = settings.signing_keys.iter().filter_map(key).any(|key| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        candidates
            .iter()
            .any(|candidate| mac.clone().verify_slice(candidate).is_ok())
    });
    if fits { Ok(()) } else { Err(Refusal::WrongSignature) }
}

/// The bytes of a signing key. The configuration has checked its shape; a key of another shape lets nobody in.
fn key(secret: &SecretString) -> Option<Vec<u8>> {
    STANDARD.decode(secret.expose_secret().strip_prefix("whsec_")?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const ID: &str = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f";
    const AT: i64 = 1_760_000_000;
    const BODY: &[u8] = br#"{"object_kind":"merge_request"}"#;
    const SIGNATURE: &str = "v1,Yf7S/xy0a0e1FJjPF7MMuiZMQuHrwUb0jZmhALrhpbU=";

    fn settings(secrets: &[&str], signing_keys: &[&str]) -> config::Webhook {
        let all = |texts: &[&str]| texts.iter().map(|text| SecretString::from(*text)).collect();
        config::Webhook {
            secrets: all(secrets),
            signing_keys: all(signing_keys),
            signature_tolerance: Duration::from_secs(300),
            max_body: 1024,
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    axum::http::HeaderName::from_static(name),
                    value.parse().expect("a header value"),
                )
            })
            .collect()
    }

    fn signed(id: &str, at: i64, signature: &str) -> HeaderMap {
        headers(&[
            ("webhook-id", id),
            ("webhook-timestamp", &at.to_string()),
            ("webhook-signature", signature),
        ])
    }

    #[test]
    fn each_of_two_secrets_is_let_in_and_nothing_else() {
        let settings = settings(&["old-secret", "new-secret"], &[]);
        let with = |token: &str| authenticate(&headers(&[("x-gitlab-token", token)]), b"", &settings, 0);
        assert_eq!(with("old-secret"), Ok(()));
        assert_eq!(with("new-secret"), Ok(()));
        for wrong in ["", "old-secre", "old-secret ", "old-secretnew-secret", "OLD-SECRET"] {
            assert_eq!(with(wrong), Err(Refusal::WrongToken), "{wrong:?}");
        }
        assert_eq!(
            authenticate(&HeaderMap::new(), b"", &settings, 0),
            Err(Refusal::NoToken)
        );
    }

    #[test]
    fn without_secrets_no_token_is_right() {
        let settings = settings(&[], &[KEY]);
        let empty = headers(&[("x-gitlab-token", "")]);
        assert_eq!(authenticate(&empty, b"", &settings, 0), Err(Refusal::WrongToken));
    }

    #[test]
    fn the_known_signature_is_computed_again_and_fits() {
        let bytes = STANDARD.decode(&KEY["whsec_".len()..]).expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&bytes).expect("any length");
        mac.update(format!("{ID}.{AT}.").as_bytes());
        mac.update(BODY);
        let computed = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(computed, SIGNATURE);
        let settings = settings(&[], &[KEY]);
        assert_eq!(
            authenticate(&signed(ID, AT, SIGNATURE), BODY, &settings, AT + 10),
            Ok(())
        );
    }

    #[test]
    fn a_signature_covers_id_time_and_body() {
        let settings = settings(&[], &[KEY]);
        let check = |headers: HeaderMap, body: &[u8]| authenticate(&headers, body, &settings, AT);
        let wrong = Err(Refusal::WrongSignature);
        assert_eq!(check(signed("another", AT, SIGNATURE), BODY), wrong);
        assert_eq!(check(signed(ID, AT + 1, SIGNATURE), BODY), wrong);
        assert_eq!(check(signed(ID, AT, SIGNATURE), b"{}"), wrong);
        for garbage in [
            "",
            "v1,",
            "v1,!!",
            "v2,Yf7S",
            "Yf7S/xy0a0e1FJjPF7MMuiZMQuHrwUb0jZmhALrhpbU=",
        ] {
            assert_eq!(check(signed(ID, AT, garbage), BODY), wrong, "{garbage:?}");
        }
    }

    #[test]
    fn one_of_several_signatures_and_keys_is_enough() {
        let other = "whsec_/////////////////////////////////////////w==";
        let settings = settings(&[], &[other, KEY]);
        let several = format!("v1,AAAA v1a,xyz {SIGNATURE}");
        assert_eq!(authenticate(&signed(ID, AT, &several), BODY, &settings, AT), Ok(()));
    }

    #[test]
    fn a_recorded_delivery_is_refused_later() {
        let settings = settings(&[], &[KEY]);
        let at = |now| authenticate(&signed(ID, AT, SIGNATURE), BODY, &settings, now);
        assert_eq!(at(AT + 300), Ok(()));
        assert_eq!(at(AT + 301), Err(Refusal::Expired(301)));
        assert_eq!(at(AT - 301), Err(Refusal::Expired(301)));
        let mut broken = signed(ID, AT, SIGNATURE);
        broken.insert("webhook-timestamp", "soon".parse().expect("a header value"));
        assert_eq!(authenticate(&broken, BODY, &settings, AT), Err(Refusal::Incomplete));
        broken.remove("webhook-timestamp");
        assert_eq!(authenticate(&broken, BODY, &settings, AT), Err(Refusal::Incomplete));
    }

    #[test]
    fn a_signed_delivery_has_no_way_back_to_the_token() {
        let mut both = signed(ID, AT, "v1,AAAA");
        both.insert("x-gitlab-token", "right-secret".parse().expect("a header value"));
        let with_key = settings(&["right-secret"], &[KEY]);
        assert_eq!(authenticate(&both, BODY, &with_key, AT), Err(Refusal::WrongSignature));
        // Nothing to check it with: the token decides.
        let without_key = settings(&["right-secret"], &[]);
        assert_eq!(authenticate(&both, BODY, &without_key, AT), Ok(()));
    }
}
