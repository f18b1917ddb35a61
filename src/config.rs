//! What operators may set, by flag or by environment, checked before anything starts.

pub mod descriptors;
mod gateway;
mod limits;
mod mail;
mod telegram;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

pub use self::gateway::{Gateway, GatewayInForce};
pub use self::limits::{LimitArgs, LimitsInForce, Switch};
pub use self::mail::MailArgs;
pub use self::telegram::TelegramArgs;
use crate::http::{Mode, Port};

/// Where things are.
#[derive(Args, Clone, Debug)]
pub struct Places {
    /// MySQL or MariaDB, as mysql://user:password@host/database. Without it a private MariaDB runs under the data directory
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,
    /// Redis, as redis://host:port, redis-sentinel://sentinel:port?sentinelServiceName=NAME&node=sentinel2:port or
    /// redis-cluster://node:port?node=node2:port. Without it a private Redis runs under the data directory
    #[arg(long, env = "REDIS_URL", hide_env_values = true, global = true)]
    pub redis_url: Option<String>,
    /// What every key and channel in Redis begins with; deployments that share a Redis need different ones
    #[arg(long, env = "ORDERBOARD_REDIS_PREFIX", default_value = "ob", global = true)]
    pub redis_prefix: String,
    /// What the billing streams in Redis begin with: NAME:requests, NAME:responses, NAME:poison
    #[arg(long, env = "ORDERBOARD_BILLING_STREAMS", default_value = "billing", global = true)]
    pub billing_streams: String,
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
    /// Share the address with other processes that say the same; the kernel spreads the connections over them (SO_REUSEPORT)
    #[arg(long, env = "ORDERBOARD_REUSE_PORT")]
    pub reuse_port: bool,
    /// Another address that serves /metrics, /healthz and /readyz and nothing else; for processes without the web, and for a
    /// network of operators
    #[arg(long, env = "ORDERBOARD_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
    /// Milliseconds between /readyz saying 503 and anything else changing, when this node stops: as long as a balancer needs
    /// to see it. Default: 3,000 in production, 0 in development
    #[arg(long, env = "ORDERBOARD_NOTICE_MS", value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub notice_ms: Option<u64>,
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
    #[command(flatten)]
    pub callers: LimitArgs,
    #[command(flatten)]
    pub payouts: PayoutArgs,
    #[command(flatten)]
    pub gateway: Gateway,
    #[command(flatten)]
    pub mail: MailArgs,
    #[command(flatten)]
    pub telegram: TelegramArgs,
}

/// What people may have paid out.
#[derive(Args, Clone, Debug)]
pub struct PayoutArgs {
    /// The smallest payout, in minor units
    #[arg(long, env = "ORDERBOARD_PAYOUT_MIN", default_value_t = 10_000, value_parser = clap::value_parser!(i64).range(1..=1_000_000_000_000))]
    pub payout_min: i64,
    /// Ways in which money is paid out, as short names of small letters, digits and underscores
    #[arg(long, env = "ORDERBOARD_PAYOUT_METHODS", value_delimiter = ',', default_value = "card,sbp,bank_account", value_parser = method)]
    pub payout_methods: Vec<String>,
}

fn method(text: &str) -> Result<String, String> {
    let is_slug = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    match text.trim() {
        slug if (1..=32).contains(&slug.len()) && is_slug(slug) => Ok(slug.to_owned()),
        _ => Err("a method is 1 to 32 small letters, digits and underscores".to_owned()),
    }
}

