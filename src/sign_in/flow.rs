//! What a browser keeps while it is at the provider, and what is asked of what comes back, before the provider is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::{Back, SignInError};

/// How long a sign-in may take, in seconds.
pub const LIFETIME: i64 = 600;

/// A sign-in that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Comes back with the browser.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// Goes to the provider with the code.
    pub verifier: String,
    /// Where the person wanted to go.
    pub next: String,
    /// When it began, in seconds since 1970.
    pub begun: i64,
}

impl Flow {
    /// As a cookie's value: letters, digits, `-` and `_`.
    pub fn to_cookie(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// From a cookie's value.
    ///
    /// # Errors
    /// There is none: the sign-in was not begun in this browser, or is over.
    pub fn from_cookie(value: Option<&str>) -> Result<Self, SignInError> {
        let bytes = value.and_then(|value| URL_SAFE_NO_PAD.decode(value).ok());
        let flow = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        flow.ok_or_else(|| {
            SignInError::Refused(
                "this sign-in was not begun in this browser, was ended already, or took longer than ten minutes: sign \
                 in again (the browser must accept cookies of this service)"
                    .to_owned(),
            )
        })
    }

    /// The code, if what came back is the answer to this.
    pub(super) fn code_of<'b>(&self, back: &'b Back, issuer: &str, now: i64) -> Result<&'b str, SignInError> {
        let refused = |text: &str| Err(SignInError::Refused(text.to_owned()));
        let state = back.state.as_deref().unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(self.state.as_bytes())) {
            return refused(
                "what came back from the sign-in provider is not the answer to this browser's last sign-in (it was \
                 perhaps begun again in another tab): sign in again",
            );
        }
        if !(0..=LIFETIME).contains(&(now - self.begun)) {
            return refused("this sign-in took longer than ten minutes: sign in again");
        }
        if back.issuer.as_deref().is_some_and(|from| from != issuer) {
            return refused("the answer came from another sign-in provider than was asked: sign in again");
        }
        if let Some(error) = &back.error {
            let why = match back.error_description.as_deref() {
                Some(why) if !why.is_empty() => format!(" (it says: {})", one_line(why)),
                _ => String::new(),
            };
            return Err(match error.as_str() {
                "access_denied" => SignInError::Refused(format!(
                    "the sign-in was refused or broken off at the sign-in provider{why}: sign in again, and allow it \
                     there"
                )),
                "temporarily_unavailable" | "server_error" => SignInError::Away(format!(
                    "the sign-in provider is out of order at the moment{why}: try again in a minute"
                )),
                "invalid_scope" | "unauthorized_client" | "invalid_client" | "unsupported_response_type" => {
                    SignInError::Refused(format!(
                        "the sign-in provider does not accept this service as it is registered there: {error}{why}; \
                         the platform team must compare the application's scopes and redirect URL with [sign_in]"
                    ))
                }
                other => SignInError::Refused(format!("the sign-in provider refuses: {}{why}", one_line(other))),
            });
        }
        match back.code.as_deref() {
            Some(code) if !code.is_empty() => Ok(code),
            _ => refused("the sign-in provider sent neither a code nor an error: sign in again"),
        }
    }
}

/// Whoever makes up an address can put any text here.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Flow {
        Flow {
            state: "s".to_owned(),
            nonce: "n".to_owned(),
            verifier: "v".to_owned(),
            next: "/builds/1".to_owned(),
            begun: 1000,
        }
    }

    fn back() -> Back {
        Back {
            code: Some("c".to_owned()),
            state: Some("s".to_owned()),
            ..Back::default()
        }
    }

    fn sentence(back: &Back, now: i64) -> String {
        let asked = flow().code_of(back, "https://idp", now);
        asked.expect_err("not an answer").to_string()
    }

    #[test]
    fn a_flow_comes_back_from_its_cookie() {
        assert_eq!(Flow::from_cookie(Some(&flow().to_cookie())), Ok(flow()));
        for nothing in [None, Some(""), Some("e30"), Some("%")] {
            assert!(Flow::from_cookie(nothing).is_err(), "{nothing:?}");
        }
    }

    #[test]
    fn only_the_answer_to_what_was_asked_is_taken() {
        assert_eq!(flow().code_of(&back(), "https://idp", 1600), Ok("c"));
        let other = |change: fn(&mut Back)| {
            let mut back = back();
            change(&mut back);
            sentence(&back, 1001)
        };
        assert!(other(|back| back.state = Some("t".to_owned())).contains("not the answer"));
        assert!(other(|back| back.state = None).contains("not the answer"));
        assert!(other(|back| back.issuer = Some("https://evil".to_owned())).contains("another sign-in provider"));
        assert!(other(|back| back.code = None).contains("neither a code"));
        assert!(other(|back| back.error = Some("access_denied".to_owned())).contains("refused or broken off"));
        assert!(other(|back| back.error = Some("server_error".to_owned())).contains("out of order"));
        assert!(sentence(&back(), 1601).contains("longer than ten minutes"));
        assert!(sentence(&back(), 999).contains("longer than ten minutes"));
    }
}
