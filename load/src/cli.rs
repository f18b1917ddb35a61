//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
    History(History),
    Bench(Bench),
}

/// Executors on live websockets race by HTTP for orders that customers create
///
/// Each taker keeps an exact copy of the board `all` over its websocket, proves it by the checksum
/// of every tick, and sends POST /api/orders/{id}/accept over its keep-alive connection for the
/// orders it was drawn to race for, the moment it first sees them.
///
/// Latencies: `winners` and `refused` run from before the request is written until the answer is
/// read. `create` likewise, for POST /api/orders. `news: created` runs from the moment the customer
/// has read the 201 until a watcher has read the frame that shows the order; `news: taken` from the
/// moment the winner has read the 200 until a watcher has read the frame that removes it. A frame
/// that arrives before that answer counts as the smallest latency, and their share is told. All
/// clocks are this process's one clock; the time its own tasks wait for the processor is included.
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
    /// Guests who watch and prove their copies, and take nothing
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub(crate) watchers: u64,
    /// Takers who race for each order, drawn by its id
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=8_000))]
    pub(crate) racers: u64,
    /// Customers who create the orders, each over one connection
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(crate) customers: u64,
}

/// One order, many takers at the same instant
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
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=19_000))]
    pub(crate) sockets: u64,
    /// Open orders on the board; a server started here is also measured with none
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    pub(crate) orders: u64,
    /// Fails when a socket costs more than this
    #[arg(long, default_value_t = 8.0)]
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

/// The floor against taking over HTTP, in turns, on one machine; then takers, herd, idle and money in short
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
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=19_000))]
    pub(crate) sockets: u64,
    /// Only the floor against HTTP
    #[arg(long)]
    pub(crate) only_ratio: bool,
}

/// `200` or `200/s`.
fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    match number.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 100_000.0 => Ok(rate),
        _ => Err("a number of orders a second, such as 200 or 200/s".into()),
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
