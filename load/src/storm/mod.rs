//! Everybody loses the connection at once, and comes back. In reading order: `line` one websocket, `copies` what is shared
//! between them, `seat` one watcher, `pressure` the work that goes on meanwhile, `mortal` the node that dies if one is to,
//! `proof` whether all copies are exact, `told` what came of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use self::mortal::{Mortal, Returned};
use self::pressure::Pressure;
use self::seat::{Hall, Seat};
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
mod mortal;
pub(crate) mod pressure;
pub(crate) mod proof;
pub(crate) mod seat;
mod told;

/// SELECTs of the board that the server has sent to its database.
const BOARD_LOADS: &str = "orderboard_board_loads_total";
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
    /// The connection will break; after that the same.
    NodeDies {
        at: Instant,
        cold: bool,
    },
    End,
}

/// Where orders go on, when one of two nodes dies.
const STAYED: &str = " at the node that stayed";
const RETURNED: &str = " at the node that returned";

/// Phases of the hall.
const CALM_PHASE: usize = 0;
const STORMS: [(&str, bool); 2] = [("resuming", false), ("cold", true)];

pub(crate) async fn run(server: &Server, options: &Storm, run: &Run) -> Result<Report, Error> {
    let mut mortal = if options.restart_node { Some(Mortal::beside(server).await?) } else { None };
    let ended = weather(server, mortal.as_mut(), options, run).await?;
    if let Some(mortal) = mortal {
        mortal.stop().await?;
    }
    Ok(ended)
}

async fn weather(server: &Server, mut mortal: Option<&mut Mortal>, options: &Storm, run: &Run) -> Result<Report, Error> {
    let database = server.database().await?;
    fill_board(server, options.orders, run).await?;
    let tokens = server.tokens(options.sockets, "executor", 0).await?;
    let authority = mortal.as_ref().map_or(&server.authority, |mortal| &mortal.node.authority).clone();
    let hall = Hall::new(authority, format!("{} storm", run.tag), 1 + STORMS.len());
    let pressure = Pressure::new(server, &hall, hall.tag(), options.rate, 1 + STORMS.len()).await?;
    if let Some(mortal) = &mut mortal {
        mortal.hire(&hall, options.rate, (STORMS.len(), 1 + STORMS.len())).await?;
    }
    let (signal, _) = watch::channel(Signal::Stay);
    let mut report = Report::new(format!(
        "storm: {} sockets, {} orders on the board, {} orders a second{}",
        options.sockets,
        options.orders,
        options.rate,
        if options.restart_node { "; their node dies and returns" } else { "" }
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
        let returned = crowd.lose(&signal, mortal.as_deref_mut(), cold).await?;
        let proved = crowd.all_proved(options.sockets, "storm: coming back", run).await;
        hall.enter(CALM_PHASE);
        let loads = server.metric_if_known(BOARD_LOADS).await?.zip(loads).map(|(after, before)| after - before);
        let mut storm = told::Storm {
            name,
            proved,
            loads: vec![("", loads)],
            snapshots: hall.snapshots.load(Ordering::Relaxed) - snapshots,
            cpu_s: spent.seconds(),
        };
        if let (Some(mortal), Some(returned)) = (&mortal, &returned) {
            // A node loads every board when it starts, storm or not.
            let since_start = mortal.node.metric_if_known(BOARD_LOADS).await?.zip(returned.start_loads).map(|(all, start)| all - start);
            storm.loads = vec![(STAYED, loads), (RETURNED, since_start)];
            storm.cpu_s[0] = mortal.cpu_s();
        }
        storm.tell(&mut report, &hall, options);
        tokio::time::sleep(CALM).await;
        if let Some(returned) = returned {
            told::returned(&mut report, name, returned).await?;
        }
    }
    let (phases, orders) = pressing.end().await?;
    let node = mortal.as_ref().map_or(server, |mortal| &mortal.node);
    let boards = proof::boards(&mut node.client(None), &crowd.copies, &database, MEET_WITHIN).await?;
    if let Some(pid) = mortal.as_ref().map_or(server.pid(), |mortal| mortal.pid()) {
        report.figure("RSS of the sockets' server afterwards kB", procfs::rss_kb(pid)?);
    }
    signal.send_replace(Signal::End);
    crowd.tasks.shutdown().await;
    told::phases(&mut report, &phases, if mortal.is_some() { STAYED } else { "" });
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

    /// Everybody loses the connection, because it is cut or because the node at its other end dies.
    async fn lose(&self, signal: &watch::Sender<Signal>, mortal: Option<&mut Mortal>, cold: bool) -> Result<Option<Returned>, Error> {
        let at = Instant::now();
        match mortal {
            None => {
                signal.send_replace(Signal::Cut { at, cold });
                Ok(None)
            }
            Some(mortal) => {
                signal.send_replace(Signal::NodeDies { at, cold });
                mortal.die_and_return().await.map(Some)
            }
        }
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
    // The death of the node that was already noticed.
    let mut noticed = None;
    loop {
        let ended = match seat.connect().await {
            Ok(mut line) => {
                drop(permit.take());
                seat.sit(&mut line, is_to_leave(&mut signal), |_, _| ()).await
            }
            Err(error) => Err(error),
        };
        let now = *signal.borrow_and_update();
        if let Err(error) = &ended {
            seat.hall.lost(seat.index, error);
        }
        match (ended, now) {
            (Ok(()), Signal::End) => return,
            (Ok(()), Signal::Cut { at, cold }) => {
                seat.leave(at, cold);
                tokio::time::sleep(Duration::from_millis(dice.between(0, spread_ms))).await;
            }
            (Err(_), Signal::NodeDies { at, cold }) if noticed != Some(at) => {
                noticed = Some(at);
                seat.leave(at, cold);
                tokio::time::sleep(Duration::from_millis(dice.between(0, spread_ms))).await;
            }
            (Ok(()), _) => {}
            (Err(_), _) => tokio::time::sleep(Duration::from_millis(dice.between(AGAIN_MS.0, AGAIN_MS.1))).await,
        }
    }
}

/// Of a node that dies one hears by the connection.
async fn is_to_leave(signal: &mut watch::Receiver<Signal>) {
    while signal.changed().await.is_ok() {
        if !matches!(*signal.borrow(), Signal::Stay | Signal::NodeDies { .. }) {
            return;
        }
    }
}
