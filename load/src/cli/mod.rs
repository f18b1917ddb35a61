//! The command line: what every command is given, and in a file for each family of commands what is its own.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use self::beside::{Fanout, Peers, TcpFloor};
pub(crate) use self::books::{History, Lists, Money, Speed};
pub(crate) use self::endurance::{Feed, Soak};
pub(crate) use self::races::{Bench, Floor, Herd, Takers};
pub(crate) use self::watching::{Idle, Slow, Storm, WatchPart, Watchers};

mod beside;
mod books;
mod endurance;
mod races;
mod watching;

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
    Lists(Lists),
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
