//! What a board's lock protects: the replica, and the short log of what was sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Cursor;
use crate::domain::news::Position;
use crate::live::encode;
use crate::live::frame::Frame;
use crate::live::protocol::Removal;
use crate::live::replica::{Change, Replica, Row};
use crate::live::snapshot::Snapshot;

/// Frames kept for readers that are nearly up to date.
const FRAMES_MAX: usize = 256;
const FRAMES_BYTES_MAX: usize = 512 * 1024;
/// Changes remembered for readers that come back or have fallen behind: some of the same row among them, and those of more
/// than [`MERGED_MAX`] rows are not told one by one anyway.
const CHANGES_MAX: usize = 2_000;
/// More changed rows than this and the snapshot, which is shared, is the cheaper answer.
const MERGED_MAX: usize = 150;
/// Longer than news takes that no node has sent and the sweep has to find.
pub(in crate::live) const AHEAD_FOR: Duration = Duration::from_secs(3);
/// Answers to readers that come back, kept while nothing changes: after a break many come back with the same position.
const RESUMES_MAX: usize = 16;

pub(super) struct Inner {
    pub(super) replica: Replica,
    pub(super) position: Position,
    /// Number of the last frame; every frame has the next one.
    pub(super) last: u64,
    /// Number of the last frame that changed the board; ticks come after it.
    pub(super) changed: u64,
    pub(super) frames: VecDeque<Sent>,
    frames_bytes: usize,
    changes: VecDeque<Logged>,
    /// The last change that is no longer in `changes`: who has less than this cannot be brought up to date by them.
    forgotten: Logged,
    /// The sequence number that the rows applied since the last flush have reached; nothing while they came directly.
    pub(super) pending_seq: Option<u64>,
    /// The last snapshot that was built, and the number of the last frame it holds.
    snapshot: Option<(Cursor, Arc<Snapshot>)>,
    /// Diffs from these sequence numbers to the present one.
    resumes: VecDeque<(u64, Frame)>,
    /// Until when this board may hold rows whose news is still to come.
    pub(super) ahead_until: Option<Instant>,
}

/// A frame for all watchers.
pub(super) struct Sent {
    pub(super) number: u64,
    pub(super) frame: Frame,
    pub(super) changes: usize,
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

impl Default for Inner {
    fn default() -> Self {
        Self {
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
            ahead_until: None,
        }
    }
}

impl Inner {
    pub(super) fn push(&mut self, frame: Frame, changes: usize) {
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
    pub(super) fn flush(&mut self, board: &str, is_watched: bool) -> usize {
        let pending = self.pending_seq.take();
        let changes = self.replica.settle();
        if changes.is_empty() {
            return 0;
        }
        self.resumes.clear();
        self.is_still_ahead();
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
    pub(super) fn forget_log(&mut self) {
        self.snapshot = None;
        self.resumes.clear();
        self.pending_seq = None;
        // A number is skipped, so that no reader's cursor looks up to date.
        self.last += 2;
        self.changed = self.last;
        self.frames.clear();
        self.frames_bytes = 0;
        self.forget_changes(false);
    }

    /// Rows have come that the bus did not bring, and their news may still be on its way: for a while this board and another
    /// node's at the same sequence number are not the same, and who comes from there cannot be told what it has missed.
    pub(super) fn is_ahead(&mut self) {
        self.ahead_until = Some(Instant::now() + AHEAD_FOR);
    }

    /// Once it no longer is, the positions that there were, the present one among them, say nothing about what came otherwise;
    /// later ones do.
    fn is_still_ahead(&mut self) -> bool {
        if self.ahead_until.is_some_and(|until| until > Instant::now()) {
            return true;
        }
        if self.ahead_until.take().is_some() {
            self.forget_changes(true);
        }
        false
    }

    fn forget_changes(&mut self, is_direct: bool) {
        self.resumes.clear();
        self.changes.clear();
        self.forgotten = Logged { frame: self.last, seq: self.position.seq, id: 0, removal: None, is_direct };
    }

    /// The last snapshot that was built, if it will do, or a new one; and the frame it holds.
    pub(super) fn snapshot(&mut self, board: &str, will_do: impl FnOnce(Cursor, &Self) -> bool) -> (Cursor, Arc<Snapshot>) {
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
    pub(super) fn bytes_after(&self, cursor: Cursor) -> Option<usize> {
        let oldest = self.frames.front().map_or(self.last + 1, |sent| sent.number);
        let skip = usize::try_from((cursor + 1).checked_sub(oldest)?).ok()?;
        Some(self.frames.iter().skip(skip).map(|sent| sent.frame.len()).sum())
    }

    /// The merged diff for a reader that comes back with a position of this epoch.
    pub(super) fn diff_since(&mut self, board: &str, epoch: &str, seq: u64) -> Option<Frame> {
        if self.is_still_ahead() {
            return None;
        }
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
    pub(super) fn merged_since(&self, board: &str, cursor: Cursor) -> Option<Frame> {
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
