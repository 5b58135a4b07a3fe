//! What goes wrong at the engine, sorted by what to do about it: start it, wait and try again, or change something.

use std::time::Duration;

use bollard::errors::Error as Bollard;

/// Why the engine did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The configured address cannot be one.
    Address,
    /// Nobody answers at the address, or the connection broke.
    Unreachable,
    /// It answered once and then not for longer than allowed.
    Silent,
    /// The thing asked for is not there.
    Missing,
    /// The engine understood and said no (4xx).
    Refused,
    /// The engine's own fault (5xx), or an answer that makes no sense.
    Internal,
    /// The engine's disk is full.
    NoSpace,
    /// All address ranges for networks are in use.
    NoNetwork,
    /// A registry behind the engine is down, overloaded or cut off.
    RegistryDown,
    /// A registry behind the engine does not know the image, or refuses us.
    RegistryRefused,
}

/// A failure of the outside world at the engine: where, doing what, and the cause in the engine's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineError {
    url: String,
    kind: ErrorKind,
    doing: String,
    cause: String,
}

impl std::error::Error for EngineError {}

impl std::fmt::Display for EngineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            url,
            kind,
            doing,
            cause,
        } = self;
        match kind {
            ErrorKind::Address => write!(f, "engine.url = {url:?} is no address of an engine: {cause}"),
            ErrorKind::Unreachable => write!(
                f,
                "no engine answers at {url}: {cause} (while {doing}); start it or set engine.url"
            ),
            ErrorKind::Silent => write!(
                f,
                "the engine at {url} fell silent while {doing}: {cause}; see its own log"
            ),
            ErrorKind::Missing | ErrorKind::Refused => write!(f, "the engine at {url} refused {doing}: {cause}"),
            ErrorKind::Internal => write!(f, "the engine at {url} failed while {doing}: {cause}"),
            ErrorKind::NoSpace => write!(
                f,
                "the disk of the engine at {url} is full (while {doing}): {cause}; free some, for example with `docker system prune`"
            ),
            ErrorKind::NoNetwork => write!(
                f,
                "the engine at {url} has no address range left for a network (while {doing}): {cause}; \
                 run fewer builds at once or add `default-address-pools` to the engine's daemon.json"
            ),
            ErrorKind::RegistryDown => write!(
                f,
                "the engine at {url} does not reach the registry while {doing}: {cause}"
            ),
            ErrorKind::RegistryRefused => write!(f, "the registry refused the engine at {url} while {doing}: {cause}"),
        }
    }
}

impl EngineError {
    pub(super) fn new(url: &str, kind: ErrorKind, doing: &str, cause: impl Into<String>) -> Self {
        Self {
            url: url.to_owned(),
            kind,
            doing: doing.to_owned(),
            cause: cause.into(),
        }
    }

    /// From the client library's error, which does not know the address.
    pub(super) fn from_bollard(url: &str, doing: &str, error: Bollard) -> Self {
        let (kind, cause) = match error {
            Bollard::SocketNotFoundError(_) => (ErrorKind::Unreachable, "there is no such socket".to_owned()),
            Bollard::RequestTimeoutError => (ErrorKind::Silent, "no answer in the time allowed".to_owned()),
            Bollard::DockerResponseServerError { status_code, message } => {
                let kind = match (status_code, kind_of(&message)) {
                    (_, Some(kind)) => kind,
                    (404, None) => ErrorKind::Missing,
                    (400..=499, None) => ErrorKind::Refused,
                    _ => ErrorKind::Internal,
                };
                (kind, format!("{} (HTTP {status_code})", message.trim()))
            }
            Bollard::DockerStreamError { error } => {
                (kind_of(&error).unwrap_or(ErrorKind::Internal), error.trim().to_owned())
            }
            // These are made by the connection: it could not be opened, or it ended in the middle of an answer.
            error @ (Bollard::HyperLegacyError { .. }
            | Bollard::HyperResponseError { .. }
            | Bollard::IOError { .. }) => (ErrorKind::Unreachable, chain(&error)),
            error @ (Bollard::CertPathError { .. }
            | Bollard::CertMultipleKeys { .. }
            | Bollard::CertParseError { .. }
            | Bollard::URLParseError { .. }
            | Bollard::InvalidURIError { .. }
            | Bollard::InvalidURIPartsError { .. }
            | Bollard::UnsupportedURISchemeError { .. }) => (ErrorKind::Address, chain(&error)),
            error => (ErrorKind::Internal, chain(&error)),
        };
        Self::new(url, kind, doing, cause)
    }

