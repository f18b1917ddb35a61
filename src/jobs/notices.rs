//! Telling people of what no transaction could: that an order was taken. Taking writes nothing but the order's row, so its
//! customer is told from the news of it, which comes within milliseconds; and because news may be lost with whoever heard it,
//! every change of an order is looked at a second time, in the order of changes, from a place that is kept in the database.
//! A notice is written once however often somebody tries.
//!
//! One node at a time does this for all, by a lease. When that node dies, another goes on from the kept place within seconds.
//! Takings come first: when they come in floods, most of the time is left to them, and notices follow later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;

use super::Stopping;
use crate::domain::order::{Order, Status};
use crate::flow::{Flow, FlowError, Recent};
use crate::store::changes::Change;
use crate::store::{Store, StoreError};

const LEASE: &str = "notices";
const HELD_FOR: Duration = Duration::from_secs(3);
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// The setting that keeps the place up to which everybody has been told.
const PLACE: &str = "notices_place";
/// Changes are looked at the second time when they are this old: a statement that began before may wait for a lock, and becomes
/// visible at its commit.
const VISIBLE_AFTER: Duration = Duration::from_secs(12);
/// What is older is nothing new to anybody.
const WORTH_TELLING: Duration = Duration::from_secs(24 * 3_600);
/// Orders told of in one transaction, and changes looked at in one statement.
const TOGETHER_MAX: usize = 128;
const PAGE: u32 = 500;
/// Orders that wait to be told of; what does not fit is found by the second look.
const WAITING_MAX: usize = 16_384;
/// Of the time, in a flood, so many parts are left to others.
const LEFT_TO_OTHERS: u32 = 4;
const PAUSE_MAX: Duration = Duration::from_millis(250);
/// Orders remembered as seen, with their versions; forgetting costs a needless look.
const SEEN_MAX: usize = 200_000;

/// Where news of orders is dropped in passing.
#[derive(Clone)]
pub struct Ear {
    heard: mpsc::Sender<u64>,
    is_listening: Arc<AtomicBool>,
}

/// The other end of an [`Ear`].
pub struct Heard {
    orders: mpsc::Receiver<u64>,
    is_listening: Arc<AtomicBool>,
}

impl Ear {
    pub fn new() -> (Ear, Heard) {
        let (heard, orders) = mpsc::channel(WAITING_MAX);
        let is_listening = Arc::new(AtomicBool::new(false));
        (Ear { heard, is_listening: is_listening.clone() }, Heard { orders, is_listening })
    }

    /// News of an order; never waits.
    pub fn hear(&self, order: &Order) {
        if order.status != Status::InWork || !self.is_listening.load(Ordering::Relaxed) {
            return;
        }
        if self.heard.try_send(order.id).is_err() {
            metrics::counter!("orderboard_notices_put_off_total").increment(1);
        }
    }
}

struct Desk {
    flow: Flow,
    store: Store,
    node: String,
    seen: Recent<u64, u64>,
    /// How far the second look has come.
    place: Change,
    /// A node that has just begun to do this looks at everything since the kept place, however young.
    is_new: bool,
}

/// Tells until told to stop.
pub async fn run(flow: Flow, store: Store, node: String, mut heard: Heard, mut stopping: Stopping) {
    let place = Change::at(OffsetDateTime::UNIX_EPOCH);
    let mut desk = Desk { flow, store, node, seen: Recent::new(Duration::from_secs(30), SEEN_MAX), place, is_new: true };
    let mut renew_at = Instant::now();
    let mut ids = Vec::with_capacity(TOGETHER_MAX);
    loop {
        let next = tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => Next::Stop,
            () = tokio::time::sleep_until(renew_at.into()) => Next::Renew,
            count = heard.orders.recv_many(&mut ids, TOGETHER_MAX) => Next::Heard(count),
        };
        match next {
            Next::Stop | Next::Heard(0) => break,
            Next::Renew => {
                let holds = desk.hold().await;
                heard.is_listening.store(holds, Ordering::Relaxed);
                renew_at = Instant::now() + RENEW_EVERY;
            }
            Next::Heard(count) => {
                let begun = Instant::now();
                if let Err(error) = desk.look_at(&ids).await {
                    tracing::warn!(?error, "people could not be told of orders that were taken; they are told later");
                }
                ids.clear();
                if count == TOGETHER_MAX {
                    rest(begun).await;
                }
            }
        }
    }
    if let Err(error) = desk.store.end_lease(LEASE, &desk.node).await {
        tracing::debug!(%error, "the lease on notices could not be given back");
    }
}

