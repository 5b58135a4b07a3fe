//! A blob out of the source into a feed: hashed on its way, taken up again where a connection broke.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::content::Blob;
use super::feed::{Feed, Next};
use super::source::Source;
use crate::clients::registry::session::Attempts;
use crate::clients::registry::{RegistryError, RegistryErrorKind};
use crate::model::Digest;

/// How long a stream may go without a byte.
const SILENCE: Duration = Duration::from_secs(30);

/// Reads a blob from this byte on into the feed, and ends the feed.
///
/// The last piece is given out when the digest of the whole is right, so nobody can finish an upload of wrong bytes. Who
/// begins in the middle cannot hash: there it is the destination that compares, as it always does.
pub(super) async fn pump(source: &Source, blob: &Blob, from: u64, feed: &Feed) {
    let result = read(source, blob, from, feed).await;
    feed.end(result);
}

async fn read(source: &Source, blob: &Blob, from: u64, feed: &Feed) -> Result<(), RegistryError> {
    let mut hash = (from == 0).then(Sha256::new);
    let mut at = from;
    let mut attempts = Attempts::new();
    let wrong = |kind, cause: String| source.session.wrong(kind, &source.doing, cause);
    if blob.size == 0 {
        return compare(hash, blob).map_err(|cause| wrong(RegistryErrorKind::Mismatch, cause));
    }
    while at < blob.size {
        let (mut stream, begins) = source.stream(blob, at).await?;
        if begins > at {
            let cause = format!(
                "asked for blob {} from byte {at} it gives it from byte {begins}",
                blob.digest
            );
            return Err(wrong(RegistryErrorKind::Strange, cause));
        }
        // It does not do ranges: what we have is read past.
        let mut skip = at - begins;
        let broken = loop {
            let mut piece = match tokio::time::timeout(SILENCE, stream.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) if at == blob.size => break None,
                Ok(Ok(None)) => {
                    let cause = format!("blob {} ends after {at} of {} bytes", blob.digest, blob.size);
                    break Some(wrong(RegistryErrorKind::Unreachable, cause));
                }
                Ok(Err(error)) => break Some(source.session.broken(&source.doing, error)),
                Err(_) => {
                    break Some(
                        source
                            .session
                            .away(&source.doing, format!("no byte within {SILENCE:?}")),
                    );
                }
            };
            if skip > 0 {
                let past = skip.min(piece.len() as u64);
                skip -= past;
                piece = piece.split_off(past as usize);
            }
            if piece.is_empty() {
                continue;
            }
            if at + piece.len() as u64 > blob.size {
                let cause = format!(
                    "blob {} is longer than the {} bytes that the manifest says",
                    blob.digest, blob.size
                );
                return Err(wrong(RegistryErrorKind::Mismatch, cause));
            }
            at += piece.len() as u64;
            if let Some(hash) = &mut hash {
                hash.update(&piece);
            }
            if at == blob.size {
                compare(hash.take(), blob).map_err(|cause| wrong(RegistryErrorKind::Mismatch, cause))?;
            }
            attempts.progress();
            if !feed.push(piece).await || at == blob.size {
                return Ok(());
            }
        };
        if let Some(error) = broken {
            attempts.pause(error, None).await?;
        }
    }
    Ok(())
}

fn compare(hash: Option<Sha256>, blob: &Blob) -> Result<(), String> {
    let Some(hash) = hash else {
        return Ok(());
    };
    let found = Digest::from_sha256(hash.finalize().into());
    if found == blob.digest {
        return Ok(());
    }
    Err(format!(
        "the bytes of its blob {} have the digest {found}: its storage or something on the way is broken. Nothing of it \
         was kept; build the image again or restore the blob there",
        blob.digest
    ))
}

/// One who takes a blob: from a shared feed, or alone, whichever it comes to.
pub(super) struct Intake {
    source: Arc<Source>,
    blob: Arc<Blob>,
    feed: Arc<Feed>,
    number: usize,
    /// What was cut off a piece at the end of a chunk, or came before it was asked for.
    rest: Option<bytes::Bytes>,
    at: u64,
    /// Reads for us alone; ends with us.
    _reader: Option<tokio_util::task::AbortOnDropHandle<()>>,
}

impl Intake {
    /// A place in a shared feed.
    pub(super) fn shared(source: Arc<Source>, blob: Arc<Blob>, feed: Arc<Feed>, number: usize) -> Self {
        Self {
            source,
            blob,
            feed,
            number,
            rest: None,
            at: 0,
            _reader: None,
        }
    }

    /// From this byte on, for nobody else.
    pub(super) fn alone(source: Arc<Source>, blob: Arc<Blob>, from: u64) -> Self {
        let feed = Arc::new(Feed::new(from, &[Arc::default()]));
        let reader = {
            let (source, blob, feed) = (source.clone(), blob.clone(), feed.clone());
            tokio::spawn(async move { pump(&source, &blob, from, &feed).await })
        };
        Self {
            source,
            blob,
            feed,
            number: 0,
            rest: None,
            at: from,
            _reader: Some(tokio_util::task::AbortOnDropHandle::new(reader)),
        }
    }

    /// Goes on from this byte, which the destination says it wants.
    pub(super) fn go_to(&mut self, at: u64) {
        if at != self.at {
            *self = Self::alone(self.source.clone(), self.blob.clone(), at);
        }
    }

    /// Waits for the next bytes, and keeps them for [`Self::next`].
    pub(super) async fn wait(&mut self) -> Result<(), RegistryError> {
        if self.rest.is_none() {
            self.rest = self.take().await?;
        }
        Ok(())
    }

    /// The next bytes, so many at most; `None` at the end.
    pub(super) async fn next(&mut self, most: u64) -> Result<Option<bytes::Bytes>, RegistryError> {
        self.wait().await?;
        let Some(mut piece) = self.rest.take() else {
            return Ok(None);
        };
        if piece.len() as u64 > most {
            self.rest = Some(piece.split_off(most as usize));
        }
        self.at += piece.len() as u64;
        Ok(Some(piece))
    }

    async fn take(&mut self) -> Result<Option<bytes::Bytes>, RegistryError> {
        loop {
            match self.feed.next(self.number).await {
                Next::Piece(piece) => return Ok(Some(piece)),
                Next::End => return Ok(None),
                Next::Failed(error) => return Err(error),
                Next::LetGo(at) => *self = Self::alone(self.source.clone(), self.blob.clone(), at),
            }
        }
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.feed.leave(self.number);
    }
}
