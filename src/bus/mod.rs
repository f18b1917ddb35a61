//! The change feed: news of rows, carried to every node over Redis. Everything about Redis lives here.
//!
//! MySQL is the truth. The bus never holds anything that cannot be read there again, and losing all of Redis
//! costs speed, not correctness.
//!
//! # Which Redis
//!
//! | url | what |
//! |---|---|
//! | `redis://[user:password@]host[:port][/db]` | one server |
//! | `redis+unix://[user:password@localhost]/path` | one server, by its socket |
//! | `redis-sentinel://[user:password@]sentinel:26379[/db]?sentinelServiceName=NAME&node=sentinel2:26379&node=…` | the primary that the sentinels call `NAME`; list them all. With `&sentinelUsername=…&sentinelPassword=…` where the sentinels have logins of their own |
//! | `redis-cluster://[user:password@]node:7000?node=node2:7000&node=…` | a cluster; the other nodes are learned |
//!
//! Each connection goes to the one server that keeps its key and moves when that is another one (`servers.rs`): news lives
//! in one slot, each billing stream in that of its name. A failover costs what a restart costs: the promoted server has
//! another run id, so a new epoch begins, and boards are read from MySQL. What a primary had not replicated is lost with it:
//! news is read from MySQL again, an answer of the billing queue counts as sent when a replica has it, and who appends a
//! request that stays without an answer appends it again. `min-replicas-to-write 1` bounds how long a primary that is cut
//! off goes on; nodes at both sides of such a cut hear of each other by the sweep.
//!
//! # The protocol
//!
//! News is a sequence of messages `{epoch, seq, at, items}`. `seq` counts from 1 without holes within an epoch; the
//! epoch is random, and a new one says that nothing is known about what lies between. `at` is when Redis sent it, in
//! microseconds: `orderboard_bus_lag_seconds` is the node's clock against that, the difference between the two clocks
//! included, and zero where it would be less. With the prefix `ob`:
//!
//! | key | type | what |
//! |---|---|---|
//! | `{ob}:news:meta` | hash | `epoch`, `seq` last used, `run` = run id of the server that counts, `bytes` sent |
//! | `{ob}:news:history` | stream | the last 20,000 messages or 64 MiB, entry id = `seq-0` |
//! | `{ob}:news` | channel | the messages as they happen |
//! | `{ob}:news:carried` | hash, 600 s | for rows of the last minutes the newest version carried, as `order:123`; `private:account:7` for what one user alone is sent; `since` when it was begun |
//! | `{ob}:news:carried:before` | hash, 600 s | the same of the minutes before: the one above when it was 300 s old or held 500,000 rows |
//! | `{ob}:u:5` | channel | what concerns user 5 alone, `{at, items}`; followed where that user has a socket |
//! | `{ob}:a:…` | string, at most 15 min | how far attempts to sign in, to register or to have a link sent are ahead of their limit |
//!
//! The hash tag keeps all keys in one slot of a cluster, where the channels are sharded ones (`SPUBLISH`).
//!
//! *Publishing* is one Lua script (`publish.lua`): rows whose version was carried already are left out, and if any are
//! left they get the next `seq`, go into the history and onto the channel; rows of one user go to that user's channel. A
//! publish that is sent twice sends nothing the second time.
//!
//! *Reading*: subscribe, then read the position on the same connection, then fill the gap from the history; the
//! live messages that arrive meanwhile wait in a bounded buffer and are dropped by `seq` where they overlap.
//! That is the only way to recover, and everything leads to it: the start, a lost connection, a hole in `seq`, a
//! reader that lagged, another epoch. What the history cannot bridge becomes [`FeedEvent::Reload`].
//!
//! Redis delivers published messages at most once, and the last one may get lost without a later one to reveal
//! it. So each node reads the position every 300 ms on its subscriber connection: whatever the answer counts
//! was sent before it on that connection, and what has not arrived by then is lost. The same reading is the
//! health check, and finds a flushed database.
//!
//! # The epoch
//!
//! A server that restarts may have lost its last second and would use sequence numbers twice. `epoch.lua`
//! compares the server's run id with the one in the hash and starts a new epoch when they differ; it runs after
//! each connect and with each position reading. A publisher cannot overtake it: a new server process does not
//! know the publish script, and whoever loads it there runs `epoch.lua` first.
//!
//! # Guarantees
//!
//! - The first event is `Reload`. After `Reload(p)` or `Items { at: p, .. }` the next `Items` carries `p.seq + 1`
//!   of the same epoch. Nothing is left out silently.
//! - After `Reload(p)`, whatever was published up to `p` was committed before; read MySQL after the event.
//! - Order between rows is no promise: the version decides, and the same state may come twice.
//! - Every queue and buffer here is bounded and counted in a metric (`orderboard_bus_…`).
//!
//! `flow` and `jobs` publish, `live` reads. Nothing here knows what a row means, begins a transaction, or waits
//! for Redis on somebody's request longer than the command timeout.

mod attempts;
mod billing;
mod client;
mod entries;
mod error;
mod feed;
mod health;
mod keys;
mod metric;
mod private;
mod publish;
mod reader;
mod recover;
mod servers;
mod timed;
mod wire;

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;

pub use attempts::Tally;
pub use billing::{Backlog, Claimed, Consumer, Queue};
pub use entries::Message;
pub use error::BusError;
pub use feed::{Feed, FeedEvent};
pub use private::Users;

