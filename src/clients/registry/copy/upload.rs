//! One blob into a destination (distribution specification, "Pushing Blobs").
//!
//! A small one goes in one piece (POST, PUT), a large one in chunks (POST, PATCH …, PUT), each answered by the registry with
//! how far it is. When one fails, the registry is asked what it has, and it goes on from there; if it does not know any
//! more, from the beginning. Debian's and Docker's registry give an upload up whose chunk broke off in its middle, others
//! keep every byte.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use reqwest::{Body, Method, Response, Url};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::content::Blob;
use super::lane::Lane;
use super::progress::add;
use super::pump::Intake;
use crate::clients::registry::session::{Ask, Attempts, header, passes, wanted_pause};
use crate::clients::registry::{RegistryError, RegistryErrorKind};
use crate::model::Digest;

/// A chunk, and the largest blob that goes in one piece. A proxy may let no more than 100 MB through at once; smaller ones
/// would cost a far-away registry more round trips than a broken line costs bytes, and each is work for the registry, which
/// has to write down how far its hash has come.
const CHUNK: u64 = 64 << 20;

/// A registry may ask for larger ones, up to here.
const LARGEST_CHUNK: u64 = 1 << 30;

/// How long a registry may take no byte.
const SILENCE: Duration = Duration::from_secs(30);

/// How long it may think when it has all: some put the whole blob into another storage first.
const FINISH: Duration = Duration::from_secs(300);

/// An open upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    url: Url,
    /// `OCI-Chunk-Min-Length`.
    least: u64,
}

impl Place {
    /// From the `Location` of an answer.
    pub(super) fn of(answer: &Response, here: &Url) -> Option<Self> {
        let url = header(answer.headers(), LOCATION.as_str()).and_then(|to| here.join(to).ok())?;
        let least = header(answer.headers(), "oci-chunk-min-length")
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0);
        Some(Self { url, least })
    }

    fn chunk(&self) -> u64 {
        CHUNK.max(self.least.min(LARGEST_CHUNK))
    }
}

/// How a request with a part of the blob ended.
enum Step {
    /// The blob is there.
    Done,
    /// The registry has this much.
    Has(Place, u64),
    /// Worth another try, after this pause if it says so.
    Broken(RegistryError, Option<Duration>),
}

impl Lane {
    /// Uploads a blob; `place` is an upload that is open already.
    pub(super) async fn upload(
        &self,
        blob: &Blob,
        mut place: Option<Place>,
        mut intake: Intake,
    ) -> Result<Digest, RegistryError> {
        let mut attempts = Attempts::new();
        let mut offset = 0_u64;
        // What of the bytes that were sent counts as being there.
        let mut counted = 0_u64;
        loop {
            let open = match place.take() {
                Some(open) => open,
                None => {
                    offset = 0;
                    self.begin().await?
                }
            };
            add(&self.progress.lost, counted.saturating_sub(offset));
            counted = offset;
            intake.go_to(offset);
            match self.step(blob, &open, offset, &mut intake, &mut counted).await? {
                Step::Done => return Ok(blob.digest.clone()),
                Step::Has(next, there) if there > offset => {
                    attempts.progress();
                    offset = there;
                    place = Some(next);
                }
                Step::Has(next, there) => {
                    let cause = format!("it took a chunk of blob {} and has no more than before", blob.digest);
                    attempts.pause(self.session.away(&self.doing, cause), None).await?;
                    offset = there;
                    place = Some(next);
                }
                Step::Broken(error, pause) => {
                    attempts.pause(error, pause).await?;
                    // The answer to a PUT may have been lost after the blob was there.
                    if self.has(blob).await? {
                        return Ok(blob.digest.clone());
                    }
                    if let Some((next, there)) = self.ask_offset(&open).await
                        && there <= blob.size
                    {
                        offset = there;
                        place = Some(next);
                    }
                }
            }
        }
    }

    /// Opens an upload.
    async fn begin(&self) -> Result<Place, RegistryError> {
        let url = self.session.url(&format!("{}/blobs/uploads/", self.repository));
        let answer = self
            .session
            .ask(Ask::new(Method::POST, url, &self.scopes, &self.doing))
            .await?;
        if !matches!(answer.status().as_u16(), 200..=202) {
            return Err(answer.refused(&self.doing).await);
        }
        Place::of(&answer, answer.url()).ok_or_else(|| {
            self.session
                .strange(&self.doing, "it opens an upload without a Location".to_owned())
        })
    }

