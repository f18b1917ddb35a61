//! Top-ups of one's wallet, and the sandbox gateway's word on them.

use axum::extract::State;
use serde::Deserialize;

use super::Api;
use super::caller::Caller;
use super::error::{Answer, created_json, ok};
use super::extract::{Id, Json, Key, Query};
use super::lists::{Listed, PageQuery};
use crate::domain::money::{Amount, Currency};
use crate::domain::refusal::Refusal;
use crate::flow::{Payment, Topup};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTopup {
    amount: i64,
    currency: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Word {
    result: Payment,
}

pub(super) async fn create(State(api): State<Api>, Caller(session): Caller, Key(key): Key, Json(body): Json<NewTopup>) -> Answer {
    let amount = Amount::parse("amount", body.amount)?;
    let currency = body.currency.map_or(Ok(Currency::RUB), |code| Currency::parse(&code))?;
    Ok(created_json(api.flow.create_topup(&session.actor, amount, currency, key.as_deref()).await?))
}

pub(super) async fn list(State(api): State<Api>, Caller(session): Caller, Query(query): Query<PageQuery>) -> Answer {
    let page = query.page()?;
    let rows = api.store.topups_of(session.actor.user.id, page.below, page.limit).await?;
    ok(&Listed::new(rows.into_iter().map(Topup::from).collect(), page, |topup: &Topup| topup.id))
}

pub(super) async fn show(State(api): State<Api>, Caller(session): Caller, Id(id): Id) -> Answer {
    let mine = api.store.topup(id).await?.filter(|topup| topup.user_id == session.actor.user.id);
    ok(&Topup::from(mine.ok_or(Refusal::NotFound("top-up"))?))
}

/// In development there is no bank: the page's test bank says how the payment ended.
pub(super) async fn sandbox(State(api): State<Api>, Caller(session): Caller, Id(id): Id, Json(word): Json<Word>) -> Answer {
    ok(&api.flow.resolve_topup(&session.actor, id, word.result).await?)
}
