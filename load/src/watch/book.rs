//! Every frame that was seen, once. All sockets of a board get the same bytes, so a frame is read as JSON the first time
//! it comes, on whichever socket that is, and compared byte for byte ever after: that is cheap enough for millions of
//! changes a second on one core, and proves more than a scan could.
//!
//! The *trunk* is one full copy of the board, carried on by each new frame and proved by the checksums of ticks and
//! snapshots. A socket whose frames are those of the book, each linked to the one before, holds the trunk's state. What a
//! slow socket is given instead, the merged latest state, is compared with the trunk's changes row by row.

use std::collections::{HashMap, VecDeque};

use super::marker::{self, Marker};
use crate::check::Problems;
use crate::replica::{Applied, Frame, Replica};

/// What is remembered of frames; a socket that is further behind has its frames read anew.
const BYTES_MAX: usize = 64 << 20;
const PAGES_MAX: usize = 100_000;
/// Diffs of the trunk that merged ones can be compared with.
const TRUNK_MAX: usize = 20_000;
/// Diffs that wait for the trunk.
const WAITING_MAX: usize = 5_000;

/// How what is read is to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The board's protocol.
    Board,
    /// Messages with numbered markers, each to come once and in order.
    Numbered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Snapshot {
        place: Place,
    },
    Diff {
        prev: u64,
        place: Place,
    },
    Tick {
        place: Place,
    },
    Numbered {
        first: u64,
        last: u64,
        is_whole: bool,
    },
    /// Nothing that counts.
    Other,
}

/// A position; the epoch is the number under which the book knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) epoch: u32,
    pub(crate) seq: u64,
}

pub(crate) struct Page {
    bytes: Box<[u8]>,
    /// The page that followed this one on the socket that came last: a guess that is nearly always right.
    next: u64,
    pub(crate) kind: Kind,
    pub(crate) dues_us: Box<[u64]>,
}

struct Change {
    prev: u64,
    seq: u64,
    /// With their version, or gone.
    rows: Vec<(u64, Option<u64>)>,
}

struct Waiting {
    change: Change,
    text: Box<str>,
}

pub(crate) struct Book {
    reading: Reading,
    pages: VecDeque<Page>,
    /// The number of the first page that is still here.
    first: u64,
    bytes: usize,
    /// By checksum and length.
    places: HashMap<(u32, usize), u64>,
    epochs: Vec<String>,
    trunk: Replica,
    history: VecDeque<Change>,
    /// Diffs that begin where the trunk is not yet, or began before it.
    waiting: Vec<Waiting>,
    /// The newest snapshot that the trunk has not reached.
    spare: Option<(Replica, Place)>,
    /// Where the trunk stood when a tick was ahead of it.
    stuck_at: Option<u64>,
    /// Where the trunk was last proved by a checksum.
    proved: Option<Place>,
    pub(crate) facts: Facts,
}

/// What the book has found.
#[derive(Default)]
pub(crate) struct Facts {
    /// Ticks and snapshots that proved the trunk.
    pub(crate) proofs: u64,
    /// Merged diffs that were compared with the trunk's changes.
    pub(crate) merged: u64,
    /// Merged diffs that reach back to before the copy was begun.
    pub(crate) uncompared: u64,
    pub(crate) mismatches: Problems,
    /// What the server complained about.
    pub(crate) errors: Problems,
}

impl Book {
    pub(crate) fn new(reading: Reading) -> Self {
        Self {
            reading,
            pages: VecDeque::new(),
            first: 1,
            bytes: 0,
            places: HashMap::new(),
            epochs: Vec::new(),
            trunk: Replica::default(),
            history: VecDeque::new(),
            waiting: Vec::new(),
            spare: None,
            stuck_at: None,
            proved: None,
            facts: Facts::default(),
        }
    }

    /// The number of the page that holds this frame; `after` is the one before on the same socket, 0 for none.
    pub(crate) fn find(&mut self, after: u64, bytes: &[u8], payload: &[u8]) -> u64 {
        let guess = self.page(after).map_or(0, |page| page.next);
        if self.page(guess).is_some_and(|page| *page.bytes == *bytes) {
            return guess;
        }
        let sum = (crc32fast::hash(bytes), bytes.len());
        let known = self.places.get(&sum).copied().filter(|&number| self.page(number).is_some_and(|page| *page.bytes == *bytes));
        let number = known.unwrap_or_else(|| self.add(sum, bytes, payload));
        if let Some(before) = after.checked_sub(self.first).and_then(|at| self.pages.get_mut(at as usize)) {
            before.next = number;
        }
        number
    }

