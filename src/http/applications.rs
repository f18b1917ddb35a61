//! Applications: executors offer, customers compare and choose.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::caller::Caller;
use super::error::{Answer, ok, ok_json};
use super::extract::{Id, Json, Key, MaybeJson, Query};
use super::lists::{LIMIT_MAX, Listed, PageQuery, page};
use super::orders::Nothing;
use crate::domain::application::{Application, ApplicationStatus, MESSAGE_CHARS_MAX, Record};
use crate::domain::money::{AMOUNT_MAX, Amount};
use crate::domain::order::{Order, Status};
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::domain::text;
use crate::domain::user::Role;
use crate::flow::{Choice, Offer};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOffer {
    #[schemars(length(min = 1, max = MESSAGE_CHARS_MAX))]
    message: String,
    /// Another price than the order's, within limits.
    #[schemars(range(min = 1, max = AMOUNT_MAX))]
    price: Option<i64>,
    version: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewChoice {
    executor_id: u64,
    /// The version of the order that the customer has seen.
    version: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnQuery {
    #[schemars(with = "Option<ApplicationStatus>")]
    status: Option<String>,
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: Option<u32>,
    cursor: Option<String>,
}

/// An applicant beside what they have done so far.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ComparedApplication")]
pub(super) struct Compared {
    #[serde(flatten)]
    application: Application,
    stats: Record,
}

/// Applications, and between which prices an offer for their order may be.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApplicationsOfOrder")]
pub(super) struct OfOrder {
    #[serde(flatten)]
    listed: Listed<Compared>,
    price_min: i64,
    price_max: i64,
}

/// An executor's application beside the order it is for; without the order where it is gone.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OwnApplication")]
pub(super) struct Own {
    #[serde(flatten)]
    application: Application,
    order: Option<Wanted>,
}

/// What an applicant may know of an order, whoever has it now.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OrderOfApplication")]
pub(super) struct Wanted {
    id: u64,
    version: u64,
    title: String,
    status: Status,
    category: Option<String>,
    price: i64,
    payout: i64,
    currency: String,
}

pub(super) async fn apply(State(api): State<Api>, Caller(session): Caller, Id(id): Id, Json(body): Json<NewOffer>) -> Answer {
    let message = text::statement("message", &body.message)?;
    if message.chars().count() > MESSAGE_CHARS_MAX {
        let told = format!("`message` must have at most {MESSAGE_CHARS_MAX} characters");
        return Err(Invalid::new("message", Reason::TooLong, told).into());
    }
    let price = body.price.map(|price| Amount::parse("price", price)).transpose()?;
    let offer = Offer { message, price, version: body.version };
    ok(&api.flow.apply_for_order(&session.actor, id, &offer).await?)
}

pub(super) async fn withdraw(State(api): State<Api>, Caller(session): Caller, Id(id): Id, MaybeJson(_): MaybeJson<Nothing>) -> Answer {
    ok(&api.flow.withdraw_application(&session.actor, id).await?)
}

pub(super) async fn choose(
    State(api): State<Api>,
    Caller(session): Caller,
    Id(id): Id,
    Key(key): Key,
    Json(body): Json<NewChoice>,
) -> Answer {
    let choice = Choice { executor_id: body.executor_id, version: body.version };
    Ok(ok_json(api.flow.choose_applicant(&session.actor, id, choice, key.as_deref()).await?))
}

/// All of an order's applications for its customer and for admins; one's own for an executor.
pub(super) async fn of_order(State(api): State<Api>, Caller(session): Caller, Id(id): Id, Query(query): Query<PageQuery>) -> Answer {
    let page = query.page()?;
    let actor = &session.actor;
    let order = api.store.order(id).await?.ok_or(Refusal::NotFound("order"))?;
    let is_owner = actor.role == Role::Customer && order.customer.id == actor.user.id;
    let applications = if is_owner || actor.role == Role::Admin {
        api.store.applications_of_order(id, page.below, page.limit).await?
    } else if actor.role == Role::Executor {
        let own = api.store.application(id, actor.user.id).await?;
        if own.is_none() && order.status != Status::Open && !order.is_party(actor.user.id) {
            return Err(Refusal::NotFound("order").into());
        }
        own.into_iter().filter(|own| own.version < page.below).collect()
    } else if order.status == Status::Open || order.is_party(actor.user.id) {
        return Err(Refusal::Forbidden("only the order's customer compares its applicants").into());
    } else {
        return Err(Refusal::NotFound("order").into());
    };
    let ids: Vec<u64> = applications.iter().map(|application| application.executor.id).collect();
    let records = api.store.records(&ids, &order.currency).await?;
    let compared =
        |application: Application| Compared { stats: records.get(&application.executor.id).copied().unwrap_or_default(), application };
    let listed = Listed::new(applications.into_iter().map(compared).collect(), page, |compared: &Compared| compared.application.version);
    let (price_min, price_max) = api.flow.counter_limits().range(order.price);
    ok(&OfOrder { listed, price_min, price_max })
}

/// The caller's own, the newest orders first.
pub(super) async fn own(State(api): State<Api>, Caller(session): Caller, Query(query): Query<OwnQuery>) -> Answer {
    if session.actor.role != Role::Executor {
        return Err(Refusal::Forbidden("only executors apply; sign in as an executor").into());
    }
    let page = page(query.limit, query.cursor.as_deref())?;
    let status = match query.status.as_deref().map(ApplicationStatus::parse) {
        None => None,
        Some(Some(status)) => Some(status),
        Some(None) => {
            let told = "`status` is one of waiting, chosen, declined, withdrawn";
            return Err(Invalid::new("status", Reason::Unknown, told).into());
        }
    };
    let applications = api.store.applications_of_executor(session.actor.user.id, status, (page.below, page.limit)).await?;
    let ids: Vec<u64> = applications.iter().map(|application| application.order_id).collect();
    let mut orders: std::collections::HashMap<u64, Wanted> =
        api.store.orders_by_id(&ids).await?.into_iter().map(|order| (order.id, Wanted::from(order))).collect();
    let own = |application: Application| Own { order: orders.remove(&application.order_id), application };
    ok(&Listed::new(applications.into_iter().map(own).collect(), page, |own: &Own| own.application.order_id))
}

impl From<Order> for Wanted {
    fn from(order: Order) -> Self {
        Self {
            id: order.id,
            version: order.version,
            title: order.title,
            status: order.status,
            category: order.category,
            price: order.price,
            payout: order.payout,
            currency: order.currency,
        }
    }
}
