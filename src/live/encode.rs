//! A board's messages, put together from rows that were encoded before.

use std::collections::BTreeMap;

use super::frame::Frame;
use super::protocol::Removal;
use super::replica::{Replica, Row};
use crate::domain::news::Position;

/// A row of the board is about this long.
const ROW_BYTES: usize = 320;

/// Everything, newest first.
pub(super) fn snapshot(board: &str, at: &Position, checksum: u32, replica: &Replica) -> String {
    let mut text = String::with_capacity(160 + replica.shown_count() * ROW_BYTES);
    text.push_str(r#"{"type":"snapshot","#);
    place(&mut text, board, &at.epoch);
    text.push_str(&format!(r#","seq":{},"checksum":{checksum},"orders":["#, at.seq));
    list(&mut text, replica.shown().map(|row| &*row.json));
    text.push_str("]}");
    text
}

/// What changed between two sequence numbers.
pub(super) fn diff(board: &str, reached: &Position, prev: u64, ups: &[&Row], removals: &BTreeMap<u64, Removal>) -> Frame {
    let mut text = String::with_capacity(160 + ups.len() * ROW_BYTES + removals.len() * 24);
    text.push_str(r#"{"type":"diff","#);
    place(&mut text, board, &reached.epoch);
    text.push_str(&format!(r#","prev":{prev},"seq":{},"up":["#, reached.seq));
    list(&mut text, ups.iter().map(|row| &*row.json));
    text.push_str(r#"],"rm":"#);
    let pairs: Vec<(u64, Removal)> = removals.iter().map(|(id, why)| (*id, *why)).collect();
    text.push_str(&serde_json::to_string(&pairs).unwrap_or_default());
    text.push('}');
    Frame::text(&text)
}

/// Board names are slugs and epochs are random letters: neither needs escaping.
fn place(text: &mut String, board: &str, epoch: &str) {
    text.push_str(&format!(r#""board":"{board}","epoch":"{epoch}""#));
}

fn list<'a>(text: &mut String, rows: impl Iterator<Item = &'a str>) {
    for (place, row) in rows.enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(row);
    }
}
