//! An image from one registry to several others, byte for byte, with everything that belongs to it.
//!
//! No engine takes part: an engine unpacks and packs again, and the digest would be another one. What is copied is the
//! manifest as it is (`content`), the manifests of all platforms if it is an index, the documents that lie beside them
//! (`referrers`), and the blobs of all of these.
//!
//! Every destination has a lane of its own (`lane`), which asks what is there already, uploads the rest, puts the manifests,
//! reads them back, and sets the tag at the very end. Blobs are read once from the source and handed to all lanes at the
//! same time (`together`, `feed`); a lane that is too slow for the others is let go and reads for itself.
//!
//! Nothing is written down: a copy that was interrupted is begun again and finds what is there.

mod content;
mod feed;
mod lane;
mod plan;
mod progress;
mod pump;
mod put;
mod referrers;
mod source;
mod together;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::lane::Lane;
use self::progress::Progress;
use self::source::Source;
use super::{Registry, RegistryError, RegistryErrorKind};
use crate::model::{Digest, Reference};

/// How often the observer hears of progress.
const TICK: Duration = Duration::from_millis(200);

/// Where an image is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The data centre, for people.
    pub name: String,
    /// `host/path`.
    pub repository: String,
    /// The tag that is set when everything is there.
    pub tag: String,
}

/// What was done at one destination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Blobs of the image and of what lies beside it.
    pub blobs: u64,
    /// Manifests, those of platforms and documents too.
    pub manifests: u64,
    /// Bytes of blobs that were sent, those that had to be sent again too.
    pub bytes_sent: u64,
    /// Bytes of blobs that the registry took over from another of its repositories.
    pub bytes_mounted: u64,
    /// Bytes of blobs that were there already.
    pub bytes_present: u64,
    /// Was the tag there already, with this very image?
    pub tag_was_there: bool,
}

/// The outcome at one destination.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Where.
    pub destination: Destination,
    /// What was done, or what is wrong: then the tag is not set.
    pub result: Result<Copied, RegistryError>,
}

/// What happens while it is copied.
#[derive(Debug, Clone)]
pub enum CopyEvent {
    /// The source was read.
    Read {
        /// Manifests of the image and of what lies beside it.
        manifests: u64,
        /// Blobs, each counted once.
        blobs: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// How far a destination is.
    Progress {
        /// Place in the list of destinations.
        destination: usize,
        /// Bytes of blobs that are there: present, mounted or sent.
        done: u64,
        /// Bytes of all blobs.
        total: u64,
        /// Bytes that went over the wire to there.
        sent: u64,
    },
    /// A destination is through, well or not.
    Ended {
        /// Place in the list of destinations.
        destination: usize,
        /// What is wrong, if something is.
        error: Option<RegistryError>,
    },
}

impl Registry {
    /// Copies `source` (`host/path@sha256:…`) to all destinations at once and gives the outcome of each, in their order.
    ///
    /// A tag is set when everything else is there and was read back, and never over another image. When `stop` is
    /// cancelled, what is under way ends at once; only a tag that is just being set is seen to its end.
    pub async fn copy(
        &self,
        source: &str,
        destinations: &[Destination],
        observer: &(dyn Fn(CopyEvent) + Sync),
        stop: &CancellationToken,
    ) -> Vec<Arrival> {
        let read = async {
            let source = Source::open(self, source)?;
            let content = source.content().await?;
            Ok((Arc::new(source), Arc::new(content)))
        };
        let read = tokio::select! {
            biased;
            () = stop.cancelled() => Err(stopped(&format!("copying {source}"))),
            read = read => read,
        };
        let (source, content) = match read {
            Ok(read) => read,
            Err(error) => return everywhere(destinations, observer, &error),
        };
        let total = content.bytes();
        observer(CopyEvent::Read {
            manifests: content.manifests.len() as u64,
            blobs: content.blobs.len() as u64,
            bytes: total,
        });
        let mut progress = Vec::new();
        let mut lanes = JoinSet::new();
        let (together, register) = together::begin(source.clone(), content.clone(), destinations.len());
        for (at, destination) in destinations.iter().enumerate() {
            let counters = Arc::new(Progress::default());
            progress.push(counters.clone());
            let (registry, destination, stop) = (self.clone(), destination.clone(), stop.child_token());
            let (source, content, register) = (source.clone(), content.clone(), register.report());
            lanes.spawn(async move {
                let lane = match Lane::open(&registry, destination, source, content, counters) {
                    Ok(lane) => Arc::new(lane),
                    Err(error) => return (at, Err(error)),
                };
                (at, lane.run(register, &stop).await)
            });
        }
        drop(register);
        // Ends with the lanes; dropped with this call.
        let mut helpers = JoinSet::new();
        helpers.spawn(together);
        let mut arrivals: Vec<Option<Arrival>> = destinations.iter().map(|_| None).collect();
        let mut told = vec![None; destinations.len()];
        let mut tick = tokio::time::interval(TICK);
        let mut tell = |at: usize| {
            let (done, sent) = progress[at].read();
            if told[at] != Some((done, sent)) {
                told[at] = Some((done, sent));
                observer(CopyEvent::Progress {
                    destination: at,
                    done,
                    total,
                    sent,
                });
            }
        };
        loop {
            tokio::select! {
                ended = lanes.join_next() => {
                    let (at, result) = match ended {
                        None => break,
                        Some(Ok(ended)) => ended,
                        // A panic, which is a fault of ours: the others go on, and its place says so below.
                        Some(Err(error)) => {
                            tracing::error!(%error, "a copy broke off");
                            continue;
                        }
                    };
                    tell(at);
                    observer(CopyEvent::Ended { destination: at, error: result.as_ref().err().cloned() });
                    arrivals[at] = Some(Arrival { destination: destinations[at].clone(), result });
                }
                _ = tick.tick() => (0..destinations.len()).for_each(&mut tell),
            }
        }
        arrivals
            .into_iter()
            .zip(destinations)
            .map(|(arrival, destination)| {
                arrival.unwrap_or_else(|| Arrival {
                    destination: destination.clone(),
                    result: Err(RegistryError::new(
                        RegistryErrorKind::Strange,
                        format!("copying to {}", destination.name),
                        "the copy broke off by a fault in this program: its log says where".to_owned(),
                    )),
                })
            })
            .collect()
    }
}

/// The source cannot be read: the same for all.
fn everywhere(
    destinations: &[Destination],
    observer: &(dyn Fn(CopyEvent) + Sync),
    error: &RegistryError,
) -> Vec<Arrival> {
    destinations
        .iter()
        .enumerate()
        .map(|(at, destination)| {
            observer(CopyEvent::Ended {
                destination: at,
                error: Some(error.clone()),
            });
            Arrival {
                destination: destination.clone(),
                result: Err(error.clone()),
            }
        })
        .collect()
}

fn stopped(doing: &str) -> RegistryError {
    let cause = "it was stopped; what is there stays and is not sent again".to_owned();
    RegistryError::new(RegistryErrorKind::Stopped, doing.to_owned(), cause)
}

/// `host/path` and a reference in it, checked.
fn named(text: &str, doing: &str) -> Result<Reference, RegistryError> {
    text.parse().map_err(|error: crate::model::Invalid| {
        RegistryError::new(RegistryErrorKind::Name, doing.to_owned(), error.to_string())
    })
}

/// A digest out of a manifest.
fn digest_of(text: &str, doing: &str) -> Result<Digest, RegistryError> {
    text.parse().map_err(|error: crate::model::Invalid| {
        RegistryError::new(RegistryErrorKind::Unsupported, doing.to_owned(), error.to_string())
    })
}
