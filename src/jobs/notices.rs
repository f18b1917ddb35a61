//! Telling people of what no transaction should: that an order was taken, and that there is a new one. Taking writes nothing but
//! the order's row, and who posts an order does not wait for its thousands of subscribers; so both are told from the news of
//! the order, which comes within milliseconds. Because news may be lost with whoever heard it, every change of an order is
//! looked at a second time, in the order of changes, from a place that is kept in the database. A notice is written once
//! however often somebody tries.
//!
//! One node at a time does this for all, by a lease. When that node dies, another goes on from the kept place within seconds.
//! Takings come first: when they come in floods, most of the time is left to them, and notices follow later.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;

use super::Stopping;
use crate::domain::order::{Order, Status};
use crate::flow::{Flow, FlowError, Recent, Round};
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
const TAKING_IS_NEWS: Duration = Duration::from_secs(24 * 3_600);
const ORDER_IS_NEWS: Duration = Duration::from_secs(900);
/// Orders told of in one transaction, and changes looked at in one statement.
const TOGETHER_MAX: usize = 256;
const PAGE: u32 = 500;
/// Orders that wait to be told of; what does not fit is found by the second look.
const WAITING_MAX: usize = 16_384;
/// New orders whose subscribers are being told. So many at once are more than anybody would read.
const ROUNDS_MAX: usize = 1_000;
/// An order that is younger is not read again before its subscribers are told.
const FRESH: Duration = Duration::from_secs(1);
/// A piece of work that told fewer than this, with fewer that wait, needs no rest.
const FEW: usize = 16;
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
        let is_news = match order.status {
            Status::InWork => true,
            // Later versions of an open order are no new order; should the first have been missed, the second look finds it.
            Status::Open => order.version == 1,
            _ => false,
        };
        if !is_news || !self.is_listening.load(Ordering::Relaxed) {
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
    /// Orders whose subscribers were told or are being told by this node.
    told: Recent<u64, ()>,
    rounds: VecDeque<Round>,
    /// How far the second look has come.
    place: Change,
    /// A node that has just begun to do this looks at everything since the kept place, however young.
    is_new: bool,
}

/// Tells until told to stop.
pub async fn run(flow: Flow, store: Store, node: String, mut heard: Heard, mut stopping: Stopping) {
    let place = Change::at(OffsetDateTime::UNIX_EPOCH);
    let mut desk = Desk {
        flow,
        store,
        node,
        seen: Recent::new(Duration::from_secs(30), SEEN_MAX),
        told: Recent::new(ORDER_IS_NEWS, SEEN_MAX),
        rounds: VecDeque::new(),
        place,
        is_new: true,
    };
    let mut renew_at = Instant::now();
    let mut ids = Vec::with_capacity(TOGETHER_MAX);
    loop {
        let next = tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => Next::Stop,
            () = tokio::time::sleep_until(renew_at.into()) => Next::Renew,
            count = heard.orders.recv_many(&mut ids, TOGETHER_MAX) => Next::Heard(count),
            () = std::future::ready(()), if !desk.rounds.is_empty() => Next::Round,
        };
        match next {
            Next::Stop | Next::Heard(0) => break,
            Next::Renew => {
                let holds = desk.hold().await;
                heard.is_listening.store(holds, Ordering::Relaxed);
                renew_at = Instant::now() + RENEW_EVERY;
            }
            Next::Round => desk.go_on().await,
            Next::Heard(count) => {
                let begun = Instant::now();
                if let Err(error) = desk.look_at(&ids).await {
                    tracing::warn!(?error, "people could not be told of orders; they are told later");
                }
                ids.clear();
                metrics::gauge!("orderboard_notices_waiting").set(heard.orders.len() as f64);
                // Whatever gathers meanwhile is told of together, at a fraction of the cost.
                if count >= FEW {
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
    Round,
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
            self.rounds.clear();
            self.told = Recent::new(ORDER_IS_NEWS, SEEN_MAX);
            self.seen = Recent::new(Duration::from_secs(30), SEEN_MAX);
            return false;
        }
        if let Err(error) = self.look_again().await {
            tracing::warn!(?error, "changes of orders could not be looked at a second time");
        }
        true
    }

    /// Tells the next subscribers of the oldest new order, if it can still be had.
    async fn go_on(&mut self) {
        let Some(mut round) = self.rounds.pop_front() else { return };
        let begun = Instant::now();
        match self.tell_on(&mut round).await {
            Ok((count, goes_on)) => {
                metrics::counter!("orderboard_notices_of_orders_total").increment(count as u64);
                if goes_on {
                    self.rounds.push_front(round);
                }
                if count >= FEW || self.rounds.len() >= FEW {
                    rest(begun).await;
                }
            }
            Err(error) => {
                tracing::warn!(?error, order = round.order.id, "subscribers could not be told of an order, trying again");
                self.rounds.push_front(round);
                tokio::time::sleep(PAUSE_MAX).await;
            }
        }
    }

    async fn tell_on(&self, round: &mut Round) -> Result<(usize, bool), FlowError> {
        let age = OffsetDateTime::now_utc() - round.order.created_at;
        let may_be_had = match age {
            age if age > ORDER_IS_NEWS => false,
            age if age < FRESH => true,
            _ => self.store.order(round.order.id).await?.is_some_and(|order| order.status == Status::Open),
        };
        if may_be_had { self.flow.tell_of_order(round).await } else { Ok((0, false)) }
    }

    /// Goes on from the place that is kept, for a second or so, or until nothing is left.
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
        // Whoever takes over begins with the orders whose subscribers have not all been told.
        let being_told = self.rounds.iter().map(|round| round.order.created_at - Duration::from_secs(1)).min();
        let kept = being_told.map_or(self.place.changed_at, |since| since.min(self.place.changed_at));
        let place = kept.format(&Rfc3339).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(self.store.put_setting(PLACE, &serde_json::to_string(&place)?).await?)
    }

    /// Tells of these orders as they are now.
    async fn look_at(&mut self, ids: &[u64]) -> Result<(), FlowError> {
        let mut orders = self.store.orders_by_id(ids).await?;
        orders.retain(|order| self.is_unseen(order));
        let now = OffsetDateTime::now_utc();
        let is_taken = |order: &&Order| order.accepted_at.is_some_and(|at| at > now - TAKING_IS_NEWS);
        let taken: Vec<Order> = orders.iter().filter(is_taken).cloned().collect();
        self.flow.tell_of_takings(&taken).await?;
        for order in orders {
            self.seen.insert(order.id, order.version);
            if order.status == Status::Open && order.created_at > now - ORDER_IS_NEWS && self.told.get(&order.id).is_none() {
                self.begin_round(order);
            }
        }
        Ok(())
    }

    fn begin_round(&mut self, order: Order) {
        if self.rounds.len() >= ROUNDS_MAX {
            metrics::counter!("orderboard_notices_rounds_dropped_total").increment(1);
            return;
        }
        self.told.insert(order.id, ());
        self.rounds.push_back(Round::new(order));
    }

    fn is_unseen(&self, order: &Order) -> bool {
        self.seen.get(&order.id).is_none_or(|version| version < order.version)
    }
}

fn kept(setting: Option<&str>) -> Option<OffsetDateTime> {
    let text: String = serde_json::from_str(setting?).ok()?;
    OffsetDateTime::parse(&text, &Rfc3339).ok()
}
