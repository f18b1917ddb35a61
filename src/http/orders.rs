//! Orders: lists, one order, and what may be done with it.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::caller::{Caller, MaybeCaller};
use super::error::{Answer, Problem, created_json, ok, ok_json};
use super::extract::{Id, Json, Key, MaybeJson, Query};
use super::lists::{LIMIT_MAX, Listed, page};
use super::quote::ask;
use crate::domain::money::{AMOUNT_MAX, Currency};
use crate::domain::order::{Acceptance, Assignment, Order, Status};
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::domain::schema::Slug;
use crate::domain::search::{QUERY_CHARS_MAX, Range, Search, Sort, words};
use crate::domain::text;
use crate::domain::user::Role;
use crate::flow::{OrderDraft, OrderEdit};
use crate::store::orders::Listed as Which;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    #[serde(default)]
    list: ListName,
    status: Option<Status>,
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: Option<u32>,
    cursor: Option<String>,
    // Of the list `open` alone.
    #[schemars(length(max = QUERY_CHARS_MAX))]
    q: Option<String>,
    category: Option<String>,
    /// Whose orders.
    customer: Option<u64>,
    assignment: Option<Assignment>,
    price_min: Option<i64>,
    price_max: Option<i64>,
    payout_min: Option<i64>,
    payout_max: Option<i64>,
    #[serde(default)]
    sort: Sort,
}

impl ListQuery {
    /// What the open orders are searched for; nothing where all of them are wanted, the newest first.
    fn search(&self) -> Result<Option<Search>, Invalid> {
        let search = Search {
            words: self.q.as_deref().map_or(Ok(Vec::new()), words)?,
            category: self.category.clone(),
            customer_id: self.customer,
            assignment: self.assignment,
            price: Range { min: self.price_min, max: self.price_max },
            payout: Range { min: self.payout_min, max: self.payout_max },
            sort: self.sort,
        };
        let bounds = [self.price_min, self.price_max, self.payout_min, self.payout_max];
        let is_everything = search.words.is_empty()
            && search.category.is_none()
            && search.customer_id.is_none()
            && search.assignment.is_none()
            && bounds.iter().all(Option::is_none)
            && search.sort == Sort::Newest;
        Ok((!is_everything).then_some(search))
    }
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ListName {
    #[default]
    Open,
    Mine,
    Contracts,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["price"], "properties": {"price": {"type": "integer"}}},
    {"required": ["payout"], "properties": {"payout": {"type": "integer"}}},
]))]
pub(super) struct NewOrder {
    #[schemars(length(min = 1, max = text::TITLE_CHARS_MAX))]
    title: String,
    #[serde(default)]
    #[schemars(length(max = text::DESCRIPTION_CHARS_MAX))]
    description: String,
    #[schemars(with = "Option<Slug>")]
    category: Option<String>,
    #[schemars(with = "Option<Currency>")]
    currency: Option<String>,
    assignment: Option<Assignment>,
    acceptance: Option<Acceptance>,
    /// What the customer pays; or else `payout`. In minor units.
    #[schemars(range(min = 1, max = AMOUNT_MAX))]
    price: Option<i64>,
    /// What the executor gets; or else `price`.
    #[schemars(range(min = 1, max = AMOUNT_MAX))]
    payout: Option<i64>,
}

/// A body that says nothing.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// The version of the order that the taker has seen; nothing where they take it as it is.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Taking {
    version: Option<u64>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    #[serde(default)]
    #[schemars(length(max = text::DESCRIPTION_CHARS_MAX))]
    report: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rejection {
    #[schemars(length(min = 1, max = text::DESCRIPTION_CHARS_MAX))]
    reason: String,
}

pub(super) async fn list(State(api): State<Api>, MaybeCaller(session): MaybeCaller, Query(query): Query<ListQuery>) -> Answer {
    let search = query.search()?;
    let user_id = || session.as_ref().map(|session| session.actor.user.id).ok_or(Refusal::Unauthenticated);
    let which = match (query.list, search) {
        (ListName::Open, _) if query.status.is_some_and(|status| status != Status::Open) => {
            return Err(
                Invalid::new("status", Reason::Unknown, "the list `open` has open orders only; ask for `mine` or `contracts`").into()
            );
        }
        (ListName::Open, Some(search)) => {
            let limit = page(query.limit, None)?.limit;
            return super::search::answer(&api, &search, query.cursor.as_deref(), limit).await;
        }
        (ListName::Open, None) => Which::Open { category: None },
        (_, Some(_)) => {
            return Err(Invalid::new("list", Reason::Unknown, "only the list `open` is searched, filtered and sorted").into());
        }
        (ListName::Mine, None) => Which::OfCustomer { user_id: user_id()?, status: query.status },
        (ListName::Contracts, None) => Which::OfExecutor { user_id: user_id()?, status: query.status },
    };
    let page = page(query.limit, query.cursor.as_deref())?;
    let orders = api.store.orders(&which, page.below, page.limit).await?;
    ok(&Listed::new(orders, page, |order: &Order| order.id))
}

