//! Taking orders over HTTP against the database's floor, in turns so that all meet the same machine: the floor at a few numbers of
//! connections, of which the best counts, and HTTP with few and with many takers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::mysql::MySqlPool;
use tokio::task::JoinSet;

use crate::Run;
use crate::check::Check;
use crate::cli::Bench;
use crate::error::Error;
use crate::floor::{self, Scratch};
use crate::http::Client;
use crate::market::{self, Wanted};
use crate::procfs::{Spent, children_cpu_seconds};
use crate::progress::Progress;
use crate::races::{Created, Tally, accept};
use crate::report::{Latency, Report, median, rounded};
use crate::server::{Server, Token};
use crate::{money, verdict};

const CUSTOMERS: u64 = 32;
/// Orders whose customers are still to be told.
const UNTOLD: &str = "orderboard_notices_waiting";
const UPDATES: &str = "orderboard_accept_updates_total";
const CREATE_WITHIN: Duration = Duration::from_secs(300);
const ROUND_WITHIN: Duration = Duration::from_secs(120);
const QUIET_WITHIN: Duration = Duration::from_secs(15);

/// Who spent processor time, as the figures name them.
const SPENDERS: &str = "server, its databases, load test, whole machine";

pub(crate) async fn run(server: &Server, options: &Bench, run: &Run) -> Result<Report, Error> {
    let database = server.database().await?;
    let turns = options.rounds * options.takers.len() as u64;
    let customers = market::customers(server, CUSTOMERS, options.orders * turns).await?;
    let most = options.takers.iter().copied().max().unwrap_or(1);
    let executors = server.tokens(most, "executor", 0).await?;
    let mut clients: Vec<(u64, Client)> = executors.iter().map(|e| (e.user_id, server.client(Some(e)))).collect();
    for (_, client) in &mut clients {
        client.connect().await?;
    }
    let sums = Sums {
        floor: vec![Sum::new(); options.floors.len()],
        http: vec![Sum::new(); options.takers.len()],
        floor_check: Check::new(floor::CHECK),
        created: Vec::new(),
        tally: Tally::new(),
    };
    let mut sides = Sides { server, run, options, customers, clients, sums };
    let mut scratch = Scratch::make(server, run, options.floors.iter().copied().max().unwrap_or(1)).await?;
    let turns = sides.all_turns(&mut scratch).await;
    scratch.remove().await?;
    turns?;
    told(options, sides.sums, &database).await
}

/// What was measured at one number of connections or takers.
#[derive(Clone)]
struct Sum {
    rates: Vec<f64>,
    /// Processor time for each order, of [`SPENDERS`].
    cpu_us: Vec<[f64; 4]>,
    /// Orders for each UPDATE.
    batches: Vec<f64>,
    latency: Latency,
}

impl Sum {
    fn new() -> Self {
        Self { rates: Vec::new(), cpu_us: Vec::new(), batches: Vec::new(), latency: Latency::new() }
    }

    fn cpu(&self) -> Vec<Value> {
        (0..4).map(|n| rounded(median(&self.cpu_us.iter().map(|round| round[n]).collect::<Vec<_>>()))).collect()
    }
}

struct Sums {
    floor: Vec<Sum>,
    http: Vec<Sum>,
    floor_check: Check,
    created: Vec<Created>,
    tally: Tally,
}

/// Both sides, ready to take their turns.
struct Sides<'a> {
    server: &'a Server,
    run: &'a Run,
    options: &'a Bench,
    customers: Vec<Token>,
    clients: Vec<(u64, Client)>,
    sums: Sums,
}

impl Sides<'_> {
    async fn all_turns(&mut self, scratch: &mut Scratch) -> Result<(), Error> {
        let options = self.options;
        let turns = options.rounds * (options.floors.len() + options.takers.len()) as u64;
        let progress = Progress::new("bench: turns", turns);
        for _ in 0..options.rounds {
            for n in 0..options.floors.len().max(options.takers.len()) {
                if self.run.stop.is_cancelled() {
                    return Ok(());
                }
                if let Some(&connections) = options.floors.get(n) {
                    self.floor(scratch, n, connections).await?;
                    progress.step();
                }
                if let Some(&takers) = options.takers.get(n) {
                    self.http(n, takers).await?;
                    progress.step();
                }
            }
        }
        Ok(())
    }

    async fn floor(&mut self, scratch: &mut Scratch, n: usize, connections: u64) -> Result<(), Error> {
        let databases = self.databases_s();
        let round = scratch.round(connections, self.options.orders, &self.run.stop).await?;
        let databases_us = (self.databases_s() - databases) * 1e6 / round.latency.count().max(1) as f64;
        let [server, load, machine] = round.cpu_us;
        self.sums.floor_check.seen += round.latency.count();
        self.sums.floor_check.problems.merge(round.problems);
        let sum = &mut self.sums.floor[n];
        sum.rates.push(round.per_s);
        // With what filling the table has cost.
        sum.cpu_us.push([server, databases_us, load, machine]);
        sum.latency.merge(&round.latency);
        Ok(())
    }

    fn databases_s(&self) -> f64 {
        self.server.pid().map_or(0.0, children_cpu_seconds)
    }

    async fn http(&mut self, n: usize, takers: u64) -> Result<(), Error> {
        let (label, count) = ("bench: orders to take", self.options.orders);
        let wanted = Wanted { label, count, per_s: None, within: CREATE_WITHIN };
        let produced = market::produce(self.server, self.run, &self.customers, &wanted, None).await?;
        if produced.problems.count > 0 {
            let (count, words) = (produced.problems.count, produced.problems.examples);
            return Err(Error::Server(format!("{count} orders could not be created: {words:?}")));
        }
        let mut busy: Vec<(u64, Client)> = self.clients.drain(..takers as usize).collect();
        until_quiet(self.server).await?;
        // Who is signed in is known for half a minute; nobody comes for the first time in the middle of a race.
        for (_, client) in &mut busy {
            client.get("/api/me").await?;
        }
        let ids = produced.created.iter().map(|order| order.id).collect();
        let updates = self.server.metric(UPDATES).await?;
        let (spent, databases) = (Spent::begin(self.server.pid()), self.databases_s());
        let (tally, took) = take_all(&mut busy, ids, self.run).await?;
        let machine_s = spent.seconds()[2];
        // What a taking costs includes its news, whenever that is sent.
        until_quiet(self.server).await?;
        let [server_s, load_s, _] = spent.seconds();
        let databases_s = self.databases_s() - databases;
        let updates = self.server.metric(UPDATES).await? - updates;
        self.clients.extend(busy);
        let won = tally.won.count().max(1) as f64;
        let sum = &mut self.sums.http[n];
        sum.rates.push(tally.won.count() as f64 / took.as_secs_f64());
        sum.cpu_us.push([server_s, databases_s, load_s, machine_s].map(|seconds| seconds * 1e6 / won));
        sum.batches.push(won / updates.max(1.0));
        sum.latency.merge(&tally.won);
        self.sums.tally.merge(tally);
        self.sums.created.extend(produced.created);
        Ok(())
    }
}

