//! Races for orders, and what the database alone allows.

use clap::Args;

use super::rate;

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