#[derive(Args, Clone, Debug)]
pub struct Limits {
    /// Connections to MySQL for everything but taking orders
    #[arg(long, env = "ORDERBOARD_DATABASE_CONNECTIONS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(2..=500))]
    pub database_connections: u32,
    /// Connections to MySQL that do nothing but take orders
    #[arg(long, env = "ORDERBOARD_TAKE_CONNECTIONS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=128))]
    pub take_connections: u16,
    /// Takers who wait while these are busy and may share one statement; 1 for none
    #[arg(long, env = "ORDERBOARD_TAKE_BATCH", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub take_batch: u16,
    /// Websockets this process accepts; what its limit of descriptors allows, if nothing is said
    #[arg(long, env = "ORDERBOARD_SOCKETS_MAX", default_value_t = descriptors::sockets_default())]
    pub sockets_max: usize,
    /// Seconds after which submitted work counts as confirmed
    #[arg(long, env = "ORDERBOARD_AUTO_CONFIRM_S", default_value_t = 259_200, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub auto_confirm_s: u64,
    /// Days after which what a finished order says and what happened to it go to the archive; 0 for never
    #[arg(long, env = "ORDERBOARD_ARCHIVE_AFTER_DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub archive_after_days: u32,
    /// The lowest price that an executor may offer for an order, in percent of its price
    #[arg(long, env = "ORDERBOARD_COUNTER_MIN_PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub counter_min_percent: u16,
    /// The highest
    #[arg(long, env = "ORDERBOARD_COUNTER_MAX_PERCENT", default_value_t = 200, value_parser = clap::value_parser!(u16).range(100..=10_000))]
    pub counter_max_percent: u16,
    /// Billing workers of a process with the worker role; each has a transaction at a time. 0 leaves the queue to others
    #[arg(long, env = "ORDERBOARD_BILLING_WORKERS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(0..=64))]
    pub billing_workers: u16,
    /// Operations that may share one transaction; 1 for none
    #[arg(long, env = "ORDERBOARD_BILLING_BATCH", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub billing_batch: u16,
    /// Milliseconds after which a request that nobody has finished is taken over from its worker
    #[arg(long, env = "ORDERBOARD_BILLING_CLAIM_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub billing_claim_ms: u64,
    /// Milliseconds after which a committed result that was not seen to be sent is sent again
    #[arg(long, env = "ORDERBOARD_BILLING_RESEND_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub billing_resend_ms: u64,
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

    pub fn port(&self) -> Port {
        if self.reuse_port { Port::Shared } else { Port::Own }
    }

    /// How long balancers are given to see that this node is leaving.
    pub fn notice(&self, mode: Mode) -> Duration {
        let default = match mode {
            Mode::Development => 0,
            Mode::Production => 3_000,
        };
        Duration::from_millis(self.notice_ms.unwrap_or(default))
    }

    pub fn drain(&self) -> Duration {
        Duration::from_millis(self.limits.drain_ms)
    }
}

impl Limits {
    /// The billing workers' share of the limits.
    pub fn billing(&self, node: String, is_worker: bool) -> crate::jobs::billing::Settings {
        crate::jobs::billing::Settings {
            node,
            workers: if is_worker { self.billing_workers } else { 0 },
            batch: self.billing_batch,
            claim_after: Duration::from_millis(self.billing_claim_ms),
            resend_after: Duration::from_millis(self.billing_resend_ms),
        }
    }

    /// After which time old orders are archived, if they are.
    pub fn archive_after(&self) -> Option<Duration> {
        (self.archive_after_days > 0).then(|| Duration::from_secs(86_400 * u64::from(self.archive_after_days)))
    }

    /// The flow's share of the limits.
    pub fn flow(&self) -> crate::flow::FlowConfig {
        crate::flow::FlowConfig {
            take_lane: crate::flow::LaneSize { connections: usize::from(self.take_connections), batch: usize::from(self.take_batch) },
            auto_confirm_after: Duration::from_secs(self.auto_confirm_s),
            counter_limits: crate::flow::CounterLimits { min_percent: self.counter_min_percent, max_percent: self.counter_max_percent },
            limits: crate::flow::Limits::default(),
            session_lifetime: Duration::from_secs(self.session_s),
            topups: crate::flow::TopupConfig::default(),
            public_url: None,
            telegram: None,
        }
    }
}

/// What is in force, with passwords left out.
#[derive(Serialize)]
pub struct InForce {
    pub listen: SocketAddr,
    pub reuse_port: bool,
    pub metrics_listen: Option<SocketAddr>,
    pub notice_ms: u64,
    pub mode: Mode,
    pub roles: Vec<NodeRole>,
    pub origins: Vec<String>,
    pub data: PathBuf,
    /// `null` while the private MariaDB is not running.
    pub database_url: Option<String>,
    pub redis_url: Option<String>,
    pub redis_prefix: String,
    pub billing_streams: String,
    pub database_connections: u32,
    pub take_connections: u16,
    pub take_batch: u16,
    pub sockets_max: usize,
    pub auto_confirm_s: u64,
    pub archive_after_days: u32,
    pub billing_workers: u16,
    pub billing_batch: u16,
    pub billing_claim_ms: u64,
    pub billing_resend_ms: u64,
    pub session_s: u64,
    pub drain_ms: u64,
    pub payout_min: i64,
    pub payout_methods: Vec<String>,
    /// `null` where no mail is sent.
    pub smtp_url: Option<String>,
    pub mail_from: Option<String>,
    pub public_url: Option<String>,
    pub mail_retry_ms: u64,
    pub mail_claim_ms: u64,
    /// `null` where no messages are sent.
    pub telegram_bot: Option<String>,
    pub telegram_api: String,
    #[serde(flatten)]
    pub callers: LimitsInForce,
    #[serde(flatten)]
    pub gateway: GatewayInForce,
}

