//! One's subscriptions to new orders.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::caller::Caller;
use super::error::{Answer, no_content, ok};
use super::extract::{MaybeJson, Segment};
use super::lists::Listed;
use crate::domain::money::AMOUNT_MAX;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    #[schemars(range(min = 1, max = AMOUNT_MAX))]
    price_min: Option<i64>,
    sound: Option<bool>,
}

pub(super) async fn list(State(api): State<Api>, Caller(session): Caller) -> Answer {
    ok(&Listed::whole(api.store.subscriptions_of(session.actor.user.id).await?))
}

pub(super) async fn put(
    State(api): State<Api>,
    Caller(session): Caller,
    Segment(category): Segment,
    MaybeJson(wish): MaybeJson<Wish>,
) -> Answer {
    ok(&api.flow.subscribe(&session.actor, &category, wish.price_min, wish.sound).await?)
}

pub(super) async fn end(State(api): State<Api>, Caller(session): Caller, Segment(category): Segment) -> Answer {
    api.flow.unsubscribe(&session.actor, &category).await?;
    Ok(no_content())
}
