//! The receiving half, as its user sees it. Waiting, recovering and ordering happen in `reader`, never here.

use tokio::sync::mpsc;

use crate::domain::news::{Item, Position};

/// What reaches a node.
#[derive(Debug)]
pub enum FeedEvent {
    /// The next message: `at.seq` is one more than that of the event before, in the same epoch.
    Items { at: Position, items: Vec<Item> },
    /// Rows handed over without Redis. They have no place in the sequence.
    Direct(Vec<Item>),
    /// Rows that concern one user each, for users who have a socket here. They have no place in the sequence, and none is
    /// sent again when it is lost.
    Private(Vec<Item>),
    /// Nothing can bridge from what was delivered to here: read everything from MySQL now. The position was read
    /// after subscribing, so the `Items` after it follow contiguously and nothing is missed.
    Reload(Position),
}

/// The receiving half of the bus, one a node.
pub struct Feed {
    events: mpsc::Receiver<FeedEvent>,
    direct: mpsc::Receiver<Vec<Item>>,
    private: mpsc::Receiver<Vec<Item>>,
}

impl Feed {
    pub(super) fn new(events: mpsc::Receiver<FeedEvent>, direct: mpsc::Receiver<Vec<Item>>, private: mpsc::Receiver<Vec<Item>>) -> Self {
        Self { events, direct, private }
    }

    /// The next event; `None` once the bus is closed. Cancel-safe. A reader that stops reading loses nothing: at
    /// first events wait, then they are read from the history, then it is told to reload.
    pub async fn next(&mut self) -> Option<FeedEvent> {
        tokio::select! {
            event = self.events.recv() => event,
            Some(items) = self.direct.recv() => Some(FeedEvent::Direct(items)),
            Some(items) = self.private.recv() => Some(FeedEvent::Private(items)),
        }
    }

    /// The next event, if one waits already.
    pub fn ready(&mut self) -> Option<FeedEvent> {
        let direct = |feed: &mut Self| feed.direct.try_recv().ok().map(FeedEvent::Direct);
        let private = |feed: &mut Self| feed.private.try_recv().ok().map(FeedEvent::Private);
        self.events.try_recv().ok().or_else(|| direct(self)).or_else(|| private(self))
    }
}