impl InForce {
    pub fn new(places: &Places, serving: Serving) -> Self {
        let running = crate::embedded::running(&places.data);
        let (database, redis) = running.map(|urls| (urls.database_url, urls.redis_url)).unzip();
        let is_embedded = places.database_url.is_none();
        let serving_mode = serving.mode(is_embedded);
        Self {
            mode: serving_mode,
            listen: serving.listen,
            reuse_port: serving.reuse_port,
            metrics_listen: serving.metrics_listen,
            notice_ms: u64::try_from(serving.notice(serving_mode).as_millis()).unwrap_or(u64::MAX),
            roles: serving.roles,
            origins: serving.origins,
            data: places.data.clone(),
            database_url: places.database_url.as_deref().map(without_password).or(database),
            redis_url: places.redis_url.as_deref().map(without_password).or(redis),
            redis_prefix: places.redis_prefix.clone(),
            billing_streams: places.billing_streams.clone(),
            database_connections: serving.limits.database_connections,
            take_connections: serving.limits.take_connections,
            take_batch: serving.limits.take_batch,
            sockets_max: serving.limits.sockets_max,
            auto_confirm_s: serving.limits.auto_confirm_s,
            archive_after_days: serving.limits.archive_after_days,
            billing_workers: serving.limits.billing_workers,
            billing_batch: serving.limits.billing_batch,
            billing_claim_ms: serving.limits.billing_claim_ms,
            billing_resend_ms: serving.limits.billing_resend_ms,
            session_s: serving.limits.session_s,
            drain_ms: serving.limits.drain_ms,
            payout_min: serving.payouts.payout_min,
            payout_methods: serving.payouts.payout_methods,
            smtp_url: serving.mail.smtp_url.as_deref().map(without_password),
            mail_from: serving.mail.mail_from,
            public_url: serving.mail.public_url,
            mail_retry_ms: serving.mail.mail_retry_ms,
            mail_claim_ms: serving.mail.mail_claim_ms,
            telegram_bot: serving.telegram.telegram_token.and(serving.telegram.telegram_bot),
            telegram_api: serving.telegram.telegram_api,
            callers: serving.callers.into(),
            gateway: serving.gateway.in_force(serving_mode),
        }
    }
}

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "***".to_owned() };
    let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
    let login = login.map(|login| login.split_once(':').map_or(login.to_owned(), |(user, _)| format!("{user}:***")) + "@");
    // The sentinels' own password is a parameter.
    let place: Vec<&str> = place.split_inclusive(['?', '&']).collect();
    let place = place.into_iter().map(|part| match part.strip_prefix("sentinelPassword=") {
        Some(secret) if secret.ends_with('&') => "sentinelPassword=***&",
        Some(_) => "sentinelPassword=***",
        None => part,
    });
    format!("{scheme}://{}{}", login.unwrap_or_default(), place.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn passwords_are_not_printed() {
        assert_eq!(without_password("mysql://app:s:e@cret@db/board"), "mysql://app:***@db/board");
        assert_eq!(without_password("mysql://root@localhost/orderboard?socket=/run/x"), "mysql://root@localhost/orderboard?socket=/run/x");
        assert_eq!(without_password("redis://127.0.0.1:6379"), "redis://127.0.0.1:6379");
        assert_eq!(
            without_password("redis-sentinel://:pw@a:1?sentinelServiceName=b&sentinelPassword=secret&node=c:2"),
            "redis-sentinel://:***@a:1?sentinelServiceName=b&sentinelPassword=***&node=c:2"
        );
    }
}
