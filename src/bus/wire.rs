//! The form of a message on the channel and in the history.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::metric;
use crate::domain::news::{Item, Position};

pub(super) struct Message {
    pub(super) at: Position,
    pub(super) items: Vec<Item>,
}

#[derive(Deserialize)]
struct Whole {
    epoch: Arc<str>,
    seq: u64,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Envelope {
    epoch: Arc<str>,
    seq: u64,
    items: Vec<Box<RawValue>>,
}

/// Reads a message. Rows of a kind this build does not know are left out: while a newer node runs beside this
/// one, refusing its messages would be a gap that never closes. `None` if it is no message of ours.
pub(super) fn read(payload: &[u8]) -> Option<Message> {
    if let Ok(Whole { epoch, seq, items }) = serde_json::from_slice(payload) {
        return Some(Message { at: Position { epoch, seq }, items });
    }
    metrics::counter!(metric::UNREADABLE).increment(1);
    let Envelope { epoch, seq, items } = serde_json::from_slice(payload).ok()?;
    let items = items.iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect();
    Some(Message { at: Position { epoch, seq }, items })
}
