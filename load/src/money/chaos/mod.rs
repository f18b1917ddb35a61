//! The chaos run: `producers` publish what `whims` thinks of and enter it into the `book`, a `foreigner` takes messages
//! away, `faults` kill, a proxy cuts, `watch` looks at the books meanwhile. When it is over, `proof` holds the `ledger` in
//! MySQL against the book, by a `model` of what each operation does; `findings` tells what happened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sqlx::Connection;
use sqlx::mysql::MySqlConnection;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::book::Book;
use self::faults::Site;
use self::foreigner::Claims;
use self::ledger::Ledger;
use self::producers::{Market, PRODUCERS};
use super::proxy::{Malice, Proxy};
use super::queue::Streams;
use super::redis::Redis;
use super::services::{Services, socket_of};
use super::workers::Program;
use crate::Run;
use crate::check::Check;
use crate::cli::{Common, Money};
use crate::error::Error;
use crate::report::Report;
use crate::server;

mod book;
mod faults;
mod findings;
mod foreigner;
mod ledger;
mod model;
mod producers;
mod proof;
mod watch;
mod whims;

const STREAMS: &str = "billing";
const MALICE: Malice = Malice { at_commit: 80, at_autocommit: 40, elsewhere: 2 };
/// Short, so that what was taken away is claimed back within the run.
const CLAIM_MS: u64 = 700;
const RESEND_MS: u64 = 700;
/// Operations that may share a transaction, process by process: few, so that there are many COMMITs to cut at.
const BATCHES: [u64; 4] = [1, 2, 4, 16];
/// From the last fault until everything is answered.
const SETTLE_WITHIN: Duration = Duration::from_secs(90);
const SETTLE_INTERRUPTED_WITHIN: Duration = Duration::from_secs(5);
const SAY_EVERY: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn run(common: &Common, options: &Money, run: &Run) -> Result<Report, Error> {
    let seed = options.seed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_secs()));
    eprintln!("money: seed {seed}");
    let services = Services::start().await?;
    let proxy = match socket_of(&services.database_url) {
        Some(socket) => Proxy::start(socket, MALICE, seed).await?,
        None => return Err(Error::Server("the private MariaDB has no socket".into())),
    };
    let direct = Program::new(server::executable(common)?, &services.database_url, &services.redis_url);
    direct.ask(&["migrate"]).await?;
    let users = direct.users(whims::USERS, whims::CREDIT).await?.iter().map(|user| user.user_id).collect();
    let proxied = format!("mysql://root@127.0.0.1:{}/orderboard?ssl-mode=disabled", proxy.port);
    let worker = Program::new(direct.path.clone(), &proxied, &services.redis_url)
        .with("ORDERBOARD_ROLES", &"worker")
        .with("ORDERBOARD_BILLING_STREAMS", &STREAMS)
        .with("ORDERBOARD_BILLING_WORKERS", &options.workers)
        .with("ORDERBOARD_BILLING_CLAIM_MS", &CLAIM_MS)
        .with("ORDERBOARD_BILLING_RESEND_MS", &RESEND_MS)
        .with("ORDERBOARD_DATABASE_CONNECTIONS", &(options.workers + 4));
    let market = Arc::new(Market {
        book: Book::new(format!("chaos-{seed:x}-")),
        streams: Streams::named(STREAMS),
        redis_url: services.redis_url.clone(),
        users,
        rate: options.rate,
        closing: AtomicBool::new(false),
        doubled: AtomicU64::new(0),
        repeated: AtomicU64::new(0),
        poisoned: AtomicU64::new(0),
    });
    let programs = (0..options.processes).map(|n| worker.with("ORDERBOARD_BILLING_BATCH", &BATCHES[n as usize % BATCHES.len()]));
    let site = Site::new(services, programs);
    let mut stage = Stage { site, proxy, market, claims: Arc::default(), direct, seed };
    let played = stage.play(options, run).await;
    let _ = stage.site.dismiss_workers().await;
    let is_in_order = played.as_ref().is_ok_and(Report::passed) || run.stop.is_cancelled();
    if !is_in_order {
        stage.site.services.keep();
    }
    stage.site.services.stop().await;
    played
}

struct Stage {
    site: Site,
    proxy: Proxy,
    market: Arc<Market>,
    claims: Arc<Claims>,
    direct: Program,
    seed: u64,
}

