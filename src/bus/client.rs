//! Connections to Redis: how they are set up, what they may take, and the one command both kinds share, reading
//! the position. fred's defaults are "wait for ever, queue without bound, send again three times"; every one of
//! them is replaced here, and no client is built anywhere else.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fred::clients::{Client, WithOptions};
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, LuaInterface};
use fred::types::config::{Config, Options, ReconnectPolicy, TcpConfig, UnresponsiveConfig};
use fred::types::{Builder, ConnectHandle, InfoKind, RespVersion};

use super::error::{BusError, REDIS_MAJOR_MIN, address, at_start};
use super::keys::Keys;
use crate::domain::news::Position;

/// How long [`super::Bus::connect`] may take altogether.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Events that may wait for the feed's reader before messages pile up in the subscriber's buffer.
pub(super) const EVENTS_MAX: usize = 1024;

/// A ping must be answered within this.
const POSITION_TIMEOUT: Duration = Duration::from_millis(500);
pub(super) const COMMAND_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a read of a queue waits for something to read.
pub(super) const BLOCK_FOR: Duration = Duration::from_secs(1);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);
/// An unanswered connection is closed after this, so that a half-open one cannot stay for minutes.
const UNRESPONSIVE_AFTER: Duration = Duration::from_millis(1500);
const COMMANDS_QUEUED_MAX: usize = 4096;
/// Messages that may wait for the reader; fred's default of 32 lost three of four in a burst. What does not fit
/// is recovered from the history.
const MESSAGES_MAX: usize = 8192;
/// The wait before each attempt to reconnect. The jitter is most of it, so that nodes do not come back in step.
const RECONNECT_DELAY_MS: u32 = 20;
const RECONNECT_JITTER_MS: u32 = 230;

const EPOCH_SCRIPT: &str = include_str!("epoch.lua");

/// One connection and the task that drives it, ended when dropped.
pub(super) struct Link {
    pub(super) client: Client,
    driver: Mutex<ConnectHandle>,
}

impl Link {
    /// For publishing. RESP2, so that even a server too old for us can say so.
    pub(super) async fn for_commands(url: &str) -> Result<Self, BusError> {
        Self::connect(url, RespVersion::RESP2, COMMAND_TIMEOUT, 32).await
    }

    /// For one consumer of a queue, whose reads block for [`BLOCK_FOR`]: nothing else may wait behind them.
    pub(super) async fn for_blocking(url: &str) -> Result<Self, BusError> {
        Self::connect(url, RespVersion::RESP2, BLOCK_FOR + COMMAND_TIMEOUT, 32).await
    }

    /// For subscribing. RESP3 lets the same connection carry messages and answers, in the server's order.
    pub(super) async fn for_feed(url: &str) -> Result<Self, BusError> {
        Self::connect(url, RespVersion::RESP3, POSITION_TIMEOUT, MESSAGES_MAX).await
    }

    async fn connect(url: &str, version: RespVersion, timeout: Duration, messages_max: usize) -> Result<Self, BusError> {
        let mut config = Config::from_url(url).map_err(|error| BusError::Config(error.details().to_owned()))?;
        config.version = version;
        config.fail_fast = true;
        let client = Builder::from_config(config)
            .with_connection_config(|connection| {
                connection.connection_timeout = HANDSHAKE_TIMEOUT;
                connection.internal_command_timeout = HANDSHAKE_TIMEOUT;
                // A command in flight when the connection breaks is not sent again.
                connection.max_command_attempts = 1;
                connection.max_command_buffer_len = COMMANDS_QUEUED_MAX;
                connection.tcp = TcpConfig { nodelay: Some(true), ..TcpConfig::default() };
                let max_timeout = Some(timeout.max(COMMAND_TIMEOUT) + UNRESPONSIVE_AFTER - COMMAND_TIMEOUT);
                connection.unresponsive = UnresponsiveConfig { max_timeout, interval: UNRESPONSIVE_AFTER / 4 };
            })
            .with_performance_config(|performance| {
                performance.default_command_timeout = timeout;
                performance.broadcast_channel_capacity = messages_max;
            })
            .set_policy(ReconnectPolicy::Constant { attempts: 0, max_attempts: 0, delay: RECONNECT_DELAY_MS, jitter: RECONNECT_JITTER_MS })
            .build()?;
        let driver = client.init().await.map_err(|error| at_start(error, url))?;
        Ok(Self { client, driver: Mutex::new(driver) })
    }

