//! Live: a build's log and state as server-sent events (HTML standard, "Server-sent events").
//!
//! The id of an event is the number of a log line, so that `Last-Event-ID` goes on without loss or repeat. Everything
//! is read from the database; a wake-up only says when to look.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event as Sent, KeepAlive};
use futures_util::Stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::auth::Reader;
use super::error::Result;
use super::{AppState, orders, view};
use crate::ansi;
use crate::build_log::{Entry, decode};
use crate::model::BuildId;
use crate::store::{StoreError, builds, logs};
use crate::wake::{Event, wait_for};

/// How often the database is looked at although nobody woke us.
const LOOK: Duration = Duration::from_secs(1);
/// Pieces read at once.
const PIECES: i64 = 16;

#[derive(Deserialize)]
pub(super) struct From {
    /// Lines up to this one are known already.
    #[serde(default)]
    after: i64,
}

pub(super) async fn stream(
    _reader: Reader,
    State(state): State<AppState>,
    Path(id): Path<i64>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = std::result::Result<Sent, Infallible>>>> {
    let id = BuildId(id);
    orders::existing(&state, id).await?;
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let (sender, receiver) = mpsc::channel(64);
    let stop = state.stop.clone();
    tokio::spawn(async move {
        let follow = Follow {
            state,
            id,
            after: last.unwrap_or(from.after),
            told: String::new(),
            sender,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = follow.run() => {}
        }
    });
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

/// The receiver has gone.
struct Gone;

struct Follow {
    state: AppState,
    id: BuildId,
    after: i64,
    /// The state that was told last.
    told: String,
    sender: mpsc::Sender<std::result::Result<Sent, Infallible>>,
}

impl Follow {
    async fn run(mut self) {
        let mut events = self.state.hub.subscribe();
        let id = self.id;
        loop {
            match self.look().await {
                Ok(Ok(true)) | Ok(Err(Gone)) => return,
                Ok(Ok(false)) => {}
                Err(error) => tracing::debug!(build = %id, %error, "a live log waits for the database"),
            }
            let ours = |event| event == Event::Log(id) || event == Event::Build(id);
            tokio::select! {
                () = wait_for(&mut events, LOOK, ours) => {}
                () = self.sender.closed() => return,
            }
        }
    }

    /// Sends what is new. `true`: the build has ended and everything is sent.
    async fn look(&mut self) -> std::result::Result<std::result::Result<bool, Gone>, StoreError> {
        // First the state, then the lines: what was written before the end is then never missed.
        let Some(record) = builds::get(&self.state.pool, self.id).await? else {
            return Ok(Ok(true));
        };
        let ended = record.build.state.is_final();
        loop {
            let pieces = logs::read(&self.state.pool, self.id, self.after, PIECES).await?;
            if pieces.is_empty() {
                break;
            }
            for piece in pieces {
                for entry in decode(&piece).map_err(StoreError::Io)? {
                    if entry.last_seq() <= self.after {
                        continue;
                    }
                    self.after = entry.last_seq();
                    if self.send(event_of(&entry)).await.is_err() {
                        return Ok(Err(Gone));
                    }
                }
            }
        }
        let view = view::whole(&self.state, record).await;
        let Ok(view) = view else { return Ok(Ok(false)) };
        let now =
            json!({ "state": view.summary.state, "stages": view.stages, "reason": view.summary.reason }).to_string();
        if now != self.told {
            if self.send(Sent::default().event("state").data(&now)).await.is_err() {
                return Ok(Err(Gone));
            }
            self.told = now;
        }
        if ended
            && self
                .send(Sent::default().event("end").data(view.summary.state.as_str()))
                .await
                .is_err()
        {
            return Ok(Err(Gone));
        }
        Ok(Ok(ended))
    }

    async fn send(&self, event: Sent) -> std::result::Result<(), Gone> {
        self.sender.send(Ok(event)).await.map_err(|_| Gone)
    }
}

fn event_of(entry: &Entry) -> Sent {
    match entry {
        Entry::Line(line) => {
            let data = json!({
                "seq": line.seq,
                "at": line.at,
                "stage": line.stage,
                "text": line.text,
                "html": ansi::to_html(&line.text),
            });
            Sent::default()
                .event("line")
                .id(line.seq.to_string())
                .data(data.to_string())
        }
        Entry::Dropped {
            first_seq,
            last_seq,
            bytes,
        } => {
            let data = json!({ "first_seq": first_seq, "last_seq": last_seq, "bytes": bytes });
            Sent::default()
                .event("dropped")
                .id(last_seq.to_string())
                .data(data.to_string())
        }
    }
}
