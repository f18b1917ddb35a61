//! Top-ups of one's wallet, and the sandbox gateway's word on them.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::caller::Caller;
use super::error::{Answer, created_json, ok};
use super::extract::{Id, Json, Key, Query};
use super::lists::{Listed, PageQuery};
use super::page::language;
use crate::domain::money::{AMOUNT_MAX, Amount, Currency};
use crate::domain::refusal::Refusal;
use crate::domain::robokassa::Culture;
use crate::flow::{Payment, Topup};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTopup {
    #[schemars(range(min = 1, max = AMOUNT_MAX))]
    amount: i64,
    #[schemars(with = "Option<Currency>")]
    currency: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Word {
    result: Payment,
}

/// The language in which the gateway shall greet the payer: the one in which our page does.
pub(super) struct Greeting(pub(super) Culture);

impl<S: Send + Sync> FromRequestParts<S> for Greeting {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(if language(&parts.headers) == "ru" { Culture::Ru } else { Culture::En }))
    }
}

pub(super) async fn create(
    State(api): State<Api>,
    Caller(session): Caller,
    Key(key): Key,
    Greeting(culture): Greeting,
    Json(body): Json<NewTopup>,
) -> Answer {
    let amount = Amount::parse("amount", body.amount)?;
    let currency = body.currency.map_or(Ok(Currency::RUB), |code| Currency::parse(&code))?;
    Ok(created_json(api.flow.create_topup(&session.actor, (amount, currency), culture, key.as_deref()).await?))
}

pub(super) async fn list(
    State(api): State<Api>,
    Caller(session): Caller,
    Greeting(culture): Greeting,
    Query(query): Query<PageQuery>,
) -> Answer {
    let page = query.page()?;
    let rows = api.store.topups_of(session.actor.user.id, page.below, page.limit).await?;
    ok(&Listed::new(rows.into_iter().map(|row| api.flow.shown_topup(row, culture)).collect(), page, |topup: &Topup| topup.id))
}

pub(super) async fn show(State(api): State<Api>, Caller(session): Caller, Greeting(culture): Greeting, Id(id): Id) -> Answer {
    let mine = api.store.topup(id).await?.filter(|topup| topup.user_id == session.actor.user.id);
    ok(&api.flow.shown_topup(mine.ok_or(Refusal::NotFound("top-up"))?, culture))
}

/// A short way through the sandbox gateway, for programs: says how the payment ended.
pub(super) async fn sandbox(
    State(api): State<Api>,
    Caller(session): Caller,
    Greeting(culture): Greeting,
    Id(id): Id,
    Json(word): Json<Word>,
) -> Answer {
    ok(&api.flow.resolve_topup(&session.actor, id, word.result, culture).await?)
}
