//! What holds when Redis or MariaDB dies. Each test breaks servers of its own while a market goes on, and compares every
//! watcher with the tables afterwards.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::market::{Market, Tally};
use crate::support::node::signal_redis;
use crate::support::pair::Pair;
use crate::support::{DEADLINE, OwnMariaDb, OwnRedis, TestApp, tell_redis, until_within};

/// After the broken thing is back, every client is right within this.
const HEALED: Duration = Duration::from_secs(2);
/// While Redis is away the boards keep moving within about a second; twice that is allowed on a busy machine.
const MOVING: Duration = Duration::from_secs(2);

/// Two nodes over a Redis of their own, a market on both, and watchers on both.
struct Scene {
    redis: OwnRedis,
    pair: Pair,
    market: Market,
}

impl Scene {
    async fn open() -> Self {
        let redis = OwnRedis::start().await;
        let first = TestApp::start_with(|config| config.redis_url = redis.url().to_owned()).await;
        let pair = Pair::with(first).await;
        let market = Market::at(&[&pair.nodes[0], &pair.nodes[1]], 3, Duration::from_millis(5)).await;
        let mut scene = Self { redis, pair, market };
        scene.probe(MOVING).await;
        scene
    }

    async fn tell(&self, command: &str) -> String {
        tell_redis(self.redis.url(), command).await
    }

    async fn probe(&mut self, limit: Duration) -> Duration {
        self.pair.probe(limit).await
    }

    async fn probe_for(&mut self, time: Duration) {
        self.pair.probe_for(time, MOVING).await;
    }

    /// The market closes; every watcher, and a new one on each node, shows what the tables have by `deadline`.
    async fn close_right_by(mut self, deadline: Instant) -> Tally {
        let tally = self.market.close().await;
        let left = self.pair.until_right(deadline).await;
        println!("right {left:?} before the deadline; {:?}, the slowest answer {:?}", tally.answers, tally.slowest);
        for node in &self.pair.nodes {
            let mut newcomer = node.watcher(None).await;
            newcomer.watch("all").await;
            newcomer.until_true(&node.sql, "all", Instant::now() + HEALED).await;
        }
        self.pair.nodes[0].assert_books_balance().await;
        tally
    }
}

