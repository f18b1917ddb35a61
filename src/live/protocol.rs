//! The messages of `orderboard.v1`. Each is one JSON text frame; see the README for what they promise.

use serde::{Deserialize, Serialize};

use crate::domain::ledger::Account;
use crate::domain::order::{Order, Status};
use crate::domain::user::{Party, Role};

/// What a client may say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ClientMessage {
    Auth { token: String },
    Watch { board: String, epoch: Option<String>, seq: Option<u64>, compress: Option<Compression> },
    Unwatch { board: String },
    Ping { t: serde_json::Number },
}

/// How a client may want its snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Compression {
    /// One binary message: the message's text, compressed.
    Gzip,
}

pub(super) const CLIENT_TYPES: [&str; 4] = ["auth", "watch", "unwatch", "ping"];

/// Why an order left a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Removal {
    Taken,
    Cancelled,
    Frozen,
    /// Still open, but no longer among the newest, or of another category now.
    Window,
}

impl From<Status> for Removal {
    fn from(status: Status) -> Self {
        match status {
            Status::Open => Removal::Window,
            Status::Frozen => Removal::Frozen,
            Status::Cancelled | Status::Failed => Removal::Cancelled,
            Status::InWork | Status::Submitted | Status::Done => Removal::Taken,
        }
    }
}

/// What the server says to one client; boards' snapshots and diffs are put together from rows encoded before.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerMessage<'a> {
    Hello { protocol: u8, node: &'a str, server_ms: i64, heartbeat_ms: u64, user: Option<Viewer<'a>>, expires_in_s: Option<i64> },
    Tick { board: &'a str, epoch: &'a str, seq: u64, checksum: u32, server_ms: i64 },
    Balance(&'a Account),
    Order { order: &'a Order },
    Pong { t: serde_json::Number, server_ms: i64 },
    Drain { after_ms: u64, spread_ms: u64 },
    Error { code: &'a str, detail: &'a str },
}

#[derive(Serialize)]
pub(super) struct Viewer<'a> {
    pub(super) id: u64,
    pub(super) name: &'a str,
    pub(super) role: Role,
}

impl<'a> Viewer<'a> {
    pub(super) fn new(user: &'a Party, role: Role) -> Self {
        Self { id: user.id, name: &user.name, role }
    }
}

/// Close codes, and whether to come back.
pub(super) mod close {
    /// The session ended: sign in again, don't come back with the same token.
    pub(in crate::live) const SESSION_ENDED: u16 = 4401;
    /// Nothing was heard for too long: come back.
    pub(in crate::live) const SILENT: u16 = 4408;
    /// A message was longer than any we understand: come back and don't repeat it.
    pub(in crate::live) const TOO_LARGE: u16 = 4413;
    /// Too many messages: come back later.
    pub(in crate::live) const TOO_MANY: u16 = 4429;
    /// The node is restarting: come back at a random moment.
    pub(in crate::live) const RESTARTING: u16 = 1012;
}
