//! `fanout`: the server against the floor of `tcp_floor`, in turns and in one run: same sockets, same client, same
//! changes a second, as many bytes a change, each pinned to the same core.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::check::Check;
use crate::cli::{Common, Fanout};
use crate::error::Error;
use crate::report::{Latency, Report, median, rounded};
use crate::server::Server;
use crate::watch::command::{self, Source, redis_of, told};
use crate::watch::cores::Cores;
use crate::watch::crowd::{Crowd, Measured, Phase};
use crate::watch::inject::{Injector, Way, message_bytes_min};
use crate::watch::open::Target;
use crate::watch::protocol::Protocol;
use crate::{Run, idle};

const SOCKETS: u64 = 2_000;
const MANY_SOCKETS: u64 = 10_000;
const ORDERS: u64 = 1_000;
const STEADY_RATE: f64 = 50.0;
const LADDER: [f64; 5] = [50.0, 200.0, 800.0, 1_600.0, 3_200.0];
const QUICK_LADDER: [f64; 3] = [200.0, 1_600.0, 3_200.0];
const CHANNEL: &str = "orderboard-load:floor";
/// Bytes of a websocket frame's head for messages of this size.
const HEAD_BYTES: usize = 4;

/// What is promised: p99 in ms at a rate.
const LIMITS: [(f64, f64); 3] = [(50.0, 20.0), (1_600.0, 40.0), (3_200.0, 60.0)];
const RATIO_MAX: f64 = 1.15;
const MANY_LIMIT_MS: f64 = 250.0;

/// Between two looks of the client at its sockets: where messages are many, a longer nap leaves it less to do, and with
/// it the machine's second core; it is part of every latency of both sides.
fn nap(rate: f64) -> Duration {
    Duration::from_micros(if rate > 400.0 { 2_000 } else { 500 })
}

/// Ready for its turn: what is measured, and where its changes come from.
pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) target: Target,
    pub(crate) source: Source,
    pub(crate) pid: Option<u32>,
    pub(crate) sockets: u64,
}

/// A process of the floor, which ends when it is dropped.
pub(crate) struct FloorProcess {
    child: Child,
    authority: String,
}

impl FloorProcess {
    pub(crate) fn start(redis_url: &str, cores: Option<&Cores>) -> Result<Self, Error> {
        // Free now; nobody else is expected to take it before the floor does.
        let authority = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["tcp-floor", "--listen", &authority, "--redis", redis_url, "--channel", CHANNEL]);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = match cores {
            Some(cores) => cores.on_server_core(|| command.spawn())?,
            None => command.spawn()?,
        };
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let floor = Self { child, authority };
        if line.trim() == "ready" { Ok(floor) } else { Err(Error::Server("the floor did not start".into())) }
    }
}

impl Drop for FloorProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All that a run has started.
pub(crate) struct Bench {
    cores: Option<Cores>,
    /// Ends before its Redis does.
    floor: FloorProcess,
    server: Server,
    redis_url: String,
    redis_prefix: String,
}

impl Bench {
    pub(crate) async fn start(common: &Common, run: &Run) -> Result<Self, Error> {
        if common.url.is_some() {
            return Err(Error::Usage("this compares processes on cores of their own, so it starts its own server: leave --url out".into()));
        }
        let cores = Cores::plan();
        let server = command::start(common, cores.as_ref(), &[]).await?;
        idle::fill_board(&server, ORDERS, run).await?;
        let redis = redis_of(&server).await?;
        let redis_url = redis.redis_url.ok_or_else(|| Error::Server("the server tells of no Redis".into()))?;
        let floor = FloorProcess::start(&redis_url, cores.as_ref())?;
        Ok(Self { cores, server, floor, redis_url, redis_prefix: redis.redis_prefix })
    }

    pub(crate) async fn ours(&self, sockets: u64) -> Result<Side, Error> {
        let injector = Injector::at_bus(&self.server, &self.redis_url, &self.redis_prefix, false).await?;
        let target = Target { authority: self.server.authority.clone(), path: "/ws".into(), protocol: Protocol::Orderboard };
        Ok(Side { name: "server", target, source: Source::bus(injector), pid: self.server.pid(), sockets })
    }

