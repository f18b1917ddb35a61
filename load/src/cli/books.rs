//! Money: how fast it moves, whether it is kept; and a long past of money and of orders.

use clap::Args;

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

/// Every list over a full database, at any depth
///
/// Fills the database of a server of its own with orders, and with payouts, top-ups and entries of the same people; one of
/// them has half of everything. Then asks for pages at random depths.
#[derive(Args, Clone)]
pub(crate) struct Lists {
    /// Orders that wait for a taker; a fifth as many more are frozen or in work
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1_000..=1_000_000))]
    pub(crate) open: u64,
    /// Orders that have come to their end
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    pub(crate) finished: u64,
    /// Calls for each list
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(20..=100_000))]
    pub(crate) calls: u64,
    /// The 99th percentile that every list is held to, in ms
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) limit_ms: u64,
}