use crate::domain::news::Item;
use client::{EVENTS_MAX, Link};
use health::Health;
use keys::Keys;
use private::Private;
use publish::Publisher;
use reader::Reader;
use servers::Servers;

/// Batches of directly delivered rows that may wait for a reader.
const DIRECT_BATCHES_MAX: usize = 64;

/// Where Redis is and which part of its key space is ours.
#[derive(Clone)]
pub struct BusConfig {
    /// One of the forms in this module's documentation.
    pub url: String,
    /// The first part of every key. Deployments that share a Redis need different ones.
    pub prefix: String,
}

/// The publishing half, and the view of whether Redis can be relied upon. Cheap to clone; when the last clone
/// is dropped the bus closes.
#[derive(Clone)]
pub struct Bus {
    shared: Arc<Shared>,
}

struct Shared {
    publisher: Arc<Publisher>,
    health: Arc<Health>,
    direct: mpsc::Sender<Vec<Item>>,
    users: Users,
    closing: watch::Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
}

impl Bus {
    /// Connects, checks the server, and reads the position, so that [`Bus::is_up`] holds on return. Takes 5 s at
    /// most and then says in one line what is wrong.
    pub async fn connect(config: BusConfig) -> Result<(Bus, Feed), BusError> {
        metric::describe();
        let servers = Arc::new(Servers::parse(&config.url)?);
        let keys = Arc::new(Keys::new(&config.prefix, servers.is_cluster())?);
        let started = tokio::time::timeout(client::CONNECT_TIMEOUT, Self::start(&servers, keys));
        match started.await {
            Ok(result) => result,
            Err(_) => Err(BusError::Unreachable {
                at: error::address(&config.url),
                reason: format!("no answer within {} s", client::CONNECT_TIMEOUT.as_secs()),
            }),
        }
    }

    async fn start(servers: &Arc<Servers>, keys: Arc<Keys>) -> Result<(Bus, Feed), BusError> {
        let commands = Link::for_commands(servers, &keys.meta).await?;
        client::check_server(&commands).await?;
        let health = Arc::new(Health::new());
        let publisher = Arc::new(Publisher::new(commands, Arc::clone(&keys), Arc::clone(&health)));

        let link = Arc::new(Link::for_feed(servers, &keys.meta).await?);
        let (events, received) = mpsc::channel(EVENTS_MAX);
        let (direct, directly) = mpsc::channel(DIRECT_BATCHES_MAX);
        let (rows, privately) = mpsc::channel(EVENTS_MAX);
        let (closing, closed) = watch::channel(false);
        let (observed, positions) = watch::channel(None);

        let users = Users::default();
        let private = Private::new(Link::for_feed(servers, &keys.meta).await?, Arc::clone(&keys), users.clone(), rows);
        let pulse = health::Pulse { link: Arc::clone(&link), keys: Arc::clone(&keys), health: Arc::clone(&health), observed };
        let mut reader = Reader::new(link, keys, Arc::clone(&health), Arc::clone(&publisher), events, positions);
        reader.start().await.map_err(|stop| stop.into_error(&servers.url))?;

        let mut tasks = JoinSet::new();
        tasks.spawn(until(closed.clone(), reader.run()));
        tasks.spawn(until(closed.clone(), private.run()));
        tasks.spawn(until(closed, pulse.run()));
        let shared = Shared { publisher, health, direct, users, closing, tasks: Mutex::new(tasks) };
        Ok((Bus { shared: Arc::new(shared) }, Feed::new(received, directly, privately)))
    }

    /// Sends the rows to every node, this one included; rows with an audience to the nodes where that user has a socket.
    /// Rows whose version was carried already are left out. Long slices go as several messages. After an error some of them may have been sent; publishing them
    /// again is harmless, and so is leaving it to the sweep.
    pub async fn publish(&self, items: &[Item]) -> Result<(), BusError> {
        self.shared.publisher.publish(items).await
    }

    /// Whether news can be relied upon to travel now. Turns false when the subscriber connection is lost, Redis
    /// does not answer within 500 ms, or publishing fails; turns true when the feed has recovered since.
    pub fn is_up(&self) -> bool {
        self.shared.health.is_up()
    }

    /// Who has a socket here, for whoever opens and closes them.
    pub fn users(&self) -> &Users {
        &self.shared.users
    }

    /// Hands rows to this node's own [`Feed`] without Redis. False when the reader is too slow: then they were dropped,
    /// and counted, and whoever has them must send them again.
    pub fn deliver_directly(&self, items: Vec<Item>) -> bool {
        let count = items.len() as u64;
        let is_taken = self.shared.direct.try_send(items).is_ok();
        metrics::counter!(if is_taken { metric::DIRECT } else { metric::DIRECT_DROPPED }).increment(count);
        is_taken
    }

    /// Waits for publishes in hand (1 s at most), then ends the feed and both connections.
    pub async fn close(&self) {
        self.shared.publisher.close().await;
        self.shared.closing.send_replace(true);
        let mut tasks = self.shared.tasks.lock().await;
        while tasks.join_next().await.is_some() {}
    }
}

/// Runs `work` until the bus closes. Dropping it in the middle is safe: nothing here holds a half-done change.
async fn until(mut closed: watch::Receiver<bool>, work: impl Future<Output = ()>) {
    tokio::select! {
        _ = closed.wait_for(|closed| *closed) => {}
        () = work => {}
    }
}
