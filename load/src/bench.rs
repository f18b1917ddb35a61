//! One run that tells how fast the server is on this machine: taking orders over HTTP against the
//! database's floor, in turns so that both meet the same machine; then the other commands in short.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::mysql::MySqlPool;
use tokio::task::JoinSet;

use crate::check::Check;
use crate::cli::{Bench, Common, Fanout, Herd, Idle, Speed, Takers};
use crate::error::Error;
use crate::floor::{self, Scratch};
use crate::http::Client;
use crate::market::{self, Wanted};
use crate::procfs::Spent;
use crate::progress::Progress;
use crate::races::{Created, Tally, accept};
use crate::report::{Latency, Report, median, rounded};
use crate::server::{Server, Token};
use crate::verdict;
use crate::{Run, fanout, herd, idle, money, takers};

const CUSTOMERS: u64 = 32;
/// The floor is this much faster or less: with so many orders more, both sides are measured about as long.
const FLOOR_TIMES: u64 = 3;
const CREATE_WITHIN: Duration = Duration::from_secs(300);
const ROUND_WITHIN: Duration = Duration::from_secs(120);
const QUIET_WITHIN: Duration = Duration::from_secs(15);

pub(crate) async fn run(common: &Common, options: &Bench, run: &Run) -> Result<Report, Error> {
    let server = Server::reach(common).await?;
    let mut report = ratio(&server, options, run).await?;
    if options.only_ratio {
        return Ok(report);
    }
    let go_on = || !run.stop.is_cancelled();
    if go_on() {
        let short = Takers { takers: 200, orders: 1_000, rate: 200.0, watchers: 0, racers: 8, customers: 16 };
        report.parts.push(takers::run(&server, &short, run).await?);
    }
    if go_on() {
        report.parts.push(herd::run(&server, &Herd { takers: 1_000, rounds: 5 }, run).await?);
    }
    let can_measure_memory = server.pid().is_some();
    // Its memory is that of a server that has worked: the idle sockets get fresh ones.
    drop(server);
    if go_on() && can_measure_memory {
        let sockets = options.sockets;
        let idlers = Idle { sockets, orders: 1_000, limit_kb: 8.0, settle_s: 6, guests: false };
        report.parts.push(idle::run(common, &idlers, run).await?);
    } else if go_on() {
        report.figure("idle", "not measured: --server-pid is missing");
    }
    if go_on() && common.url.is_none() {
        let short = Fanout { rounds: 1, seconds: 5, quick: true };
        report.parts.push(fanout::run(common, &short, run).await?);
    }
    if go_on() {
        report.parts.push(money::speed(common, None, Speed::default(), run).await?);
    }
    Ok(report)
}

struct Sums {
    floor_rates: Vec<f64>,
    /// Processor time for each order, of server, load test and machine.
    floor_cpu_us: Vec<[f64; 3]>,
    http_cpu_us: Vec<[f64; 3]>,
    http_rates: Vec<f64>,
    floor_latency: Latency,
    create_latency: Latency,
    floor_check: Check,
    created: Vec<Created>,
    tally: Tally,
}

/// Both sides, ready to take their turns.
struct Sides<'a> {
    server: &'a Server,
    run: &'a Run,
    /// Orders a turn to take over HTTP.
    orders: u64,
    customers: Vec<Token>,
    clients: Vec<(u64, Client)>,
    sums: Sums,
}

async fn ratio(server: &Server, options: &Bench, run: &Run) -> Result<Report, Error> {
    let database = server.database().await?;
    let customers = market::customers(server, CUSTOMERS, options.orders * options.rounds).await?;
    let executors = server.tokens(options.connections, "executor", 0).await?;
    let mut clients: Vec<(u64, Client)> = executors.iter().map(|e| (e.user_id, server.client(Some(e)))).collect();
    for (_, client) in &mut clients {
        client.connect().await?;
    }
    let mut sides = Sides { server, run, orders: options.orders, customers, clients, sums: Sums::new() };
    let mut scratch = Scratch::make(server, run, options.connections).await?;
    let turns = sides.all_turns(&mut scratch, options.rounds).await;
    scratch.remove().await?;
    turns?;
    told(options, sides.sums, &database).await
}

