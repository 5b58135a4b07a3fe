//! One blob on its way from one reader to several takers.
//!
//! Pieces lie in a small buffer until each taker has had them. The reader waits when it is full, so the slowest taker sets
//! the pace, but only for a while: who makes others wait for too long is let go, and goes on by itself from where it is
//! ([`Next::LetGo`]). A taker that is alone is never let go.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::clients::registry::RegistryError;

/// Bytes that lie in one buffer at most, one piece more at times.
const WINDOW: u64 = 1 << 20;

/// What a blob costs while it is under way, in KiB: its buffer, and what lies in those of its connections. Few large ones
/// may be under way at once, and more small ones, which are round trips and little else.
pub(super) fn cost(size: u64) -> u32 {
    64 + u32::try_from(size.min(WINDOW) >> 10).unwrap_or(u32::MAX)
}

/// What may be under way at once, by [`cost`], from the source to several lanes and to one by itself: two large blobs or
/// many small ones. While a registry writes one down it takes the other. More of them would only share the same line, and
/// so all end at the same time: then everything waits for a disk.
pub(super) const AT_ONCE: usize = 2 * (64 + 1024);

/// So long the others have waited for a taker in all when it is let go, if this is also a good part of the time.
const PATIENCE: Duration = Duration::from_millis(1500);
const PART: u32 = 2;

/// How often the waiting is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// A blob's way.
pub(super) struct Feed {
    inner: Mutex<Inner>,
    /// A piece, the end, or that somebody was let go.
    more: Notify,
    /// Room in the buffer, or a taker has left.
    room: Notify,
}

struct Inner {
    pieces: VecDeque<Bytes>,
    /// Offsets in the blob of the first byte in the buffer and of the one after the last.
    base: u64,
    end: u64,
    state: State,
    takers: Vec<Taker>,
    began: Instant,
}

#[derive(Clone)]
enum State {
    Running,
    Complete,
    Failed(RegistryError),
}

struct Taker {
    /// What it wants next.
    at: u64,
    place: Place,
    /// It has all there is, and waits.
    starving: bool,
    /// How long others starved because of it.
    held_up: Duration,
    /// Whom it is for; raised when it is let go.
    slow: Arc<AtomicBool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Here,
    LetGo,
    Left,
}

/// What comes next for a taker.
pub(super) enum Next {
    Piece(Bytes),
    End,
    /// It has to go on alone from this byte.
    LetGo(u64),
    Failed(RegistryError),
}

