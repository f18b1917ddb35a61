//! Connections to Redis: how they are set up, what they may take, how they move to another server, and the one command
//! both kinds share, reading the position. fred's defaults are "wait for ever, queue without bound, send again three
//! times"; every one of them is replaced here, and no client that stays is built anywhere else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fred::clients::{Client, WithOptions};
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, LuaInterface};
use fred::types::config::{Options, ReconnectPolicy, Server, TcpConfig, UnresponsiveConfig};
use fred::types::{Builder, ConnectHandle, InfoKind, RespVersion};

use super::error::{BusError, REDIS_MAJOR_MIN, address, at_start};
use super::keys::Keys;
use super::metric;
use super::servers::Servers;
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
/// Connecting to another server; it may have died since it was named.
const MOVE_TIMEOUT: Duration = Duration::from_secs(1);
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

/// One connection and the task that drives it, ended when dropped. Where Redis has several servers, it is to the one that
/// keeps `key`, and replaced when that is another one.
pub(super) struct Link {
    servers: Arc<Servers>,
    key: String,
    setup: Setup,
    current: Mutex<Current>,
    /// One move at a time.
    moving: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
struct Setup {
    is_resp3: bool,
    timeout: Duration,
    messages_max: usize,
}

struct Current {
    client: Client,
    driver: ConnectHandle,
    at: Option<Server>,
    /// Counts the clients of this link.
    number: u64,
}

impl Link {
    /// For publishing. RESP2, so that even a server too old for us can say so.
    pub(super) async fn for_commands(servers: &Arc<Servers>, key: &str) -> Result<Self, BusError> {
        Self::connect(servers, key, Setup { is_resp3: false, timeout: COMMAND_TIMEOUT, messages_max: 32 }).await
    }

    /// For one consumer of a queue, whose reads block for [`BLOCK_FOR`]: nothing else may wait behind them.
    pub(super) async fn for_blocking(servers: &Arc<Servers>, key: &str) -> Result<Self, BusError> {
        Self::connect(servers, key, Setup { is_resp3: false, timeout: BLOCK_FOR + COMMAND_TIMEOUT, messages_max: 32 }).await
    }

    /// For subscribing. RESP3 lets the same connection carry messages and answers, in the server's order.
    pub(super) async fn for_feed(servers: &Arc<Servers>, key: &str) -> Result<Self, BusError> {
        Self::connect(servers, key, Setup { is_resp3: true, timeout: POSITION_TIMEOUT, messages_max: MESSAGES_MAX }).await
    }

