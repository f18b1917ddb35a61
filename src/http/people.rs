//! People as others see them.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::Api;
use super::error::{Answer, ok};
use super::extract::Id;
use crate::domain::refusal::Refusal;
use crate::domain::schema::Moment;
use crate::store::statistics::UserFigures;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Sum")]
pub(super) struct Money {
    currency: String,
    amount: i64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct AsCustomer {
    orders_created: i64,
    money_in_orders: Vec<Money>,
    orders_done: i64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct AsExecutor {
    orders_completed: i64,
    money_received: Vec<Money>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Profile {
    id: u64,
    name: String,
    about: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Moment")]
    created_at: OffsetDateTime,
    customer: AsCustomer,
    executor: AsExecutor,
}

/// Counts over all currencies; money by currency, where there is any.
pub(super) fn statistics(figures: &[UserFigures]) -> (AsCustomer, AsExecutor) {
    let count = |which: fn(&UserFigures) -> i64| figures.iter().map(which).sum();
    let money = |which: fn(&UserFigures) -> i64| {
        let amounts = figures.iter().map(|row| Money { currency: row.currency.clone(), amount: which(row) });
        amounts.filter(|money| money.amount != 0).collect()
    };
    let customer = AsCustomer {
        orders_created: count(|row| row.figures.orders_created),
        money_in_orders: money(|row| row.figures.money_in_orders),
        orders_done: count(|row| row.figures.orders_done),
    };
    let executor =
        AsExecutor { orders_completed: count(|row| row.figures.orders_completed), money_received: money(|row| row.figures.money_received) };
    (customer, executor)
}

/// Anybody's public profile, for anybody.
pub(super) async fn show(State(api): State<Api>, Id(id): Id) -> Answer {
    let person = api.store.public_profile(id).await?.ok_or(Refusal::NotFound("user"))?;
    let (customer, executor) = statistics(&api.store.statistics_of(&[id]).await?);
    ok(&Profile { id, name: person.name, about: person.about, created_at: person.created_at, customer, executor })
}
