//! What an order would cost or pay: public, read-only, from this node's memory. By the policy in force, or by another that is named:
//! an order keeps the one it was made with, also when it is edited or applied for.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::error::{Answer, ok};
use super::extract::Query;
use super::source::of_memory;
use crate::domain::commission::{Mode, Policy, Split};
use crate::domain::money::{AMOUNT_MAX, Amount, Currency};
use crate::domain::refusal::{Invalid, Reason};
use crate::flow::Ask;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QuoteQuery {
    #[schemars(range(min = 1, max = AMOUNT_MAX))]
    price: Option<i64>,
    #[schemars(range(min = 1, max = AMOUNT_MAX))]
    payout: Option<i64>,
    currency: Option<Currency>,
    /// With `floor_bp` and `mode`: a policy, such as an order was made with.
    #[schemars(range(min = 1, max = 5_000))]
    rate_bp: Option<u16>,
    #[schemars(range(max = 5_000))]
    floor_bp: Option<u16>,
    mode: Option<Mode>,
}

impl QuoteQuery {
    /// The policy that is named, as a whole; nothing where none is.
    fn policy(&self) -> Result<Option<Policy>, Invalid> {
        match (self.rate_bp, self.floor_bp, self.mode) {
            (None, None, None) => Ok(None),
            (Some(rate_bp), Some(floor_bp), Some(mode)) => Policy::new(rate_bp, floor_bp, mode).map(Some),
            _ => Err(Invalid::new("mode", Reason::Required, "name a policy by `rate_bp`, `floor_bp` and `mode`, all three, or none")),
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Quote {
    #[serde(flatten)]
    split: Split,
    #[serde(flatten)]
    policy: Policy,
    currency: Currency,
}

pub(super) async fn quote(State(api): State<Api>, Query(query): Query<QuoteQuery>) -> Answer {
    let policy = query.policy()?.unwrap_or_else(|| api.flow.policy());
    let split = ask(query.price, query.payout)?.split(policy)?;
    let quote = ok(&Quote { split, policy, currency: query.currency.unwrap_or(Currency::RUB) })?;
    Ok(of_memory(quote, api.flow.settings_age()))
}

/// Exactly one of the two figures.
pub(super) fn ask(price: Option<i64>, payout: Option<i64>) -> Result<Ask, Invalid> {
    match (price, payout) {
        (Some(price), None) => Ok(Ask::Price(Amount::parse("price", price)?)),
        (None, Some(payout)) => Ok(Ask::Payout(Amount::parse("payout", payout)?)),
        (Some(_), Some(_)) => Err(Invalid::new("payout", Reason::Malformed, "give `price` or `payout`, not both; the other is computed")),
        (None, None) => Err(Invalid::new("price", Reason::Required, "give `price` or `payout` in minor units")),
    }
}
