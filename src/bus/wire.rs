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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_with_and_without_the_time_they_were_sent() {
        let message = |at: &str| {
            let text = format!(r#"{{"epoch":"e","seq":3,{at}"items":[{{"kind":"order","id":1,"version":2,"row":{{}}}}]}}"#);
            read(text.as_bytes()).expect("a message")
        };
        assert_eq!(message("").sent_us, None);
        let told = message(r#""at":1790000000123456,"#);
        assert_eq!((told.at.seq, told.items.len(), told.sent_us), (3, 1, Some(1_790_000_000_123_456)));
    }

    #[test]
    fn what_concerns_one_user_names_that_user() {
        let row = r#"{"at":5,"items":[{"kind":"account","id":7,"version":2,"row":{}},{"kind":"comet","id":8,"version":1,"row":{}}]}"#;
        let (items, sent_us) = read_private(row.as_bytes(), 9).expect("a message");
        assert_eq!((items.len(), items[0].id, items[0].audience, sent_us), (1, 7, Some(9), Some(5)));
        assert!(read_private(b"{}", 9).is_none());
    }

    #[test]
    fn a_clock_that_is_behind_shows_no_lag() {
        assert_eq!(lag(u64::MAX), Duration::ZERO);
        assert!(lag(0) > Duration::from_secs(1_000_000_000));
    }
}
