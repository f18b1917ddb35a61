//! What can go wrong, in words for whoever wrote the configuration or reads the log. Never a password: a server is
//! named by its address alone.

use fred::error::{Error, ErrorKind};
use fred::types::config::Config;

/// The scripts rely on what came with it: their effects are replicated, and they are forgotten at a restart.
pub(super) const REDIS_MAJOR_MIN: u32 = 7;

/// Why the bus could not do something.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    #[error("the Redis configuration cannot be used: {0}")]
    Config(String),
    #[error("Redis at {at} cannot be reached: {reason}")]
    Unreachable { at: String, reason: String },
    #[error("Redis at {at} refuses the user or password")]
    Refused { at: String },
    #[error("Redis at {at} is version {found}, but {REDIS_MAJOR_MIN}.0 or newer is needed")]
    TooOld { at: String, found: String },
    /// A command failed or was not answered. Whether it took effect is not known.
    #[error("Redis: {0}")]
    Command(#[from] Error),
    /// The other rows of the same call were sent.
    #[error("{kind} {id} is {bytes} bytes long, too long for news")]
    RowTooLong { kind: &'static str, id: u64, bytes: usize },
    /// Too many calls are waiting for Redis already; nothing was sent.
    #[error("Redis is too slow for what is published")]
    Busy,
    #[error("the bus is closed")]
    Closed,
}

/// An error at the start, in words for whoever wrote the configuration.
pub(super) fn at_start(error: Error, url: &str) -> BusError {
    let at = address(url);
    match error.kind() {
        ErrorKind::Auth => BusError::Refused { at },
        ErrorKind::IO | ErrorKind::Timeout | ErrorKind::Canceled => BusError::Unreachable { at, reason: reason(&error) },
        ErrorKind::Protocol => BusError::Unreachable { at, reason: "what answers there is not Redis".to_owned() },
        _ => BusError::Command(error),
    }
}

/// The server's address without user and password, for messages.
pub(super) fn address(url: &str) -> String {
    match Config::from_url(url) {
        Ok(config) => {
            let hosts: Vec<String> = config
                .server
                .hosts()
                .iter()
                .map(|server| match server.port {
                    0 => server.host.to_string(),
                    port => format!("{}:{port}", server.host),
                })
                .collect();
            hosts.join(", ")
        }
        Err(_) => "an unreadable address".to_owned(),
    }
}

/// fred keeps an I/O error as its debug text, `Os { code: 111, …, message: "Connection refused" }`.
fn reason(error: &Error) -> String {
    let details = error.details();
    let message = details.split_once("message: \"").and_then(|(_, rest)| rest.split_once('"'));
    message.map_or(details, |(message, _)| message).to_owned()
}