    /// Its messages are as long as what our server was seen to send for a change.
    pub(crate) fn floor(&self, bytes_per_change: f64, sockets: u64) -> Result<Side, Error> {
        let bytes = (bytes_per_change.round() as usize).saturating_sub(HEAD_BYTES).max(message_bytes_min());
        let injector = Injector::new(&self.redis_url, Way::Redis { channel: CHANNEL.into(), bytes })?;
        let target = Target { authority: self.floor.authority.as_str().into(), path: "/".into(), protocol: Protocol::Plain };
        Ok(Side { name: "floor", target, source: Source::bus(injector), pid: Some(self.floor.child.id()), sockets })
    }
}

async fn turn(mut side: Side, rate: f64, seconds: f64, run: &Run) -> Result<Measured, Error> {
    let mut crowd = Crowd::open(&side.target, side.sockets, None, nap(rate), &run.stop).await?;
    let phase = Phase { label: side.name, rate, seconds, server_pid: side.pid };
    crowd.measure(&mut side.source, &phase, &run.stop).await
}

pub(crate) async fn run(common: &Common, options: &Fanout, run: &Run) -> Result<Report, Error> {
    let bench = Bench::start(common, run).await?;
    let (rounds, seconds) = if options.quick { (1, 4.0) } else { (options.rounds, options.seconds as f64) };
    let ladder: &[f64] = if options.quick { &QUICK_LADDER } else { &LADDER };
    let mut report = Report::new(format!("fanout: {SOCKETS} sockets, server and floor in turns"));
    report.figure("placed", bench.cores.as_ref().map_or("all share one core".to_owned(), Cores::words));
    steady(&bench, rounds, seconds, run, &mut report).await?;
    let mut table = Table::default();
    for &rate in ladder {
        if run.stop.is_cancelled() {
            break;
        }
        let ours = turn(bench.ours(SOCKETS).await?, rate, seconds, run).await?;
        let floor = turn(bench.floor(ours.seen.bytes_per_change(), SOCKETS)?, rate, seconds, run).await?;
        table.add(SOCKETS, "server", &ours);
        table.add(SOCKETS, "floor", &floor);
        report.verdict.add(limit(rate, &ours));
        report.parts.push(told(format!("server: {rate} changes/s to {SOCKETS} sockets"), &ours, Protocol::Orderboard));
        report.parts.push(told(format!("floor: {rate} changes/s to {SOCKETS} sockets"), &floor, Protocol::Plain));
    }
    if !options.quick && !run.stop.is_cancelled() {
        let many = turn(bench.ours(MANY_SOCKETS).await?, STEADY_RATE, seconds, run).await?;
        table.add(MANY_SOCKETS, "server", &many);
        let p99 = many.seen.latency().quantile_ms(0.99);
        report.verdict.add([within("10,000 sockets, 50 changes/s: p99 as promised", many.seen.delivered, p99, MANY_LIMIT_MS, "ms")]);
        report.parts.push(told(format!("server: {STEADY_RATE} changes/s to {MANY_SOCKETS} sockets"), &many, Protocol::Orderboard));
    }
    table.put(&mut report);
    Ok(report)
}

