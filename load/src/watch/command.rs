//! `watchers`: many sockets that watch the board, and changes at given rates.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;

use super::cores::Cores;
use super::crowd::{Crowd, Measured, Phase};
use super::customers::Customers;
use super::inject::{Injected, Injector};
use super::open::Target;
use super::protocol::Protocol;
use crate::cli::{Common, Watchers};
use crate::error::Error;
use crate::nodes::{Nodes, REUSE_PORT};
use crate::procfs::{self, Spent};
use crate::races::locked;
use crate::report::{Report, rounded};
use crate::server::Server;
use crate::{Run, idle};

/// Where changes come from.
pub(crate) enum Source {
    Bus(Arc<Mutex<Injector>>),
    Customers(Customers),
}

/// A server's Redis, as its configuration tells it.
#[derive(Deserialize)]
pub(crate) struct Redis {
    pub(crate) redis_url: Option<String>,
    pub(crate) redis_prefix: String,
}

pub(crate) async fn run(common: &Common, options: &Watchers, run: &Run) -> Result<Report, Error> {
    let cores = (common.url.is_none() && options.processes == 1).then(Cores::plan).flatten();
    let settings: &[(&str, &str)] = if options.processes > 1 { &[(REUSE_PORT, "true")] } else { &[] };
    let server = start(common, cores.as_ref(), settings).await?;
    let processes = Nodes::on_its_port(&server, options.processes).await?;
    let pids: Vec<u32> = server.pid().into_iter().chain(processes.pids()).collect();
    let memory_kb = || pids.iter().map(|&pid| procfs::rss_kb(pid)).sum::<Result<u64, _>>();
    let on_board = idle::fill_board(&server, options.orders, run).await?;
    let mut source = source(&server, options).await?;
    let target = Target { authority: server.authority.clone(), path: "/ws".into(), protocol: Protocol::Orderboard };
    let nap = Duration::from_micros(options.nap_us);
    let before_kb = memory_kb()?;
    let spent: Vec<Spent> = pids.iter().map(|&pid| Spent::begin(Some(pid))).collect();
    let mut crowd = Crowd::open(&target, options.sockets, options.sources, nap, &run.stop).await?;
    let mut report = Report::new(format!("watchers: {} sockets, {on_board} orders on the board", crowd.sockets()));
    report.figure("placed", cores.map_or("server and load test share all cores".into(), |cores| cores.words()));
    report.figure("changes are made", if matches!(source, Source::Bus(_)) { "at the bus" } else { "over HTTP" });
    for &rate in &options.rate {
        if run.stop.is_cancelled() {
            break;
        }
        let phase =
            Phase { label: "watchers", rate, seconds: options.seconds as f64, server_pid: server.pid().filter(|_| options.processes == 1) };
        let measured = crowd.measure(&mut source, &phase, &run.stop).await?;
        report.parts.push(told(format!("{rate} changes/s to {} sockets", crowd.sockets()), &measured, Protocol::Orderboard));
    }
    if !pids.is_empty() {
        let each = memory_kb()?.saturating_sub(before_kb) as f64 / crowd.sockets() as f64;
        report.figure("server's memory with the sockets, after it all, kB each", rounded(each));
    }
    if options.processes > 1 {
        report.figure("server processes on one port", options.processes);
        let cpu: Vec<_> = spent.iter().map(|spent| rounded(spent.seconds()[0])).collect();
        report.figure("CPU s of each", cpu);
    }
    drop(crowd);
    processes.stop().await?;
    Ok(report)
}

/// The server under test, on a core of its own where there are several.
pub(crate) async fn start(common: &Common, cores: Option<&Cores>, settings: &[(&'static str, &str)]) -> Result<Server, Error> {
    let server = Server::reach_on(common, cores, settings).await?;
    if let (Some(cores), Some(pid)) = (cores, server.pid()) {
        cores.clear(pid);
    }
    Ok(server)
}

pub(crate) async fn redis_of(server: &Server) -> Result<Redis, Error> {
    Ok(serde_json::from_str(&server.ask(&["config"]).await?)?)
}

async fn source(server: &Server, options: &Watchers) -> Result<Source, Error> {
    let own = if server.is_own() { redis_of(server).await?.redis_url } else { None };
    match options.redis_url.clone().or(own) {
        Some(url) => Ok(Source::bus(Injector::at_bus(server, &url, &options.redis_prefix, options.gathered).await?)),
        None => {
            let orders = options.rate.iter().map(|rate| rate * options.seconds as f64).sum::<f64>() as u64;
            Ok(Source::Customers(Customers::new(server, options.customers, orders + 1).await?))
        }
    }
}

impl Source {
    pub(crate) fn bus(injector: Injector) -> Self {
        Self::Bus(Arc::new(Mutex::new(injector)))
    }

    pub(crate) async fn inject(
        &mut self,
        rate: f64,
        seconds: f64,
        run_stop: &tokio_util::sync::CancellationToken,
    ) -> Result<Injected, Error> {
        match self {
            Self::Bus(injector) => {
                let (injector, stop) = (injector.clone(), run_stop.clone());
                tokio::task::spawn_blocking(move || locked(&injector).inject(rate, seconds, &stop)).await?
            }
            Self::Customers(customers) => customers.inject(rate, seconds, run_stop).await,
        }
    }
}

/// What one phase has shown.
pub(crate) fn told(title: String, measured: &Measured, protocol: Protocol) -> Report {
    let mut report = Report::new(title);
    let seen = &measured.seen;
    report.figure("changes injected", seen.injected);
    report.figure("changes delivered", seen.delivered);
    report.figure("changes lost", seen.lost);
    if protocol == Protocol::Orderboard {
        report.figure("changes that came within a later state of their row", seen.merged);
    }
    report.figure("deliveries per s", rounded(measured.deliveries_per_s()));
    report.figure("bytes per change", rounded(seen.bytes_per_change()));
    report.figure("frames per socket and s", rounded(seen.frames as f64 / seen.sockets.max(1) as f64 / measured.took.as_secs_f64()));
    report.figure("changes per read", rounded(seen.delivered as f64 / seen.reads.max(1) as f64));
    report.figure("injected late at most ms", rounded(measured.injected.late_max.as_secs_f64() * 1e3));
    if measured.cpu_s[0] > 0.0 {
        report.figure("server CPU µs per delivery", rounded(measured.server_us_per_delivery()));
        report.figure("server CPU, cores", rounded(measured.server_share()));
    }
    // What other processes of the load test took is not seen here.
    if seen.sockets <= super::crowd::PER_PROCESS {
        report.figure("load test CPU µs per delivery", rounded(measured.client_us_per_delivery()));
    }
    if protocol == Protocol::Orderboard {
        report.figure("checksums that proved the copy", seen.proofs);
        report.figure("merged diffs compared with it, and not comparable", vec![seen.merged_frames, seen.uncompared]);
    }
    report.verdict.add(seen.checks(protocol.reading()));
    report.latency("due to be injected → read", seen.latency());
    report
}
