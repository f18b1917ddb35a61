//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::peers::Peer;
use crate::watch::protocol::Protocol;

/// Load test of orderboard, with a verdict: were the figures reached without breaking a promise?
///
/// Without --url it starts a server of its own on a free port with fresh data, and removes both at
/// the end. The exit code is 1 when the verdict finds a violation, 2 when the run could not be made.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args, Clone)]
pub(crate) struct Common {
    /// The server under test, as http://HOST:PORT, where nobody else changes anything meanwhile;
    /// without it one is started
    #[arg(long, global = true)]
    pub(crate) url: Option<String>,
    /// The server's executable: to start it, make tokens and ask for its configuration
    /// [default: `orderboard` beside this executable]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) orderboard: Option<PathBuf>,
    /// The database under the server, for the verdict and the floor
    /// [default: what `orderboard config` says]
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// The server's process, for memory and processor time (known when it is started here)
    #[arg(long, global = true, value_name = "PID")]
    pub(crate) server_pid: Option<u32>,
    /// Prints the result as one JSON object too, on the last line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Writes all that was found into one HTML file, with plots over time; it needs no network and no script
    #[arg(long, global = true, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// Hosts other than this machine may be put under load
    #[arg(long, global = true)]
    pub(crate) allow_remote: bool,
    /// A call without an answer after this many seconds counts as unanswered
    #[arg(long, global = true, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) timeout_s: u64,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Takers(Takers),
    Herd(Herd),
    Idle(Idle),
    Floor(Floor),
    Money(Money),
    Feed(Feed),
    History(History),
    Watchers(Watchers),
    #[command(hide = true)]
    WatchPart(WatchPart),
    Fanout(Fanout),
    Peers(Peers),
    #[command(hide = true)]
    TcpFloor(TcpFloor),
    Soak(Soak),
    Storm(Storm),
    Slow(Slow),
    Bench(Bench),
}

/// Executors on live websockets race by HTTP for orders that customers create
///
/// Each taker keeps an exact copy of the board `all` over its websocket, proves it by the checksum
/// of every tick, and sends POST /api/orders/{id}/accept over its keep-alive connection for the
/// orders it was drawn to race for, the moment it first sees them.
///
/// Latencies: `winners` and `refused` run from when the frame that shows the order has been read, whether or not the
/// taker could send its request then, until the answer is read. `create` runs from when the order was due by the rate.
/// `news: created` runs from the moment the customer
/// has read the 201 until a watcher has read the frame that shows the order; `news: taken` from the
/// moment the winner has read the 200 until a watcher has read the frame that removes it. A frame
/// that arrives before that answer counts as the smallest latency, and their share is told. All
/// clocks are this process's one clock; the time its own tasks wait for the processor is included.
///
/// With --nodes the watchers are at another node than those who create and take, and `news` is split: `at the watchers of
/// the other node` is theirs. `commit → frame` is measured by that node and read from its /metrics
/// (orderboard_commit_to_frame_seconds), as the difference between before the first order and after the last: the node that
/// decides notes the moment right after MySQL has answered the committing statement, the change carries it over Redis, and
/// the other node subtracts it when it has handed the frame to the threads that write to sockets. Both read the clock of one
/// machine. p99 is interpolated within its bucket; creations count, too; p99 above 10 ms is a violation when there are watchers.
#[derive(Args, Clone)]
pub(crate) struct Takers {
    /// Executors, each with one websocket and one HTTP connection
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=8_000))]
    pub(crate) takers: u64,
    /// Orders to create
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) orders: u64,
    /// Orders a second
    #[arg(long, default_value = "200", value_parser = rate)]
    pub(crate) rate: f64,
    /// Guests who watch, prove their copies and take nothing; all but the first eight by one thread for all of them
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub(crate) watchers: u64,
    /// Takers who race for each order, drawn by its id
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=8_000))]
    pub(crate) racers: u64,
    /// Customers who create the orders, each over one connection
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(crate) customers: u64,
    /// Servers on the same MariaDB and Redis: takers and customers are at the first, the watchers at the last. Not with --url
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=4))]
    pub(crate) nodes: u64,
}

/// One order, many takers at the same instant
///
/// Latencies run from the opening of the gate, the same moment for all takers, until each has read its answer; the `own
/// call` ones from when each has written its request, as it was and corrected for coordinated omission.
#[derive(Args, Clone)]
pub(crate) struct Herd {
    /// Executors, each with one HTTP connection opened beforehand
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(2..=15_000))]
    pub(crate) takers: u64,
    /// Orders, one after the other
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) rounds: u64,
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

