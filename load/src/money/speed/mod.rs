//! How fast is billing by queue? From the XADD of a request until its answer is read, each operation in a transaction of
//! its own and many to one; against the same statements sent straight to the database (`floor`); everything on one system
//! account against everything spread out. `feed` publishes what a `plan` thinks of.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};

use self::feed::{Feed, Measured};
use self::floor::Floor;
use self::plan::{Hold, Plan, To};
use super::queue::Streams;
use super::services::{Services, socket_of};
use super::workers::{Program, Worker};
use crate::Run;
use crate::check::{Check, Problems};
use crate::cli::{Common, Speed};
use crate::error::Error;
use crate::procfs::cpu_seconds;
use crate::progress::Progress;
use crate::report::{Latency, Report, median, rounded};
use crate::server;

mod feed;
mod floor;
mod plan;

const CREDIT: i64 = 10_000_000;
const ROUNDS: usize = 5;
/// Turns of queue and floor.
const TURNS: u64 = 4;
const RESEND_MS: u64 = 600_000;
/// All captures into one system account against captures to many people.
const RATIO_MIN: f64 = 0.90;
const DEADLOCKS_MAX_PER_100_000: f64 = 1.0;
/// A machine that is slow measures fewer operations, not longer.
const LIMIT: Duration = Duration::from_secs(8);

/// How the workers are set up, and how much they get.
#[derive(Clone, Copy)]
struct Setup {
    name: &'static str,
    workers: u64,
    batch: u64,
    /// Requests without an answer at any time.
    window: u64,
    operations: u64,
    captures: usize,
}

/// The batched one first: it makes the holds that both capture. Its window keeps every worker's next group waiting.
fn setups(options: Speed) -> [Setup; 2] {
    let Speed { batch, batch_workers: workers, .. } = options;
    [
        Setup { name: "batched", workers, batch, window: workers * batch * 2, operations: 40_000, captures: 4_000 },
        Setup { name: "unbatched", workers: 16, batch: 1, window: 48, operations: 12_000, captures: 1_200 },
    ]
}

pub(super) async fn run(common: &Common, redis_url: Option<&str>, options: Speed, run: &Run) -> Result<Report, Error> {
    let path = server::executable(common)?;
    if let (Some(database_url), Some(redis_url)) = (&common.database_url, redis_url) {
        return Bench::new(path, database_url, redis_url, options, run).await?.measure().await;
    }
    let services = Services::start().await?;
    let measured = async { Bench::new(path, &services.database_url, &services.redis_url, options, run).await?.measure().await }.await;
    services.stop().await;
    measured
}

struct Bench<'a> {
    run: &'a Run,
    options: Speed,
    program: Program,
    database_url: String,
    database: MySqlPool,
    redis_url: String,
    streams: String,
    users: Vec<u64>,
    holds: Vec<Hold>,
    log: std::path::PathBuf,
    report: Report,
    answers: u64,
    problems: Problems,
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.log);
    }
}

impl<'a> Bench<'a> {
    async fn new(path: std::path::PathBuf, database_url: &str, redis_url: &str, options: Speed, run: &'a Run) -> Result<Self, Error> {
        let program = Program::new(path, database_url, redis_url);
        program.ask(&["migrate"]).await?;
        let users = program.users(options.users, CREDIT).await?.iter().map(|user| user.user_id).collect();
        let database = MySqlPoolOptions::new().max_connections(2).connect(database_url).await?;
        let streams = run.tag.replace(' ', "-").to_lowercase();
        let log = std::env::temp_dir().join(format!("{streams}-worker.log"));
        let report = Report::new(format!("money by queue: {} users, from XADD to the answer", options.users));
        let (database_url, redis_url) = (database_url.to_owned(), redis_url.to_owned());
        let (holds, problems) = (Vec::new(), Problems::default());
        Ok(Self { run, options, program, database_url, database, redis_url, streams, users, holds, log, report, answers: 0, problems })
    }

    async fn measure(mut self) -> Result<Report, Error> {
        let deadlocks_before = deadlocks(&self.database).await?;
        let mut ratios = Check::new("all on one system account is at least 90 % as fast as spread out");
        for setup in setups(self.options) {
            if self.run.stop.is_cancelled() {
                break;
            }
            let ratio = self.service(setup).await?;
            ratios.seen += 1;
            if ratio < RATIO_MIN {
                ratios.problems.add(|| format!("{}: {ratio:.2}", setup.name));
            }
        }
        let mut locks = Check::new("at most one deadlock in 100,000 operations");
        let deadlocks = deadlocks(&self.database).await?.zip(deadlocks_before).map(|(after, before)| after - before);
        let per_100_000 = deadlocks.map(|deadlocks| deadlocks as f64 * 1e5 / self.answers.max(1) as f64);
        match per_100_000 {
            Some(per_100_000) => {
                locks.seen = self.answers;
                if per_100_000 > DEADLOCKS_MAX_PER_100_000 {
                    locks.problems.add(|| format!("{per_100_000:.1}"));
                }
                self.report.figure("deadlocks per 100,000 operations", rounded(per_100_000));
            }
            None => self.report.figure("deadlocks per 100,000 operations", "the server does not count them"),
        }
        let mut done = Check::new("each operation was answered, and done");
        (done.seen, done.problems) = (self.answers, std::mem::take(&mut self.problems));
        self.report.verdict.add([done, ratios, locks]);
        self.report.verdict.add(super::checks::checks_without_orders(&self.database).await?);
        Ok(std::mem::take(&mut self.report))
    }

