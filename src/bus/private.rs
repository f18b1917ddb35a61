//! Users' channels: what concerns one user alone comes only to nodes where that user has a socket.
//!
//! [`Users`] is told who comes and who goes; [`Private`] keeps the subscriptions the same, in batches, over a connection
//! of its own. A flood here does not hold up the news of all, and the other way round.
//!
//! Nothing here is sequenced. What gets lost, or comes before the subscription is confirmed, is found by this node's sweep,
//! which knows what reached it and who is here.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fred::error::Error;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::{ClusterHash, CustomCommand, Message as Raw, Value};
use futures_util::future::try_join_all;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::client::{COMMAND_TIMEOUT, Link};
use super::error::BusError;
use super::keys::Keys;
use super::{metric, wire};
use crate::domain::news::Item;

/// Users in one batch, which must be confirmed within a command's time or everything begins again; fewer where each is a
/// command of its own. And channels in one command.
const BATCH_MAX: usize = 512;
const SHARDED_BATCH_MAX: usize = 64;
const COMMAND_CHANNELS_MAX: usize = 256;
/// A connection that says nothing is asked whether it lives.
const PING_EVERY: Duration = Duration::from_millis(500);
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Who has a socket on this node. Cheap to clone; neither call waits for anything.
#[derive(Clone, Default)]
pub struct Users {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    who: Mutex<Who>,
    changed: Notify,
}

#[derive(Default)]
struct Who {
    here: HashSet<u64>,
    /// Came or went since the subscriptions were last brought up to date. Bounded by those who did.
    moved: HashSet<u64>,
}

impl Users {
    /// The user's first socket is here.
    pub fn join(&self, user_id: u64) {
        let mut who = self.who();
        if who.here.insert(user_id) {
            who.moved.insert(user_id);
            self.shared.changed.notify_one();
        }
    }

    /// The user's last socket is gone.
    pub fn leave(&self, user_id: u64) {
        let mut who = self.who();
        if who.here.remove(&user_id) {
            who.moved.insert(user_id);
            self.shared.changed.notify_one();
        }
    }

    pub fn is_here(&self, user_id: u64) -> bool {
        self.who().here.contains(&user_id)
    }

    fn who(&self) -> MutexGuard<'_, Who> {
        self.shared.who.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everybody who is here; whoever moves from now on is told by [`Users::moved`].
    fn everybody(&self) -> Vec<u64> {
        let mut who = self.who();
        who.moved.clear();
        who.here.iter().copied().collect()
    }

    /// Waits until somebody comes or goes. Cancel-safe.
    async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    fn moved(&self) -> Vec<u64> {
        std::mem::take(&mut self.who().moved).into_iter().collect()
    }
}

/// Keeps this node subscribed to the channels of those who are here.
pub(super) struct Private {
    link: Link,
    keys: Arc<Keys>,
    users: Users,
    rows: mpsc::Sender<Vec<Item>>,
    subscribed: HashSet<u64>,
}

/// Why following ended.
enum Stop {
    /// The connection is worth nothing any more.
    Again(BusError),
    /// Nobody holds the feed any more.
    Abandoned,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Again(BusError::Command(error))
    }
}

impl Private {
    pub(super) fn new(link: Link, keys: Arc<Keys>, users: Users, rows: mpsc::Sender<Vec<Item>>) -> Self {
        Self { link, keys, users, rows, subscribed: HashSet::new() }
    }

    /// Follows until nobody listens. Each recovery takes a new connection: it has no subscription that is forgotten here.
    pub(super) async fn run(mut self) {
        loop {
            let mut error = match self.follow().await {
                Stop::Again(error) => error,
                Stop::Abandoned => return,
            };
            tracing::debug!(%error, "users' channels are lost, connecting again");
            metrics::counter!(metric::PRIVATE_RECOVERIES).increment(1);
            self.subscribed.clear();
            metrics::gauge!(metric::PRIVATE_CHANNELS).set(0.0);
            loop {
                sleep(RETRY_AFTER).await;
                match self.link.renew().await {
                    Ok(()) => break,
                    Err(again) => error = again,
                }
                // Whoever moved is asked for anew after the connection is there.
                self.users.moved();
                tracing::debug!(%error, "users' channels cannot be followed");
            }
        }
    }