    /// The client for everything but scripts: commands fail at once without a connection.
    pub(super) fn commands(&self) -> WithOptions<Client> {
        let options = Options { timeout: Some(COMMAND_TIMEOUT), fail_fast: true, ..Options::default() };
        self.client.with_options(&options)
    }

    /// The client for reads that block.
    pub(super) fn reader(&self) -> WithOptions<Client> {
        let options = Options { timeout: Some(BLOCK_FOR + COMMAND_TIMEOUT), fail_fast: true, ..Options::default() };
        self.client.with_options(&options)
    }

    /// The client for scripts, if there is a connection. fred 10.1 does not implement `LuaInterface` for
    /// `WithOptions`: a script called through it would silently run without the options.
    pub(super) fn scripts(&self) -> Result<&Client, BusError> {
        if self.client.is_connected() { Ok(&self.client) } else { Err(BusError::Command(Error::new(ErrorKind::Canceled, "not connected"))) }
    }

    /// Starts the connection's task again if it has ended. fred ends it for good on errors that it takes for
    /// misconfiguration, some of which a server in the middle of a failover gives.
    pub(super) async fn revive(&self) -> Result<(), BusError> {
        if !self.driver.lock().unwrap_or_else(PoisonError::into_inner).is_finished() {
            return Ok(());
        }
        let driver = self.client.init().await?;
        *self.driver.lock().unwrap_or_else(PoisonError::into_inner) = driver;
        Ok(())
    }

    /// Closes the connection.
    pub(super) fn end(&self) {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner).abort();
    }

    /// Reads the position, or starts a new epoch and reads that.
    pub(super) async fn position(&self, keys: &Keys, ask: Ask<'_>) -> Result<Position, BusError> {
        let fresh = new_epoch()?;
        let (broken, write) = match ask {
            Ask::Position => ("", ""),
            Ask::Replace(broken) => (broken, ""),
            Ask::ProveWritable => ("", "write"),
        };
        let keys = vec![keys.meta.as_str(), keys.history.as_str()];
        let arguments = vec![fresh.as_str(), broken, write];
        // EVAL, not EVALSHA: this runs a few times a second and must work on a server that has just started.
        let (epoch, seq): (String, u64) = self.scripts()?.eval(EPOCH_SCRIPT, keys, arguments).await?;
        Ok(Position { epoch: Arc::from(epoch), seq })
    }
}

/// What a reading of the position is to do besides.
#[derive(Clone, Copy)]
pub(super) enum Ask<'a> {
    Position,
    /// Start a new epoch if this one is still in force.
    Replace(&'a str),
    /// Fail unless the server accepts writes.
    ProveWritable,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.end();
    }
}

/// A fresh epoch. It must never be used before, also not by this node, so it is made anew for each use.
pub(super) fn new_epoch() -> Result<String, BusError> {
    let random = getrandom::u64().map_err(|error| BusError::Config(format!("no randomness: {error}")))?;
    Ok(format!("{random:016x}"))
}

/// Refuses servers that lack what the scripts rely on.
pub(super) async fn check_version(link: &Link, url: &str) -> Result<(), BusError> {
    let info: String = link.commands().info(Some(InfoKind::Server)).await.map_err(|error| at_start(error, url))?;
    let found = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("unknown").trim();
    let major: u32 = found.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major < REDIS_MAJOR_MIN {
        return Err(BusError::TooOld { at: address(url), found: found.to_owned() });
    }
    Ok(())
}
