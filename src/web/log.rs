//! Reading a log: from any line on, piece by piece.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use futures_util::stream;

use super::error::{Error, Result};
use crate::model::BuildId;
use crate::store::{PgPool, logs};
use crate::wire::{DroppedLines, LogEntry, LogLine};
use crate::{ansi, build_log};

/// Pieces that are read at once: about half a megabyte of text.
const PIECES: i64 = 8;

/// Entries after the line `after`, in order; as many as one read brings, none if there are no more.
pub(super) async fn entries(pool: &PgPool, build: BuildId, after: i64) -> Result<Vec<LogEntry>> {
    let mut entries = Vec::new();
    for piece in logs::read(pool, build, after, PIECES).await? {
        let lines =
            build_log::decode(&piece).map_err(|error| Error::Internal(format!("log of build {build}: {error}")))?;
        entries.extend(lines.into_iter().filter_map(|entry| entry_after(entry, after)));
    }
    Ok(entries)
}

/// The part of an entry behind the line `after`: a mark of dropped lines may have grown over lines that this reader
/// already has.
fn entry_after(entry: build_log::Entry, after: i64) -> Option<LogEntry> {
    if entry.last_seq() <= after {
        return None;
    }
    Some(match entry {
        build_log::Entry::Line(line) => LogEntry::Line(LogLine {
            seq: line.seq,
            at: line.at,
            stage: line.stage,
            text: line.text,
            html: None,
        }),
        build_log::Entry::Dropped {
            first_seq, last_seq, ..
        } => LogEntry::Dropped(DroppedLines {
            first_seq: first_seq.max(after + 1),
            last_seq,
        }),
    })
}

/// The number that a reader goes on from.
pub(super) fn last_seq(entry: &LogEntry) -> i64 {
    match entry {
        LogEntry::Line(line) => line.seq,
        LogEntry::Dropped(dropped) => dropped.last_seq,
    }
}

/// How a whole log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON object a line.
    Json,
    /// The text alone, without terminal escapes.
    Text,
}

/// The log after `after`, `limit` lines at most, as a body that is written while it is read.
pub(super) fn body(pool: PgPool, build: BuildId, after: i64, limit: i64, format: Format) -> Body {
    let begin = (after, limit);
    Body::from_stream(stream::try_unfold(begin, move |(after, left)| {
        let pool = pool.clone();
        async move {
            if left <= 0 {
                return Ok(None);
            }
            // The status is already sent: an error can only break the body off, which the reader's HTTP notices.
            let mut entries = entries(&pool, build, after).await.map_err(|error| {
                tracing::warn!(%build, %error, "a log could not be read to its end");
                Arc::new(error)
            })?;
            entries.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            let Some(last) = entries.last().map(last_seq) else {
                return Ok::<_, Arc<Error>>(None);
            };
            let read = i64::try_from(entries.len()).unwrap_or(i64::MAX);
            let text: String = entries.iter().map(|entry| written(entry, format)).collect();
            Ok(Some((Bytes::from(text), (last, left - read))))
        }
    }))
}

fn written(entry: &LogEntry, format: Format) -> String {
    let mut text = match (format, entry) {
        (Format::Json, entry) => serde_json::to_string(entry).expect("texts and numbers are always JSON"),
        (Format::Text, LogEntry::Line(line)) => ansi::strip(&line.text).into_owned(),
        (Format::Text, LogEntry::Dropped(dropped)) => {
            format!(
                "… {} lines dropped ({} to {}) …",
                dropped.count(),
                dropped.first_seq,
                dropped.last_seq
            )
        }
    };
    text.push('\n');
    text
}
