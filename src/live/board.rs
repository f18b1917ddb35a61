//! One board as its watchers share it: the replica, and a short log of what was sent. A socket remembers the number of
//! the last frame it has read and asks for what came after; the answer is the frames themselves, or, when it is too far
//! behind, the merged latest state: one diff of the rows that changed, or the snapshot.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use super::encode;
use super::frame::Frame;
use super::protocol::{Removal, ServerMessage};
use super::replica::{Change, Replica, Row};
use super::snapshot::Snapshot;
use crate::domain::news::Position;
use crate::domain::order::unix_ms;

/// Frames kept for readers that are nearly up to date.
const FRAMES_MAX: usize = 256;
const FRAMES_BYTES_MAX: usize = 512 * 1024;
/// Changes remembered for readers that come back or have fallen behind.
const CHANGES_MAX: usize = 20_000;
/// More changed rows than this and the snapshot, which is shared, is the cheaper answer.
const MERGED_MAX: usize = 150;
/// What one socket is given at once: bounds what a stalled reader keeps alive.
const GATHER_BYTES_MAX: usize = 48 * 1024;
/// A reader that joins is given the last snapshot and what came after it, as long as that is less than this: a crowd that
/// joins while the board changes shares one snapshot.
const AFTER_SNAPSHOT_BYTES_MAX: usize = 64 * 1024;
/// Answers to readers that come back, kept while nothing changes: after a break many come back with the same position.
const RESUMES_MAX: usize = 16;

pub struct Board {
    name: String,
    inner: Mutex<Inner>,
    /// Number of the last frame, for readers that only want to know whether there is more.
    last: AtomicU64,
    watchers: AtomicUsize,
}

struct Inner {
    replica: Replica,
    position: Position,
    /// Number of the last frame; every frame has the next one.
    last: u64,
    /// Number of the last frame that changed the board; ticks come after it.
    changed: u64,
    frames: VecDeque<Sent>,
    frames_bytes: usize,
    changes: VecDeque<Logged>,
    /// The last change that is no longer in `changes`: who has less than this cannot be brought up to date by them.
    forgotten: Logged,
    /// The sequence number that the rows applied since the last flush have reached; nothing while they came directly.
    pending_seq: Option<u64>,
    /// The last snapshot that was built, and the number of the last frame it holds.
    snapshot: Option<(Cursor, Arc<Snapshot>)>,
    /// Diffs from these sequence numbers to the present one.
    resumes: VecDeque<(u64, Frame)>,
}

/// A frame for all watchers.
struct Sent {
    number: u64,
    frame: Frame,
    changes: usize,
}

