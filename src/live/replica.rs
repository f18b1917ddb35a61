//! One board's rows on this node: all open orders from the newest down to a *bottom*, of which the first 1,000 are shown
//! and the rest are a reserve that fills gaps. Pure: applying a row is idempotent and order-free (a newer version wins),
//! and rows that left are remembered, so that an older "open" that arrives late cannot bring them back.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::protocol::Removal;

/// Orders on the board.
pub(super) const SHOWN_MAX: usize = 1_000;
/// Rows kept beyond the board when all is well.
const RESERVE: usize = 1_000;
/// Rows loaded at once.
pub(super) const LOAD: usize = SHOWN_MAX + RESERVE;
/// Fewer rows than this, and more in the database: refill.
const REFILL_BELOW: usize = SHOWN_MAX + RESERVE / 2;
const KEEP_MAX: usize = SHOWN_MAX + 3 * RESERVE;
/// Rows that left and are remembered. What is late is late by as long as a reading of rows takes.
const GONE_MAX: usize = 5_000;

/// A row as the board shows it, encoded once.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: u64,
    pub(super) version: u64,
    pub(super) json: Box<str>,
}

/// What happened to a row on the shown part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Up(u64),
    Removed(u64, Removal),
}

#[derive(Default)]
pub(super) struct Replica {
    rows: BTreeMap<u64, Arc<Row>>,
    /// Every open order with at least this id is in `rows`; 0 when the replica holds them all.
    bottom: u64,
    shown: BTreeSet<u64>,
    gone: HashMap<u64, (u64, Removal)>,
    gone_order: VecDeque<u64>,
    touched: BTreeSet<u64>,
}

impl Replica {
    /// Puts an open order's row in, unless a newer state is known.
    pub(super) fn put(&mut self, row: Arc<Row>) {
        let id = row.id;
        let older_than = |known: u64| row.version <= known;
        if self.rows.get(&id).is_some_and(|known| older_than(known.version)) || self.gone.get(&id).is_some_and(|gone| older_than(gone.0)) {
            return;
        }
        if id < self.bottom {
            // Below what we hold completely; a refill reads it when its turn comes.
            return;
        }
        self.gone.remove(&id);
        self.rows.insert(id, row);
        self.touched.insert(id);
    }

    /// Takes an order out that is no longer open here.
    pub(super) fn remove(&mut self, id: u64, version: u64, why: Removal) {
        if self.rows.get(&id).is_some_and(|known| version < known.version) || self.gone.get(&id).is_some_and(|gone| version <= gone.0) {
            return;
        }
        if self.rows.remove(&id).is_some() {
            self.touched.insert(id);
        }
        if self.gone.insert(id, (version, why)).is_none() {
            self.gone_order.push_back(id);
        }
        while self.gone_order.len() > GONE_MAX {
            if let Some(oldest) = self.gone_order.pop_front() {
                self.gone.remove(&oldest);
            }
        }
    }

    /// Replaces everything by what MySQL holds now: open rows, newest first, as many as asked for or all there are.
    pub(super) fn reload(&mut self, rows: Vec<Row>) {
        self.touched.extend(self.rows.keys().copied());
        self.bottom = bottom_of(&rows, LOAD);
        self.gone.clear();
        self.gone_order.clear();
        self.touched.extend(rows.iter().map(|row| row.id));
        self.rows = rows.into_iter().map(|row| (row.id, Arc::new(row))).collect();
    }

    /// Adds rows read from MySQL below the bottom.
    pub(super) fn refill(&mut self, rows: Vec<Row>) {
        self.bottom = bottom_of(&rows, RESERVE);
        for row in rows {
            self.put(Arc::new(row));
        }
    }

    /// The id below which to read more, and how many rows; nothing while there is enough.
    pub(super) fn wants(&self) -> Option<(u64, u32)> {
        (self.bottom > 0 && self.rows.len() < REFILL_BELOW).then_some((self.bottom, RESERVE as u32))
    }

    /// What has changed on the shown part since the last call.
    pub(super) fn settle(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut fresh = BTreeSet::new();
        let lowest = self.shown.first().copied().unwrap_or(u64::MAX);
        for id in std::mem::take(&mut self.touched) {
            if self.rows.contains_key(&id) {
                if id < lowest {
                    // It may not come before others of the reserve: those that follow the shown part fill it, in their order.
                    continue;
                }
                if self.shown.insert(id) {
                    fresh.insert(id);
                }
                changes.push(Change::Up(id));
            } else if self.shown.remove(&id) {
                let why = self.gone.get(&id).map_or(Removal::Window, |gone| gone.1);
                changes.push(Change::Removed(id, why));
            }
        }
        self.fit(&mut changes, &fresh);
        self.trim();
        changes
    }

    /// Makes the shown part the newest 1,000 again. Rows in `fresh` were not shown before: nobody has to be told when
    /// they fall out at once.
    fn fit(&mut self, changes: &mut Vec<Change>, fresh: &BTreeSet<u64>) {
        while self.shown.len() > SHOWN_MAX {
            let Some(lowest) = self.shown.pop_first() else { break };
            changes.retain(|change| *change != Change::Up(lowest));
            if !fresh.contains(&lowest) {
                changes.push(Change::Removed(lowest, Removal::Window));
            }
        }
        let lowest = self.shown.first().copied().unwrap_or(u64::MAX);
        let missing = SHOWN_MAX - self.shown.len();
        let fill: Vec<u64> = self.rows.range(..lowest).rev().take(missing).map(|(id, _)| *id).collect();
        for id in fill {
            self.shown.insert(id);
            changes.push(Change::Up(id));
        }
    }

    /// Forgets the oldest of the reserve when there is far too much of it.
    fn trim(&mut self) {
        while self.rows.len() > KEEP_MAX {
            self.rows.pop_first();
            self.bottom = self.rows.first_key_value().map_or(0, |(id, _)| *id);
        }
    }

    /// The shown rows, newest first.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.shown.iter().rev().filter_map(|id| self.rows.get(id))
    }

    pub(super) fn row(&self, id: u64) -> Option<&Arc<Row>> {
        if self.shown.contains(&id) { self.rows.get(&id) } else { None }
    }

    pub(super) fn shown_count(&self) -> usize {
        self.shown.len()
    }

    /// CRC-32 (IEEE) of `id:version,` over the shown rows, newest first: lets a client prove its copy.
    pub(super) fn checksum(&self) -> u32 {
        use std::fmt::Write as _;
        let mut hasher = crc32fast::Hasher::new();
        let mut text = String::with_capacity(32);
        for row in self.shown() {
            text.clear();
            // Writing into a String cannot fail.
            let _ = write!(text, "{}:{},", row.id, row.version);
            hasher.update(text.as_bytes());
        }
        hasher.finalize()
    }
}

/// Fewer rows than asked for: there are no more below.
fn bottom_of(rows: &[Row], asked: usize) -> u64 {
    if rows.len() < asked { 0 } else { rows.last().map_or(0, |row| row.id) }
}

#[cfg(test)]
#[path = "replica_tests.rs"]
mod tests;
