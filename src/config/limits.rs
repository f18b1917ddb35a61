//! How often one caller may ask, and whose word counts for where a request comes from.

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::flow::Limits;
use crate::http::Network;

/// The largest figure that a flag takes.
const MAX: i64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    On,
    Off,
}

/// What one caller may ask; 0 limits nothing.
#[derive(Args, Clone, Debug)]
pub struct LimitArgs {
    /// Whether requests, accepts, orders and attempts are limited at all; off for load tests
    #[arg(long, env = "ORDERBOARD_LIMITS", default_value = "on")]
    pub limits: Switch,
    /// Requests a second of one user, or of one address without a user
    #[arg(long, env = "ORDERBOARD_LIMIT_REQUESTS_S", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=MAX))]
    pub limit_requests_s: u32,
    /// Requests that may come at once
    #[arg(long, env = "ORDERBOARD_LIMIT_REQUESTS_BURST", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=MAX))]
    pub limit_requests_burst: u32,
    /// Requests a minute
    #[arg(long, env = "ORDERBOARD_LIMIT_REQUESTS_MIN", default_value_t = 180, value_parser = clap::value_parser!(u32).range(0..=MAX))]
    pub limit_requests_min: u32,
    /// Accepts a second of one executor, who races for orders; twice as many may come at once
    #[arg(long, env = "ORDERBOARD_LIMIT_ACCEPTS_S", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=MAX))]
    pub limit_accepts_s: u32,
    /// Orders of one customer in 24 hours
    #[arg(long, env = "ORDERBOARD_LIMIT_ORDERS_DAY", default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=MAX))]
    pub limit_orders_day: u32,
    /// Attempts to sign in, to register or to have a link sent, each, from one address in 15 minutes
    #[arg(long, env = "ORDERBOARD_LIMIT_ATTEMPTS_ADDRESS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=MAX))]
    pub limit_attempts_address: u32,
    /// The same with one e-mail address
    #[arg(long, env = "ORDERBOARD_LIMIT_ATTEMPTS_EMAIL", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=MAX))]
    pub limit_attempts_email: u32,
    /// Messages a second of one websocket; four times as many may come at once. Not turned off by --limits
    #[arg(long, env = "ORDERBOARD_LIMIT_MESSAGES_S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=MAX))]
    pub limit_messages_s: u32,
    /// Proxies whose X-Forwarded-For says where a request comes from, as addresses or networks
    #[arg(long, env = "ORDERBOARD_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<Network>,
}

impl LimitArgs {
    /// Nothing is limited.
    pub fn off() -> Self {
        Self {
            limits: Switch::Off,
            limit_requests_s: 0,
            limit_requests_burst: 0,
            limit_requests_min: 0,
            limit_accepts_s: 0,
            limit_orders_day: 0,
            limit_attempts_address: 0,
            limit_attempts_email: 0,
            limit_messages_s: 10,
            trusted_proxies: Vec::new(),
        }
    }

    pub fn in_force(&self) -> Limits {
        match self.limits {
            Switch::Off => Limits::default(),
            Switch::On => Limits {
                requests_s: self.limit_requests_s,
                requests_burst: self.limit_requests_burst,
                requests_min: self.limit_requests_min,
                accepts_s: self.limit_accepts_s,
                orders_day: self.limit_orders_day,
                attempts_address: self.limit_attempts_address,
                attempts_email: self.limit_attempts_email,
            },
        }
    }
}

/// What is in force, as `orderboard config` tells it.
#[derive(Serialize)]
pub struct LimitsInForce {
    limits: Limits,
    messages_s: u32,
    trusted_proxies: Vec<String>,
}

impl From<LimitArgs> for LimitsInForce {
    fn from(args: LimitArgs) -> Self {
        Self {
            limits: args.in_force(),
            messages_s: args.limit_messages_s,
            trusted_proxies: args.trusted_proxies.iter().map(ToString::to_string).collect(),
        }
    }
}
