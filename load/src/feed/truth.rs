//! What the tables hold, known without asking them: this run alone changes orders, and enters each change here the moment
//! it is committed. So a copy of the board can be compared at any time, and each difference has a moment since which it is
//! there. Changes of which orders are open are made under `gate`: while it is held nobody compares.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Mutex;
use std::time::Instant;

use crate::money::Dice;
use crate::races::locked;

/// What the board shows.
pub(super) const SHOWN_MAX: usize = 1_000;
/// Versions of an order whose moments are remembered.
const REMEMBERED: usize = 64;

/// How news of a change went on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// Handed to Redis, or about to be.
    Published,
    /// Nobody was told, as when a node dies between commit and publishing.
    Withheld,
    /// Redis was away.
    Failed,
}

/// A change of an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pub(super) at: Instant,
    pub(super) fate: Fate,
    /// When its news was sent, or was not: this tool's own slowness is not the feed's.
    pub(super) settled: Option<Instant>,
    /// Of the order, afterwards.
    pub(super) version: u64,
}

/// An order as a copy does not have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind {
    pub(super) id: u64,
    /// The first change that the copy lacks. None where no order's own change is missing and the copy still ends elsewhere
    /// than the board.
    pub(super) lacks: Option<Made>,
}

#[derive(Default)]
pub(super) struct Truth {
    state: Mutex<State>,
    pub(super) gate: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    orders: HashMap<u64, Order>,
    /// The versions of those that are open.
    open: BTreeMap<u64, u64>,
    /// Those that are not and may be opened again.
    closed: Vec<u64>,
    /// Open ones, to draw from.
    pool: Vec<u64>,
    /// Being changed by somebody.
    leased: HashSet<u64>,
}

#[derive(Default)]
struct Order {
    made: VecDeque<Made>,
    opened: Option<Made>,
    closed: Option<Made>,
}

/// What a change does to its orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Deed {
    Touch,
    Open,
    Close { for_good: bool },
}

impl Truth {
    pub(super) fn begin_with(&self, ids: &[u64], at: Instant) {
        self.made(ids, Deed::Open, Fate::Published, at);
    }

    pub(super) fn open_count(&self) -> usize {
        locked(&self.state).open.len()
    }

    pub(super) fn closed_count(&self) -> usize {
        locked(&self.state).closed.len()
    }

    /// Orders that nobody else changes until they are returned: open ones, or closed ones; perhaps fewer than wanted.
    pub(super) fn lease(&self, wanted: u64, is_open: bool, dice: &mut Dice) -> Vec<u64> {
        let state = &mut *locked(&self.state);
        let from = if is_open { &state.pool } else { &state.closed };
        let mut ids = Vec::new();
        for _ in 0..2 * wanted {
            if let Some(id) = dice.pick(from)
                && (ids.len() as u64) < wanted
                && state.leased.insert(*id)
            {
                ids.push(*id);
            }
        }
        ids.sort_unstable();
        ids
    }

    /// New orders belong to who made them until their news is out.
    pub(super) fn keep(&self, ids: &[u64]) {
        locked(&self.state).leased.extend(ids);
    }

    pub(super) fn give_back(&self, ids: &[u64]) {
        let mut state = locked(&self.state);
        ids.iter().for_each(|id| _ = state.leased.remove(id));
    }

    /// These orders were changed: each has one more version.
    pub(super) fn made(&self, ids: &[u64], deed: Deed, fate: Fate, at: Instant) {
        let state = &mut *locked(&self.state);
        for &id in ids {
            let order = state.orders.entry(id).or_default();
            let version = order.made.back().map_or(1, |last| last.version + 1);
            let made = Made { at, fate, settled: None, version };
            order.made.push_back(made);
            if order.made.len() > REMEMBERED {
                order.made.pop_front();
            }
            match deed {
                Deed::Touch => {
                    if let Some(known) = state.open.get_mut(&id) {
                        *known = version;
                    }
                }
                Deed::Open => {
                    order.opened = Some(made);
                    state.open.insert(id, version);
                }
                Deed::Close { .. } => {
                    order.closed = Some(made);
                    state.open.remove(&id);
                }
            }
        }
        match deed {
            Deed::Touch => return,
            Deed::Open => state.closed.retain(|id| !ids.contains(id)),
            Deed::Close { for_good: false } => state.closed.extend(ids),
            Deed::Close { for_good: true } => {}
        }
        state.pool = state.open.keys().copied().collect();
    }

    /// What became of the news of changes that are entered already.
    pub(super) fn settle(&self, ids: &[u64], at: Instant, fate: Fate) {
        let now = Instant::now();
        let mut state = locked(&self.state);
        for id in ids {
            let Some(order) = state.orders.get_mut(id) else { continue };
            let places = order.made.iter_mut().rev().take(1).chain(&mut order.opened).chain(&mut order.closed);
            places.filter(|made| made.at == at).for_each(|made| (made.fate, made.settled) = (fate, Some(now)));
        }
    }

    /// What is known of a change by now.
    pub(super) fn known(&self, id: u64, version: u64) -> Option<Made> {
        locked(&self.state).orders.get(&id)?.made.iter().find(|made| made.version == version).copied()
    }

    /// The version that the order must have.
    pub(super) fn version(&self, id: u64) -> Option<u64> {
        locked(&self.state).orders.get(&id)?.made.back().map(|made| made.version)
    }

    /// In what a copy differs from the board; `rows` are its (id, version) by ascending id. Being ahead is no difference:
    /// a change is committed a moment before it is entered.
    pub(super) fn behind(&self, rows: &[(u64, u64)]) -> Vec<Behind> {
        let state = locked(&self.state);
        let lowest = rows.first().map_or(0, |row| row.0);
        let mut behind = Vec::new();
        let mut is_missing = false;
        let mut edge = None;
        let mut own = rows.iter().rev().copied().peekable();
        for (&id, &version) in state.open.iter().rev().take(SHOWN_MAX) {
            while let Some((stale, _)) = own.next_if(|row| row.0 > id) {
                match state.orders.get(&stale).and_then(|order| order.closed) {
                    Some(closed) => {
                        is_missing = true;
                        behind.push(Behind { id: stale, lacks: Some(closed) });
                    }
                    None => edge = Some(stale),
                }
            }
            let order = state.orders.get(&id);
            match own.next_if(|row| row.0 == id) {
                Some((_, has)) if has < version => {
                    let first = order.and_then(|order| order.made.iter().find(|made| made.version > has));
                    behind.push(Behind { id, lacks: first.copied() });
                }
                Some(_) => {}
                None if id > lowest => {
                    is_missing = true;
                    behind.push(Behind { id, lacks: order.and_then(|order| order.opened) });
                }
                None => edge = Some(id),
            }
        }
        for (id, _) in own {
            match (state.open.contains_key(&id), state.orders.get(&id).and_then(|order| order.closed)) {
                (false, Some(closed)) => {
                    is_missing = true;
                    behind.push(Behind { id, lacks: Some(closed) });
                }
                _ => edge = Some(id),
            }
        }
        // Where a copy ends follows from what it holds: only a copy that lacks no order can be blamed for that.
        if let Some(id) = edge.filter(|_| !is_missing) {
            behind.push(Behind { id, lacks: None });
        }
        behind
    }
}

#[cfg(test)]
#[path = "truth_tests.rs"]
mod tests;
