//! What do slow and broken readers cost the others, and the server? In turns: everybody reads; then some stop reading and
//! some are torn away in the middle of a frame, again and again; then everybody reads again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::check::Check;
use crate::cli::Slow;
use crate::error::Error;
use crate::progress::Progress;
use crate::races::locked;
use crate::report::{Latency, Report, median, rounded};
use crate::server::{Server, Token};
use crate::storm::pressure::{Phase, Pressure};
use crate::storm::proof::{self, Shown};
use crate::storm::seat::{Hall, Seat};
use crate::{Run, money, procfs};

const P99_MOVES_PERCENT_MAX: f64 = 10.0;
const STALLED_KB_MAX: f64 = 64.0;
const LIVE_WITHIN: Duration = Duration::from_secs(60);
const MEET_WITHIN: Duration = Duration::from_secs(15);
const CAUGHT_UP_WITHIN_MS: f64 = 5_000.0;
/// After each turn: who was slow catches up, and nobody is measured.
const SETTLE: Duration = Duration::from_secs(6);
/// What the kernel keeps for a reader that has stopped.
const STALLED_RECEIVE_BYTES: u32 = 4_096;
/// A lossy reader reads, does not read, and is then cut off.
const BURST: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(700);
const AGAIN: Duration = Duration::from_millis(200);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The hall's phase in which nobody is measured; each turn has one of its own.
const UNMEASURED: usize = 0;

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Reads,
    Stalls,
    Loses,
}

/// The turns of one kind.
struct Side {
    name: &'static str,
    p99_ms: Vec<f64>,
    rss_kb: Vec<f64>,
    news: Latency,
    accept: Latency,
}

pub(crate) async fn run(server: &Server, options: &Slow, run: &Run) -> Result<Report, Error> {
    let database = server.database().await?;
    let tokens = server.tokens(options.watchers, "executor", 0).await?;
    let tag = format!("{} slow", run.tag);
    let turns = 2 * options.rounds as usize;
    let hall = Hall::new(server.authority.clone(), tag.clone(), 1 + turns);
    let pressure = Pressure::new(server, &hall, &tag, options.rate, 1 + turns).await?;
    let (misbehave, _) = watch::channel(false);
    let slow = ((options.watchers as f64 * options.percent / 100.0).round() as usize).max(1);
    let mut crowd = Crowd::gather(&hall, &tokens, slow, &misbehave);
    crowd.wait_until_live(run).await?;
    let pressing = pressure.begin()?;

    let mut rss_kb = Vec::new();
    let progress = Progress::new("slow: turns", turns as u64);
    for turn in 0..turns {
        misbehave.send_replace(turn % 2 == 1);
        hall.enter(UNMEASURED);
        tokio::time::sleep(SETTLE).await;
        if run.stop.is_cancelled() {
            break;
        }
        hall.enter(1 + turn);
        tokio::time::sleep(Duration::from_secs(options.phase_s)).await;
        rss_kb.push(server.pid().map(procfs::rss_kb).transpose()?.unwrap_or(0) as f64);
        progress.step();
    }
    drop(progress);
    hall.enter(UNMEASURED);
    misbehave.send_replace(false);
    tokio::time::sleep(SETTLE).await;
    let (phases, orders) = pressing.end().await?;
    let boards = proof::boards(&mut server.client(None), &crowd.copies, &database, MEET_WITHIN).await?;
    crowd.tasks.shutdown().await;

    let mut report = Report::new(format!(
        "slow: {} watchers, {} orders a second; {slow} of them stall and {slow} are lossy, every other {} s",
        options.watchers, options.rate, options.phase_s
    ));
    let all_read = Side::of("all read", (&hall, &phases, &rss_kb), 0);
    let some_do_not = Side::of("some do not", (&hall, &phases, &rss_kb), 1);
    compared(&mut report, (&all_read, &some_do_not), slow, server.pid().is_some());
    report.figure("connections torn by lossy readers", crowd.torn.load(Ordering::Relaxed));
    report.figure("connections lost otherwise", hall.losses());
    report.figure("resyncs after a gap", hall.resyncs.load(Ordering::Relaxed));
    let expected = slow as u64 * (rss_kb.len() as u64 / 2);
    let proved = locked(&hall.proved).take();
    report.verdict.add([caught_up(&proved, expected), hall.proofs(), orders]);
    report.latency("who had stalled is proved again", proved);
    for side in [all_read, some_do_not] {
        report.latency(&format!("{}: news", side.name), side.news);
        report.latency(&format!("{}: accept", side.name), side.accept);
    }
    report.verdict.add(boards);
    report.verdict.add(money::checks(&database).await?);
    Ok(report)
}

impl Side {
    /// Every other turn, from the first or the second on.
    fn of(name: &'static str, (hall, phases, rss_kb): (&Hall, &[Phase], &[f64]), first: usize) -> Self {
        let mut side = Self { name, p99_ms: Vec::new(), rss_kb: Vec::new(), news: Latency::new(), accept: Latency::new() };
        for turn in (first..rss_kb.len()).step_by(2) {
            let news = hall.arrivals(1 + turn);
            side.p99_ms.push(news.quantile_ms(0.99));
            side.news.merge(&news);
            side.accept.merge(&phases[1 + turn].accept());
            side.rss_kb.push(rss_kb[turn]);
        }
        side
    }
}