    async fn follow(&mut self) -> Stop {
        let client = self.link.client();
        let (mut messages, mut reconnects, mut errors) = (client.message_rx(), client.reconnect_rx(), client.error_rx());
        let batch_max = if self.keys.is_sharded { SHARDED_BATCH_MAX } else { BATCH_MAX };
        let mut due = self.users.everybody();
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                message = messages.recv() => match message {
                    Ok(message) => self.deliver(&message),
                    Err(RecvError::Lagged(count)) => { metrics::counter!(metric::PRIVATE_LOST).increment(count); Ok(()) }
                    Err(RecvError::Closed) => Err(Stop::Again(BusError::Closed)),
                },
                () = async {}, if !due.is_empty() => {
                    let batch = due.split_off(due.len().saturating_sub(batch_max));
                    self.update(&batch).await
                }
                () = self.users.changed(), if due.is_empty() => { due = self.users.moved(); Ok(()) }
                _ = pings.tick() => self.ping().await,
                _ = reconnects.recv() => Err(Stop::Again(BusError::Closed)),
                error = errors.recv() => Err(error.map_or(Stop::Again(BusError::Closed), |(error, _)| error.into())),
                () = self.rows.closed() => Err(Stop::Abandoned),
            };
            if let Err(stop) = step {
                return stop;
            }
        }
    }

    /// Brings the subscriptions of these users in line with where they are; returns when the server has confirmed it.
    async fn update(&mut self, users: &[u64]) -> Result<(), Stop> {
        let started = Instant::now();
        let (come, gone): (Vec<u64>, Vec<u64>) = users.iter().copied().partition(|user_id| self.users.is_here(*user_id));
        let come: Vec<u64> = come.into_iter().filter(|user_id| self.subscribed.insert(*user_id)).collect();
        let gone: Vec<u64> = gone.into_iter().filter(|user_id| self.subscribed.remove(user_id)).collect();
        let commands = self.link.commands();
        let channels = |users: &[u64]| users.iter().map(|user_id| self.keys.private(*user_id)).collect::<Vec<_>>();
        if self.keys.is_sharded {
            // fred takes one answer for each SSUBSCRIBE, and the server gives one for each channel: one channel a command.
            let ssubscribe = || CustomCommand::new_static("SSUBSCRIBE", ClusterHash::FirstKey, false);
            try_join_all(channels(&come).into_iter().map(|channel| commands.custom::<Value, _>(ssubscribe(), vec![channel]))).await?;
        } else {
            for some in come.chunks(COMMAND_CHANNELS_MAX) {
                commands.subscribe(channels(some)).await?;
            }
        }
        for some in gone.chunks(COMMAND_CHANNELS_MAX) {
            match self.keys.is_sharded {
                true => commands.sunsubscribe(channels(some)).await?,
                false => commands.unsubscribe(channels(some)).await?,
            }
        }
        // fred waits for no answer to most of these; this one comes after them, so no more than a batch is on its way.
        self.ping().await?;
        metrics::histogram!(metric::PRIVATE_BATCH_SECONDS).record(started.elapsed());
        metrics::gauge!(metric::PRIVATE_CHANNELS).set(f64::from(u32::try_from(self.subscribed.len()).unwrap_or(u32::MAX)));
        Ok(())
    }

    async fn ping(&self) -> Result<(), Stop> {
        let key = self.keys.meta.clone();
        // Not PING: in a cluster the answer says whether this server still is the one.
        let exists = CustomCommand::new_static("EXISTS", ClusterHash::FirstKey, false);
        let asked = tokio::time::timeout(COMMAND_TIMEOUT, async { self.link.commands().custom::<Value, _>(exists, vec![key]).await });
        match asked.await {
            Ok(answer) => Ok(answer.map(drop)?),
            Err(_) => Err(Stop::Again(BusError::Busy)),
        }
    }

    fn deliver(&self, message: &Raw) -> Result<(), Stop> {
        let payload = self.keys.user_of(&message.channel).zip(message.value.as_bytes());
        let Some((items, sent_us)) = payload.and_then(|(user_id, payload)| wire::read_private(payload, user_id)) else {
            return Ok(());
        };
        metrics::counter!(metric::PRIVATE_RECEIVED).increment(1);
        if let Some(sent_us) = sent_us {
            metrics::histogram!(metric::LAG_SECONDS).record(wire::lag(sent_us));
        }
        match self.rows.try_send(items) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                metrics::counter!(metric::PRIVATE_LOST).increment(1);
                Ok(())
            }
            Err(TrySendError::Closed(_)) => Err(Stop::Abandoned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_comes_and_goes_is_told_once() {
        let users = Users::default();
        for user_id in [1, 2, 1] {
            users.join(user_id);
        }
        users.changed().await;
        let mut moved = users.moved();
        moved.sort_unstable();
        assert_eq!(moved, [1, 2]);
        users.leave(1);
        users.leave(7);
        users.changed().await;
        assert_eq!(users.moved(), [1]);
        assert!(!users.is_here(1) && users.is_here(2) && !users.is_here(7));
        assert_eq!(users.everybody(), [2]);
    }
}