impl Stage {
    async fn play(&mut self, options: &Money, run: &Run) -> Result<Report, Error> {
        self.site.until_ready().await?;
        let (everybody, faults_over) = (CancellationToken::new(), CancellationToken::new());
        let _end_everybody = everybody.clone().drop_guard();
        let mut tasks = JoinSet::new();
        for number in 0..PRODUCERS {
            tasks.spawn(producers::produce(self.market.clone(), number, self.seed, everybody.clone()));
        }
        tasks.spawn(producers::collect(self.market.clone(), everybody.clone()));
        tasks.spawn(foreigner::interfere(self.market.clone(), self.claims.clone(), self.seed, faults_over.clone()));
        let snapshots = tokio::spawn(watch::snapshots(self.site.services.database_url.clone(), everybody.clone()));

        self.proxy.cut(true);
        let ending = end_after(options.seconds, run.stop.clone(), faults_over.clone(), self.market.clone());
        let ending = tokio::spawn(ending);
        self.site.suffer(self.seed, &faults_over).await?;
        ending.await?;
        self.proxy.cut(false);
        self.market.closing.store(true, Ordering::Relaxed);
        let mut settled = self.settle(&run.stop).await?;
        everybody.cancel();
        while let Some(done) = tasks.join_next().await {
            done?;
        }
        self.site.dismiss_workers().await?;
        settled.push(snapshots.await?);
        self.report(options, settled).await
    }

    /// Until everything is answered and nothing is left to be done or sent.
    async fn settle(&mut self, stop: &CancellationToken) -> Result<Vec<Check>, Error> {
        // Whoever interrupts the run does not want to wait for all of this.
        let within = if stop.is_cancelled() { SETTLE_INTERRUPTED_WITHIN } else { SETTLE_WITHIN };
        let give_up = Instant::now() + within;
        loop {
            self.site.tend()?;
            let left = self.left().await;
            if left.as_ref().is_ok_and(|left| left.iter().all(|&(_, count)| count == 0)) || Instant::now() > give_up {
                let mut check = Check::new("nothing is left unanswered, unfinished or unsent");
                for (what, count) in left? {
                    check.seen += 1;
                    if count > 0 {
                        check.problems.add(|| format!("{count} {what} after {within:?}"));
                    }
                }
                return Ok(vec![check]);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn left(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        let mut redis = Redis::connect(&self.market.redis_url).await?;
        let unfinished = foreigner::unfinished(&mut redis, &self.market.streams.requests).await?;
        let mut database = MySqlConnection::connect(&self.site.services.database_url).await?;
        let unsent: i64 = sqlx::query_scalar("select count(*) from outgoing").fetch_one(&mut database).await?;
        database.close().await?;
        let unsent = u64::try_from(unsent).unwrap_or(0);
        Ok(vec![
            ("messages without their answers", self.market.book.lacking()),
            ("messages that no worker has finished", unfinished),
            ("results that were not sent", unsent),
        ])
    }

    async fn report(&mut self, options: &Money, settled: Vec<Check>) -> Result<Report, Error> {
        let mut database = MySqlConnection::connect(&self.site.services.database_url).await?;
        let ledger = Ledger::read(&mut database, &self.market.book).await?;
        database.close().await?;
        let mut redis = Redis::connect(&self.market.redis_url).await?;
        let set_aside = redis.ask(&["XLEN", &self.market.streams.poison]).await?.number();
        let title = format!(
            "money in chaos: {} s, {} processes of {} workers, seed {}",
            options.seconds, options.processes, options.workers, self.seed
        );
        let mut report = Report::new(title);
        self.told(&mut report, set_aside);
        report.verdict.add([self.happened(), self.set_aside(set_aside)]);
        report.verdict.add([self.stayed()]);
        report.verdict.add(settled);
        report.verdict.add(proof::checks(&self.market.book, &ledger, &self.market.users));
        report.verdict.add([self.audit().await?]);
        Ok(report)
    }
}

/// Ends the faults when the time is over or somebody asks for it, and says now and then how it goes.
async fn end_after(seconds: u64, stop: CancellationToken, faults_over: CancellationToken, market: Arc<Market>) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end && !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(SAY_EVERY.min(end - Instant::now())) => {}
        }
        let (asked, unanswered, answers) = {
            let state = market.book.state();
            (state.entries.len(), state.unanswered, state.answers)
        };
        eprintln!("money: {asked} operations, {unanswered} of them without an answer, {answers} answers");
    }
    faults_over.cancel();
}
