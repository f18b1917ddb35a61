//! Payouts: what may be asked for, and the states a payout goes through.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ledger::AccountKind;
use super::money::{Amount, Currency};
use super::refusal::{Invalid, Reason};
use super::text;

pub const DESTINATION_CHARS_MIN: usize = 4;
pub const DESTINATION_CHARS_MAX: usize = 200;
pub const COMMENT_CHARS_MAX: usize = 1_000;

/// `Created` is the only state that is left again, and only once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PayoutStatus {
    /// The money is held, an admin has to decide.
    Created,
    /// Approved and paid.
    Received,
    Rejected,
    /// Taken back by whoever had asked.
    Cancelled,
}

impl PayoutStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            PayoutStatus::Created => "created",
            PayoutStatus::Received => "received",
            PayoutStatus::Rejected => "rejected",
            PayoutStatus::Cancelled => "cancelled",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "created" => Some(PayoutStatus::Created),
            "received" => Some(PayoutStatus::Received),
            "rejected" => Some(PayoutStatus::Rejected),
            "cancelled" => Some(PayoutStatus::Cancelled),
            _ => None,
        }
    }
}

/// What the operators allow.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PayoutRules {
    /// The smallest payout, in minor units.
    pub min: i64,
    /// Slugs of the ways in which money is paid out.
    pub methods: Vec<String>,
}

/// A payout as somebody asks for it, before any rule has looked at it.
#[derive(Clone, Debug)]
pub struct PayoutWish {
    pub amount: i64,
    pub currency: Currency,
    pub account: AccountKind,
    pub method: String,
    pub destination: String,
}

/// A valid request for a payout.
#[derive(Clone, Debug, Serialize)]
pub struct PayoutDraft {
    pub amount: Amount,
    pub currency: Currency,
    pub account: AccountKind,
    pub method: String,
    pub destination: String,
}

impl PayoutRules {
    /// The wish as a draft, or the first field that stands against it.
    pub fn draft(&self, wish: PayoutWish) -> Result<PayoutDraft, Invalid> {
        let amount = Amount::parse("amount", wish.amount)?;
        if amount.minor() < self.min {
            return Err(Invalid::new("amount", Reason::TooSmall, format!("the smallest payout is {} minor units", self.min)));
        }
        if !self.methods.contains(&wish.method) {
            let known = self.methods.join(", ");
            return Err(Invalid::new("method", Reason::Unknown, format!("`method` is one of {known}")));
        }
        let destination = text::line("destination", &wish.destination, DESTINATION_CHARS_MAX)?;
        if destination.chars().count() < DESTINATION_CHARS_MIN {
            return Err(Invalid::new(
                "destination",
                Reason::TooShort,
                format!("`destination` has at least {DESTINATION_CHARS_MIN} characters"),
            ));
        }
        Ok(PayoutDraft { amount, currency: wish.currency, account: wish.account, method: wish.method, destination })
    }
}

/// An admin's comment: optional running text, `None` when there is nothing in it.
pub fn comment(text: Option<&str>) -> Result<Option<String>, Invalid> {
    let text = text::prose("comment", text.unwrap_or_default())?;
    if text.chars().count() > COMMENT_CHARS_MAX {
        return Err(Invalid::new("comment", Reason::TooLong, format!("`comment` has at most {COMMENT_CHARS_MAX} characters")));
    }
    Ok((!text.is_empty()).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(amount: i64, method: &str, destination: &str) -> PayoutWish {
        PayoutWish {
            amount,
            currency: Currency::RUB,
            account: AccountKind::Earnings,
            method: method.to_owned(),
            destination: destination.to_owned(),
        }
    }

    #[test]
    fn a_payout_keeps_to_the_rules() {
        let rules = PayoutRules { min: 100, methods: vec!["card".to_owned(), "sbp".to_owned()] };
        assert_eq!(rules.draft(wish(100, "sbp", " 2200 1234 ")).expect("valid").destination, "2200 1234");
        for (wrong, field, reason) in [
            (wish(0, "card", "2200"), "amount", Reason::NotPositive),
            (wish(99, "card", "2200"), "amount", Reason::TooSmall),
            (wish(i64::MAX, "card", "2200"), "amount", Reason::TooLarge),
            (wish(100, "cash", "2200"), "method", Reason::Unknown),
            (wish(100, "card", "  "), "destination", Reason::Required),
            (wish(100, "card", "220"), "destination", Reason::TooShort),
            (wish(100, "card", "22\n00"), "destination", Reason::ControlCharacters),
            (wish(100, "card", &"2".repeat(201)), "destination", Reason::TooLong),
        ] {
            let invalid = rules.draft(wrong).expect_err(field);
            assert_eq!((invalid.field, invalid.reason), (field, reason));
        }
    }
}