    async fn connect(servers: &Arc<Servers>, key: &str, setup: Setup) -> Result<Self, BusError> {
        let at = servers.locate(key).await?;
        let (client, driver) = open(servers, key, setup, at.as_ref()).await.map_err(|error| at_start(error, &servers.url))?;
        let current = Mutex::new(Current { client, driver, at, number: 0 });
        Ok(Self { servers: Arc::clone(servers), key: key.to_owned(), setup, current, moving: tokio::sync::Mutex::default() })
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client there is now. Whoever keeps it, or listens to it, must take another when [`Link::number`] has changed.
    pub(super) fn client(&self) -> Client {
        self.current().client.clone()
    }

    pub(super) fn number(&self) -> u64 {
        self.current().number
    }

    /// The client for everything but scripts: commands fail at once without a connection.
    pub(super) fn commands(&self) -> WithOptions<Client> {
        let options = Options { timeout: Some(COMMAND_TIMEOUT), fail_fast: true, ..Options::default() };
        self.client().with_options(&options)
    }

    /// The client for reads that block.
    pub(super) fn reader(&self) -> WithOptions<Client> {
        let options = Options { timeout: Some(BLOCK_FOR + COMMAND_TIMEOUT), fail_fast: true, ..Options::default() };
        self.client().with_options(&options)
    }

    /// The client for scripts, if there is a connection. fred 10.1 does not implement `LuaInterface` for
    /// `WithOptions`: a script called through it would silently run without the options.
    pub(super) fn scripts(&self) -> Result<Client, BusError> {
        let client = self.client();
        if client.is_connected() { Ok(client) } else { Err(BusError::Command(Error::new(ErrorKind::Canceled, "not connected"))) }
    }

    /// For whoever has met an error: goes to where the key is now, if that is elsewhere, and starts the connection's task
    /// again if it has ended. fred ends it for good on errors that it takes for misconfiguration, some of which a server
    /// in the middle of a failover gives.
    pub(super) async fn revive(&self) -> Result<(), BusError> {
        let _one = self.moving.lock().await;
        let (client, is_ended) = {
            let current = self.current();
            (current.client.clone(), current.driver.is_finished())
        };
        if self.servers.is_single() {
            if is_ended {
                let driver = client.init().await?;
                self.current().driver = driver;
            }
            return Ok(());
        }
        // A primary that died and came back calls itself one until a sentinel tells it otherwise: ask the sentinels.
        if self.servers.is_cluster() && !is_ended && client.is_connected() && self.is_right(&client).await {
            return Ok(());
        }
        let at = self.servers.locate(&self.key).await?;
        // fred goes on trying the same server by itself.
        if !is_ended && at == self.current().at {
            return Ok(());
        }
        self.replace(at).await
    }

    /// A new connection, whatever the old one is worth.
    pub(super) async fn renew(&self) -> Result<(), BusError> {
        let _one = self.moving.lock().await;
        let at = self.servers.locate(&self.key).await?;
        self.replace(at).await
    }

    async fn is_right(&self, client: &Client) -> bool {
        let proven = tokio::time::timeout(POSITION_TIMEOUT, self.servers.prove(client, &self.key)).await;
        proven.is_ok_and(|proven| proven.is_ok())
    }

    async fn replace(&self, at: Option<Server>) -> Result<(), BusError> {
        let opened = tokio::time::timeout(MOVE_TIMEOUT, open(&self.servers, &self.key, self.setup, at.as_ref())).await;
        let slow = || Error::new(ErrorKind::Timeout, "the server does not answer");
        let (client, driver) = opened.map_err(|_| slow()).and_then(|opened| opened)?;
        let mut current = self.current();
        if current.at != at {
            metrics::counter!(metric::MOVES).increment(1);
            tracing::info!(server = at.as_ref().map(ToString::to_string), key = self.key, "connected to another Redis server");
        }
        let number = current.number + 1;
        let before = std::mem::replace(&mut *current, Current { client, driver, at, number });
        before.driver.abort();
        Ok(())
    }

    /// Closes the connection.
    pub(super) fn end(&self) {
        self.current().driver.abort();
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

/// One client to one server. Dropped halfway it ends by itself, within the timeouts.
async fn open(servers: &Servers, key: &str, setup: Setup, at: Option<&Server>) -> Result<(Client, ConnectHandle), Error> {
    let mut config = servers.config(at);
    config.version = if setup.is_resp3 { RespVersion::RESP3 } else { RespVersion::RESP2 };
    config.fail_fast = true;
    let client = Builder::from_config(config)
        .with_connection_config(|connection| {
            connection.connection_timeout = HANDSHAKE_TIMEOUT;
            connection.internal_command_timeout = HANDSHAKE_TIMEOUT;
            // A command in flight when the connection breaks is not sent again.
            connection.max_command_attempts = 1;
            connection.max_command_buffer_len = COMMANDS_QUEUED_MAX;
            connection.tcp = TcpConfig { nodelay: Some(true), ..TcpConfig::default() };
            let max_timeout = Some(setup.timeout.max(COMMAND_TIMEOUT) + UNRESPONSIVE_AFTER - COMMAND_TIMEOUT);
            connection.unresponsive = UnresponsiveConfig { max_timeout, interval: UNRESPONSIVE_AFTER / 4 };
        })
        .with_performance_config(|performance| {
            performance.default_command_timeout = setup.timeout;
            performance.broadcast_channel_capacity = setup.messages_max;
        })
        .set_policy(ReconnectPolicy::Constant { attempts: 0, max_attempts: 0, delay: RECONNECT_DELAY_MS, jitter: RECONNECT_JITTER_MS })
        .build()?;
    let driver = client.init().await?;
    if let Err(error) = servers.prove(&client, key).await {
        driver.abort();
        return Err(error);
    }
    Ok((client, driver))
}

/// Refuses servers that lack what the scripts rely on, and those that the url takes for another kind.
pub(super) async fn check_server(link: &Link) -> Result<(), BusError> {
    let url = &link.servers.url;
    let info: String = link.commands().info(Some(InfoKind::Server)).await.map_err(|error| at_start(error, url))?;
    let told = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let found = told("redis_version").unwrap_or("unknown");
    let major: u32 = found.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major < REDIS_MAJOR_MIN {
        return Err(BusError::TooOld { at: address(url), found: found.to_owned() });
    }
    match told("redis_mode") {
        Some("cluster") if !link.servers.is_cluster() => {
            Err(BusError::Config(format!("{} is a node of a cluster: the url must begin with redis-cluster://", address(url))))
        }
        Some("sentinel") => Err(BusError::Config(format!("{} is a sentinel: the url must begin with redis-sentinel://", address(url)))),
        _ => Ok(()),
    }
}
