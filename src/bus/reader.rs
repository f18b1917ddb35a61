//! Following the news: the loop from one recovery to the next, which fills the [`super::Feed`]. Never delivers a
//! message out of its place: what does not continue the sequence leads to `recover`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fred::error::Error;
use fred::interfaces::EventInterface;
use fred::types::Message as Raw;
use fred::types::config::Server;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::client::{Ask, Link};
use super::error::{BusError, at_start};
use super::feed::FeedEvent;
use super::health::Health;
use super::keys::Keys;
use super::publish::Publisher;
use super::{metric, wire};
use crate::domain::news::Position;

/// The wait after a failed recovery; also bounds how fast a broken server is asked.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// A bus that was up for less than this is flapping, and its next rise is put off, up to the bound.
const FLAPPING_WITHIN: Duration = Duration::from_secs(1);
const HOLD_MAX: Duration = Duration::from_secs(2);

pub(super) struct Reader {
    pub(super) link: Arc<Link>,
    pub(super) keys: Arc<Keys>,
    health: Arc<Health>,
    publisher: Arc<Publisher>,
    events: mpsc::Sender<FeedEvent>,
    positions: watch::Receiver<Option<Position>>,
    /// The client that these three listen to.
    number: u64,
    messages: broadcast::Receiver<Raw>,
    reconnects: broadcast::Receiver<Server>,
    errors: broadcast::Receiver<(Error, Option<Server>)>,
    /// When to try to take the bus up again, and how long the last wait was.
    rise_at: Instant,
    hold: Duration,
    risen_at: Instant,
    /// Where the reader of the feed is.
    pub(super) last: Option<Position>,
    /// Epochs left lately: their messages may still be in the buffer and mean nothing.
    pub(super) left: VecDeque<Arc<str>>,
}

/// Why the reader stops where it is.
pub(super) enum Stop {
    /// The sequence does not continue: recover.
    Recover(&'static str),
    /// Redis failed: recover after a while.
    Failed(BusError),
    /// Nobody holds the feed any more.
    Abandoned,
}

impl From<BusError> for Stop {
    fn from(error: BusError) -> Self {
        Stop::Failed(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(BusError::Command(error))
    }
}

impl Stop {
    /// The error for whoever is starting the bus.
    pub(super) fn into_error(self, url: &str) -> BusError {
        match self {
            Stop::Failed(BusError::Command(error)) => at_start(error, url),
            Stop::Failed(error) => error,
            Stop::Recover(_) | Stop::Abandoned => BusError::Closed,
        }
    }
}

impl Reader {
    pub(super) fn new(
        link: Arc<Link>,
        keys: Arc<Keys>,
        health: Arc<Health>,
        publisher: Arc<Publisher>,
        events: mpsc::Sender<FeedEvent>,
        positions: watch::Receiver<Option<Position>>,
    ) -> Self {
        let (client, number) = (link.client(), link.number());
        let (messages, reconnects, errors) = (client.message_rx(), client.reconnect_rx(), client.error_rx());
        let (rise_at, hold, risen_at) = (Instant::now(), RETRY_AFTER, Instant::now());
        let (last, left) = (None, VecDeque::new());
        Self { link, keys, health, publisher, events, positions, number, messages, reconnects, errors, rise_at, hold, risen_at, last, left }
    }

    /// Follows until nobody listens, from where [`Reader::start`] began.
    pub(super) async fn run(mut self) {
        loop {
            let mut stop = self.follow().await;
            loop {
                match stop {
                    Stop::Abandoned => return,
                    Stop::Recover(reason) => metrics::counter!(metric::RECOVERIES, "reason" => reason).increment(1),
                    Stop::Failed(error) => {
                        self.health.fail("recovering the feed", &error);
                        sleep(RETRY_AFTER).await;
                    }
                }
                match self.rise().await {
                    Ok(()) => break,
                    Err(again) => stop = again,
                }
            }
        }
    }

    /// Reads the first position, and fails where [`Reader::rise`] would try again.
    pub(super) async fn start(&mut self) -> Result<(), Stop> {
        self.recover().await?;
        self.publisher.link.position(&self.keys, Ask::ProveWritable).await?;
        self.health.rise(0);
        Ok(())
    }

    /// Recovers the sequence; if the bus is down and publishing works again, too, takes it up. The feed goes on
    /// even if publishing does not.
    async fn rise(&mut self) -> Result<(), Stop> {
        let failures = self.health.failures();
        // What the connection reported until now is what this recovery is for.
        self.errors = self.errors.resubscribe();
        self.reconnects = self.reconnects.resubscribe();
        self.link.revive().await?;
        self.listen();
        self.recover().await?;
        if self.health.is_up() {
            return Ok(());
        }
        self.rise_at = Instant::now() + self.hold;
        match self.prove().await {
            Ok(()) if self.health.rise(failures) => self.risen_at = Instant::now(),
            Ok(()) => {}
            Err(error) => self.health.fail("proving that publishing works", &error),
        }
        Ok(())
    }