    /// Everything with workers set up like this; the ratio of all on one to spread out.
    async fn service(&mut self, setup: Setup) -> Result<f64, Error> {
        let program = self
            .program
            .with("ORDERBOARD_ROLES", &"worker")
            .with("ORDERBOARD_BILLING_STREAMS", &self.streams)
            .with("ORDERBOARD_BILLING_WORKERS", &setup.workers)
            .with("ORDERBOARD_BILLING_BATCH", &setup.batch)
            // What the floor notes as outgoing is not the worker's to send.
            .with("ORDERBOARD_BILLING_RESEND_MS", &RESEND_MS)
            .with("ORDERBOARD_DATABASE_CONNECTIONS", &(setup.workers + 4));
        let mut worker = Worker::spawn(&program, &self.log)?;
        worker.until_ready().await?;
        let measured = self.with_worker(setup, &worker).await;
        worker.stop().await?;
        measured
    }

    async fn with_worker(&mut self, setup: Setup, worker: &Worker) -> Result<f64, Error> {
        let tag = format!("{}-{}", self.run.tag.replace(' ', "-"), setup.name);
        let mut feed = Feed::new(&self.redis_url, Streams::named(&self.streams), tag).await?;
        let Setup { name, workers, batch, window, .. } = setup;
        self.report.figure(&format!("{name}: workers, operations a transaction, window"), vec![workers, batch, window]);
        let progress = Progress::new(&format!("money: {name}"), 4 + 2 * ROUNDS as u64);
        if self.holds.is_empty() {
            let count = setups(self.options).iter().map(|setup| setup.captures * (2 * ROUNDS + 1)).sum::<usize>() as u64;
            let mut plan = Plan::holds(&self.users, count);
            self.drive(&mut feed, &mut plan, setup).await?;
            self.holds = plan.into_made();
        }
        progress.step();
        let pids = Pids { worker: worker.pid(), mariadb: mariadb_pid(&self.database_url), redis: feed.redis_pid() };
        // Caches and prepared statements are there before anything is timed.
        self.drive(&mut feed, &mut Plan::mix(&self.users, setup.operations / 20, 1), setup).await?;
        let before = pids.seconds();
        let mix = self.drive(&mut feed, &mut Plan::mix(&self.users, setup.operations, 2), setup).await?;
        let spent = pids.seconds();
        let each_us = |n: usize| rounded((spent[n] - before[n]) * 1e6 / mix.answers.max(1) as f64);
        let cpu: Vec<Value> = (0..4).map(each_us).collect();
        progress.step();

        self.against_the_floor(&mut feed, setup).await?;
        progress.step();

        // A capture into the house is one statement more than one to a user (the line of the system account), which in turn
        // is a row more in the two statements that write accounts and entries.
        let (mut house, mut many) = (Vec::new(), Vec::new());
        let share = (self.holds.len() / (setups(self.options).len() * (2 * ROUNDS + 1))).min(setup.captures);
        for round in 0..2 * ROUNDS {
            // In turns, and each goes first as often.
            let is_house = (round / 2 + round) % 2 == 0;
            let to = if is_house { To::House } else { To::Many(self.users.clone()) };
            let measured = self.captures(&mut feed, to, share, setup).await?;
            if is_house { &mut house } else { &mut many }.push(measured.per_s());
            progress.step();
        }
        let one = self.users.first().copied().unwrap_or(0);
        let others = self.captures(&mut feed, To::One(one), share, setup).await?;
        progress.step();
        let ratio = median(&house) / median(&many).max(1e-6);
        let report = &mut self.report;
        report.figure(&format!("{name}: mix, op/s"), rounded(mix.per_s()));
        report.figure(&format!("{name}: CPU µs per operation of worker, MariaDB, Redis, load test"), cpu);
        report.figure(&format!("{name}: captures into the house, op/s (median)"), rounded(median(&house)));
        report.figure(&format!("{name}: captures to many users, op/s (median)"), rounded(median(&many)));
        report.figure(&format!("{name}: house / many"), rounded(ratio));
        report.figure(&format!("{name}: captures to one user, op/s"), rounded(others.per_s()));
        report.closed_loop(&format!("{name}: XADD to answer"), mix.latency);
        Ok(ratio)
    }

