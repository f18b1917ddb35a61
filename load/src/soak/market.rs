//! What happens on the market. Each order has a fate, told by its id, so that customer and executors need not agree on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::people::{Ledger, Person, Races};
use crate::market::{create, draft};
use crate::money::Dice;

/// Within so long an order that executors race for has its winner.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);
/// Between two steps of an order's life.
const STEP_MS: (u64, u64) = (200, 2_000);
const TOPUPS_PER_S: f64 = 0.5;
const TRANSFERS_PER_S: f64 = 1.0;
/// One transfer of so many is sent twice.
const TWICE_OF: u64 = 8;
const CONFLICT: &[u16] = &[409];

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Fate {
    /// Taken, handed in, confirmed.
    Done,
    /// Handed in, sent back, handed in again, confirmed.
    SentBack,
    /// Taken, given up, taken again, and so on.
    GivenUp,
    /// Frozen and put back while takers race.
    Frozen,
    /// Cancelled after a while; nobody wants it.
    Cancelled,
    /// Cancelled while takers race; one of them may be first.
    CancelledInTheRace,
}

impl Fate {
    pub(super) fn of(order: u64) -> Self {
        match Dice::new(order).below(100) {
            0..66 => Fate::Done,
            66..76 => Fate::SentBack,
            76..82 => Fate::GivenUp,
            82..88 => Fate::Frozen,
            88..94 => Fate::Cancelled,
            _ => Fate::CancelledInTheRace,
        }
    }
}

pub(super) struct Market {
    /// Begins the titles of this run's orders.
    pub(super) tag: String,
    pub(super) per_s: f64,
    pub(super) begun: Instant,
    pub(super) customers: Vec<Person>,
    pub(super) executors: Vec<Person>,
    pub(super) races: Races,
    pub(super) ledger: Ledger,
    /// No further order, top-up or transfer is begun.
    pub(super) closing: CancellationToken,
    pub(super) next: AtomicU64,
    /// Orders whose lives go on.
    pub(super) living: AtomicU64,
}

impl Market {
    /// Everybody gets to work; the tasks end some time after `closing`.
    pub(super) fn open(self: &Arc<Self>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for customer in 0..self.customers.len() {
            tasks.spawn(self.clone().create_orders(customer));
        }
        tasks.spawn(self.clone().top_up());
        tasks.spawn(self.clone().transfer());
        tasks
    }

    /// False when the market closes before `due`.
    async fn is_open_until(&self, due: Instant) -> bool {
        tokio::select! {
            biased;
            () = self.closing.cancelled() => false,
            () = tokio::time::sleep_until(due.into()) => true,
        }
    }

    async fn create_orders(self: Arc<Self>, customer: usize) {
        let mut lives = JoinSet::new();
        loop {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let due = self.begun + Duration::from_secs_f64(n as f64 / self.per_s);
            if !self.is_open_until(due).await {
                break;
            }
            let (price, body) = draft(&self.tag, n);
            let created = create(&mut *self.customers[customer].client.lock().await, &body).await;
            match created {
                Ok(order) => {
                    self.ledger.took("create", due.elapsed());
                    self.ledger.count("create");
                    if order.price != price {
                        self.ledger.problem(|| format!("order {}: price {}, not {price}", order.id, order.price));
                    }
                    self.living.fetch_add(1, Ordering::AcqRel);
                    let market = self.clone();
                    lives.spawn(async move {
                        market.live(order.id, customer).await;
                        market.living.fetch_sub(1, Ordering::AcqRel);
                    });
                }
                Err(words) => self.ledger.problem(|| words),
            }
            while lives.try_join_next().is_some() {}
        }
        while lives.join_next().await.is_some() {}
    }

