//! News: the state of one row that people watch, as it travels to every node. State, never deltas: applying
//! it is idempotent and order-free, because a newer version wins. The bus carries it without looking inside.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What kind of row changed. The name is part of the wire format and of Redis keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewsKind {
    Order,
    Account,
    /// A session that ended; its row says which user it belonged to.
    Session,
    /// What a user was told lately and how much of it is unread; its id is the user's.
    Inbox,
}

impl NewsKind {
    pub fn as_str(self) -> &'static str {
        match self {
            NewsKind::Order => "order",
            NewsKind::Account => "account",
            NewsKind::Session => "session",
            NewsKind::Inbox => "inbox",
        }
    }
}

/// The address of a watched row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    pub kind: NewsKind,
    pub id: u64,
}

impl Subject {
    pub fn order(id: u64) -> Self {
        Self { kind: NewsKind::Order, id }
    }
    pub fn account(id: u64) -> Self {
        Self { kind: NewsKind::Account, id }
    }
    pub fn session(id: u64) -> Self {
        Self { kind: NewsKind::Session, id }
    }
    pub fn inbox(user_id: u64) -> Self {
        Self { kind: NewsKind::Inbox, id: user_id }
    }
}

/// One row's whole state at one version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Item {
    pub kind: NewsKind,
    pub id: u64,
    pub version: u64,
    /// The one user whom this row concerns; nobody for news of all. It decides the channel and is not sent along.
    #[serde(skip)]
    pub audience: Option<u64>,
    /// When the change was committed, by the clock of the node that made it, in microseconds since 1970; nobody knows for a
    /// row that the sweep has found. For measuring alone.
    #[serde(default, rename = "at", skip_serializing_if = "Option::is_none")]
    pub committed_us: Option<i64>,
    /// The row as JSON, encoded once by the node that read it back from MySQL.
    pub row: Box<RawValue>,
}

impl Item {
    pub fn subject(&self) -> Subject {
        Subject { kind: self.kind, id: self.id }
    }
}

/// A place in the sequence of news. Sequence numbers count messages from 1 within an epoch; another epoch
/// means that nothing can be said about what lies between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub epoch: std::sync::Arc<str>,
    pub seq: u64,
}
