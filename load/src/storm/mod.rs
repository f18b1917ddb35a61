//! Everybody loses the connection at once, and comes back. In reading order: `line` one websocket, `copies` what is shared
//! between them, `seat` one watcher, `pressure` the work that goes on meanwhile, `proof` whether all copies are exact.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use self::pressure::{Phase, Pressure};
use self::seat::{Hall, Seat};
use crate::check::Check;
use crate::cli::Storm;
use crate::error::Error;
use crate::market::{self, Wanted};
use crate::money::{self, Dice};
use crate::procfs::Spent;
use crate::progress::Progress;
use crate::races::locked;
use crate::report::{Latency, Report, rounded};
use crate::server::{Server, Token};
use crate::{Run, procfs};

pub(crate) mod copies;
pub(crate) mod line;
pub(crate) mod pressure;
pub(crate) mod proof;
pub(crate) mod seat;

/// SELECTs of the board that the server has sent to its database.
const BOARD_LOADS: &str = "orderboard_board_loads_total";
const ACCEPT_P99_MS_MAX: f64 = 100.0;
const BOARD_LOADS_MAX: f64 = 1.0;
const OPENING_MAX: usize = 128;
const GIVE_UP_AFTER: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Before a connection that was refused is tried again.
const AGAIN_MS: (u64, u64) = (100, 400);
const MEET_WITHIN: Duration = Duration::from_secs(15);
/// Calm between the storms, also what accepts are compared with.
const CALM: Duration = Duration::from_secs(5);
const CUSTOMERS: u64 = 16;

#[derive(Clone, Copy)]
enum Signal {
    Stay,
    /// Cut the connection and come back, where one was or with nothing.
    Cut {
        at: Instant,
        cold: bool,
    },
    End,
}

/// Phases of the hall.
const CALM_PHASE: usize = 0;
const STORMS: [(&str, bool); 2] = [("resuming", false), ("cold", true)];

pub(crate) async fn run(server: &Server, options: &Storm, run: &Run) -> Result<Report, Error> {
    let database = server.database().await?;
    fill_board(server, options.orders, run).await?;
    let tokens = server.tokens(options.sockets, "executor", 0).await?;
    let tag = format!("{} storm", run.tag);
    let hall = Hall::new(server.authority.clone(), tag.clone(), 1 + STORMS.len());
    let pressure = Pressure::new(server, &hall, &tag, options.rate, 1 + STORMS.len()).await?;
    let (signal, _) = watch::channel(Signal::Stay);
    let mut report = Report::new(format!(
        "storm: {} sockets, {} orders on the board, {} orders a second",
        options.sockets, options.orders, options.rate
    ));
    let mut crowd = Crowd::gather(&hall, &tokens, options, &signal);
    let joined = crowd.all_proved(options.sockets, "storm: joining", run).await;
    report.figure("first joined after s", rounded(joined.max_ms() / 1e3));
    if joined.count() < options.sockets && !run.stop.is_cancelled() {
        let why = hall.losses();
        return Err(Error::Server(format!("only {} of {} sockets have the board: {why}", joined.count(), options.sockets)));
    }

    report.figure("snapshots come", if hall.is_compressed() { "compressed" } else { "as text: the server knows no `compress`" });
    let pressing = pressure.begin()?;
    tokio::time::sleep(CALM).await;
    for (n, (name, cold)) in STORMS.into_iter().enumerate() {
        if run.stop.is_cancelled() {
            break;
        }
        let loads = server.metric_if_known(BOARD_LOADS).await?;
        let (snapshots, spent) = (hall.snapshots.load(Ordering::Relaxed), Spent::begin(server.pid()));
        locked(&hall.back).clear();
        locked(&hall.proved).clear();
        hall.enter(1 + n);
        signal.send_replace(Signal::Cut { at: Instant::now(), cold });
        let proved = crowd.all_proved(options.sockets, "storm: coming back", run).await;
        hall.enter(CALM_PHASE);
        let loads = server.metric_if_known(BOARD_LOADS).await?.zip(loads).map(|(after, before)| after - before);
        let storm = Storming { name, proved, loads, snapshots: hall.snapshots.load(Ordering::Relaxed) - snapshots, cpu_s: spent.seconds() };
        storm.tell(&mut report, &hall, options);
        tokio::time::sleep(CALM).await;
    }
    let (phases, orders) = pressing.end().await?;
    let boards = proof::boards(&mut server.client(None), &crowd.copies, &database, MEET_WITHIN).await?;
    if let Some(pid) = server.pid() {
        report.figure("RSS of the server afterwards kB", procfs::rss_kb(pid)?);
    }
    signal.send_replace(Signal::End);
    crowd.tasks.shutdown().await;
    accepts(&mut report, &phases);
    report.figure("frames read", hall.frames.load(Ordering::Relaxed));
    report.figure("resyncs after a gap", hall.resyncs.load(Ordering::Relaxed));
    report.figure("connections refused or lost", hall.losses());
    report.verdict.add(boards);
    report.verdict.add([hall.proofs(), orders]);
    report.verdict.add(money::checks(&database).await?);
    Ok(report)
}

async fn fill_board(server: &Server, orders: u64, run: &Run) -> Result<(), Error> {
    let customers = market::customers(server, CUSTOMERS, orders).await?;
    let wanted = Wanted { label: "storm: orders", count: orders, per_s: None, within: GIVE_UP_AFTER };
    let produced = market::produce(server, run, &customers, &wanted, None).await?;
    match produced.problems.count {
        0 => Ok(()),
        count => Err(Error::Server(format!("{count} orders could not be created: {:?}", produced.problems.examples))),
    }
}

