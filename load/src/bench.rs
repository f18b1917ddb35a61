//! One run that tells how fast the server is on this machine: taking orders over HTTP against the
//! database's floor; then the other commands in short.

use crate::cli::{Bench, Common, Fanout, Herd, Idle, Speed, Takers};
use crate::error::Error;
use crate::report::Report;
use crate::server::Server;
use crate::{Run, fanout, herd, idle, money, ratio, takers};

pub(crate) async fn run(common: &Common, options: &Bench, run: &Run) -> Result<Report, Error> {
    let server = Server::reach(common).await?;
    let mut report = ratio::run(&server, options, run).await?;
    let go_on = || !run.stop.is_cancelled();
    if options.only_ratio {
        if go_on() {
            report.parts.push(herd::run(&server, &Herd { takers: 1_000, rounds: 10 }, run).await?);
        }
        return Ok(report);
    }
    if go_on() {
        let short = Takers { takers: 200, orders: 1_000, rate: 200.0, watchers: 0, racers: 8, customers: 16, nodes: 1 };
        report.parts.push(takers::run(&server, &short, run).await?);
    }
    if go_on() {
        report.parts.push(herd::run(&server, &Herd { takers: 1_000, rounds: 5 }, run).await?);
    }
    let can_measure_memory = server.pid().is_some();
    // Its memory is that of a server that has worked: the idle sockets get fresh ones.
    drop(server);
    if go_on() && can_measure_memory {
        let sockets = options.sockets;
        let idlers = Idle { sockets, orders: 1_000, limit_kb: 5.0, settle_s: 6, guests: false };
        report.parts.push(idle::run(common, &idlers, run).await?);
    } else if go_on() {
        report.figure("idle", "not measured: --server-pid is missing");
    }
    if go_on() && common.url.is_none() {
        let across = Takers { takers: 100, orders: 2_000, rate: 100.0, watchers: 1_000, racers: 2, customers: 16, nodes: 2 };
        report.parts.push(takers::run(&Server::reach(common).await?, &across, run).await?);
    }
    if go_on() && common.url.is_none() {
        let short = Fanout { rounds: 1, seconds: 5, quick: true };
        report.parts.push(fanout::run(common, &short, run).await?);
    }
    if go_on() {
        report.parts.push(money::speed(common, None, Speed::default(), run).await?);
    }
    Ok(report)
}