    async fn live(&self, order: u64, customer: usize) {
        let mut dice = Dice::new(order ^ 0x5eed);
        let fate = Fate::of(order);
        match fate {
            Fate::Cancelled => {
                self.pause(&mut dice).await;
                // Nobody races for it, so it must be there still.
                if self.step(order, &self.customers[customer], "cancel", &[]).await.is_ok() {
                    self.ledger.count("ended cancelled");
                }
                return;
            }
            Fate::CancelledInTheRace if self.step(order, &self.customers[customer], "cancel", CONFLICT).await.is_ok() => {
                self.ledger.count("ended cancelled");
                return;
            }
            Fate::Frozen if self.step(order, &self.customers[customer], "freeze", CONFLICT).await.is_ok() => {
                self.pause(&mut dice).await;
                if self.step(order, &self.customers[customer], "unfreeze", &[]).await.is_err() {
                    return;
                }
            }
            _ => {}
        }
        let Some(mut executor) = self.winner(order).await else { return };
        if fate == Fate::GivenUp {
            self.pause(&mut dice).await;
            self.races.begin_anew(order);
            if self.step(order, &self.executors[executor], "abandon", &[]).await.is_err() {
                return;
            }
            let Some(next) = self.winner(order).await else { return };
            executor = next;
        }
        self.pause(&mut dice).await;
        if self.step(order, &self.executors[executor], "submit", &[]).await.is_err() {
            return;
        }
        if fate == Fate::SentBack {
            self.pause(&mut dice).await;
            let sent_back = self.step(order, &self.customers[customer], "reject", &[]).await;
            if sent_back.is_err() || self.step(order, &self.executors[executor], "submit", &[]).await.is_err() {
                return;
            }
        }
        self.pause(&mut dice).await;
        if self.step(order, &self.customers[customer], "confirm", &[]).await.is_ok() {
            self.ledger.count("ended done");
        }
        self.races.begin_anew(order);
    }

    async fn winner(&self, order: u64) -> Option<usize> {
        let winner = tokio::time::timeout(TAKEN_WITHIN, self.races.winner(order)).await;
        match winner {
            Ok(Ok(executor)) => Some(executor),
            _ => {
                self.ledger.problem(|| format!("order {order}: nobody has taken it within {TAKEN_WITHIN:?}"));
                None
            }
        }
    }

    async fn step(&self, order: u64, who: &Person, what: &'static str, refusals: &[u16]) -> Result<(), ()> {
        let body = match what {
            "submit" => Some(r#"{"report":"Delivered and signed for."}"#),
            "reject" => Some(r#"{"reason":"One box is missing."}"#),
            _ => None,
        };
        let done = self.ledger.call(who, what, (&format!("/api/orders/{order}/{what}"), body), refusals).await;
        done.map(|_| ()).map_err(|_| ())
    }

    async fn pause(&self, dice: &mut Dice) {
        tokio::time::sleep(Duration::from_millis(dice.between(STEP_MS.0, STEP_MS.1))).await;
    }

    async fn top_up(self: Arc<Self>) {
        #[derive(Deserialize)]
        struct Topup {
            id: u64,
        }
        for n in 0_u64.. {
            if !self.is_open_until(self.begun + Duration::from_secs_f64(n as f64 / TOPUPS_PER_S)).await {
                return;
            }
            let who = &self.customers[n as usize % self.customers.len()];
            let amount = format!(r#"{{"amount":{}}}"#, 10_000 + n % 977);
            // A server without a gateway, or with a real one, is left in peace.
            let asked = match self.ledger.call(who, "top-up", ("/api/topups", Some(&amount)), &[403, 404]).await {
                Err(Some(403 | 404)) => return,
                asked => asked,
            };
            let Some(topup) = asked.ok().and_then(|body| serde_json::from_slice::<Topup>(&body).ok()) else { continue };
            let path = format!("/api/sandbox/topups/{}", topup.id);
            let word = if n % 10 == 9 { r#"{"result":"declined"}"# } else { r#"{"result":"paid"}"# };
            if let Err(Some(404)) = self.ledger.call(who, "payment", (&path, Some(word)), &[404]).await {
                return;
            }
        }
    }

    async fn transfer(self: Arc<Self>) {
        for n in 0_u64.. {
            if !self.is_open_until(self.begun + Duration::from_secs_f64(n as f64 / TRANSFERS_PER_S)).await {
                return;
            }
            let count = self.customers.len() as u64;
            let mut dice = Dice::new(n);
            let from = dice.below(count);
            let to = (from + dice.between(1, count - 1)) % count;
            let (from, to) = (&self.customers[from as usize], &self.customers[to as usize]);
            let id = format!("{}-{n}", self.tag.replace(' ', "-"));
            let (to, amount) = (to.user_id, dice.between(1, 5_000));
            let body = format!(r#"{{"operation_id":"{id}","type":"transfer","to_user_id":{to},"amount":{amount}}}"#);
            let command = ("/api/billing/operations?wait=5", Some(body.as_str()));
            let first = self.ledger.call(from, "transfer", command, &[]).await;
            if n % TWICE_OF == 0 && first != self.ledger.call(from, "transfer, again", command, &[]).await {
                self.ledger.problem(|| format!("transfer {id}: asked again, it was answered differently"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fate_is_the_same_for_everybody_who_asks_and_each_is_somebodys() {
        let mut seen = [0_u32; 6];
        for order in 1..2_000 {
            assert_eq!(Fate::of(order), Fate::of(order));
            seen[Fate::of(order) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| count > 60), "{seen:?}");
    }
}