/// What the database alone allows: the taking UPDATE sent straight to it
///
/// Each connection takes one order after the other, in a table made by CREATE TABLE … LIKE orders in
/// the same database, so that the same indexes are kept up. The table is dropped afterwards.
#[derive(Args, Clone)]
pub(crate) struct Floor {
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=500))]
    pub(crate) connections: u64,
    /// Orders to take in each round
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    pub(crate) orders: u64,
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) rounds: u64,
    /// The floor of the fan-out instead: raw TCP to 2,000 websockets, over a ladder of rates
    #[arg(long)]
    pub(crate) tcp: bool,
}

/// Billing by queue: how fast it is; with --chaos, whether it keeps its books while everything around it dies
///
/// With --chaos: servers and worker processes of its own, a proxy that cuts connections at COMMIT, every message delivered
/// three times or more, messages taken away from workers, and a worker, MariaDB or Redis killed by kill -9 every few
/// seconds. In the end each operation must have had one effect and one answer, to the kopeck.
#[derive(Args, Clone)]
pub(crate) struct Money {
    /// The Redis to measure with, together with --database-url; a worker is started on both [default: servers of its own]
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub(crate) redis_url: Option<String>,
    /// Everything dies, again and again
    #[arg(long)]
    pub(crate) chaos: bool,
    /// Seconds during which things die
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// The same seed throws the same dice [default: by the clock]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Worker processes
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=32))]
    pub(crate) processes: u64,
    /// Workers in each process
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) workers: u64,
    /// New operations a second
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) rate: u64,
    #[command(flatten)]
    pub(crate) speed: Speed,
}

/// The boards of two nodes against MySQL, change by change; with --chaos while everything around them dies
///
/// Servers of its own. Orders change in MySQL at a rate; the tool publishes each change as a node does, and withholds some
/// as a node does that dies between its commit and its publishing. With --chaos each node has Redis through a proxy that
/// loses 1 % of the messages and cuts the subscriber's connections every few seconds; Redis is killed by kill -9 and comes
/// back with its data and without, nodes are killed and come back. The run goes on until each of these has happened.
///
/// Every few milliseconds each watcher's copy is compared with what is committed. What a copy lacks for longer than 100 ms
/// is a divergence, and lasts from the commit until the copy has it; after a loss of the connection, from when the watcher
/// follows again. Its cause is what was done to its node meanwhile. Time that the machine takes from everybody, measured by a
/// thread that wakes late, is added to what is allowed.
#[derive(Args, Clone)]
pub(crate) struct Feed {
    /// Everything dies, again and again
    #[arg(long)]
    pub(crate) chaos: bool,
    /// Changes of orders to make
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    pub(crate) changes: u64,
    /// Changes a second
    #[arg(long, default_value = "1000", value_parser = rate)]
    pub(crate) rate: f64,
    /// Watchers on each node
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=2_000))]
    pub(crate) watchers: u64,
    /// The same seed throws the same dice [default: by the clock]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

/// What the throughput of billing is measured with
#[derive(Args, Clone, Copy)]
pub(crate) struct Speed {
    /// People among whom the operations are spread
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000))]
    pub(crate) users: u64,
    /// Operations that may share a transaction in the batched form
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u64).range(2..=512))]
    pub(crate) batch: u64,
    /// Workers of the batched form
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) batch_workers: u64,
}

impl Default for Speed {
    fn default() -> Self {
        Self { users: 4_000, batch: 128, batch_workers: 4 }
    }
}

/// A long history of money: the audit over it, the balance at any moment, a page of it at any depth
///
/// Fills the database of a server of its own with entries, evenly over eight accounts and a year, and with all that belongs
/// to them.
#[derive(Args, Clone)]
pub(crate) struct History {
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    pub(crate) entries: u64,
}