    pub(crate) fn page(&self, number: u64) -> Option<&Page> {
        self.pages.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Where the trunk stands.
    pub(crate) fn place(&self) -> Option<Place> {
        let epoch = self.epochs.iter().position(|epoch| *epoch == self.trunk.epoch)?;
        Some(Place { epoch: epoch as u32, seq: self.trunk.seq })
    }

    /// Whether a checksum has proved the trunk where it stands.
    pub(crate) fn is_proved(&self) -> bool {
        self.proved.is_some() && self.proved == self.place()
    }

    fn add(&mut self, sum: (u32, usize), bytes: &[u8], payload: &[u8]) -> u64 {
        let markers = marker::all(payload);
        let kind = match self.reading {
            Reading::Board => self.read(payload),
            Reading::Numbered => numbered(&markers),
        };
        let number = self.first + self.pages.len() as u64;
        let dues_us = if matches!(kind, Kind::Snapshot { .. }) { Vec::new() } else { markers.iter().map(|m| m.due_us).collect() };
        self.pages.push_back(Page { bytes: bytes.into(), next: 0, kind, dues_us: dues_us.into() });
        self.places.insert(sum, number);
        self.bytes += bytes.len();
        while self.pages.len() > PAGES_MAX || (self.bytes > BYTES_MAX && self.pages.len() > 1) {
            let Some(old) = self.pages.pop_front() else { break };
            self.bytes -= old.bytes.len();
            let sum = (crc32fast::hash(&old.bytes), old.bytes.len());
            if self.places.get(&sum) == Some(&self.first) {
                self.places.remove(&sum);
            }
            self.first += 1;
        }
        number
    }

    fn read(&mut self, payload: &[u8]) -> Kind {
        let frame: Frame<'_> = match std::str::from_utf8(payload)
            .map_err(|e| e.to_string())
            .and_then(|text| serde_json::from_str(text).map_err(|e| e.to_string()))
        {
            Ok(frame) => frame,
            Err(error) => {
                self.facts.errors.add(|| format!("a frame that cannot be read: {error}"));
                return Kind::Other;
            }
        };
        let place = Place { epoch: self.epoch(&frame), seq: frame.seq };
        match frame.kind {
            "snapshot" => {
                self.snapshot(&frame, place);
                Kind::Snapshot { place }
            }
            "diff" => {
                self.diff(&frame, std::str::from_utf8(payload).unwrap_or_default());
                Kind::Diff { prev: frame.prev, place }
            }
            "tick" => {
                if self.trunk.stands_at(&frame) {
                    let applied = self.trunk.tick(&frame);
                    self.judge(&applied, "tick", place);
                } else if self.trunk.seq < frame.seq && self.stuck_at.replace(self.trunk.seq) == Some(self.trunk.seq) {
                    self.jump();
                }
                Kind::Tick { place }
            }
            "error" | "drain" => {
                let words = String::from_utf8_lossy(payload).into_owned();
                self.facts.errors.add(|| words);
                Kind::Other
            }
            _ => Kind::Other,
        }
    }

    fn epoch(&mut self, frame: &Frame<'_>) -> u32 {
        let Some(epoch) = frame.epoch.map(|raw| raw.get()) else { return u32::MAX };
        let known = self.epochs.iter().position(|known| known == epoch);
        known.unwrap_or_else(|| {
            self.epochs.push(epoch.to_owned());
            self.epochs.len() - 1
        }) as u32
    }

    /// Every snapshot must agree with its own checksum; the first one of an epoch becomes the trunk.
    fn snapshot(&mut self, frame: &Frame<'_>, place: Place) {
        let mut copy = Replica::default();
        let applied = copy.snapshot(frame, |_| ());
        if self.place().is_none_or(|trunk| trunk.epoch != place.epoch) {
            self.trunk = copy;
            self.history.clear();
            self.waiting.clear();
            self.judge(&applied, "snapshot", place);
        } else if applied == Applied::Differs {
            self.facts.mismatches.add(|| format!("the snapshot at seq {} contradicts its checksum", place.seq));
        } else {
            self.spare = Some((copy, place));
        }
    }

    fn judge(&mut self, applied: &Applied, what: &str, place: Place) {
        if *applied == Applied::Proved {
            self.facts.proofs += 1;
            self.proved = Some(place);
        } else {
            self.facts.mismatches.add(|| format!("{what} at seq {}: its checksum is not the copy's", place.seq));
        }
    }

    fn diff(&mut self, frame: &Frame<'_>, text: &str) {
        if frame.epoch.is_none_or(|epoch| epoch.get() != self.trunk.epoch) {
            return;
        }
        let mut rows: Vec<(u64, Option<u64>)> = frame.up.iter().map(|row| (row.id, Some(row.version))).collect();
        rows.extend(frame.rm.iter().map(|&(id, _)| (id, None)));
        let (prev, seq, at) = (frame.prev, frame.seq, self.trunk.seq);
        if prev == at {
            self.trunk.diff(frame, |_| ());
            self.remember(Change { prev, seq, rows });
        } else if prev < seq {
            self.waiting.push(Waiting { change: Change { prev, seq, rows }, text: text.into() });
        }
        self.advance();
    }

    fn remember(&mut self, change: Change) {
        self.history.push_back(change);
        if self.history.len() > TRUNK_MAX {
            self.history.pop_front();
        }
    }

    /// Carries the trunk on with what came before its turn, because some socket was ahead, and compares what the trunk
    /// has passed.
    fn advance(&mut self) {
        loop {
            let at = self.trunk.seq;
            let fits = |waiting: &Waiting| waiting.change.prev <= at && waiting.change.seq > at;
            let Some(place) = self.waiting.iter().position(fits) else { break };
            let Waiting { change, text } = &self.waiting[place];
            let Ok(mut frame) = serde_json::from_str::<Frame<'_>>(text) else { break };
            // One that began earlier holds what lies between as well: state, not deltas.
            frame.prev = at;
            let (rows, seq) = (change.rows.clone(), change.seq);
            self.trunk.diff(&frame, |_| ());
            self.remember(Change { prev: at, seq, rows });
        }
        let at = self.trunk.seq;
        let (passed, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.change.seq <= at);
        self.waiting = waiting;
        let passed: Vec<Waiting> = passed;
        passed.iter().for_each(|passed| self.compare(&passed.change));
        if self.waiting.len() > WAITING_MAX {
            self.facts.mismatches.add(|| format!("{WAITING_MAX} diffs do not follow on the copy, which is at seq {at}"));
            self.waiting.clear();
        }
    }

    /// No socket was sent what would carry the trunk on: they were all given snapshots. The newest of those is the trunk.
    fn jump(&mut self) {
        if let Some((copy, place)) = self.spare.take_if(|(copy, _)| copy.seq > self.trunk.seq) {
            self.trunk = copy;
            self.proved = Some(place);
            self.history.clear();
            self.advance();
        }
    }

    /// A merged diff must hold every row that the trunk has changed between its ends, in that version or a newer one.
    fn compare(&mut self, merged: &Change) {
        let (prev, seq) = (merged.prev, merged.seq);
        if self.history.front().is_none_or(|oldest| oldest.prev > prev) {
            self.facts.uncompared += 1;
            return;
        }
        let held: HashMap<u64, Option<u64>> = merged.rows.iter().copied().collect();
        self.facts.merged += 1;
        for change in self.history.iter().filter(|change| change.prev >= prev && change.seq <= seq) {
            for &(id, version) in &change.rows {
                let is_there = match (held.get(&id), version) {
                    (None, _) => false,
                    (Some(Some(held)), Some(version)) => *held >= version,
                    (Some(_), _) => true,
                };
                if !is_there {
                    self.facts.mismatches.add(|| format!("the merged diff {prev}..{seq} lacks order {id} as of {}", change.seq));
                }
            }
        }
    }
}

fn numbered(markers: &[Marker]) -> Kind {
    match (markers.first(), markers.last()) {
        (Some(first), Some(last)) => {
            let is_whole = markers.windows(2).all(|pair| pair[1].number == pair[0].number + 1);
            Kind::Numbered { first: first.number, last: last.number, is_whole }
        }
        _ => Kind::Other,
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
