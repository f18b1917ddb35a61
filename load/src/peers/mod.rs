//! `peers`: what others' servers reach at the same work, side by side with the floor and with ours, in one run: the same
//! client, the same number of bytes a change, each server alone on the same core. In reading order: `servers` starts one,
//! `climb` puts it through the work, `compare` tells what came of it.

mod climb;
mod compare;
mod servers;

use std::time::Duration;

use self::climb::{Plan, Shown};
use self::servers::Ground;
pub(crate) use self::servers::Peer;
use crate::Run;
use crate::check::Check;
use crate::cli::{Common, Peers};
use crate::error::Error;
use crate::fanout::{Bench, Side};
use crate::report::Report;
use crate::watch::command::Source;
use crate::watch::cores::Cores;
use crate::watch::inject::Injector;

/// Of a message: what an order takes on our board, with what stands around it in a diff of one.
const BYTES: usize = 390;
/// Our own servers in the table.
const OURS: &str = "orderboard";
const FLOOR: &str = "floor";

pub(crate) async fn run(common: &Common, options: &Peers, run: &Run) -> Result<Report, Error> {
    let cores = Cores::plan();
    let plan = Plan::of(options);
    let servers = options.peers.len() as u32 + if options.only_peers { 0 } else { 2 };
    let minutes = |time: Duration| (time * servers).as_secs_f64() / 60.0;
    eprintln!(
        "peers: {servers} to measure: about {:.0} minutes if each climbs to the ladder's end, {:.0} at the very most",
        minutes(plan.usual()).ceil(),
        minutes(plan.limit()).ceil()
    );
    let mut report = Report::new(format!("peers: {} sockets, the same work for each", options.sockets));
    report.figure("placed", cores.as_ref().map_or("all share one core".to_owned(), Cores::words));
    let mut shown = Vec::new();
    if !options.only_peers {
        let bench = Bench::start(common, run).await?;
        shown.push(plan.put_through(FLOOR, bench.floor(BYTES as f64, options.sockets)?, run).await?);
        shown.push(plan.put_through(OURS, bench.ours(options.sockets).await?, run).await?);
    }
    if let Some(cores) = &cores {
        cores.clear(std::process::id());
    }
    let ground = Ground::prepare(&options.installed)?;
    let mut measured = Check::new("every server that was asked for could be measured");
    for &peer in &options.peers {
        if run.stop.is_cancelled() {
            break;
        }
        measured.seen += 1;
        match one(peer, &ground, cores.as_ref(), &plan, run).await {
            Ok(result) => shown.push(result),
            Err(error) => measured.problems.add(|| format!("{}: {error}", peer.name())),
        }
    }
    report.verdict.add([measured]);
    compare::tell(&shown, &mut report);
    Ok(report)
}

async fn one(peer: Peer, ground: &Ground, cores: Option<&Cores>, plan: &Plan, run: &Run) -> Result<Shown, Error> {
    let running = peer.start(ground, cores)?;
    let injector = Injector::new(running.publish_url(), running.way(BYTES))?;
    let side =
        Side { name: "peer", target: running.target.clone(), source: Source::bus(injector), pid: Some(running.pid), sockets: plan.sockets };
    plan.put_through(&peer.name(), side, run).await
}