    /// The next request of an upload.
    async fn step(
        &self,
        blob: &Blob,
        place: &Place,
        offset: u64,
        intake: &mut Intake,
        counted: &mut u64,
    ) -> Result<Step, RegistryError> {
        let length = (blob.size - offset).min(place.chunk());
        if length > 0 {
            // An upload may be opened long before it is its turn; a body that stands still is broken off by many proxies.
            intake.wait().await?;
        }
        // Whole, or its end when all chunks are there.
        let last = length == 0 || length == blob.size;
        let mut url = place.url.clone();
        if last {
            url.query_pairs_mut().append_pair("digest", blob.digest.as_str());
        }
        let method = if last { Method::PUT } else { Method::PATCH };
        let mut request = self
            .session
            .request(method, &url, &self.scopes, &self.doing)
            .await?
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, length);
        if !last {
            request = request.header(CONTENT_RANGE, format!("{offset}-{}", offset + length - 1));
        }
        let answer = match self.send(request, length, intake, counted).await? {
            Ok(answer) => answer,
            Err(error) => return Ok(Step::Broken(error, None)),
        };
        let status = answer.status();
        match status.as_u16() {
            200..=204 if last => self.finished(blob, &answer),
            200..=204 => {
                let next = Place::of(&answer, answer.url()).map_or_else(
                    || place.clone(),
                    |next| Place {
                        least: next.least.max(place.least),
                        ..next
                    },
                );
                let there = range_end(&answer).unwrap_or(offset + length);
                Ok(Step::Has(next, there))
            }
            401 => {
                let another_way = self.session.challenged(answer.headers()).await;
                let error = self.session.answer(answer).refused(&self.doing).await;
                match another_way {
                    true => Ok(Step::Broken(error, Some(Duration::ZERO))),
                    false => Err(error),
                }
            }
            // It is at another place than we think, or has forgotten the upload.
            404 | 416 => {
                let error = self.session.answer(answer).refused(&self.doing).await;
                Ok(Step::Broken(error, Some(Duration::from_millis(100))))
            }
            _ => {
                let pause = wanted_pause(answer.headers());
                let error = self.session.answer(answer).refused(&self.doing).await;
                match passes(status) && error.kind() != RegistryErrorKind::Full {
                    true => Ok(Step::Broken(error, pause)),
                    false => Err(error),
                }
            }
        }
    }

    /// The blob is there, if it is the right one.
    fn finished(&self, blob: &Blob, answer: &Response) -> Result<Step, RegistryError> {
        match header(answer.headers(), "docker-content-digest") {
            Some(said) if said != blob.digest.as_str() => {
                let cause = format!(
                    "it took blob {} and says that its digest is {said}: it is not to be trusted",
                    blob.digest
                );
                Err(self.wrong(RegistryErrorKind::Mismatch, cause))
            }
            _ => Ok(Step::Done),
        }
    }

    /// Sends a request whose body are the next bytes of the intake. The outer error is the source's, the inner one passes.
    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        length: u64,
        intake: &mut Intake,
        counted: &mut u64,
    ) -> Result<Result<Response, RegistryError>, RegistryError> {
        let session = &self.session;
        let (pieces, body) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
        let request = match length {
            0 => request,
            _ => request.body(Body::wrap_stream(ReceiverStream::new(body))),
        };
        let answer = request.send();
        tokio::pin!(answer);
        let mut left = length;
        let mut pieces = Some(pieces);
        while left > 0
            && let Some(open) = &pieces
        {
            let give = async {
                let Some(piece) = intake.next(left).await? else {
                    let cause = "the source gave fewer bytes than it should".to_owned();
                    return Err(session.strange(&self.doing, cause));
                };
                let size = piece.len() as u64;
                let sent = tokio::time::timeout(SILENCE, open.send(Ok(piece))).await;
                Ok((size, sent))
            };
            tokio::select! {
                biased;
                // Before the end of the body: a refusal, or the connection is gone.
                early = &mut answer => return Ok(early.map_err(|error| session.broken(&self.doing, error))),
                given = give => match given {
                    Ok((size, Ok(Ok(())))) => {
                        left -= size;
                        *counted += size;
                        add(&self.progress.sent, size);
                    }
                    // Nobody takes the body any more: the answer says why.
                    Ok((_, Ok(Err(_)))) => pieces = None,
                    Ok((_, Err(_))) => {
                        return Ok(Err(session.away(&self.doing, format!("it took no byte within {SILENCE:?}"))));
                    }
                    Err(error) => return Err(error),
                },
            }
        }
        drop(pieces);
        match tokio::time::timeout(FINISH, answer).await {
            Ok(answer) => Ok(answer.map_err(|error| session.broken(&self.doing, error))),
            Err(_) => Ok(Err(session.away(&self.doing, format!("no answer within {FINISH:?}")))),
        }
    }

    /// How far an upload is; `None` if the registry has given it up.
    async fn ask_offset(&self, place: &Place) -> Option<(Place, u64)> {
        let ask = Ask::new(Method::GET, place.url.clone(), &self.scopes, &self.doing);
        let answer = self.session.ask(ask).await.ok()?;
        if !matches!(answer.status().as_u16(), 200..=204) {
            return None;
        }
        let next = Place::of(&answer, answer.url()).map_or_else(
            || place.clone(),
            |next| Place {
                least: place.least,
                ..next
            },
        );
        Some((next, range_end(&answer).unwrap_or(0)))
    }
}

/// The bytes that an upload has: `Range: 0-<last>`, both ends included.
///
/// Distribution says `0-0` for an upload without bytes and for one with a single byte; taken for none, the byte is sent
/// again at its place.
fn range_end(answer: &Response) -> Option<u64> {
    let range = header(answer.headers(), RANGE.as_str())?;
    let last: u64 = range
        .trim_start_matches("bytes=")
        .split_once('-')?
        .1
        .trim()
        .parse()
        .ok()?;
    Some(if last == 0 { 0 } else { last + 1 })
}
