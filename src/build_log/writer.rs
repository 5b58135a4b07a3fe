//! The worker's side of a log: takes lines from anywhere, writes them in pieces, keeps head and tail.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::line::{LogLine, encode};
use crate::config::BuildLog;
use crate::model::{BuildId, Stage};
use crate::store::logs::{self, Chunk};
use crate::store::{self, jobs::Claim};
use crate::wake::{Event, Hub};

/// Lines are shown this long after they were written, at most.
const FLUSH: Duration = Duration::from_millis(200);
/// Text in one piece: small enough that cutting whole pieces keeps close to the caps.
const PIECE: usize = 64 << 10;

/// Takes the lines of one attempt. Cheap to clone; [`Writer::close`] writes what is left.
#[derive(Debug, Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pending: Mutex<Pending>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Pending {
    lines: VecDeque<LogLine>,
    bytes: usize,
    next_seq: i64,
    /// Lines that were thrown away before they were ever written: first, last, bytes.
    dropped: Option<(i64, i64, i64)>,
    /// More than this is not held in memory; what is too much is thrown away, the oldest first.
    cap: usize,
}

impl Writer {
    /// Goes on where an earlier attempt stopped.
    ///
    /// # Errors
    /// The database is away.
    pub async fn open(
        pool: PgPool,
        hub: Arc<Hub>,
        claim: Claim,
        build: BuildId,
        caps: &BuildLog,
    ) -> Result<Self, store::StoreError> {
        let outline = logs::outline(&pool, build).await?;
        let next_seq = outline.last().map_or(1, |chunk| chunk.last_seq + 1);
        let kept = Kept::resume(&outline, caps);
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            pending: Mutex::new(Pending {
                lines: VecDeque::new(),
                bytes: 0,
                next_seq,
                dropped: None,
                cap: (caps.head + caps.tail) as usize,
            }),
            stop: stop.clone(),
            task: Mutex::default(),
        });
        let flusher = Flusher {
            pool,
            hub,
            claim,
            build,
            kept,
        };
        let task = tokio::spawn(flusher.run(Arc::clone(&shared), stop));
        *lock(&shared.task) = Some(task);
        Ok(Self { shared })
    }

    /// Adds one line; never waits.
    pub fn line(&self, stage: Option<Stage>, text: &str) {
        let mut pending = lock(&self.shared.pending);
        for part in text.split('\n') {
            let seq = pending.next_seq;
            pending.next_seq += 1;
            pending.bytes += part.len() + 1;
            pending.lines.push_back(LogLine {
                seq,
                at: Utc::now().timestamp_millis(),
                stage,
                text: part.trim_end_matches('\r').replace('\0', "\u{fffd}"),
            });
        }
        pending.shrink();
    }

    /// Writes what is left, as far as the database lets it within 5 s.
    pub async fn close(&self) {
        self.shared.stop.cancel();
        let task = lock(&self.shared.task).take();
        if let Some(task) = task {
            let _ = tokio::time::timeout(Duration::from_secs(5), task).await;
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves the lines as they are: they are still worth writing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pending {
    /// While the database is away, memory stays bounded.
    fn shrink(&mut self) {
        while self.bytes > self.cap && self.lines.len() > 1 {
            let Some(line) = self.lines.pop_front() else { return };
            let size = line.text.len() + 1;
            self.bytes -= size;
            let (first, _, bytes) = self.dropped.unwrap_or((line.seq, line.seq, 0));
            self.dropped = Some((first, line.seq, bytes + size as i64));
        }
    }
}

/// What of the log is already in the database.
#[derive(Debug)]
struct Kept {
    head: i64,
    tail: i64,
    head_bytes: i64,
    tail_bytes: i64,
    /// Pieces of the tail: first line, last line, bytes.
    tail_pieces: VecDeque<(i64, i64, i64)>,
    /// First line that was thrown away.
    dropped_from: Option<i64>,
}

impl Kept {
    fn resume(outline: &[Chunk], caps: &BuildLog) -> Self {
        let mut kept = Self {
            head: caps.head as i64,
            tail: caps.tail as i64,
            head_bytes: 0,
            tail_bytes: 0,
            tail_pieces: VecDeque::new(),
            dropped_from: None,
        };
        for chunk in outline {
            if chunk.dropped {
                kept.dropped_from = kept.dropped_from.or(Some(chunk.first_seq));
            } else {
                kept.add(chunk);
            }
        }
        kept
    }

    fn add(&mut self, chunk: &Chunk) {
        if self.dropped_from.is_none() && self.tail_pieces.is_empty() && self.head_bytes + chunk.bytes <= self.head {
            self.head_bytes += chunk.bytes;
        } else {
            self.tail_bytes += chunk.bytes;
            self.tail_pieces
                .push_back((chunk.first_seq, chunk.last_seq, chunk.bytes));
        }
    }

    /// The lines that must go so that the tail fits: first and last.
    fn overflow(&mut self) -> Option<(i64, i64)> {
        let mut range = None;
        while self.tail_bytes > self.tail && self.tail_pieces.len() > 1 {
            let (first, last, bytes) = self.tail_pieces.pop_front()?;
            self.tail_bytes -= bytes;
            let from = *self.dropped_from.get_or_insert(first);
            range = Some((from, last));
        }
        range
    }
}

struct Flusher {
    pool: PgPool,
    hub: Arc<Hub>,
    claim: Claim,
    build: BuildId,
    kept: Kept,
}

impl Flusher {
    async fn run(mut self, shared: Arc<Shared>, stop: CancellationToken) {
        // The task must not keep `shared` alive for ever when the writer is simply dropped.
        let weak = Arc::downgrade(&shared);
        drop(shared);
        loop {
            let stopping = tokio::select! {
                () = stop.cancelled() => true,
                () = tokio::time::sleep(FLUSH) => false,
            };
            let Some(shared) = weak.upgrade() else { return };
            match self.flush(&shared).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(build = %self.build, %error, "log lines wait in memory: the database is away");
                    if !stopping {
                        continue;
                    }
                    drop(shared);
                    tokio::time::sleep(FLUSH).await;
                    continue;
                }
            }
            if stopping {
                return;
            }
        }
    }

    /// Writes everything that is pending. `false`: the claim is lost.
    async fn flush(&mut self, shared: &Shared) -> store::Result<bool> {
        loop {
            let (lines, dropped) = {
                let pending = lock(&shared.pending);
                let mut bytes = 0;
                let lines: Vec<LogLine> = pending
                    .lines
                    .iter()
                    .take_while(|line| {
                        bytes += line.text.len() + 1;
                        bytes <= PIECE || bytes == line.text.len() + 1
                    })
                    .cloned()
                    .collect();
                (lines, pending.dropped)
            };
            if lines.is_empty() {
                return Ok(true);
            }
            let chunk = encode(&lines).map_err(sqlx::Error::Io)?;
            let mut tx = self.pool.begin().await?;
            if let Some((first_seq, last_seq, bytes)) = dropped {
                let mark = Chunk {
                    first_seq,
                    last_seq,
                    bytes,
                    dropped: true,
                    data: Vec::new(),
                };
                if !logs::append(&mut tx, &self.claim, self.build, &mark).await? {
                    return Ok(false);
                }
            }
            if !logs::append(&mut tx, &self.claim, self.build, &chunk).await? {
                return Ok(false);
            }
            tx.commit().await?;
            {
                let mut pending = lock(&shared.pending);
                if dropped.is_some() && pending.dropped == dropped {
                    pending.dropped = None;
                }
                // Lines that were thrown away meanwhile are already written: do not count them twice.
                while pending.lines.front().is_some_and(|line| line.seq <= chunk.last_seq) {
                    if let Some(line) = pending.lines.pop_front() {
                        pending.bytes -= line.text.len() + 1;
                    }
                }
                if let Some((first, last, _)) = pending.dropped
                    && first <= chunk.last_seq
                {
                    pending.dropped = (last > chunk.last_seq).then(|| (chunk.last_seq + 1, last, 0));
                }
            }
            self.kept.add(&chunk);
            if let Some((first, last)) = dropped.map(|(first, last, _)| (first, last)) {
                self.kept.dropped_from.get_or_insert(first);
                tracing::warn!(build = %self.build, first, last, "log lines were thrown away while the database was away");
            }
            if let Some((first, last)) = self.kept.overflow() {
                let mut tx = self.pool.begin().await?;
                if !logs::drop_range(&mut tx, &self.claim, self.build, first, last).await? {
                    return Ok(false);
                }
                tx.commit().await?;
            }
            self.hub.tell(Event::Log(self.build));
        }
    }
}
