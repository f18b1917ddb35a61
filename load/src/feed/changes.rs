//! Who changes orders: rows change in MySQL, are entered as the truth, read back, and published as a node does, on a
//! connection to Redis that nobody tampers with. News of some changes is withheld: the sweep must find them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use orderboard::bus::{Bus, BusConfig};
use orderboard::domain::news::{Item, NewsKind};
use orderboard::store::Store;
use sqlx::QueryBuilder;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use tokio_util::sync::CancellationToken;

use super::truth::{Deed, Fate, Truth};
use crate::error::Error;
use crate::money::Dice;

/// Who change orders at the same time.
pub(super) const WORKERS: u64 = 8;
const GROUP_MAX: u64 = 32;
/// Groups whose news is withheld, in a thousand.
const WITHHELD_PERMILLE: u64 = 20;
/// Groups that change which orders are open, in a thousand.
const WINDOW_PERMILLE: u64 = 40;
const WINDOW_GROUP_MAX: u64 = 4;
/// More than the board shows, so that orders come back into it from below.
const OPEN: std::ops::Range<usize> = 1_100..1_400;
const NAP: Duration = Duration::from_millis(2);
/// What could not be changed in time is not caught up with beyond this.
const BACKLOG_S: f64 = 0.5;

#[derive(Default)]
pub(super) struct Counts {
    pub(super) changes: AtomicU64,
    pub(super) groups: AtomicU64,
    pub(super) created: AtomicU64,
    pub(super) opened: AtomicU64,
    pub(super) closed: AtomicU64,
    /// Changes whose news was withheld, and those that could not be published because Redis was away.
    pub(super) withheld: AtomicU64,
    pub(super) failed: AtomicU64,
}

pub(super) struct Press {
    sql: MySqlPool,
    store: Store,
    bus: Bus,
    truth: Arc<Truth>,
    customer_id: u64,
    is_withholding: bool,
    /// Changes that were begun, or let go because there was no time for them.
    begun: AtomicU64,
    pub(super) counts: Counts,
}

impl Press {
    pub(super) async fn start(urls: (&str, &str), truth: Arc<Truth>, customer_id: u64, is_withholding: bool) -> Result<Self, Error> {
        let sql = MySqlPoolOptions::new().max_connections(WORKERS as u32).connect(urls.0).await?;
        let store = Store::connect(urls.0, WORKERS as u32).await.map_err(|error| Error::Server(error.to_string()))?;
        let bus = Bus::connect(BusConfig { url: urls.1.to_owned(), prefix: "ob".to_owned() }).await;
        let (bus, mut feed) = bus.map_err(|error| Error::Redis(error.to_string()))?;
        tokio::spawn(async move { while feed.next().await.is_some() {} });
        Ok(Self { sql, store, bus, truth, customer_id, is_withholding, begun: AtomicU64::new(0), counts: Counts::default() })
    }

    /// The first orders, before anybody watches.
    pub(super) async fn fill(&self) -> Result<(), Error> {
        let ids = self.create(OPEN.start as u64 + 100).await?;
        self.truth.begin_with(&ids, Instant::now());
        Ok(())
    }