/// The news of the last phase must not be the burden of the next: until the board stands still, and whose orders were taken has
/// been told.
async fn until_quiet(server: &Server) -> Result<(), Error> {
    #[derive(serde::Deserialize)]
    struct Position {
        seq: u64,
    }
    let (mut client, give_up) = (server.client(None), Instant::now() + QUIET_WITHIN);
    let mut before = None;
    while Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let answer = client.get("/api/board?board=all").await?;
        let now = serde_json::from_slice::<Position>(answer.body)?.seq;
        if before.replace(now) == Some(now) && server.metric(UNTOLD).await? == 0.0 {
            break;
        }
    }
    Ok(())
}

/// Each connection takes one order after the other; nobody races, as at the floor.
async fn take_all(clients: &mut Vec<(u64, Client)>, orders: Vec<u64>, run: &Run) -> Result<(Tally, Duration), Error> {
    let (orders, next) = (Arc::new(orders), Arc::new(AtomicU64::new(0)));
    let (mut tasks, begun) = (JoinSet::new(), Instant::now());
    for (taker, mut client) in clients.drain(..) {
        let (orders, next, stop) = (orders.clone(), next.clone(), run.stop.clone());
        tasks.spawn(async move {
            let mut tally = Tally::new();
            while !stop.is_cancelled() && begun.elapsed() < ROUND_WITHIN {
                let at = next.fetch_add(1, Ordering::Relaxed) as usize;
                let Some(&order) = orders.get(at) else { break };
                let (outcome, took) = accept(&mut client, taker, order).await;
                tally.add(taker, order, &outcome, took);
            }
            (taker, client, tally, begun.elapsed())
        });
    }
    let (mut all, mut last) = (Tally::new(), Duration::ZERO);
    while let Some(done) = tasks.join_next().await {
        let (taker, client, tally, ended) = done?;
        clients.push((taker, client));
        last = last.max(ended);
        all.merge(tally);
    }
    Ok((all, last))
}

async fn told(options: &Bench, mut sums: Sums, database: &MySqlPool) -> Result<Report, Error> {
    sums.created.sort_unstable_by_key(|order| order.id);
    let mut report = Report::new(format!("bench: taking over HTTP against the floor, {} orders a turn, in turns", options.orders));
    let list = |rates: &[f64]| rates.iter().map(|&rate| rounded(rate)).collect::<Vec<_>>();
    // Of each round the best, whichever number of connections made it.
    let rounds = sums.floor.iter().map(|sum| sum.rates.len()).min().unwrap_or(0);
    let best: Vec<f64> = (0..rounds).map(|n| sums.floor.iter().map(|sum| sum.rates[n]).fold(0.0, f64::max)).collect();
    for (connections, sum) in options.floors.iter().zip(&sums.floor) {
        report.figure(&format!("floor, {connections} connections: per s"), list(&sum.rates));
        report.figure(&format!("floor, {connections} connections: CPU µs an order of {SPENDERS}"), sum.cpu());
    }
    report.figure("floor: best per s (median of the rounds)", rounded(median(&best)));
    for (takers, sum) in options.takers.iter().zip(&sums.http) {
        let ratios: Vec<f64> = sum.rates.iter().zip(&best).map(|(http, floor)| http / floor).collect();
        report.figure(&format!("HTTP, {takers} takers: per s"), list(&sum.rates));
        report.figure(&format!("HTTP, {takers} takers: orders an UPDATE"), list(&sum.batches));
        report.figure(&format!("HTTP, {takers} takers: CPU µs an order of {SPENDERS}"), sum.cpu());
        report.figure(&format!("HTTP, {takers} takers / best floor (median of the rounds)"), rounded(median(&ratios)));
    }
    report.verdict.add([sums.floor_check]);
    report.verdict.add(verdict::answers(&sums.created, &sums.tally));
    report.verdict.add([verdict::contracts(database, &sums.created, &sums.tally).await?]);
    report.verdict.add(money::checks(database).await?);
    for (connections, sum) in options.floors.iter().zip(sums.floor) {
        report.latency(&format!("floor, {connections} connections"), sum.latency);
    }
    for (takers, sum) in options.takers.iter().zip(sums.http) {
        report.latency(&format!("HTTP, {takers} takers"), sum.latency);
    }
    Ok(report)
}
