//! One HTTP client for the world's own calls.

use std::sync::OnceLock;

/// The shared client; it never follows a proxy from the environment, since every part is on the loopback.
///
/// # Panics
/// If TLS cannot be set up at all.
#[must_use]
pub fn client() -> reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    // A pooled connection belongs to the runtime that opened it, and each test has its own: no idle ones are kept.
    CLIENT
        .get_or_init(|| {
            // The program around us may have installed the same provider already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            reqwest::Client::builder()
                .no_proxy()
                .pool_max_idle_per_host(0)
                .build()
                .expect("a client without special settings can be built")
        })
        .clone()
}