/// A mixed market for minutes or hours: are the books kept, the copies exact, and the memory flat?
///
/// Customers create orders at a rate; executors who watch over websockets race for them; work is handed in, confirmed or
/// sent back, given up; orders are cancelled, also while takers race, frozen and put back; wallets are topped up, and money
/// is sent from one to another. Sockets are cut and come back, most where they were, some from nothing; some are guests.
///
/// Latencies: `create` from when the order was due by the rate, whether or not it could be sent then; `accept` from when the
/// executor's frame with the order was read; `news` from when the order was due until a watcher has read the frame that
/// shows it; the other calls from when they were sent. Memory is the server process's alone: a straight line is laid through
/// it, without the first quarter of the run, and may rise by no more than 5 % of the mean, or --memory-floor-kb.
#[derive(Args, Clone)]
pub(crate) struct Soak {
    /// Seconds to go on; added to --minutes and --hours [default: 600 if none of them is given]
    #[arg(long, value_parser = clap::value_parser!(u64).range(0..=604_800))]
    pub(crate) seconds: Option<u64>,
    #[arg(long, value_parser = clap::value_parser!(u64).range(0..=10_080))]
    pub(crate) minutes: Option<u64>,
    #[arg(long, value_parser = clap::value_parser!(u64).range(0..=168))]
    pub(crate) hours: Option<u64>,
    /// Websockets: one in ten a guest's, the others each an executor's
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(10..=15_000))]
    pub(crate) sockets: u64,
    /// Orders a second
    #[arg(long, default_value = "10", value_parser = rate)]
    pub(crate) rate: f64,
    /// Executors who race for each order, drawn by its id
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(crate) racers: u64,
    /// Customers who create the orders, each over one connection
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(2..=1_000))]
    pub(crate) customers: u64,
    /// Seconds for which a socket stays, on average, before it is cut
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) stay_s: u64,
    /// A rise of the server's memory that is never held against it
    #[arg(long, default_value_t = 4_096)]
    pub(crate) memory_floor_kb: u64,
}

impl Soak {
    pub(crate) fn duration(&self) -> std::time::Duration {
        let of = |given: Option<u64>, unit_s: u64| given.unwrap_or(0) * unit_s;
        let seconds = of(self.seconds, 1) + of(self.minutes, 60) + of(self.hours, 3_600);
        std::time::Duration::from_secs(if seconds == 0 { 600 } else { seconds })
    }
}

/// Every socket is cut at once and comes back: how long until all are in sync, and what do others notice?
///
/// Once they resume where they were, once with nothing, asking for compressed snapshots. A socket counts as back when a
/// checksum of the server has proved its copy; times run from the cut, the spread included. Meanwhile orders are created at
/// a rate, and two executors each race for them: `create` runs from when the order was due, `accept` from when its customer
/// has read the 201.
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

/// The floor against taking over HTTP, in turns, on one machine; then takers, herd, idle and money in short
///
/// Each connection calls again once it has its answer (a closed loop), from before the request is written until the answer
/// is read. `corrected` adds the calls that a late answer has kept from being made, at the loop's median interval.
#[derive(Args, Clone)]
pub(crate) struct Bench {
    /// Database connections of the floor; the best of them is what HTTP is measured against
    #[arg(long, value_delimiter = ',', default_values_t = [8, 32, 64], value_parser = clap::value_parser!(u64).range(1..=250))]
    pub(crate) floors: Vec<u64>,
    /// Concurrent takers, each with an HTTP connection and one request at a time
    #[arg(long, value_delimiter = ',', default_values_t = [64, 500, 2_000], value_parser = clap::value_parser!(u64).range(1..=8_000))]
    pub(crate) takers: Vec<u64>,
    /// Orders to take in each turn
    #[arg(long, default_value_t = 16_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    pub(crate) orders: u64,
    /// Turns of each
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) rounds: u64,
    /// Idle websockets
    #[arg(long, default_value_t = 15_000, value_parser = clap::value_parser!(u64).range(1..=19_000))]
    pub(crate) sockets: u64,
    /// Only the floor against HTTP
    #[arg(long)]
    pub(crate) only_ratio: bool,
}

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
/// and p99 at 50 changes a second, memory of an idle socket. `load/peers/setup` installs them.
#[derive(Args, Clone)]
pub(crate) struct Peers {
    #[arg(value_enum, default_values = ["socketio", "ws", "nats", "nchan", "mosquitto", "socketioxide"])]
    pub(crate) peers: Vec<Peer>,
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=18_000))]
    pub(crate) sockets: u64,
    /// Seconds at 50 changes a second
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    /// Seconds of each step of the ladder
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) step_seconds: u64,
    /// A short ladder
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

/// `200` or `200/s`.
fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    match number.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 100_000.0 => Ok(rate),
        _ => Err("a number of orders a second, such as 200 or 200/s".into()),
    }
}

/// Of two kinds at once, and some must be left.
fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 40.0 => Ok(percent),
        _ => Err("a number above 0 and up to 40".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_rate_may_carry_its_unit() {
        assert_eq!(rate("200/s"), Ok(200.0));
        assert_eq!(rate("0.5"), Ok(0.5));
        assert!(rate("0").is_err() && rate("fast").is_err() && rate("NaN").is_err());
    }
}