impl Feed {
    /// A feed from this byte on; each taker brings the flag that is raised when it is let go.
    pub(super) fn new(from: u64, takers: &[Arc<AtomicBool>]) -> Self {
        let taker = |slow: &Arc<AtomicBool>| Taker {
            at: from,
            place: Place::Here,
            starving: false,
            held_up: Duration::ZERO,
            slow: slow.clone(),
        };
        Self {
            inner: Mutex::new(Inner {
                pieces: VecDeque::new(),
                base: from,
                end: from,
                state: State::Running,
                takers: takers.iter().map(taker).collect(),
                began: Instant::now(),
            }),
            more: Notify::new(),
            room: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves nothing half done in here.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Now it is read: who was let go elsewhere since it got its place is let go here too, before anybody waits for it.
    pub(super) fn begin(&self) {
        let mut inner = self.lock();
        inner.began = Instant::now();
        for taker in &mut inner.takers {
            if taker.place == Place::Here && taker.slow.load(Ordering::Relaxed) {
                taker.place = Place::LetGo;
            }
        }
        drop(inner);
        self.more.notify_waiters();
    }

    /// Puts a piece in as soon as there is room; false if nobody takes any more.
    pub(super) async fn push(&self, piece: Bytes) -> bool {
        loop {
            let notified = self.room.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            {
                let mut inner = self.lock();
                if !inner.takers.iter().any(|taker| taker.place == Place::Here) {
                    return false;
                }
                if inner.end - inner.base < WINDOW {
                    inner.end += piece.len() as u64;
                    inner.pieces.push_back(piece);
                    drop(inner);
                    self.more.notify_waiters();
                    return true;
                }
            }
            let waiting = Instant::now();
            if tokio::time::timeout(GLANCE, notified).await.is_err() || waiting.elapsed() > GLANCE / 2 {
                self.let_go_of_slow(waiting.elapsed());
            }
        }
    }

    /// Ends it; a failure reaches all takers.
    pub(super) fn end(&self, result: Result<(), RegistryError>) {
        self.lock().state = match result {
            Ok(()) => State::Complete,
            Err(error) => State::Failed(error),
        };
        self.more.notify_waiters();
    }

    /// Is ready when every taker has had everything, or is gone. Here too, who makes others wait is let go.
    pub(super) async fn drained(&self) {
        loop {
            let notified = self.room.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            {
                let inner = self.lock();
                let over = inner
                    .takers
                    .iter()
                    .all(|taker| taker.place != Place::Here || taker.at == inner.end);
                if over {
                    return;
                }
            }
            let waiting = Instant::now();
            if tokio::time::timeout(GLANCE, notified).await.is_err() || waiting.elapsed() > GLANCE / 2 {
                self.let_go_of_slow(waiting.elapsed());
            }
        }
    }

    /// Counts the time in which somebody waited against those for whom the buffer does not empty.
    fn let_go_of_slow(&self, waited: Duration) {
        let mut inner = self.lock();
        let Inner {
            takers,
            base,
            end,
            state,
            began,
            ..
        } = &mut *inner;
        let enough = PATIENCE.max(began.elapsed() / PART);
        let over = !matches!(state, State::Running);
        let waits = |taker: &Taker| match taker.place {
            Place::Here => taker.starving || over && taker.at == *end,
            // It has gone on, or would.
            Place::Left => over,
            Place::LetGo => false,
        };
        if !takers.iter().any(waits) {
            return;
        }
        let mut gone = false;
        for taker in takers.iter_mut() {
            let late = taker.at < *base + WINDOW / 2 || over && taker.at < *end;
            if taker.place != Place::Here || taker.starving || !late {
                continue;
            }
            taker.held_up += waited;
            if taker.held_up >= enough {
                taker.place = Place::LetGo;
                taker.slow.store(true, Ordering::Relaxed);
                gone = true;
            }
        }
        if gone {
            inner.drop_taken();
            drop(inner);
            self.more.notify_waiters();
            self.room.notify_waiters();
        }
    }

    /// The next piece for a taker.
    pub(super) async fn next(&self, number: usize) -> Next {
        loop {
            let notified = self.more.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            {
                let mut inner = self.lock();
                let (base, end) = (inner.base, inner.end);
                let taker = &mut inner.takers[number];
                if taker.place == Place::LetGo {
                    return Next::LetGo(taker.at);
                }
                if taker.at < end {
                    taker.starving = false;
                    let (at, mut offset) = (taker.at, base);
                    // Pieces are taken whole, so `at` is always the beginning of one.
                    let found = inner.pieces.iter().find(|piece| {
                        let here = offset == at;
                        offset += piece.len() as u64;
                        here
                    });
                    let piece = found.cloned().expect("what a taker has not had is in the buffer");
                    inner.takers[number].at += piece.len() as u64;
                    inner.drop_taken();
                    drop(inner);
                    self.room.notify_waiters();
                    return Next::Piece(piece);
                }
                match &inner.state {
                    State::Complete => return Next::End,
                    State::Failed(error) => return Next::Failed(error.clone()),
                    State::Running => inner.takers[number].starving = true,
                }
            }
            notified.await;
        }
    }

    /// A taker needs nothing more.
    pub(super) fn leave(&self, number: usize) {
        let mut inner = self.lock();
        if inner.takers[number].place == Place::Here {
            inner.takers[number].place = Place::Left;
        }
        inner.drop_taken();
        drop(inner);
        self.room.notify_waiters();
    }
}

impl Inner {
    /// Drops the pieces that everybody has had.
    fn drop_taken(&mut self) {
        let slowest = self
            .takers
            .iter()
            .filter(|taker| taker.place == Place::Here)
            .map(|taker| taker.at)
            .min();
        let until = slowest.unwrap_or(self.end);
        while let Some(piece) = self.pieces.front()
            && self.base + piece.len() as u64 <= until
        {
            self.base += piece.len() as u64;
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = 256 << 10;

    fn piece(number: u8) -> Bytes {
        Bytes::from(vec![number; PIECE])
    }

    fn flags(count: usize) -> Vec<Arc<AtomicBool>> {
        (0..count).map(|_| Arc::default()).collect()
    }

    async fn take_all(feed: &Feed, number: usize) -> Result<Vec<u8>, u64> {
        let mut seen = Vec::new();
        loop {
            match feed.next(number).await {
                Next::Piece(piece) => seen.push(piece[0]),
                Next::End => return Ok(seen),
                Next::LetGo(at) => return Err(at),
                Next::Failed(error) => panic!("{error}"),
            }
        }
    }

    #[tokio::test]
    async fn everybody_gets_every_piece_in_order_and_the_buffer_stays_small() {
        let feed = Feed::new(0, &flags(3));
        let give = async {
            for number in 0..100 {
                assert!(feed.push(piece(number)).await);
                let inner = feed.lock();
                assert!(inner.end - inner.base <= WINDOW + PIECE as u64);
            }
            feed.end(Ok(()));
            feed.drained().await;
        };
        let (_, one, two, three) = tokio::join!(give, take_all(&feed, 0), take_all(&feed, 1), take_all(&feed, 2));
        let all: Vec<u8> = (0..100).collect();
        assert_eq!([one, two, three], [Ok(all.clone()), Ok(all.clone()), Ok(all)]);
    }

    #[tokio::test]
    async fn who_takes_nothing_is_let_go_with_its_place_and_the_others_go_on() {
        let flags = flags(2);
        let feed = Feed::new(0, &flags);
        let give = async {
            for number in 0..100 {
                assert!(feed.push(piece(number)).await);
            }
            feed.end(Ok(()));
            feed.drained().await;
        };
        let (_, quick) = tokio::join!(give, take_all(&feed, 0));
        assert_eq!(quick, Ok((0..100).collect()));
        assert!(matches!(feed.next(1).await, Next::LetGo(0)));
        assert!(flags[1].load(Ordering::Relaxed) && !flags[0].load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn who_turned_out_slow_before_the_turn_of_a_blob_is_let_go_at_once() {
        let flags = flags(2);
        let feed = Feed::new(0, &flags);
        flags[1].store(true, Ordering::Relaxed);
        let give = async {
            feed.begin();
            for number in 0..100 {
                assert!(feed.push(piece(number)).await);
            }
            feed.end(Ok(()));
            feed.drained().await;
        };
        let (_, quick, slow) = tokio::join!(give, take_all(&feed, 0), take_all(&feed, 1));
        assert_eq!((quick, slow), (Ok((0..100).collect()), Err(0)));
    }
}
