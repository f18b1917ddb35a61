//! A mixed market for as long as one likes. In reading order: `people` who takes part and what they were told, `market`
//! what customers and executors do, `crowd` the sockets, `memory` whether the server grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::mysql::MySqlPool;
use tokio_util::sync::CancellationToken;

use self::crowd::Crowd;
use self::market::Market;
use self::memory::Memory;
use self::people::{Ledger, Person, Races};
use crate::check::Check;
use crate::cli::Soak;
use crate::error::Error;
use crate::procfs::{self, Spent};
use crate::progress::Progress;
use crate::races::locked;
use crate::report::{Chart, Line, Report, rounded, seconds_now};
use crate::server::Server;
use crate::storm::proof;
use crate::storm::seat::Hall;
use crate::{Run, market as orders, money};

mod crowd;
mod market;
mod memory;
mod people;

const LIVE_WITHIN: Duration = Duration::from_secs(120);
/// After the last order, until all lives have ended.
const LIVES_END_WITHIN: Duration = Duration::from_secs(60);
const MEET_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const SAMPLES: u32 = 1_000;
const CREDIT_FOR: u64 = 100_000;

/// What is looked at again and again.
#[derive(Default)]
struct Course {
    memory: Memory,
    seated: Vec<(f64, f64)>,
    living: Vec<(f64, f64)>,
}

pub(crate) async fn run(server: &Server, options: &Soak, run: &Run) -> Result<Report, Error> {
    let database = server.database().await?;
    let guests = options.sockets / 10;
    let duration = options.duration();
    let wanted = (options.rate * duration.as_secs_f64()) as u64;
    let customers = orders::customers(server, options.customers, wanted.max(CREDIT_FOR)).await?;
    let executors = server.tokens(options.sockets - guests, "executor", 0).await?;
    let tag = format!("{} soak", run.tag);
    let hall = Hall::new(server.authority.clone(), tag.clone(), 1);
    // Everybody is there before the first order is due.
    let begin = Instant::now() + Duration::from_millis(2 * options.sockets) + Duration::from_secs(3);
    let market = Arc::new(Market {
        tag: tag.clone(),
        per_s: options.rate,
        begun: begin,
        customers: customers.iter().map(|token| Person::of(server, token)).collect(),
        executors: executors.iter().map(|token| Person::of(server, token)).collect(),
        races: Races::default(),
        ledger: Ledger::default(),
        closing: CancellationToken::new(),
        next: AtomicU64::new(0),
        living: AtomicU64::new(0),
    });
    hall.schedule(begin, options.rate);
    let mut crowd = Crowd::gather(&hall, &market, &executors, guests, options);
    wait_until(|| crowd.live() == crowd.copies.len() || run.stop.is_cancelled(), LIVE_WITHIN).await;
    if crowd.live() < crowd.copies.len() && !run.stop.is_cancelled() {
        let why = locked(&hall.errors).examples.join("; ");
        return Err(Error::Server(format!("only {} of {} watchers have the board: {why}", crowd.live(), crowd.copies.len())));
    }

    let (spent, begun) = (Spent::begin(server.pid()), Instant::now());
    let mut tasks = market.open();
    let course = watch_over(server, &market, &crowd, begin + duration, run).await?;
    market.closing.cancel();
    let all = async { while tasks.join_next().await.is_some() {} };
    let ended = tokio::time::timeout(LIVES_END_WITHIN, all).await.is_ok();
    let (took, cpu_s) = (begun.elapsed().as_secs_f64(), spent.seconds());
    crowd.calm.cancel();
    wait_until(|| crowd.seated.load(Ordering::Relaxed) == crowd.copies.len() as u64, MEET_WITHIN).await;
    let boards = proof::boards(&mut server.client(None), &crowd.copies, &database, MEET_WITHIN).await?;
    crowd.stop.cancel();
    crowd.tasks.shutdown().await;

    let mut report = Report::new(format!("soak: {} sockets, {} orders a second, {} s", options.sockets, options.rate, duration.as_secs()));
    report.figure("lasted s", rounded(took));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
    let percent = cpu_s.map(|seconds| rounded(100.0 * seconds / took / cores));
    report.figure("CPU % of the machine: server, load test, everything", percent.to_vec());
    told(&mut report, &hall, &crowd, &market);
    course.tell(&mut report, options);
    report.verdict.add(boards);
    report.verdict.add([hall.proofs(), ends(&database, &market, &tag, ended).await?]);
    report.verdict.add(money::checks(&database).await?);
    if server.is_own() {
        report.verdict.add([audit(server).await]);
    }
    Ok(report)
}

