//! The feed against MySQL, change by change. In reading order: `site` two nodes and what happens to them, `lossy` what stands
//! between them and Redis (`resp` its protocol), `incidents` what was done and when; `truth` what is committed, `changes` who
//! changes it, `watcher` who watches, `purses` what only one user is told, `divergence` in what
//! and since when they differ, `stalls` what the machine itself takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::changes::Press;
use self::divergence::{Auditor, Findings, REASONS};
use self::incidents::Incidents;
use self::purses::Purses;
use self::site::{NODES, Site};
use self::stalls::Stalls;
use self::truth::Truth;
use self::watcher::{Hall, Shown, Watcher};
use crate::Run;
use crate::check::Check;
use crate::cli::{Common, Feed};
use crate::error::Error;
use crate::http::Client;
use crate::money::Dice;
use crate::money::services::Services;
use crate::money::workers::Program;
use crate::races::locked;
use crate::replica::{Applied, Frame, Replica};
use crate::report::{Report, rounded};
use crate::server::{self, Token};
use crate::verdict::open_orders;

mod changes;
mod divergence;
mod incidents;
mod lossy;
mod purses;
mod resp;
mod site;
mod stalls;
mod truth;
mod watcher;

/// Until every watcher has the board, at first and in the end.
const MEET_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const SAY_EVERY: Duration = Duration::from_secs(5);
/// After the last change all copies are compared for as long as any divergence may last.
const QUIET: Duration = Duration::from_millis(2_500);
/// When changes have stopped, each copy is proved by ticks, which come every two seconds.
const TICKS: Duration = Duration::from_millis(4_500);

pub(crate) async fn run(common: &Common, options: &Feed, run: &Run) -> Result<Report, Error> {
    let seed = options.seed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_secs()));
    eprintln!("feed: seed {seed}");
    let services = Services::start().await?;
    let program = server::executable(common)?;
    let direct = Program::new(program.clone(), &services.database_url, &services.redis_url);
    direct.ask(&["migrate"]).await?;
    let customer_id = direct.users(1, 0).await?.first().map_or(0, |user| user.user_id);
    let incidents = Arc::<Incidents>::default();
    let truth = Arc::<Truth>::default();
    let owners = direct.users(purses::PURSES, 0).await?;
    let service: Service = serde_json::from_str(&direct.ask(&["service", "token", "--name", "feed"]).await?)?;
    let urls = (services.database_url.clone(), services.redis_url.clone());
    let press = Arc::new(Press::start((&urls.0, &urls.1), truth.clone(), customer_id, options.chaos).await?);
    press.fill().await?;
    let site = Site::start(services, program, seed, incidents.clone()).await?;
    let database = MySqlPoolOptions::new().max_connections(1).connect(&urls.0).await?;
    let hall = Hall::new(site.authorities());
    let mut stage = Stage { options, seed, site, truth, press, incidents, hall, database, owners, service: service.token };
    let played = stage.play(run).await;
    if !(played.as_ref().is_ok_and(Report::passed) || run.stop.is_cancelled()) {
        stage.site.services.keep();
    }
    let dismissed = stage.site.dismiss().await;
    stage.site.services.stop().await;
    let report = played?;
    dismissed.map(|()| report)
}

struct Stage<'a> {
    options: &'a Feed,
    seed: u64,
    site: Site,
    truth: Arc<Truth>,
    press: Arc<Press>,
    incidents: Arc<Incidents>,
    hall: Arc<Hall>,
    database: MySqlPool,
    owners: Vec<Token>,
    service: String,
}

#[derive(serde::Deserialize)]
struct Service {
    token: String,
}

