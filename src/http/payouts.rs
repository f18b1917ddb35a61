//! One's own payouts: asking for money, what became of it, and taking the request back; and moving earnings into the
//! wallet.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::caller::Caller;
use super::error::{Answer, created_json, ok, ok_json};
use super::extract::{Id, Json, Key, MaybeJson, Query};
use super::lists::{Listed, PageQuery};
use super::source::of_node;
use crate::domain::ledger::AccountKind;
use crate::domain::money::{AMOUNT_MAX, Currency};
use crate::domain::payout::{DESTINATION_CHARS_MAX, DESTINATION_CHARS_MIN, PayoutWish};
use crate::domain::refusal::Refusal;
use crate::flow::OwnPayout;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPayout {
    #[schemars(range(min = 1, max = AMOUNT_MAX))]
    amount: i64,
    #[schemars(with = "Option<Currency>")]
    currency: Option<String>,
    account: Option<AccountKind>,
    /// One of the `methods` of `/api/payouts/rules`.
    method: String,
    #[schemars(length(min = DESTINATION_CHARS_MIN, max = DESTINATION_CHARS_MAX))]
    destination: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sweep {
    #[schemars(with = "Option<Currency>")]
    currency: Option<String>,
}

/// What a payout has to keep to; for whoever is about to ask.
pub(super) async fn rules(State(api): State<Api>) -> Answer {
    Ok(of_node(ok(&api.payout_rules)?))
}

pub(super) async fn create(State(api): State<Api>, Caller(session): Caller, Key(key): Key, Json(body): Json<NewPayout>) -> Answer {
    let wish = PayoutWish {
        amount: body.amount,
        currency: currency(body.currency)?,
        account: body.account.unwrap_or(AccountKind::Earnings),
        method: body.method,
        destination: body.destination,
    };
    let draft = api.payout_rules.draft(wish)?;
    Ok(created_json(api.flow.request_payout(&session.actor, &draft, key.as_deref()).await?))
}

pub(super) async fn list(State(api): State<Api>, Caller(session): Caller, Query(query): Query<PageQuery>) -> Answer {
    let page = query.page()?;
    let rows = api.store.payouts_of(session.actor.user.id, page.below, page.limit).await?;
    ok(&Listed::new(rows.into_iter().map(OwnPayout::from).collect(), page, |payout: &OwnPayout| payout.id))
}

pub(super) async fn show(State(api): State<Api>, Caller(session): Caller, Id(id): Id) -> Answer {
    let mine = api.store.payout(id).await?.filter(|payout| payout.user.id == session.actor.user.id);
    ok(&OwnPayout::from(mine.ok_or(Refusal::NotFound("payout"))?))
}

pub(super) async fn cancel(State(api): State<Api>, Caller(session): Caller, Id(id): Id) -> Answer {
    ok(&OwnPayout::from(api.flow.cancel_payout(&session.actor, id).await?))
}

/// All that is free among the earnings goes into the wallet.
pub(super) async fn sweep(State(api): State<Api>, Caller(session): Caller, Key(key): Key, MaybeJson(body): MaybeJson<Sweep>) -> Answer {
    let currency = currency(body.currency)?;
    Ok(ok_json(api.flow.sweep_now(&session.actor, currency, key.as_deref()).await?))
}

fn currency(code: Option<String>) -> Result<Currency, crate::domain::refusal::Invalid> {
    code.map_or(Ok(Currency::RUB), |code| Currency::parse(&code))
}