    pub(super) fn silent(url: &str, doing: &str, after: Duration) -> Self {
        Self::new(
            url,
            ErrorKind::Silent,
            doing,
            format!("nothing for {} s", after.as_secs()),
        )
    }

    /// In a pull or push, "not there" is the registry's answer.
    pub(super) fn of_registry(mut self) -> Self {
        if self.kind == ErrorKind::Missing {
            self.kind = ErrorKind::RegistryRefused;
        }
        self
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Can it go away by itself, so that trying again later makes sense?
    pub fn is_transient(&self) -> bool {
        match self.kind {
            ErrorKind::Address | ErrorKind::Missing | ErrorKind::Refused | ErrorKind::RegistryRefused => false,
            ErrorKind::Unreachable
            | ErrorKind::Silent
            | ErrorKind::Internal
            | ErrorKind::NoSpace
            | ErrorKind::NoNetwork
            | ErrorKind::RegistryDown => true,
        }
    }

    /// The engine's or the system's own words.
    pub fn cause(&self) -> &str {
        &self.cause
    }
}

/// What the engine's text tells about a cause that its status does not: it answers 500 or a line in a stream for all of these.
pub(super) fn kind_of(message: &str) -> Option<ErrorKind> {
    let text = message.to_ascii_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| text.contains(needle));
    if has(&["no space left on device", "disk quota exceeded"]) {
        Some(ErrorKind::NoSpace)
    } else if has(&["non-overlapping ipv4 address pool", "all predefined address pools"]) {
        Some(ErrorKind::NoNetwork)
    } else if has(&[
        "dial tcp",
        "connection refused",
        "connection reset",
        "i/o timeout",
        "tls handshake timeout",
        "no such host",
        "server misbehaving",
        "context deadline exceeded",
        "client.timeout exceeded",
        "toomanyrequests",
        "unexpected eof",
        "unexpected status code 5",
        "unexpected status: 5",
        "received unexpected http status: 5",
        "502 bad gateway",
        "503 service unavailable",
    ]) {
        Some(ErrorKind::RegistryDown)
    } else if has(&[
        "unauthorized",
        "no basic auth credentials",
        "authorization failed",
        "failed to authorize",
        "access denied",
        "requested access to the resource is denied",
        "manifest unknown",
        "name unknown",
        "manifest for ",
        "repository does not exist",
        "x509:",
        "server gave http response to https client",
        "unexpected status code 4",
        "unexpected status code [",
    ]) || (has(&["failed to create llb definition: ", "failed to resolve source metadata"])
        && text.trim_end().ends_with(": not found"))
    {
        Some(ErrorKind::RegistryRefused)
    } else {
        None
    }
}

/// An error with all its sources, each said once: hyper's own text ("client error (Connect)") tells nothing.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_texts_are_sorted_by_what_to_do() {
        for (text, kind) in [
            (
                "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
                ErrorKind::RegistryDown,
            ),
            (
                "Get \"https://r.example/v2/\": no basic auth credentials",
                ErrorKind::RegistryRefused,
            ),
            (
                "manifest for r.example/a:1 not found: manifest unknown: manifest unknown",
                ErrorKind::RegistryRefused,
            ),
            (
                "write /var/lib/docker/tmp/x: no space left on device",
                ErrorKind::NoSpace,
            ),
            (
                "could not find an available, non-overlapping IPv4 address pool among the defaults",
                ErrorKind::NoNetwork,
            ),
        ] {
            assert_eq!(kind_of(text), Some(kind), "{text}");
        }
        assert_eq!(
            kind_of("executor failed running [/bin/sh -c false]: exit code: 1"),
            None
        );
    }

    #[test]
    fn the_text_says_where_what_and_what_next() {
        let error = EngineError::new("unix:///x", ErrorKind::Unreachable, "connecting", "connection refused");
        assert_eq!(
            error.to_string(),
            "no engine answers at unix:///x: connection refused (while connecting); start it or set engine.url"
        );
    }
}
