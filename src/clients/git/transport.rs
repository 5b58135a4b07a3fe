//! Git's smart HTTP over the application's own HTTP client, so that company CA, proxy and time limits are set in one place and no
//! OpenSSL is needed.
//!
//! libgit2 knows transports by the scheme of the URL only, and for the whole process. So each operation gets an address of a
//! scheme of ours, `seaworthy-git://<number>`, and the number leads to its [`Exchange`]: the real address, the credentials and
//! the cancellation token. Thus the real `http` and `https` stay untouched, no setting in somebody's `.gitconfig` (`insteadOf`,
//! `extraHeader`) can bend the way, and several clients live in one process.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::{Buf, Bytes};
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};

use super::GitError;
use super::exchange::Exchange;

/// Scheme of the addresses that libgit2 sees.
const SCHEME: &str = "seaworthy-git";

static EXCHANGES: LazyLock<Mutex<HashMap<u64, Arc<Exchange>>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Makes the scheme known to libgit2, once per process; must come before the first [`Route`].
#[expect(
    unsafe_code,
    reason = "git2 marks `register` unsafe because it must not run beside the creation of another transport of libgit2: \
              a OnceLock lets it run once, before any Route exists, and nothing else here makes transports"
)]
pub(super) fn register() -> Result<(), GitError> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    DONE.get_or_init(|| {
        // SAFETY: see the reason above.
        unsafe {
            git2::transport::register(SCHEME, |remote| {
                let exchange = find(remote.url()?).ok_or_else(|| git2::Error::from_str("this exchange is over"))?;
                Transport::smart(remote, true, Subtransport { exchange })
            })
        }
        .map_err(|e| e.message().to_owned())
    })
    .clone()
    .map_err(|cause| GitError::new(super::GitErrorKind::Local, "libgit2", cause))
}

/// An [`Exchange`] under the address that libgit2 reaches it by, until dropped.
#[derive(Debug)]
pub(super) struct Route {
    number: u64,
}

impl Route {
    /// Publishes `exchange`.
    pub(super) fn open(exchange: Arc<Exchange>) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        exchanges().insert(number, exchange);
        Self { number }
    }

    /// The address for libgit2.
    pub(super) fn url(&self) -> String {
        format!("{SCHEME}://{}", self.number)
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        exchanges().remove(&self.number);
    }
}

fn exchanges() -> MutexGuard<'static, HashMap<u64, Arc<Exchange>>> {
    EXCHANGES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(url: &str) -> Option<Arc<Exchange>> {
    let number = url.strip_prefix(SCHEME)?.strip_prefix("://")?;
    exchanges().get(&number.parse().ok()?).cloned()
}

struct Subtransport {
    exchange: Arc<Exchange>,
}

impl SmartSubtransport for Subtransport {
    fn action(&self, _url: &str, action: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let request = match action {
            Service::UploadPackLs => Request::Refs,
            Service::UploadPack => Request::Pack(Vec::new()),
            Service::ReceivePackLs | Service::ReceivePack => {
                return Err(git2::Error::from_str("nothing is ever pushed"));
            }
        };
        Ok(Box::new(Stream {
            exchange: Arc::clone(&self.exchange),
            request: Some(request),
            response: None,
            rest: Bytes::new(),
        }))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

enum Request {
    Refs,
    Pack(Vec<u8>),
}

/// One request with its answer: what is written goes out at the first read.
struct Stream {
    exchange: Arc<Exchange>,
    request: Option<Request>,
    response: Option<reqwest::Response>,
    rest: Bytes,
}

impl Stream {
    fn advance(&mut self) -> Result<(), GitError> {
        let exchange = &self.exchange;
        match self.request.take() {
            Some(Request::Refs) => self.response = Some(exchange.wait(exchange.refs())?),
            Some(Request::Pack(body)) => self.response = Some(exchange.wait(exchange.pack(body))?),
            None => {}
        }
        if let Some(response) = &mut self.response {
            match exchange.wait(exchange.chunk(response))? {
                Some(bytes) => self.rest = bytes,
                None => self.response = None,
            }
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && (self.request.is_some() || self.response.is_some()) {
            if let Err(error) = self.advance() {
                self.response = None;
                // libgit2 carries a text at most; the whole error waits in the exchange.
                self.exchange.fail(error);
                return Err(io::Error::other("the exchange with the Git server failed"));
            }
        }
        let n = self.rest.len().min(buf.len());
        self.rest.copy_to_slice(&mut buf[..n]);
        Ok(n)
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.request {
            Some(Request::Pack(body)) => {
                body.extend_from_slice(buf);
                Ok(buf.len())
            }
            _ => Err(io::Error::other("the request has already gone out")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
