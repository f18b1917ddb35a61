//! An order: its states, who may move it between them, and its row as everybody reads it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::commission::Mode;
use super::schema::Moment;
use super::user::Party;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OrderStatus")]
pub enum Status {
    Open,
    Frozen,
    InWork,
    Submitted,
    Done,
    Failed,
    Cancelled,
}

impl Status {
    pub const ALL: [Status; 7] =
        [Status::Open, Status::Frozen, Status::InWork, Status::Submitted, Status::Done, Status::Failed, Status::Cancelled];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Frozen => "frozen",
            Status::InWork => "in_work",
            Status::Submitted => "submitted",
            Status::Done => "done",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// How an order finds its executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assignment {
    /// The first taker gets it.
    First,
    /// Executors apply and the customer chooses.
    Chosen,
}

/// How submitted work is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Acceptance {
    /// The customer confirms; after a set time the work counts as confirmed.
    Confirm,
    /// Settled as soon as the executor submits it.
    Auto,
}

impl Assignment {
    pub fn as_str(self) -> &'static str {
        match self {
            Assignment::First => "first",
            Assignment::Chosen => "chosen",
        }
    }
}

impl Acceptance {
    pub fn as_str(self) -> &'static str {
        match self {
            Acceptance::Confirm => "confirm",
            Acceptance::Auto => "auto",
        }
    }
}

/// A move of an order that carries no money: one conditional UPDATE each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    Freeze,
    Unfreeze,
    /// The customer sends submitted work back.
    Reject,
    /// The executor gives up: back on the board.
    Abandon,
    /// The executor hands in work that the customer will confirm.
    Submit,
}

/// Which side of the contract may make a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Customer,
    Executor,
}

impl Move {
    pub fn to(self) -> Status {
        match self {
            Move::Freeze => Status::Frozen,
            Move::Unfreeze | Move::Abandon => Status::Open,
            Move::Reject => Status::InWork,
            Move::Submit => Status::Submitted,
        }
    }
}

/// An order's row without its long texts: what lists, news and its two parties read.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    pub id: u64,
    pub version: u64,
    pub status: Status,
    pub title: String,
    pub category: Option<String>,
    pub price: i64,
    pub payout: i64,
    pub commission: i64,
    pub rate_bp: u16,
    pub currency: String,
    pub customer: Party,
    pub executor: Option<Party>,
    pub assignment: Assignment,
    pub acceptance: Acceptance,
    pub applicants: u32,
    pub created_ms: i64,
    pub accepted_ms: Option<i64>,
    pub submitted_ms: Option<i64>,
    pub finished_ms: Option<i64>,
    pub confirm_by_ms: Option<i64>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<Moment>")]
    pub accepted_at: Option<OffsetDateTime>,
    /// The version that the last edit made. News of nodes before there were edits does not say it.
    #[serde(default)]
    pub edited_version: u64,
    /// Since when it waits for an admin's verdict, or had to.
    #[serde(default)]
    pub disputed_ms: Option<i64>,
}

impl Order {
    /// The executor and the moment of taking, for an order that has them.
    pub fn taken(&self) -> Option<(Party, OffsetDateTime)> {
        Some((self.executor.clone()?, self.accepted_at?))
    }

    pub fn finished_at(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.finished_ms?) * 1_000_000).ok()
    }

    /// Waits for an admin's verdict.
    pub fn is_disputed(&self) -> bool {
        self.disputed_ms.is_some() && matches!(self.status, Status::InWork | Status::Submitted)
    }

    /// Open orders are everybody's to see; a contract only its two sides' (and an admin's).
    pub fn is_party(&self, user_id: u64) -> bool {
        self.customer.id == user_id || self.executor.as_ref().is_some_and(|executor| executor.id == user_id)
    }
}

/// An order with its long texts and the policy it was made with.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FullOrder {
    #[serde(flatten)]
    pub order: Order,
    pub executor_id: Option<u64>,
    pub floor_bp: u16,
    #[schemars(with = "Mode")]
    pub mode: String,
    pub description: String,
    pub report: Option<String>,
    pub reject_reason: Option<String>,
    #[serde(default)]
    pub dispute_reason: Option<String>,
}

/// An order as the board shows it: public, and nothing that only its parties may know.
#[derive(Serialize, JsonSchema)]
pub struct BoardOrder<'a> {
    pub id: u64,
    pub version: u64,
    pub title: &'a str,
    pub category: Option<&'a str>,
    pub price: i64,
    pub payout: i64,
    pub currency: &'a str,
    pub customer: &'a Party,
    pub assignment: Assignment,
    pub applicants: u32,
    pub created_ms: i64,
    /// Work that is settled as soon as it is handed in can be taken and finished in one press.
    pub acceptance: Acceptance,
}

impl<'a> From<&'a Order> for BoardOrder<'a> {
    fn from(order: &'a Order) -> Self {
        Self {
            id: order.id,
            version: order.version,
            title: &order.title,
            category: order.category.as_deref(),
            price: order.price,
            payout: order.payout,
            currency: &order.currency,
            customer: &order.customer,
            assignment: order.assignment,
            applicants: order.applicants,
            created_ms: order.created_ms,
            acceptance: order.acceptance,
        }
    }
}

/// Milliseconds since 1970.
pub fn unix_ms(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// As JSON tells a moment.
pub fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}