impl Sides<'_> {
    async fn all_turns(&mut self, scratch: &mut Scratch, rounds: u64) -> Result<(), Error> {
        let progress = Progress::new("bench: rounds", rounds);
        for _ in 0..rounds {
            if self.run.stop.is_cancelled() {
                break;
            }
            self.floor(scratch).await?;
            self.http().await?;
            progress.step();
        }
        Ok(())
    }

    async fn floor(&mut self, scratch: &mut Scratch) -> Result<(), Error> {
        let round = scratch.round(self.orders * FLOOR_TIMES, &self.run.stop).await?;
        let sums = &mut self.sums;
        sums.floor_rates.push(round.per_s);
        sums.floor_cpu_us.push(round.cpu_us);
        sums.floor_check.seen += round.latency.count();
        sums.floor_check.problems.merge(round.problems);
        sums.floor_latency.merge(&round.latency);
        Ok(())
    }

    async fn http(&mut self) -> Result<(), Error> {
        let (label, count) = ("bench: orders to take", self.orders);
        let wanted = Wanted { label, count, per_s: None, within: CREATE_WITHIN };
        let produced = market::produce(self.server, self.run, &self.customers, &wanted, None).await?;
        if produced.problems.count > 0 {
            let (count, words) = (produced.problems.count, produced.problems.examples);
            return Err(Error::Server(format!("{count} orders could not be created: {words:?}")));
        }
        self.sums.create_latency.merge(&produced.latency);
        until_quiet(self.server).await?;
        let ids = produced.created.iter().map(|order| order.id).collect();
        let spent = Spent::begin(self.server.pid());
        let (tally, took) = take_all(&mut self.clients, ids, self.run).await?;
        let sums = &mut self.sums;
        sums.http_cpu_us.push(spent.seconds().map(|s| s * 1e6 / tally.won.count().max(1) as f64));
        sums.http_rates.push(tally.won.count() as f64 / took.as_secs_f64());
        sums.tally.merge(tally);
        sums.created.extend(produced.created);
        until_quiet(self.server).await
    }
}

impl Sums {
    fn new() -> Self {
        Self {
            floor_rates: Vec::new(),
            floor_cpu_us: Vec::new(),
            http_cpu_us: Vec::new(),
            http_rates: Vec::new(),
            floor_latency: Latency::new(),
            create_latency: Latency::new(),
            floor_check: Check::new(floor::CHECK),
            created: Vec::new(),
            tally: Tally::new(),
        }
    }
}

/// The news of the last phase must not be the burden of the next: until the board stands still.
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
        if before.replace(now) == Some(now) {
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
            (taker, client, tally)
        });
    }
    let mut all = Tally::new();
    while let Some(done) = tasks.join_next().await {
        let (taker, client, tally) = done?;
        clients.push((taker, client));
        all.merge(tally);
    }
    Ok((all, begun.elapsed()))
}

async fn told(options: &Bench, mut sums: Sums, database: &MySqlPool) -> Result<Report, Error> {
    sums.created.sort_unstable_by_key(|order| order.id);
    let ratios: Vec<f64> = sums.http_rates.iter().zip(&sums.floor_rates).map(|(h, f)| h / f).collect();
    let list = |rates: &[f64]| rates.iter().map(|&r| rounded(r)).collect::<Vec<_>>();
    let mut report =
        Report::new(format!("bench: {} connections each, {} orders over HTTP a round, in turns", options.connections, options.orders));
    report.figure("floor: taken per s (median)", rounded(median(&sums.floor_rates)));
    report.figure("HTTP: taken per s (median)", rounded(median(&sums.http_rates)));
    report.figure("HTTP / floor (median of the rounds)", rounded(median(&ratios)));
    report.figure("floor: rounds", list(&sums.floor_rates));
    report.figure("HTTP: rounds", list(&sums.http_rates));
    report.figure("floor: CPU µs per order of load test, whole machine", medians(&sums.floor_cpu_us)[1..].to_vec());
    report.figure("HTTP: CPU µs per order of server, load test, whole machine", medians(&sums.http_cpu_us));
    report.verdict.add([sums.floor_check]);
    report.verdict.add(verdict::answers(&sums.created, &sums.tally));
    report.verdict.add([verdict::contracts(database, &sums.created, &sums.tally).await?]);
    report.verdict.add(money::checks(database).await?);
    report.closed_loop("floor: UPDATE", sums.floor_latency);
    report.closed_loop("HTTP: accept", sums.tally.won);
    report.closed_loop("HTTP: create", sums.create_latency);
    Ok(report)
}

fn medians(rounds: &[[f64; 3]]) -> Vec<Value> {
    let one = |n: usize| rounds.iter().map(|round| round[n]).collect::<Vec<_>>();
    (0..3).map(|n| rounded(median(&one(n)))).collect()
}