impl Stage<'_> {
    async fn play(&mut self, run: &Run) -> Result<Report, Error> {
        let everybody = CancellationToken::new();
        let _end_everybody = everybody.clone().drop_guard();
        let (mut watching, mut shown) = (JoinSet::new(), Vec::new());
        let guests = self.options.watchers as usize * NODES;
        for index in 0..guests {
            let watcher = Watcher::new(&self.hall, index, None, self.seed);
            shown.push(watcher.shown.clone());
            watching.spawn(watcher.watch(everybody.clone(), |_, _| ()));
        }
        let owner = |(n, owner): (usize, &Token)| Watcher::new(&self.hall, guests + n, Some(owner.token.as_str().into()), self.seed);
        let owners: Vec<Watcher> = self.owners.iter().enumerate().map(owner).collect();
        let of = self.owners.iter().zip(&owners).map(|(owner, watcher)| (owner.user_id, watcher.shown.clone()));
        let purses = Arc::new(Purses::new(of, self.incidents.clone()));
        for (watcher, purse) in owners.into_iter().zip(purses.all.clone()) {
            shown.push(watcher.shown.clone());
            let (purses, everybody) = (purses.clone(), everybody.clone());
            watching.spawn(async move { watcher.watch(everybody, |frame, now| purses.read(&purse, frame, now)).await });
        }
        self.meet(&shown).await?;
        let looks_over = CancellationToken::new();
        let stalls = Stalls::begin()?;
        let auditor = Auditor::new(self.truth.clone(), self.incidents.clone(), stalls.clone(), shown.clone());
        let auditing = tokio::spawn(auditor.run(looks_over.clone()));
        let (changed, changes_over) = (CancellationToken::new(), CancellationToken::new());
        let mut changing = self.begin_changes(&changes_over);
        let dice = Dice::new(self.seed.wrapping_add(50));
        changing.spawn(purses.clone().pay(self.hall.nodes.clone(), self.service.clone(), dice, changes_over.clone()));
        tokio::spawn(until_changed(self.press.clone(), self.options.changes, changed.clone(), run.stop.clone()));
        let began = Instant::now();

        if self.options.chaos {
            self.site.proxies.iter().for_each(|proxy| proxy.lose(true));
            self.site.suffer(self.seed, &changed, &run.stop).await?;
            self.site.proxies.iter().for_each(|proxy| proxy.lose(false));
        } else {
            changed.cancelled().await;
        }
        changes_over.cancel();
        while let Some(done) = changing.join_next().await {
            done??;
        }
        let took = began.elapsed();
        tokio::time::sleep(QUIET).await;
        looks_over.cancel();
        let findings = auditing.await?;
        stalls.end();
        let proofs = self.hall.proofs.load(Ordering::Relaxed);
        tokio::time::sleep(TICKS).await;
        let last_proofs = self.hall.proofs.load(Ordering::Relaxed) - proofs;
        let met = self.meet(&shown).await?;
        everybody.cancel();
        watching.join_all().await;
        let mut report = Report::new(format!(
            "feed{}: {} changes, {} watchers on each of {NODES} nodes, seed {}",
            if self.options.chaos { " in chaos" } else { "" },
            self.options.changes,
            self.options.watchers,
            self.seed
        ));
        self.tell(&mut report, took, &findings);
        report.figure("ms for which the machine let everybody wait", stalls.total().as_millis() as u64);
        report.figure("credits to owners", purses.credits.load(Ordering::Relaxed));
        if self.options.chaos {
            report.verdict.add([self.happened()]);
        }
        report.verdict.add(met);
        let [found, swept, explained] = findings.checks();
        report.verdict.add([found, explained]);
        if self.options.chaos {
            report.verdict.add([swept]);
        }
        report.verdict.add(purses.checks(&self.database).await?);
        report.verdict.add([self.proved(last_proofs, shown.len() as u64)]);
        report.verdict.add([std::mem::replace(&mut self.site.stayed, Check::new(""))]);
        for ((_, name), lasted) in REASONS.iter().zip(findings.lasted) {
            report.latency(name, lasted);
        }
        report.latency("balance: committed until shown", locked(&purses.lasted).take());
        Ok(report)
    }

    fn begin_changes(&self, over: &CancellationToken) -> JoinSet<Result<(), Error>> {
        let (mut changing, started) = (JoinSet::new(), Instant::now());
        for worker in 0..changes::WORKERS {
            let dice = Dice::new(self.seed.wrapping_add(100 + worker));
            changing.spawn(self.press.clone().work(dice, self.options.rate, started, over.clone()));
        }
        changing
    }

    /// Every watcher's copy, both nodes' boards and the database's open orders, once nothing changes: they may take a while.
    async fn meet(&self, shown: &[Shown]) -> Result<[Check; 2], Error> {
        let give_up = Instant::now() + MEET_WITHIN;
        loop {
            let stored = open_orders(&self.database).await?;
            let mut copies = Check::new("each watcher's checksum is that of MySQL's open orders in the end");
            copies.seen = shown.len() as u64;
            for (n, shown) in shown.iter().enumerate() {
                let (copy, node, follows) = {
                    let state = locked(shown);
                    (state.copy.clone(), state.node, state.follows)
                };
                if follows.is_none() || copy.checksum() != stored {
                    copies
                        .problems
                        .add(|| format!("watcher {n} on node {node}: {} orders, at seq {}", copy.replica.len(), copy.replica.seq));
                }
            }
            let mut boards = Check::new("each node's board is that of MySQL's open orders in the end");
            for (n, authority) in self.hall.nodes.iter().enumerate() {
                boards.seen += 1;
                let mut client = Client::new(authority.clone(), None, MEET_WITHIN);
                let answer = client.get("/api/board?board=all").await?;
                let text = String::from_utf8_lossy(answer.body);
                let frame: Frame<'_> = serde_json::from_str(&text)?;
                let mut board = Replica::default();
                if board.snapshot(&frame, |_| ()) != Applied::Proved || board.checksum() != stored {
                    boards.problems.add(|| format!("node {n}: {} orders, at seq {}", board.len(), board.seq));
                }
            }
            if (copies.problems.count == 0 && boards.problems.count == 0) || Instant::now() > give_up {
                return Ok([copies, boards]);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// A tick that differs may only do so for a watcher that has just come from the other node, of which it knew more, or
    /// while Redis was away.
    fn proved(&self, last: u64, watchers: u64) -> Check {
        let mut check = Check::new("each checksum sent during the run proved the watcher's copy, or is explained");
        check.seen = self.hall.proofs.load(Ordering::Relaxed);
        for differed in locked(&self.hall.differed).iter() {
            let near = differed.at.checked_sub(SAY_EVERY).unwrap_or(differed.at).max(differed.since);
            if self.incidents.explain(differed.node, near, differed.at) != Some(incidents::Cause::RedisAway) {
                check.problems.add(|| format!("watcher {} on node {}: {}", differed.watcher, differed.node, differed.words));
            }
        }
        if last < watchers {
            check.problems.add(|| format!("{last} proofs of {watchers} watchers after the last change"));
        }
        check
    }

    /// A run in which nothing happened proves nothing.
    fn happened(&self) -> Check {
        let mut check = Check::new("losses, cuts, kills and changes without news really happened");
        let counts = self.site.proxies.iter().map(lossy::Proxy::counts);
        let sum = |of: fn(&lossy::Counts) -> &AtomicU64| counts.clone().map(|counts| of(counts).load(Ordering::Relaxed)).sum::<u64>();
        let (kills, press) = (self.site.kills, &self.press.counts);
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        for (what, count) in [
            ("changes", read(&press.changes)),
            ("orders created", read(&press.created)),
            ("orders opened again", read(&press.opened)),
            ("orders closed", read(&press.closed)),
            ("changes without news", read(&press.withheld)),
            ("lost messages", sum(|counts| &counts.lost)),
            ("cut subscribers", sum(|counts| &counts.cut)),
            ("kills of Redis", kills.redis),
            ("kills of Redis with its data", kills.redis_emptied),
            ("kills of a node", kills.nodes),
            ("watchers that went to another node", read(&self.hall.moves)),
        ] {
            check.seen += 1;
            if count == 0 {
                check.problems.add(|| format!("no {what}"));
            }
        }
        check
    }

    fn tell(&self, report: &mut Report, took: Duration, findings: &Findings) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let press = &self.press.counts;
        let changes = read(&press.changes);
        report.figure("changes", changes);
        report.figure("changes per s", rounded(changes as f64 / took.as_secs_f64().max(1e-9)));
        report.figure("in groups", read(&press.groups));
        report.figure("orders created, opened again, closed", vec![read(&press.created), read(&press.opened), read(&press.closed)]);
        report.figure("changes without news: withheld, Redis away", vec![read(&press.withheld), read(&press.failed)]);
        for (n, proxy) in self.site.proxies.iter().enumerate() {
            let counts = proxy.counts();
            let (messages, lost) = (read(&counts.messages), read(&counts.lost));
            report.figure(&format!("node {n}: messages, lost, connections cut"), vec![messages, lost, read(&counts.cut)]);
        }
        let kills = self.site.kills;
        report.figure("killed: Redis, Redis with its data, nodes", vec![kills.redis, kills.redis_emptied, kills.nodes]);
        let hall = &self.hall;
        report.figure("frames read", read(&hall.frames));
        report.figure("proofs; that differed", vec![read(&hall.proofs), locked(&hall.differed).len() as u64]);
        report.figure("snapshots, resyncs after a gap", vec![read(&hall.snapshots), read(&hall.resyncs)]);
        report.figure("connections lost or refused, moves", vec![read(&hall.losses), read(&hall.moves)]);
        report.figure("looks, copies compared", vec![findings.looks, findings.compared]);
        report.figure("divergences ended by a lost connection", findings.left);
    }
}

/// Until so many changes are made, or somebody wants it to end; and says now and then how it goes.
async fn until_changed(press: Arc<Press>, wanted: u64, changed: CancellationToken, stop: CancellationToken) {
    let mut say = Instant::now() + SAY_EVERY;
    loop {
        let done = press.counts.changes.load(Ordering::Relaxed);
        if done >= wanted || stop.is_cancelled() {
            changed.cancel();
            return;
        }
        if Instant::now() >= say {
            eprintln!("feed: {done} of {wanted} changes");
            say += SAY_EVERY;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
