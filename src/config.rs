//! What operators may set, by flag or by environment, checked before anything starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::http::Mode;

/// Where things are.
#[derive(Args, Clone, Debug)]
pub struct Places {
    /// MySQL or MariaDB, as mysql://user:password@host/database. Without it a private MariaDB runs under the data directory
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,
    /// Redis, as redis://host:port. Without it a private Redis runs under the data directory
    #[arg(long, env = "REDIS_URL", hide_env_values = true, global = true)]
    pub redis_url: Option<String>,
    /// What every key and channel in Redis begins with; deployments that share a Redis need different ones
    #[arg(long, env = "ORDERBOARD_REDIS_PREFIX", default_value = "ob", global = true)]
    pub redis_prefix: String,
    /// Where the private MariaDB and Redis keep their data
    #[arg(long, env = "ORDERBOARD_DATA", default_value = "data", global = true)]
    pub data: PathBuf,
}

/// How a node behaves.
#[derive(Args, Clone, Debug)]
pub struct Serving {
    /// Address to serve on
    #[arg(long, env = "ORDERBOARD_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// development: sandbox payments, plain-http cookies. Default: development with the private databases, else production
    #[arg(long, env = "ORDERBOARD_MODE")]
    pub mode: Option<ModeArg>,
    /// What this process does
    #[arg(long, env = "ORDERBOARD_ROLES", value_delimiter = ',', default_value = "web,worker")]
    pub roles: Vec<NodeRole>,
    /// Origins of pages on other hosts that may act with the cookie, as https://board.example
    #[arg(long, env = "ORDERBOARD_ORIGINS", value_delimiter = ',')]
    pub origins: Vec<String>,
    /// Fill the board and keep a small market moving
    #[arg(long, env = "ORDERBOARD_DEMO")]
    pub demo: bool,
    #[command(flatten)]
    pub limits: Limits,
}

#[derive(Args, Clone, Debug)]
pub struct Limits {
    /// Connections to MySQL for everything but taking orders
    #[arg(long, env = "ORDERBOARD_DATABASE_CONNECTIONS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(2..=500))]
    pub database_connections: u32,
    /// Connections to MySQL that do nothing but take orders
    #[arg(long, env = "ORDERBOARD_TAKE_CONNECTIONS", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=128))]
    pub take_connections: u16,
    /// Websockets this node accepts
    #[arg(long, env = "ORDERBOARD_SOCKETS_MAX", default_value_t = 19_000)]
    pub sockets_max: usize,
    /// Seconds after which submitted work counts as confirmed
    #[arg(long, env = "ORDERBOARD_AUTO_CONFIRM_S", default_value_t = 259_200, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub auto_confirm_s: u64,
    /// Seconds a session lasts
    #[arg(long, env = "ORDERBOARD_SESSION_S", default_value_t = 2_592_000, value_parser = clap::value_parser!(u64).range(60..=31_536_000))]
    pub session_s: u64,
    /// Milliseconds over which clients spread their leaving when this node stops
    #[arg(long, env = "ORDERBOARD_DRAIN_MS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub drain_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModeArg {
    Development,
    Production,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// HTTP and websockets
    Web,
    /// Background jobs
    Worker,
}

impl Serving {
    pub fn mode(&self, is_embedded: bool) -> Mode {
        match self.mode {
            Some(ModeArg::Development) => Mode::Development,
            Some(ModeArg::Production) => Mode::Production,
            None if is_embedded => Mode::Development,
            None => Mode::Production,
        }
    }

    pub fn drain(&self) -> Duration {
        Duration::from_millis(self.limits.drain_ms)
    }
}

impl Limits {
    /// The flow's share of the limits.
    pub fn flow(&self) -> crate::flow::FlowConfig {
        crate::flow::FlowConfig {
            take_connections: usize::from(self.take_connections),
            auto_confirm_after: Duration::from_secs(self.auto_confirm_s),
            session_lifetime: Duration::from_secs(self.session_s),
        }
    }
}

/// What is in force, with passwords left out.
#[derive(Serialize)]
pub struct InForce {
    pub listen: SocketAddr,
    pub mode: Mode,
    pub roles: Vec<NodeRole>,
    pub origins: Vec<String>,
    pub data: PathBuf,
    /// `null` while the private MariaDB is not running.
    pub database_url: Option<String>,
    pub redis_url: Option<String>,
    pub redis_prefix: String,
    pub database_connections: u32,
    pub take_connections: u16,
    pub sockets_max: usize,
    pub auto_confirm_s: u64,
    pub session_s: u64,
    pub drain_ms: u64,
}

impl InForce {
    pub fn new(places: &Places, serving: Serving) -> Self {
        let running = crate::embedded::running(&places.data);
        let (database, redis) = running.map(|urls| (urls.database_url, urls.redis_url)).unzip();
        let is_embedded = places.database_url.is_none();
        Self {
            mode: serving.mode(is_embedded),
            listen: serving.listen,
            roles: serving.roles,
            origins: serving.origins,
            data: places.data.clone(),
            database_url: places.database_url.as_deref().map(without_password).or(database),
            redis_url: places.redis_url.as_deref().map(without_password).or(redis),
            redis_prefix: places.redis_prefix.clone(),
            database_connections: serving.limits.database_connections,
            take_connections: serving.limits.take_connections,
            sockets_max: serving.limits.sockets_max,
            auto_confirm_s: serving.limits.auto_confirm_s,
            session_s: serving.limits.session_s,
            drain_ms: serving.limits.drain_ms,
        }
    }
}

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "***".to_owned() };
    match rest.rsplit_once('@') {
        Some((login, place)) => match login.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:***@{place}"),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn passwords_are_not_printed() {
        assert_eq!(without_password("mysql://app:s:e@cret@db/board"), "mysql://app:***@db/board");
        assert_eq!(without_password("mysql://root@localhost/orderboard?socket=/run/x"), "mysql://root@localhost/orderboard?socket=/run/x");
        assert_eq!(without_password("redis://127.0.0.1:6379"), "redis://127.0.0.1:6379");
    }
}
