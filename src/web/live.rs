//! Server-sent events: the log of a build as it grows, and which builds have changed.
//!
//! A stream reads the same rows as pages and API do; wake-ups only say when to look, and it also looks by itself once a
//! second, so a lost wake-up delays a line and loses none. The id of an event is the number of its line: a browser that
//! reconnects sends the last one, and the stream goes on behind it, without loss or repeat, on whichever process.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::error::{Error, Result};
use super::log;
use super::look::stage_run;
use super::state::AppState;
use crate::ansi;
use crate::model::BuildId;
use crate::store::builds::Status;
use crate::store::{builds, stages};
use crate::wake::{self, Event as Wake};
use crate::wire::{self, LogEntry};

/// Without a wake-up, a stream looks after this time.
const LOOK: Duration = Duration::from_secs(1);
/// Changes of lists are gathered for this long.
const GATHER: Duration = Duration::from_millis(300);
/// Events that wait for a slow reader; more are read from the database when he has taken these.
const AHEAD: usize = 256;
/// A browser waits this long before it connects again.
const RECONNECT: Duration = Duration::from_secs(1);

type Events = Sse<axum::response::sse::KeepAliveStream<ReceiverStream<std::result::Result<Event, Infallible>>>>;

/// What becomes of a build from the line `after` on. Events: `state` (at first, and when it changes), `stage`, `line`,
/// `dropped`, and `end` when the build has ended and all its lines are sent.
pub(super) async fn log_stream(state: &AppState, build: BuildId, after: i64, html: bool) -> Result<Events> {
    if builds::status(&state.pool, build).await?.is_none() {
        return Err(Error::no_build(build));
    }
    let permit = permit(state)?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let follower = Follower {
        state: state.clone(),
        build,
        after,
        html,
        sender,
        status: None,
        stages: Vec::new(),
        _permit: permit,
    };
    tokio::spawn(follower.run());
    Ok(sse(ReceiverStream::new(receiver)))
}

/// An event `build` with its number each time a build has changed; `resync` when some may have been missed.
pub(super) fn builds_stream(state: &AppState) -> Result<Events> {
    changes(state, "build", |wake| match wake {
        Wake::Build(id) => Some(id.0),
        _ => None,
    })
}

/// An event `promotion` with its number each time a promotion has changed; `resync` when some may have been missed.
pub(super) fn promotions_stream(state: &AppState) -> Result<Events> {
    changes(state, "promotion", |wake| match wake {
        Wake::Promotion(id) => Some(id.0),
        _ => None,
    })
}

/// Events of this name with the numbers that `wanted` finds in wake-ups.
fn changes(state: &AppState, name: &'static str, wanted: fn(Wake) -> Option<i64>) -> Result<Events> {
    let permit = permit(state)?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let state = state.clone();
    tokio::spawn(async move {
        let _permit = permit;
        tokio::select! {
            () = tell_changes(&state, name, wanted, &sender) => {}
            () = sender.closed() => {}
            () = state.stop.cancelled() => {}
        }
    });
    Ok(sse(ReceiverStream::new(receiver)))
}

async fn tell_changes(
    state: &AppState,
    name: &'static str,
    wanted: fn(Wake) -> Option<i64>,
    sender: &mpsc::Sender<std::result::Result<Event, Infallible>>,
) {
    let mut wakes = state.hub.subscribe();
    let mut changed = std::collections::BTreeSet::new();
    loop {
        let mut note = |wake| match wake {
            Ok(Wake::Resync) | Err(_) => changed.insert(None),
            Ok(wake) => wanted(wake).is_some_and(|id| changed.insert(Some(id))),
        };
        if note(wakes.recv().await) {
            let gathering = async {
                loop {
                    note(wakes.recv().await);
                }
            };
            let _ = tokio::time::timeout(GATHER, gathering).await;
        }
        for number in std::mem::take(&mut changed) {
            let event = match number {
                Some(id) => Event::default().event(name).data(id.to_string()),
                None => Event::default().event("resync").data("-"),
            };
            if sender.send(Ok(event)).await.is_err() {
                return;
            }
        }
    }
}

