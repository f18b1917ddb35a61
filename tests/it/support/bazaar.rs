//! Two nodes over a Redis that a test breaks, with a market, a payer on the billing queue, and watchers on both: whatever
//! happens to Redis, all of it must come out right.

use std::time::Duration;

use orderboard::bus::Queue;
use serde_json::json;
use sqlx::mysql::MySqlPool;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::market::{Market, Tally};
use super::pair::Pair;
use super::{TestApp, User, until_within};

/// While Redis is away the boards move with the sweep; telling a hung server from a slow one takes a second more.
const MOVING: Duration = Duration::from_secs(4);
/// After Redis is back, every client is right within this.
const HEALED: Duration = Duration::from_secs(4);
/// Faster than the sweep can be on the average: carried by the bus.
const BY_BUS: Duration = Duration::from_millis(250);

pub(crate) struct Bazaar {
    pub(crate) pair: Pair,
    market: Market,
    payee: User,
    payer: JoinHandle<u32>,
    closing: watch::Sender<bool>,
}

impl Bazaar {
    pub(crate) async fn open(redis_url: String) -> Self {
        let first = TestApp::start_with(|config| {
            config.redis_url = redis_url;
            config.limits.billing_workers = 2;
        })
        .await;
        let pair = Pair::with(first).await;
        let nodes = &pair.nodes;
        let payee = nodes[0].customer(0).await;
        let market = Market::at(&[&nodes[0], &nodes[1]], 3, Duration::from_millis(5)).await;
        let (closing, closed) = watch::channel(false);
        let payer = tokio::spawn(pay(
            Queue::connect(&nodes[0].config.redis_url, &nodes[0].config.billing_streams).await.unwrap(),
            nodes[0].sql.clone(),
            payee.id,
            closed,
        ));
        let mut bazaar = Self { pair, market, payee, payer, closing };
        bazaar.until_by_bus().await;
        bazaar
    }

    pub(crate) async fn probe_for(&mut self, time: Duration) {
        self.pair.probe_for(time, MOVING).await;
    }

    pub(crate) fn is_up(&self) -> bool {
        self.pair.nodes.iter().all(|node| node.app().bus.is_up())
    }

    /// Waits until both nodes rely on Redis again and news travels over it; how long that took.
    pub(crate) async fn until_by_bus(&mut self) -> Duration {
        let started = Instant::now();
        until_within("the bus is up on both nodes", Duration::from_secs(20), async || self.is_up()).await;
        let up = started.elapsed();
        let mut delays = Vec::new();
        for _ in 0..15 {
            delays.push(self.pair.probe(MOVING).await);
        }
        delays.sort_unstable();
        assert!(delays[delays.len() / 2] < BY_BUS, "news goes by the sweep: {delays:?}");
        up
    }

    /// The market closes; every watcher shows what the tables have, each request for money was carried out once.
    pub(crate) async fn close_right(mut self) -> Tally {
        self.closing.send_replace(true);
        let tally = self.market.close().await;
        let paid = self.payer.await.unwrap();
        self.pair.until_right(Instant::now() + HEALED).await;
        println!("{:?}, the slowest answer {:?}, {paid} paid by queue", tally.answers, tally.slowest);
        assert_eq!(tally.answers.keys().copied().collect::<Vec<_>>(), [200, 201], "{:?}", tally.answers);
        assert_eq!(tally.broken, 0);
        assert!(tally.count(200) + tally.count(201) > 200, "a market that hardly moved proves nothing: {:?}", tally.answers);
        assert!(paid > 20, "a queue that hardly moved proves nothing: {paid}");
        assert_eq!(self.pair.nodes[0].balance(&self.payee, "wallet").await, (i64::from(paid), 0), "each once");
        self.pair.nodes[0].assert_books_balance().await;
        tally
    }
}

/// Requests one credit after another, each again until it was carried out, as whoever uses the queue must; how many.
async fn pay(queue: Queue, sql: MySqlPool, user_id: u64, closed: watch::Receiver<bool>) -> u32 {
    let mut paid = 0;
    while !*closed.borrow() {
        let id = format!("pay-{paid}");
        let op = json!({"operation_id": id, "type": "credit", "user_id": user_id, "account": "wallet", "currency": "RUB", "amount": 1})
            .to_string();
        let is_done = async || {
            let found: i64 =
                sqlx::query_scalar("select count(*) from entries e join accounts a on a.id = e.account_id where a.user_id = ?")
                    .bind(user_id)
                    .fetch_one(&sql)
                    .await
                    .unwrap();
            found > i64::from(paid)
        };
        'asked: loop {
            if queue.request(&op).await.is_err() {
                let _ = queue.revive().await;
            }
            let patience = Instant::now() + Duration::from_secs(1);
            while Instant::now() < patience {
                if is_done().await {
                    break 'asked;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        paid += 1;
    }
    paid
}