pub(super) async fn create(State(api): State<Api>, Caller(session): Caller, Key(key): Key, Json(body): Json<NewOrder>) -> Answer {
    let draft = draft(body)?;
    Ok(created_json(api.flow.create_order(&session.actor, &draft, key.as_deref()).await?))
}

fn draft(body: NewOrder) -> Result<OrderDraft, Invalid> {
    Ok(OrderDraft {
        title: text::line("title", &body.title, text::TITLE_CHARS_MAX)?,
        description: text::prose("description", &body.description)?,
        category: body.category,
        currency: body.currency.map_or(Ok(Currency::RUB), |code| Currency::parse(&code))?,
        assignment: body.assignment.unwrap_or(Assignment::First),
        acceptance: body.acceptance.unwrap_or(Acceptance::Confirm),
        ask: ask(body.price, body.payout)?,
    })
}

/// A field that may be left out, and may be `null`.
fn given<'de, D: serde::Deserializer<'de>>(field: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(field).map(Some)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedOrder {
    /// The version that the editor has seen.
    version: u64,
    #[schemars(length(min = 1, max = text::TITLE_CHARS_MAX))]
    title: Option<String>,
    #[schemars(length(max = text::DESCRIPTION_CHARS_MAX))]
    description: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Slug>")]
    category: Option<Option<String>>,
    #[schemars(range(min = 1, max = AMOUNT_MAX))]
    price: Option<i64>,
    #[schemars(range(min = 1, max = AMOUNT_MAX))]
    payout: Option<i64>,
}

pub(super) async fn edit(
    State(api): State<Api>,
    Caller(session): Caller,
    Id(id): Id,
    Key(key): Key,
    Json(body): Json<ChangedOrder>,
) -> Answer {
    let edit = OrderEdit {
        version: body.version,
        title: body.title.map(|title| text::line("title", &title, text::TITLE_CHARS_MAX)).transpose()?,
        description: body.description.map(|description| text::prose("description", &description)).transpose()?,
        category: body.category,
        ask: match (body.price, body.payout) {
            (None, None) => None,
            (price, payout) => Some(ask(price, payout)?),
        },
    };
    Ok(ok_json(api.flow.edit_order(&session.actor, id, &edit, key.as_deref()).await?))
}

/// What has happened to the order, for those it concerns.
pub(super) async fn timeline(State(api): State<Api>, Caller(session): Caller, Id(id): Id) -> Answer {
    ok(&Listed::whole(api.flow.timeline(&session.actor, id).await?))
}

pub(super) async fn show(State(api): State<Api>, MaybeCaller(session): MaybeCaller, Id(id): Id) -> Answer {
    let full = api.store.full_order(id).await?.ok_or(Refusal::NotFound("order"))?;
    let may_see = full.order.status == Status::Open
        || session.as_ref().is_some_and(|session| session.actor.role == Role::Admin || full.order.is_party(session.actor.user.id));
    if !may_see {
        return Err(Problem::from(Refusal::NotFound("order")));
    }
    ok(&full)
}

pub(super) async fn accept(State(api): State<Api>, Caller(session): Caller, Id(id): Id, MaybeJson(body): MaybeJson<Taking>) -> Answer {
    ok(&api.flow.accept_order(&session.actor, id, body.version).await?)
}

pub(super) async fn cancel(State(api): State<Api>, Caller(session): Caller, Id(id): Id, MaybeJson(_): MaybeJson<Nothing>) -> Answer {
    ok(&api.flow.cancel_order(&session.actor, id).await?)
}

pub(super) async fn freeze(State(api): State<Api>, Caller(session): Caller, Id(id): Id, MaybeJson(_): MaybeJson<Nothing>) -> Answer {
    ok(&api.flow.freeze_order(&session.actor, id).await?)
}

pub(super) async fn unfreeze(State(api): State<Api>, Caller(session): Caller, Id(id): Id, MaybeJson(_): MaybeJson<Nothing>) -> Answer {
    ok(&api.flow.unfreeze_order(&session.actor, id).await?)
}

pub(super) async fn abandon(State(api): State<Api>, Caller(session): Caller, Id(id): Id, MaybeJson(_): MaybeJson<Nothing>) -> Answer {
    ok(&api.flow.abandon_order(&session.actor, id).await?)
}

pub(super) async fn submit(State(api): State<Api>, Caller(session): Caller, Id(id): Id, MaybeJson(body): MaybeJson<Report>) -> Answer {
    ok(&api.flow.submit_order(&session.actor, id, &body.report).await?)
}

pub(super) async fn confirm(State(api): State<Api>, Caller(session): Caller, Id(id): Id, MaybeJson(_): MaybeJson<Nothing>) -> Answer {
    ok(&api.flow.confirm_order(&session.actor, id).await?)
}

pub(super) async fn reject(State(api): State<Api>, Caller(session): Caller, Id(id): Id, Json(body): Json<Rejection>) -> Answer {
    ok(&api.flow.reject_order(&session.actor, id, &body.reason).await?)
}
