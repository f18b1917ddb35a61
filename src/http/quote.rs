//! What an order would cost or pay: public, read-only, from this node's memory.

use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Api;
use super::error::{Answer, ok};
use super::extract::Query;
use crate::domain::commission::{Policy, Split};
use crate::domain::money::{Amount, Currency};
use crate::domain::refusal::{Invalid, Reason};
use crate::flow::Ask;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuoteQuery {
    price: Option<i64>,
    payout: Option<i64>,
    currency: Option<Currency>,
}

#[derive(Serialize)]
struct Quote {
    #[serde(flatten)]
    split: Split,
    #[serde(flatten)]
    policy: Policy,
    currency: Currency,
}

pub(super) async fn quote(State(api): State<Api>, Query(query): Query<QuoteQuery>) -> Answer {
    let policy = api.flow.policy();
    let split = ask(query.price, query.payout)?.split(policy)?;
    ok(&Quote { split, policy, currency: query.currency.unwrap_or(Currency::RUB) })
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
