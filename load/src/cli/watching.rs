//! Websockets that watch the board: many, idle, cut off, slow.

use clap::Args;

use super::{percent, rate};
use crate::watch::protocol::Protocol;

/// Many websockets that watch the board, and changes at given rates: latency, losses, processor time
///
/// The open orders on the board change their state so many times a second: at the server's bus, when it is started here
/// or --redis-url is given, else by customers who create and cancel orders over HTTP. Each change carries when it was due;
/// its latency runs from there until a socket has read it, so what is sent late counts as late.
///
/// Proven for each socket: every diff begins where the one before ended, every frame is byte for byte one from which a
/// full copy of the board was made, a checksum of the server's proves that copy, and the socket ends where the copy ends.
#[derive(Args, Clone)]
pub(crate) struct Watchers {
    /// Sockets; above 18,000 they are spread over several processes
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=200_000))]
    pub(crate) sockets: u64,
    /// Changes a second, one rate after the other
    #[arg(long, default_value = "50", value_delimiter = ',', value_parser = rate)]
    pub(crate) rate: Vec<f64>,
    /// Seconds of each rate
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// Addresses to connect from on loopback: 127.0.0.2 and following [default: one for 20,000 sockets]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=200))]
    pub(crate) sources: Option<u64>,
    /// Orders on the board
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) orders: u64,
    /// The Redis of a server that was not started here, to make changes at its bus
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub(crate) redis_url: Option<String>,
    /// What the bus's keys begin with
    #[arg(long, env = "ORDERBOARD_REDIS_PREFIX", default_value = "ob")]
    pub(crate) redis_prefix: String,
    /// Changes that are due at once go to the bus in one call
    #[arg(long)]
    pub(crate) gathered: bool,
    /// Customers, when changes are made over HTTP
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(crate) customers: u64,
    /// Processes of the server that share one port, each with a share of the sockets. Not with --url
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=16))]
    pub(crate) processes: u64,
    /// Microseconds between two looks at the sockets; part of every latency
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(0..=20_000))]
    pub(crate) nap_us: u64,
}

/// A share of the sockets, for a parent process that talks over standard input and output
#[derive(Args, Clone)]
pub(crate) struct WatchPart {
    #[arg(long)]
    pub(crate) authority: String,
    #[arg(long)]
    pub(crate) path: String,
    #[arg(long, value_enum, default_value = "orderboard")]
    pub(crate) protocol: Protocol,
    #[arg(long)]
    pub(crate) from: u64,
    #[arg(long)]
    pub(crate) sockets: u64,
    #[arg(long)]
    pub(crate) sources: u64,
    #[arg(long)]
    pub(crate) nap_us: u64,
}

/// Memory of the server for each idle websocket that watches the board
#[derive(Args, Clone)]
pub(crate) struct Idle {
    #[arg(long, default_value_t = 15_000, value_parser = clap::value_parser!(u64).range(1..=19_000))]
    pub(crate) sockets: u64,
    /// Open orders on the board; a server started here is also measured with none
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    pub(crate) orders: u64,
    /// Fails when a socket costs more than this
    #[arg(long, default_value_t = 5.0)]
    pub(crate) limit_kb: f64,
    /// Seconds between the last socket opened and the reading of the server's memory
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub(crate) settle_s: u64,
    /// Guests instead of signed-in executors
    #[arg(long)]
    pub(crate) guests: bool,
}

/// Every socket is cut at once and comes back: how long until all are in sync, and what do others notice?
///
/// Once they resume where they were, once with nothing, asking for compressed snapshots. A socket counts as back when a
/// checksum of the server has proved its copy; times run from the cut, the spread included. Meanwhile orders are created at
/// a rate, and two executors each race for them: `create` runs from when the order was due, `accept` from when its customer
/// has read the 201.
///
/// With --restart-node the sockets are at a second node, which is killed by kill -9 and started again on the same port; times
/// run from the kill. Orders go on at the node that stays, and from its return on at the one that died, too.
#[derive(Args, Clone)]
pub(crate) struct Storm {
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=18_000))]
    pub(crate) sockets: u64,
    /// Orders created for the board
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub(crate) orders: u64,
    /// Orders a second that are created and taken meanwhile
    #[arg(long, default_value = "20", value_parser = rate)]
    pub(crate) rate: f64,
    /// Each socket comes back at a random moment within so many milliseconds, as good clients do
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub(crate) spread_ms: u64,
    /// Seconds within which all must be back
    #[arg(long, default_value_t = 10.0)]
    pub(crate) within_s: f64,
    /// Kills the sockets' node and starts it again, instead of cutting the sockets only; not with --url
    #[arg(long)]
    pub(crate) restart_node: bool,
}

/// What do readers that stall, or are torn away, cost the others and the server?
///
/// Orders are created and taken at a rate. Every other turn a part of the watchers stops reading, with little room in the
/// kernel, and another part is cut off in the middle of frames again and again; in the turns between all read. Latencies of
/// the watchers that always read run from when an order was due until the frame that shows it has been read.
#[derive(Args, Clone)]
pub(crate) struct Slow {
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(20..=15_000))]
    pub(crate) watchers: u64,
    /// Orders a second that are created and taken
    #[arg(long, default_value = "30", value_parser = rate)]
    pub(crate) rate: f64,
    /// So many per cent of the watchers stall, and as many are lossy
    #[arg(long, default_value_t = 5.0, value_parser = percent)]
    pub(crate) percent: f64,
    /// Turns of each kind
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=200))]
    pub(crate) rounds: u64,
    /// Seconds of a turn; a reader that stalls for a minute is rightly cut off
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=30))]
    pub(crate) phase_s: u64,
}