/// Whatever Redis does, nobody who trades may notice.
fn assert_nobody_noticed(tally: &Tally) {
    assert_eq!(tally.answers.keys().copied().collect::<Vec<_>>(), [200, 201], "{:?}", tally.answers);
    assert_eq!(tally.broken, 0);
    assert!(tally.count(200) + tally.count(201) > 200, "a market that hardly moved proves nothing: {:?}", tally.answers);
    assert!(tally.slowest < Duration::from_secs(2), "an answer took {:?}", tally.slowest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_to_redis_are_not_noticed() {
    let mut scene = Scene::open().await;
    let mut cut = 0;
    for round in 0..9 {
        let kind = ["pubsub", "normal", "pubsub"][round % 3];
        let killed = scene.tell(&format!("CLIENT KILL TYPE {kind}")).await;
        cut += killed.strip_prefix(':').unwrap().parse::<u32>().unwrap();
        scene.probe(MOVING).await;
    }
    assert!(cut >= 12, "only {cut} connections were there to be cut");
    let tally = scene.close_right_by(Instant::now() + HEALED).await;
    assert_nobody_noticed(&tally);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flushed_redis_is_not_noticed() {
    let mut scene = Scene::open().await;
    for command in ["FLUSHALL", "SCRIPT FLUSH", "FLUSHALL", "SCRIPT FLUSH"] {
        scene.tell(command).await;
        scene.probe_for(Duration::from_millis(400)).await;
    }
    scene.tell("FLUSHALL").await;
    let tally = scene.close_right_by(Instant::now() + HEALED).await;
    assert_nobody_noticed(&tally);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boards_keep_moving_and_money_goes_on_while_redis_is_dead() {
    let mut scene = Scene::open().await;
    for _ in 0..2 {
        scene.redis.kill().await;
        scene.probe_for(Duration::from_secs(3)).await;
        let ready = scene.pair.nodes[0].call("GET", "/readyz", None, &Value::Null).await.expect(200);
        assert_eq!(ready["redis"], "down", "told, and no reason to send people away");
        // Money from outside, too.
        let topup = scene.pair.nodes[0].post("/api/topups", &scene.pair.prober, &json!({"amount": 500})).await.expect(201);
        let path = format!("/api/sandbox/topups/{}", topup["id"]);
        assert_eq!(scene.pair.nodes[1].post(&path, &scene.pair.prober, &json!({"result": "paid"})).await.expect(200)["status"], "received");
        scene.redis.start_again().await;
        scene.probe_for(Duration::from_millis(700)).await;
    }
    scene.redis.kill().await;
    scene.probe_for(Duration::from_secs(1)).await;
    scene.redis.start_again().await;
    let tally = scene.close_right_by(Instant::now() + HEALED).await;
    assert_nobody_noticed(&tally);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boards_keep_moving_while_redis_hangs() {
    let mut scene = Scene::open().await;
    for _ in 0..2 {
        signal_redis(scene.redis.url(), Signal::STOP);
        let stopped = Instant::now();
        // It takes a second to tell a Redis that is slow from one that is gone; news waits for that once.
        let first = scene.probe(MOVING + Duration::from_secs(1)).await;
        println!("the first change after Redis hung took {first:?}");
        scene.probe_for(Duration::from_secs(3).saturating_sub(stopped.elapsed())).await;
        signal_redis(scene.redis.url(), Signal::CONT);
        scene.probe_for(Duration::from_millis(700)).await;
    }
    signal_redis(scene.redis.url(), Signal::STOP);
    scene.probe(MOVING + Duration::from_secs(1)).await;
    signal_redis(scene.redis.url(), Signal::CONT);
    let tally = scene.close_right_by(Instant::now() + HEALED).await;
    assert_nobody_noticed(&tally);
}

/// A node remembers for a moment who took an order. While Redis is away it may not hear that it is open again.
#[tokio::test]
async fn an_order_given_up_on_another_node_can_be_taken_while_redis_is_dead() {
    let mut redis = OwnRedis::start().await;
    let first = TestApp::start_with(|config| config.redis_url = redis.url().to_owned()).await;
    let second = first.beside().await;
    let (customer, [one, two]) = (first.customer(10_000).await, [first.executor().await, first.executor().await]);
    let mut guest = first.watcher(None).await;
    guest.watch("all").await;
    let order = first.order(&customer, 1_000).await;
    redis.kill().await;
    first.accept(&one, order).await.expect(200);
    second.act(&one, order, "abandon").await.expect(200);
    guest.until("the order, open again", |state| state.board("all").orders.get(&order).is_some_and(|row| row["version"] == 3)).await;
    first.accept(&two, order).await.expect(200);
    assert_eq!(first.get(&format!("/api/orders/{order}"), &two).await.expect(200)["executor_id"], two.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_mariadb_is_a_clear_503_and_leaves_nothing_half_done() {
    let mut mariadb = OwnMariaDb::start().await;
    let node = TestApp::start_with(|config| config.database_url = mariadb.url().to_owned()).await;
    let (prober, reader) = (node.customer(1_000_000).await, node.customer(1_000).await);
    let mut watcher = node.watcher(Some(&prober.token)).await;
    watcher.watch("all").await;
    let market = Market::at(&[&node], 8, Duration::ZERO).await;
    for round in 0..2 {
        let order = node.order(&prober, 1_000).await;
        let before = watcher.state.board("all").diffs;
        watcher.until("a busy board", |state| state.board("all").has(order) && state.board("all").diffs > before + 50).await;
        mariadb.kill().await;
        let killed = Instant::now();
        let refused = node.get("/api/accounts", &reader).await;
        refused.refused(503, "unavailable");
        assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok_and(|seconds| seconds >= 1)));
        println!("the first refusal after {:?}", killed.elapsed());
        node.call("GET", "/readyz", None, &Value::Null).await.refused(503, "unavailable");
        node.call("GET", "/healthz", None, &Value::Null).await.expect(200);
        node.call("GET", "/api/board", None, &Value::Null).await.expect(200);
        println!("…and all of that after {:?}", killed.elapsed());
        mariadb.start_again().await;
        let back = Instant::now();
        until_within("a node that recovers by itself", DEADLINE, async || {
            node.call("GET", "/readyz", None, &Value::Null).await.status == 200
        })
        .await;
        println!("round {round}: ready {:?} after MariaDB was back", back.elapsed());
    }
    let order = node.order(&prober, 1_000).await;
    watcher.until_within("the board, moving again", HEALED, |state| state.board("all").has(order)).await;
    let tally = market.close().await;
    println!("{:?}, the slowest answer {:?}", tally.answers, tally.slowest);
    assert!(tally.count(503) >= 8, "nobody noticed: {:?}", tally.answers);
    assert_eq!(tally.answers.keys().copied().collect::<Vec<_>>(), [200, 201, 503], "{:?}", tally.answers);
    assert_eq!(tally.broken, 0, "every call was answered");
    watcher.until_true(&node.sql, "all", Instant::now() + HEALED).await;
    watcher.until_proven("all").await;
    node.assert_books_balance().await;
    assert!(tally.slowest < Duration::from_secs(8), "an answer took {:?}", tally.slowest);
}
