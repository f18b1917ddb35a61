//! All orders, for admins.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::caller::Caller;
use super::error::{Answer, ok};
use super::extract::Query;
use super::lists::{LIMIT_MAX, Listed, page};
use crate::domain::order::Status;
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::domain::search::QUERY_CHARS_MAX;
use crate::domain::user::Role;
use crate::store::orders::AdminFilter;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdminQuery {
    status: Option<Status>,
    #[serde(default)]
    disputed: bool,
    customer: Option<u64>,
    executor: Option<u64>,
    /// A number, or a part of a title.
    #[schemars(length(max = QUERY_CHARS_MAX))]
    q: Option<String>,
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: Option<u32>,
    cursor: Option<String>,
}

pub(super) async fn list(State(api): State<Api>, Caller(session): Caller, Query(query): Query<AdminQuery>) -> Answer {
    if session.actor.role != Role::Admin {
        return Err(Refusal::Forbidden("only admins look through all orders").into());
    }
    let page = page(query.limit, query.cursor.as_deref())?;
    let text = query.q.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| text.chars().count() > QUERY_CHARS_MAX) {
        return Err(Invalid::new("q", Reason::TooLong, format!("`q` must have at most {QUERY_CHARS_MAX} characters")).into());
    }
    if let Some(id) = text.as_ref().and_then(|text| text.parse().ok()) {
        return ok(&Listed::whole(api.store.orders_by_id(&[id]).await?));
    }
    let filter =
        AdminFilter { status: query.status, is_disputed: query.disputed, customer_id: query.customer, executor_id: query.executor, text };
    let found = api.store.all_orders(&filter, page.below, page.limit).await?;
    ok(&Listed::going_on(found.orders, found.next.map(|next| next.to_string())))
}
