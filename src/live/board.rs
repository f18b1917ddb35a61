//! One board as its watchers share it: the replica, and a short log of what was sent. A socket remembers the number of
//! the last frame it has read and asks for what came after; the answer is the frames themselves, or, when it is too far
//! behind, the merged latest state: one diff of the rows that changed, or the snapshot.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use bytes::Bytes;
use tokio::sync::watch;

use super::compress;
use super::frame::Frame;
use super::protocol::{Removal, ServerMessage};
use super::replica::{Change, Replica, Row};
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
const GATHER_BYTES_MAX: usize = 32 * 1024;

pub struct Board {
    name: String,
    inner: Mutex<Inner>,
    moved: watch::Sender<u64>,
}

struct Inner {
    replica: Replica,
    position: Position,
    /// Number of the last frame; every frame has the next one.
    last: u64,
    frames: VecDeque<(u64, Frame)>,
    frames_bytes: usize,
    changes: VecDeque<Logged>,
    /// The last change that is no longer in `changes`: who has less than this cannot be brought up to date by them.
    forgotten: Logged,
    /// The sequence number that the rows applied since the last flush have reached; nothing while they came directly.
    pending_seq: Option<u64>,
    snapshot: Option<Frame>,
    /// The snapshot compressed, by the first who wants it so.
    gzip: Arc<OnceLock<Bytes>>,
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

/// What a reader gets next.
pub(super) struct Given {
    pub(super) frames: Vec<Bytes>,
    pub(super) cursor: Cursor,
    /// There is more to ask for at once.
    pub(super) has_more: bool,
}

/// The board at one moment, as JSON, and the validator for caches: the same on every node that has the same orders, and
/// changing with them alone.
pub struct Snapshot {
    pub json: Bytes,
    pub etag: String,
    gzip: Arc<OnceLock<Bytes>>,
}

impl Snapshot {
    /// The JSON compressed; once a change, whoever asks and however many do. Takes 1–2 ms the first time.
    pub fn gzip(&self) -> Bytes {
        self.gzip.get_or_init(|| compress::gzip(&self.json)).clone()
    }
}

impl Board {
    pub(super) fn new(name: &str) -> Self {
        let inner = Inner {
            replica: Replica::default(),
            position: Position { epoch: Arc::from(""), seq: 0 },
            last: 0,
            frames: VecDeque::new(),
            frames_bytes: 0,
            changes: VecDeque::new(),
            forgotten: Logged { frame: 0, seq: 0, id: 0, removal: None, is_direct: false },
            pending_seq: None,
            snapshot: None,
            gzip: Arc::default(),
        };
        Self { name: name.to_owned(), inner: Mutex::new(inner), moved: watch::Sender::new(0) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Wakes its holder whenever there are new frames.
    pub(super) fn moved(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    pub fn snapshot(&self) -> Snapshot {
        let mut inner = self.flushed();
        let etag = format!("\"{}-{}-{:08x}\"", inner.position.epoch, inner.position.seq, inner.replica.checksum());
        let json = inner.snapshot(&self.name).payload();
        Snapshot { json, etag, gzip: inner.gzip.clone() }
    }

    /// A reader begins. With a position it had elsewhere: a diff from there if that can be told, else the snapshot.
    pub(super) fn join(&self, had: Option<(&str, u64)>) -> (Bytes, Cursor) {
        let mut inner = self.flushed();
        let cursor = inner.last;
        let diff = had.and_then(|(epoch, seq)| inner.diff_since(&self.name, epoch, seq));
        let frame = diff.unwrap_or_else(|| inner.snapshot(&self.name));
        (frame.wire(), cursor)
    }

    /// What came after `cursor`.
    pub(super) fn since(&self, cursor: Cursor) -> Given {
        let mut inner = self.lock();
        let oldest = inner.frames.front().map_or(inner.last + 1, |(number, _)| *number);
        if cursor + 1 < oldest {
            drop(inner);
            inner = self.flushed();
            metrics::counter!("orderboard_readers_caught_up_total").increment(1);
            let frame = inner.merged_since(&self.name, cursor).unwrap_or_else(|| inner.snapshot(&self.name));
            return Given { frames: vec![frame.wire()], cursor: inner.last, has_more: false };
        }
        let mut given = Given { frames: Vec::new(), cursor, has_more: false };
        let mut bytes = 0;
        let skip = usize::try_from(cursor + 1 - oldest).unwrap_or(usize::MAX);
        for (number, frame) in inner.frames.iter().skip(skip) {
            if bytes > 0 && bytes + frame.len() > GATHER_BYTES_MAX {
                given.has_more = true;
                break;
            }
            bytes += frame.len();
            given.frames.push(frame.wire());
            given.cursor = *number;
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
            inner.flush(&self.name);
        } else {
            inner.replica.settle();
            inner.position = position;
            inner.forget_log();
        }
        let last = inner.last;
        drop(inner);
        self.moved.send_replace(last);
    }

    /// Sends what changed since the last flush as one frame; nothing when nothing did.
    pub(super) fn flush(&self) {
        drop(self.flushed());
    }

    /// The board with everything sent that was applied: only then do its rows and its sequence number belong together.
    fn flushed(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        let before = inner.last;
        inner.flush(&self.name);
        if inner.last != before {
            self.moved.send_replace(inner.last);
        }
        inner
    }

    /// Lets every reader prove its copy.
    pub(super) fn tick(&self, now: time::OffsetDateTime) {
        if self.moved.receiver_count() == 0 {
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
        inner.push(frame);
        let last = inner.last;
        drop(inner);
        self.moved.send_replace(last);
    }

    /// A panic while the lock was held would have left the log half-written; there is no code in here that panics.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    fn push(&mut self, frame: Frame) {
        self.last += 1;
        self.frames_bytes += frame.len();
        self.frames.push_back((self.last, frame));
        while self.frames.len() > FRAMES_MAX || (self.frames_bytes > FRAMES_BYTES_MAX && self.frames.len() > 1) {
            if let Some((_, old)) = self.frames.pop_front() {
                self.frames_bytes -= old.len();
            }
        }
    }

    /// A board's sequence number is that of the last message that changed *this board*: the same on every node, and
    /// standing still while other rows make the news. Rows that came directly leave it where it is.
    fn flush(&mut self, board: &str) {
        let pending = self.pending_seq.take();
        let changes = self.replica.settle();
        if changes.is_empty() {
            return;
        }
        self.snapshot = None;
        let prev = self.position.seq;
        self.position.seq = pending.unwrap_or(prev).max(prev);
        let row_of = |change: &Change| match change {
            Change::Up(id) => self.replica.row(*id).map(|row| &**row),
            Change::Removed(..) => None,
        };
        let ups: Vec<&Row> = changes.iter().filter_map(row_of).collect();
        let removals = changes.iter().filter_map(|change| match change {
            Change::Removed(id, why) => Some((*id, *why)),
            Change::Up(_) => None,
        });
        let frame = diff(board, &self.position, prev, &ups, &removals.collect());
        self.push(frame);
        self.log(&changes, pending.is_none());
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
        self.pending_seq = None;
        // A number is skipped, so that no reader's cursor looks up to date.
        self.last += 2;
        self.frames.clear();
        self.frames_bytes = 0;
        self.changes.clear();
        self.forgotten = Logged { frame: self.last, seq: self.position.seq, id: 0, removal: None, is_direct: false };
    }

    fn snapshot(&mut self, board: &str) -> Frame {
        if let Some(snapshot) = &self.snapshot {
            return snapshot.clone();
        }
        let mut text = String::with_capacity(256 + self.replica.shown_count() * 320);
        text.push_str(r#"{"type":"snapshot","#);
        place(&mut text, board, &self.position.epoch);
        text.push_str(&format!(r#","seq":{},"checksum":{},"orders":["#, self.position.seq, self.replica.checksum()));
        list(&mut text, self.replica.shown().map(|row| &*row.json));
        text.push_str("]}");
        let frame = Frame::text(&text);
        self.snapshot = Some(frame.clone());
        self.gzip = Arc::default();
        frame
    }

    /// The merged diff for a reader that comes back with a position of this epoch.
    fn diff_since(&self, board: &str, epoch: &str, seq: u64) -> Option<Frame> {
        let is_remembered = seq > self.forgotten.seq || (seq == self.forgotten.seq && !self.forgotten.is_direct);
        if *epoch != *self.position.epoch || seq > self.position.seq || !is_remembered {
            return None;
        }
        let missed = |logged: &&Logged| logged.seq > seq || (logged.is_direct && logged.seq == seq);
        self.merged(board, seq, self.changes.iter().rev().take_while(missed))
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
        Some(diff(board, &self.position, prev, &ups, &removals))
    }
}

fn diff(board: &str, reached: &Position, prev: u64, ups: &[&Row], removals: &BTreeMap<u64, Removal>) -> Frame {
    let mut text = String::with_capacity(160 + ups.len() * 320 + removals.len() * 24);
    text.push_str(r#"{"type":"diff","#);
    place(&mut text, board, &reached.epoch);
    text.push_str(&format!(r#","prev":{prev},"seq":{},"up":["#, reached.seq));
    list(&mut text, ups.iter().map(|row| &*row.json));
    text.push_str(r#"],"rm":"#);
    let pairs: Vec<(u64, Removal)> = removals.iter().map(|(id, why)| (*id, *why)).collect();
    text.push_str(&serde_json::to_string(&pairs).unwrap_or_default());
    text.push('}');
    Frame::text(&text)
}

/// Board names are slugs and epochs are random letters: neither needs escaping.
fn place(text: &mut String, board: &str, epoch: &str) {
    text.push_str(&format!(r#""board":"{board}","epoch":"{epoch}""#));
}

fn list<'a>(text: &mut String, rows: impl Iterator<Item = &'a str>) {
    for (place, row) in rows.enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(row);
    }
}