/// The price of a delivery at a steady 50 changes a second, as often as there are rounds.
async fn steady(bench: &Bench, rounds: u64, seconds: f64, run: &Run, report: &mut Report) -> Result<(), Error> {
    let (mut server_us, mut floor_us, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut latency, mut floor_latency, mut seen) = (Latency::new(), Latency::new(), 0);
    for round in 0..rounds {
        if run.stop.is_cancelled() {
            break;
        }
        let ours = turn(bench.ours(SOCKETS).await?, STEADY_RATE, seconds, run).await?;
        let floor = turn(bench.floor(ours.seen.bytes_per_change(), SOCKETS)?, STEADY_RATE, seconds, run).await?;
        server_us.push(ours.server_us_per_delivery());
        floor_us.push(floor.server_us_per_delivery());
        bytes.push(ours.seen.bytes_per_change() / floor.seen.bytes_per_change().max(1.0));
        latency.merge(&ours.seen.latency());
        floor_latency.merge(&floor.seen.latency());
        seen += ours.seen.delivered;
        report.parts.push(told(format!("server: {STEADY_RATE} changes/s, round {}", round + 1), &ours, Protocol::Orderboard));
        report.parts.push(told(format!("floor: {STEADY_RATE} changes/s, round {}", round + 1), &floor, Protocol::Plain));
    }
    let ratios: Vec<f64> = server_us.iter().zip(&floor_us).map(|(ours, floor)| ours / floor).collect();
    let list = |values: &[f64]| values.iter().map(|&value| rounded(value)).collect::<Vec<_>>();
    report.figure("50/s: server CPU µs per delivery, rounds", list(&server_us));
    report.figure("50/s: floor CPU µs per delivery, rounds", list(&floor_us));
    report.figure("50/s: server / floor (median of the rounds)", rounded(median(&ratios)));
    report.figure("50/s: bytes a change, server / floor", list(&bytes));
    report.verdict.add([
        within("50 changes/s: processor time a delivery, server / floor", seen, median(&ratios), RATIO_MAX, "times the floor"),
        within("50 changes/s: p99 as promised", latency.count(), latency.quantile_ms(0.99), LIMITS[0].1, "ms"),
    ]);
    report.latency("50/s server", latency);
    report.latency("50/s floor", floor_latency);
    Ok(())
}

fn limit(rate: f64, measured: &Measured) -> Option<Check> {
    let (_, limit_ms) = LIMITS.iter().skip(1).find(|(at, _)| *at == rate)?;
    let name = if rate > 2_000.0 { "3,200 changes/s: p99 as promised" } else { "1,600 changes/s: p99 as promised" };
    let latency = measured.seen.latency();
    Some(within(name, latency.count(), latency.quantile_ms(0.99), *limit_ms, "ms"))
}

fn within(name: &'static str, seen: u64, value: f64, limit: f64, unit: &str) -> Check {
    let mut check = Check::new(name);
    check.seen = seen;
    if value > limit {
        check.problems.add(|| format!("{value:.2} {unit}, the limit is {limit}"));
    }
    check
}

/// One line for each measurement.
#[derive(Default)]
pub(crate) struct Table(Vec<(String, String)>);

impl Table {
    pub(crate) fn add(&mut self, sockets: u64, who: &str, measured: &Measured) {
        let latency = measured.seen.latency();
        let seen = &measured.seen;
        let line = format!(
            "p50 {:>7.2} ms  p99 {:>8.2} ms  {:>9.0} deliveries/s  {} lost  {} merged  {:>5.2} µs CPU each  {:>3.0} % of a core  {:.0} B a change",
            latency.quantile_ms(0.5),
            latency.quantile_ms(0.99),
            measured.deliveries_per_s(),
            seen.lost,
            seen.merged,
            measured.server_us_per_delivery(),
            measured.server_share() * 100.0,
            seen.bytes_per_change(),
        );
        self.0.push((format!("{sockets} × {}/s {who}", measured.rate), line));
    }

    pub(crate) fn put(self, report: &mut Report) {
        self.0.into_iter().for_each(|(name, line)| report.figure(&name, line));
    }
}

/// `floor --tcp`: the floor alone.
pub(crate) async fn floor_alone(common: &Common, run: &Run) -> Result<Report, Error> {
    let bench = Bench::start(common, run).await?;
    let mut report = Report::new(format!("floor: raw TCP, {SOCKETS} sockets"));
    report.figure("placed", bench.cores.as_ref().map_or("all share one core".to_owned(), Cores::words));
    let mut table = Table::default();
    for rate in LADDER {
        if run.stop.is_cancelled() {
            break;
        }
        let side = bench.floor(ALONE_BYTES, SOCKETS)?;
        let measured = turn(side, rate, 5.0, run).await?;
        table.add(SOCKETS, "floor", &measured);
        report.verdict.add(measured.seen.checks(Protocol::Plain.reading()));
    }
    table.put(&mut report);
    Ok(report)
}

/// A diff with one order.
const ALONE_BYTES: f64 = 390.0;