    /// Changes `per_s` orders a second, together with the other workers.
    pub(super) async fn work(self: Arc<Self>, mut dice: Dice, per_s: f64, started: Instant, over: CancellationToken) -> Result<(), Error> {
        while !over.is_cancelled() {
            let due = started.elapsed().as_secs_f64() * per_s;
            let begun = self.begun.load(Ordering::Relaxed) as f64;
            if begun >= due {
                tokio::time::sleep(NAP).await;
                continue;
            }
            if due - begun > per_s * BACKLOG_S {
                self.begun.fetch_max((due - per_s * BACKLOG_S) as u64, Ordering::Relaxed);
            }
            let count = match dice.permille(WINDOW_PERMILLE) {
                true => self.move_window(&mut dice).await?,
                false => self.touch(&mut dice).await?,
            };
            self.begun.fetch_add(count, Ordering::Relaxed);
            self.counts.changes.fetch_add(count, Ordering::Relaxed);
            self.counts.groups.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn touch(&self, dice: &mut Dice) -> Result<u64, Error> {
        let ids = self.truth.lease(dice.between(1, GROUP_MAX), true, dice);
        if ids.is_empty() {
            return Ok(0);
        }
        self.update("version = version + 1, title = concat('Version ', version)", &ids).await?;
        let at = self.enter(&ids, Deed::Touch);
        self.tell(&ids, at, dice).await?;
        Ok(ids.len() as u64)
    }

    /// Opens or closes some orders.
    async fn move_window(&self, dice: &mut Dice) -> Result<u64, Error> {
        let wanted = dice.between(1, WINDOW_GROUP_MAX);
        let gate = self.truth.gate.lock().await;
        let is_opening = match self.truth.open_count() {
            few if few < OPEN.start => true,
            many if many >= OPEN.end => false,
            _ => dice.permille(500),
        };
        let (ids, deed, count) = if is_opening && (self.truth.closed_count() == 0 || dice.permille(300)) {
            let ids = self.create(wanted).await?;
            self.truth.keep(&ids);
            (ids, Deed::Open, &self.counts.created)
        } else if is_opening {
            let ids = self.truth.lease(wanted, false, dice);
            self.update("version = version + 1, status = 'open'", &ids).await?;
            (ids, Deed::Open, &self.counts.opened)
        } else {
            let ids = self.truth.lease(wanted, true, dice);
            let for_good = dice.permille(300);
            let how = if for_good { "version = version + 1, status = 'cancelled'" } else { "version = version + 1, status = 'frozen'" };
            self.update(how, &ids).await?;
            (ids, Deed::Close { for_good }, &self.counts.closed)
        };
        let at = self.enter(&ids, deed);
        drop(gate);
        count.fetch_add(ids.len() as u64, Ordering::Relaxed);
        self.tell(&ids, at, dice).await?;
        Ok(ids.len() as u64)
    }

    fn enter(&self, ids: &[u64], deed: Deed) -> Instant {
        let at = Instant::now();
        self.truth.made(ids, deed, Fate::Published, at);
        at
    }

    async fn update(&self, how: &'static str, ids: &[u64]) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut update = QueryBuilder::new("update orders set ");
        update.push(how).push(" where id in (");
        let mut list = update.separated(", ");
        ids.iter().for_each(|id| _ = list.push_bind(*id));
        update.push(")");
        let done = update.build().execute(&self.sql).await?;
        if done.rows_affected() != ids.len() as u64 {
            return Err(Error::Server(format!("{} of the orders {ids:?} were there to be changed", done.rows_affected())));
        }
        Ok(())
    }

    /// Nobody else creates any, so their ids are known. No money is held for them.
    async fn create(&self, count: u64) -> Result<Vec<u64>, Error> {
        let newest: u64 = sqlx::query_scalar("select cast(coalesce(max(id), 0) as unsigned) from orders").fetch_one(&self.sql).await?;
        let ids: Vec<u64> = (newest + 1..=newest + count).collect();
        let mut orders = QueryBuilder::new(
            "insert into orders (id, assignment, acceptance, customer_id, category, title, currency, price, payout, commission, \
             rate_bp, floor_bp, commission_mode, created_at) ",
        );
        orders.push_values(&ids, |mut row, id| {
            row.push_bind(*id).push("'first', 'confirm'").push_bind(self.customer_id);
            row.push("'it', 'New', 'RUB', 1000, 900, 100, 1000, 500, 'round', utc_timestamp(6)");
        });
        orders.build().execute(&self.sql).await?;
        Ok(ids)
    }

    /// Publishes what the tables hold, or does not, and returns the orders.
    async fn tell(&self, ids: &[u64], at: Instant, dice: &mut Dice) -> Result<(), Error> {
        let fate = match self.is_withholding && dice.permille(WITHHELD_PERMILLE) {
            true => Fate::Withheld,
            false => self.publish(ids).await?,
        };
        self.truth.settle(ids, at, fate);
        self.truth.give_back(ids);
        match fate {
            Fate::Published => {}
            Fate::Withheld => _ = self.counts.withheld.fetch_add(ids.len() as u64, Ordering::Relaxed),
            Fate::Failed => _ = self.counts.failed.fetch_add(ids.len() as u64, Ordering::Relaxed),
        }
        Ok(())
    }

    async fn publish(&self, ids: &[u64]) -> Result<Fate, Error> {
        let orders = self.store.orders_by_id(ids).await.map_err(|error| Error::Server(error.to_string()))?;
        let mut items = Vec::with_capacity(orders.len());
        for order in &orders {
            if self.truth.version(order.id) != Some(order.version) {
                return Err(Error::Server(format!("somebody else changes order {}: it has version {}", order.id, order.version)));
            }
            let row = serde_json::value::to_raw_value(order)?;
            items.push(Item { kind: NewsKind::Order, id: order.id, version: order.version, audience: None, committed_us: None, row });
        }
        let is_sent = self.bus.is_up() && self.bus.publish(&items).await.is_ok();
        Ok(if is_sent { Fate::Published } else { Fate::Failed })
    }
}
