//! Signing in at the OpenID provider, from the first click to who it is.
//!
//! Between the two the browser is away. What must be known when it comes back (state, nonce, PKCE verifier) travels in a
//! cookie of that browser and nowhere else: so a sign-in ends in the browser that began it, any process may end it, and
//! strangers who begin sign-ins fill no table.

mod flow;

use crate::clients::openid::{Identity, OpenId, OpenIdError};
pub use flow::{Flow, LIFETIME};

/// What came back with the browser.
#[derive(Debug, Clone, Default)]
pub struct Back {
    /// To be exchanged for who it is.
    pub code: Option<String>,
    /// What we sent along.
    pub state: Option<String>,
    /// Who sent it back (RFC 9207), where the provider says so.
    pub issuer: Option<String>,
    /// Why there is no code, in a word of the protocol.
    pub error: Option<String>,
    /// The same in words.
    pub error_description: Option<String>,
}

/// Why somebody cannot sign in: a sentence for him.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// Later it may work.
    #[error("{0}")]
    Away(String),
    /// Not in this way.
    #[error("{0}")]
    Refused(String),
}

impl From<OpenIdError> for SignInError {
    fn from(error: OpenIdError) -> Self {
        match error.is_transient() {
            true => Self::Away(error.to_string()),
            false => Self::Refused(error.to_string()),
        }
    }
}

/// Sign-in at one provider; cheap to clone.
#[derive(Debug, Clone)]
pub struct SignIn {
    provider: OpenId,
}

impl SignIn {
    /// At this provider.
    pub fn new(provider: OpenId) -> Self {
        Self { provider }
    }

    /// Host of the provider, for the button.
    pub fn host(&self) -> &str {
        let issuer = self.provider.issuer();
        let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// Where the browser goes, and what its cookie has to hold until it comes back. `now` in seconds since 1970.
    ///
    /// # Errors
    /// The provider is away, or is not what the configuration says.
    pub async fn begin(&self, next: &str, now: i64) -> Result<(String, Flow), SignInError> {
        let begun = self.provider.begin().await?;
        let flow = Flow {
            state: begun.state,
            nonce: begun.nonce,
            verifier: begun.verifier,
            next: next.to_owned(),
            begun: now,
        };
        Ok((begun.address, flow))
    }

    /// Who it is, from what came back and what the browser's cookie holds.
    ///
    /// # Errors
    /// It was not begun here, the provider refused or is away, or its answer cannot be believed.
    pub async fn finish(&self, flow: &Flow, back: &Back, now: i64) -> Result<Identity, SignInError> {
        let code = flow.code_of(back, self.provider.issuer(), now)?;
        Ok(self.provider.finish(code, &flow.verifier, &flow.nonce).await?)
    }
}
