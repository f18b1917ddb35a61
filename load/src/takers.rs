//! The race: executors on live sockets, orders coming in at a rate, several takers for each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::mysql::MySqlPool;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::buckets::Buckets;
use crate::check::Check;
use crate::cli::Takers;
use crate::error::Error;
use crate::http::Client;
use crate::market::{self, Produced, Wanted};
use crate::nodes::Nodes;
use crate::procfs::Spent;
use crate::races::{News, Outcome, Tally, accept_due, locked};
use crate::report::{Latency, Report, rounded};
use crate::server::{Server, Token};
use crate::socket::{Drawing, Watched, Watcher};
use crate::watch::open::Target;
use crate::watch::protocol::Protocol;
use crate::{Run, money, verdict, watch};

const LIVE_WITHIN: Duration = Duration::from_secs(60);
/// After the last order: how long the races may go on.
const RACES_END_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const COMMIT_TO_FRAME: &str = "orderboard_commit_to_frame_seconds";
/// What p99 of it may come to across nodes; one of the histogram's bounds.
const COMMIT_TO_FRAME_S_MAX: f64 = 0.01;

/// Watchers beyond these are read by the cheap engine of `watchers`, so that the load test does not take what the servers need;
/// these read every row, and tell how late its news was.
const READERS: u64 = 8;
/// Between two looks at the sockets of the others: they are many, the machine is the server's too, and nobody times their reads.
const NAP: Duration = Duration::from_millis(25);

