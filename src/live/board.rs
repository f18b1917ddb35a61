//! One board as its watchers share it: the replica, and a short log of what was sent. A socket remembers the number of
//! the last frame it has read and asks for what came after; the answer is the frames themselves, or, when it is too far
//! behind, the merged latest state: one diff of the rows that changed, or the snapshot.

mod state;

pub(super) use self::state::AHEAD_FOR;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use self::state::{Inner, Sent};
use super::frame::Frame;
use super::protocol::ServerMessage;
use super::replica::{Replica, Row};
use super::snapshot::Snapshot;
use crate::domain::news::Position;
use crate::domain::order::unix_ms;

/// What one socket is given at once: bounds what a stalled reader keeps alive.
const GATHER_BYTES_MAX: usize = 48 * 1024;
/// A reader that joins is given the last snapshot and what came after it, as long as that is less than this: a crowd that
/// joins while the board changes shares one snapshot.
const AFTER_SNAPSHOT_BYTES_MAX: usize = 64 * 1024;

pub struct Board {
    name: String,
    inner: Mutex<Inner>,
    /// Number of the last frame, for readers that only want to know whether there is more.
    last: AtomicU64,
    watchers: AtomicUsize,
}

/// Where a reader is: the last frame it was given.
pub(super) type Cursor = u64;

/// How far a reader has been given what came after its cursor.
pub(super) struct Given {
    pub(super) cursor: Cursor,
    /// Changes in the frames.
    pub(super) changes: usize,
    /// There is more to ask for at once.
    pub(super) has_more: bool,
}

/// How a reader begins.
pub(super) enum Joined {
    /// What it has missed since the position it came with.
    Resumed(Bytes),
    Anew(Arc<Snapshot>),
}

impl Board {
    pub(super) fn new(name: &str) -> Self {
        let inner = Inner::default();
        Self { name: name.to_owned(), inner: Mutex::new(inner), last: AtomicU64::new(0), watchers: AtomicUsize::new(0) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A socket begins to watch…
    pub(super) fn joined(&self) {
        self.watchers.fetch_add(1, Ordering::AcqRel);
    }

    /// …and ends.
    pub(super) fn left(&self) {
        self.watchers.fetch_sub(1, Ordering::AcqRel);
    }

    /// The board as it is now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let mut inner = self.flushed();
        let changed = inner.changed;
        inner.snapshot(&self.name, |at, _| at >= changed).1
    }

    /// A reader begins. With a position it had elsewhere: a diff from there if that can be told, else a snapshot; the frames
    /// after the cursor follow.
    pub(super) fn join(&self, had: Option<(&str, u64)>) -> (Joined, Cursor) {
        let mut inner = self.flushed();
        if let Some(diff) = had.and_then(|(epoch, seq)| inner.diff_since(&self.name, epoch, seq)) {
            return (Joined::Resumed(diff.wire()), inner.last);
        }
        let (cursor, snapshot) =
            inner.snapshot(&self.name, |at, inner| inner.bytes_after(at).is_some_and(|bytes| bytes <= AFTER_SNAPSHOT_BYTES_MAX));
        (Joined::Anew(snapshot), cursor)
    }

    /// Puts what came after `cursor` into `frames`, which is empty.
    pub(super) fn since(&self, cursor: Cursor, frames: &mut Vec<Bytes>) -> Given {
        if cursor == self.last.load(Ordering::Acquire) {
            return Given { cursor, changes: 0, has_more: false };
        }
        let mut inner = self.lock();
        let oldest = inner.frames.front().map_or(inner.last + 1, |sent| sent.number);
        if cursor + 1 < oldest {
            drop(inner);
            inner = self.flushed();
            metrics::counter!("orderboard_readers_merged_total").increment(1);
            let frame = inner.merged_since(&self.name, cursor);
            let (cursor, frame) = match frame {
                Some(frame) => (inner.last, frame.wire()),
                None => {
                    let changed = inner.changed;
                    let (_, snapshot) = inner.snapshot(&self.name, |at, _| at >= changed);
                    (inner.last, snapshot.message())
                }
            };
            frames.push(frame);
            return Given { cursor, changes: 0, has_more: false };
        }
        let mut given = Given { cursor, changes: 0, has_more: false };
        let mut bytes = 0;
        let skip = usize::try_from(cursor + 1 - oldest).unwrap_or(usize::MAX);
        for Sent { number, frame, changes } in inner.frames.range(skip.min(inner.frames.len())..) {
            if bytes > 0 && bytes + frame.len() > GATHER_BYTES_MAX {
                given.has_more = true;
                break;
            }
            bytes += frame.len();
            frames.push(frame.wire());
            given.cursor = *number;
            given.changes += changes;
        }
        given
    }

    /// Lets `change` work on the replica, with rows that came over the bus at `seq`, or directly. Nothing is sent before
    /// [`Board::flush`].
    pub(super) fn apply<T>(&self, seq: Option<u64>, change: impl FnOnce(&mut Replica) -> T) -> T {
        let mut inner = self.lock();
        inner.pending_seq = inner.pending_seq.max(seq);
        if seq.is_none() {
            inner.is_ahead();
        }
        change(&mut inner.replica)
    }

    /// Lets `work` see to the replica's reserve, which nobody is told of.
    pub(super) fn look<T>(&self, work: impl FnOnce(&mut Replica) -> T) -> T {
        work(&mut self.lock().replica)
    }

    /// Everything was loaded anew at `position`, maybe with rows whose news is still to come. Readers of another epoch get the
    /// snapshot.
    pub(super) fn reloaded(&self, position: Position, rows: Vec<Row>, is_ahead: bool) {
        let mut inner = self.lock();
        inner.replica.reload(rows);
        if is_ahead {
            inner.is_ahead();
        }
        inner.pending_seq = Some(position.seq);
        if inner.position.epoch == position.epoch {
            inner.flush(&self.name, self.is_watched());
        } else {
            inner.replica.settle();
            inner.position = position;
            inner.forget_log();
        }
        self.last.store(inner.last, Ordering::Release);
    }

    /// Makes what changed since the last flush one frame; tells how many changes it holds.
    pub(super) fn flush(&self) -> usize {
        let mut inner = self.lock();
        let changes = inner.flush(&self.name, self.is_watched());
        self.last.store(inner.last, Ordering::Release);
        changes
    }

    fn is_watched(&self) -> bool {
        self.watchers.load(Ordering::Acquire) > 0
    }

    /// The board with everything encoded that was applied: only then do its rows and its sequence number belong together.
    fn flushed(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        inner.flush(&self.name, self.is_watched());
        self.last.store(inner.last, Ordering::Release);
        inner
    }

    /// Lets every reader prove its copy.
    pub(super) fn tick(&self, now: time::OffsetDateTime) {
        if !self.is_watched() {
            return;
        }
        let mut inner = self.flushed();
        let tick = ServerMessage::Tick {
            board: &self.name,
            epoch: &inner.position.epoch,
            seq: inner.position.seq,
            checksum: inner.replica.checksum(),
            server_ms: unix_ms(now),
        };
        let frame = Frame::json(&tick);
        inner.push(frame, 0);
        self.last.store(inner.last, Ordering::Release);
    }

    /// A panic while the lock was held would have left the log half-written; there is no code in here that panics.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
