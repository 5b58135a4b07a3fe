//! The one place where HTTP clients are made: whom to trust, how long to wait, where never to follow.
//!
//! TLS is rustls with ring everywhere. Two providers in one process would panic at the first connection, so the choice
//! is made here, once. A redirect is followed inside the same server only: a token must not travel to where a server
//! points, and an answer that came from elsewhere is not the one that was asked for. The caller gets the redirect
//! itself and can say what to correct.

use std::error::Error;
use std::sync::Once;
use std::time::Duration;

use reqwest::{ClientBuilder, redirect};

use super::certificates::Certificates;

/// How this program calls itself: `seaworthy/<version>`.
pub const USER_AGENT: &str = concat!("seaworthy/", env!("CARGO_PKG_VERSION"));

/// Time to reach a server (TCP and TLS).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time in which a server must send something; the whole time of a call is limited by whoever makes it.
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);

const REDIRECTS: usize = 5;

/// Makes ring the provider of all TLS in this process. Any number of calls; the first thing in `main` and in a test
/// that builds a client.
pub fn install_crypto_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Lost to another thread that installs ring too: the same outcome.
            _ = rustls::crypto::ring::default_provider().install_default();
        }
    });
}

/// A builder with all of the above set, for a client that must set something more.
///
/// # Errors
/// If a certificate cannot be used.
pub fn builder(certificates: &Certificates) -> Result<ClientBuilder, reqwest::Error> {
    install_crypto_provider();
    let trusted = certificates
        .iter()
        .map(|certificate| reqwest::Certificate::from_der(certificate))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(ClientBuilder::new()
        .tls_certs_only(trusted)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(inside_the_same_server())
        .referer(false))
}

/// The client; cheap to clone, one for the whole process is right.
///
/// # Errors
/// If TLS cannot be set up.
pub fn client(certificates: &Certificates) -> Result<reqwest::Client, reqwest::Error> {
    builder(certificates)?.build()
}

fn inside_the_same_server() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let same = attempt
            .previous()
            .last()
            .is_some_and(|from| from.origin() == attempt.url().origin());
        if !same {
            attempt.stop()
        } else if attempt.previous().len() > REDIRECTS {
            attempt.error("redirected in a circle")
        } else {
            attempt.follow()
        }
    })
}

/// What went wrong, down to the last cause, without the address (which may hold a query) and with advice where the
/// cause is a common one.
pub fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    explain_chain(&error)
}

/// [`explain`] for errors of other libraries.
pub fn explain_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Many libraries print their cause and name it as source too.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    if text.contains("UnknownIssuer") {
        text.push_str(
            " (its certificate comes from an authority that is not trusted here: add the authority to tls.ca_file)",
        );
    }
    text
}