/// A row's change as it was sent: in which frame, and reaching which sequence number.
#[derive(Clone, Copy)]
struct Logged {
    frame: u64,
    seq: u64,
    id: u64,
    removal: Option<Removal>,
    /// Sent while Redis was away: the sequence stood still, so the number alone does not tell who has it.
    is_direct: bool,
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
        let inner = Inner {
            replica: Replica::default(),
            position: Position { epoch: Arc::from(""), seq: 0 },
            last: 0,
            changed: 0,
            frames: VecDeque::new(),
            frames_bytes: 0,
            changes: VecDeque::new(),
            forgotten: Logged { frame: 0, seq: 0, id: 0, removal: None, is_direct: false },
            pending_seq: None,
            snapshot: None,
            resumes: VecDeque::new(),
        };
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
        change(&mut inner.replica)
    }

    /// Everything was loaded anew at `position`. Readers of another epoch get the snapshot.
    pub(super) fn reloaded(&self, position: Position, rows: Vec<Row>) {
        let mut inner = self.lock();
        inner.replica.reload(rows);
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

impl Inner {
    fn push(&mut self, frame: Frame, changes: usize) {
        self.last += 1;
        self.frames_bytes += frame.len();
        self.frames.push_back(Sent { number: self.last, frame, changes });
        while self.frames.len() > FRAMES_MAX || (self.frames_bytes > FRAMES_BYTES_MAX && self.frames.len() > 1) {
            if let Some(old) = self.frames.pop_front() {
                self.frames_bytes -= old.frame.len();
            }
        }
    }

    /// A board's sequence number is that of the last message that changed *this board*: the same on every node, and
    /// standing still while other rows make the news. Rows that came directly leave it where it is. A board that nobody
    /// watches is not encoded: who joins begins behind it.
    fn flush(&mut self, board: &str, is_watched: bool) -> usize {
        let pending = self.pending_seq.take();
        let changes = self.replica.settle();
        if changes.is_empty() {
            return 0;
        }
        self.resumes.clear();
        let prev = self.position.seq;
        self.position.seq = pending.unwrap_or(prev).max(prev);
        if is_watched {
            let row_of = |change: &Change| match change {
                Change::Up(id) => self.replica.row(*id).map(|row| &**row),
                Change::Removed(..) => None,
            };
            let ups: Vec<&Row> = changes.iter().filter_map(row_of).collect();
            let removals = changes.iter().filter_map(|change| match change {
                Change::Removed(id, why) => Some((*id, *why)),
                Change::Up(_) => None,
            });
            let frame = encode::diff(board, &self.position, prev, &ups, &removals.collect());
            metrics::histogram!("orderboard_frame_changes").record(changes.len() as f64);
            self.push(frame, changes.len());
        } else {
            self.last += 1;
            self.frames.clear();
            self.frames_bytes = 0;
        }
        self.changed = self.last;
        self.log(&changes, pending.is_none());
        changes.len()
    }

    fn log(&mut self, changes: &[Change], is_direct: bool) {
        for change in changes {
            let (id, removal) = match *change {
                Change::Up(id) => (id, None),
                Change::Removed(id, why) => (id, Some(why)),
            };
            self.changes.push_back(Logged { frame: self.last, seq: self.position.seq, id, removal, is_direct });
        }
        while self.changes.len() > CHANGES_MAX {
            if let Some(oldest) = self.changes.pop_front() {
                self.forgotten = oldest;
            }
        }
    }

    /// Another epoch: nothing that was sent before links to what comes.
    fn forget_log(&mut self) {
        self.snapshot = None;
        self.resumes.clear();
        self.pending_seq = None;
        // A number is skipped, so that no reader's cursor looks up to date.
        self.last += 2;
        self.changed = self.last;
        self.frames.clear();
        self.frames_bytes = 0;
        self.changes.clear();
        self.forgotten = Logged { frame: self.last, seq: self.position.seq, id: 0, removal: None, is_direct: false };
    }

    /// The last snapshot that was built, if it will do, or a new one; and the frame it holds.
    fn snapshot(&mut self, board: &str, will_do: impl FnOnce(Cursor, &Self) -> bool) -> (Cursor, Arc<Snapshot>) {
        if let Some((at, snapshot)) = &self.snapshot
            && will_do(*at, self)
        {
            return (*at, snapshot.clone());
        }
        let (seq, checksum) = (self.position.seq, self.replica.checksum());
        let text = encode::snapshot(board, &self.position, checksum, &self.replica);
        metrics::counter!("orderboard_snapshots_built_total").increment(1);
        let etag = format!("{}-{seq}-{checksum:08x}", self.position.epoch);
        let snapshot = Arc::new(Snapshot::new(&text, etag));
        self.snapshot = Some((self.last, snapshot.clone()));
        (self.last, snapshot)
    }

    /// How much was sent after this frame; nothing when it is not remembered.
    fn bytes_after(&self, cursor: Cursor) -> Option<usize> {
        let oldest = self.frames.front().map_or(self.last + 1, |sent| sent.number);
        let skip = usize::try_from((cursor + 1).checked_sub(oldest)?).ok()?;
        Some(self.frames.iter().skip(skip).map(|sent| sent.frame.len()).sum())
    }

    /// The merged diff for a reader that comes back with a position of this epoch.
    fn diff_since(&mut self, board: &str, epoch: &str, seq: u64) -> Option<Frame> {
        let is_remembered = seq > self.forgotten.seq || (seq == self.forgotten.seq && !self.forgotten.is_direct);
        if *epoch != *self.position.epoch || seq > self.position.seq || !is_remembered {
            return None;
        }
        if let Some((_, known)) = self.resumes.iter().find(|(from, _)| *from == seq) {
            return Some(known.clone());
        }
        let missed = |logged: &&Logged| logged.seq > seq || (logged.is_direct && logged.seq == seq);
        let frame = self.merged(board, seq, self.changes.iter().rev().take_while(missed))?;
        self.resumes.push_back((seq, frame.clone()));
        if self.resumes.len() > RESUMES_MAX {
            self.resumes.pop_front();
        }
        Some(frame)
    }

    /// The merged diff for a reader that has fallen behind the frames.
    fn merged_since(&self, board: &str, cursor: Cursor) -> Option<Frame> {
        if cursor < self.forgotten.frame {
            return None;
        }
        let had = self.changes.iter().rev().find(|logged| logged.frame <= cursor).unwrap_or(&self.forgotten);
        self.merged(board, had.seq, self.changes.iter().rev().take_while(|logged| logged.frame > cursor))
    }

    fn merged<'a>(&'a self, board: &str, prev: u64, changes: impl Iterator<Item = &'a Logged>) -> Option<Frame> {
        let mut ups: BTreeMap<u64, &Row> = BTreeMap::new();
        let mut removals = BTreeMap::new();
        for logged in changes {
            // Newest first: what is met first is what counts.
            match self.replica.row(logged.id) {
                Some(row) => drop(ups.insert(logged.id, row)),
                None => drop(removals.entry(logged.id).or_insert(logged.removal.unwrap_or(Removal::Window))),
            }
            if ups.len() + removals.len() > MERGED_MAX {
                return None;
            }
        }
        let ups: Vec<&Row> = ups.into_values().collect();
        Some(encode::diff(board, &self.position, prev, &ups, &removals))
    }
}