enum Next {
    Stop,
    Renew,
    Heard(usize),
}

/// Leaves the time to others after a piece of work.
async fn rest(since: Instant) {
    tokio::time::sleep((since.elapsed() * LEFT_TO_OTHERS).min(PAUSE_MAX)).await;
}

impl Desk {
    /// Keeps the lease, and looks a second time at what has become old enough. False where somebody else does it.
    async fn hold(&mut self) -> bool {
        let holds = match self.store.hold_lease(LEASE, &self.node, HELD_FOR).await {
            Ok(holds) => holds,
            Err(error) => {
                tracing::warn!(%error, "the lease on notices could not be held");
                false
            }
        };
        if !holds {
            self.is_new = true;
            return false;
        }
        if let Err(error) = self.look_again().await {
            tracing::warn!(?error, "changes of orders could not be looked at a second time");
        }
        true
    }

    /// Goes on from the place that is kept, at most one page a call unless there is nothing better to do.
    async fn look_again(&mut self) -> Result<(), FlowError> {
        let now = self.store.now().await?;
        let old_enough = now - VISIBLE_AFTER;
        if self.is_new {
            self.place = Change::at(kept(self.store.setting(PLACE).await?.as_deref()).unwrap_or(old_enough));
        }
        let until = if self.is_new { now } else { old_enough };
        let begun = Instant::now();
        loop {
            let changes = self.store.orders_changed_after(self.place, until, PAGE).await?;
            for some in changes.chunks(TOGETHER_MAX) {
                let unseen = some.iter().filter(|change| self.seen.get(&change.id).is_none_or(|version| version < change.version));
                let unseen: Vec<u64> = unseen.map(|change| change.id).collect();
                let started = Instant::now();
                self.look_at(&unseen).await?;
                if unseen.len() > TOGETHER_MAX / 2 {
                    rest(started).await;
                }
            }
            let is_whole = changes.len() < PAGE as usize;
            if let Some(last) = changes.last() {
                self.place = *last;
            } else if self.place.changed_at < old_enough {
                self.place = Change::at(old_enough);
            }
            if is_whole || begun.elapsed() > RENEW_EVERY {
                metrics::gauge!("orderboard_notices_behind_seconds").set((until - self.place.changed_at).as_seconds_f64().max(0.0));
                self.is_new = self.is_new && !is_whole;
                break;
            }
        }
        // What is younger may be joined by what becomes visible later.
        self.place = self.place.min(Change::at(old_enough));
        let place = self.place.changed_at.format(&Rfc3339).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(self.store.put_setting(PLACE, &serde_json::to_string(&place)?).await?)
    }

    /// Tells of these orders as they are now.
    async fn look_at(&self, ids: &[u64]) -> Result<(), FlowError> {
        let mut orders = self.store.orders_by_id(ids).await?;
        let since = OffsetDateTime::now_utc() - WORTH_TELLING;
        let versions: Vec<(u64, u64)> = orders.iter().map(|order| (order.id, order.version)).collect();
        orders.retain(|order| order.accepted_at.is_some_and(|at| at > since) && self.is_unseen(order));
        self.flow.tell_of_takings(&orders).await?;
        versions.into_iter().for_each(|(id, version)| self.seen.insert(id, version));
        Ok(())
    }

    fn is_unseen(&self, order: &Order) -> bool {
        self.seen.get(&order.id).is_none_or(|version| version < order.version)
    }
}

fn kept(setting: Option<&str>) -> Option<OffsetDateTime> {
    let text: String = serde_json::from_str(setting?).ok()?;
    OffsetDateTime::parse(&text, &Rfc3339).ok()
}
