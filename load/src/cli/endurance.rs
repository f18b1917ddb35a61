//! What goes on for long, or while everything dies.

use clap::Args;

use super::rate;

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
