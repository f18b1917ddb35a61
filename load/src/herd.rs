//! One order, a thousand takers, one instant: does everybody hear who won, and at what cost?

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::check::Check;
use crate::cli::Herd;
use crate::error::Error;
use crate::http::Client;
use crate::market::{self, Wanted};
use crate::progress::Progress;
use crate::races::{Created, Outcome, Tally, accept};
use crate::report::{Latency, Report, median, rounded};
use crate::server::Server;
use crate::verdict;
use crate::{Run, money};

const UPDATES: &str = "orderboard_accept_updates_total";
/// A herd on one order must not be a herd on the database: about one UPDATE.
const UPDATES_MAX: f64 = 2.0;
/// Once somebody knows that he has won, the others know it that soon; in half of the rounds at least, for a machine may be busy
/// with something else.
const BEHIND_WINNER_MS_MAX: f64 = 50.0;

pub(crate) async fn run(server: &Server, options: &Herd, run: &Run) -> Result<Report, Error> {
    let database = server.database().await?;
    let customers = market::customers(server, 1, options.rounds).await?;
    let executors = server.tokens(options.takers, "executor", 0).await?;
    let mut herd: Vec<(u64, Client)> = executors.iter().map(|e| (e.user_id, server.client(Some(e)))).collect();
    connect(&mut herd).await?;

    let mut created = Vec::new();
    let mut tally = Tally::new();
    let (mut whole, mut own_calls) = (Latency::new(), Latency::new());
    let (mut whole_ms, mut behind_ms, mut updates) = (Vec::new(), Vec::new(), Vec::new());
    let progress = Progress::new("herd: rounds", options.rounds);
    for _ in 0..options.rounds {
        if run.stop.is_cancelled() {
            break;
        }
        let wanted = Wanted { label: "herd: order", count: 1, per_s: None, within: Duration::from_secs(30) };
        let order = market::produce(server, run, &customers, &wanted, None).await?;
        let Some(&order) = order.created.first() else {
            return Err(Error::Server(format!("no order: {:?}", order.problems.examples)));
        };
        let before = server.metric(UPDATES).await?;
        let took = stampede(&mut herd, order, &mut tally, &mut own_calls).await?;
        let after = server.metric(UPDATES).await?;
        created.push(order);
        whole.record(took.all);
        whole_ms.push(took.all.as_secs_f64() * 1e3);
        behind_ms.push(took.behind_winner.as_secs_f64() * 1e3);
        updates.push(after - before);
        progress.step();
    }
    drop(progress);

    let mut report = Report::new(format!("herd: {} takers of one order, {} times", options.takers, created.len()));
    report.figure("all answered after ms (median)", rounded(median(&whole_ms)));
    report.figure("last answer behind the winner's, ms (median)", rounded(median(&behind_ms)));
    report.figure("last answer behind the winner's, ms, each round", behind_ms.iter().map(|&ms| rounded(ms)).collect::<Vec<_>>());
    let counts: Vec<u64> = updates.iter().map(|&n| n as u64).collect();
    report.figure("UPDATE statements in each round", counts);
    let outcomes: Vec<_> = tally.outcomes.iter().map(|(n, c)| format!("{n} {c}")).collect();
    report.figure("answers by outcome", outcomes.join(", "));
    report.verdict.add(verdict::answers(&created, &tally));
    report.verdict.add([verdict::refusals(&tally), few_updates(&updates), soon_after_the_winner(&behind_ms)]);
    report.verdict.add([verdict::contracts(&database, &created, &tally).await?]);
    report.verdict.add(money::checks(&database).await?);
    report.latency("until all are answered", whole);
    report.latency("winners", tally.won);
    report.latency("refused", tally.refused);
    report.closed_loop("own call", own_calls);
    Ok(report)
}

fn few_updates(updates: &[f64]) -> Check {
    let mut check = Check::new("a herd on an order costs the database a few UPDATEs");
    check.seen = updates.len() as u64;
    for &n in updates.iter().filter(|&&n| !(1.0..=UPDATES_MAX).contains(&n)) {
        check.problems.add(|| format!("{n} UPDATE statements for one order"));
    }
    check
}

fn soon_after_the_winner(behind_ms: &[f64]) -> Check {
    let mut check = Check::new("the whole herd is answered within 50 ms of the winner (median)");
    check.seen = behind_ms.len() as u64;
    if median(behind_ms) > BEHIND_WINNER_MS_MAX {
        check.problems.add(|| format!("{:.1} ms", median(behind_ms)));
    }
    check
}

async fn connect(herd: &mut [(u64, Client)]) -> Result<(), Error> {
    // One after the other: the listener's queue is not what is measured here.
    for (_, client) in herd {
        client.connect().await?;
    }
    Ok(())
}

/// How long a herd took.
struct Took {
    /// From the moment the barrier opens until the last answer.
    all: Duration,
    /// From the winner's answer until the last one.
    behind_winner: Duration,
}

async fn stampede(herd: &mut Vec<(u64, Client)>, order: Created, tally: &mut Tally, own_calls: &mut Latency) -> Result<Took, Error> {
    let barrier = Arc::new(Barrier::new(herd.len()));
    let mut tasks = JoinSet::new();
    for (taker, mut client) in herd.drain(..) {
        let barrier = barrier.clone();
        tasks.spawn(async move {
            barrier.wait().await;
            let released = Instant::now();
            let (outcome, took) = accept(&mut client, taker, order.id).await;
            (taker, client, outcome, took, released)
        });
    }
    let mut all = Vec::with_capacity(tasks.len());
    while let Some(done) = tasks.join_next().await {
        let (taker, client, outcome, took, released) = done?;
        own_calls.record(took);
        all.push((taker, outcome, released, released + took));
        herd.push((taker, client));
    }
    // Everybody was due when the gate opened, whenever the processor came to each.
    let opened = all.iter().map(|(_, _, released, _)| *released).min();
    let last = all.iter().map(|(_, _, _, answered)| *answered).max();
    let won = all.iter().find(|(_, outcome, ..)| matches!(outcome, Outcome::Won)).map(|(_, _, _, answered)| *answered);
    let since = |at: Option<Instant>| at.zip(last).map_or(Duration::MAX, |(at, last)| last.saturating_duration_since(at));
    for (taker, outcome, _, answered) in all {
        tally.add(taker, order.id, &outcome, opened.map_or(Duration::ZERO, |opened| answered - opened));
    }
    Ok(Took { all: since(opened), behind_winner: since(won) })
}