async fn wait_until(is_so: impl Fn() -> bool, within: Duration) {
    let give_up = Instant::now() + within;
    while !is_so() && Instant::now() < give_up {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks at the server now and then, until the end.
async fn watch_over(server: &Server, market: &Market, crowd: &Crowd, end: Instant, run: &Run) -> Result<Course, Error> {
    let left = end.saturating_duration_since(Instant::now());
    let every = (left / SAMPLES).max(Duration::from_millis(500));
    let progress = Progress::new("soak: looks", left.as_millis() as u64 / every.as_millis().max(1) as u64);
    let mut course = Course::default();
    while Instant::now() < end && !run.stop.is_cancelled() {
        if let Some(pid) = server.pid() {
            course.memory.add(procfs::rss_kb(pid)?);
        }
        let now = seconds_now();
        course.seated.push((now, crowd.seated.load(Ordering::Relaxed) as f64));
        course.living.push((now, market.living.load(Ordering::Relaxed) as f64));
        progress.step();
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = run.stop.cancelled() => {}
        }
    }
    Ok(course)
}

impl Course {
    fn tell(self, report: &mut Report, options: &Soak) {
        self.memory.tell(report, options.memory_floor_kb);
        let line = |name: &str, points| vec![Line { name: name.into(), points }];
        report.charts.push(Chart::over_time("open sockets", line("open sockets", self.seated)));
        report.charts.push(Chart::over_time("orders that are not ended", line("orders", self.living)));
    }
}

fn told(report: &mut Report, hall: &Hall, crowd: &Crowd, market: &Market) {
    market.ledger.tell(report);
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    report.figure("frames read", count(&hall.frames));
    report.figure("sockets cut by us", count(&crowd.cuts));
    report.figure("sockets lost otherwise", hall.losses());
    report.figure("snapshots read", count(&hall.snapshots));
    report.figure("resyncs after a gap", count(&hall.resyncs));
    let refused = locked(&hall.errors).examples.clone();
    if !refused.is_empty() {
        report.figure("on the sockets", refused);
    }
    report.latency("news", hall.arrivals(0));
    report.latency("frames again after a cut", locked(&hall.back).take());
    report.latency("proved again after a cut", locked(&hall.proved).take());
}

/// What the parties were told is what the database holds.
async fn ends(database: &MySqlPool, market: &Market, tag: &str, ended: bool) -> Result<Check, Error> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("select cast(status as char), count(*) from orders where title like concat(?, ' %') group by status")
            .bind(tag)
            .fetch_all(database)
            .await?;
    let stored = |status: &str| rows.iter().filter(|row| row.0 == status).map(|row| row.1 as u64).sum::<u64>();
    let mut check = Check::new("each order ended as its parties were told, and none was left over");
    check.seen = rows.iter().map(|row| row.1 as u64).sum();
    for status in ["done", "cancelled"] {
        let told = market.ledger.counted(&format!("ended {status}"));
        if told != stored(status) {
            check.problems.add(|| format!("{told} ended {status}, the database has {}", stored(status)));
        }
    }
    if !ended || check.seen != stored("done") + stored("cancelled") {
        check.problems.add(|| format!("orders that did not come to an end: {rows:?}"));
    }
    Ok(check)
}

async fn audit(server: &Server) -> Check {
    let mut check = Check::new("`orderboard audit` finds nothing");
    check.seen = 1;
    if let Err(error) = server.ask(&["audit"]).await {
        check.problems.add(|| error.to_string());
    }
    check
}