    /// After a move to another server: what the old connection still holds, the recovery brings.
    fn listen(&mut self) {
        let number = self.link.number();
        if number != self.number {
            let client = self.link.client();
            (self.messages, self.reconnects, self.errors) = (client.message_rx(), client.reconnect_rx(), client.error_rx());
            self.number = number;
        }
    }

    async fn prove(&self) -> Result<(), BusError> {
        self.publisher.link.revive().await?;
        self.publisher.link.position(&self.keys, Ask::ProveWritable).await?;
        Ok(())
    }

    /// Chooses when to rise after a failure. A bus that falls as soon as it has risen waits longer each time:
    /// a server may refuse what is published and accept everything that we try it with.
    fn fall(&mut self) {
        if self.health.is_up() {
            return;
        }
        let flapping = self.risen_at.elapsed() < FLAPPING_WITHIN;
        self.hold = if flapping { (self.hold * 2).min(HOLD_MAX) } else { RETRY_AFTER };
        self.rise_at = Instant::now() + self.hold;
    }

    /// Delivers live messages until something needs a recovery.
    async fn follow(&mut self) -> Stop {
        loop {
            let step = tokio::select! {
                message = self.messages.recv() => match message {
                    Ok(message) => self.accept(&message).await,
                    Err(RecvError::Lagged(_)) => Err(Stop::Recover("lagged")),
                    Err(RecvError::Closed) => Err(Stop::Abandoned),
                },
                Ok(()) = self.positions.changed() => self.compare().await,
                _ = self.reconnects.recv() => Err(Stop::Recover("reconnected")),
                error = self.errors.recv() => Err(lost(error)),
                () = self.health.failed() => { self.fall(); Ok(()) }
                () = sleep_until(self.rise_at), if !self.health.is_up() => Err(Stop::Recover("down")),
                () = self.events.closed() => Err(Stop::Abandoned),
            };
            if let Err(stop) = step {
                return stop;
            }
        }
    }

    /// Takes one live message: delivers it, drops it, or finds that something is missing before it.
    async fn accept(&mut self, raw: &Raw) -> Result<(), Stop> {
        let Some(message) = raw.value.as_bytes().and_then(wire::read) else {
            return Ok(());
        };
        let Some(last) = &self.last else {
            return Err(Stop::Recover("no position"));
        };
        if message.at.epoch != last.epoch {
            if self.left.contains(&message.at.epoch) {
                return Ok(());
            }
            return Err(Stop::Recover("epoch"));
        }
        if message.at.seq <= last.seq {
            metrics::counter!(metric::DUPLICATES).increment(1);
            return Ok(());
        }
        if message.at.seq > last.seq + 1 {
            return Err(Stop::Recover("gap"));
        }
        metrics::counter!(metric::RECEIVED).increment(1);
        if let Some(sent_us) = message.sent_us {
            metrics::histogram!(metric::LAG_SECONDS).record(wire::lag(sent_us));
        }
        self.deliver(message).await
    }

    /// Compares with a position read on this connection. Whatever it counts is in the buffer by now, or lost.
    async fn compare(&mut self) -> Result<(), Stop> {
        let Some(observed) = self.positions.borrow_and_update().clone() else {
            return Ok(());
        };
        while !self.has_reached(&observed) {
            match self.messages.try_recv() {
                Ok(message) => self.accept(&message).await?,
                Err(TryRecvError::Lagged(_)) => return Err(Stop::Recover("lagged")),
                Err(TryRecvError::Empty) => return Err(Stop::Recover("silent gap")),
                Err(TryRecvError::Closed) => return Err(Stop::Abandoned),
            }
        }
        Ok(())
    }

    fn has_reached(&self, position: &Position) -> bool {
        self.last.as_ref().is_some_and(|last| last.epoch == position.epoch && last.seq >= position.seq)
    }

    pub(super) async fn deliver(&mut self, message: wire::Message) -> Result<(), Stop> {
        self.last = Some(message.at.clone());
        self.send(FeedEvent::Items { at: message.at, items: message.items }).await
    }

    pub(super) async fn send(&self, event: FeedEvent) -> Result<(), Stop> {
        self.events.send(event).await.map_err(|_| Stop::Abandoned)
    }
}

/// The subscriber's connection broke. The recovery that follows waits in fred's queue for the next one.
fn lost(error: Result<(Error, Option<Server>), RecvError>) -> Stop {
    match error {
        Ok((error, _)) => Stop::Failed(BusError::Command(error)),
        Err(_) => Stop::Recover("lagged"),
    }
}
