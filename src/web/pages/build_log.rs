//! The log on a build's page, as far as it is written when the page is asked for.

use chrono::{DateTime, SecondsFormat};

use super::words;
use crate::ansi;
use crate::model::{BuildId, Stage};
use crate::store::PgPool;
use crate::web::error::Result;
use crate::web::log;
use crate::wire::LogEntry;

/// Lines that a page shows, if it is not asked for all.
const TAIL: i64 = 1000;

/// How much of a log a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The last lines.
    Tail,
    /// Everything that is kept.
    All,
    /// Nothing: the page is asked for its other parts.
    Nothing,
}

/// A log, ready to be shown.
#[derive(Debug, Default)]
pub(super) struct LogView {
    pub rows: Vec<LogRow>,
    /// Number of the last line that is shown: a stream goes on from it.
    pub last_seq: i64,
    /// Lines before the first one shown.
    pub before: i64,
    pub before_text: String,
}

/// One row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LogRow {
    /// A stage begins to speak.
    Heading(&'static str),
    Line {
        seq: i64,
        iso: String,
        time: String,
        /// Safe HTML.
        html: String,
    },
    Dropped {
        count: String,
        last_seq: i64,
    },
}

/// Reads a part of the log. `lines` is the number of its last line.
pub(super) async fn read(pool: &PgPool, build: BuildId, lines: i64, part: Part) -> Result<LogView> {
    let mut after = match part {
        Part::Nothing => return Ok(LogView::default()),
        Part::Tail => (lines - TAIL).max(0),
        Part::All => 0,
    };
    let mut view = LogView {
        before: after,
        before_text: words::count(after),
        last_seq: after,
        rows: Vec::new(),
    };
    let mut stage = None;
    loop {
        let entries = log::entries(pool, build, after).await?;
        let Some(last) = entries.last().map(log::last_seq) else {
            return Ok(view);
        };
        after = last;
        view.last_seq = last;
        for entry in &entries {
            view.add(entry, &mut stage);
        }
    }
}

impl LogView {
    fn add(&mut self, entry: &LogEntry, stage: &mut Option<Stage>) {
        match entry {
            LogEntry::Line(line) => {
                if line.stage != *stage {
                    *stage = line.stage;
                    self.rows
                        .push(LogRow::Heading(line.stage.map_or("Worker", Stage::title)));
                }
                let at = DateTime::from_timestamp_millis(line.at).unwrap_or_default();
                self.rows.push(LogRow::Line {
                    seq: line.seq,
                    iso: at.to_rfc3339_opts(SecondsFormat::Millis, true),
                    time: at.format("%H:%M:%S").to_string(),
                    html: ansi::to_html(&line.text),
                });
            }
            LogEntry::Dropped(dropped) => self.rows.push(LogRow::Dropped {
                count: words::count(dropped.count()),
                last_seq: dropped.last_seq,
            }),
        }
    }
}
