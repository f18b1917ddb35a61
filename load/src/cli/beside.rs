//! The server beside others: the least that anybody can do, and what other servers reach.

use std::path::PathBuf;

use clap::Args;

use crate::peers::Peer;

/// The server against the least that anybody can do, in turns: processor time a delivery, latency over a ladder of rates
///
/// The floor is a process that hands the same number of bytes to each websocket and does nothing else. Both are pinned to
/// the same core, one after the other, with 2,000 sockets; the client, Redis and MariaDB have the others.
#[derive(Args, Clone)]
pub(crate) struct Fanout {
    /// Turns of server and floor at 50 changes a second
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) rounds: u64,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    /// One round, few seconds, a short ladder, and no 10,000 sockets
    #[arg(long)]
    pub(crate) quick: bool,
}

/// Other servers at the same work, side by side with ours and with the floor
///
/// For each: the highest rate of a ladder at which p99 stays below a second and nothing is lost, processor time a delivery
/// and p99 at 50 changes a second, memory of an idle socket, and how ours compares. Each is alone on the same core, at its
/// defaults but for what its documentation advises for this work; Redis, where one is needed, is with the client.
/// `load/peers/setup` installs them.
#[derive(Args, Clone)]
pub(crate) struct Peers {
    #[arg(value_enum, default_values = ["socketio", "ws", "socketioxide", "nchan", "nchan-redis", "nats", "mosquitto"])]
    pub(crate) peers: Vec<Peer>,
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=18_000))]
    pub(crate) sockets: u64,
    /// Seconds at 50 changes a second
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    /// Seconds of each step of the ladder
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) step_seconds: u64,
    /// A shorter ladder that ends at the first rate that is too much, with fewer seconds for each rate
    #[arg(long)]
    pub(crate) quick: bool,
    /// Without ours and the floor
    #[arg(long)]
    pub(crate) only_peers: bool,
    /// Where load/peers is
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/peers"))]
    pub(crate) installed: PathBuf,
}

/// The process that hands on what it gets and does nothing else
#[derive(Args, Clone)]
pub(crate) struct TcpFloor {
    #[arg(long)]
    pub(crate) listen: std::net::SocketAddr,
    #[arg(long)]
    pub(crate) redis: String,
    #[arg(long)]
    pub(crate) channel: String,
}
