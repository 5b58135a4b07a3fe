//! A proxy before a real registry, which counts what passes and does wrong where a test wants it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// What is done to one request.
pub enum Fault {
    /// Nothing.
    Pass,
    /// It is answered here; its body is read and dropped.
    Answer(Response<Body>),
    /// It goes on under another path.
    Path(String),
    /// The connection breaks after so many bytes of its body; what came before goes on to the registry if that is wanted.
    CutRequest { after: u64, forward: bool },
    /// The registry does it, and the answer is lost with the connection.
    LoseAnswer,
    /// The connection breaks after so many bytes of the answer's body.
    CutAnswer(u64),
    /// Each piece of its body waits so long before it goes on.
    Slow(Duration),
    /// Each piece of the answer's body waits so long before it goes on.
    SlowAnswer(Duration),
    /// The registry believes that it was asked under this name, which stands in its Location then.
    Host(String),
    /// The registry does not see this header.
    Strip(&'static str),
    /// A header of the answer is another one.
    Header(&'static str, String),
    /// Another body comes back.
    Body(Vec<u8>),
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Passed {
    pub method: String,
    pub path: String,
    pub authorization: Option<String>,
    /// Bytes of its body that came.
    pub up: u64,
    /// What the registry answered.
    pub status: Option<u16>,
}

/// It ends with the test's runtime.
pub struct Proxy {
    pub address: String,
    passed: Arc<Mutex<Vec<Passed>>>,
}

struct Inner {
    upstream: String,
    client: reqwest::Client,
    passed: Arc<Mutex<Vec<Passed>>>,
    rule: Box<dyn Fn(&Parts) -> Fault + Send + Sync>,
    /// What the registry gets to see of who asks, if that is another one.
    authorization: Option<String>,
}

impl Proxy {
    /// `rule` sees every request before it goes on.
    pub async fn start(upstream: &str, rule: impl Fn(&Parts) -> Fault + Send + Sync + 'static) -> Self {
        Self::start_as(upstream, None, rule).await
    }

    /// The same, and the registry is asked in the name of somebody else.
    pub async fn start_as(
        upstream: &str,
        authorization: Option<&str>,
        rule: impl Fn(&Parts) -> Fault + Send + Sync + 'static,
    ) -> Self {
        seaworthy::clients::http::install_crypto_provider();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its number").to_string();
        let passed = Arc::new(Mutex::new(Vec::new()));
        let inner = Arc::new(Inner {
            upstream: upstream.to_owned(),
            client: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .expect("a client"),
            passed: Arc::clone(&passed),
            rule: Box::new(rule),
            authorization: authorization.map(str::to_owned),
        });
        let router = Router::new().fallback(move |request: Request| {
            let inner = Arc::clone(&inner);
            async move { inner.pass(request).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, passed }
    }

    /// All that came.
    pub fn passed(&self) -> Vec<Passed> {
        self.passed.lock().expect("no panic").clone()
    }

    /// How many requests of this method have this in their path.
    pub fn count(&self, method: &str, part: &str) -> usize {
        let wanted = |one: &&Passed| one.method == method && one.path.contains(part);
        self.passed().iter().filter(wanted).count()
    }

    /// Bytes of all bodies that came.
    pub fn up(&self) -> u64 {
        self.passed().iter().map(|one| one.up).sum()
    }
}

impl Inner {
    async fn pass(self: Arc<Self>, request: Request) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let fault = (self.rule)(&parts);
        let number = {
            let mut passed = self.passed.lock().expect("no panic");
            passed.push(Passed {
                method: parts.method.to_string(),
                path: parts.uri.to_string(),
                authorization: parts
                    .headers
                    .get("authorization")
                    .map(|value| value.to_str().expect("a text").to_owned()),
                up: 0,
                status: None,
            });
            passed.len() - 1
        };
        let path = match &fault {
            Fault::Path(path) => path.clone(),
            _ => parts.uri.to_string(),
        };
        let (pieces, forwarded) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
        let forwards = !matches!(fault, Fault::Answer(_) | Fault::CutRequest { forward: false, .. });
        // The request's body, piece by piece.
        let passed = Arc::clone(&self.passed);
        let (slow, cut) = match &fault {
            Fault::Slow(pause) => (Some(*pause), None),
            Fault::CutRequest { after, .. } => (None, Some(*after)),
            _ => (None, None),
        };
        let pump = async move {
            let mut stream = body.into_data_stream();
            let mut seen = 0;
            while let Some(Ok(mut piece)) = stream.next().await {
                if let Some(pause) = slow {
                    tokio::time::sleep(pause).await;
                }
                let breaks = cut.is_some_and(|cut| seen + piece.len() as u64 >= cut);
                if let (true, Some(cut)) = (breaks, cut) {
                    piece.truncate((cut - seen) as usize);
                }
                seen += piece.len() as u64;
                passed.lock().expect("no panic")[number].up = seen;
                // Whoever does not take it has answered.
                if forwards && pieces.send(Ok(piece)).await.is_err() {
                    while stream.next().await.is_some() {}
                    return false;
                }
                if breaks {
                    if forwards {
                        _ = pieces.send(Err(std::io::Error::other("cut"))).await;
                    }
                    return true;
                }
            }
            false
        };
        if !forwards {
            let broken = pump.await;
            match fault {
                Fault::Answer(answer) => return answer,
                _ if broken => break_off(),
                _ => panic!("the body was too short to be cut"),
            }
        }
        let mut headers = parts.headers.clone();
        if let Some(authorization) = &self.authorization {
            headers.insert("authorization", HeaderValue::from_str(authorization).expect("a header"));
        }
        match &fault {
            Fault::Strip(name) => _ = headers.remove(*name),
            Fault::Host(host) => _ = headers.insert("host", HeaderValue::from_str(host).expect("a header")),
            _ => {}
        }
        let mut onward = self
            .client
            .request(parts.method.clone(), format!("http://{}{path}", self.upstream))
            .headers(headers);
        if parts.headers.contains_key("content-length") && parts.headers["content-length"] != "0" {
            onward = onward.body(reqwest::Body::wrap_stream(ReceiverStream::new(forwarded)));
        }
        let (answer, broken) = tokio::join!(onward.send(), pump);
        if let Ok(answer) = &answer {
            self.passed.lock().expect("no panic")[number].status = Some(answer.status().as_u16());
        }
        let answer = match answer {
            _ if broken || matches!(fault, Fault::LoseAnswer) => break_off(),
            Ok(answer) => answer,
            Err(_) => break_off(),
        };
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            let changed = match &fault {
                Fault::Header(name, _) => Some(*name),
                Fault::Body(_) => Some("content-length"),
                _ => None,
            };
            if changed != Some(name.as_str()) && name != "transfer-encoding" {
                response = response.header(name, value);
            }
        }
        if let Fault::Header(name, value) = &fault {
            let value = HeaderValue::from_str(value).expect("a header");
            response = response.header(HeaderName::from_static(name), value);
        }
        let body = match fault {
            Fault::Body(bytes) => Body::from(bytes),
            Fault::SlowAnswer(pause) => Body::from_stream(answer.bytes_stream().then(move |piece| async move {
                tokio::time::sleep(pause).await;
                piece
            })),
            Fault::CutAnswer(mut left) => Body::from_stream(answer.bytes_stream().map(move |piece| {
                let piece = piece.map_err(std::io::Error::other)?;
                if left < piece.len() as u64 {
                    return Err(std::io::Error::other("cut"));
                }
                left -= piece.len() as u64;
                Ok::<_, std::io::Error>(piece)
            })),
            _ => Body::from_stream(answer.bytes_stream()),
        };
        response.body(body).expect("an answer")
    }
}

/// Ends the connection without an answer. A panic that says nothing: the server gives no other way.
fn break_off() -> ! {
    std::panic::resume_unwind(Box::new("the connection is cut"))
}

/// An answer that the registry never gave.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Fault {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Fault::Answer(response.body(Body::from(body.to_owned())).expect("an answer"))
}

/// True for the first so many calls.
pub struct Times(AtomicUsize);

impl Times {
    pub fn new(times: usize) -> Self {
        Self(AtomicUsize::new(times))
    }

    pub fn take(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
    }
}