    async fn captures(&mut self, feed: &mut Feed, to: To, count: usize, setup: Setup) -> Result<Measured, Error> {
        let mut holds = self.holds.split_off(self.holds.len().saturating_sub(count));
        if let To::One(one) = to {
            // Nobody captures to themselves.
            holds.retain(|hold| hold.user_id != one);
        }
        self.drive(feed, &mut Plan::captures(holds, to, count as u64), setup).await
    }

    async fn drive(&mut self, feed: &mut Feed, plan: &mut Plan, setup: Setup) -> Result<Measured, Error> {
        let mut measured = feed.drive(plan, setup.window, LIMIT, &self.run.stop).await?;
        self.answers += measured.answers;
        self.problems.merge(std::mem::take(&mut measured.problems));
        Ok(measured)
    }

    /// Credits by queue and credits straight to the database, over as many connections and as many to a transaction, in
    /// turns, so that both meet the same machine.
    async fn against_the_floor(&mut self, feed: &mut Feed, setup: Setup) -> Result<(), Error> {
        let mut floor = Floor::open(&self.database_url, self.accounts().await?, setup.workers, setup.batch).await?;
        let tag = format!("{}-{}-floor", self.run.tag.replace(' ', "-"), setup.name);
        let warm_up = floor.round(setup.operations / 20, &format!("{tag}-0")).await?;
        self.answers += warm_up.operations;
        let (mut by_queue, mut by_floor, mut latency) = (Vec::new(), Vec::new(), Latency::new());
        for turn in 1..=TURNS {
            let count = setup.operations / TURNS;
            let round = floor.round(count, &format!("{tag}-{turn}")).await?;
            self.answers += round.operations;
            by_floor.push(round.per_s());
            latency.merge(&round.latency);
            // Nobody is to send these.
            sqlx::query("delete from outgoing where operation_id like ?").bind(format!("b:{tag}%")).execute(&self.database).await?;
            let credits = self.drive(feed, &mut Plan::credits(&self.users, count, turn), setup).await?;
            by_queue.push(credits.per_s());
        }
        let ratios: Vec<f64> = by_queue.iter().zip(&by_floor).map(|(queue, floor)| queue / floor).collect();
        let name = setup.name;
        self.report.figure(&format!("{name}: credits by queue, op/s (median)"), rounded(median(&by_queue)));
        self.report.figure(&format!("{name}: floor, credits straight to the database, op/s (median)"), rounded(median(&by_floor)));
        self.report.figure(&format!("{name}: by queue / floor (median of the turns)"), rounded(median(&ratios)));
        self.report.closed_loop(&format!("{name}: floor, a transaction"), latency);
        Ok(())
    }

    /// The wallets of this run's users.
    async fn accounts(&self) -> Result<Vec<u64>, Error> {
        let all: Vec<(u64, u64)> = sqlx::query_as(
            "select cast(id as unsigned), cast(user_id as unsigned) from accounts where kind = 'wallet' and currency = 'RUB'",
        )
        .fetch_all(&self.database)
        .await?;
        let ours: HashSet<u64> = self.users.iter().copied().collect();
        Ok(all.into_iter().filter(|(_, user)| ours.contains(user)).map(|(id, _)| id).collect())
    }
}

/// Whose processor time is told.
struct Pids {
    worker: Option<u32>,
    mariadb: Option<u32>,
    redis: Option<u32>,
}

impl Pids {
    fn seconds(&self) -> [f64; 4] {
        [self.worker, self.mariadb, self.redis, Some(std::process::id())].map(|pid| pid.and_then(cpu_seconds).unwrap_or(0.0))
    }
}

/// Where it can be known: behind a unix socket.
fn mariadb_pid(url: &str) -> Option<u32> {
    let stream = std::os::unix::net::UnixStream::connect(socket_of(url)?).ok()?;
    stream.set_nonblocking(true).ok()?;
    let stream = tokio::net::UnixStream::from_std(stream).ok()?;
    u32::try_from(stream.peer_cred().ok()?.pid()?).ok()
}

/// As the server counts them; MySQL calls it otherwise than MariaDB.
async fn deadlocks(database: &MySqlPool) -> Result<Option<u64>, Error> {
    let status: Option<(String, String)> = sqlx::query_as("show global status like 'Innodb_deadlocks'").fetch_optional(database).await?;
    if let Some((_, count)) = status {
        return Ok(count.parse().ok());
    }
    let metric: Result<Option<i64>, _> =
        sqlx::query_scalar("select count from information_schema.innodb_metrics where name = 'lock_deadlocks'")
            .fetch_optional(database)
            .await;
    Ok(metric.ok().flatten().and_then(|count| u64::try_from(count).ok()))
}
