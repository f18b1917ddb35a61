//! The form of a message on the channel and in the history.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::metric;
use crate::domain::news::{Item, Position};

pub(super) struct Message {
    pub(super) at: Position,
    pub(super) items: Vec<Item>,
    /// When the server sent it, in microseconds of Unix time; not told by older nodes.
    pub(super) sent_us: Option<u64>,
}

#[derive(Deserialize)]
struct Whole {
    epoch: Arc<str>,
    seq: u64,
    at: Option<u64>,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Envelope {
    epoch: Arc<str>,
    seq: u64,
    at: Option<u64>,
    items: Vec<Box<RawValue>>,
}

/// What concerns one user alone has no place in the sequence.
#[derive(Deserialize)]
struct Private {
    at: Option<u64>,
    items: Vec<Box<RawValue>>,
}

/// Reads a message. Rows of a kind this build does not know are left out: while a newer node runs beside this
/// one, refusing its messages would be a gap that never closes. `None` if it is no message of ours.
pub(super) fn read(payload: &[u8]) -> Option<Message> {
    if let Ok(Whole { epoch, seq, at, items }) = serde_json::from_slice(payload) {
        return Some(Message { at: Position { epoch, seq }, items, sent_us: at });
    }
    metrics::counter!(metric::UNREADABLE).increment(1);
    let Envelope { epoch, seq, at, items } = serde_json::from_slice(payload).ok()?;
    Some(Message { at: Position { epoch, seq }, items: known(&items), sent_us: at })
}

/// Reads what a user's channel brought, and when it was sent.
pub(super) fn read_private(payload: &[u8], user_id: u64) -> Option<(Vec<Item>, Option<u64>)> {
    let Ok(Private { at, items }) = serde_json::from_slice(payload) else {
        metrics::counter!(metric::UNREADABLE).increment(1);
        return None;
    };
    let mut items = known(&items);
    items.iter_mut().for_each(|item| item.audience = Some(user_id));
    Some((items, at))
}

fn known(items: &[Box<RawValue>]) -> Vec<Item> {
    items.iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect()
}

/// How long ago that was, by this node's clock. A clock that is behind the server's makes it zero.
pub(super) fn lag(sent_us: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_micros(sent_us))
}
