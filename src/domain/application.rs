//! Applications: executors offer to do an order, maybe for another price, and its customer chooses one of them.

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::commission::Split;
use super::refusal::{Invalid, Reason};
use super::schema::Moment;
use super::user::Party;

pub const MESSAGE_CHARS_MAX: usize = 1_000;
/// Who waits for one order. Whoever has withdrawn or been declined is not counted.
pub const APPLICANTS_MAX: u32 = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationStatus {
    Waiting,
    Chosen,
    Declined,
    Withdrawn,
}

impl ApplicationStatus {
    pub const ALL: [ApplicationStatus; 4] =
        [ApplicationStatus::Waiting, ApplicationStatus::Chosen, ApplicationStatus::Declined, ApplicationStatus::Withdrawn];

    pub fn as_str(self) -> &'static str {
        match self {
            ApplicationStatus::Waiting => "waiting",
            ApplicationStatus::Chosen => "chosen",
            ApplicationStatus::Declined => "declined",
            ApplicationStatus::Withdrawn => "withdrawn",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Application {
    pub order_id: u64,
    pub executor: Party,
    pub message: String,
    pub price: i64,
    pub payout: i64,
    pub commission: i64,
    pub status: ApplicationStatus,
    /// Of the order as the application made it.
    pub version: u64,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    pub created_at: OffsetDateTime,
    pub created_ms: i64,
}

impl Application {
    pub fn split(&self) -> Split {
        Split { price: self.price, payout: self.payout, commission: self.commission }
    }
}

/// What an executor has done so far, for the customer who compares.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub struct Record {
    pub completed: u64,
    /// In the order's currency.
    pub earned: i64,
}

/// How far a counter-price may be from the order's price, in percent of it.
#[derive(Clone, Copy, Debug)]
pub struct CounterLimits {
    pub min_percent: u16,
    pub max_percent: u16,
}

impl Default for CounterLimits {
    /// From half the price to twice the price.
    fn default() -> Self {
        Self { min_percent: 50, max_percent: 200 }
    }
}

impl CounterLimits {
    /// The lowest and the highest counter-price for an order at the price `from`.
    pub fn range(self, from: i64) -> (i64, i64) {
        let part = |percent: u16| i128::from(from) * i128::from(percent);
        let (low, high) = ((part(self.min_percent) + 99) / 100, part(self.max_percent) / 100);
        (i64::try_from(low).unwrap_or(i64::MAX), i64::try_from(high).unwrap_or(i64::MAX))
    }

    /// Refused when `price` is too far from the order's price `from`.
    pub fn check(self, from: i64, price: i64) -> Result<(), Invalid> {
        let (low, high) = self.range(from);
        if (low..=high).contains(&price) {
            return Ok(());
        }
        let reason = if price < low { Reason::TooSmall } else { Reason::TooLarge };
        Err(Invalid::new("price", reason, format!("a counter-price for this order is between {low} and {high} minor units")))
    }
}

#[cfg(test)]
mod tests {
    use super::{CounterLimits, Reason};

    #[test]
    fn a_counter_price_is_within_its_limits_to_the_kopeck() {
        let limits = CounterLimits { min_percent: 50, max_percent: 200 };
        for good in [51, 101, 202] {
            assert!(limits.check(101, good).is_ok(), "{good}");
        }
        assert_eq!(limits.check(101, 50).expect_err("too small").reason, Reason::TooSmall);
        assert_eq!(limits.check(101, 203).expect_err("too large").reason, Reason::TooLarge);
        assert!(limits.check(i64::MAX, i64::MAX).is_ok());
    }
}