/// One storm, measured.
struct Storming {
    name: &'static str,
    proved: Latency,
    loads: Option<f64>,
    snapshots: u64,
    cpu_s: [f64; 3],
}

impl Storming {
    fn tell(self, report: &mut Report, hall: &Hall, options: &Storm) {
        let name = self.name;
        let (proved_s, count) = (self.proved.max_ms() / 1e3, self.proved.count());
        report.figure(&format!("{name}: all back and proved after s"), rounded(proved_s));
        report.figure(&format!("{name}: snapshots read"), self.snapshots);
        report.figure(&format!("{name}: CPU s of server, load test, whole machine"), self.cpu_s.map(rounded).to_vec());
        let mut back = Check::new(if name == "cold" {
            "cold: every socket is back in time, its copy proved by checksum"
        } else {
            "resuming: every socket is back in time, its copy proved by checksum"
        });
        back.seen = options.sockets;
        if count < options.sockets {
            back.problems.add(|| format!("only {count} of {}", options.sockets));
        }
        if proved_s > options.within_s {
            back.problems.add(|| format!("the last after {proved_s:.2} s, {} s are allowed", options.within_s));
        }
        report.verdict.add([back]);
        match self.loads {
            None => report.figure(&format!("{name}: board loads"), format!("unknown: the server has no {BOARD_LOADS}")),
            Some(loads) => {
                report.figure(&format!("{name}: board loads"), loads);
                let mut few = Check::new("a storm costs the database at most one query of the board a node");
                few.seen = 1;
                if loads > BOARD_LOADS_MAX {
                    few.problems.add(|| format!("{name}: {loads}"));
                }
                report.verdict.add([few]);
            }
        }
        report.latency(&format!("{name}: frames again"), locked(&hall.back).take());
        report.latency(&format!("{name}: proved again"), self.proved);
    }
}

fn accepts(report: &mut Report, phases: &[Phase]) {
    for (n, phase) in phases.iter().enumerate() {
        let name = n.checked_sub(1).and_then(|n| STORMS.get(n)).map_or("calm", |storm| storm.0);
        let accept = phase.accept();
        if n != CALM_PHASE && accept.count() > 0 {
            let mut fast = Check::new("accepts are answered within 100 ms at the 99th percentile while all come back");
            fast.seen = accept.count();
            let p99 = accept.quantile_ms(0.99);
            if p99 >= ACCEPT_P99_MS_MAX {
                fast.problems.add(|| format!("{name}: p99 {p99:.1} ms"));
            }
            report.verdict.add([fast]);
        }
        report.latency(&format!("{name}: accept"), accept);
        let mut create = Latency::new();
        create.merge(&phase.create);
        report.latency(&format!("{name}: create"), create);
    }
}

struct Crowd {
    hall: Arc<Hall>,
    copies: Vec<proof::Shown>,
    tasks: JoinSet<()>,
}

impl Crowd {
    fn gather(hall: &Arc<Hall>, tokens: &[Token], options: &Storm, signal: &watch::Sender<Signal>) -> Self {
        let mut crowd = Self { hall: hall.clone(), copies: Vec::new(), tasks: JoinSet::new() };
        let opening = Arc::new(Semaphore::new(OPENING_MAX));
        for (index, token) in tokens.iter().enumerate() {
            let mut seat = Seat::new(hall, index, Some(token.token.as_str().into()));
            seat.is_measured = false;
            seat.was_cut(Instant::now());
            crowd.copies.push(seat.copy.clone());
            crowd.tasks.spawn(come_back(seat, opening.clone(), signal.subscribe(), options.spread_ms));
        }
        crowd
    }

    /// How long each took; bounded.
    async fn all_proved(&mut self, sockets: u64, label: &str, run: &Run) -> Latency {
        let (begun, progress, mut told) = (Instant::now(), Progress::new(label, sockets), 0);
        loop {
            let proved = locked(&self.hall.proved).count();
            (told..proved).for_each(|_| progress.step());
            told = proved;
            if proved >= sockets || begun.elapsed() > GIVE_UP_AFTER || run.stop.is_cancelled() {
                return locked(&self.hall.proved).take();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

async fn come_back(mut seat: Seat, opening: Arc<Semaphore>, mut signal: watch::Receiver<Signal>, spread_ms: u64) {
    let mut dice = Dice::new(seat.index as u64);
    // The first time they come one after the other; only then does everybody know where they were.
    let mut permit = opening.acquire_owned().await.ok();
    loop {
        let ended = match seat.connect().await {
            Ok(mut line) => {
                drop(permit.take());
                let until = async { _ = signal.changed().await };
                seat.sit(&mut line, until, |_, _| ()).await
            }
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => {
                let now = *signal.borrow_and_update();
                match now {
                    Signal::Stay => continue,
                    Signal::Cut { at, cold } => {
                        seat.was_cut(at);
                        if cold {
                            seat.forget();
                        }
                        tokio::time::sleep(Duration::from_millis(dice.between(0, spread_ms))).await;
                    }
                    Signal::End => return,
                }
            }
            Err(error) => {
                seat.hall.lost(seat.index, &error);
                tokio::time::sleep(Duration::from_millis(dice.between(AGAIN_MS.0, AGAIN_MS.1))).await;
            }
        }
    }
}