fn compared(report: &mut Report, (all_read, some_do_not): (&Side, &Side), slow: usize, has_memory: bool) {
    let list = |values: &[f64]| values.iter().map(|&value| rounded(value)).collect::<Vec<_>>();
    for side in [all_read, some_do_not] {
        report.figure(&format!("{}: p99 of the others' news ms, each turn", side.name), list(&side.p99_ms));
    }
    let (without, with) = (median(&all_read.p99_ms), median(&some_do_not.p99_ms));
    let moves = 100.0 * (with / without.max(1e-3) - 1.0);
    report.figure("p99 of the others' news ms: medians without and with", list(&[without, with]));
    report.figure("it moves by %", rounded(moves));
    let mut unmoved = Check::new("slow readers move the others' p99 by less than 10 % (medians of the turns)");
    unmoved.seen = all_read.news.count().min(some_do_not.news.count());
    if moves >= P99_MOVES_PERCENT_MAX {
        unmoved.problems.add(|| format!("from {without:.2} to {with:.2} ms: {moves:.1} %"));
    }
    report.verdict.add([unmoved]);
    if !has_memory {
        report.figure("memory of a stalled reader", "not measured: --server-pid is missing");
        return;
    }
    // Each turn against the one before it, for a server warms up meanwhile.
    let each: Vec<f64> = some_do_not.rss_kb.iter().zip(&all_read.rss_kb).map(|(with, without)| (with - without) / slow as f64).collect();
    let kb = median(&each);
    report.figure("memory of the server for a stalled reader kB, each turn", list(&each));
    let mut little = Check::new("a stalled reader costs the server at most 64 kB (median of the turns)");
    little.seen = each.len() as u64;
    if kb > STALLED_KB_MAX {
        little.problems.add(|| format!("{kb:.1} kB"));
    }
    report.verdict.add([little]);
}

fn caught_up(proved: &Latency, expected: u64) -> Check {
    let mut check = Check::new("each reader that had stalled was exact by checksum within 5 s of reading again");
    check.seen = expected;
    if proved.count() < expected {
        check.problems.add(|| format!("only {} of {expected}", proved.count()));
    }
    if proved.max_ms() > CAUGHT_UP_WITHIN_MS {
        check.problems.add(|| format!("the last after {:.0} ms", proved.max_ms()));
    }
    check
}

struct Crowd {
    hall: Arc<Hall>,
    copies: Vec<Shown>,
    torn: Arc<AtomicU64>,
    tasks: JoinSet<()>,
}

impl Crowd {
    fn gather(hall: &Arc<Hall>, tokens: &[Token], slow: usize, misbehave: &watch::Sender<bool>) -> Self {
        let mut crowd = Self { hall: hall.clone(), copies: Vec::new(), torn: Arc::default(), tasks: JoinSet::new() };
        for (index, token) in tokens.iter().enumerate() {
            let manner = match index {
                stalls if stalls < slow => Manner::Stalls,
                loses if loses < 2 * slow => Manner::Loses,
                _ => Manner::Reads,
            };
            let mut seat = Seat::new(hall, index, Some(token.token.as_str().into()));
            seat.is_measured = manner == Manner::Reads;
            seat.receive_bytes = (manner == Manner::Stalls).then_some(STALLED_RECEIVE_BYTES);
            crowd.copies.push(seat.copy.clone());
            let (misbehave, torn) = (misbehave.subscribe(), crowd.torn.clone());
            crowd.tasks.spawn(async move {
                // Connected one after the other.
                tokio::time::sleep(Duration::from_millis(seat.index as u64)).await;
                watch_always(seat, manner, misbehave, &torn).await;
            });
        }
        crowd
    }

    async fn wait_until_live(&self, run: &Run) -> Result<(), Error> {
        let give_up = Instant::now() + LIVE_WITHIN;
        loop {
            let waiting = self.copies.iter().filter(|copy| !locked(copy).replica.is_live()).count();
            if waiting == 0 || run.stop.is_cancelled() {
                return Ok(());
            }
            if Instant::now() > give_up {
                return Err(Error::Server(format!("{waiting} watchers got no snapshot within {LIVE_WITHIN:?}: {}", self.hall.losses())));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Until the task is ended.
async fn watch_always(mut seat: Seat, manner: Manner, mut misbehave: watch::Receiver<bool>, torn: &AtomicU64) {
    loop {
        let ended = match manner {
            Manner::Reads => read(&mut seat).await,
            Manner::Stalls => stall(&mut seat, &mut misbehave).await,
            Manner::Loses => lose(&mut seat, &mut misbehave, torn).await,
        };
        if let Err(error) = ended {
            seat.hall.lost(seat.index, &error);
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn read(seat: &mut Seat) -> Result<(), Error> {
    let mut line = seat.connect().await?;
    seat.sit(&mut line, std::future::pending(), |_, _| ()).await
}

/// One connection, which is left unread from time to time.
async fn stall(seat: &mut Seat, misbehave: &mut watch::Receiver<bool>) -> Result<(), Error> {
    let mut line = seat.connect().await?;
    loop {
        let asked = async { _ = misbehave.wait_for(|slow| *slow).await };
        seat.sit(&mut line, asked, |_, _| ()).await?;
        // The sender being gone means the end.
        drop(misbehave.wait_for(|slow| !*slow).await);
        seat.was_cut(Instant::now());
    }
}

/// One connection, torn while a frame is on its way when it is time to misbehave.
async fn lose(seat: &mut Seat, misbehave: &mut watch::Receiver<bool>, torn: &AtomicU64) -> Result<(), Error> {
    let mut line = seat.connect().await?;
    let asked = async { _ = misbehave.wait_for(|slow| *slow).await };
    seat.sit(&mut line, asked, |_, _| ()).await?;
    seat.sit(&mut line, tokio::time::sleep(BURST), |_, _| ()).await?;
    tokio::time::sleep(PAUSE).await;
    line.nibble().await?;
    torn.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
