//! Refusals: the answers of the rules when they say no, with the facts that let a person act. They are values,
//! not failures: a refusal leaves nothing half-done. Only `http` turns them into statuses.

use time::OffsetDateTime;

use super::event::Facts;
use super::limits::Reached;
use super::order::{FullOrder, Status};
use super::payout::PayoutStatus;
use super::user::Party;

/// Why one field of a request cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    pub field: &'static str,
    pub reason: Reason,
    pub detail: String,
}

impl Invalid {
    pub fn new(field: &'static str, reason: Reason, detail: impl Into<String>) -> Self {
        Self { field, reason, detail: detail.into() }
    }
}

/// A stable slug beside the English detail, so that the page can speak another language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Required,
    TooLong,
    TooShort,
    ControlCharacters,
    NotPositive,
    TooLarge,
    TooSmall,
    Unknown,
    Malformed,
    Email,
    Currency,
    PayoutZero,
    Role,
    Language,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Required => "required",
            Reason::TooLong => "too_long",
            Reason::TooShort => "too_short",
            Reason::ControlCharacters => "control_characters",
            Reason::NotPositive => "not_positive",
            Reason::TooLarge => "too_large",
            Reason::TooSmall => "too_small",
            Reason::Unknown => "unknown",
            Reason::Malformed => "malformed",
            Reason::Email => "email",
            Reason::Currency => "currency",
            Reason::PayoutZero => "payout_zero",
            Reason::Role => "role",
            Reason::Language => "language",
        }
    }
}

/// A definitive "no" with its facts.
#[derive(Clone, Debug)]
pub enum Refusal {
    Invalid(Invalid),
    /// Nobody is signed in, or the session has ended.
    Unauthenticated,
    /// The email and password do not belong together, or the account may not act in that role.
    WrongCredentials,
    /// Who is signed in gave another password than theirs.
    WrongPassword,
    /// The link to set a new password was used, is too old, or was overtaken.
    LinkOver,
    /// This installation sends no mail.
    NoMail,
    Forbidden(&'static str),
    NotFound(&'static str),
    /// Somebody was faster.
    Taken {
        by: Party,
        at: OffsetDateTime,
    },
    Frozen,
    Cancelled,
    OwnOrder,
    /// The order's state does not allow the act.
    Stale {
        status: Status,
        version: u64,
    },
    /// The order's customer chooses nobody: the first taker gets it.
    ForFirstTaker,
    /// Nobody has asked for a verdict.
    NotDisputed {
        status: Status,
        version: u64,
    },
    /// An admin decides now.
    Disputed,
    /// The order was edited after the version that the caller has seen.
    Changed {
        changes: Facts,
        order: Box<FullOrder>,
    },
    InsufficientFunds {
        available: i64,
        needed: i64,
        currency: String,
    },
    /// The same idempotency key came with another body.
    Mismatch,
    EmailTaken,
    /// Another category has this slug.
    CategoryExists,
    /// The top-up was decided already, the other way.
    TopupDecided,
    /// The payout was decided already, and otherwise.
    PayoutDecided {
        status: PayoutStatus,
    },
    /// The user is closed: their money stands still.
    UserClosed,
    /// Nothing is free among the earnings.
    NothingToSweep,
    /// Too much is asked at once; come back after so many seconds.
    Limit {
        what: &'static str,
        retry_after_s: u32,
    },
    /// The caller has asked as often as one may.
    Limited(Reached),
}

impl From<Reached> for Refusal {
    fn from(reached: Reached) -> Self {
        Refusal::Limited(reached)
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Refusal::Invalid(invalid)
    }
}
