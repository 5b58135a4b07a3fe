//! What can go wrong with the provider, each told in a sentence for whom it keeps from signing in.

use openidconnect::core::CoreErrorResponseType;
use openidconnect::{
    ClaimsVerificationError, DiscoveryError, RequestTokenError, SignatureVerificationError, StandardErrorResponse,
    UserInfoError,
};

use super::OpenId;
use crate::clients::http;

/// Why somebody cannot sign in: a sentence for him.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct OpenIdError {
    text: String,
    transient: bool,
}

impl OpenIdError {
    pub(super) fn away(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            transient: true,
        }
    }

    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            transient: false,
        }
    }

    /// May it work in a moment, without anybody changing anything?
    pub fn is_transient(&self) -> bool {
        self.transient
    }
}

/// The provider did not answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreachable(pub String);

impl OpenId {
    pub(super) fn unreachable(&self, error: &Unreachable) -> OpenIdError {
        OpenIdError::away(format!(
            "the sign-in provider {} cannot be reached at the moment ({error}): try again in a minute",
            self.settings.issuer
        ))
    }

    pub(super) fn odd(&self, what: String) -> OpenIdError {
        OpenIdError::refused(format!("the sign-in provider {} {what}", self.settings.issuer))
    }

    pub(super) fn not_discovered(&self, error: DiscoveryError<Unreachable>) -> OpenIdError {
        match error {
            DiscoveryError::Request(error) => self.unreachable(&error),
            DiscoveryError::Response(status, ..) if status.is_server_error() => OpenIdError::away(format!(
                "the sign-in provider {} is out of order at the moment ({status}): try again in a minute",
                self.settings.issuer
            )),
            DiscoveryError::Response(status, ..) => self.odd(format!(
                "answers {status} to <issuer>/.well-known/openid-configuration: is sign_in.issuer right?"
            )),
            DiscoveryError::Validation(why) => {
                self.odd(format!("calls itself otherwise ({why}): correct sign_in.issuer"))
            }
            other => self.odd(format!("does not say what it is: {}", http::explain_chain(&other))),
        }
    }

    pub(super) fn no_tokens(
        &self,
        error: RequestTokenError<Unreachable, StandardErrorResponse<CoreErrorResponseType>>,
    ) -> OpenIdError {
        match error {
            RequestTokenError::Request(error) => self.unreachable(&error),
            RequestTokenError::ServerResponse(answer) => match answer.error() {
                CoreErrorResponseType::InvalidGrant => OpenIdError::refused(
                    "this sign-in was used already or took too long: the code that came with it is not valid any more; \
                     sign in again",
                ),
                CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => self
                    .odd("does not know this service: sign_in.client_id or sign_in.client_secret is wrong".to_owned()),
                other => self.odd(format!(
                    "refuses: {}{}",
                    AsRef::<str>::as_ref(other),
                    answer
                        .error_description()
                        .map(|why| format!(" ({why})"))
                        .unwrap_or_default()
                )),
            },
            other => self.odd(format!("sent no tokens: {}", http::explain_chain(&other))),
        }
    }

    pub(super) fn no_info(&self, error: UserInfoError<Unreachable>) -> OpenIdError {
        match error {
            UserInfoError::Request(error) => self.unreachable(&error),
            other => self.odd(format!("does not say who it is: {}", http::explain_chain(&other))),
        }
    }

    pub(super) fn not_believed(&self, error: ClaimsVerificationError) -> OpenIdError {
        match error {
            ClaimsVerificationError::Expired(why) => self.odd(format!(
                "has another time than this service ({why}): one of the two clocks is wrong by more than \
                 sign_in.clock_skew"
            )),
            ClaimsVerificationError::InvalidNonce(_) => OpenIdError::refused(
                "the answer of the sign-in provider belongs to another sign-in (its nonce is not ours): sign in again",
            ),
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
                OpenIdError::away("the sign-in provider has changed its keys: sign in again")
            }
            other => self.odd(format!(
                "sent an ID token that cannot be believed: {}",
                http::explain_chain(&other)
            )),
        }
    }
}
