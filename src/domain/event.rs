//! What happens to an order, as its parties read it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::order::unix_ms;
use super::schema::Moment;
use super::user::Party;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OrderEventKind")]
pub enum EventKind {
    Created,
    Edited,
    Frozen,
    Unfrozen,
    Applied,
    Withdrawn,
    Chosen,
    Taken,
    Abandoned,
    Submitted,
    Rejected,
    /// By the customer, by time, or by an order that settles itself.
    Confirmed,
    Cancelled,
    /// A party asks for an admin's verdict…
    Disputed,
    /// …and this is it.
    Arbitrated,
}

impl EventKind {
    pub const ALL: [EventKind; 15] = [
        EventKind::Created,
        EventKind::Edited,
        EventKind::Frozen,
        EventKind::Unfrozen,
        EventKind::Applied,
        EventKind::Withdrawn,
        EventKind::Chosen,
        EventKind::Taken,
        EventKind::Abandoned,
        EventKind::Submitted,
        EventKind::Rejected,
        EventKind::Confirmed,
        EventKind::Cancelled,
        EventKind::Disputed,
        EventKind::Arbitrated,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::Created => "created",
            EventKind::Edited => "edited",
            EventKind::Frozen => "frozen",
            EventKind::Unfrozen => "unfrozen",
            EventKind::Applied => "applied",
            EventKind::Withdrawn => "withdrawn",
            EventKind::Chosen => "chosen",
            EventKind::Taken => "taken",
            EventKind::Abandoned => "abandoned",
            EventKind::Submitted => "submitted",
            EventKind::Rejected => "rejected",
            EventKind::Confirmed => "confirmed",
            EventKind::Cancelled => "cancelled",
            EventKind::Disputed => "disputed",
            EventKind::Arbitrated => "arbitrated",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Names and values; what it holds depends on the kind.
pub type Facts = Map<String, Value>;

/// An event about to be written, with the change that it tells of.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub order_id: u64,
    pub kind: EventKind,
    /// Nobody where time did it.
    pub actor_id: Option<u64>,
    pub at: OffsetDateTime,
    pub facts: Facts,
}

impl NewEvent {
    pub fn new(order_id: u64, kind: EventKind, actor_id: Option<u64>, at: OffsetDateTime) -> Self {
        Self { order_id, kind, actor_id, at, facts: Facts::new() }
    }

    #[must_use]
    pub fn with(mut self, name: &str, fact: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), fact.into());
        self
    }
}

/// An event as it is read.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "OrderEvent")]
pub struct Event {
    pub event: EventKind,
    pub actor: Option<Party>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    pub at: OffsetDateTime,
    pub at_ms: i64,
    pub facts: Facts,
}

impl Event {
    pub fn new(event: EventKind, actor: Option<Party>, at: OffsetDateTime) -> Self {
        Self { event, actor, at, at_ms: unix_ms(at), facts: Facts::new() }
    }
}