struct Crowd {
    news: Arc<News>,
    /// As the watchers see it, when they are at another node.
    news_there: Option<Arc<News>>,
    tally: Arc<Mutex<Tally>>,
    in_flight: Arc<AtomicU64>,
    watched: Vec<Arc<Watched>>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

pub(crate) async fn run(server: &Server, options: &Takers, run: &Run) -> Result<Report, Error> {
    let nodes = Nodes::beside(server, options.nodes).await?;
    let database = server.database().await?;
    let customers = market::customers(server, options.customers, options.orders).await?;
    let executors = server.tokens(options.takers, "executor", 0).await?;
    let wanted = Wanted {
        label: "takers: orders",
        count: options.orders,
        per_s: Some(options.rate),
        within: Duration::from_secs_f64(options.orders as f64 / options.rate * 3.0 + 30.0),
    };
    let mut crowd = Crowd::gather(server, &nodes, options, &wanted.tag(run), &executors);
    crowd.wait_until_live(run).await?;
    let mut others = others(&nodes, options, run).await?;
    if let Some(others) = &mut others {
        others.begin()?;
    }
    let mut last = server.client_of(nodes.last.clone());
    let frames_before = Buckets::read(&mut last, COMMIT_TO_FRAME).await?;

    let (spent, begun) = (Spent::begin(server.pid()), Instant::now());
    let spent_there: Vec<Spent> = nodes.pids().map(|pid| Spent::begin(Some(pid))).collect();
    let produced = market::produce(server, run, &customers, &wanted, Some(crowd.news.clone())).await?;
    crowd.wait_until_taken(produced.created.len()).await;
    let took = begun.elapsed();
    let cpu_s = spent.seconds().map(rounded);
    let cpu_s_there: Vec<_> = spent_there.iter().map(|spent| rounded(spent.seconds()[0])).collect();

    let boards = verdict::boards(&mut server.client(None), &crowd.watched, &database).await?;
    let frames = Buckets::read(&mut last, COMMIT_TO_FRAME).await?.since(&frames_before);
    let witnessed = match &mut others {
        Some(others) => Some(others.witnessed().await?),
        None => None,
    };
    crowd.end().await;
    drop(others);
    nodes.stop().await?;
    let mut report = Report::new(format!(
        "takers: {} takers, {} more watchers, {} orders at {}/s, {} racers each",
        options.takers, options.watchers, options.orders, options.rate, options.racers
    ));
    report.figure("CPU s of server, load test, whole machine", cpu_s.to_vec());
    if options.nodes > 1 {
        report.figure("nodes", options.nodes);
        report.figure("CPU s of the other nodes", cpu_s_there);
        tell_frames(&mut report, &frames, options);
    }
    crowd.tell(&mut report, took, &produced);
    if let Some(seen) = witnessed {
        report.figure("frames read by the other watchers", seen.frames);
        report.verdict.add(seen.chains(Protocol::Orderboard.reading()));
    }
    report.verdict.add(boards);
    judge(&mut report, &crowd, &produced, &database).await?;
    report.latency("create", produced.latency);
    Ok(report)
}

/// Those watchers who only prove that what they are sent is unbroken.
async fn others(nodes: &Nodes, options: &Takers, run: &Run) -> Result<Option<watch::crowd::Crowd>, Error> {
    let sockets = options.watchers.saturating_sub(READERS);
    if sockets == 0 {
        return Ok(None);
    }
    let target = Target { authority: nodes.last.clone(), path: "/ws".into(), protocol: Protocol::Orderboard };
    Ok(Some(watch::crowd::Crowd::open(&target, sockets, None, NAP, &run.stop).await?))
}

/// What the last node has measured of everything that the first one has committed.
fn tell_frames(report: &mut Report, frames: &Buckets, options: &Takers) {
    let quantile_ms = |quantile| frames.quantile(quantile).map_or(f64::NAN, |seconds| seconds * 1e3);
    let p99_ms = quantile_ms(0.99);
    report.figure("commit → frame at the other node: changes", frames.count());
    let within = frames.share_within(COMMIT_TO_FRAME_S_MAX).map(|share| rounded(share * 100.0));
    report.figure("commit → frame at the other node: % within 10 ms", within);
    report.figure("commit → frame at the other node: p50 ms", rounded(quantile_ms(0.5)));
    report.figure("commit → frame at the other node: p99 ms", rounded(p99_ms));
    if options.watchers == 0 {
        return;
    }
    let mut check = Check::new("commit → frame at the other node, p99 of at most 10 ms");
    check.seen = frames.count();
    if p99_ms > COMMIT_TO_FRAME_S_MAX * 1e3 {
        check.problems.add(|| format!("p99 {p99_ms:.2} ms"));
    }
    report.verdict.add([check]);
}

async fn judge(report: &mut Report, crowd: &Crowd, produced: &Produced, database: &MySqlPool) -> Result<(), Error> {
    let mut creating = Check::new("each order was created as asked");
    creating.seen = produced.created.len() as u64;
    creating.problems.count = produced.problems.count;
    creating.problems.examples.clone_from(&produced.problems.examples);
    let found = {
        let tally = locked(&crowd.tally);
        let mut found = verdict::answers(&produced.created, &tally);
        found.push(verdict::refusals(&tally));
        found
    };
    report.verdict.add([creating, verdict::proofs(&crowd.watched)]);
    report.verdict.add(found);
    let tally = std::mem::replace(&mut *locked(&crowd.tally), Tally::new());
    report.verdict.add([verdict::contracts(database, &produced.created, &tally).await?]);
    report.verdict.add(money::checks(database).await?);
    report.latency("winners", tally.won);
    report.latency("refused", tally.refused);
    let take = |latency: &Mutex<Latency>| std::mem::replace(&mut *locked(latency), Latency::new());
    report.latency("news: created", take(&crowd.news.created));
    report.latency("news: taken", take(&crowd.news.taken));
    if let Some(there) = &crowd.news_there {
        report.latency("news: created, at the watchers of the other node", take(&there.created));
        report.latency("news: taken, at the watchers of the other node", take(&there.taken));
    }
    Ok(())
}

impl Crowd {
    /// Everybody connects and watches; nobody races yet, for there are no orders of this run.
    fn gather(server: &Server, nodes: &Nodes, options: &Takers, tag: &str, executors: &[Token]) -> Self {
        let news = Arc::new(News::new());
        let mut crowd = Self {
            news_there: (options.nodes > 1).then(|| Arc::new(news.elsewhere())),
            news,
            tally: Arc::new(Mutex::new(Tally::new())),
            in_flight: Arc::default(),
            watched: Vec::new(),
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        for (n, executor) in executors.iter().enumerate() {
            let (orders, drawn) = unbounded_channel();
            let drawing =
                Drawing { taker: n as u64, takers: options.takers, racers: options.racers, orders, in_flight: crowd.in_flight.clone() };
            crowd.seat(&server.authority, tag, Some(executor), Some(drawing));
            let taker = Taker {
                id: executor.user_id,
                client: server.client(Some(executor)),
                drawn,
                news: crowd.news.clone(),
                tally: crowd.tally.clone(),
                in_flight: crowd.in_flight.clone(),
            };
            crowd.tasks.spawn(taker.race());
        }
        for _ in 0..options.watchers.min(READERS) {
            crowd.seat(&nodes.last, tag, None, None);
        }
        crowd
    }

    /// Takers have a token, watchers have none.
    fn seat(&mut self, authority: &Arc<str>, tag: &str, token: Option<&Token>, drawing: Option<Drawing>) {
        let watched = Arc::new(Watched::default());
        let there = self.news_there.as_ref().filter(|_| token.is_none());
        let watcher = Watcher {
            index: self.watched.len() as u64,
            authority: authority.clone(),
            token: token.map(|t| t.token.clone()),
            tag: tag.to_owned(),
            news: there.unwrap_or(&self.news).clone(),
            drawing,
            watched: watched.clone(),
            stop: self.stop.clone(),
            sightings: Vec::new(),
            asked: None,
        };
        self.watched.push(watched);
        self.tasks.spawn(watcher.watch());
    }

    async fn wait_until_live(&self, run: &Run) -> Result<(), Error> {
        let give_up = Instant::now() + LIVE_WITHIN;
        loop {
            let waiting = self.watched.iter().filter(|w| !locked(&w.replica).is_live()).count();
            if waiting == 0 || run.stop.is_cancelled() {
                return Ok(());
            }
            if Instant::now() > give_up {
                let mut told = self.watched.iter().flat_map(|w| locked(&w.errors).examples.clone());
                let why = told.next().unwrap_or_default();
                let words = format!("{waiting} watchers got no snapshot within {LIVE_WITHIN:?} {why}");
                return Err(Error::Server(words));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Until each order has its winner and each call its answer; bounded, for a server may fail at it.
    async fn wait_until_taken(&self, orders: usize) {
        let give_up = Instant::now() + RACES_END_WITHIN;
        while Instant::now() < give_up {
            let won = locked(&self.tally).wins.len();
            if won >= orders && self.in_flight.load(Ordering::Acquire) == 0 {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn end(&mut self) {
        self.stop.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // A server that does not close its side must not keep the findings from being told.
        if tokio::time::timeout(Duration::from_secs(10), all).await.is_err() {
            self.tasks.abort_all();
        }
    }

    fn tell(&self, report: &mut Report, took: Duration, produced: &Produced) {
        let tally = locked(&self.tally);
        let seconds = took.as_secs_f64();
        report.figure("orders created", produced.created.len());
        report.figure("orders taken", tally.wins.len());
        report.figure("orders taken per s", rounded(tally.wins.len() as f64 / seconds));
        report.figure("accept calls per s", rounded(tally.calls() as f64 / seconds));
        let outcomes: Vec<_> = tally.outcomes.iter().map(|(n, c)| format!("{n} {c}")).collect();
        report.figure("answers by outcome", outcomes.join(", "));
        report.figure("creating was late by at most ms", produced.behind_max.as_millis() as u64);
        let sum = |of: fn(&Watched) -> &AtomicU64| -> u64 { self.watched.iter().map(|w| of(w).load(Ordering::Relaxed)).sum() };
        report.figure("frames read", sum(|w| &w.frames));
        report.figure("frames read per s", rounded(sum(|w| &w.frames) as f64 / seconds));
        report.figure("frames before their cause was answered", self.news.early.load(Ordering::Relaxed));
        if let Some(there) = &self.news_there {
            report.figure("the same at the other node", there.early.load(Ordering::Relaxed));
        }
        report.figure("resyncs after a gap", sum(|w| &w.resyncs));
        report.figure("reconnects", sum(|w| &w.reconnects));
        let told = self.watched.iter().flat_map(|w| locked(&w.errors).examples.clone());
        let told: Vec<String> = told.take(3).collect();
        if !told.is_empty() {
            report.figure("on the sockets", told);
        }
    }
}

/// One executor's hands: takes the orders that its watcher hands over, one call after the other.
struct Taker {
    id: u64,
    client: Client,
    drawn: UnboundedReceiver<(u64, Instant)>,
    news: Arc<News>,
    tally: Arc<Mutex<Tally>>,
    in_flight: Arc<AtomicU64>,
}

impl Taker {
    /// Until its watcher has ended.
    async fn race(mut self) {
        // A connection that cannot be opened now is tried again by the first call, which tells.
        let _ = self.client.connect().await;
        while let Some((order, seen)) = self.drawn.recv().await {
            let (outcome, took) = accept_due(&mut self.client, self.id, order, seen).await;
            if matches!(outcome, Outcome::Won) {
                self.news.was_taken(order);
            }
            locked(&self.tally).add(self.id, order, &outcome, took);
            self.in_flight.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