fn permit(state: &AppState) -> Result<OwnedSemaphorePermit> {
    state.streams.clone().try_acquire_owned().map_err(|_| {
        Error::Away("too many live views are open at the moment; the page works without, reload it by hand".to_owned())
    })
}

fn sse<S>(stream: S) -> Sse<axum::response::sse::KeepAliveStream<S>>
where
    S: Stream<Item = std::result::Result<Event, Infallible>> + Send + 'static,
{
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

/// One reader of one log.
struct Follower {
    state: AppState,
    build: BuildId,
    after: i64,
    html: bool,
    sender: mpsc::Sender<std::result::Result<Event, Infallible>>,
    status: Option<Status>,
    stages: Vec<wire::StageRun>,
    _permit: OwnedSemaphorePermit,
}

/// The reader has gone.
struct Gone;

impl Follower {
    async fn run(mut self) {
        // Before the first look: what changes between the look and the waiting still wakes.
        let mut wakes = self.state.hub.subscribe();
        let stop = self.state.stop.clone();
        let sender = self.sender.clone();
        loop {
            let look = async {
                match self.look().await {
                    Ok(Ok(ended)) => ended,
                    Ok(Err(Gone)) => true,
                    Err(error) => {
                        // The stream stays: the database comes back, and the reader goes on where he was.
                        tracing::debug!(build = %self.build, %error, "a live view waits");
                        false
                    }
                }
            };
            tokio::select! {
                ended = look => if ended { return },
                () = stop.cancelled() => return,
            }
            let mine = |wake| matches!(wake, Wake::Log(id) | Wake::Build(id) if id == self.build);
            tokio::select! {
                () = wake::wait_for(&mut wakes, LOOK, mine) => {}
                () = sender.closed() => return,
                () = stop.cancelled() => return,
            }
        }
    }

    /// Sends what is new. `true`: there will be nothing more.
    async fn look(&mut self) -> Result<std::result::Result<bool, Gone>> {
        // The state first: a worker writes the last line before the end, so lines that are read after a final state
        // was seen are all there are.
        let Some(status) = builds::status(&self.state.pool, self.build).await? else {
            return Ok(Ok(true));
        };
        let change = wire::StateChange {
            state: status.state,
            attempt: status.attempt,
        };
        if self.status != Some(status) && self.send(event("state", &change).retry(RECONNECT)).await.is_err() {
            return Ok(Err(Gone));
        }
        self.status = Some(status);
        let stages: Vec<_> = stages::of_build(&self.state.pool, self.build)
            .await?
            .into_iter()
            .map(stage_run)
            .collect();
        for stage in &stages {
            if !self.stages.contains(stage) && self.send(event("stage", stage)).await.is_err() {
                return Ok(Err(Gone));
            }
        }
        self.stages = stages;
        loop {
            let entries = log::entries(&self.state.pool, self.build, self.after).await?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                let last = log::last_seq(&entry);
                if self.send(self.written(entry)).await.is_err() {
                    return Ok(Err(Gone));
                }
                self.after = last;
            }
        }
        if !status.state.is_final() {
            return Ok(Ok(false));
        }
        Ok(self.send(event("end", &change)).await.map(|()| true))
    }

    fn written(&self, entry: LogEntry) -> Event {
        let id = log::last_seq(&entry).to_string();
        match entry {
            LogEntry::Line(mut line) => {
                line.html = self.html.then(|| ansi::to_html(&line.text));
                event("line", &line).id(id)
            }
            LogEntry::Dropped(dropped) => event("dropped", &dropped).id(id),
        }
    }

    async fn send(&self, event: Event) -> std::result::Result<(), Gone> {
        self.sender.send(Ok(event)).await.map_err(|_| Gone)
    }
}

fn event(name: &str, data: &impl serde::Serialize) -> Event {
    let data = serde_json::to_string(data).expect("texts and numbers are always JSON");
    Event::default().event(name).data(data)
}
