//! `peers`: what others' servers reach at the same work, side by side with the floor and with ours, in one run: the same
//! client, the same number of bytes a change, each server alone on the same core.

mod servers;

use std::time::Duration;

use self::servers::Ground;
pub(crate) use self::servers::Peer;
use crate::cli::{Common, Peers};
use crate::error::Error;
use crate::fanout::{Bench, Side};
use crate::report::{Report, rounded};
use crate::watch::command::Source;
use crate::watch::cores::Cores;
use crate::watch::crowd::{Crowd, Measured, Phase};
use crate::watch::inject::Injector;
use crate::{Run, procfs};

/// Every rate until one is too much.
const LADDER: [f64; 17] =
    [25.0, 40.0, 50.0, 60.0, 75.0, 90.0, 110.0, 150.0, 200.0, 300.0, 400.0, 600.0, 800.0, 1_200.0, 1_600.0, 2_400.0, 3_200.0];
const QUICK_LADDER: [f64; 6] = [50.0, 110.0, 200.0, 800.0, 1_600.0, 3_200.0];
/// What still counts as reached.
const P99_MAX_MS: f64 = 1_000.0;
/// Steps in a row that were too much, after which the next would be, too.
const FAILURES_MAX: u32 = 2;
const STEADY_RATE: f64 = 50.0;
/// Of a message: what an order takes on our board, with what stands around it in a diff of one.
const BYTES: usize = 390;
/// Between two looks: on the ladder the client must not be the limit.
const STEADY_NAP: Duration = Duration::from_micros(500);
const LADDER_NAP: Duration = Duration::from_millis(5);
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// What one server has shown.
struct Shown {
    name: String,
    idle_kb: f64,
    steady: Measured,
    best: Option<Measured>,
    /// The first rate at which something was lost.
    lost_at: Option<f64>,
}

pub(crate) async fn run(common: &Common, options: &Peers, run: &Run) -> Result<Report, Error> {
    let cores = Cores::plan();
    let mut report = Report::new(format!("peers: {} sockets, the same work for each", options.sockets));
    report.figure("placed", cores.as_ref().map_or("all share one core".to_owned(), Cores::words));
    let mut shown = Vec::new();
    if !options.only_peers {
        let bench = Bench::start(common, run).await?;
        let floor = bench.floor(BYTES as f64, options.sockets)?;
        shown.push(put_through(floor, options, run).await?);
        shown.push(put_through(bench.ours(options.sockets).await?, options, run).await?);
    }
    if let Some(cores) = &cores {
        cores.clear(std::process::id());
    }
    let ground = Ground::prepare(&options.installed)?;
    for &peer in &options.peers {
        if run.stop.is_cancelled() {
            break;
        }
        let name = format!("{peer:?}").to_lowercase();
        eprintln!("{name}:");
        match one(peer, &ground, cores.as_ref(), options, run).await {
            Ok(result) => shown.push(Shown { name, ..result }),
            Err(error) => report.figure(&name, format!("not measured: {error}")),
        }
    }
    shown.iter().for_each(|one| tell(one, &mut report));
    Ok(report)
}

async fn one(peer: Peer, ground: &Ground, cores: Option<&Cores>, options: &Peers, run: &Run) -> Result<Shown, Error> {
    let running = peer.start(ground, cores)?;
    let injector = Injector::new(running.publish_url(), running.way(BYTES))?;
    let side = Side {
        name: "peer",
        target: running.target.clone(),
        source: Source::bus(injector),
        pid: Some(running.pid),
        sockets: options.sockets,
    };
    put_through(side, options, run).await
}

async fn put_through(mut side: Side, options: &Peers, run: &Run) -> Result<Shown, Error> {
    let name = side.name.to_owned();
    let rss = || side.pid.map_or(Ok(0), procfs::rss_kb);
    let before_kb = rss()?;
    let mut crowd = Crowd::open(&side.target, side.sockets, None, STEADY_NAP, &run.stop).await?;
    tokio::time::sleep(SETTLED_AFTER).await;
    let idle_kb = rss()?.saturating_sub(before_kb) as f64 / side.sockets as f64;
    let phase = |rate, seconds| Phase { label: &name, rate, seconds, server_pid: side.pid };
    let steady = crowd.measure(&mut side.source, &phase(STEADY_RATE, options.seconds as f64), &run.stop).await?;
    drop(crowd);
    let mut crowd = Crowd::open(&side.target, side.sockets, None, LADDER_NAP, &run.stop).await?;
    let (mut best, mut lost_at, mut failures) = (None, None, 0);
    let ladder: &[f64] = if options.quick { &QUICK_LADDER } else { &LADDER };
    for &rate in ladder {
        if failures >= FAILURES_MAX || run.stop.is_cancelled() {
            break;
        }
        let step = crowd.measure(&mut side.source, &phase(rate, options.step_seconds as f64), &run.stop).await?;
        let has_lost = step.seen.lost > 0 || step.seen.closed.count > 0;
        if has_lost {
            lost_at = lost_at.or(Some(rate));
            // What did not come may still come: the next step would count it.
            crowd = Crowd::open(&side.target, side.sockets, None, LADDER_NAP, &run.stop).await?;
        }
        if has_lost || step.seen.latency().quantile_ms(0.99) > P99_MAX_MS {
            failures += 1;
        } else {
            failures = 0;
            best = Some(step);
        }
    }
    Ok(Shown { name: name.clone(), idle_kb, steady, best, lost_at })
}

fn tell(shown: &Shown, report: &mut Report) {
    let name = &shown.name;
    let p99 = |measured: &Measured| measured.seen.latency().quantile_ms(0.99);
    let best = shown.best.as_ref().map_or("no rate of the ladder".to_owned(), |best| {
        format!("{}/s = {:.0} deliveries/s, p99 {:.0} ms", best.rate, best.deliveries_per_s(), p99(best))
    });
    let steady = &shown.steady;
    let lost = shown.lost_at.map_or(String::new(), |rate| format!("; lost something at {rate}/s"));
    let line = format!(
        "up to {best}{lost}; at 50/s {:.2} µs CPU each, p99 {:.1} ms, {} lost; {:.1} kB a socket",
        steady.server_us_per_delivery(),
        p99(steady),
        steady.seen.lost,
        shown.idle_kb
    );
    report.figure(name, line);
    let mut part = Report::new(format!("peers: {name}"));
    if let Some(best) = &shown.best {
        part.figure("highest rate, changes per s", best.rate);
        part.figure("deliveries per s there", rounded(best.deliveries_per_s()));
        part.figure("p99 ms there", rounded(p99(best)));
    }
    part.figure("50/s: server CPU µs per delivery", rounded(steady.server_us_per_delivery()));
    part.figure("50/s: load test CPU µs per delivery", rounded(steady.client_us_per_delivery()));
    part.figure("50/s: lost", steady.seen.lost);
    part.figure("50/s: bytes a change", rounded(steady.seen.bytes_per_change()));
    part.figure("idle kB per socket", rounded(shown.idle_kb));
    part.latency("at 50/s", steady.seen.latency());
    report.parts.push(part);
}
