//! Load test of orderboard. In reading order: `cli` what can be asked for; `server` the server under
//! test, `nodes` more of them; `market` customers, `takers` and `herd` races, `idle` memory, `floor` the database alone,
//! `money` billing by queue, fast and in chaos, `feed` the boards while everything dies, `history` a long past, `lists` every list over a full database (`bulk` fills both); `ratio` taking
//! over HTTP against the floor, `bench` all of it; `races` what
//! happened, `replica` and `socket` one watcher, `http` one caller; `check` a finding, `verdict` and
//! `money::checks` whether the promises were kept; `report`, `progress` and `procfs` the rest.
//! It never judges a server by its own words alone: the database has the last one.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::{Cli, Command};
use crate::error::Error;
use crate::report::Report;
use crate::sample::Sampler;
use crate::server::Server;

mod bench;
mod buckets;
mod bulk;
mod check;
mod cli;
mod error;
mod fanout;
mod feed;
mod floor;
mod herd;
mod history;
mod http;
mod idle;
mod lists;
mod loopback;
mod market;
mod money;
mod nodes;
mod peers;
mod procfs;
mod progress;
mod races;
mod ratio;
mod replica;
mod report;
mod sample;
mod server;
mod slow;
mod soak;
mod socket;
mod storm;
mod takers;
mod tcp_floor;
mod verdict;
mod watch;

/// What every command is given.
pub(crate) struct Run {
    /// Ctrl-C: end the phase in hand and tell what was measured.
    pub(crate) stop: CancellationToken,
    /// Begins the title of each order of this run, and of no other run; the phase's label follows.
    pub(crate) tag: String,
}

/// Besides success and violations there is a third end: the run could not be made.
const COULD_NOT_RUN: u8 = 2;
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    raise_file_limit();
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let run = Run { stop: CancellationToken::new(), tag: format!("Load {now_ms:x}") };
    let at_once = CancellationToken::new();
    tokio::spawn(listen_for_signals(run.stop.clone(), at_once.clone()));
    report::seconds_now();
    let sampler = cli.common.report.is_some().then(|| Sampler::begin(cli.common.server_pid));
    let report = tokio::select! {
        report = command(&cli, &run) => report,
        // Dropping the command ends the server that it started.
        () = at_once.cancelled() => return ExitCode::from(INTERRUPTED),
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            eprintln!("orderboard-load: {error}");
            return ExitCode::from(COULD_NOT_RUN);
        }
    };
    if run.stop.is_cancelled() {
        println!("\nInterrupted: this is what was measured so far.");
    }
    report.print();
    let (passed, failed) = report.counts();
    println!("\n{passed} passed, {failed} failed");
    if cli.common.json {
        println!("{}", report.json());
    }
    if let (Some(path), Some(sampler)) = (&cli.common.report, sampler) {
        match report::write(path, &cli.common, &report, &sampler.end()) {
            Ok(()) => eprintln!("report: {}", path.display()),
            Err(error) => {
                eprintln!("orderboard-load: the report could not be written to {}: {error}", path.display());
                return ExitCode::from(COULD_NOT_RUN);
            }
        }
    }
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn command(cli: &Cli, run: &Run) -> Result<Report, Error> {
    let common = &cli.common;
    loopback::check(cli)?;
    match &cli.command {
        Command::Takers(options) => takers::run(&Server::reach(common).await?, options, run).await,
        Command::Herd(options) => herd::run(&Server::reach(common).await?, options, run).await,
        Command::Floor(options) if options.tcp => fanout::floor_alone(common, run).await,
        Command::Floor(options) => floor::run(&Server::reach(common).await?, options, run).await,
        Command::Idle(options) => idle::run(common, options, run).await,
        Command::Money(options) => money::run(common, options, run).await,
        Command::Feed(options) => feed::run(common, options, run).await,
        Command::History(options) => history::run(common, options, run).await,
        Command::Lists(options) => lists::run(common, options, run).await,
        Command::Watchers(options) => watch::command::run(common, options, run).await,
        Command::WatchPart(options) => watch::part::run(options, &run.stop).await.map(|()| Report::default()),
        Command::Fanout(options) => fanout::run(common, options, run).await,
        Command::Peers(options) => peers::run(common, options, run).await,
        Command::TcpFloor(options) => {
            let (options, stop) = (options.clone(), run.stop.clone());
            tokio::task::spawn_blocking(move || tcp_floor::run(&options, &stop)).await?.map(|()| Report::default())
        }
        Command::Soak(options) => soak::run(&Server::reach(common).await?, options, run).await,
        Command::Storm(options) => storm::run(&Server::reach(common).await?, options, run).await,
        Command::Slow(options) => slow::run(&Server::reach(common).await?, options, run).await,
        Command::Bench(options) => bench::run(common, options, run).await,
    }
}

/// The first signal asks for an end, the second does not ask.
async fn listen_for_signals(stop: CancellationToken, at_once: CancellationToken) {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    for token in [stop, at_once] {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        token.cancel();
    }
}

/// As many descriptors as this process may have: they bound the sockets it can hold, and a server
/// started from here inherits them.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // When it cannot be raised, opening too many sockets will say so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
