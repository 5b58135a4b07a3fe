//! `seaworthy copy`: an image from registry to registry, for whoever looks into why that is slow or fails.
//!
//! Hidden from the list of verbs: what people promote goes through gates and leaves a record, and this does neither.

use std::io::{IsTerminal as _, Write, stderr};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use tokio_util::sync::CancellationToken;

use super::print;
use crate::clients::certificates::Certificates;
use crate::clients::registry::{Copied, CopyEvent, Destination, Registry};
use crate::config::Config;
use crate::model::Reference;

/// Copy an image to other registries, with its digest kept. A tool for diagnosis: it opens no gate and leaves no record,
/// so nothing that it copies counts as promoted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image by its digest: `host/path@sha256:…`.
    image: String,
    /// Where to: `host/path:tag`; all of them at once.
    #[arg(required = true)]
    to: Vec<String>,
}

/// # Errors
/// A name that is none; certificates that cannot be read. What fails at a destination is printed and makes the exit code 1.
pub async fn run(args: &Args, config: &Config, out: &mut (dyn Write + Send)) -> anyhow::Result<ExitCode> {
    let destinations = args
        .to
        .iter()
        .map(|name| destination(name))
        .collect::<Result<Vec<_>, _>>()?;
    let certificates = Certificates::load(config.tls.ca_file.as_deref())?;
    let registry = Registry::new(config, &certificates);
    let stop = CancellationToken::new();
    let interrupted = stop.clone();
    let listener = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupted.cancel();
        }
    });
    let began = Instant::now();
    let shown = Mutex::new(Shown::new(destinations.len()));
    let observer = |event: CopyEvent| shown.lock().unwrap_or_else(PoisonError::into_inner).take(&event);
    let arrivals = registry.copy(&args.image, &destinations, &observer, &stop).await;
    listener.abort();
    let took = began.elapsed();
    let mut all_well = true;
    for arrival in &arrivals {
        let place = format!("{}:{}", arrival.destination.repository, arrival.destination.tag);
        match &arrival.result {
            Ok(copied) => writeln!(out, "{place}: {}", told(copied, took))?,
            Err(error) => {
                all_well = false;
                writeln!(out, "{place}: {}", print::plain(&error.to_string()))?;
            }
        }
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn destination(name: &str) -> anyhow::Result<Destination> {
    let reference: Reference = name.parse()?;
    let tag = reference
        .tag()
        .filter(|_| name.ends_with(|c: char| c != ':') && reference.digest().is_none());
    let tag = tag.ok_or_else(|| anyhow!("{name:?}: the destination needs a tag (host/path:tag) and no digest"))?;
    Ok(Destination {
        name: String::new(),
        repository: format!("{}/{}", reference.registry(), reference.repository()),
        tag: tag.to_owned(),
    })
}

fn told(copied: &Copied, took: Duration) -> String {
    format!(
        "{} blobs and {} manifests are there after {:.2} s; sent {} bytes, {} were there, {} were mounted{}",
        copied.blobs,
        copied.manifests,
        took.as_secs_f64(),
        copied.bytes_sent,
        copied.bytes_present,
        copied.bytes_mounted,
        if copied.tag_was_there {
            "; the tag was there"
        } else {
            ""
        }
    )
}

/// The line on the terminal that is written over again and again.
struct Shown {
    began: Instant,
    total: u64,
    /// Done and sent, by destination; `None` when it has ended.
    places: Vec<Option<(u64, u64)>>,
    terminal: bool,
}

impl Shown {
    fn new(places: usize) -> Self {
        Self {
            began: Instant::now(),
            total: 0,
            places: vec![Some((0, 0)); places],
            terminal: stderr().is_terminal(),
        }
    }

    fn take(&mut self, event: &CopyEvent) {
        match event {
            CopyEvent::Read { bytes, .. } => self.total = *bytes,
            CopyEvent::Progress {
                destination,
                done,
                sent,
                ..
            } => self.places[*destination] = Some((*done, *sent)),
            CopyEvent::Ended { destination, .. } => self.places[*destination] = None,
        }
        if self.terminal {
            // Without a terminal nobody waits for it.
            _ = write!(stderr(), "\r\x1b[K{}", self.line());
        }
    }

    /// Of the destination that is behind the others.
    fn line(&self) -> String {
        let running: Vec<(u64, u64)> = self.places.iter().flatten().copied().collect();
        let Some((done, sent)) = running.iter().copied().min() else {
            return String::new();
        };
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let rate = sent as f64 / seconds;
        let left = match rate > 0.0 {
            true => format!("{:.0} s left", self.total.saturating_sub(done) as f64 / rate),
            false => "waiting".to_owned(),
        };
        let mb = |bytes: f64| bytes / 1e6;
        format!(
            "{:.1} of {:.1} MB, {:.1} MB/s, {left}, {} of {} destinations under way",
            mb(done as f64),
            mb(self.total as f64),
            mb(rate),
            running.len(),
            self.places.len()
        )
    }
}
